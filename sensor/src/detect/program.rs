//! Which program an exec really runs: version suffixes, multi-call binaries and the
//! dynamic loader looked through.
//!
//! Names come from the executable file as the kernel resolved it. argv is believed
//! only where the file itself obeys it (applets of an installed busybox, the loader's
//! argument), so a caller cannot talk a shell out of being one.

mod loader;

use std::{borrow::Cow, collections::HashSet, sync::LazyLock};

use bstr::{BStr, BString, ByteSlice};
use foldhash::fast::RandomState;
use sensor_common::{limit, name, record::fault};

pub(crate) use self::loader::is_loader;
pub(super) use self::loader::{Load, load};
use super::place::folded;
use crate::event::{Image, Program};

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

/// Multi-call and loader steps followed before giving up.
const STEPS: usize = 4;

/// Last component of a path.
pub(super) fn basename(path: &[u8]) -> &[u8] {
    path.rfind_byte(b'/')
        .map_or(path, |slash| path.get(slash + 1..).unwrap_or_default())
}

/// `name` without a version suffix, by the rule the kernel side uses; whole when it is
/// nothing else or longer than any name that side reads.
pub(crate) fn stem(name: &[u8]) -> &[u8] {
    if name.len() >= limit::NAME_READ {
        return name;
    }
    match name::stem_len(name) {
        0 => name,
        len => name.get(..len).unwrap_or(name),
    }
}

/// `true` when a file of this name is a shell.
pub(crate) fn is_shell(name: &[u8]) -> bool {
    // Asked several times of every exec, of most of them in vain.
    static KNOWN: LazyLock<HashSet<&[u8], RandomState>> =
        LazyLock::new(|| SHELLS.iter().map(|shell| shell.as_bytes()).collect());
    KNOWN.contains(name) || KNOWN.contains(stem(name))
}

/// `true` when a file of this name is many programs in one.
pub(crate) fn is_multicall(name: &[u8]) -> bool {
    // Asked of every exec, and a stem costs more than this.
    let may_be = |known: &&&str| name.starts_with(known.as_bytes());
    let known = MULTICALL.iter().find(may_be);
    known.is_some_and(|known| known.as_bytes() == stem(name))
}

/// The first arguments of a program, as far as they were captured.
#[derive(Clone, Copy, Debug)]
pub(super) struct Argv<'p> {
    args: &'p [BString],
    /// More follow, and the last one here may lack its end.
    cut: bool,
}

impl<'p> Argv<'p> {
    pub(super) fn of(program: &'p Program) -> Self {
        Self {
            args: &program.args.head,
            cut: program.args.truncated || program.faults.has(fault::ARGS | fault::ARGS_CUT),
        }
    }

    /// An argument known in full.
    pub(super) fn whole(self, index: usize) -> Option<&'p [u8]> {
        let arg = self.args.get(index)?;
        (!self.cut || index + 1 < self.args.len()).then_some(arg.as_slice())
    }

    /// Arguments are missing.
    pub(super) const fn is_cut(self) -> bool {
        self.cut
    }

    fn from(self, index: usize) -> Self {
        let args = self.args.get(index..).unwrap_or_default();
        Self { args, ..self }
    }
}

/// Where packages and administrators install programs.
const SYSTEM: &[&str] = &[
    "/usr/",
    "/bin/",
    "/sbin/",
    "/opt/",
    "/lib",
    "/nix/store/",
    "/snap/",
];

/// Owned by root, in a directory where only root installs.
pub(super) fn is_installed(image: &Image) -> bool {
    image.owner == 0
        && !image.unlinked
        && image.mode & 0o002 == 0
        && SYSTEM
            .iter()
            .any(|directory| image.path.starts_with(directory.as_bytes()))
}

/// Name of the program this exec runs: the stem of the executable's file name, or the
/// applet an installed multi-call binary is asked for, or what a loader is told to load.
///
/// Any file may be called busybox, so one that is not installed is never looked through,
/// nor is one of which only the loader's argument tells.
pub(crate) fn name(program: &Program) -> &BStr {
    let mut argv = Argv::of(program);
    let mut file: &[u8] = program.image.name();
    if is_loader(file) {
        for _ in 0..STEPS {
            if !is_loader(file) {
                break;
            }
            let Load::Program(index) = load(argv) else {
                break;
            };
            argv = argv.from(index);
            file = argv.whole(0).map_or(file, basename);
        }
        return stem(file).as_bstr();
    }
    if !is_multicall(file) || !is_installed(&program.image) {
        return stem(file).as_bstr();
    }
    for _ in 0..STEPS {
        let Some((applet, rest)) = applet(argv) else {
            break;
        };
        if !is_multicall(applet) {
            return applet.as_bstr();
        }
        argv = rest;
    }
    stem(file).as_bstr()
}

/// The applet a multi-call binary will run, with its argv. `None`: itself, or a name that
/// was cut.
fn applet(argv: Argv<'_>) -> Option<(&[u8], Argv<'_>)> {
    let name = basename(argv.whole(0)?);
    let name = name.strip_prefix(b"-").unwrap_or(name);
    if !MULTICALL
        .iter()
        .any(|known| name.starts_with(known.as_bytes()))
    {
        return Some((stem(name), argv));
    }
    let rest = argv.from(1);
    let first = rest.whole(0)?;
    if let Some(chosen) = first.strip_prefix(b"--coreutils-prog=") {
        return Some((chosen, rest));
    }
    (!first.starts_with(b"-")).then(|| (basename(first), rest))
}

/// Absolute path of the `#!` script, `.` and `..` folded by text alone.
pub(super) fn script(program: &Program) -> Option<Cow<'_, [u8]>> {
    let script: &[u8] = program.script()?;
    if script.starts_with(b"/") {
        return Some(folded(script));
    }
    let joined = [&program.cwd[..], script].join(&b'/');
    Some(Cow::Owned(folded(&joined).into_owned()))
}

/// `true` when the script was named relative to a directory whose beginning is missing.
pub(super) fn is_script_cut(program: &Program) -> bool {
    program.faults.has(fault::CWD_CUT)
        && program
            .script()
            .is_some_and(|script| !script.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Args, Image};

    pub(super) fn program(image: &str, argv: &[&str]) -> Program {
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
                &["ld", "--", "/bin/busybox", "id"],
                "busybox",
            ),
            ("/tmp/busybox", &["convert"], "busybox"),
            ("/srv/busybox-1.36", &["busybox", "id"], "busybox"),
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
    fn what_was_cut_is_not_believed() {
        for (image, argv, expected) in [
            ("/bin/busybox", &["conver"][..], "busybox"),
            ("/bin/busybox", &["busybox", "i"], "busybox"),
            ("/bin/busybox", &["busybox", "id", "x"], "id"),
            ("/bin/busybox", &["id", "x"], "id"),
            ("/lib/ld-2.31.so", &["ld", "/usr/bin/conv"], "ld-2.31.so"),
            ("/lib/ld-2.31.so", &["ld", "/bin/dash", "-c"], "dash"),
        ] {
            let mut program = program(image, argv);
            program.args.truncated = true;
            assert_eq!(name(&program), expected, "{image} {argv:?}");
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
