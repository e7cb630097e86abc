//! Shells that somebody types into: no command, no script, or a terminal.

use super::{
    interpreter::{self, Run},
    program::Argv,
};
use crate::event::{Fd, Program};

/// Of a shell: somebody can type into it, whatever its service has.
pub(super) fn is_typed_into(program: &Program, name: &[u8]) -> bool {
    is_asked_to_be(program) || is_fed(program, name)
}

pub(super) fn has_tty(program: &Program) -> bool {
    program.stdio.contains(&Fd::Tty)
}

/// No command and no script; commands come by descriptor 0.
fn is_fed(program: &Program, name: &[u8]) -> bool {
    let [stdin, ..] = program.stdio;
    let open = matches!(stdin, Fd::Pipe | Fd::Socket | Fd::Tty);
    open && interpreter::run(program, name) == Some(Run::Input)
}

/// `-i`, also among other letters.
fn is_asked_to_be(program: &Program) -> bool {
    let argv = Argv::of(program);
    let mut at = 1;
    while let Some(arg) = argv.whole(at) {
        match arg {
            b"--" => return false,
            b"--rcfile" | b"--init-file" => at += 1,
            [b'-', b'-', ..] => {}
            [b'-', letters @ ..] if letters.contains(&b'i') => return true,
            [b'-', letters @ ..] if letters.contains(&b'c') => return false,
            [b'-', _, ..] => {}
            _ => return false,
        }
        at += 1;
    }
    false
}
