//! Exec records: the program, and what the new process is made of.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{mem::offset_of, sync::Arc};

use bstr::BString;
use sensor_common::record::{self, FdRaw, fault, flag};

use super::{
    DecodeError, Payload, UNSET, args, change_time, descriptor, environment, get, get_id,
    get_inode, membership, path, stamp, written,
};
use crate::event::{
    Cgroup, Credentials, Exec, Faults, Fd, FileId, Image, Inode, Kin, Namespaces, ProcessId,
    Program, Source,
};

pub(super) fn exec(bytes: &[u8]) -> Result<Exec, DecodeError> {
    let stamp = stamp(bytes)?;
    let flags = get!(bytes, u32, record::Header, flags);
    let faults = get!(bytes, u32, record::Header, faults);
    let mut payload = Payload::new(bytes, size_of::<record::Exec>())?;
    let head = payload.take(get!(bytes, u32, record::Exec, spans.args_head))?;
    let tail = payload.take(get!(bytes, u32, record::Exec, spans.args_tail))?;
    let filename = payload.string(get!(bytes, u32, record::Exec, spans.filename))?;
    let interp = payload.string(get!(bytes, u32, record::Exec, spans.interp))?;
    let exe = payload.take(get!(bytes, u32, record::Exec, spans.exe))?;
    let cwd = payload.take(get!(bytes, u32, record::Exec, spans.cwd))?;
    let cgroup = payload.take(get!(bytes, u32, record::Exec, spans.cgroup))?;
    let env_head = payload.take(get!(bytes, u32, record::Exec, spans.env_head))?;
    let env_tail = payload.take(get!(bytes, u32, record::Exec, spans.env_tail))?;
    let argc = get!(bytes, u32, record::Exec, argc);
    let total = get!(bytes, u64, record::Exec, args_total);
    let env_total = get!(bytes, u64, record::Exec, env_total);
    let program = Program {
        time_ns: stamp.time_ns,
        source: Source::Exec,
        image: image(bytes, flags, path(exe, faults & fault::EXE_CUT != 0, flags))?,
        filename,
        interp,
        args: args(head, tail, argc, total),
        cwd: path(cwd, faults & fault::CWD_CUT != 0, 0),
        cred: credentials(bytes)?,
        ns: Namespaces {
            mount: get!(bytes, u32, record::Exec, mount_ns),
            pid: get!(bytes, u32, record::Exec, pid_ns),
            inner_pid: get!(bytes, u32, record::Exec, ns_pid),
        },
        cgroup: Cgroup {
            id: get!(bytes, u64, record::Exec, cgroup_id),
            path: path(cgroup, false, 0),
        },
        stdio: stdio(bytes)?,
        env: environment(env_head, env_tail, env_total),
        written: written(
            get_id!(bytes, record::Exec, written.root),
            get!(bytes, u64, record::Exec, written.age_ns),
        ),
        faults: Faults(faults),
        kin: Kin::default(),
    };
    Ok(Exec {
        stamp,
        process: get_id!(bytes, record::Header, process),
        membership: membership(bytes)?,
        recognised: flags & flag::RECOGNISED != 0,
        candidate: flags & flag::CANDIDATE != 0,
        parent: get_id!(bytes, record::Exec, parent),
        program: Arc::new(program),
    })
}

fn image(bytes: &[u8], flags: u32, path: BString) -> Result<Image, DecodeError> {
    let inode = get_inode!(bytes, record::Exec, 0);
    Ok(Image {
        path,
        file: inode.file,
        size: inode.size,
        nlink: inode.nlink,
        mode: inode.mode,
        owner: inode.owner,
        group: inode.group,
        ctime_ns: inode.ctime_ns,
        upper: (flags & flag::OVERLAY != 0).then_some(flags & flag::OVERLAY_UPPER != 0),
        unlinked: flags & flag::UNLINKED != 0,
    })
}

fn credentials(bytes: &[u8]) -> Result<Credentials, DecodeError> {
    let set = |id: u32| (id != UNSET).then_some(id);
    Ok(Credentials {
        uid: get!(bytes, u32, record::Exec, uid),
        gid: get!(bytes, u32, record::Exec, gid),
        euid: get!(bytes, u32, record::Exec, euid),
        egid: get!(bytes, u32, record::Exec, egid),
        login_uid: set(get!(bytes, u32, record::Exec, login_uid)),
        session_id: set(get!(bytes, u32, record::Exec, session_id)),
    })
}

fn stdio(bytes: &[u8]) -> Result<[Fd; 3], DecodeError> {
    let mut fds = [Fd::Unknown; 3];
    let raw = bytes
        .get(offset_of!(record::Exec, stdio)..)
        .ok_or(DecodeError::Short)?;
    for (fd, raw) in fds.iter_mut().zip(raw.chunks_exact(size_of::<FdRaw>())) {
        *fd = descriptor(get!(raw, u32, FdRaw, mode), get!(raw, u32, FdRaw, rdev));
    }
    Ok(fds)
}
