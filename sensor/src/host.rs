//! Facts of the machine that alerts carry, gathered once at start.

use std::{collections::HashMap, fs};

use crate::{alert::Host, clock, printable::escape};

/// Lines of `/etc/passwd` read at most.
const USERS: usize = 100_000;

/// Name, boot id, clock offset and user names of this machine. What cannot be read is
/// empty: an alert does not wait for a name.
#[must_use]
pub fn gather() -> Host {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    Host {
        name: escape(&name).to_string(),
        boot_id: boot_id.trim().to_owned(),
        realtime_minus_boottime_ns: clock::realtime_minus_boottime_ns(),
        users: users(&fs::read("/etc/passwd").unwrap_or_default()),
    }
}

/// Names by uid. The first entry of a uid wins, as for `getpwuid`.
fn users(passwd: &[u8]) -> HashMap<u32, String> {
    let mut names = HashMap::new();
    for entry in entries(passwd) {
        let name = entry.name;
        names
            .entry(entry.uid)
            .or_insert_with(|| escape(&name).to_string());
    }
    names
}

/// A line of `/etc/passwd`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// As it stands there.
    pub name: String,
    /// User.
    pub uid: u32,
    /// Primary group.
    pub gid: u32,
}

/// The entries of a file like `/etc/passwd`, without lines that are none. No NSS: the binary
/// is static, and a directory service must not be asked by a sensor.
#[must_use]
pub fn entries(passwd: &[u8]) -> Vec<Entry> {
    let text = String::from_utf8_lossy(passwd);
    let entries = text.lines().take(USERS).filter_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?.to_owned();
        let uid = fields.nth(1)?.parse().ok()?;
        let gid = fields.next()?.parse().ok()?;
        Some(Entry { name, uid, gid })
    });
    entries.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_name_of_a_uid_wins_and_bad_lines_are_skipped() {
        let names = users(b"root:x:0:0::/root:/bin/sh\ntoor:x:0:0:::\nbad\n\nw:x:33:33\nx:y:z:\n");
        assert_eq!(names.len(), 2);
        assert_eq!((names[&0].as_str(), names[&33].as_str()), ("root", "w"));
    }
}
