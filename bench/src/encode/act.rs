//! Records of files and sockets.

use std::{
    mem::offset_of,
    net::{IpAddr, SocketAddr},
};

use bstr::BString;
use sensor::event::{File, FileAction, Inode, Socket};
use sensor_common::record::{self, RecordKind, fault, flag};

use super::{Record, components, joined, put, size};

/// Stands for the root end of a path that was too long.
const CUT: &[u8] = b"[...]";
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

pub(super) fn file(file: &File) -> Vec<u8> {
    let mut record = Record::new(RecordKind::File, size_of::<record::File>());
    record.head(file.stamp, file.process, file.membership, flags(file));
    put!(record, record::Header, faults = file.faults.0);
    if let Some(inode) = &file.inode {
        self::inode(&mut record, inode);
    }
    if let Some(written) = file.written {
        record.process(offset_of!(record::File, written.root), written.root);
        put!(record, record::File, written.age_ns = written.age_ns);
    }
    put!(record, record::File, action = (file.action as u32));
    put!(record, record::File, source = (file.source as u32));
    put!(record, record::File, rung = (file.rung as u32));
    put!(record, record::File, argument = file.argument);
    put!(record, record::File, class = file.class);
    put!(record, record::File, uid = file.uid);
    put!(record, record::File, euid = file.euid);
    put!(record, record::File, mount_ns = file.mount_ns);
    payload(&mut record, file);
    record.finish()
}

fn flags(file: &File) -> u32 {
    [
        (file.inode.is_some(), flag::INODE),
        (file.created, flag::CREATED),
        (file.in_watched_directory, flag::WATCHED_DIRECTORY),
        (file.attempt, flag::ATTEMPT),
        (file.io_uring, flag::IO_URING),
    ]
    .iter()
    .filter(|(set, _)| *set)
    .fold(0, |flags, (_, bit)| flags | bit)
}

fn inode(record: &mut Record, inode: &Inode) {
    let ctime = inode.ctime_ns.unwrap_or(0);
    let nanoseconds = u32::try_from(ctime.rem_euclid(1_000_000_000)).expect("below a second");
    put!(record, record::File, ino = inode.file.ino);
    put!(record, record::File, dev = inode.file.dev);
    put!(record, record::File, generation = inode.generation);
    put!(record, record::File, size = inode.size);
    put!(record, record::File, nlink = inode.nlink);
    put!(record, record::File, mode = inode.mode);
    put!(record, record::File, owner = inode.owner);
    put!(record, record::File, group = inode.group);
    put!(
        record,
        record::File,
        ctime_s = ctime.div_euclid(1_000_000_000)
    );
    put!(record, record::File, ctime_ns = nanoseconds);
}

fn payload(record: &mut Record, file: &File) {
    let has = |bit| file.faults.0 & bit != 0;
    let nowhere = BString::default();
    let other = file.other.as_ref().unwrap_or(&nowhere);
    let [path, path_text] = path(&file.path, has(fault::TYPED));
    let [other, other_text] = match (&file.other, file.action) {
        (None, _) => [Vec::new(), Vec::new()],
        (_, FileAction::Symlink) => [Vec::new(), ended(other)],
        _ => self::path(other, has(fault::TYPED_OTHER)),
    };
    let actor = file.actor.as_ref();
    let parts = [
        path,
        path_text,
        other,
        other_text,
        actor.map_or_else(Vec::new, |actor| components(&actor.exe)),
        actor.map_or_else(Vec::new, |actor| joined(&actor.parents)),
    ];
    let spans = offset_of!(record::File, spans);
    for (index, part) in parts.iter().enumerate() {
        record.put(spans + index * 4, &size(part.len()).to_ne_bytes());
        record.0.extend_from_slice(part);
    }
}

/// Components and typed text of a path; one that lost its beginning is all text.
fn path(path: &BString, typed_cut: bool) -> [Vec<u8>; 2] {
    let rest = path.strip_prefix(CUT).unwrap_or(path);
    if typed_cut {
        [Vec::new(), ended(rest)]
    } else {
        [components(&rest.into()), Vec::new()]
    }
}

fn ended(text: &[u8]) -> Vec<u8> {
    [text, b"\0"].concat()
}

pub(super) fn socket(socket: &Socket) -> Vec<u8> {
    let mut record = Record::new(RecordKind::Socket, size_of::<record::Socket>());
    let flags = [
        (socket.promoted, flag::PROMOTED),
        (socket.candidate, flag::CANDIDATE),
        (socket.attempt, flag::ATTEMPT),
        (socket.io_uring, flag::IO_URING),
    ];
    let flags = flags.iter().filter(|(set, _)| *set);
    let flags = flags.fold(0, |flags, (_, bit)| flags | bit);
    record.head(socket.stamp, socket.process, socket.membership, flags);
    let ends = [Some(socket.local), socket.remote];
    let old = ends.iter().flatten().all(SocketAddr::is_ipv4);
    let address = |end: SocketAddr| -> [u8; 16] {
        match end.ip() {
            IpAddr::V4(ip) if old => {
                let mut bytes = [0; 16];
                bytes[..4].copy_from_slice(&ip.octets());
                bytes
            }
            IpAddr::V4(ip) => ip.to_ipv6_mapped().octets(),
            IpAddr::V6(ip) => ip.octets(),
        }
    };
    let family = if old { AF_INET } else { AF_INET6 };
    record.put(offset_of!(record::Socket, local), &address(socket.local));
    put!(
        record,
        record::Socket,
        local_port = u32::from(socket.local.port())
    );
    if let Some(remote) = socket.remote {
        record.put(offset_of!(record::Socket, remote), &address(remote));
        put!(
            record,
            record::Socket,
            remote_port = u32::from(remote.port())
        );
    }
    let fd = socket.fd.and_then(|fd| i32::try_from(fd).ok());
    put!(record, record::Socket, action = (socket.action as u32));
    put!(record, record::Socket, rung = (socket.rung as u32));
    put!(record, record::Socket, family = family);
    put!(record, record::Socket, protocol = socket.protocol);
    put!(record, record::Socket, fd = fd.unwrap_or(-1));
    put!(record, record::Socket, result = socket.result);
    put!(record, record::Socket, net_ns = socket.net_ns);
    put!(record, record::Socket, uid = socket.uid);
    record.finish()
}
