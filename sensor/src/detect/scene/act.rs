//! Acts of examples other than execs.

use std::{net::SocketAddr, sync::Arc};

use bstr::{BString, ByteVec};
use sensor_common::record::fault;

use super::super::{
    category,
    example::{Connect, Example, Target, Writer},
    filetype::{self, kind},
    program::basename,
};
use crate::{
    event::{
        Faults, File, FileAction, FileId, Inode, Membership, PathSource, ProcessId, Rung, Socket,
        SocketAction, Stamp, Written,
    },
    lineage::Act,
};

/// Mount namespace of everything in examples.
pub(super) const MOUNT_NS: u32 = 4_026_531_841;

/// Who wrote a file, by the ids of a scene.
pub(super) fn written(writer: Writer, seconds: u64) -> Option<Written> {
    let root = match writer {
        Writer::None => return None,
        Writer::Same => super::process(0),
        Writer::Other => ProcessId::new(77, 77),
    };
    let age_ns = seconds.saturating_mul(super::NS);
    Some(Written { root, age_ns })
}

/// The act an example describes.
pub(super) fn act(example: &Example, time_ns: u64) -> Result<Act, String> {
    let stamp = Stamp {
        time_ns,
        ..Stamp::default()
    };
    let member = example.service.as_deref() != Some("none");
    let membership = member.then(|| Membership {
        root: super::process(0),
        depth: 1,
    });
    match (&example.target, &example.connect) {
        (None, None) if example.outlives => Ok(Act::Outlive),
        (None, None) if example.loses > 0 => Ok(Act::Lose(example.loses)),
        (None, None) => Ok(Act::Exec),
        (Some(target), None) => {
            let file = File {
                stamp,
                membership,
                uid: example.uid,
                euid: example.uid,
                ..file(target)?
            };
            Ok(Act::File(Arc::new(file)))
        }
        (None, Some(connect)) => {
            let socket = Socket {
                stamp,
                membership,
                uid: example.uid,
                ..socket(connect)?
            };
            Ok(Act::Socket(Arc::new(socket)))
        }
        (Some(_), Some(_)) => Err("either `target` or `connect`".to_owned()),
    }
}

fn bytes(text: &str) -> BString {
    Vec::unescape_bytes(text).into()
}

fn file(target: &Target) -> Result<File, String> {
    let word = target.action.as_deref().unwrap_or("write");
    let action = (1..8)
        .filter_map(|number| FileAction::try_from(number).ok())
        .find(|action| category::name(*action) == word)
        .ok_or_else(|| format!("action `{word}`"))?;
    let path = bytes(&target.path);
    let argument = match (action, target.update) {
        (FileAction::Write, true) => 2,
        (FileAction::Write, false) => 1,
        (FileAction::Chmod, _) => target.mode.unwrap_or(0o755),
        _ => 0,
    };
    let source = if target.joined {
        PathSource::Joined
    } else {
        PathSource::Object
    };
    Ok(File {
        class: class(&path),
        source,
        other: target.old.as_deref().map(bytes),
        inode: Some(Inode {
            file: FileId { dev: 2, ino: 2_000 },
            size: target.size,
            nlink: target.links.unwrap_or(1),
            mode: target.mode.unwrap_or(0o644) | 0o100_000,
            owner: target.owner,
            ..Inode::default()
        }),
        created: target.created,
        argument,
        in_watched_directory: target.watched,
        attempt: target.attempt,
        io_uring: target.uring,
        written: written(target.written, target.age),
        mount_ns: MOUNT_NS,
        rung: if target.joined {
            Rung::Syscall
        } else {
            Rung::Fentry
        },
        faults: Faults(if target.cut { fault::EXE_CUT } else { 0 }),
        ..File::bare(ProcessId::default(), action, path)
    })
}

/// Class bits as the kernel side would set them.
fn class(path: &[u8]) -> u32 {
    use sensor_common::watch::class;
    let kinds = filetype::kinds(basename(path));
    let pairs = [
        (kind::SCRIPT, class::SCRIPT),
        (kind::LIBRARY, class::LIBRARY),
        (kind::ARCHIVE, class::ARCHIVE),
        (kind::HANDLER, class::HANDLER),
        (kind::CONFIGURATION, class::CONFIGURATION),
    ];
    let set = pairs.iter().filter(|(kind, _)| kinds & kind != 0);
    set.fold(0, |bits, (_, class)| bits | class)
}

fn socket(connect: &Connect) -> Result<Socket, String> {
    let ip = connect
        .ip
        .parse()
        .map_err(|_invalid| format!("ip `{}`", connect.ip))?;
    let protocol = match connect.protocol.as_deref() {
        None | Some("tcp") => 6,
        Some("udp") => 17,
        Some(word) => return Err(format!("protocol `{word}`")),
    };
    let unbound = SocketAddr::from(([0, 0, 0, 0], 0));
    Ok(Socket {
        protocol,
        remote: Some(SocketAddr::new(ip, connect.port)),
        fd: connect.fd,
        net_ns: 1,
        ..Socket::bare(ProcessId::default(), SocketAction::Connect, unbound)
    })
}
