//! Programs at the kernel functions of renames, links and modes: see `change`.

use aya_ebpf::{
    macros::{fentry, fexit, kprobe, kretprobe, lsm},
    programs::{FEntryContext, FExitContext, LsmContext, ProbeContext, RetProbeContext},
};
use sensor_common::record::{FileAction, Rung};

use crate::{
    change::{self, Attempt, Place},
    file::Slot,
    load::{Load, Object, Probed},
    offset::{off, present},
};

const fn place(directory: Object, dentry: Object) -> Place {
    Place { directory, dentry }
}

// fentry and fexit -------------------------------------------------------------------

#[fentry(function = "security_path_rename")]
fn rename_begin_fentry(ctx: FEntryContext) -> i32 {
    let (old, new) = (place(ctx.arg(0), ctx.arg(1)), place(ctx.arg(2), ctx.arg(3)));
    change::begin_rename(old, new, ctx.arg::<u64>(4) as u32, Rung::Fentry);
    0
}

/// `int vfs_rename(struct renamedata *rd)`
#[fexit(function = "vfs_rename")]
fn rename_end_fentry(ctx: FExitContext) -> i32 {
    if present(off!(rename_old)) {
        let old = Probed::object(ctx.arg(0), off!(rename_old));
        change::finish(Some(old), ctx.arg::<u64>(1) as i32);
    }
    0
}

#[fentry(function = "security_path_link")]
fn link_begin_fentry(ctx: FEntryContext) -> i32 {
    change::begin_link(ctx.arg(0), place(ctx.arg(1), ctx.arg(2)), Rung::Fentry);
    0
}

/// `int vfs_link(struct dentry *old_dentry, struct mnt_idmap *idmap, struct inode *dir,
/// struct dentry *new_dentry, struct inode **delegated_inode)`
#[fexit(function = "vfs_link")]
fn link_end_fentry(ctx: FExitContext) -> i32 {
    change::finish(Some(ctx.arg(3)), ctx.arg::<u64>(5) as i32);
    0
}

#[fentry(function = "security_path_symlink")]
fn symlink_begin_fentry(ctx: FEntryContext) -> i32 {
    change::begin_symlink(place(ctx.arg(0), ctx.arg(1)), ctx.arg(2), Rung::Fentry);
    0
}

/// `int vfs_symlink(struct mnt_idmap *idmap, struct inode *dir, struct dentry *dentry,
/// const char *oldname)`
#[fexit(function = "vfs_symlink")]
fn symlink_end_fentry(ctx: FExitContext) -> i32 {
    change::finish(Some(ctx.arg(2)), ctx.arg::<u64>(4) as i32);
    0
}

#[fentry(function = "security_path_chmod")]
fn chmod_begin_fentry(ctx: FEntryContext) -> i32 {
    change::begin_chmod(ctx.arg(0), ctx.arg::<u64>(1) as u32, Rung::Fentry);
    0
}

/// `int chmod_common(const struct path *path, umode_t mode)`
#[fexit(function = "chmod_common")]
fn chmod_end_fentry(ctx: FExitContext) -> i32 {
    let dentry = Probed::object(ctx.arg(0), off!(path_dentry));
    change::finish(Some(dentry), ctx.arg::<u64>(2) as i32);
    0
}

// LSM: before the change. The last argument is the verdict of the programs before. -----

#[lsm(hook = "path_rename")]
fn rename_lsm(ctx: LsmContext) -> i32 {
    let verdict = ctx.arg::<u64>(5) as i32;
    let flags = ctx.arg::<u64>(4) as u32;
    let what = Attempt {
        place: place(ctx.arg(2), ctx.arg(3)),
        subject: ctx.arg(1),
        other: ctx.arg(1),
        target: core::ptr::null(),
        argument: flags,
    };
    if verdict == 0 {
        change::attempt(Slot::Rename, change::renaming(flags), what);
    }
    verdict
}

#[lsm(hook = "path_link")]
fn link_lsm(ctx: LsmContext) -> i32 {
    let verdict = ctx.arg::<u64>(3) as i32;
    let what = Attempt {
        place: place(ctx.arg(1), ctx.arg(2)),
        subject: ctx.arg(0),
        other: ctx.arg(0),
        target: core::ptr::null(),
        argument: 0,
    };
    if verdict == 0 {
        change::attempt(Slot::Link, FileAction::Link, what);
    }
    verdict
}

#[lsm(hook = "path_symlink")]
fn symlink_lsm(ctx: LsmContext) -> i32 {
    let verdict = ctx.arg::<u64>(3) as i32;
    let what = Attempt {
        place: place(ctx.arg(0), ctx.arg(1)),
        subject: ctx.arg(1),
        other: core::ptr::null(),
        target: ctx.arg(2),
        argument: 0,
    };
    if verdict == 0 {
        change::attempt(Slot::Symlink, FileAction::Symlink, what);
    }
    verdict
}

#[lsm(hook = "path_chmod")]
fn chmod_lsm(ctx: LsmContext) -> i32 {
    let verdict = ctx.arg::<u64>(2) as i32;
    let mode = ctx.arg::<u64>(1) as u32;
    let path: Object = ctx.arg(0);
    let dentry = Probed::object(path, off!(path_dentry));
    let inode = Probed::object(dentry, off!(dentry_inode));
    if verdict == 0 && change::is_raised(change::mode_of(inode), mode) {
        let what = Attempt {
            place: place(path, dentry),
            subject: dentry,
            other: core::ptr::null(),
            target: core::ptr::null(),
            argument: mode,
        };
        change::attempt(Slot::Chmod, FileAction::Chmod, what);
    }
    verdict
}

// kprobe and kretprobe -----------------------------------------------------------------

#[kprobe(function = "security_path_rename")]
fn rename_begin_kprobe(ctx: ProbeContext) -> u32 {
    let [Some(a), Some(b), Some(c), Some(d)] = arguments(&ctx) else {
        return 0;
    };
    let flags = ctx.arg::<u64>(4).unwrap_or(0) as u32;
    change::begin_rename(place(a, b), place(c, d), flags, Rung::Kprobe);
    0
}

#[kprobe(function = "security_path_link")]
fn link_begin_kprobe(ctx: ProbeContext) -> u32 {
    if let [Some(old), Some(directory), Some(new), _] = arguments(&ctx) {
        change::begin_link(old, place(directory, new), Rung::Kprobe);
    }
    0
}

#[kprobe(function = "security_path_symlink")]
fn symlink_begin_kprobe(ctx: ProbeContext) -> u32 {
    if let [Some(directory), Some(dentry), Some(target), _] = arguments(&ctx) {
        change::begin_symlink(place(directory, dentry), target, Rung::Kprobe);
    }
    0
}

#[kprobe(function = "security_path_chmod")]
fn chmod_begin_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(path) = ctx.arg::<Object>(0) {
        let mode = ctx.arg::<u64>(1).unwrap_or(0) as u32;
        change::begin_chmod(path, mode, Rung::Kprobe);
    }
    0
}

/// `vfs_rename`, `vfs_link`, `vfs_symlink`, `chmod_common`.
#[kprobe]
fn change_enter_kprobe(_ctx: ProbeContext) -> u32 {
    change::enter();
    0
}

/// The same, returning.
#[kretprobe]
fn change_leave_kprobe(ctx: RetProbeContext) -> u32 {
    change::leave(ctx.ret::<u64>() as i32);
    0
}

#[inline(always)]
fn arguments(ctx: &ProbeContext) -> [Option<Object>; 4] {
    [ctx.arg(0), ctx.arg(1), ctx.arg(2), ctx.arg(3)]
}
