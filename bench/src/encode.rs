//! Events back to the kernel's records: the reverse of `sensor::decode`.

use std::mem::offset_of;

use bstr::{BString, ByteSlice as _};
use sensor::event::{Event, Exec, Exit, ExitStatus, Fd, Fork, Membership, ProcessId, Stamp};
use sensor_common::record::{self, FdRaw, RecordKind, flag};

mod act;

/// A record under construction.
struct Record(Vec<u8>);

/// Writes an integer at a member of a record.
macro_rules! put {
    ($record:expr, $type:ty, $($member:ident).+ = $value:expr) => {
        $record.put(offset_of!($type, $($member).+), &$value.to_ne_bytes())
    };
}

use put;

impl Record {
    fn new(kind: RecordKind, size: usize) -> Self {
        let mut record = Self(vec![0; size]);
        put!(record, record::Header, kind = (kind as u32));
        record
    }

    fn put(&mut self, at: usize, bytes: &[u8]) {
        self.0[at..at + bytes.len()].copy_from_slice(bytes);
    }

    fn process(&mut self, at: usize, process: ProcessId) {
        self.put(
            at + offset_of!(ProcessId, start_ns),
            &process.start_ns.to_ne_bytes(),
        );
        self.put(
            at + offset_of!(ProcessId, tgid),
            &process.tgid.to_ne_bytes(),
        );
    }

    fn head(&mut self, stamp: Stamp, process: ProcessId, member: Option<Membership>, flags: u32) {
        put!(self, record::Header, seq = stamp.seq);
        put!(self, record::Header, time_ns = stamp.time_ns);
        put!(self, record::Header, cpu = stamp.cpu);
        self.process(offset_of!(record::Header, process), process);
        let mut flags = flags;
        if let Some(Membership { root, depth }) = member {
            flags |= flag::MEMBER;
            self.process(offset_of!(record::Header, root), root);
            put!(self, record::Header, depth = depth);
        }
        put!(self, record::Header, flags = flags);
    }

    fn finish(mut self) -> Vec<u8> {
        put!(self, record::Header, len = size(self.0.len()));
        self.0
    }
}

fn size(length: usize) -> u32 {
    u32::try_from(length).expect("a record is short")
}

/// The record of an event; `None` for a loss, which is none.
pub(super) fn encode(event: &Event) -> Option<Vec<u8>> {
    match event {
        Event::Fork(fork) => Some(self::fork(fork)),
        Event::Exec(exec) => Some(self::exec(exec)),
        Event::Exit(exit) => Some(self::exit(exit)),
        Event::File(file) => Some(act::file(file)),
        Event::Socket(socket) => Some(act::socket(socket)),
        Event::Lost(_) => None,
    }
}

fn fork(fork: &Fork) -> Vec<u8> {
    let mut record = Record::new(RecordKind::Fork, size_of::<record::Fork>());
    record.head(fork.stamp, fork.child, fork.membership, 0);
    record.process(offset_of!(record::Fork, creator), fork.creator);
    record.process(offset_of!(record::Fork, parent), fork.parent);
    put!(record, record::Fork, creator_tid = fork.creator_tid);
    put!(record, record::Fork, uid = fork.uid);
    record.finish()
}

fn exit(exit: &Exit) -> Vec<u8> {
    let mut record = Record::new(RecordKind::Exit, size_of::<record::Exit>());
    record.head(exit.stamp, exit.process, exit.membership, 0);
    let status = match exit.status {
        ExitStatus::Code(code) => u32::from(code) << 8,
        ExitStatus::Signal(signal) => signal.into(),
    };
    put!(record, record::Exit, status = status);
    record.finish()
}

