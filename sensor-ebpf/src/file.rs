//! File records: who acts, on what, and on their way to the ring.

use aya_ebpf::{
    bindings::{BPF_RB_FORCE_WAKEUP, BPF_RB_NO_WAKEUP},
    helpers::generated::{bpf_get_current_pid_tgid, bpf_get_current_task},
};
use sensor_common::{
    counter::Counter,
    limit::{COMPONENT, PARENTS, PAYLOAD},
    map::{Lineage, ProcessId},
    record::{File, FileAction, PathSource, RecordKind, Rung, fault, flag},
    watch::{DirectoryKey, FileKey, class},
};

use crate::{
    count::{Ring, count, header},
    inode::Facts,
    lineage::{gated, member, process_of},
    load::{Load, Object, Probed},
    map::{LINEAGE_DIRECTORIES, LINEAGE_FILE_RING, LINEAGE_FILE_SCRATCH},
    offset::off,
    path,
    scratch::{Scratch, Writer},
    written::{self, file_key},
};

/// Classes whose reads are worth a record.
pub(crate) const READ: u32 =
    class::SCRIPT | class::LIBRARY | class::ARCHIVE | class::HANDLER | class::CREDENTIAL;

/// Classes a write of which can alert by itself, so that the agent is woken.
const URGENT: u32 = class::SCRIPT | class::LIBRARY | class::ARCHIVE | class::HANDLER;

/// Programs that can interrupt each other on a CPU; each has buffers of its own.
#[derive(Clone, Copy)]
#[repr(u32)]
pub(crate) enum Slot {
    Open,
    Rename,
    Link,
    Symlink,
    Chmod,
    Begin,
    Finish,
    Uring,
}

/// Number of [`Slot`]s.
pub(crate) const SLOTS: u32 = 8;

/// The process that acts.
#[derive(Clone, Copy)]
pub(crate) struct Actor {
    pub(crate) task: Object,
    pub(crate) process: ProcessId,
    /// `None` for a stranger.
    pub(crate) lineage: Option<Lineage>,
}

/// `true` when the current process may be a member: the cheap question.
#[inline(always)]
pub(crate) fn may_be_member() -> bool {
    // SAFETY: a helper without arguments.
    gated((unsafe { bpf_get_current_pid_tgid() } >> 32) as u32)
}

/// Who runs now.
#[inline(always)]
pub(crate) fn actor() -> Actor {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as Object;
    let process = process_of::<Probed>(task);
    Actor {
        task,
        process,
        lineage: member(process),
    }
}

/// `true` when the directory of `dentry` is a watched one.
#[inline(always)]
pub(crate) fn in_watched_directory(dentry: Object) -> bool {
    let parent = Probed::object(dentry, off!(dentry_parent));
    is_watched(Probed::object(parent, off!(dentry_inode)))
}

/// `true` for the inode of a watched directory.
#[inline(always)]
pub(crate) fn is_watched(inode: Object) -> bool {
    let key = directory_key(inode);
    // SAFETY: map values stay readable for the whole program run (RCU).
    unsafe { LINEAGE_DIRECTORIES.get(key) }.is_some()
}

/// A directory's inode as key.
#[inline(always)]
pub(crate) fn directory_key(inode: Object) -> DirectoryKey {
    let superblock = Probed::object(inode, off!(inode_sb));
    DirectoryKey {
        ino: Probed::read(inode, off!(inode_ino)),
        dev: Probed::read(superblock, off!(sb_dev)),
        pad: 0,
    }
}

/// A record being made.
#[derive(Clone, Copy)]
pub(crate) struct Draft {
    scratch: *mut Scratch<File>,
    pub(crate) writer: Writer,
}

impl Draft {
    /// Begins the record of one act, a `FileAction`. Takes a sequence number: it must be
    /// emitted.
    #[inline(always)]
    pub(crate) fn new(slot: Slot, actor: &Actor, action: u32) -> Option<Self> {
        let scratch = LINEAGE_FILE_SCRATCH.get_ptr_mut(slot as u32)?;
        let draft = Self {
            scratch,
            writer: Writer::new(scratch),
        };
        let record = draft.record();
        *record = File::default();
        record.header = header(
            Ring::File,
            RecordKind::File,
            0,
            actor.process,
            actor.lineage,
        );
        record.action = action;
        let cred = Probed::object(actor.task, off!(task_cred));
        record.uid = Probed::read(cred, off!(cred_uid));
        record.euid = Probed::read(cred, off!(cred_euid));
        let spaces = Probed::object(actor.task, off!(task_nsproxy));
        let mount_ns = Probed::object(spaces, off!(nsproxy_mnt_ns));
        record.mount_ns = Probed::read(mount_ns, off!(mnt_ns_common) + off!(ns_inum));
        Some(draft)
    }

