//! What an executed image does: say what it is, then the next thing its arguments name.
//!
//! Arguments behind those it knows are there to be seen by the sensor.

use std::{ffi::OsString, fs, io, os::unix::ffi::OsStrExt as _, process::ExitCode};

use crate::{
    ledger::{self, Line},
    sys::{self, Argv},
};

pub(crate) fn main(argv: &[OsString]) -> ExitCode {
    match run(argv) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("step: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(argv: &[OsString]) -> io::Result<u8> {
    let mut image = ledger::own_image()?;
    let word = |index: usize| argv.get(index).and_then(|word| word.to_str());
    if word(3) == Some("step") {
        // By a `#!` line, which put the interpreter first.
        image.interp = word(0).map(str::to_owned);
    }
    if let (Some("jailed"), Some(root)) = (word(2), word(3)) {
        // What is `/` here is a directory for whoever looks from outside.
        image.path = image.path.map(|path| format!("{root}{path}"));
    }
    ledger::say(&Line::Exec(image))?;
    match word(2) {
        // The next image in this process, `word(3)` more times.
        Some("chain") => chain(word(3)),
        Some("rewrite") => rewrite().map(|()| 0),
        Some("comm") => rename_self().map(|()| 0),
        Some("write") => fs::write("written", "").map(|()| 0),
        Some("code") => Ok(word(3).and_then(|code| code.parse().ok()).unwrap_or(1)),
        _ => Ok(0),
    }
}

fn chain(left: Option<&str>) -> io::Result<u8> {
    let left: u32 = left.and_then(|left| left.parse().ok()).unwrap_or(0);
    if left == 0 {
        return Ok(0);
    }
    let next = (left - 1).to_string();
    let argv = Argv::new(&["chain", "step", "chain", &next])?;
    Err(sys::exec(c"./nginx", &argv))
}

/// Makes this process look like another to whoever reads its arguments now.
fn rewrite() -> io::Result<()> {
    let text = fs::read_to_string("/proc/self/stat")?;
    let bound = |index| -> io::Result<usize> {
        usize::try_from(ledger::field(&text, index)?).map_err(io::Error::other)
    };
    let (start, end) = (bound(47)?, bound(48)?);
    sys::overwrite(start, end.saturating_sub(1), b'x');
    let now = fs::read("/proc/self/cmdline")?;
    if now.starts_with(b"xxxx") {
        Ok(())
    } else {
        Err(io::Error::other("the arguments did not change"))
    }
}

/// Renames this thread, as `prctl(PR_SET_NAME)` does.
fn rename_self() -> io::Result<()> {
    fs::write("/proc/self/comm", "kworker/0:1")?;
    rustix::thread::set_name(c"kworker/0:1")?;
    Ok(())
}

/// argv of a step, with a name and what it is to do.
pub(crate) fn argv(name: &str, words: &[&str]) -> io::Result<Argv> {
    let mut all: Vec<&[u8]> = vec![name.as_bytes(), b"step"];
    all.extend(words.iter().map(|word| word.as_bytes()));
    Argv::new(&all)
}

/// Runs `path` as a step in this process; comes back only to fail.
pub(crate) fn become_step(path: impl AsRef<std::path::Path>, words: &[&str]) -> i32 {
    let path = path.as_ref();
    let error = sys::path(path).and_then(|name| {
        let argv = argv(&String::from_utf8_lossy(path.as_os_str().as_bytes()), words)?;
        Ok(sys::exec(&name, &argv))
    });
    let error = error.unwrap_or_else(|error| error);
    eprintln!("exec {}: {error}", path.display());
    126
}
