//! Which program an exec really runs: version suffixes, multi-call binaries and the
//! dynamic loader looked through.
//!
//! Names come from the executable file as the kernel resolved it. argv is believed
//! only where the file itself obeys it (busybox applets, the loader's argument), so a
//! caller cannot talk a shell out of being one.

use std::borrow::Cow;

use bstr::{BStr, BString, ByteSlice};
use sensor_common::{limit, name};

use crate::event::Program;

/// Shells by file name without version suffix, sorted.
pub(super) const SHELLS: &[&str] = &[
    "ash",
    "bash",
    "bash-static",
    "csh",
    "dash",
    "fish",
    "ksh",
    "ksh93",
    "lksh",
    "mksh",
    "mksh-static",
    "oksh",
    "posh",
    "pwsh",
    "rbash",
    "rc",
    "rksh",
    "rksh93",
    "rzsh",
    "sash",
    "sh",
    "static-sh",
    "tclsh",
    "tcsh",
    "wish",
    "xonsh",
    "yash",
    "zsh",
    "zsh-static",
];

/// Binaries that are many programs in one and choose by argv.
const MULTICALL: &[&str] = &["busybox", "coreutils", "toybox"];

/// Options of a dynamic loader that take the next argument as their value.
const LOADER_VALUES: &[&str] = &[
    "--argv0",
    "--audit",
    "--glibc-hwcaps-mask",
    "--glibc-hwcaps-prepend",
    "--inhibit-rpath",
    "--library-path",
    "--preload",
];

/// Options with which a loader only reports: what `ldd` uses.
const LOADER_REPORTS: &[&str] = &[
    "--help",
    "--list",
    "--list-diagnostics",
    "--list-tunables",
    "--verify",
    "--version",
];

/// Multi-call and loader steps followed before giving up.
const STEPS: usize = 4;

/// Last component of a path.
pub(super) fn basename(path: &[u8]) -> &[u8] {
    path.rfind_byte(b'/')
        .map_or(path, |slash| path.get(slash + 1..).unwrap_or_default())
}

/// `name` without a version suffix, by the rule the kernel side uses; whole when it is
/// nothing else or longer than any name that side reads.
pub(super) fn stem(name: &[u8]) -> &[u8] {
    if name.len() >= limit::NAME_READ {
        return name;
    }
    match name::stem_len(name) {
        0 => name,
        len => name.get(..len).unwrap_or(name),
    }
}

/// `true` when a file of this name is a shell.
pub(super) fn is_shell(name: &[u8]) -> bool {
    let known = |name: &[u8]| {
        SHELLS
            .binary_search_by(|shell| shell.as_bytes().cmp(name))
            .is_ok()
    };
    known(name) || known(stem(name))
}

/// `true` when a file of this name is many programs in one.
pub(super) fn is_multicall(name: &[u8]) -> bool {
    MULTICALL.iter().any(|known| known.as_bytes() == stem(name))
}

/// `true` when a file of this name is a dynamic loader.
pub(super) fn is_loader(name: &[u8]) -> bool {
    [&b"ld-"[..], b"ld.so", b"ld64.so", b"libc.so", b"libc.musl"]
        .iter()
        .any(|p| name.starts_with(p))
        && name.contains_str(".so")
}

/// The program a loader was told to run, and where its argv starts; `None` when it
/// only reports.
pub(super) fn loaded(argv: &[BString]) -> Option<usize> {
    let mut index = 1;
    while let Some(arg) = argv.get(index) {
        if arg == "--" {
            index += 1;
            break;
        }
        if !arg.starts_with(b"--") {
            break;
        }
        if LOADER_REPORTS.iter().any(|option| arg == option) {
            return None;
        }
        index += if LOADER_VALUES.iter().any(|option| arg == option) {
            2
        } else {
            1
        };
    }
    (index < argv.len()).then_some(index)
}

/// Name of the program this exec runs: the stem of the executable's file name, or the
/// applet a multi-call binary is asked for, or what a loader is told to load.
pub(super) fn name(program: &Program) -> &BStr {
    let mut argv = program.args.head.as_slice();
    let mut file: &[u8] = program.image.name();
    for _ in 0..STEPS {
        if is_loader(file) {
            let Some(index) = loaded(argv) else { break };
            argv = argv.get(index..).unwrap_or_default();
            file = argv.first().map_or(file, |path| basename(path));
        } else if is_multicall(file) {
            let Some((applet, rest)) = applet(argv) else {
                break;
            };
            if !is_multicall(applet) {
                return applet.as_bstr();
            }
            argv = rest;
        } else {
            break;
        }
    }
    stem(file).as_bstr()
}

