//! One file that an alert names: its hash, size, kind and package.
//!
//! The path is an attacker's: it is followed within the root of the process's own mount
//! namespace, never through its last link, never into a device or pipe, and what is found
//! is compared with the inode that was meant.

use std::{
    fs::{self, File},
    io::{Read as _, Seek as _},
    os::{fd::OwnedFd, unix::fs::MetadataExt as _},
    path::Path,
};

use bstr::ByteSlice as _;
use rustix::fs::{CWD, Mode, OFlags, ResolveFlags, open, openat, openat2};

use super::{
    digest,
    package::{Owner, Packages},
    peer,
};
use crate::{
    detect::{Examine, Examined},
    event::ProcessId,
    scan,
};

/// Bytes by which the kind of a file is told.
const HEAD: u64 = 4_096;

/// Looks at the file.
pub(super) fn examine(request: &Examine, packages: &mut Packages) -> Examined {
    let mut examined = Examined {
        number: request.number,
        role: request.role,
        path: request.path.clone(),
        ..Examined::default()
    };
    if let Some(&process) = request.processes.first().filter(|_| request.running()) {
        examined.peers = peer::peers(process);
    }
    match find(request) {
        Ok(file) => describe(file, request, &mut examined),
        Err(problem) => examined.problem = Some(problem.to_owned()),
    }
    if shares(request, packages.list()) {
        let owner = packages.owner(&request.path);
        examined.packages_known = owner != Owner::Unknown;
        if let Owner::Package(package) = owner {
            examined.package = Some(package);
        }
    }
    examined
}

fn describe(mut file: File, request: &Examine, examined: &mut Examined) {
    let Ok(metadata) = file.metadata() else {
        return;
    };
    if request.file.is_some_and(|it| it.ino != metadata.ino()) {
        examined.problem = Some("replaced by another file since".to_owned());
    }
    examined.size = Some(metadata.len());
    let mut head = Vec::new();
    // What cannot be read has no kind, and no hash below.
    drop(file.by_ref().take(HEAD).read_to_end(&mut head));
    examined.kind = Some(kind(&head).to_owned());
    if file.rewind().is_ok() {
        examined.sha256 = digest(file);
    }
}

/// The file, as far as it is there and a file.
fn find(request: &Examine) -> Result<File, &'static str> {
    let running = request.processes.first().filter(|_| request.running());
    let running = running.and_then(|process| image(*process, request));
    let opened = running.or_else(|| {
        let mut roots = request.processes.iter();
        roots.find_map(|process| below(process.tgid, request))
    });
    let host = || below(1, request);
    opened.or_else(host).ok_or("gone")
}

/// What the process runs, if that is still the file meant.
fn image(process: ProcessId, request: &Examine) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
    let path = format!("/proc/{}/exe", process.tgid);
    let file = regular(open(path, flags, Mode::empty()).ok()?)?;
    let same = request.file.map(|it| it.ino) == file.metadata().ok().map(|it| it.ino());
    same.then_some(file)
}

/// The processes see this list of packages: on the host, services
/// with directories of their own included, and in no container.
fn shares(request: &Examine, list: Option<(&'static str, (u64, u64))>) -> bool {
    let Some((path, list)) = list else {
        return false;
    };
    let mut seen = request.processes.iter().filter_map(|process| {
        let file = opened(
            process.tgid,
            path.as_bytes(),
            request.mount_ns,
            OFlags::PATH,
        )?;
        let metadata = File::from(file).metadata().ok()?;
        Some((metadata.dev(), metadata.ino()))
    });
    seen.next() == Some(list)
}

/// The file below the root of a process in the right mount namespace.
fn below(pid: u32, request: &Examine) -> Option<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK;
    regular(opened(pid, &request.path, request.mount_ns, flags)?)
}

/// `path` within the root of a process, whose mount namespace must be `mount_ns`.
fn opened(pid: u32, path: &[u8], mount_ns: u32, flags: OFlags) -> Option<OwnedFd> {
    let namespace = format!("/proc/{pid}/ns/mnt");
    if mount_ns == 0 || scan::namespace(Path::new(&namespace)) != mount_ns {
        return None;
    }
    let directory = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let root = openat(CWD, format!("/proc/{pid}/root"), directory, Mode::empty()).ok()?;
    let flags = flags | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let within = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
    openat2(root, &*path.to_path_lossy(), flags, Mode::empty(), within).ok()
}

fn regular(descriptor: OwnedFd) -> Option<File> {
    let file = File::from(descriptor);
    file.metadata()
        .is_ok_and(|it| fs::Metadata::is_file(&it))
        .then_some(file)
}

