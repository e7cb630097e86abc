//! One program of a chain: the executable, and its arguments with placeholders.
//!
//! The executable is the file as the kernel resolved it. Of a shell's `-c` the command is
//! taken apart; `--` before it is dropped, since some C libraries write it and some do
//! not. What a shell or an interpreter is given to run is always literal.

use std::{borrow::Cow, cell::OnceCell, fmt};

use sensor_common::record::fault;

use super::{
    Refusal,
    command::Command,
    template::{Freedom, Template},
    token::{Token, tokens},
    tool::{self, Review},
};
use crate::{
    detect::{Run, is_loader, is_multicall, is_shell, program_name, run, script, stem},
    event::Program,
};

/// Most arguments of a program.
pub(super) const ARGS_MAX: usize = 128;

/// A program as it ran, ready to be learnt or compared.
#[derive(Debug)]
pub(super) struct Ran<'p> {
    exe: &'p str,
    args: Vec<Cow<'p, str>>,
    /// Which of `args` is the command of a shell, and what it consists of.
    command: Option<(usize, Vec<Token>)>,
    /// Of its arguments.
    freedom: OnceCell<Freedom>,
    name: &'p [u8],
    /// Arguments up to this one are literal: the script.
    literal: usize,
}

impl<'p> Ran<'p> {
    /// Takes a program apart.
    ///
    /// # Errors
    /// When something about it is not known, or is of a kind that is never matched.
    pub(super) fn new(program: &'p Program) -> Result<Self, Refusal> {
        whole(program)?;
        let exe = str::from_utf8(&program.image.path).or(Err(Refusal::Encoding))?;
        let args: Result<Vec<_>, _> = program.args.iter().map(|arg| text(arg)).collect();
        let mut ran = Self {
            exe,
            args: args?,
            command: None,
            freedom: OnceCell::new(),
            name: program_name(program),
            literal: 0,
        };
        if ran.args.len() > ARGS_MAX {
            return Err(Refusal::Long);
        }
        ran.interpret(program)?;
        Ok(ran)
    }

    /// Finds what a shell or an interpreter was given to run.
    fn interpret(&mut self, program: &Program) -> Result<(), Refusal> {
        let name = program_name(program);
        let shell = is_shell(name);
        match run(program, name) {
            Some(Run::Input) => return Err(Refusal::Input),
            Some(Run::Code) if shell => {
                let refs: Vec<&str> = self.args.iter().map(AsRef::as_ref).collect();
                let (at, dashes) = command_at(&refs).ok_or(Refusal::Option)?;
                if dashes {
                    self.args.remove(at);
                }
                let text = self.args.get(at).ok_or(Refusal::Input)?;
                self.command = Some((at, tokens(text.as_bytes())?));
                self.literal = at;
            }
            Some(Run::Script(path)) => self.literal = absolute(program, path, &mut self.args)?,
            Some(Run::Code) => self.freedom = OnceCell::from(Freedom::None),
            Some(Run::Other) if shell => return Err(Refusal::Option),
            Some(Run::Other) | None => {}
        }
        Ok(())
    }

    /// Path of the executable.
    #[must_use]
    pub(super) const fn exe(&self) -> &'p str {
        self.exe
    }

    /// Appends what finds the entries worth comparing: executable, programs of a command.
    pub(super) fn route(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.exe.as_bytes());
        for program in self.tokens().into_iter().flat_map(Command::programs_of) {
            out.push(0);
            out.extend_from_slice(program);
        }
        out.push(b'\n');
    }

    fn tokens(&self) -> Option<&[Token]> {
        self.command.as_ref().map(|(_, tokens)| tokens.as_slice())
    }

    /// The tokens of argument `index`, when it is the command of a shell.
    fn command(&self, index: usize) -> Option<&[Token]> {
        self.tokens()
            .filter(|_| self.command.as_ref().is_some_and(|(at, _)| *at == index))
    }

    fn freedom(&self, index: usize) -> Freedom {
        if index <= self.literal {
            Freedom::None
        } else {
            *self.freedom.get_or_init(|| tool::freedom(self.name))
        }
    }
}

/// Everything about the program is known, and it is a file that was there before.
fn whole(program: &Program) -> Result<(), Refusal> {
    let lacking = fault::ARGS | fault::ARGS_CUT | fault::EXE_CUT | fault::PATH;
    if program.args.truncated || program.faults.has(lacking) {
        Err(Refusal::Truncated)
    } else if program.image.unlinked {
        Err(Refusal::Unlinked)
    } else if program.written.is_some() {
        Err(Refusal::Written)
    } else if is_loader(program.image.name()) {
        Err(Refusal::Loader)
    } else {
        Ok(())
    }
}

