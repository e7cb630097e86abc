//! More than the ring holds, while nobody reads it: what arrived and what is counted as
//! lost must add up to what was made.

use std::{fs, io};

use super::{elf, file::make, image::executed};
use crate::{
    ledger::{forked, reap, say},
    sys::{self, Argv},
};

/// Bytes of one directory's name, and how deep they are nested: with its typed path,
/// its resolved path, its directory and its arguments a record has about 11 KiB.
const NAME: usize = 200;
const DEPTH: usize = 17;
/// Executions: about 18 MiB of records, and the ring has 16.
const EXECS: usize = 1_700;

/// Files: about 11 MiB of records, and their ring has 8.
const FILES: usize = 3_000;

/// Goes to a directory whose path is long.
fn descend() -> io::Result<()> {
    for depth in 0..DEPTH {
        let name = format!("{depth:x>NAME$}");
        fs::create_dir(&name)?;
        std::env::set_current_dir(&name)?;
    }
    Ok(())
}

/// More files written than their ring holds.
pub(super) fn files() -> io::Result<()> {
    descend()?;
    for number in 0..FILES {
        drop(make(&number.to_string())?);
    }
    Ok(())
}

pub(super) fn flood() -> io::Result<()> {
    descend()?;
    // `mov eax, 60; xor edi, edi; syscall`: it ends, and costs next to nothing.
    elf::write64("tiny", &[0xb8, 60, 0, 0, 0, 0x31, 0xff, 0x0f, 0x05])?;
    let typed = format!("{}tiny", "./".repeat(500));
    let path = sys::path(&typed)?;
    let padding = "p".repeat(4_000);
    for number in 0..EXECS {
        let number = number.to_string();
        let words = ["flood", &number, &padding];
        let child = sys::vfork_exec(&path, &Argv::new(&words)?)?;
        let who = forked(child)?;
        say(&executed(who, &typed, "tiny", &words, None)?)?;
        reap(child, who)?;
    }
    Ok(())
}
