//! `#!` scripts: script and interpreter are both facts.

use std::{fs, io, os::unix::fs::PermissionsExt as _};

use crate::{ledger::see_through, step::become_step, sys};

/// The interpreter is this executable, told by the line to be a step: the kernel makes
/// argv `interpreter, "step", script, rest`, and the step knows its own image.
fn script(name: &str, interpreter: &str) -> io::Result<()> {
    fs::write(name, format!("#!{interpreter} step\n"))?;
    fs::set_permissions(name, fs::Permissions::from_mode(0o755))
}

fn own_path() -> io::Result<String> {
    let path = fs::canonicalize("nginx")?;
    Ok(path.to_string_lossy().into_owned())
}

pub(super) fn one_level() -> io::Result<()> {
    script("one", &own_path()?)?;
    see_through(sys::fork(|| become_step("./one", &["code", "0"]))?)
}

/// The interpreter of the script is a script.
pub(super) fn two_levels() -> io::Result<()> {
    script("inner", &own_path()?)?;
    let inner = fs::canonicalize("inner")?;
    script("outer", &inner.to_string_lossy())?;
    see_through(sys::fork(|| become_step("./outer", &["code", "0"]))?)
}
