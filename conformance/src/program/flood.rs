//! More than the ring holds, while nobody reads it: what arrived and what is counted as
//! lost must add up to what was made.

use std::{fs, io};

use crate::{ledger::see_through, step, sys};

/// Bytes of one directory's name, and how deep they are nested: with its typed path,
/// its resolved path, its directory and its arguments a record has about 10 KiB.
const NAME: usize = 200;
const DEPTH: usize = 17;
/// Executions: about 22 MiB of records, and the ring has 16.
const EXECS: usize = 2_200;

pub(super) fn flood() -> io::Result<()> {
    let server = fs::canonicalize(super::SERVER)?;
    for depth in 0..DEPTH {
        let name = format!("{depth:x>NAME$}");
        fs::create_dir(&name)?;
        std::env::set_current_dir(&name)?;
    }
    fs::hard_link(server, super::SERVER)?;
    let path = sys::path(format!("{}nginx", "./".repeat(500)))?;
    let padding = "p".repeat(4_000);
    for number in 0..EXECS {
        let argv = step::argv("flood", &["code", "0", &number.to_string(), &padding])?;
        see_through(sys::vfork_exec(&path, &argv)?)?;
    }
    Ok(())
}
