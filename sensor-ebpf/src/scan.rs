//! The task iterator: one row for each process that exists, and membership for the
//! children of members.
//!
//! `int bpf_iter_task(struct bpf_iter_meta *meta, struct task_struct *task)` in
//! `kernel/bpf/task_iter.c`, Linux 5.8. The agent marks service roots and runs it
//! until a pass adds nothing: a child may come before its parent in pid order.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_seq_write;
use sensor_common::{
    map::{ProcessId, service},
    record::{TaskRow, row},
};

use crate::{
    lineage::{self, Standing, claim, enter, process_of, recognise, standing},
    load::{Load, Object, Probed},
    offset::off,
};

/// `struct bpf_iter__task { struct bpf_iter_meta *meta; struct task_struct *task; }`
#[repr(C)]
struct Context {
    meta: *const *mut c_void,
    task: Object,
}

#[unsafe(link_section = "iter/task")]
#[unsafe(no_mangle)]
extern "C" fn scan_iter(ctx: *const Context) -> i32 {
    // SAFETY: the kernel passes a valid context.
    let task = unsafe { (*ctx).task };
    if task.is_null() {
        return 0;
    }
    let Some(row) = inspect(task) else {
        return 0;
    };
    // SAFETY: the kernel passes a valid context.
    let meta = unsafe { (*ctx).meta };
    // SAFETY: the first member of `struct bpf_iter_meta` is a `struct seq_file *`.
    let seq = unsafe { *meta };
    // SAFETY: `row` is fully initialised, without padding (its size is asserted). When
    // the buffer is full, the kernel hands it to the reader and calls again.
    unsafe {
        bpf_seq_write(
            seq.cast(),
            (&raw const row).cast(),
            size_of::<TaskRow>() as u32,
        )
    };
    0
}

/// The row of `task`; `None` for threads and for processes whose threads have all
/// exited: their exit has been or will be reported. Not a hot path: all by helper.
#[inline(always)]
fn inspect(task: Object) -> Option<TaskRow> {
    if Probed::read::<u32>(task, off!(task_pid)) != Probed::read::<u32>(task, off!(task_tgid)) {
        return None;
    }
    let signal = Probed::object(task, off!(task_signal));
    if Probed::read::<u32>(signal, off!(signal_live)) == 0 {
        return None;
    }
    let cred = Probed::object(task, off!(task_cred));
    let mut row = TaskRow {
        process: process_of::<Probed>(task),
        parent: process_of::<Probed>(Probed::object(task, off!(task_real_parent))),
        root: ProcessId::default(),
        depth: 0,
        flags: 0,
        uid: Probed::read(cred, off!(cred_uid)),
        pad: 0,
    };
    let name = executable(task).and_then(|dentry| recognise(dentry, lineage::Caller::Scan));
    if let Some(name) = name {
        row.flags |= if name & service::CANDIDATE == 0 {
            row::RECOGNISED
        } else {
            row::INTERPRETER
        };
    }
    membership(&mut row);
    Some(row)
}

/// Dentry of the running executable; `None` for kernel threads.
#[inline(always)]
fn executable(task: Object) -> Option<Object> {
    let mm = Probed::object(task, off!(task_mm));
    if mm.is_null() {
        return None;
    }
    let file = Probed::object(mm, off!(mm_exe_file));
    Some(Probed::object(file, off!(file_path) + off!(path_dentry)))
}

/// Bit for what a process stands in.
#[inline(always)]
fn bit(standing: Standing) -> u32 {
    if standing.candidate {
        row::CANDIDATE
    } else {
        row::MEMBER
    }
}

#[inline(always)]
fn membership(row: &mut TaskRow) {
    if let Some(standing) = claim(row.process) {
        row.root = standing.lineage.root;
        row.depth = standing.lineage.depth;
        row.flags |= bit(standing);
    } else if let Some(above) = standing(row.parent) {
        // What left a candidate by an exec is not known here; its own image it has not.
        if above.candidate && row.flags & row::INTERPRETER == 0 {
            return;
        }
        row.root = above.lineage.root;
        row.depth = above.lineage.depth.wrapping_add(1);
        row.flags |= bit(above) | row::ADDED;
        if !enter(row.process, row.root, row.depth) {
            row.flags |= row::MAP_FULL;
        }
    }
}
