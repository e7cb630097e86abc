//! Renames, links and modes at the tracepoints of the system calls: the last rung.
//!
//! At the entry the paths are read from the caller's memory, where another thread may
//! still rewrite them; at the exit they are joined to the kernel's path of the directory
//! from which they count.

use aya_ebpf::{
    helpers::generated::{bpf_probe_read_kernel, bpf_probe_read_user, bpf_probe_read_user_str},
    macros::tracepoint,
    programs::TracePointContext,
};
use sensor_common::{
    limit::{PAYLOAD_SLACK, TYPED},
    record::{FileAction, PathSource, Rung, fault, flag},
};

use crate::{
    change::{is_raised, mode_of, renaming},
    class,
    descriptor::{AT_FDCWD, base, file_of},
    file::{Actor, Draft, Slot, actor, is_watched, may_be_member},
    inode,
    load::{Load, Object, Probed},
    map::LINEAGE_FILE_SCRATCH,
    offset::off,
    pending::{self, Pending},
    place,
    syscall::argument,
    written,
};

#[tracepoint]
fn rename_enter(ctx: TracePointContext) -> u32 {
    begin_rename(AT_FDCWD, argument(&ctx, 0), AT_FDCWD, argument(&ctx, 1), 0);
    0
}

#[tracepoint]
fn renameat_enter(ctx: TracePointContext) -> u32 {
    begin_rename(
        argument(&ctx, 0) as i32,
        argument(&ctx, 1),
        argument(&ctx, 2) as i32,
        argument(&ctx, 3),
        0,
    );
    0
}

#[tracepoint]
fn renameat2_enter(ctx: TracePointContext) -> u32 {
    begin_rename(
        argument(&ctx, 0) as i32,
        argument(&ctx, 1),
        argument(&ctx, 2) as i32,
        argument(&ctx, 3),
        argument(&ctx, 4) as u32,
    );
    0
}

#[inline(always)]
fn begin_rename(old_dir: i32, old: u64, new_dir: i32, new: u64, flags: u32) {
    begin(renaming(flags), (old_dir, old), (new_dir, new), flags);
}

#[tracepoint]
fn link_enter(ctx: TracePointContext) -> u32 {
    begin(
        FileAction::Link,
        (AT_FDCWD, argument(&ctx, 0)),
        (AT_FDCWD, argument(&ctx, 1)),
        0,
    );
    0
}

#[tracepoint]
fn linkat_enter(ctx: TracePointContext) -> u32 {
    begin(
        FileAction::Link,
        (argument(&ctx, 0) as i32, argument(&ctx, 1)),
        (argument(&ctx, 2) as i32, argument(&ctx, 3)),
        0,
    );
    0
}

#[tracepoint]
fn symlink_enter(ctx: TracePointContext) -> u32 {
    begin(
        FileAction::Symlink,
        (AT_FDCWD, argument(&ctx, 0)),
        (AT_FDCWD, argument(&ctx, 1)),
        0,
    );
    0
}

#[tracepoint]
fn symlinkat_enter(ctx: TracePointContext) -> u32 {
    begin(
        FileAction::Symlink,
        (AT_FDCWD, argument(&ctx, 0)),
        (argument(&ctx, 1) as i32, argument(&ctx, 2)),
        0,
    );
    0
}

#[tracepoint]
fn chmod_enter(ctx: TracePointContext) -> u32 {
    begin_chmod((AT_FDCWD, argument(&ctx, 0)), argument(&ctx, 1) as u32);
    0
}

/// `fchmodat` and `fchmodat2`.
#[tracepoint]
fn fchmodat_enter(ctx: TracePointContext) -> u32 {
    begin_chmod(
        (argument(&ctx, 0) as i32, argument(&ctx, 1)),
        argument(&ctx, 2) as u32,
    );
    0
}

#[inline(always)]
fn begin_chmod(place: (i32, u64), mode: u32) {
    // Which file that is, only the kernel knows: all bits count as new.
    if is_raised(0, mode) {
        begin(FileAction::Chmod, (AT_FDCWD, 0), place, mode);
    }
}

#[tracepoint]
fn fchmod_enter(ctx: TracePointContext) -> u32 {
    let (descriptor, mode) = (argument(&ctx, 0) as u32, argument(&ctx, 1) as u32);
    if !may_be_member() {
        return 0;
    }
    let Some(file) = file_of(descriptor) else {
        return 0;
    };
    let before = mode_of(Probed::object(file, off!(file_inode)));
    if !is_raised(before, mode) {
        return 0;
    }
    let Some(pending) = pending::draft(Slot::Begin) else {
        return 0;
    };
    pending.action = FileAction::Chmod as u32;
    pending.rung = Rung::Syscall as u32;
    pending.argument = mode;
    pending.new_dir = descriptor as i32;
    pending::store(pending);
    0
}

/// Any of them returns.
#[tracepoint]
fn change_exit(ctx: TracePointContext) -> u32 {
    let Some(pending) = pending::current() else {
        return 0;
    };
    if argument(&ctx, 0) == 0 {
        report(pending);
    }
    pending::forget();
    0
}

