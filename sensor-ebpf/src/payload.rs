//! Variable part of an exec record: argv, paths, environment, in the order of
//! `sensor_common::record::Spans`.

use sensor_common::{
    limit,
    record::{Exec, fault, flag},
};

use crate::{
    load::{Load, Object},
    offset::off,
    path,
    scratch::Writer,
};

/// Appends all strings and notes their lengths and faults in `record`.
#[inline(always)]
pub(crate) fn fill<L: Load>(record: &mut Exec, writer: Writer, task: Object, bprm: Object) {
    let mm = L::object(task, off!(task_mm));
    args::<L>(record, writer, mm);
    names::<L>(record, writer, bprm);
    paths::<L>(record, writer, task, bprm);
    environment::<L>(record, writer, mm);
    record.spans.pad = 0;
}

#[inline(always)]
fn args<L: Load>(record: &mut Exec, writer: Writer, mm: Object) {
    let area = Area::new(
        L::read(mm, off!(mm_arg_start)),
        L::read(mm, off!(mm_arg_end)),
        limit::ARGS_HEAD as u64,
        limit::ARGS_TAIL as u64,
    );
    record.args_total = area.total;
    let (head, tail, faults) = area.append(writer, fault::ARGS, fault::ARGS_CUT);
    record.spans.args_head = head;
    record.spans.args_tail = tail;
    record.header.faults |= faults;
}

/// What exec was asked for, and what a `#!` line named.
#[inline(always)]
fn names<L: Load>(record: &mut Exec, writer: Writer, bprm: Object) {
    let filename = L::object(bprm, off!(bprm_filename));
    let before = writer.len();
    if !writer.kernel_str(filename, limit::FILENAME as u32) {
        record.header.faults |= fault::FILENAME;
    }
    let between = writer.len();
    record.spans.filename = between.wrapping_sub(before) as u32;
    let interp = L::object(bprm, off!(bprm_interp));
    if !writer.kernel_str(interp, limit::INTERP as u32) {
        record.header.faults |= fault::FILENAME;
    }
    record.spans.interp = writer.len().wrapping_sub(between) as u32;
}

#[inline(always)]
fn paths<L: Load>(record: &mut Exec, writer: Writer, task: Object, bprm: Object) {
    let start = writer.len();
    let file = L::object(bprm, off!(bprm_file));
    let dentry = L::read::<u64>(file, off!(file_path) + off!(path_dentry));
    let mount = L::read::<u64>(file, off!(file_path) + off!(path_mnt));
    record.header.faults |= path::append(writer.payload(), dentry, mount, fault::EXE_CUT);
    let exe = writer.len();
    record.spans.exe = exe.wrapping_sub(start) as u32;
    let fs = L::object(task, off!(task_fs));
    let dentry = L::read::<u64>(fs, off!(fs_pwd) + off!(path_dentry));
    let mount = L::read::<u64>(fs, off!(fs_pwd) + off!(path_mnt));
    record.header.faults |= path::append(writer.payload(), dentry, mount, fault::CWD_CUT);
    let cwd = writer.len();
    record.spans.cwd = cwd.wrapping_sub(exe) as u32;
    let group = L::object(L::object(task, off!(task_cgroups)), off!(css_set_dfl_cgrp));
    let node = L::read::<u64>(group, off!(cgroup_kn));
    record.header.faults |= path::append_kernfs(writer.payload(), node);
    record.spans.cgroup = writer.len().wrapping_sub(cwd) as u32;
}

/// Members only: nobody else's environment leaves the kernel.
#[inline(always)]
fn environment<L: Load>(record: &mut Exec, writer: Writer, mm: Object) {
    record.env_total = 0;
    record.spans.env_head = 0;
    record.spans.env_tail = 0;
    if record.header.flags & flag::MEMBER == 0 {
        return;
    }
    let area = Area::new(
        L::read(mm, off!(mm_env_start)),
        L::read(mm, off!(mm_env_end)),
        limit::ENV_HEAD as u64,
        limit::ENV_TAIL as u64,
    );
    record.env_total = area.total;
    let (head, tail, faults) = area.append(writer, fault::ENV, fault::ENV_CUT);
    record.spans.env_head = head;
    record.spans.env_tail = tail;
    record.header.faults |= faults;
}

/// Head and tail of a range of user memory.
struct Area {
    start: u64,
    total: u64,
    head: u64,
    tail_start: u64,
    tail: u64,
}

impl Area {
    #[inline(always)]
    fn new(start: u64, end: u64, head_max: u64, tail_max: u64) -> Self {
        let total = end.wrapping_sub(start);
        let head = if total > head_max { head_max } else { total };
        let rest = total.wrapping_sub(head);
        let tail = if rest > tail_max { tail_max } else { rest };
        Self {
            start,
            total,
            head,
            tail_start: end.wrapping_sub(tail),
            tail,
        }
    }

    /// Appends head and tail; returns their lengths and fault bits.
    #[inline(always)]
    fn append(&self, writer: Writer, unreadable: u32, cut: u32) -> (u32, u32, u32) {
        let before = writer.len();
        let mut faults = 0;
        if !writer.user(self.start, self.head) {
            faults |= unreadable;
        }
        let between = writer.len();
        if !writer.user(self.tail_start, self.tail) {
            faults |= unreadable;
        }
        if self.total.wrapping_sub(self.head) > self.tail {
            faults |= cut;
        }
        let end = writer.len();
        (
            between.wrapping_sub(before) as u32,
            end.wrapping_sub(between) as u32,
            faults,
        )
    }
}
