//! Fixed part of an exec record: who runs what, with which descriptors.

use sensor_common::record::{Exec, FdRaw, fault, flag};

use crate::{
    inode,
    lineage::process_of,
    load::{Load, Object, probe},
    offset::{off, present},
    written::{self, file_key},
};

/// `s_magic` of overlayfs.
const OVERLAYFS_MAGIC: u64 = 0x794c_7630;
/// Unset audit ids.
const UNSET: u32 = u32::MAX;

/// Fills the integers of `record` but for the payload's; adds to its flags and faults.
#[inline(always)]
pub(crate) fn fill<L: Load>(record: &mut Exec, task: Object, bprm: Object) {
    credentials::<L>(record, task);
    namespaces::<L>(record, task);
    stdio::<L>(record, task);
    record.parent = process_of::<L>(L::object(task, off!(task_real_parent)));
    record.argc = L::read(bprm, off!(bprm_argc));
    let file = L::object(bprm, off!(bprm_file));
    executable::<L>(record, L::object(file, off!(file_inode)));
}

#[inline(always)]
fn credentials<L: Load>(record: &mut Exec, task: Object) {
    let cred = L::object(task, off!(task_cred));
    record.uid = L::read(cred, off!(cred_uid));
    record.gid = L::read(cred, off!(cred_gid));
    record.euid = L::read(cred, off!(cred_euid));
    record.egid = L::read(cred, off!(cred_egid));
    record.login_uid = UNSET;
    record.session_id = UNSET;
    if present(off!(task_loginuid)) {
        record.login_uid = L::read(task, off!(task_loginuid));
    }
    if present(off!(task_sessionid)) {
        record.session_id = L::read(task, off!(task_sessionid));
    }
}

#[inline(always)]
fn namespaces<L: Load>(record: &mut Exec, task: Object) {
    let spaces = L::object(task, off!(task_nsproxy));
    let mount_ns = L::object(spaces, off!(nsproxy_mnt_ns));
    record.mount_ns = L::read(mount_ns, off!(mnt_ns_common) + off!(ns_inum));
    let pid_ns = L::object(spaces, off!(nsproxy_pid_ns));
    record.pid_ns = L::read(pid_ns, off!(pid_ns_common) + off!(ns_inum));
    let pid = L::object(task, off!(task_thread_pid));
    let level: u32 = L::read(pid, off!(pid_level));
    // struct upid { int nr; struct pid_namespace *ns; } numbers[level + 1]: a variable
    // index, which no typed load allows.
    let upid = pid.wrapping_add(off!(pid_numbers) + (level & 31) as usize * 16);
    record.ns_pid = probe::<u32>(upid).0;
    let group = L::object(L::object(task, off!(task_cgroups)), off!(css_set_dfl_cgrp));
    record.cgroup_id = L::read(L::object(group, off!(cgroup_kn)), off!(kernfs_id));
}

#[inline(always)]
fn executable<L: Load>(record: &mut Exec, inode: Object) {
    let facts = inode::facts::<L>(inode);
    record.ino = facts.ino;
    record.size = facts.size;
    record.ctime_s = facts.ctime_s;
    record.ctime_ns = facts.ctime_ns;
    record.nlink = facts.nlink;
    record.mode = facts.mode;
    record.owner = facts.owner;
    record.group = facts.group;
    record.dev = facts.dev;
    record.written = written::by(file_key(&facts), record.header.time_ns);
    if record.nlink == 0 {
        record.header.flags |= flag::UNLINKED;
    }
    overlay(record, inode, facts.magic);
}

/// Whether a file on overlayfs was written after the image was made.
#[inline(always)]
fn overlay(record: &mut Exec, inode: Object, magic: u64) {
    if magic != OVERLAYFS_MAGIC || !present(off!(ovl_inode_vfs)) || !present(off!(ovl_inode_upper))
    {
        return;
    }
    record.header.flags |= flag::OVERLAY;
    let overlay = inode.wrapping_sub(off!(ovl_inode_vfs));
    if !probe::<Object>(overlay.wrapping_add(off!(ovl_inode_upper)))
        .0
        .is_null()
    {
        record.header.flags |= flag::OVERLAY_UPPER;
    }
}

/// What descriptors 0, 1 and 2 refer to.
#[inline(always)]
fn stdio<L: Load>(record: &mut Exec, task: Object) {
    let files = L::object(task, off!(task_files));
    let table = L::object(files, off!(files_fdt));
    let slots = L::object(table, off!(fdtable_fd));
    // The smallest table has 64 slots.
    record.stdio = [
        descriptor(slots, 0),
        descriptor(slots, 1),
        descriptor(slots, 2),
    ];
    if record.stdio.iter().any(|fd| fd.mode == FdRaw::UNREADABLE) {
        record.header.faults |= fault::STDIO;
    }
}

#[inline(always)]
fn descriptor(slots: Object, index: usize) -> FdRaw {
    let unreadable = FdRaw {
        mode: FdRaw::UNREADABLE,
        rdev: 0,
    };
    let (file, readable) = probe::<Object>(slots.wrapping_add(index * 8));
    if !readable {
        return unreadable;
    }
    if file.is_null() {
        return FdRaw {
            mode: FdRaw::CLOSED,
            rdev: 0,
        };
    }
    let inode = probe::<Object>(file.wrapping_add(off!(file_inode))).0;
    let (mode, readable) = probe::<u16>(inode.wrapping_add(off!(inode_mode)));
    if !readable {
        return unreadable;
    }
    let rdev = probe::<u32>(inode.wrapping_add(off!(inode_rdev))).0;
    FdRaw {
        mode: u32::from(mode),
        rdev,
    }
}
