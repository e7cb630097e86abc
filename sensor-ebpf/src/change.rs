//! Renames, links and modes, at the kernel functions that all their variants go through.
//!
//! `security_path_rename` and its kin know the mount, and are called once, before the
//! change; `vfs_rename` and its kin tell whether it happened:
//!
//! - `int security_path_rename(const struct path *old_dir, struct dentry *old_dentry,
//!   const struct path *new_dir, struct dentry *new_dentry, unsigned int flags)`
//! - `int security_path_link(struct dentry *old_dentry, const struct path *new_dir,
//!   struct dentry *new_dentry)`
//! - `int security_path_symlink(const struct path *dir, struct dentry *dentry,
//!   const char *old_name)`
//! - `int security_path_chmod(const struct path *path, umode_t mode)`
//!
//! This module has what they do; `change_hook` attaches it.

use aya_ebpf::helpers::generated::bpf_probe_read_kernel_str;
use sensor_common::{
    limit::TYPED,
    record::{File, FileAction, PathSource, Rung, flag},
};

use crate::{
    class,
    file::{Actor, Draft, Slot, actor, is_watched, may_be_member},
    inode,
    load::{Load, Object, Probed},
    offset::off,
    pending::{self, Pending},
    written,
};

/// Bits whose setting makes a file a program or gives it its owner's rights.
const DANGEROUS: u32 = 0o6111;
/// `RENAME_EXCHANGE`, `include/uapi/linux/fs.h`.
pub(crate) const RENAME_EXCHANGE: u32 = 1 << 1;

/// A directory and a name in it.
#[derive(Clone, Copy)]
pub(crate) struct Place {
    /// `const struct path *` of the directory.
    pub(crate) directory: Object,
    pub(crate) dentry: Object,
}

impl Place {
    #[inline(always)]
    fn mount(self) -> u64 {
        Probed::read(self.directory, off!(path_mnt))
    }

    #[inline(always)]
    fn parent(self) -> Object {
        Probed::object(self.directory, off!(path_dentry))
    }

    #[inline(always)]
    fn is_watched(self) -> bool {
        is_watched(Probed::object(self.parent(), off!(dentry_inode)))
    }
}

/// `true` when an act of the current process in `place` is wanted.
#[inline(always)]
fn wanted(place: Place) -> bool {
    may_be_member() || place.is_watched()
}

/// The action a rename with these flags is.
#[inline(always)]
pub(crate) fn renaming(flags: u32) -> FileAction {
    if flags & RENAME_EXCHANGE != 0 {
        FileAction::Exchange
    } else {
        FileAction::Rename
    }
}

/// A rename begins.
#[inline(always)]
pub(crate) fn begin_rename(old: Place, new: Place, flags: u32, rung: Rung) {
    if !wanted(new) {
        return;
    }
    let Some(pending) = pending::draft(Slot::Rename) else {
        return;
    };
    pending.action = renaming(flags) as u32;
    pending.rung = rung as u32;
    pending.argument = flags;
    pending.dentry = old.dentry as u64;
    pending.other = old.parent() as u64;
    pending.mount = new.mount();
    pending::keep_name(pending, old.dentry);
    pending::store(pending);
}

/// A hard link begins.
#[inline(always)]
pub(crate) fn begin_link(old: Object, new: Place, rung: Rung) {
    if !wanted(new) {
        return;
    }
    let Some(pending) = pending::draft(Slot::Link) else {
        return;
    };
    pending.action = FileAction::Link as u32;
    pending.rung = rung as u32;
    pending.dentry = new.dentry as u64;
    pending.other = old as u64;
    pending.mount = new.mount();
    pending::store(pending);
}

/// A symbolic link begins.
#[inline(always)]
pub(crate) fn begin_symlink(place: Place, target: Object, rung: Rung) {
    if !wanted(place) {
        return;
    }
    let Some(pending) = pending::draft(Slot::Symlink) else {
        return;
    };
    pending.action = FileAction::Symlink as u32;
    pending.rung = rung as u32;
    pending.dentry = place.dentry as u64;
    pending.mount = place.mount();
    let buffer = pending.old.as_mut_ptr().cast();
    // SAFETY: the helper writes at most the size of `old`.
    let size = unsafe { bpf_probe_read_kernel_str(buffer, TYPED as u32, target.cast()) };
    pending.old_len = if size > 0 {
        size.unsigned_abs() as u32
    } else {
        0
    };
    pending::store(pending);
}

/// A change of mode begins.
#[inline(always)]
pub(crate) fn begin_chmod(path: Object, mode: u32, rung: Rung) {
    if !may_be_member() {
        return;
    }
    let dentry = Probed::object(path, off!(path_dentry));
    let before = mode_of(Probed::object(dentry, off!(dentry_inode)));
    if !is_raised(before, mode) {
        return;
    }
    let Some(pending) = pending::draft(Slot::Chmod) else {
        return;
    };
    pending.action = FileAction::Chmod as u32;
    pending.rung = rung as u32;
    pending.argument = mode;
    // `security_path_chmod` runs inside `chmod_common`, whose entry came before this; the
    // other hooks run before the function whose return is awaited.
    pending.nesting = 1;
    pending.dentry = dentry as u64;
    pending.mount = Probed::read(path, off!(path_mnt));
    pending::store(pending);
}

