//! How the program ends: exit codes, and the error that carries one.
//!
//! Wiring code passes `anyhow` errors on; a [`Failure`] anywhere in the chain decides the
//! exit code, and [`Failure::report`] prints the one sentence a person gets to read.

use std::{
    fmt,
    io::{self, Write as _},
    process::ExitCode,
};

use crate::printable::escape;

/// Exit codes, after `sysexits.h` where it has one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Ok = 0,
    /// A comparison found a difference, like `diff`.
    Found = 1,
    /// Bad usage or configuration (`EX_USAGE`).
    Usage = 64,
    /// A recording is truncated or corrupt (`EX_DATAERR`).
    Data = 65,
    /// The kernel lacks something required, or the agent asked for is not running
    /// (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A defect of the program itself (`EX_SOFTWARE`).
    Internal = 70,
    /// Privilege is missing (`EX_NOPERM`).
    Privilege = 77,
}

impl Exit {
    /// The one with this number; a number that is none is a defect.
    #[must_use]
    pub const fn of(code: u8) -> Self {
        match code {
            0 => Self::Ok,
            1 => Self::Found,
            64 => Self::Usage,
            65 => Self::Data,
            69 => Self::Unavailable,
            77 => Self::Privilege,
            _ => Self::Internal,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// An error that ends the program with a certain code.
#[derive(Debug)]
pub struct Failure {
    /// Exit code.
    pub code: Exit,
    /// One sentence, lower case, no full stop; may hold text from outside.
    pub message: String,
}

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(code: Exit, message: impl fmt::Display) -> Self {
        Self {
            code,
            message: message.to_string(),
        }
    }

    /// The whole chain of `error` as one sentence, with the code of the outermost
    /// [`Failure`] in it; without one it is [`Exit::Internal`].
    #[must_use]
    pub fn of(error: &anyhow::Error) -> Self {
        let code = error
            .chain()
            .find_map(|cause| cause.downcast_ref::<Self>())
            .map_or(Exit::Internal, |failure| failure.code);
        Self::new(code, format_args!("{error:#}"))
    }

    /// Prints `lineage-sensor: error: <sentence>` on standard error.
    #[must_use]
    pub fn report(&self) -> ExitCode {
        let line = format!("lineage-sensor: error: {}\n", escape(&self.message));
        // A closed standard error leaves nobody to tell; the exit code still does.
        drop(io::stderr().write_all(line.as_bytes()));
        self.code.into()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Attaches an exit code to an error in passing.
pub trait OrExit<T> {
    /// The error's chain as one sentence behind `what`, ending the program with `code`.
    ///
    /// # Errors
    /// When `self` is one.
    fn or_exit(self, code: Exit, what: impl fmt::Display) -> Result<T, Failure>;
}

impl<T, E: Into<anyhow::Error>> OrExit<T> for Result<T, E> {
    fn or_exit(self, code: Exit, what: impl fmt::Display) -> Result<T, Failure> {
        self.map_err(|error| Failure::new(code, format_args!("{what}: {:#}", error.into())))
    }
}

/// Writes a command's result to standard output; a reader that has gone away (`| head`)
/// is no failure.
///
/// # Errors
/// When standard output cannot be written (a full disk).
pub fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            Exit::Internal,
            format_args!("write standard output: {error}"),
        )),
        _ => Ok(()),
    }
}

/// An error with its causes, on one line.
#[must_use]
pub fn chain(error: &dyn std::error::Error) -> String {
    let mut text = String::new();
    let mut next = Some(error);
    while let Some(error) = next {
        let part = error.to_string();
        // Some errors repeat their cause in their own text.
        if !text.contains(&part) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&part);
        }
        next = error.source();
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use anyhow::Context as _;

    use super::*;

    #[test]
    fn a_failure_under_context_keeps_its_code() {
        let inner: Result<(), _> = Err(Failure::new(Exit::Privilege, "CAP_BPF is missing"));
        let failure = Failure::of(&inner.context("load programs").unwrap_err());
        assert_eq!(failure.code, Exit::Privilege);
        assert_eq!(failure.message, "load programs: CAP_BPF is missing");
    }

    #[test]
    fn an_error_without_a_code_is_internal() {
        assert_eq!(Failure::of(&anyhow::anyhow!("odd")).code, Exit::Internal);
    }

    #[test]
    fn or_exit_joins_the_chain() {
        let error: Result<(), _> = Err(io::Error::other("no vmlinux"));
        let failure = error.or_exit(Exit::Unavailable, "read BTF").unwrap_err();
        assert_eq!(
            (failure.code, failure.message.as_str()),
            (Exit::Unavailable, "read BTF: no vmlinux")
        );
    }
}
