//! The user that the outlet runs as, where it has one of its own.

use std::{
    fmt,
    fs::{self, Metadata},
    os::unix::fs::MetadataExt as _,
    str::FromStr,
};

use rustix::{
    fs::{Gid, Uid},
    io::Errno,
    process::{getegid, geteuid},
    thread::{set_thread_groups, set_thread_res_gid, set_thread_res_uid},
};

use crate::{
    config::{Config, OutletUser},
    exit::{Exit, Failure},
    host::{self, Entry},
    privilege,
};

/// The user that packages make.
pub const USER: &str = "lineage-sensor";

/// Numbers below are of the system's groups (Debian policy, 9.2.2): who is nobody's would get
/// one of them by chance.
const ORDINARY: u32 = 1_000;

/// A user, and its group.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its uid; not root's.
    pub uid: u32,
    /// Its primary group.
    pub gid: u32,
}

impl Account {
    /// Whom the outlet shall run as; `None` when it is the user that has started the sensor.
    ///
    /// # Errors
    /// When the configuration names a user and there is none, or it cannot be changed to.
    pub fn of(config: &Config) -> Result<Option<Self>, Failure> {
        let passwd = fs::read("/etc/passwd").unwrap_or_default();
        let means = Means {
            may_change: privilege::may_change_user(),
            low_port: config.http.low_port(),
        };
        find(&config.outlet.user, &host::entries(&passwd), means)
    }

    /// This user may do with a file or directory what `needed` says: bits of one part of a
    /// mode (4, 2 and 1).
    #[must_use]
    pub fn may(self, meta: &Metadata, needed: u32) -> bool {
        let part = if meta.uid() == self.uid {
            6
        } else if meta.gid() == self.gid {
            3
        } else {
            0
        };
        (meta.mode() >> part) & needed == needed
    }

    /// Makes this user and group the real ones of this thread, and leaves it no other
    /// group: it stays root in effect, may signal what this user runs, and what it starts
    /// may take up this user without any capability.
    ///
    /// # Errors
    /// When the kernel refuses.
    pub fn make_real(self) -> Result<(), Errno> {
        let (uid, gid) = (geteuid(), getegid());
        set_thread_groups(&[])?;
        set_thread_res_gid(Gid::from_raw(self.gid), gid, gid)?;
        set_thread_res_uid(Uid::from_raw(self.uid), uid, uid)
    }
}

impl fmt::Display for Account {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.uid, self.gid)
    }
}

impl FromStr for Account {
    type Err = std::num::ParseIntError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (uid, gid) = text.split_once(':').unwrap_or((text, ""));
        Ok(Self {
            uid: uid.parse()?,
            gid: gid.parse()?,
        })
    }
}

/// What stands for and against another user.
#[derive(Clone, Copy, Debug, Default)]
struct Means {
    /// The sensor is root and may change users.
    may_change: bool,
    /// A port that only the privileged may listen on.
    low_port: Option<u16>,
}

