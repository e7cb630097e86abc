//! Secrets in arguments and environment, replaced before anything is written that may
//! be passed on: alerts, the history, recordings, answers to those who ask.
//!
//! Decides by the words around a value: option and variable names, program and option,
//! well-known shapes of tokens, user information in URLs, and patterns of the
//! configuration. Of whole arguments it errs on the side of replacing; in lines for a shell
//! on that of showing, so that nobody hides a command by its name. The number of arguments never changes,
//! nor does the program that was run. Works on bytes and in linear time: what it reads is
//! chosen by whoever is watched. Rules read what was really there.

mod key;
mod mark;
mod shapes;
mod spans;
mod subject;
mod words;

use std::{borrow::Cow, sync::Arc};

use bstr::ByteSlice as _;

use self::shapes::Patterns;
pub use self::{
    key::{Key, KeyError},
    mark::REDACTED,
    shapes::{PATTERN_MAX, PATTERNS_MAX, PatternError},
    subject::Shown,
};
use crate::{
    engine::Input,
    event::{Args, Event, Program, Snapshot},
};

/// A secret that goes may have hidden another from a pattern: most times that a line is read.
const PASSES: usize = 8;

/// An input without secrets.
#[derive(Debug, Default)]
pub struct Clean {
    /// The changed input; `None` when nothing had to be replaced.
    pub input: Option<Input>,
    /// Arguments and variables in which something was.
    pub replaced: u64,
}

/// Checks patterns for a configuration.
///
/// # Errors
/// The first pattern that cannot be used.
pub fn check(patterns: &[String]) -> Result<(), PatternError> {
    Patterns::configured(patterns).map(drop)
}

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    configured: Patterns,
    key: Option<Key>,
    /// Acts are shown as they are.
    shows_all: bool,
}

impl Redactor {
    /// The shapes that come with the sensor, and these patterns: regular expressions on
    /// bytes, whose group `secret` is replaced, or all they match.
    ///
    /// # Errors
    /// When one of the patterns cannot be used.
    pub fn new(patterns: &[String]) -> Result<Self, PatternError> {
        Ok(Self {
            configured: Patterns::configured(patterns)?,
            ..Self::default()
        })
    }

    /// The same, and acts are shown with their secrets. What is written down to last,
    /// recordings and profiles, goes without them all the same.
    #[must_use]
    pub fn showing_all(mut self, shows_all: bool) -> Self {
        self.shows_all = shows_all;
        self
    }

    /// The same with marks by which secrets can be told apart.
    #[must_use]
    pub fn with_key(mut self, key: Key) -> Self {
        self.key = Some(key);
        self
    }

    /// Replaces the secrets in an input.
    #[must_use]
    pub fn input(&self, input: &Input) -> Clean {
        match input {
            Input::Event(Event::Exec(exec)) => {
                let (program, replaced) = self.program(&exec.program);
                let clean = program.map(|program| {
                    let mut exec = exec.clone();
                    exec.program = program;
                    Input::Event(Event::Exec(exec))
                });
                Clean {
                    input: clean,
                    replaced,
                }
            }
            Input::Snapshot(snapshot) => self.scan(snapshot),
            Input::Inspected(process, found, image) => {
                let (clean, replaced) = self.program(found);
                Clean {
                    input: clean.map(|clean| Input::Inspected(*process, clean, image.clone())),
                    replaced,
                }
            }
            _ => Clean::default(),
        }
    }

    fn scan(&self, snapshot: &Snapshot) -> Clean {
        let mut snapshot = snapshot.clone();
        let mut replaced = 0;
        for row in &mut snapshot.processes {
            let Some((Some(clean), count)) = row.program.as_ref().map(|it| self.program(it)) else {
                continue;
            };
            row.program = Some(clean);
            replaced += count;
        }
        Clean {
            input: (replaced > 0).then_some(Input::Snapshot(snapshot)),
            replaced,
        }
    }