fn exec(exec: &Exec) -> Vec<u8> {
    let program = &exec.program;
    let mut record = Record::new(RecordKind::Exec, size_of::<record::Exec>());
    record.head(exec.stamp, exec.process, exec.membership, flags(exec));
    put!(record, record::Header, faults = program.faults.0);
    record.process(offset_of!(record::Exec, parent), exec.parent);
    image(&mut record, exec);
    put!(record, record::Exec, uid = program.cred.uid);
    put!(record, record::Exec, gid = program.cred.gid);
    put!(record, record::Exec, euid = program.cred.euid);
    put!(record, record::Exec, egid = program.cred.egid);
    put!(
        record,
        record::Exec,
        login_uid = program.cred.login_uid.unwrap_or(u32::MAX)
    );
    put!(
        record,
        record::Exec,
        session_id = program.cred.session_id.unwrap_or(u32::MAX)
    );
    put!(record, record::Exec, mount_ns = program.ns.mount);
    put!(record, record::Exec, pid_ns = program.ns.pid);
    put!(record, record::Exec, ns_pid = program.ns.inner_pid);
    put!(record, record::Exec, cgroup_id = program.cgroup.id);
    put!(record, record::Exec, argc = program.args.argc);
    put!(record, record::Exec, args_total = program.args.total);
    for (index, fd) in program.stdio.iter().enumerate() {
        let at = offset_of!(record::Exec, stdio) + index * size_of::<FdRaw>();
        let (mode, rdev) = descriptor(*fd);
        record.put(at + offset_of!(FdRaw, mode), &mode.to_ne_bytes());
        record.put(at + offset_of!(FdRaw, rdev), &rdev.to_ne_bytes());
    }
    payload(&mut record, exec);
    record.finish()
}

fn flags(exec: &Exec) -> u32 {
    let image = &exec.program.image;
    [
        (exec.recognised, flag::RECOGNISED),
        (exec.candidate, flag::CANDIDATE),
        (image.unlinked, flag::UNLINKED),
        (image.upper.is_some(), flag::OVERLAY),
        (image.upper == Some(true), flag::OVERLAY_UPPER),
    ]
    .iter()
    .filter(|(set, _)| *set)
    .fold(0, |flags, (_, bit)| flags | bit)
}

fn image(record: &mut Record, exec: &Exec) {
    let image = &exec.program.image;
    let ctime = image.ctime_ns.unwrap_or(0);
    let nanoseconds = u32::try_from(ctime.rem_euclid(1_000_000_000)).expect("below a second");
    put!(record, record::Exec, ino = image.file.ino);
    put!(record, record::Exec, dev = image.file.dev);
    put!(record, record::Exec, size = image.size);
    put!(
        record,
        record::Exec,
        ctime_s = ctime.div_euclid(1_000_000_000)
    );
    put!(record, record::Exec, ctime_ns = nanoseconds);
    put!(record, record::Exec, nlink = image.nlink);
    put!(record, record::Exec, mode = image.mode);
    put!(record, record::Exec, owner = image.owner);
    put!(record, record::Exec, group = image.group);
    if let Some(written) = exec.program.written {
        record.process(offset_of!(record::Exec, written.root), written.root);
        put!(record, record::Exec, written.age_ns = written.age_ns);
    }
}

fn payload(record: &mut Record, exec: &Exec) {
    let program = &exec.program;
    let env: Vec<u8> = program
        .env
        .iter()
        .flat_map(|(name, value)| [name.as_slice(), b"=", value.as_slice(), b"\0"].concat())
        .collect();
    // A middle that is missing would leave variables out again: only its length is kept.
    put!(record, record::Exec, env_total = (env.len() as u64));
    let parts = [
        joined(&program.args.head),
        joined(&program.args.tail),
        [program.filename.as_slice(), b"\0"].concat(),
        [program.interp.as_slice(), b"\0"].concat(),
        components(&program.image.path),
        components(&program.cwd),
        components(&program.cgroup.path),
        env,
        Vec::new(),
    ];
    let spans = offset_of!(record::Exec, spans);
    for (index, part) in parts.iter().enumerate() {
        record.put(spans + index * 4, &size(part.len()).to_ne_bytes());
        record.0.extend_from_slice(part);
    }
}

fn joined(args: &[BString]) -> Vec<u8> {
    args.iter()
        .flat_map(|arg| [arg.as_slice(), b"\0"].concat())
        .collect()
}

/// A path as components, leaf first, each ended by NUL.
fn components(path: &BString) -> Vec<u8> {
    let path = path.strip_prefix(b"/").unwrap_or(path);
    path.rsplit_str("/")
        .flat_map(|component| [component, b"\0"].concat())
        .collect()
}

fn descriptor(fd: Fd) -> (u32, u32) {
    match fd {
        Fd::Unknown => (FdRaw::UNREADABLE, 0),
        Fd::Closed => (FdRaw::CLOSED, 0),
        Fd::Pipe => (0o010_000, 0),
        Fd::Socket => (0o140_000, 0),
        Fd::Tty => (0o020_000, 4 << 20),
        Fd::Null => (0o020_000, 1 << 20 | 3),
        Fd::File => (0o100_000, 0),
        Fd::Directory => (0o040_000, 0),
        Fd::Device => (0o060_000, 0),
        Fd::Anonymous => (0, 0),
    }
}