fn find(user: &OutletUser, known: &[Entry], means: Means) -> Result<Option<Account>, Failure> {
    let (wanted, found) = match user {
        OutletUser::Same => return Ok(None),
        OutletUser::Auto => {
            let is_possible = means.may_change && means.low_port.is_none();
            let found = entry(known, USER).filter(|_| is_possible);
            return Ok(found.filter(|found| found.uid != 0 && found.gid != 0));
        }
        OutletUser::Named(name) => (name.clone(), entry(known, name)),
        OutletUser::Numbered(uid) => {
            let found = known.iter().find(|entry| entry.uid == *uid);
            let system = found.is_none() && *uid < ORDINARY;
            let gid = found.map_or(*uid, |entry| entry.gid);
            let found = Account { uid: *uid, gid };
            (uid.to_string(), Some(found).filter(|_| !system))
        }
    };
    let refuse = |code, why: fmt::Arguments<'_>| {
        Err(Failure::new(
            code,
            format_args!("outlet.user: {wanted}: {why}"),
        ))
    };
    let Some(found) = found else {
        let remedy = format_args!(
            "there is no such user in /etc/passwd; make it (`useradd --system {wanted}`), or take \
             `none`"
        );
        return refuse(Exit::Usage, remedy);
    };
    let what = match (found.uid, found.gid) {
        (0, _) => Some("root"),
        (_, 0) => Some("of the group root"),
        _ => None,
    };
    if let Some(what) = what {
        let why = format_args!("is {what}; take another, or `none`");
        return refuse(Exit::Usage, why);
    }
    if let Some(port) = means.low_port {
        let why = format_args!(
            "http.listen has port {port}: only root may listen on that; take a port from 1024 up, \
             or `none`"
        );
        return refuse(Exit::Usage, why);
    }
    if !means.may_change {
        let why = "the sensor is not root, or lacks CAP_SETUID and CAP_SETGID; grant them, or \
                   take `none`";
        return refuse(Exit::Privilege, format_args!("{why}"));
    }
    Ok(Some(found))
}

fn entry(known: &[Entry], name: &str) -> Option<Account> {
    let found = known.iter().find(|entry| entry.name == name)?;
    Some(Account {
        uid: found.uid,
        gid: found.gid,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ABLE: Means = Means {
        may_change: true,
        low_port: None,
    };

    fn known() -> Vec<Entry> {
        host::entries(
            b"root:x:0:0::/:\nlineage-sensor:x:998:997::/:\ntoor:x:0:0::/:\nop:x:37:0::/:\n",
        )
    }

    fn found(user: &OutletUser, means: Means) -> Option<Account> {
        find(user, &known(), means).unwrap()
    }

    #[test]
    fn by_itself_it_takes_the_packages_user_where_it_can() {
        let packaged = Some(Account { uid: 998, gid: 997 });
        assert_eq!(found(&OutletUser::Auto, ABLE), packaged);
        assert_eq!(find(&OutletUser::Auto, &[], ABLE).unwrap(), None);
        for means in [
            Means::default(),
            Means {
                low_port: Some(80),
                ..ABLE
            },
        ] {
            assert_eq!(found(&OutletUser::Auto, means), None);
        }
        assert_eq!(found(&OutletUser::Same, ABLE), None);
    }

    #[test]
    fn a_user_that_is_named_is_taken_or_refused() {
        let named = |name: &str| OutletUser::Named(name.to_owned());
        assert_eq!(
            found(&named(USER), ABLE),
            Some(Account { uid: 998, gid: 997 })
        );
        let by_number = |uid| found(&OutletUser::Numbered(uid), ABLE);
        assert_eq!(by_number(998), Some(Account { uid: 998, gid: 997 }));
        let nobodys = Account {
            uid: 65_432,
            gid: 65_432,
        };
        assert_eq!(by_number(65_432), Some(nobodys));
        let low = Means {
            low_port: Some(443),
            ..ABLE
        };
        for (user, means, code, why) in [
            (named("nemo"), ABLE, Exit::Usage, "useradd --system nemo"),
            (named("toor"), ABLE, Exit::Usage, "is root"),
            (named("op"), ABLE, Exit::Usage, "of the group root"),
            (OutletUser::Numbered(0), ABLE, Exit::Usage, "is root"),
            (OutletUser::Numbered(42), ABLE, Exit::Usage, "no such user"),
            (named(USER), low, Exit::Usage, "port 443"),
            (named(USER), Means::default(), Exit::Privilege, "CAP_SETUID"),
        ] {
            let refused = find(&user, &known(), means).unwrap_err();
            assert_eq!(refused.code, code, "{refused:?}");
            assert!(refused.message.contains(why), "{refused:?}");
        }
    }

    #[test]
    fn an_account_survives_the_way_to_the_spawner() {
        let some = Account { uid: 998, gid: 997 };
        assert_eq!(some.to_string().parse(), Ok(some));
        assert!("998".parse::<Account>().is_err());
    }
}