/// The applet a multi-call binary will run, with its argv. `None`: itself.
fn applet(argv: &[BString]) -> Option<(&[u8], &[BString])> {
    let name = basename(argv.first()?);
    let name = name.strip_prefix(b"-").unwrap_or(name);
    if !MULTICALL
        .iter()
        .any(|known| name.starts_with(known.as_bytes()))
    {
        return Some((stem(name), argv));
    }
    let rest = argv.get(1..)?;
    let first = rest.first()?;
    if let Some(chosen) = first.strip_prefix(b"--coreutils-prog=") {
        return Some((chosen, rest));
    }
    (!first.starts_with(b"-")).then(|| (basename(first), rest))
}

/// Absolute path of the `#!` script, `.` and `..` folded by text alone.
pub(super) fn script(program: &Program) -> Option<Cow<'_, [u8]>> {
    let script: &[u8] = program.script()?;
    if script.starts_with(b"/") && !script.contains_str("/.") && !script.contains_str("//") {
        return Some(Cow::Borrowed(script));
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    let base: &[u8] = if script.starts_with(b"/") {
        b""
    } else {
        &program.cwd
    };
    for part in base.split_str("/").chain(script.split_str("/")) {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut path = vec![b'/'];
    path.extend(bstr::join("/", parts));
    Some(Cow::Owned(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Args, Image};

    fn program(image: &str, argv: &[&str]) -> Program {
        Program {
            image: Image {
                path: image.into(),
                ..Image::default()
            },
            args: Args {
                head: argv.iter().map(|&arg| arg.into()).collect(),
                ..Args::default()
            },
            ..Program::default()
        }
    }

    #[test]
    fn the_lists_are_sorted() {
        assert!(SHELLS.is_sorted());
    }

    #[test]
    fn applets_and_loaded_programs_are_seen_through() {
        for (image, argv, expected) in [
            ("/usr/bin/dash", &["sh", "-c", "id"][..], "dash"),
            ("/usr/bin/python3.11", &["python3"], "python"),
            ("/bin/busybox", &["busybox", "id"], "id"),
            ("/bin/busybox", &["id"], "id"),
            ("/bin/busybox", &["-sh"], "sh"),
            (
                "/bin/busybox",
                &["/bin/busybox", "busybox", "sh", "-c", "id"],
                "sh",
            ),
            ("/bin/busybox", &["busybox"], "busybox"),
            ("/bin/busybox", &["busybox", "--list"], "busybox"),
            ("/bin/busybox", &[], "busybox"),
            ("/usr/bin/coreutils", &["x", "--coreutils-prog=whoami"], "x"),
            (
                "/usr/bin/coreutils",
                &["coreutils", "--coreutils-prog=whoami"],
                "whoami",
            ),
            (
                "/usr/lib/ld-linux-x86-64.so.2",
                &["ld.so", "/bin/dash", "-c", "id"],
                "dash",
            ),
            (
                "/usr/lib/ld-2.31.so",
                &["x", "--preload", "/a.so", "--argv0", "z", "/bin/sh"],
                "sh",
            ),
            (
                "/lib/ld-musl-x86_64.so.1",
                &["ld", "--", "/bin/busybox", "sh"],
                "sh",
            ),
            (
                "/usr/lib/ld-linux-x86-64.so.2",
                &["ld.so", "--verify", "/bin/sh"],
                "ld-linux-x86-64.so",
            ),
        ] {
            assert_eq!(name(&program(image, argv)), expected, "{image} {argv:?}");
        }
    }

    #[test]
    fn versions_do_not_hide_a_shell() {
        for name in [
            "sh", "bash", "bash5", "bash-5.2", "zsh-5.9", "ksh93", "ksh2020", "mksh",
        ] {
            assert!(is_shell(name.as_bytes()), "{name}");
        }
        for name in [
            "",
            "shred",
            "push",
            "bashful",
            "8.2",
            "a-name-longer-than-thirty-two-bytes-sh",
        ] {
            assert!(!is_shell(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn a_script_path_is_made_absolute() {
        let run = |script: &str, cwd: &str| {
            let mut program = program("/usr/bin/dash", &["sh", script]);
            program.filename = script.into();
            program.interp = "/bin/sh".into();
            program.cwd = cwd.into();
            super::script(&program).map(|path| BString::from(path.into_owned()))
        };
        assert_eq!(run("./x.sh", "/tmp"), Some("/tmp/x.sh".into()));
        assert_eq!(run("../tmp/./x", "/var"), Some("/tmp/x".into()));
        assert_eq!(run("/srv//../tmp/x", "/"), Some("/tmp/x".into()));
        assert_eq!(
            run("/usr/lib/cgi-bin/a.cgi", "/"),
            Some("/usr/lib/cgi-bin/a.cgi".into())
        );
    }
}
