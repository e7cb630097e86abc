//! Fields that only acts on files, or connects, have.

use std::net::SocketAddr;

use bstr::ByteSlice;
use sensor_common::record::{FileAction, PathSource};

use super::{
    super::model::{Endpoint, Inode, Network, Target, WrittenBy},
    Facts, instant, option, user_name,
};
use crate::{
    alert::{escape, id},
    detect::{action_name, file_extension, protocol_name},
    event::{self, Socket, Written},
    lineage::Act,
};

/// `event.action`.
pub(super) fn action(act: &Act) -> &'static str {
    match act {
        Act::Exec => "exec",
        Act::File(file) if file.creates() => "create",
        Act::File(file) => action_name(file.action),
        Act::Socket(_) => "connect",
        Act::Outlive => "outlive",
        Act::Lose(_) => "lose",
    }
}

/// `event.category`.
pub(super) const fn category(act: &Act) -> &'static [&'static str] {
    match act {
        Act::Exec | Act::Outlive | Act::Lose(_) => &["process"],
        Act::File(_) => &["file"],
        Act::Socket(_) => &["network"],
    }
}

/// What the record itself says it cannot tell.
pub(super) fn degraded(act: &Act) -> Vec<String> {
    const ATTEMPT: &str = "the kernel was asked for this; whether it was done is not known";
    const JOINED: &str = "paths are as typed: symbolic links and .. are not resolved";
    let (attempt, joined) = match act {
        Act::Exec | Act::Outlive | Act::Lose(_) => (false, false),
        Act::File(file) => (file.attempt, file.source == PathSource::Joined),
        Act::Socket(socket) => (socket.attempt, false),
    };
    let reasons = [(attempt, ATTEMPT), (joined, JOINED)];
    let said = reasons.iter().filter(|(said, _)| *said);
    said.map(|(_, reason)| (*reason).to_owned()).collect()
}

impl Facts<'_> {
    /// `file.*`.
    pub(super) fn target(&self, file: &event::File) -> Target {
        let (path, path_b64) = option(Some(file.path.as_ref()));
        let name = file.name();
        let end = file.path.len().saturating_sub(name.len() + 1);
        let directory = file.path.get(..end).unwrap_or_default();
        let other = file.other.as_ref().map(AsRef::as_ref);
        let is_link = file.action == FileAction::Symlink;
        let (old_path, old_path_b64) = option(other.filter(|_| !is_link));
        let (target_path, target_path_b64) = option(other.filter(|_| is_link));
        let extension = file_extension(name).map(<[u8]>::to_ascii_lowercase);
        Target {
            path: path.unwrap_or_default(),
            path_b64,
            name: escape::escape(name).into_owned(),
            directory: escape::escape(directory).into_owned(),
            extension: extension.map(|it| escape::escape(it.as_bytes()).into_owned()),
            old_path,
            old_path_b64,
            target_path,
            target_path_b64,
            path_source: match file.source {
                PathSource::Object => "object",
                PathSource::Fd => "fd",
                PathSource::Joined => "joined",
            },
            created: file.creates(),
            io_uring: file.io_uring,
            inode: file.inode.as_ref().map(|inode| self.inode(file, inode)),
            written_by: self.written(file.written),
        }
    }

    fn inode(&self, file: &event::File, inode: &event::Inode) -> Inode {
        let mode = match file.action {
            FileAction::Chmod => file.argument,
            _ => inode.mode,
        };
        let dev = inode.file.dev;
        Inode {
            device: format!("{}:{}", dev >> 20, dev & 0xf_ffff),
            inode: inode.file.ino.to_string(),
            size: inode.size,
            mode: format!("{:04o}", mode & 0o7777),
            uid: inode.owner.to_string(),
            owner: user_name(&self.0.users, inode.owner),
            gid: inode.group.to_string(),
            ctime: inode.ctime_ns.map(|ns| instant(ns.into())),
        }
    }

    /// Who wrote a file.
    pub(super) fn written(&self, written: Option<Written>) -> Option<WrittenBy> {
        written.map(|written| WrittenBy {
            service: id::entity(self.0, written.root),
            seconds: written.age_ns / 1_000_000_000,
        })
    }
}

/// One end of a connect.
pub(super) fn endpoint(address: SocketAddr) -> Endpoint {
    Endpoint {
        ip: address.ip(),
        port: address.port(),
    }
}

/// `network.*`.
pub(super) const fn network(socket: &Socket) -> Network {
    Network {
        transport: protocol_name(socket.protocol),
        iana_number: socket.protocol,
    }
}
