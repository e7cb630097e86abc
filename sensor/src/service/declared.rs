//! Services that the configuration declares: by executable, arguments, unit, image.

use std::sync::Arc;

use sensor_common::name::{NameKey, stem};
use serde::Serialize;

use super::{Identity, unit};
use crate::event::Program;
use crate::lineage::{Role, ServiceKind};

/// A declared service. What is given must hold altogether; patterns may have `*`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Declaration {
    /// Its name in alerts.
    pub name: String,
    /// Path of the executable, or its file name when there is no `/` in it.
    pub exe: Option<String>,
    /// Each stands in some argument: a part of it, or, with `*`, all of it.
    pub argv: Vec<String>,
    /// systemd unit.
    pub unit: Option<String>,
    /// Image of its container.
    pub image: Option<String>,
    /// What it may do by its nature.
    pub role: Role,
    /// Kind of server; [`ServiceKind::Declared`] when it is none the sensor knows.
    pub kind: ServiceKind,
}

impl Default for Declaration {
    fn default() -> Self {
        Self {
            name: String::new(),
            exe: None,
            argv: Vec::new(),
            unit: None,
            image: None,
            role: Role::App,
            kind: ServiceKind::Declared,
        }
    }
}

impl Declaration {
    /// What the service is.
    #[must_use]
    pub fn identity(&self) -> Identity {
        Identity {
            kind: self.kind,
            role: self.role,
            name: Some(Arc::from(self.name.as_str())),
        }
    }

    /// `program`, in a container of `image` where that is known, is this service.
    #[must_use]
    pub fn matches(&self, program: &Program, image: Option<&str>) -> bool {
        self.exe.as_ref().is_none_or(|pattern| {
            let subject: &[u8] = if pattern.contains('/') {
                &program.image.path
            } else {
                program.image.name()
            };
            glob(pattern.as_bytes(), subject)
        }) && self.argv.iter().all(|pattern| {
            let mut words = program.args.head.iter().chain(&program.args.tail);
            words.any(|word| stands_in(pattern, word))
        }) && self
            .unit
            .as_ref()
            .is_none_or(|pattern| glob(pattern.as_bytes(), unit(&program.cgroup.path).as_bytes()))
            && self.image.as_ref().is_none_or(|pattern| {
                image.is_some_and(|image| glob(pattern.as_bytes(), image.as_bytes()))
            })
    }

    /// Stem under which the kernel recognises the executable at once; `None` when it must
    /// be looked for.
    #[must_use]
    pub fn stem(&self) -> Option<NameKey> {
        let name = self.exe.as_ref()?.rsplit('/').next()?;
        let plain = !name.contains('*');
        plain.then(|| stem(name.as_bytes())).flatten()
    }
}

fn stands_in(pattern: &str, word: &[u8]) -> bool {
    if pattern.contains('*') {
        return glob(pattern.as_bytes(), word);
    }
    word.windows(pattern.len())
        .any(|part| part == pattern.as_bytes())
}

/// `pattern` is all of `text`, a `*` standing for anything. Linear in both but for
/// going back to the last `*`.
fn glob(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if text.get(t) == Some(byte) => {
                p += 1;
                t += 1;
            }
            _ => {
                let Some((at, matched)) = star else {
                    return false;
                };
                star = Some((at, matched + 1));
                (p, t) = (at + 1, matched + 1);
            }
        }
    }
    pattern
        .get(p..)
        .is_none_or(|rest| rest.iter().all(|&byte| byte == b'*'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Args, Cgroup, Image};

    #[test]
    fn a_star_stands_for_anything() {
        for (pattern, text, expected) in [
            ("", "", true),
            ("*", "", true),
            ("a*c", "abbc", true),
            ("a*c", "abcd", false),
            ("*.service", "shop.service", true),
            ("a*b*c", "aXbYbZc", true),
            ("docker.io/*/nginx:*", "docker.io/library/nginx:1.27", true),
            ("abc", "ab", false),
        ] {
            assert_eq!(
                glob(pattern.as_bytes(), text.as_bytes()),
                expected,
                "{pattern} {text}"
            );
        }
    }

    #[test]
    fn all_that_is_given_must_hold() {
        let program = Program {
            image: Image {
                path: "/opt/shop/bin/shopd-2.1".into(),
                ..Image::default()
            },
            args: Args {
                head: ["shopd", "--listen=:80", "web"].map(Into::into).to_vec(),
                ..Args::default()
            },
            cgroup: Cgroup {
                id: 1,
                path: "/system.slice/shop.service".into(),
            },
            ..Program::default()
        };
        let with = |exe: Option<&str>, argv: &[&str], unit: Option<&str>, image: Option<&str>| {
            Declaration {
                name: "shop".into(),
                exe: exe.map(Into::into),
                argv: argv.iter().map(|&word| word.into()).collect(),
                unit: unit.map(Into::into),
                image: image.map(Into::into),
                role: Role::App,
                kind: ServiceKind::Declared,
            }
        };
        let shop = Some("registry/shop:1");
        for (declaration, expected) in [
            (with(Some("/opt/shop/bin/shopd-2.1"), &[], None, None), true),
            (
                with(Some("shopd*"), &["--listen", "web"], Some("shop.*"), None),
                true,
            ),
            (with(Some("shopd"), &[], None, None), false),
            (
                with(Some("/opt/*/shopd-2.1"), &["worker"], None, None),
                false,
            ),
            (
                with(None, &["--listen=*"], None, Some("registry/shop*")),
                true,
            ),
            (with(None, &[], None, Some("other/*")), false),
            (with(None, &[], Some("nginx.service"), None), false),
        ] {
            assert_eq!(
                declaration.matches(&program, shop),
                expected,
                "{declaration:?}"
            );
        }
        assert!(!with(None, &[], None, Some("*")).matches(&program, None));
        assert!(
            with(Some("/opt/x/shopd-2"), &[], None, None)
                .stem()
                .is_some()
        );
        assert!(with(Some("shop*"), &[], None, None).stem().is_none());
        assert!(with(None, &["x"], None, None).stem().is_none());
    }
}