/// The change has happened (`result` 0) or not; `dentry`, where the caller knows it, tells
/// the call from those inside it.
#[inline(always)]
pub(crate) fn finish(dentry: Option<Object>, result: i32) {
    let Some(pending) = pending::current() else {
        return;
    };
    if dentry.is_some_and(|dentry| dentry as u64 != pending.dentry) {
        return;
    }
    if result == 0 {
        report(pending);
    }
    pending::forget();
}

/// A call that may be inside another of its kind begins (kprobes only: at the return
/// they cannot tell which one it is).
#[inline(always)]
pub(crate) fn enter() {
    if let Some(pending) = pending::current() {
        pending.nesting = pending.nesting.wrapping_add(1);
    }
}

/// It returns.
#[inline(always)]
pub(crate) fn leave(result: i32) {
    let Some(pending) = pending::current() else {
        return;
    };
    pending.nesting = pending.nesting.wrapping_sub(1);
    if pending.nesting == 0 {
        finish(None, result);
    }
}

/// Writes the record of a change that has happened.
#[inline(always)]
fn report(pending: &Pending) {
    let actor = actor();
    let dentry = pending.dentry as Object;
    let Some(draft) = begin(&actor, Slot::Finish, pending.action, dentry) else {
        return;
    };
    let record = draft.record();
    record.source = PathSource::Object as u32;
    record.rung = pending.rung;
    record.argument = pending.argument;
    draft.path(pending.dentry, pending.mount);
    if pending.other != 0 {
        draft.other(pending.other, pending.mount);
    }
    if pending.old_len != 0 {
        draft.other_text(pending.old.as_ptr(), u64::from(pending.old_len));
    }
    end(draft, &actor);
}

/// Reports a change that is only being asked for: the LSM rung.
#[inline(always)]
pub(crate) fn attempt(slot: Slot, action: FileAction, what: Attempt) {
    if !may_be_member() && !what.place.is_watched() {
        return;
    }
    let actor = actor();
    let Some(draft) = begin(&actor, slot, action as u32, what.subject) else {
        return;
    };
    draft.known_by(PathSource::Object, Rung::Lsm);
    draft.record().argument = what.argument;
    let mount = what.place.mount();
    draft.path(what.place.dentry as u64, mount);
    if !what.other.is_null() {
        draft.other(what.other as u64, mount);
    }
    if !what.target.is_null() {
        draft.other_str(what.target, TYPED as u32);
    }
    end(draft, &actor);
}

/// What is asked for.
pub(crate) struct Attempt {
    /// Where it would be.
    pub(crate) place: Place,
    /// Dentry of the file it is about, whose name gives the class; that of a symbolic link
    /// has no inode yet.
    pub(crate) subject: Object,
    /// Dentry it is now; null where there is none.
    pub(crate) other: Object,
    /// Target text of a symbolic link; else null.
    pub(crate) target: Object,
    pub(crate) argument: u32,
}

/// `true` for a mode that makes a file more than it was with the mode `before`; 0 where
/// that is unknown, since then any of the bits may be new.
#[inline(always)]
pub(crate) fn is_raised(before: u32, mode: u32) -> bool {
    mode & !before & DANGEROUS != 0
}

/// `i_mode` of an inode.
#[inline(always)]
pub(crate) fn mode_of(inode: Object) -> u32 {
    u32::from(Probed::read::<u16>(inode, off!(inode_mode)))
}

/// Begins the record of what was done to the file of `dentry`, never null; `None` for a
/// stranger elsewhere.
#[inline(always)]
fn begin(actor: &Actor, slot: Slot, action: u32, dentry: Object) -> Option<Draft> {
    let watched = crate::file::in_watched_directory(dentry);
    if actor.lineage.is_none() && !watched {
        return None;
    }
    let class = class::of_dentry(dentry, slot);
    let draft = Draft::new(slot, actor, action)?;
    let record: &mut File = draft.record();
    record.class = class;
    if watched {
        record.header.flags |= flag::WATCHED_DIRECTORY;
    }
    let inode = Probed::object(dentry, off!(dentry_inode));
    if !inode.is_null() {
        let key = draft.inode(&inode::facts::<Probed>(inode));
        if let Some(lineage) = actor.lineage {
            written::remember(key, lineage.root, draft.record().header.time_ns);
        }
    }
    Some(draft)
}

#[inline(always)]
fn end(draft: Draft, actor: &Actor) {
    if actor.lineage.is_none() {
        draft.stranger(actor.task);
    }
    draft.emit();
}