    /// The fixed part.
    #[inline(always)]
    #[expect(
        clippy::mut_from_ref,
        reason = "the record lives in map memory, not in the draft"
    )]
    pub(crate) fn record(&self) -> &mut File {
        // SAFETY: a live per-CPU map value that the program's slot has to itself.
        unsafe { &mut (*self.scratch).record }
    }

    /// Notes how the act became known.
    #[inline(always)]
    pub(crate) fn known_by(&self, source: PathSource, rung: Rung) {
        let record = self.record();
        record.source = source as u32;
        record.rung = rung as u32;
        if matches!(rung, Rung::Lsm) {
            record.header.flags |= flag::ATTEMPT;
        }
    }

    /// Notes what the inode says, and who wrote the file before.
    #[inline(always)]
    pub(crate) fn inode(&self, facts: &Facts) -> FileKey {
        let record = self.record();
        record.ino = facts.ino;
        record.size = facts.size;
        record.ctime_s = facts.ctime_s;
        record.ctime_ns = facts.ctime_ns;
        record.dev = facts.dev;
        record.generation = facts.generation;
        record.nlink = facts.nlink;
        record.mode = facts.mode;
        record.owner = facts.owner;
        record.group = facts.group;
        record.header.flags |= flag::INODE;
        let key = file_key(facts);
        record.written = written::by(key, record.header.time_ns);
        key
    }

    /// Appends the path acted on.
    #[inline(always)]
    pub(crate) fn path(&self, dentry: u64, mount: u64) {
        self.record().spans.path = self.object(dentry, mount, fault::EXE_CUT);
    }

    /// Appends the other path.
    #[inline(always)]
    pub(crate) fn other(&self, dentry: u64, mount: u64) {
        self.record().spans.other = self.object(dentry, mount, fault::CWD_CUT);
    }

    /// Appends what is to be joined to the path acted on.
    #[inline(always)]
    pub(crate) fn path_text(&self, text: *const u8, len: u64) {
        self.record().spans.path_text = self.span(|writer| writer.kernel(text, len));
    }

    /// Appends what is to be joined to the other path.
    #[inline(always)]
    pub(crate) fn other_text(&self, text: *const u8, len: u64) {
        self.record().spans.other_text = self.span(|writer| writer.kernel(text, len));
    }

    /// [`Draft::path_text`] of a kernel string, at most `max` bytes.
    #[inline(always)]
    pub(crate) fn path_str(&self, text: Object, max: u32) {
        self.record().spans.path_text = self.str(text, max);
    }

    /// [`Draft::other_text`] of a kernel string, at most `max` bytes.
    #[inline(always)]
    pub(crate) fn other_str(&self, text: Object, max: u32) {
        self.record().spans.other_text = self.str(text, max);
    }

    #[inline(always)]
    fn str(&self, text: Object, max: u32) -> u32 {
        self.span(|writer| {
            // One that is cut or cannot be read is as long as what was appended.
            let _whole = writer.kernel_str(text, max);
        })
    }

    #[inline(always)]
    fn object(&self, dentry: u64, mount: u64, cut: u32) -> u32 {
        self.span(|writer| {
            let faults = path::append(writer.payload(), dentry, mount, cut);
            self.record().header.faults |= faults;
        })
    }

    /// Bytes that `append` appends.
    #[inline(always)]
    fn span(&self, append: impl FnOnce(Writer)) -> u32 {
        let before = self.writer.len();
        append(self.writer);
        self.writer.len().wrapping_sub(before) as u32
    }

    /// Appends what a stranger is: its executable, and its parents' by name.
    #[inline(always)]
    pub(crate) fn stranger(&self, task: Object) {
        let before = self.writer.len();
        if let Some(file) = executable(task) {
            let dentry = Probed::read(file, off!(file_path) + off!(path_dentry));
            let mount = Probed::read(file, off!(file_path) + off!(path_mnt));
            path::append(self.writer.payload(), dentry, mount, 0);
        }
        let between = self.writer.len();
        let mut task = task;
        for _ in 0..PARENTS {
            task = Probed::object(task, off!(task_real_parent));
            let Some(file) = executable(task) else {
                break;
            };
            let dentry = Probed::object(file, off!(file_path) + off!(path_dentry));
            let name = Probed::object(dentry, off!(dentry_name) + 8);
            self.writer.kernel_str(name, COMPONENT as u32);
        }
        let record = self.record();
        record.spans.exe = between.wrapping_sub(before) as u32;
        record.spans.parents = self.writer.len().wrapping_sub(between) as u32;
    }

    /// Writes the record to the ring. What can alert wakes the agent.
    #[inline(always)]
    pub(crate) fn emit(self) {
        let record = self.record();
        let len = size_of::<File>() + (self.writer.len() & (PAYLOAD - 1));
        record.header.len = len as u32;
        let urgent = record.class & URGENT != 0 && record.action != FileAction::Read as u32
            || record.header.flags & flag::WATCHED_DIRECTORY != 0
            || record.action == FileAction::Chmod as u32;
        let wakeup = if urgent {
            BPF_RB_FORCE_WAKEUP
        } else {
            BPF_RB_NO_WAKEUP
        };
        // SAFETY: the scratch begins with the record and the payload follows without a gap
        // (asserted next to its definition); `len` stays inside it.
        let bytes = unsafe { core::slice::from_raw_parts(self.scratch.cast::<u8>(), len) };
        match LINEAGE_FILE_RING.output::<[u8]>(bytes, u64::from(wakeup)) {
            Ok(()) => count(Counter::FileEmitted),
            Err(_) => count(Counter::FileRingFull),
        }
    }
}

/// File of the program that `task` runs; `None` for kernel threads.
#[inline(always)]
fn executable(task: Object) -> Option<Object> {
    let mm = Probed::object(task, off!(task_mm));
    if mm.is_null() {
        return None;
    }
    Some(Probed::object(mm, off!(mm_exe_file)))
}