/// An argument as text; line breaks and tabs may stand in code.
fn text(arg: &[u8]) -> Result<Cow<'_, str>, Refusal> {
    if arg.len() > super::template::TEXT_MAX {
        return Err(Refusal::Long);
    }
    let strange = |byte: &u8| byte.is_ascii_control() && !matches!(byte, b'\n' | b'\t');
    if arg.iter().any(strange) {
        return Err(Refusal::Control);
    }
    str::from_utf8(arg)
        .map(Cow::Borrowed)
        .or(Err(Refusal::Encoding))
}

/// Puts the whole path in the place of a script named from a working directory, which
/// anybody may choose. Returns where it stands; the last place when it is named twice.
fn absolute(program: &Program, path: &[u8], args: &mut [Cow<'_, str>]) -> Result<usize, Refusal> {
    let named = |arg: &Cow<'_, str>| arg.as_bytes() == path;
    let at = args.iter().rposition(named).ok_or(Refusal::Option)?;
    if path.starts_with(b"/") {
        return Ok(at);
    }
    if program.faults.has(fault::CWD_CUT) {
        return Err(Refusal::Truncated);
    }
    let whole = script(program, program_name(program)).ok_or(Refusal::Option)?;
    let whole = String::from_utf8(whole.into_owned()).or(Err(Refusal::Encoding))?;
    for arg in args.iter_mut().filter(|arg| named(arg)) {
        *arg = Cow::Owned(whole.clone());
    }
    Ok(at)
}

/// Where the command of a shell stands, and whether `--` stands there before it. `None`
/// when an option may mean more than errors, echo and names.
fn command_at(args: &[&str]) -> Option<(usize, bool)> {
    let own = args.first()?;
    let name = own.rsplit('/').next().unwrap_or(own);
    let mut at = if is_multicall(name.as_bytes()) { 2 } else { 1 };
    loop {
        let letters = args.get(at)?.strip_prefix('-')?;
        let known = !letters.is_empty() && letters.bytes().all(|byte| b"ceufx".contains(&byte));
        if !known {
            return None;
        }
        at += 1;
        if letters.contains('c') {
            return Some((at, args.get(at) == Some(&"--")));
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Arg {
    Text(Template),
    Command(Command),
}

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Step {
    exe: String,
    args: Vec<Arg>,
}

impl Step {
    /// The step of a program seen once.
    ///
    /// # Errors
    /// When the command of a shell cannot be taken apart.
    pub(super) fn of(ran: &Ran<'_>) -> Result<Self, Refusal> {
        let arg = |(index, text): (usize, &Cow<'_, str>)| {
            if let Some(tokens) = ran.command(index) {
                return Command::of(tokens).map(Arg::Command);
            }
            Ok(Arg::Text(Template::of(text, ran.freedom(index))))
        };
        let args: Result<_, _> = ran.args.iter().enumerate().map(arg).collect();
        Ok(Self {
            exe: ran.exe.to_owned(),
            args: args?,
        })
    }

    /// Reads a step as a file has it.
    ///
    /// # Errors
    /// When the executable is no path, or an argument is no template.
    pub fn parse(exe: &str, args: &[String]) -> Result<Self, String> {
        if !exe.starts_with('/') || exe.chars().any(char::is_control) {
            return Err(format!("exe `{exe}`: expected an absolute path"));
        }
        if args.len() > ARGS_MAX {
            return Err(format!("more than {ARGS_MAX} arguments"));
        }
        let refs: Vec<&str> = args.iter().map(String::as_str).collect();
        let name = name(exe, &refs);
        let command = if is_shell(name) {
            command_at(&refs)
        } else {
            None
        };
        if command.is_some_and(|(at, dashes)| dashes || args.get(at).is_none()) {
            return Err("expected a command directly behind -c, without --".to_owned());
        }
        let command = command.map(|(at, _)| at);
        let freedom = tool::freedom(name);
        let arg = |(index, text): (usize, &String)| {
            let number = index + 1;
            if command == Some(index) {
                let read = Command::parse(text).map(Arg::Command);
                return read.map_err(|error| format!("argument {number}: {error}"));
            }
            let read = Template::parse(text).and_then(|template| {
                let free = if index == 0 { Freedom::None } else { freedom };
                let strange = template.classes().find(|class| !free.allows(class));
                match strange.map(|class| format!("{class} may not stand there")) {
                    Some(error) => Err(error),
                    None => Ok(Arg::Text(template)),
                }
            });
            read.map_err(|error| format!("argument {number}: {error}"))
        };
        let args: Result<_, _> = args.iter().enumerate().map(arg).collect();
        Ok(Self {
            exe: exe.to_owned(),
            args: args?,
        })
    }

    /// Path of the executable.
    #[must_use]
    pub fn exe(&self) -> &str {
        &self.exe
    }

    /// Arguments as a file has them.
    pub fn args(&self) -> impl Iterator<Item = String> {
        self.args.iter().map(|arg| match arg {
            Arg::Text(template) => template.to_string(),
            Arg::Command(command) => command.to_string(),
        })
    }

    /// `ran` is what this stands for.
    #[must_use]
    pub(super) fn matches(&self, ran: &Ran<'_>) -> bool {
        let arg = |(index, (arg, text)): (usize, (&Arg, &Cow<'_, str>))| match (
            arg,
            ran.command(index),
        ) {
            (Arg::Text(template), None) => template.matches(text.as_bytes()),
            (Arg::Command(command), Some(tokens)) => command.matches(tokens),
            _ => false,
        };
        let pairs = self.args.iter().zip(&ran.args);
        self.exe == ran.exe && self.args.len() == ran.args.len() && pairs.enumerate().all(arg)
    }

    /// A step of which both are part.
    #[must_use]
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        if self.exe != other.exe || self.args.len() != other.args.len() {
            return None;
        }
        let freedom = self.freedom();
        let pair = |(a, b): (&Arg, &Arg)| match (a, b) {
            (Arg::Text(a), Arg::Text(b)) => a.join(b, freedom).map(Arg::Text),
            (Arg::Command(a), Arg::Command(b)) => a.join(b).map(Arg::Command),
            _ => None,
        };
        let args: Option<Vec<_>> = self.args.iter().zip(&other.args).map(pair).collect();
        Some(Self {
            exe: self.exe.clone(),
            args: args?,
        })
    }

    fn freedom(&self) -> Freedom {
        let first = self.args.iter().take(2).map(|arg| match arg {
            Arg::Text(template) => template.as_literal().unwrap_or_default(),
            Arg::Command(_) => "",
        });
        tool::freedom(name(&self.exe, &first.collect::<Vec<_>>()))
    }

    /// What [`Ran::route`] is for whatever matches this.
    pub(super) fn route(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.exe.as_bytes());
        for arg in &self.args {
            if let Arg::Command(command) = arg {
                for program in command.programs() {
                    out.push(0);
                    out.extend_from_slice(program.as_bytes());
                }
            }
        }
        out.push(b'\n');
    }

    /// What steps that can be joined share: executable, options, operators.
    pub(super) fn shape(&self, out: &mut String) {
        out.push_str(&self.exe);
        for arg in &self.args {
            out.push('\0');
            match arg {
                Arg::Text(template) if template.is_option() => out.push_str(&template.to_string()),
                Arg::Text(_) => {}
                Arg::Command(command) => {
                    out.extend(command.programs());
                    out.extend(command.shape());
                }
            }
        }
        out.push('\n');
    }

    /// Where `ran` first differs, in words.
    #[must_use]
    pub(super) fn difference(&self, ran: &Ran<'_>) -> Option<String> {
        if self.exe != ran.exe {
            return Some(format!("{} ran, not {}", ran.exe, self.exe));
        }
        for (index, (arg, text)) in self.args.iter().zip(&ran.args).enumerate() {
            let number = index + 1;
            match arg {
                Arg::Command(command) => {
                    let tokens = ran.command(index).unwrap_or_default();
                    if let Some(difference) = command.difference(tokens) {
                        return Some(difference);
                    }
                }
                Arg::Text(template) if !template.matches(text.as_bytes()) => {
                    let short: String = text.chars().take(60).collect();
                    return Some(format!("argument {number} is `{short}`, not {template}"));
                }
                Arg::Text(_) => {}
            }
        }
        let (known, seen) = (self.args.len(), ran.args.len());
        (known != seen).then(|| format!("{seen} arguments, not {known}"))
    }

    /// No argument has a placeholder.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        self.args.iter().all(|arg| match arg {
            Arg::Text(template) => template.as_literal().is_some(),
            Arg::Command(command) => command.is_exact(),
        })
    }

    /// What a reviewer should look at, in the executable and in the words of a command.
    pub fn reviews(&self) -> impl Iterator<Item = Review> {
        let own = tool::review(self.exe.as_bytes());
        let words = self.args.iter().flat_map(|arg| match arg {
            Arg::Command(command) => command.programs().collect(),
            Arg::Text(_) => Vec::new(),
        });
        own.into_iter()
            .chain(words.filter_map(|word| tool::review(word.as_bytes())))
    }
}

/// Name of the program a step runs, by its executable and arguments.
fn name<'t>(exe: &'t str, args: &[&'t str]) -> &'t [u8] {
    let base = |path: &'t str| path.rsplit('/').next().unwrap_or(path);
    let own = base(exe);
    if !is_multicall(own.as_bytes()) {
        return stem(own.as_bytes());
    }
    let applet = match args.first().map(|first| base(first)) {
        Some(first) if is_multicall(first.as_bytes()) => args.get(1).map(|next| base(next)),
        first => first,
    };
    applet.unwrap_or(own).as_bytes()
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.exe)?;
        for arg in self.args().skip(1) {
            if arg.contains([' ', '\'', '"']) || arg.is_empty() {
                write!(f, " {arg:?}")?;
            } else {
                write!(f, " {arg}")?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
