//! Dynamic loaders that are started as programs: `ld.so /bin/sh` runs a shell.

use bstr::ByteSlice;

use super::Argv;

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

/// `true` when a file of this name is a dynamic loader.
pub(crate) fn is_loader(name: &[u8]) -> bool {
    name.starts_with(b"l")
        && [&b"ld-"[..], b"ld.so", b"ld64.so", b"libc.so", b"libc.musl"]
            .iter()
            .any(|p| name.starts_with(p))
        && name.contains_str(".so")
}

/// What a dynamic loader was told to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::detect) enum Load {
    /// To report, or nothing at all.
    Nothing,
    /// To run the program named by this argument.
    Program(usize),
    /// What it was told is in the part of argv that was cut away.
    Cut,
}

/// What a loader with this argv was told to do.
pub(in crate::detect) fn load(argv: Argv<'_>) -> Load {
    let mut index = 1;
    while let Some(arg) = argv.whole(index) {
        if arg == b"--" {
            index += 1;
            break;
        }
        if !arg.starts_with(b"--") {
            break;
        }
        if LOADER_REPORTS.iter().any(|option| arg == option.as_bytes()) {
            return Load::Nothing;
        }
        let valued = LOADER_VALUES.iter().any(|option| arg == option.as_bytes());
        index += if valued { 2 } else { 1 };
    }
    match (argv.whole(index), argv.cut) {
        (Some(_), _) => Load::Program(index),
        (None, true) => Load::Cut,
        (None, false) => Load::Nothing,
    }
}

#[cfg(test)]
mod tests {
    use super::{super::tests::program, *};

    #[test]
    fn a_loader_loads_reports_or_was_cut() {
        use Load::{Cut, Nothing, Program};
        for (argv, truncated, expected) in [
            (&["ld"][..], false, Nothing),
            (&["ld", "/tmp/x"], false, Program(1)),
            (&["ld", "--argv0", "--list", "/tmp/x"], false, Program(3)),
            (&["ld", "--list", "/tmp/x"], false, Nothing),
            (&["ld", "--library-path", "/a"], false, Nothing),
            (&["ld", "--library-path", "/a"], true, Cut),
            (&["ld", "--verify", "/tmp/x", "a"], true, Nothing),
            (&["ld", "--list"], true, Cut),
            (&["ld", "/tmp"], true, Cut),
            (&["l"], true, Cut),
            (&[], true, Cut),
        ] {
            let mut program = program("/lib/ld-2.31.so", argv);
            program.args.truncated = truncated;
            assert_eq!(load(Argv::of(&program)), expected, "{argv:?}");
        }
    }
}
