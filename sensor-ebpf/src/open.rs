//! A file was opened.
//!
//! Best rungs: `int security_file_open(struct file *file)` in `security/security.c`,
//! below every variant of open and `io_uring`. There, `FMODE_CREATED` is set already and
//! the open can hardly fail any more. Last rung: the system calls' exit tracepoints, where
//! the file is found behind the descriptor returned.

use aya_ebpf::{
    macros::{fexit, kprobe, lsm, tracepoint},
    programs::{FExitContext, LsmContext, ProbeContext, TracePointContext},
};
use sensor_common::record::{FileAction, PathSource, Rung, flag};

use crate::{
    class,
    descriptor::file_of,
    file::{Actor, Draft, READ, Slot, actor, in_watched_directory, may_be_member},
    inode::{self, Facts},
    load::{Load, Object, Probed, Typed},
    offset::{off, present},
    syscall::argument,
    written::{self, is_news},
};

/// `f_mode` bits, `include/linux/fs.h`.
const FMODE_READ: u32 = 1;
const FMODE_WRITE: u32 = 1 << 1;
const FMODE_EXEC: u32 = 1 << 5;
const FMODE_CREATED: u32 = 1 << 20;
/// The file of a layer below overlayfs, which opens it for the one that was asked for.
const FMODE_NOACCOUNT: u32 = 1 << 29;
/// Type bits of `i_mode`.
const S_IFMT: u32 = 0o170_000;
const S_IFREG: u32 = 0o100_000;

#[fexit(function = "security_file_open")]
fn open_fentry(ctx: FExitContext) -> i32 {
    if ctx.arg::<u64>(1) as i32 == 0 {
        opened::<Typed>(ctx.arg(0), PathSource::Object, Rung::Fentry);
    }
    0
}

#[lsm(hook = "file_open")]
fn open_lsm(ctx: LsmContext) -> i32 {
    // The verdict of the programs before this one stays as it is.
    let verdict = ctx.arg::<u64>(1) as i32;
    if verdict == 0 {
        opened::<Typed>(ctx.arg(0), PathSource::Object, Rung::Lsm);
    }
    verdict
}

#[kprobe(function = "security_file_open")]
fn open_kprobe(ctx: ProbeContext) -> u32 {
    if let Some(file) = ctx.arg::<Object>(0) {
        opened::<Probed>(file, PathSource::Object, Rung::Kprobe);
    }
    0
}

/// `sys_exit_{open,creat,openat,openat2,open_by_handle_at}`: the result is at 16.
#[tracepoint]
fn open_syscall(ctx: TracePointContext) -> u32 {
    let result = argument(&ctx, 0) as i64;
    if result >= 0
        && let Some(file) = file_of(result as u32)
    {
        opened::<Probed>(file, PathSource::Fd, Rung::Syscall);
    }
    0
}

#[inline(always)]
fn opened<L: Load>(file: Object, source: PathSource, rung: Rung) {
    let mode: u32 = L::read(file, off!(file_mode));
    let write = mode & FMODE_WRITE != 0;
    let member = may_be_member();
    if !write && !member || mode & FMODE_NOACCOUNT != 0 {
        return;
    }
    let inode = L::object(file, off!(file_inode));
    if u32::from(L::read::<u16>(inode, off!(inode_mode))) & S_IFMT != S_IFREG {
        return;
    }
    let dentry = L::object(file, off!(file_path) + off!(path_dentry));
    let watched = write && in_watched_directory(dentry);
    if !member && !watched {
        return;
    }
    let class = class::of_dentry(dentry, Slot::Open);
    let read = mode & (FMODE_READ | FMODE_EXEC) == FMODE_READ && class & READ != 0;
    if !write && !read {
        return;
    }
    let actor = actor();
    if actor.lineage.is_none() && !watched {
        return;
    }
    let mount: u64 = L::read(file, off!(file_path) + off!(path_mnt));
    if is_internal(mount as Object) {
        return;
    }
    let facts = inode::facts::<L>(inode);
    let open = Open {
        mode,
        flags: L::read(file, off!(file_flags)),
        dentry,
        mount,
        class,
        watched,
        source,
        rung,
    };
    if write {
        open.written(&actor, &facts);
    } else {
        open.read(&actor, &facts);
    }
}

/// One open of a regular file.
struct Open {
    mode: u32,
    flags: u32,
    dentry: Object,
    mount: u64,
    class: u32,
    watched: bool,
    source: PathSource,
    rung: Rung,
}

impl Open {
    #[inline(always)]
    fn written(&self, actor: &Actor, facts: &Facts) {
        let Some(draft) = Draft::new(Slot::Open, actor, FileAction::Write as u32) else {
            return;
        };
        let key = draft.inode(facts);
        let record = draft.record();
        record.class = self.class;
        if self.mode & FMODE_CREATED != 0 {
            record.header.flags |= flag::CREATED;
        }
        if self.watched {
            record.header.flags |= flag::WATCHED_DIRECTORY;
        }
        self.finish(draft, actor);
        if let Some(lineage) = actor.lineage {
            written::remember(key, lineage.root, draft.record().header.time_ns);
        }
        draft.emit();
    }

    /// Reads are many; only the first of a file in a class that matters is told.
    #[inline(always)]
    fn read(&self, actor: &Actor, facts: &Facts) {
        let Some(lineage) = actor.lineage else {
            return;
        };
        let key = written::file_key(facts);
        let now = crate::count::now();
        if !is_news(key, lineage.root, written::by(key, now), now) {
            return;
        }
        let Some(draft) = Draft::new(Slot::Open, actor, FileAction::Read as u32) else {
            return;
        };
        draft.inode(facts);
        draft.record().class = self.class;
        self.finish(draft, actor);
        draft.emit();
    }

    #[inline(always)]
    fn finish(&self, draft: Draft, actor: &Actor) {
        draft.known_by(self.source, self.rung);
        draft.record().argument = self.flags;
        draft.path(self.dentry as u64, self.mount);
        if actor.lineage.is_none() {
            draft.stranger(actor.task);
        }
    }
}

/// `true` for a mount that is in nobody's namespace: overlayfs copies files up through
/// one, and no path leads there.
#[inline(always)]
fn is_internal(vfsmount: Object) -> bool {
    if !present(off!(mount_ns)) {
        return false;
    }
    let mount = vfsmount.wrapping_sub(off!(mount_mnt));
    let namespace: u64 = Probed::read(mount, off!(mount_ns));
    // NULL, or MNT_NS_INTERNAL: ERR_PTR(-EINVAL).
    namespace == 0 || namespace > u64::MAX - 4_096
}
