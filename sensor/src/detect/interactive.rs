//! Shells that somebody types into: no command, no script, or a terminal.

use super::{
    interpreter::{self, Run},
    program::Argv,
    view::View,
};
use crate::event::{Fd, Program};

impl View<'_> {
    /// A shell that takes its commands from where a person, or a program in his place, can
    /// type them.
    pub(super) fn is_interactive_shell(&self) -> bool {
        let program = self.program();
        self.reading.is_shell()
            && (is_asked_to_be(program)
                || is_fed(program, self.program_name().as_bytes())
                || self.has_terminal())
    }

    /// A terminal that the service itself does not have: one was made for this.
    fn has_terminal(&self) -> bool {
        let root = self.subject.lineage.ancestors.first();
        let root = root.and_then(|root| root.program.as_deref());
        self.service().is_some() && has_tty(self.program()) && !root.is_some_and(has_tty)
    }
}

fn has_tty(program: &Program) -> bool {
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
