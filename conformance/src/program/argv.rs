//! Command lines made to hide, to break a line, or to lie later.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::status;
use crate::{
    ledger::see_through,
    step::become_step,
    sys::{self, Argv},
};

/// One argument may have 128 KiB with its NUL.
const LONGEST: usize = (128 << 10) - 1;

fn run(words: &[Vec<u8>]) -> io::Result<()> {
    let argv = Argv::new(words)?;
    see_through(sys::fork(|| {
        let error = sys::exec(c"./nginx", &argv);
        eprintln!("exec: {error}");
        126
    })?)
}

/// Two megabytes of padding before what matters.
pub(super) fn two_megabytes() -> io::Result<()> {
    see_through(sys::fork(|| {
        status((|| {
            // The kernel allows arguments a quarter of the stack.
            let wanted = Some(32 << 20);
            let hard = getrlimit(Resource::Stack).maximum;
            setrlimit(
                Resource::Stack,
                Rlimit {
                    current: hard.map_or(wanted, |hard| wanted.min(Some(hard))),
                    maximum: hard,
                },
            )?;
            let mut words = vec![b"nginx".to_vec(), b"step".to_vec()];
            words.extend(vec![vec![b' '; LONGEST]; 17]);
            words.push(b"the end".to_vec());
            run(&words)
        })())
    })?)
}

/// Every byte there is but NUL, escapes, newlines, bytes that are no UTF-8.
pub(super) fn bytes() -> io::Result<()> {
    run(&[
        b"nginx".to_vec(),
        b"step".to_vec(),
        (1..=255).collect(),
        b"\x1b]0;owned\x07\x1b[2J".to_vec(),
        b"line\n{\"rule\":\"forged\"}\r\n".to_vec(),
        b"\xff\xfe\xc3\x28".to_vec(),
        Vec::new(),
        Vec::new(),
    ])
}

pub(super) fn empty0() -> io::Result<()> {
    run(&[Vec::new(), b"step".to_vec()])
}

/// No argument at all: newer kernels make one empty one of it.
pub(super) fn none() -> io::Result<()> {
    run(&[])
}

/// The process overwrites its arguments as soon as it runs.
pub(super) fn rewritten() -> io::Result<()> {
    see_through(sys::fork(|| {
        become_step("./nginx", &["rewrite", "what", "was", "there"])
    })?)
}
