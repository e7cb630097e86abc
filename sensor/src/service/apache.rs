//! What an Apache may do, by the modules its master maps.

use serde::{Deserialize, Serialize};

use crate::event::ProcessId;

/// Modules that run programs or scripts, by the beginning of their file names.
///
/// Not `mod_proxy_fcgi` and its kin, which pass requests on, nor `mod_ext_filter`: whoever
/// has it run programs on an Apache that runs nothing else shall hear of it.
pub const SCRIPTING: &[&str] = &[
    "libphp",
    "mod_php",
    "mod_perl",
    "mod_wsgi",
    "mod_python",
    "mod_lua",
    "mod_ruby",
    "mod_passenger",
    "mod_cgi",
    "mod_cgid",
    "mod_fcgid",
    "mod_fastcgi",
    "mod_suphp",
    "mod_lsapi",
    "mod_mono",
    // By its `exec` element.
    "mod_include",
    "mod_authnz_external",
    "mod_tcl",
];

/// A child as `/proc` knows it: pid, and start in ticks.
pub type Child = (u32, u64);

/// What a look at the master of an Apache has found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Apache {
    /// The process that was looked at.
    pub master: ProcessId,
    /// What it maps.
    pub modules: Modules,
    /// Its daemon for CGI.
    pub cgid: Option<Child>,
}

/// What an Apache maps.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Modules {
    /// It maps modules. One that maps none may be linked with any.
    pub any: bool,
    /// One of them runs programs or scripts.
    pub scripting: bool,
    /// One of them is `mod_cgid`.
    pub cgid: bool,
}

impl Modules {
    /// Of the names of mapped files.
    #[must_use]
    pub fn of<'n>(names: impl Iterator<Item = &'n [u8]>) -> Self {
        let mut modules = Self::default();
        for name in names {
            let module = name.starts_with(b"mod_") || name.starts_with(b"libphp");
            if !module || !name.windows(3).any(|part| part == b".so") {
                continue;
            }
            modules.any = true;
            modules.cgid |= name.starts_with(b"mod_cgid.");
            modules.scripting |= SCRIPTING.iter().any(|known| runs(known, name));
        }
        modules
    }
}

/// `name` is a file of this module: `mod_wsgi.so`, `mod_wsgi_python3.so`, `libphp8.2.so`,
/// but not `mod_cgid.so` of `mod_cgi`.
fn runs(module: &str, name: &[u8]) -> bool {
    let rest = name.strip_prefix(module.as_bytes());
    rest.and_then(<[u8]>::first)
        .is_some_and(|next| !next.is_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modules_that_run_scripts() {
        let always = ["libc.so.6", "mod_mpm_event.so", "mod_authz_core.so"];
        let of = |more: &[&str]| {
            let names = always.iter().chain(more).map(|name| name.as_bytes());
            Modules::of(names)
        };
        for (name, scripting, cgid) in [
            ("mod_alias.so", false, false),
            ("mod_proxy_fcgi.so", false, false),
            ("mod_ext_filter.so", false, false),
            ("mod_cgi.so", true, false),
            ("mod_cgid.so", true, true),
            ("mod_cgidoubtful.so", false, false),
            ("libphp8.2.so", true, false),
            ("libphp.so", true, false),
            ("mod_php7.so", true, false),
            ("mod_wsgi.so-3.11", true, false),
            (
                "mod_wsgi-py311.cpython-311-x86_64-linux-gnu.so",
                true,
                false,
            ),
            ("mod_lua.so", true, false),
            ("mod_php", false, false),
        ] {
            let found = of(&[name]);
            let expected = Modules {
                any: true,
                scripting,
                cgid,
            };
            assert_eq!(found, expected, "{name}");
        }
        assert_eq!(
            of(&[]),
            Modules {
                any: true,
                ..Modules::default()
            }
        );
        let linked = Modules::of(
            ["libc.so.6", "libapr-1.so.0"]
                .iter()
                .map(|name| name.as_bytes()),
        );
        assert_eq!(linked, Modules::default());
    }
}
