//! Programs that pretend to be another: a shell under a foreign name, a foreign
//! program under a server's name, a program run through the dynamic loader.
//!
//! Judged by file identity (device and inode, owner, directory, content hash); argv[0]
//! can only accuse, never excuse.

use bstr::{BString, ByteSlice};
use serde::{Deserialize, Serialize};

use super::program::{self, is_installed};
use crate::event::{FileId, Image, Program};

/// A shell installed on this machine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KnownShell {
    /// Where it is installed.
    pub path: BString,
    /// Device and inode.
    pub file: FileId,
    /// Bytes.
    pub size: u64,
    /// Content.
    pub sha256: [u8; 32],
}

/// How like a known shell an executable is that does not bear a shell's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Likeness {
    /// No known shell has its size, or it may be called what it is called.
    None,
    /// It has the size of a known shell; only the content can tell.
    Size,
    /// It is the very file.
    File,
}

/// Server programs whose name is worth borrowing, by stem, sorted.
const SERVERS: &[&str] = &[
    "apache",
    "caddy",
    "haproxy",
    "httpd",
    "java",
    "lighttpd",
    "litespeed",
    "lshttpd",
    "mariadbd",
    "memcached",
    "mongod",
    "mysqld",
    "nginx",
    "openlitespeed",
    "openresty",
    "php-cgi",
    "php-fpm",
    "postgres",
    "redis-server",
    "traefik",
    "unitd",
    "uwsgi",
    "varnishd",
];

/// Likeness of the subject's executable to the shells in `shells`.
pub(super) fn likeness(image: &Image, shells: &[KnownShell]) -> Likeness {
    // Few executables have the size of a shell: what costs more is asked of these alone.
    let like = |shell: &&KnownShell| shell.file == image.file || shell.size == image.size;
    let mut best = Likeness::None;
    for shell in shells.iter().filter(like).filter(|shell| is_meant(shell)) {
        if program::is_shell(image.name()) {
            return Likeness::None;
        }
        // busybox is also installed as hard links named after its applets, and a copy of
        // it under its own name is no masquerade. Another shell under that name is.
        if program::is_multicall(program::basename(&shell.path))
            && (is_installed(image) || program::is_multicall(image.name()))
        {
            continue;
        }
        if shell.file == image.file {
            return Likeness::File;
        }
        best = Likeness::Size;
    }
    best
}

/// `/etc/shells` also lists what is no shell (tmux, git-shell) or only refuses (nologin).
fn is_meant(shell: &KnownShell) -> bool {
    let name = program::basename(&shell.path);
    program::is_shell(name) || program::is_multicall(name)
}

/// `true` when a server's name is borrowed: the executable bears it without being an
/// installed server, or argv[0] claims it without the executable being that server.
pub(super) fn is_server(program: &Program) -> bool {
    let file = program::stem(program.image.name());
    // A Java runtime is often unpacked somewhere private; its name proves nothing.
    if is_server_name(file) && file != b"java" && !is_installed(&program.image) {
        return true;
    }
    let claimed = program.args.head.first().map(|title| claim(title));
    claimed.is_some_and(|claimed| is_server_name(claimed) && !stands_for(file, claimed))
}

/// `true` when a dynamic loader was told to run a program, or may have been: nobody but
/// who hides starts one so, and what the program is cannot be told from its name.
pub(super) fn is_loader(program: &Program) -> bool {
    program::is_loader(program.image.name())
        && program::load(program::Argv::of(program)) != program::Load::Nothing
}

fn is_server_name(name: &[u8]) -> bool {
    SERVERS
        .binary_search_by(|server| server.as_bytes().cmp(name))
        .is_ok()
}

/// Stem of the program a title names: `nginx: worker process` is `nginx`.
fn claim(title: &[u8]) -> &[u8] {
    let end = title.find_byteset(b": \t").unwrap_or(title.len());
    program::stem(program::basename(title.get(..end).unwrap_or(title)))
}

/// A file of stem `file` may call itself `claimed`: the same, a variant
/// (`httpd-prefork`), or one of Apache's two names.
fn stands_for(file: &[u8], claimed: &[u8]) -> bool {
    let apache = |name: &[u8]| name.starts_with(b"apache") || name.starts_with(b"httpd");
    file.starts_with(claimed) || (apache(file) && apache(claimed))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted() {
        assert!(SERVERS.is_sorted());
    }

    fn image(path: &str, ino: u64, size: u64, owner: u32) -> Image {
        let file = FileId { dev: 1, ino };
        Image {
            path: path.into(),
            file,
            size,
            owner,
            nlink: 1,
            mode: 0o755,
            ..Image::default()
        }
    }

    fn shell(path: &str, ino: u64, size: u64) -> KnownShell {
        KnownShell {
            path: path.into(),
            file: FileId { dev: 1, ino },
            size,
            sha256: [0; 32],
        }
    }

    #[test]
    fn likeness_is_by_file_then_by_size() {
        let shells = [
            shell("/usr/bin/dash", 7, 125_000),
            shell("/bin/busybox", 8, 900_000),
            shell("/usr/bin/tmux", 9, 500_000),
        ];
        for (image, expected) in [
            (image("/usr/bin/dash", 7, 125_000, 0), Likeness::None),
            (image("/usr/bin/sh", 7, 125_000, 0), Likeness::None),
            (image("/tmp/nginx", 7, 125_000, 33), Likeness::File),
            (image("/tmp/nginx", 99, 125_000, 33), Likeness::Size),
            (image("/tmp/nginx", 99, 125_001, 33), Likeness::None),
            (image("/bin/ls", 8, 900_000, 0), Likeness::None),
            (image("/bin/busybox", 8, 900_000, 0), Likeness::None),
            (image("/tmp/ls", 8, 900_000, 33), Likeness::File),
            (image("/tmp/busybox", 8, 900_000, 33), Likeness::None),
            (image("/tmp/busybox", 7, 125_000, 33), Likeness::File),
            (image("/srv/toybox", 99, 125_000, 33), Likeness::Size),
            (image("/usr/bin/busybox", 99, 125_000, 0), Likeness::Size),
            (image("/usr/bin/tmux", 9, 500_000, 0), Likeness::None),
        ] {
            assert_eq!(likeness(&image, &shells), expected, "{image:?}");
        }
    }

    #[test]
    fn titles_name_their_program() {
        assert_eq!(claim(b"nginx: worker process"), b"nginx");
        assert_eq!(claim(b"/usr/sbin/php-fpm8.2 -F"), b"php-fpm");
        assert_eq!(claim(b""), b"");
        assert!(stands_for(b"httpd-prefork", b"httpd"));
        assert!(stands_for(b"apache", b"httpd"));
        assert!(!stands_for(b"dash", b"nginx"));
    }
}