/// What a file is, by how it begins.
fn kind(head: &[u8]) -> &'static str {
    const MAGIC: &[(&[u8], &str)] = &[
        (b"\x7fELF", "elf"),
        (b"\xca\xfe\xba\xbe", "java class"),
        (b"PK\x03\x04", "zip or jar archive"),
        (b"PK\x05\x06", "zip or jar archive"),
        (b"\x1f\x8b", "gzip archive"),
        (b"BZh", "bzip2 archive"),
        (b"\xfd7zXZ", "xz archive"),
        (b"\x28\xb5\x2f\xfd", "zstd archive"),
        (b"#!", "script"),
        (b"!<arch>", "ar archive"),
    ];
    if head.is_empty() {
        return "empty";
    }
    let magic = MAGIC.iter().find(|(magic, _)| head.starts_with(magic));
    if let Some((_, kind)) = magic {
        return kind;
    }
    if head.get(257..262) == Some(b"ustar") {
        return "tar archive";
    }
    let lower = head.to_ascii_lowercase();
    if lower.contains_str("<?php") || lower.contains_str("<?=") {
        "php"
    } else if lower.contains_str("<%@") || lower.contains_str("<jsp:") || lower.contains_str("<%") {
        "jsp"
    } else if head.contains(&0) {
        "data"
    } else {
        "text"
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::symlink};

    use super::*;
    use crate::{detect::FileRole, event::FileId};

    fn wanted(path: &Path, ino: Option<u64>) -> Examine {
        let own = ProcessId::new(std::process::id(), 1);
        Examine {
            number: 5,
            role: FileRole::Written,
            path: path.as_os_str().as_encoded_bytes().into(),
            file: ino.map(|ino| FileId { dev: 0, ino }),
            processes: vec![own],
            mount_ns: scan::namespace("/proc/self/ns/mnt".as_ref()),
        }
    }

    fn look(request: &Examine) -> Examined {
        examine(request, &mut Packages::at("/nonexistent".as_ref()))
    }

    #[test]
    fn packages_are_known_to_who_sees_the_same_list() {
        let directory = tempfile::tempdir().unwrap();
        let request = wanted(&directory.path().join("x"), None);
        let own = Packages::of_host().list();
        assert!(own.is_none() || shares(&request, own));
        let copy = directory.path().join("status");
        fs::write(&copy, "").unwrap();
        let other = Packages::at(directory.path()).list();
        assert!(other.is_some() && !shares(&request, other));
        assert!(!shares(&request, None));
    }

    #[test]
    fn a_file_is_described_and_a_stranger_named() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("x.php");
        fs::write(&path, "GIF89a<?PHP system('id');").unwrap();
        let ino = fs::metadata(&path).unwrap().ino();
        let found = look(&wanted(&path, Some(ino)));
        assert_eq!((found.kind.as_deref(), found.size), (Some("php"), Some(25)));
        assert_eq!(found.problem, None);
        assert!(found.sha256.is_some());
        let other = look(&wanted(&path, Some(ino + 1)));
        assert!(other.problem.unwrap().contains("replaced"));
        let gone = look(&wanted(&directory.path().join("y"), None));
        assert_eq!((gone.problem.as_deref(), gone.size), (Some("gone"), None));
    }

    #[test]
    fn no_link_pipe_or_device_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let link = directory.path().join("link");
        symlink("/etc/passwd", &link).unwrap();
        let pipe = directory.path().join("pipe");
        rustix::fs::mknodat(CWD, &pipe, rustix::fs::FileType::Fifo, Mode::RUSR, 0).unwrap();
        for path in [
            link.as_path(),
            &pipe,
            Path::new("/dev/zero"),
            directory.path(),
        ] {
            let found = look(&wanted(path, None));
            assert_eq!(found.problem.as_deref(), Some("gone"), "{}", path.display());
            assert_eq!(found.sha256, None);
        }
    }

    #[test]
    fn the_running_program_is_found_through_its_process() {
        let mut request = wanted(Path::new("/nonexistent/program"), None);
        request.role = FileRole::Executable;
        let ino = fs::metadata("/proc/self/exe").unwrap().ino();
        request.file = Some(FileId { dev: 0, ino });
        let found = look(&request);
        assert_eq!(found.kind.as_deref(), Some("elf"));
        assert_eq!(found.problem, None);
    }

    #[test]
    fn kinds_by_their_beginning() {
        for (head, expected) in [
            (&b""[..], "empty"),
            (b"\x7fELF\x02", "elf"),
            (b"PK\x03\x04", "zip or jar archive"),
            (b"#!/bin/sh", "script"),
            (b"<%@ page %>", "jsp"),
            (b"\0\0", "data"),
            (b"hello", "text"),
        ] {
            assert_eq!(kind(head), expected);
        }
    }
}
