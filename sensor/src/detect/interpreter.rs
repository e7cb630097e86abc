//! What an interpreter or a shell was told to run: code in an argument, a script, its
//! standard input.
//!
//! Options are parsed as the interpreters do, clusters (`perl -lane`) and values
//! included, so that a value is not taken for a script nor code overlooked. What was cut
//! from argv is not believed.

mod grammar;

use std::borrow::Cow;

use bstr::ByteSlice;

use self::grammar::{GRAMMARS, Grammar, SHELL};
use super::{place::folded, program};
use crate::event::{Fd, Program};

/// What an interpreter runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Run<'p> {
    /// Code in an argument.
    Code,
    /// This file.
    Script(&'p [u8]),
    /// What comes in by descriptor 0.
    Input,
    /// Something else, or what was cut away.
    Other,
}

/// Names under which a process finds its own standard input.
const INPUT: &[&[u8]] = &[
    b"-",
    b"/dev/stdin",
    b"/dev/fd/0",
    b"/proc/self/fd/0",
    b"/proc/thread-self/fd/0",
];

/// `true` when a program of this name runs code in a language.
pub(crate) fn is_interpreter(name: &[u8]) -> bool {
    const MORE: &[&[u8]] = &[b"awk", b"gawk", b"mawk", b"nawk", b"deno", b"php-cgi"];
    name != b"java" && (grammar(name).is_some() || MORE.contains(&name))
}

/// What `program`, of the name `name`, runs; `None` when it is no interpreter.
pub(crate) fn run<'p>(program: &'p Program, name: &[u8]) -> Option<Run<'p>> {
    let is_shell = program::is_shell(name);
    let grammar = if is_shell { &SHELL } else { grammar(name)? };
    let argv = program::Argv::of(program);
    let mut at = 1;
    if argv
        .whole(0)
        .is_some_and(|own| program::is_multicall(program::basename(own)))
    {
        at = 2;
    }
    if grammar.names.contains(&"java") {
        return Some(jar(argv));
    }
    let found = grammar.walk(argv, at);
    Some(match found {
        Run::Script(path) if INPUT.contains(&path) => Run::Input,
        found => found,
    })
}

/// `true` when an interpreter (no shell) was given code in an argument.
pub(super) fn has_code(program: &Program, name: &[u8]) -> bool {
    !program::is_shell(name) && run(program, name) == Some(Run::Code)
}

/// `true` when an interpreter (no shell) runs what comes through a pipe or socket.
pub(super) fn is_fed(program: &Program, name: &[u8]) -> bool {
    let [stdin, ..] = program.stdio;
    let fed = matches!(stdin, Fd::Pipe | Fd::Socket | Fd::File);
    fed && !program::is_shell(name) && name != b"java" && run(program, name) == Some(Run::Input)
}

/// Absolute path of the script a program runs: one with `#!`, or the argument of an
/// interpreter or a shell.
pub(crate) fn script<'p>(program: &'p Program, name: &[u8]) -> Option<Cow<'p, [u8]>> {
    if let Some(script) = program::script(program) {
        return Some(script);
    }
    match run(program, name)? {
        Run::Script(path) => Some(absolute(&program.cwd, path)),
        _ => None,
    }
}

fn absolute<'p>(cwd: &[u8], path: &'p [u8]) -> Cow<'p, [u8]> {
    if path.starts_with(b"/") {
        return folded(path);
    }
    let joined = [cwd, path].join(&b'/');
    Cow::Owned(folded(&joined).into_owned())
}

fn grammar(name: &[u8]) -> Option<&'static Grammar> {
    let known = |it: &&Grammar| it.names.iter().any(|known| known.as_bytes() == name);
    GRAMMARS.iter().find(known)
}