    /// Replaces the secrets in command line and environment of a program. `None` when
    /// there are none; how many arguments and variables had one.
    #[must_use]
    pub fn program(&self, program: &Arc<Program>) -> (Option<Arc<Program>>, u64) {
        self.heard(program, &mut |_| ())
    }

    /// The same, telling `hear` each secret.
    fn heard(
        &self,
        program: &Arc<Program>,
        hear: &mut dyn FnMut(&[u8]),
    ) -> (Option<Arc<Program>>, u64) {
        let (args, in_args) = self.args(&program.args, hear);
        let mut env = program.env.clone();
        let mut in_env = 0;
        for (name, value) in &mut env {
            let named = [name.as_slice(), b"="].concat();
            let pair = [named.as_slice(), value].concat();
            if let Some(clean) = self.line(&pair, hear) {
                // A pattern that takes the name as well leaves nothing to tell.
                *value = clean.strip_prefix(&named[..]).unwrap_or(&clean).into();
                in_env += 1;
            }
        }
        let replaced = in_args + in_env;
        if replaced == 0 {
            return (None, 0);
        }
        let mut clean = Program::clone(program);
        clean.args = args;
        clean.env = env;
        (Some(Arc::new(clean)), replaced)
    }

    /// Some argument holds a secret, or held one before it was replaced.
    #[must_use]
    pub fn is_secret(&self, args: &Args) -> bool {
        self.args(args, &mut |_| ()).1 > 0 || args.iter().any(|arg| mark::is_within(arg))
    }

    /// Replaces in arguments, joined by NUL or by blanks, that are to be shown.
    #[must_use]
    pub fn text<'t>(&self, text: &'t [u8]) -> Cow<'t, [u8]> {
        if self.shows_all {
            return Cow::Borrowed(text);
        }
        self.line(text, &mut |_| ())
            .map_or(Cow::Borrowed(text), Cow::Owned)
    }

    /// Arguments that are to be shown.
    #[must_use]
    pub fn words(&self, args: &Args) -> Vec<String> {
        let line = bstr::join("\0", args.iter());
        let shown = self.text(&line);
        let words = shown
            .split(|&byte| byte == 0)
            .map(|word| word.to_str_lossy().into_owned());
        words.take(args.iter().count()).collect()
    }

    fn args(&self, args: &Args, hear: &mut dyn FnMut(&[u8])) -> (Args, u64) {
        let mut clean = args.clone();
        // What the end holds may hang on what the beginning says.
        let Some(line) = self.line(&bstr::join("\0", args.iter()), hear) else {
            return (clean, 0);
        };
        let mut replaced = 0;
        let mut shown = line.split(|&byte| byte == 0);
        let gap = (0..usize::from(args.truncated)).map(|_| None);
        let each = clean.head.iter_mut().map(Some).chain(gap);
        for arg in each.chain(clean.tail.iter_mut().map(Some)) {
            // None is taken and none is put in between: the numbers agree.
            let shown = shown.next().unwrap_or_default();
            if let Some(arg) = arg.filter(|arg| arg.as_slice() != shown) {
                *arg = shown.into();
                replaced += 1;
            }
        }
        (clean, replaced)
    }

    /// Replaces in arguments joined by NUL. `None` when there is nothing to replace.
    fn line(&self, line: &[u8], hear: &mut dyn FnMut(&[u8])) -> Option<Vec<u8>> {
        let mut text: Option<Vec<u8>> = None;
        for _ in 0..PASSES {
            let read = text.as_deref().unwrap_or(line);
            let mut found = Vec::new();
            let reads = words::find(read, &mut found);
            shapes::OF_ARGUMENTS.find(read.get(..reads).unwrap_or(read), &mut found);
            shapes::OF_WORDS.find(read, &mut found);
            self.configured.find(read, &mut found);
            let spans = spans::secrets(read, found);
            if spans.is_empty() {
                break;
            }
            text = Some(spans::replaced(read, &spans, |secret| {
                hear(secret);
                mark::of(secret, self.key.as_ref())
            }));
        }
        text
    }
}

#[cfg(test)]
mod tests;
