//! What threads do to processes: exec and fork from one that does not lead, and every
//! order of leaving.

use std::{
    io,
    sync::{Arc, Barrier, Condvar, Mutex, PoisonError},
    thread,
};

use crate::{ledger::see_through, step::become_step, sys};

/// Processes whose threads end in every order, and threads of each.
const PROCESSES: usize = 100;
const THREADS: usize = 8;

/// The thread takes over the identity of the process it ends.
pub(super) fn exec() -> io::Result<()> {
    see_through(sys::fork(|| {
        let other = thread::spawn(|| become_step("./nginx", &["code", "0"]));
        other.join().unwrap_or(126)
    })?)
}

/// As java does: the creator is the process, whichever thread called.
pub(super) fn fork() -> io::Result<()> {
    see_through(sys::fork(|| {
        let other = thread::spawn(|| -> io::Result<()> {
            see_through(sys::fork(|| become_step("./nginx", &["code", "0"]))?)
        });
        super::status(
            other
                .join()
                .unwrap_or_else(|_| Err(io::Error::other("thread"))),
        )
    })?)
}

/// One exit each, however the threads leave: leader first, leader last, all at once,
/// killed.
pub(super) fn exits() -> io::Result<()> {
    for index in 0..PROCESSES {
        let child = sys::fork(|| leave(index))?;
        let who = crate::ledger::forked(child)?;
        crate::ledger::reap(child, who)?;
    }
    Ok(())
}

/// Whose turn it is to leave: each thread has one.
#[derive(Default)]
struct Turns {
    now: Mutex<usize>,
    changed: Condvar,
}

impl Turns {
    /// Waits for `turn`, and begins the next.
    fn take(&self, turn: usize) {
        let now = self.now.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_while(now, |now| *now != turn);
        *waited.unwrap_or_else(PoisonError::into_inner) += 1;
        self.changed.notify_all();
    }
}

/// Stays until another thread ends the process.
fn stay() -> ! {
    loop {
        thread::park();
    }
}

fn leave(index: usize) -> i32 {
    let meet = Arc::new(Barrier::new(THREADS));
    let turns = Arc::new(Turns::default());
    for thread in 1..THREADS {
        let (meet, turns) = (Arc::clone(&meet), Arc::clone(&turns));
        thread::spawn(move || {
            meet.wait();
            match index % 4 {
                1 if thread == 3 => sys::exit(3),
                // The last to leave differs from process to process.
                0 => turns.take((thread + index) % THREADS),
                _ => stay(),
            }
        });
    }
    meet.wait();
    match index % 4 {
        // The leader's thread alone; the process lives until the last is gone.
        0 => {
            turns.take(index % THREADS);
            sys::exit_thread()
        }
        1 => stay(),
        // At once, with all threads asleep.
        2 => 2,
        _ => {
            let me = rustix::process::getpid();
            let _killed = rustix::process::kill_process(me, rustix::process::Signal::KILL);
            0
        }
    }
}
