//! What the record of a program tells by itself, whoever runs it, and whether it is the
//! service's own image: made when a rule asks, once for an event.
//!
//! Fields that are made of a reading depend on these two and on nothing else. Verdicts
//! are remembered on that ground, so a reading must never be given more to look at.

use std::{borrow::Cow, cell::OnceCell};

use bstr::ByteSlice as _;
use rsigma_eval::EventValue;

use super::{command, interpreter, masquerade, place, program, view::text};
use crate::event::{Image, Program};

/// See the module.
pub(super) struct Reading<'s> {
    program: &'s Program,
    own_image: bool,
    command_line: OnceCell<String>,
    shell_command: OnceCell<Option<String>>,
    name: OnceCell<Cow<'s, str>>,
    server: OnceCell<bool>,
}

impl<'s> Reading<'s> {
    pub(super) const fn new(program: &'s Program, own_image: bool) -> Self {
        Self {
            program,
            own_image,
            command_line: OnceCell::new(),
            shell_command: OnceCell::new(),
            name: OnceCell::new(),
            server: OnceCell::new(),
        }
    }

    pub(super) const fn program(&self) -> &'s Program {
        self.program
    }

    pub(super) const fn image(&self) -> &'s Image {
        &self.program.image
    }

    pub(super) fn command_line(&self) -> &str {
        self.command_line.get_or_init(|| line(self.program))
    }

    /// Plain command line of a shell; `None` for every other program.
    pub(super) fn shell_command(&self) -> Option<&str> {
        self.shell_command
            .get_or_init(|| self.is_shell().then(|| command::plain(&self.program.args)))
            .as_deref()
    }

    pub(super) fn name(&self) -> &str {
        self.name
            .get_or_init(|| program::name(self.program).to_str_lossy())
    }

    pub(super) fn is_shell(&self) -> bool {
        program::is_shell(self.name().as_bytes())
    }

    /// The service executed its own image.
    pub(super) const fn is_own_image(&self) -> bool {
        self.own_image
    }

    /// The name of a server was borrowed.
    pub(super) fn is_server(&self) -> bool {
        let found = || !self.own_image && masquerade::is_server(self.program);
        *self.server.get_or_init(found)
    }

    /// Places of the script that is run, or of the executable when none is.
    pub(super) fn places(&self) -> u32 {
        match interpreter::script(self.program, self.name().as_bytes()) {
            Some(script) => place::places(&script),
            None => place::places(&self.program.image.path),
        }
    }

    /// Value of a variable of the environment; its values, when it was set more than once.
    pub(super) fn variable(&self, name: &str) -> Option<EventValue<'s>> {
        let set = &self.program.env;
        let mut values = set
            .iter()
            .filter(|(key, _)| *key == name)
            .map(|(_, value)| text(value));
        let first = values.next()?;
        let mut values: Vec<_> = values.collect();
        if values.is_empty() {
            return Some(first);
        }
        values.insert(0, first);
        Some(EventValue::Array(values))
    }
}

/// Arguments as text, joined by blanks.
pub(super) fn line(program: &Program) -> String {
    match String::from_utf8(program.args.command_line().into()) {
        Ok(line) => line,
        Err(error) => error.as_bytes().to_str_lossy().into_owned(),
    }
}
