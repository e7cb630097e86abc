//! Environment variables that make a program load or run something besides itself, and
//! that were not there before.
//!
//! A variable counts when neither the program this process ran before nor the one that
//! made it had it with this value. Values that name only files where nobody but root
//! installs are let pass: allocators and monitoring agents are preloaded so.

use bstr::{BStr, ByteSlice};

use crate::{decode::FUNCTION, event::Program};

/// Variables that hold paths, separated by colons or blanks.
const PATHS: &[&str] = &[
    "LD_PRELOAD",
    "LD_AUDIT",
    "LD_LIBRARY_PATH",
    "GCONV_PATH",
    "BASH_ENV",
];

/// Variables that hold options, among them some that load a file.
const OPTIONS: &[&str] = &[
    "PERL5OPT",
    "NODE_OPTIONS",
    "JAVA_TOOL_OPTIONS",
    "JDK_JAVA_OPTIONS",
    "_JAVA_OPTIONS",
    "RUBYOPT",
    "PYTHONSTARTUP",
];

/// Where nobody but root installs.
const SYSTEM: &[&str] = &[
    "/usr/",
    "/lib/",
    "/lib32/",
    "/lib64/",
    "/opt/",
    "/nix/store/",
];

/// Names of the variables of `program` that are new: `known` ran before it, or made it.
pub(super) fn added<'s>(program: &'s Program, known: [Option<&Program>; 2]) -> Vec<&'s BStr> {
    let is_new = |variable: &&(_, _)| {
        let had = |program: &Program| program.env.contains(variable);
        !known.iter().flatten().any(|program| had(program))
    };
    let loads = program
        .env
        .iter()
        .filter(|(name, value)| is_telling(name, value));
    loads
        .filter(is_new)
        .map(|(name, _)| name.as_bstr())
        .collect()
}

pub(crate) fn is_telling(name: &[u8], value: &[u8]) -> bool {
    if OPTIONS.iter().any(|known| known.as_bytes() == name) {
        return !value.is_empty();
    }
    PATHS.iter().any(|known| known.as_bytes() == name) && split(value).any(|path| !is_system(path))
}

fn is_system(path: &[u8]) -> bool {
    !path.contains_str("/.") && SYSTEM.iter().any(|it| path.starts_with(it.as_bytes()))
}

fn split(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    let parts = value.split(|byte| matches!(byte, b':' | b' ' | b'\t' | b'\n' | b';'));
    parts.filter(|part| !part.is_empty())
}

/// Every path named in a variable that holds paths.
pub(super) fn paths(program: &Program) -> impl Iterator<Item = &[u8]> {
    let named = |name: &[u8]| PATHS.iter().any(|known| known.as_bytes() == name);
    let variables = program.env.iter().filter(move |(name, _)| named(name));
    variables.flat_map(|(_, value)| split(value))
}

/// Names of the variables whose value is a shell function. Shells since 2014 export
/// functions under names of their own, which no request header can have.
pub(super) fn functions(program: &Program) -> Vec<&BStr> {
    let found = program
        .env
        .iter()
        .filter(|(name, value)| is_function(name, value));
    found.map(|(name, _)| name.as_bstr()).collect()
}

/// The value is a shell function, and not one that a shell exported.
pub(crate) fn is_function(name: &[u8], value: &[u8]) -> bool {
    let exported =
        name.starts_with(b"BASH_FUNC_") && (name.ends_with(b"%%") || name.ends_with(b"()"));
    value.starts_with(FUNCTION.as_bytes()) && !exported
}