/// `java -jar x.jar`.
fn jar(argv: program::Argv<'_>) -> Run<'_> {
    let mut at = 1;
    while let Some(arg) = argv.whole(at) {
        if arg == b"-jar" {
            return argv.whole(at + 1).map_or(Run::Other, Run::Script);
        }
        at += 1;
    }
    Run::Other
}

/// Where one argument leads.
enum Step<'p> {
    /// On, this many arguments.
    On(usize),
    /// No further.
    End(Run<'p>),
}

impl Grammar {
    fn walk<'p>(&self, argv: program::Argv<'p>, mut at: usize) -> Run<'p> {
        while let Some(arg) = argv.whole(at) {
            if arg == b"--" {
                return argv.whole(at + 1).map_or(Run::Input, Run::Script);
            }
            let step = match arg {
                [b'-' | b'+', b'-', ..] => self.long(arg),
                [b'-' | b'+', _, ..] => self.cluster(arg, argv.whole(at + 1)),
                script => Step::End(Run::Script(script)),
            };
            match step {
                Step::On(count) => at += count,
                Step::End(run) => return run,
            }
        }
        if argv.is_cut() {
            Run::Other
        } else {
            Run::Input
        }
    }

    fn long<'p>(&self, arg: &[u8]) -> Step<'p> {
        let (name, glued) = match arg.split_once_str("=") {
            Some((name, _)) => (name, true),
            None => (arg, false),
        };
        if self.long_code.contains(&name) {
            return Step::End(Run::Code);
        }
        let next = !glued && self.long_valued.contains(&name);
        Step::On(if next { 2 } else { 1 })
    }

    fn cluster<'p>(&self, arg: &'p [u8], next: Option<&'p [u8]>) -> Step<'p> {
        let letters = arg.get(1..).unwrap_or_default();
        for (at, letter) in letters.iter().enumerate() {
            let rest = letters.get(at + 1..).unwrap_or_default();
            if self.code.contains(letter) {
                return Step::End(Run::Code);
            }
            if self.script.contains(letter) {
                let named = if rest.is_empty() { next } else { Some(rest) };
                return Step::End(named.map_or(Run::Other, Run::Script));
            }
            if self.other.contains(letter) {
                let input = self.names.is_empty();
                return Step::End(if input { Run::Input } else { Run::Other });
            }
            if self.valued.contains(letter) {
                return Step::On(if rest.is_empty() { 2 } else { 1 });
            }
            if self.glued.contains(letter) && self.takes_rest(*letter, rest) {
                return Step::On(1);
            }
        }
        Step::On(1)
    }

    /// Of `-l` and `-0` only digits are a value: `perl -lane` is four letters.
    fn takes_rest(&self, letter: u8, rest: &[u8]) -> bool {
        match letter {
            b'0' | b'l' => false,
            b'i' | b'C' | b'D' | b'W' | b'T' => {
                !rest.first().is_some_and(|next| self.code.contains(next))
            }
            _ => !rest.is_empty(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Args, Image};

    fn program(argv: &[&str]) -> Program {
        Program {
            image: Image {
                path: format!("/usr/bin/{}", argv[0]).into(),
                ..Image::default()
            },
            args: Args {
                head: argv.iter().map(|&arg| arg.into()).collect(),
                ..Args::default()
            },
            cwd: "/srv/app".into(),
            ..Program::default()
        }
    }

    fn ran(argv: &[&str]) -> Option<String> {
        let program = program(argv);
        let name = program::stem(argv[0].as_bytes()).to_vec();
        run(&program, &name).map(|run| match run {
            Run::Script(path) => path.to_str_lossy().into_owned(),
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn code_scripts_and_input_are_told_apart() {
        for (line, expected) in [
            ("python3 -c print(1)", "Code"),
            ("python3 -Bc print(1)", "Code"),
            ("python3 -cprint(1)", "Code"),
            ("python3 -W ignore -c x", "Code"),
            ("python3 -X c x.py", "x.py"),
            ("python3 -m http.server", "Other"),
            ("python3 -u x.py -c y", "x.py"),
            ("python3 -", "Input"),
            ("python3", "Input"),
            ("python3 /dev/stdin", "Input"),
            ("python3 --check-hash-based-pycs never x.py", "x.py"),
            ("perl -e x", "Code"),
            ("perl -we x", "Code"),
            ("perl -lane x", "Code"),
            ("perl -0777 -ne x", "Code"),
            ("perl -MSocket -E x", "Code"),
            ("perl -MIO::Socket x.pl", "x.pl"),
            ("perl -pi -e x", "Code"),
            ("perl -pie x", "Code"),
            ("perl -I lib x.pl", "x.pl"),
            ("php -r x", "Code"),
            ("php -nr x", "Code"),
            ("php -d a=b -r x", "Code"),
            ("php -dr=x x.php", "x.php"),
            ("php -f x.php", "x.php"),
            ("php --run x", "Code"),
            ("php -- x", "x"),
            ("ruby -rsocket -e x", "Code"),
            ("ruby -ne x", "Code"),
            ("ruby -Eutf-8 x.rb", "x.rb"),
            ("node -e x", "Code"),
            ("node -pe x", "Code"),
            ("node --eval=x", "Code"),
            ("node --require ./e x.js", "x.js"),
            ("lua -e x", "Code"),
            ("lua5.4 x.lua", "x.lua"),
            ("sh -c x", "Code"),
            ("bash -o pipefail x.sh", "x.sh"),
            ("bash --rcfile f x.sh", "x.sh"),
            ("sh -ex x.sh", "x.sh"),
            ("sh -s a", "Input"),
            ("sh +x x.sh", "x.sh"),
            ("busybox sh x.sh", "x.sh"),
            ("java -cp a -jar x.jar", "x.jar"),
            ("java Main", "Other"),
        ] {
            let argv: Vec<&str> = line.split(' ').collect();
            let found = match line.strip_prefix("busybox ") {
                None => ran(&argv),
                Some(_) => run(&program(&argv), b"sh").map(|run| match run {
                    Run::Script(path) => path.to_str_lossy().into_owned(),
                    other => format!("{other:?}"),
                }),
            };
            assert_eq!(found.as_deref(), Some(expected), "{line}");
        }
        assert_eq!(ran(&["convert", "-e", "x"]), None);
    }

    #[test]
    fn scripts_are_made_absolute_and_what_was_cut_is_not_believed() {
        let at = |argv: &[&str]| {
            script(&program(argv), program::stem(argv[0].as_bytes()))
                .map(|path| path.to_str_lossy().into_owned())
        };
        assert_eq!(at(&["sh", "../x.sh"]).as_deref(), Some("/srv/x.sh"));
        assert_eq!(at(&["php", "/tmp/./x"]).as_deref(), Some("/tmp/x"));
        assert_eq!(at(&["php", "-r", "x"]), None);
        let mut cut = program(&["python3", "-B"]);
        cut.args.truncated = true;
        assert_eq!(run(&cut, b"python"), Some(Run::Other));
        cut.stdio = [Fd::Pipe; 3];
        assert!(!is_fed(&cut, b"python"));
        cut.args.truncated = false;
        assert!(is_fed(&cut, b"python") && !is_fed(&cut, b"sh"));
    }
}