/// Keeps what was typed until the call returns. A stranger's is kept only where it is in
/// a watched directory: by the directory it counts from, or by the name of an absolute
/// path.
#[inline(always)]
fn begin(action: FileAction, old: (i32, u64), new: (i32, u64), argument: u32) {
    let member = may_be_member();
    if !member && (matches!(action, FileAction::Chmod) || !may_be_watched(new)) {
        return;
    }
    let Some(pending) = pending::draft(Slot::Begin) else {
        return;
    };
    let (len, cut) = typed(new.1, &mut pending.new);
    if is_absolute(&pending.new) {
        // Of a path that was cut, the beginning is missing.
        pending.watched = u32::from(!cut && place::is_watched(pending));
    }
    if !member && pending.watched == 0 && is_absolute(&pending.new) {
        return;
    }
    pending.action = action as u32;
    pending.rung = Rung::Syscall as u32;
    pending.argument = argument;
    pending.old_dir = old.0;
    pending.new_dir = new.0;
    pending.new_len = len;
    pending.cut = if cut { fault::TYPED } else { 0 };
    if old.1 != 0 {
        let (len, cut) = typed(old.1, &mut pending.old);
        pending.old_len = len;
        pending.cut |= if cut { fault::TYPED_OTHER } else { 0 };
    }
    pending::store(pending);
}

/// Reads a typed path; of a long one the end, where its name is.
#[inline(always)]
fn typed(address: u64, target: &mut [u8; TYPED]) -> (u32, bool) {
    let Some(scratch) = LINEAGE_FILE_SCRATCH.get_ptr_mut(Slot::Begin as u32) else {
        return (0, false);
    };
    // SAFETY: a live per-CPU map value that the slot has to itself.
    let buffer = unsafe { &raw mut (*scratch).payload }.cast::<u8>();
    // SAFETY: the payload has room for this many bytes.
    let size = unsafe {
        bpf_probe_read_user_str(buffer.cast(), PAYLOAD_SLACK as u32, address as *const _)
    };
    if size <= 0 {
        return (0, false);
    }
    let size = size as u64 & 0x1fff;
    let cut = size > TYPED as u64;
    let skipped = if cut {
        size.wrapping_sub(TYPED as u64)
    } else {
        0
    };
    let from = buffer.wrapping_add(skipped as usize & (PAYLOAD_SLACK - 1));
    // SAFETY: `TYPED` bytes from anywhere in the payload's first page stay inside it.
    unsafe { bpf_probe_read_kernel(target.as_mut_ptr().cast(), TYPED as u32, from.cast()) };
    let len = if cut { TYPED as u64 } else { size };
    (len as u32, cut)
}

/// `true` for a place that is in a watched directory, or whose whole path must be read to
/// tell.
#[inline(always)]
fn may_be_watched((directory, path): (i32, u64)) -> bool {
    let mut first = 0_u8;
    // SAFETY: one byte for one byte.
    unsafe { bpf_probe_read_user((&raw mut first).cast(), 1, path as *const _) };
    first == b'/' || from_watched(directory)
}

/// `true` when paths that count from `directory` begin in a watched directory.
#[inline(always)]
fn from_watched(directory: i32) -> bool {
    let (dentry, _) = base(directory, false);
    is_watched(Probed::object(dentry as Object, off!(dentry_inode)))
}

#[inline(always)]
fn report(pending: &Pending) {
    let actor = actor();
    // Of a descriptor alone nothing was typed, and the buffer has what another call left.
    let absolute = pending.new_len != 0 && is_absolute(&pending.new);
    let (directory, mount) = base(pending.new_dir, absolute);
    let watched =
        pending.watched != 0 || is_watched(Probed::object(directory as Object, off!(dentry_inode)));
    if actor.lineage.is_none() && !watched {
        return;
    }
    let class = class::of_path(pending.new.as_ptr() as u64, u64::from(pending.new_len));
    let Some(draft) = Draft::new(Slot::Finish, &actor, pending.action) else {
        return;
    };
    let record = draft.record();
    record.source = PathSource::Joined as u32;
    record.rung = pending.rung;
    record.argument = pending.argument;
    record.class = class;
    record.header.faults = pending.cut;
    if watched {
        record.header.flags |= flag::WATCHED_DIRECTORY;
    }
    draft.path(directory, mount);
    if pending.new_len == 0 {
        descriptor(&draft, &actor, pending.new_dir);
    } else {
        draft.path_text(pending.new.as_ptr(), u64::from(pending.new_len));
    }
    if pending.old_len != 0 {
        if pending.action != FileAction::Symlink as u32 {
            let (directory, mount) = base(pending.old_dir, is_absolute(&pending.old));
            draft.other(directory, mount);
        }
        draft.other_text(pending.old.as_ptr(), u64::from(pending.old_len));
    }
    if actor.lineage.is_none() {
        draft.stranger(actor.task);
    }
    draft.emit();
}

/// `fchmod`: the file itself is known.
#[inline(always)]
fn descriptor(draft: &Draft, actor: &Actor, descriptor: i32) {
    let Some(file) = file_of(descriptor as u32) else {
        return;
    };
    let key = draft.inode(&inode::facts::<Probed>(Probed::object(
        file,
        off!(file_inode),
    )));
    let record = draft.record();
    record.source = PathSource::Fd as u32;
    if let Some(lineage) = actor.lineage {
        written::remember(key, lineage.root, record.header.time_ns);
    }
}

#[inline(always)]
fn is_absolute(text: &[u8; TYPED]) -> bool {
    text[0] == b'/'
}
