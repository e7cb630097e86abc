//! File operations that a member asks `io_uring` for: they are no system calls, so the
//! syscall rung does not see them. The better rungs do, and then this is not attached.
//!
//! `void io_uring_submit_req(struct io_kiocb *req)` in `io_uring/io_uring.c`, called
//! `io_uring_submit_sqe` before Linux 6.3. The request has been prepared: its
//! `struct filename` is the kernel's. Whether it succeeds is not known yet.

use aya_ebpf::{
    macros::{btf_tracepoint, raw_tracepoint},
    programs::{BtfTracePointContext, RawTracePointContext},
};
use sensor_common::record::{FileAction, PathSource, Rung, flag};

use crate::{
    change::renaming,
    class,
    descriptor::base,
    file::{Actor, Draft, READ, Slot, actor, may_be_member},
    load::{Load, Object, Probed},
    offset::{off, present},
};

/// Operations, `include/uapi/linux/io_uring.h`.
const OPENAT: u32 = 18;
const OPENAT2: u32 = 28;
const RENAMEAT: u32 = 35;
const SYMLINKAT: u32 = 38;
const LINKAT: u32 = 39;

/// Flags of an open that writes: access mode, `O_CREAT`, `O_TRUNC`.
const WRITES: u32 = 0o3 | 0o100 | 0o1000;
/// Bytes kept of a path that was asked for.
const TEXT: u32 = 2_048;
#[btf_tracepoint(function = "io_uring_submit_req")]
fn uring_tp_btf(ctx: BtfTracePointContext) -> i32 {
    submitted(ctx.arg(0), Rung::TpBtf);
    0
}

#[raw_tracepoint(tracepoint = "io_uring_submit_req")]
fn uring_raw_tp(ctx: RawTracePointContext) -> i32 {
    submitted(ctx.arg(0), Rung::RawTp);
    0
}

/// One request: a path, and for some another.
struct Request {
    action: FileAction,
    argument: u32,
    place: (i32, Object),
    other: Option<(i32, Object)>,
}

#[inline(always)]
fn submitted(request: Object, rung: Rung) {
    if !may_be_member() || !present(off!(uring_opcode)) || !present(off!(filename_name)) {
        return;
    }
    let operation = u32::from(Probed::read::<u8>(request, off!(uring_opcode)));
    let wanted = match operation {
        OPENAT | OPENAT2 if present(off!(uring_open_dfd)) => open(request),
        RENAMEAT if present(off!(uring_rename_old_dfd)) => rename(request),
        LINKAT if present(off!(uring_link_old_dfd)) => link(request, FileAction::Link),
        SYMLINKAT if present(off!(uring_link_old_dfd)) => link(request, FileAction::Symlink),
        _ => return,
    };
    let actor = actor();
    if actor.lineage.is_some() {
        report(&actor, &wanted, rung);
    }
}

/// `struct io_open` in place of the request's first members.
#[inline(always)]
fn open(request: Object) -> Request {
    let flags = Probed::read::<u64>(request, off!(uring_open_how)) as u32;
    Request {
        action: if flags & WRITES == 0 {
            FileAction::Read
        } else {
            FileAction::Write
        },
        argument: flags,
        place: (
            Probed::read::<u32>(request, off!(uring_open_dfd)) as i32,
            Probed::object(request, off!(uring_open_name)),
        ),
        other: None,
    }
}

/// `struct io_rename`
#[inline(always)]
fn rename(request: Object) -> Request {
    let flags = Probed::read::<u32>(request, off!(uring_rename_flags));
    Request {
        action: renaming(flags),
        argument: flags,
        place: (
            Probed::read::<u32>(request, off!(uring_rename_new_dfd)) as i32,
            Probed::object(request, off!(uring_rename_new)),
        ),
        other: Some((
            Probed::read::<u32>(request, off!(uring_rename_old_dfd)) as i32,
            Probed::object(request, off!(uring_rename_old)),
        )),
    }
}

/// `struct io_link`, for both kinds of link.
#[inline(always)]
fn link(request: Object, action: FileAction) -> Request {
    Request {
        action,
        argument: 0,
        place: (
            Probed::read::<u32>(request, off!(uring_link_new_dfd)) as i32,
            Probed::object(request, off!(uring_link_new)),
        ),
        other: Some((
            Probed::read::<u32>(request, off!(uring_link_old_dfd)) as i32,
            Probed::object(request, off!(uring_link_old)),
        )),
    }
}

#[inline(always)]
fn report(actor: &Actor, request: &Request, rung: Rung) {
    let (directory, name) = request.place;
    let text = Probed::object(name, off!(filename_name));
    let Some(class) = class::of_text(text, Slot::Uring) else {
        return;
    };
    if matches!(request.action, FileAction::Read) && class & READ == 0 {
        return;
    }
    let Some(draft) = Draft::new(Slot::Uring, actor, request.action as u32) else {
        return;
    };
    draft.known_by(PathSource::Joined, rung);
    let record = draft.record();
    record.argument = request.argument;
    record.class = class;
    record.header.flags |= flag::IO_URING | flag::ATTEMPT;
    let (dentry, mount) = base(directory, is_absolute(text));
    draft.path(dentry, mount);
    draft.path_str(text, TEXT);
    if let Some((directory, name)) = request.other {
        let text = Probed::object(name, off!(filename_name));
        if !matches!(request.action, FileAction::Symlink) {
            let (dentry, mount) = base(directory, is_absolute(text));
            draft.other(dentry, mount);
        }
        draft.other_str(text, TEXT);
    }
    draft.emit();
}

#[inline(always)]
fn is_absolute(text: Object) -> bool {
    Probed::read::<u8>(text, 0) == b'/'
}
