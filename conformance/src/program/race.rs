//! A second thread that rewrites a path while the kernel and the sensor read it: what
//! was opened or executed is what the kernel says, never what the bytes say later.

use std::{
    io, ptr,
    sync::{
        Arc,
        atomic::{AtomicU8, AtomicU64, Ordering},
    },
    thread,
};

use crate::{
    ledger::{FileKind, see_through, touched},
    step::argv,
    sys,
};

/// Rewrites in all.
const REWRITES: u64 = 1_000_000;
const EXECS: u64 = 40;
const OPENS: u64 = 200;

/// `./race-a` or `./race-b`, whichever it is now, and how often that changed.
struct Fickle {
    bytes: [AtomicU8; 9],
    changes: AtomicU64,
}

impl Fickle {
    fn start() -> Arc<Self> {
        let fickle = Arc::new(Self {
            bytes: b"./race-a\0".map(AtomicU8::new),
            changes: AtomicU64::new(0),
        });
        let shared = Arc::clone(&fickle);
        thread::spawn(move || {
            loop {
                shared.bytes[7].fetch_xor(b'a' ^ b'b', Ordering::Relaxed);
                shared.changes.fetch_add(1, Ordering::Relaxed);
            }
        });
        fickle
    }

    fn await_changes(&self, wanted: u64) {
        while self.changes.load(Ordering::Relaxed) < wanted {
            thread::yield_now();
        }
    }

    fn path(&self) -> *const libc::c_char {
        ptr::from_ref(&self.bytes).cast()
    }
}

pub(super) fn exec() -> io::Result<()> {
    for name in ["race-a", "race-b"] {
        std::fs::copy(super::SERVER, name)?;
    }
    for _ in 0..EXECS {
        see_through(sys::fork(|| {
            let Ok(argv) = argv("racer", &["code", "0"]) else {
                return 125;
            };
            let fickle = Fickle::start();
            fickle.await_changes(REWRITES / EXECS);
            let error = sys::exec_raw(fickle.path(), &argv);
            eprintln!("exec: {error}");
            126
        })?)?;
    }
    Ok(())
}

/// In a child: the thread has no other end.
pub(super) fn open() -> io::Result<()> {
    see_through(sys::fork(|| {
        super::status((|| {
            let fickle = Fickle::start();
            for turn in 0..OPENS {
                fickle.await_changes(turn * (REWRITES / OPENS));
                let flags = libc::O_CREAT | libc::O_WRONLY;
                let file = sys::open_raw(fickle.path(), flags, 0o644)?;
                touched(FileKind::Open, &file, None, None)?;
            }
            fickle.await_changes(REWRITES);
            Ok(())
        })())
    })?)
}
