//! Judgements on executables: the service's own image, helpers that only pass on.
//!
//! All from what the kernel resolved (path, inode, owner, mode), nothing from names a
//! process can give itself, except for `is_transparent`, which changes a depth only.

use crate::event::{FileId, Image, Program};

/// Helpers that exec the program they are given.
const TRANSPARENT: &[&[u8]] = &[
    b"jspawnhelper",
    b"env",
    b"nohup",
    b"timeout",
    b"setsid",
    b"nice",
    b"ionice",
    b"stdbuf",
    b"chrt",
    b"taskset",
    b"prlimit",
    b"numactl",
];

/// `S_IWGRP | S_IWOTH`.
const WRITABLE_BY_OTHERS: u32 = 0o022;

/// Does not count in a depth. By name only: whoever names a program so gains a depth
/// smaller by one, and is reported all the same.
pub(super) fn is_transparent(image: &Image) -> bool {
    let name: &[u8] = image.name().as_ref();
    TRANSPARENT.contains(&name)
}

/// `new` is the image the service runs: the same unchanged file, or its successor under
/// the same path (a package upgrade).
///
/// A file the service's user can write is its own image only while its inode has not
/// changed: a shell copied over it would otherwise pass as a re-exec.
pub(super) fn is_own(service: &Program, new: &Program) -> bool {
    let (old, new_image) = (&service.image, &new.image);
    let same_file = old.file == new_image.file && old.file != FileId::default();
    let same_path =
        old.path == new_image.path && !old.path.is_empty() && service.ns.mount == new.ns.mount;
    if is_protected(new_image) {
        return same_file || same_path;
    }
    same_file
        && old.size == new_image.size
        && old.ctime_ns.is_some()
        && old.ctime_ns == new_image.ctime_ns
}

/// Only root can have written it.
fn is_protected(image: &Image) -> bool {
    image.owner == 0 && image.mode & WRITABLE_BY_OTHERS == 0 && !image.unlinked
}

/// `new` is the launcher a JVM starts its children through: `lib/jspawnhelper` beside
/// the `bin/java` that ran before, in the same mount namespace, only root can write them.
pub(super) fn is_jspawnhelper(previous: Option<&Program>, new: &Program) -> bool {
    let Some(java) = previous else { return false };
    let Some(home) = java.image.path.strip_suffix(b"bin/java") else {
        return false;
    };
    let Some(rest) = new.image.path.strip_prefix(home) else {
        return false;
    };
    home.ends_with(b"/")
        && (rest.starts_with(b"lib/") || rest.starts_with(b"jre/lib/"))
        && new.image.name() == "jspawnhelper"
        && is_protected(&new.image)
        && is_protected(&java.image)
        && java.ns.mount == new.ns.mount
}

/// Bytes a program takes, as far as an attacker can drive them.
pub(super) fn bytes_of(program: &Program) -> usize {
    let words = program.args.head.iter().chain(&program.args.tail);
    let args: usize = words.map(|word| word.len() + size_of_val(word)).sum();
    let env: usize = program
        .env
        .iter()
        .map(|(name, value)| name.len() + value.len() + 48)
        .sum();
    size_of::<Program>()
        + args
        + env
        + program.image.path.len()
        + program.filename.len()
        + program.interp.len()
        + program.cwd.len()
        + program.cgroup.path.len()
}
