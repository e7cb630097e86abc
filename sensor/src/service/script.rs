//! What an interpreter was told to run, and whether that is a server.
//!
//! Reads command lines the way each interpreter does: options until the first word that
//! is none. What is typed can make a service of a process, or not yet; it never excuses
//! what the process does later.

use crate::event::{Args, Program, Source};
use crate::lineage::ServiceKind;

/// Interpreters by how they read their options.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Language {
    Python,
    Ruby,
    Perl,
    Php,
    Node,
    Dotnet,
    /// Its command line says nothing to us.
    Other,
}

impl Language {
    /// Of a kind whose executables are interpreters.
    pub(super) const fn of(kind: ServiceKind) -> Self {
        match kind {
            ServiceKind::Python => Self::Python,
            ServiceKind::Ruby => Self::Ruby,
            ServiceKind::Perl => Self::Perl,
            ServiceKind::Php => Self::Php,
            ServiceKind::Node => Self::Node,
            ServiceKind::Dotnet => Self::Dotnet,
            _ => Self::Other,
        }
    }

    /// Options whose value is the next word.
    const fn with_value(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["-W", "-X", "-Q", "--check-hash-based-pycs"],
            Self::Ruby => &["-C", "-E", "-I", "-r", "-F", "--encoding", "--require"],
            Self::Perl => &["-I"],
            Self::Php => &["-c", "-d", "-t", "-z"],
            Self::Node => &[
                "-r",
                "--require",
                "--import",
                "--loader",
                "--experimental-loader",
                "-C",
                "--conditions",
                "--env-file",
                "--title",
                "--config",
            ],
            Self::Dotnet => &[
                "--roll-forward",
                "--additionalprobingpath",
                "--depsfile",
                "--runtimeconfig",
                "--fx-version",
            ],
            Self::Other => &[],
        }
    }

    /// Options behind which no file is run: code on the command line, or nothing.
    const fn with_code(self) -> &'static [&'static str] {
        match self {
            Self::Python => &["-c"],
            Self::Ruby => &["-e"],
            Self::Perl => &["-e", "-E"],
            Self::Php => &["-r", "-a", "-B", "-R", "-F", "-E", "-i", "-v", "-m"],
            Self::Node => &["-e", "--eval", "-p", "--print", "-pe", "-i"],
            Self::Dotnet | Self::Other => &[],
        }
    }
}

/// What the options of one command line lead to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Told<'a> {
    /// A file, or what stands for one (`bundle exec puma` is `puma`).
    Script(&'a [u8]),
    /// `python -m module`.
    Module(&'a [u8]),
    /// `php -S address`.
    Serve,
    /// Code on the command line.
    Code,
    /// None of these: standard input, or a terminal.
    Nothing,
}

/// A command line taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line<'a> {
    pub(super) told: Told<'a>,
    /// The interpreter's own options.
    pub(super) options: Vec<&'a [u8]>,
    /// What the script is given.
    pub(super) rest: Vec<&'a [u8]>,
}

/// Takes a command line apart.
pub(super) fn parse(language: Language, args: &Args) -> Line<'_> {
    let words: Vec<&[u8]> = args.head.iter().skip(1).map(|word| &word[..]).collect();
    let mut index = 0;
    let mut told = Told::Nothing;
    while let Some(&word) = words.get(index) {
        let next = words.get(index + 1).copied();
        if let Some(found) = option(language, word, next) {
            told = found;
            index += usize::from(matches!(found, Told::Module(_)) && next.is_some());
            break;
        }
        if !word.starts_with(b"-") || word == b"-" {
            if word != b"-" {
                told = Told::Script(word);
            }
            break;
        }
        index += 1;
        if is(language.with_value(), word) {
            index += 1;
        }
    }
    let (options, rest) = words.split_at(index.min(words.len()));
    let rest = rest.get(1..).unwrap_or_default();
    passed_on(Line {
        told,
        options: options.to_vec(),
        rest: rest.to_vec(),
    })
}

/// What an option by itself decides.
fn option<'a>(language: Language, word: &'a [u8], next: Option<&'a [u8]>) -> Option<Told<'a>> {
    if language == Language::Php && word == b"-f" {
        return Some(next.map_or(Told::Nothing, Told::Script));
    }
    if language == Language::Php && word.starts_with(b"-S") {
        return Some(Told::Serve);
    }
    if language == Language::Python
        && let Some(module) = module(word, next)
    {
        return Some(Told::Module(module));
    }
    // Code may stand in the same word: `-e'...'`, `--eval=...`.
    let code = language.with_code().iter().any(|option| {
        word == option.as_bytes()
            || word
                .strip_prefix(option.as_bytes())
                .is_some_and(|rest| rest.starts_with(b"=") || !option.starts_with("--"))
    });
    // Python and Perl bundle: `-Ic`, `-wne`.
    let takes_letters = matches!(language, Language::Python | Language::Perl | Language::Ruby);
    let bundled = takes_letters
        && word.starts_with(b"-")
        && !word.starts_with(b"--")
        && !matches!(
            word.get(1),
            Some(b'I' | b'W' | b'X' | b'M' | b'm' | b'r' | b'C' | b'E')
        )
        && word.ends_with(if language == Language::Python {
            b"c"
        } else {
            b"e"
        });
    (code || bundled).then_some(Told::Code)
}

/// The module of `-m module`, `-mmodule` or `-Im module`.
fn module<'a>(word: &'a [u8], next: Option<&'a [u8]>) -> Option<&'a [u8]> {
    let letters = word.strip_prefix(b"-")?;
    if letters.starts_with(b"-") || matches!(letters.first(), Some(b'W' | b'X' | b'c')) {
        return None;
    }
    let at = letters.iter().position(|&letter| letter == b'm')?;
    match letters.get(at + 1..) {
        Some([]) | None => Some(next.unwrap_or_default()),
        Some(attached) => Some(attached),
    }
}

/// `bundle exec puma`, `dotnet exec app.dll`: the program is named behind.
fn passed_on(line: Line<'_>) -> Line<'_> {
    let Told::Script(script) = line.told else {
        return line;
    };
    let mut rest = line.rest.iter().copied();
    let named = match base(script) {
        b"bundle" | b"bundler" if rest.next() == Some(b"exec") => rest.next(),
        b"exec" | b"run" if !script.contains(&b'/') => rest.next(),
        _ => None,
    };
    match named {
        Some(named) => Line {
            told: Told::Script(named),
            rest: rest.collect(),
            ..line
        },
        None => line,
    }
}

/// Names of programs that are servers, as scripts or modules.
const SERVERS: &[(&str, ServiceKind)] = &[
    ("gunicorn", ServiceKind::Gunicorn),
    ("gunicorn3", ServiceKind::Gunicorn),
    ("gunicorn.app.wsgiapp", ServiceKind::Gunicorn),
    ("uvicorn", ServiceKind::Uvicorn),
    ("hypercorn", ServiceKind::Hypercorn),
    ("daphne", ServiceKind::Daphne),
    ("waitress", ServiceKind::Waitress),
    ("waitress-serve", ServiceKind::Waitress),
    ("uwsgi", ServiceKind::Uwsgi),
    ("pyuwsgi", ServiceKind::Uwsgi),
    ("granian", ServiceKind::Python),
    ("http.server", ServiceKind::Python),
    ("SimpleHTTPServer", ServiceKind::Python),
    ("puma", ServiceKind::Puma),
    ("unicorn", ServiceKind::Unicorn),
    ("unicorn_rails", ServiceKind::Unicorn),
    ("passenger", ServiceKind::Passenger),
    ("thin", ServiceKind::Ruby),
    ("rackup", ServiceKind::Ruby),
    ("starman", ServiceKind::Perl),
    ("plackup", ServiceKind::Perl),
    ("twiggy", ServiceKind::Perl),
    ("starlet", ServiceKind::Perl),
    ("hypnotoad", ServiceKind::Perl),
];

/// Server that the command line names.
pub(super) fn server(language: Language, args: &Args) -> Option<ServiceKind> {
    let line = parse(language, args);
    let name = match line.told {
        Told::Script(script) => base(script),
        Told::Module(module) => module,
        Told::Serve => return Some(ServiceKind::Php),
        Told::Code | Told::Nothing => return None,
    };
    let rails = name == b"rails" && matches!(line.rest.first(), Some(&(b"server" | b"s")));
    if rails && language == Language::Ruby {
        return Some(ServiceKind::Ruby);
    }
    let known = SERVERS
        .iter()
        .find(|(server, _)| server.as_bytes() == name)?;
    speaks(language, known.1).then_some(known.1)
}

/// Server that a running program calls itself: Puma puts `puma 5.6.5 (tcp://...) [tag]` in
/// the place of its whole command line. At an exec that would be what somebody typed.
pub(super) fn titled(language: Language, program: &Program) -> Option<ServiceKind> {
    let [title] = program.args.head.as_slice() else {
        return None;
    };
    let version = title.strip_prefix(b"puma ")?;
    let is_title = program.source == Source::Scan
        && language == Language::Ruby
        && version.first().is_some_and(u8::is_ascii_digit);
    is_title.then_some(ServiceKind::Puma)
}

/// Names of scripts and modules that are servers of this kind, for the documentation.
pub fn programs(kind: ServiceKind) -> impl Iterator<Item = &'static str> {
    SERVERS
        .iter()
        .filter(move |(_, of)| *of == kind)
        .map(|(name, _)| *name)
}

/// A kind of server is written in this language: a shell script called `puma` that
/// Python runs is none.
const fn speaks(language: Language, kind: ServiceKind) -> bool {
    match kind {
        ServiceKind::Puma | ServiceKind::Unicorn | ServiceKind::Passenger | ServiceKind::Ruby => {
            matches!(language, Language::Ruby)
        }
        ServiceKind::Perl => matches!(language, Language::Perl),
        _ => matches!(language, Language::Python),
    }
}

/// One interpreter runs what the other does: the same script or module, under no option
/// that the other has not. Code on the command line is never the same as anything.
pub(super) fn same(language: Language, old: &Program, new: &Program) -> bool {
    let (before, after) = (parse(language, &old.args), parse(language, &new.args));
    let same = match (before.told, after.told) {
        (Told::Script(a), Told::Script(b)) => path(&old.cwd, a) == path(&new.cwd, b),
        (Told::Module(a), Told::Module(b)) => a == b,
        (Told::Serve, Told::Serve) => true,
        _ => false,
    };
    let mut options = after.options.iter();
    same && options.all(|option| before.options.contains(option))
}

/// Components of a path as typed in `cwd`. Symbolic links are not followed.
fn path<'a>(cwd: &'a [u8], typed: &'a [u8]) -> Vec<&'a [u8]> {
    let base = if typed.starts_with(b"/") {
        &b""[..]
    } else {
        cwd
    };
    let mut path = Vec::new();
    for component in base
        .split(|&byte| byte == b'/')
        .chain(typed.split(|&byte| byte == b'/'))
    {
        match component {
            b"" | b"." => {}
            b".." => drop(path.pop()),
            name => path.push(name),
        }
    }
    path
}

/// Workers of Python's `multiprocessing` (uvicorn, hypercorn) are exec'ed with exactly
/// this code, which takes what it does from a pipe of its creator.
pub(super) fn is_spawned(args: &Args) -> bool {
    let words: Vec<&[u8]> = args.head.iter().map(|word| &word[..]).collect();
    let [_, b"-c", code, rest @ ..] = words.as_slice() else {
        return false;
    };
    let spawn = code
        .strip_prefix(b"from multiprocessing.spawn import spawn_main; spawn_main(")
        .and_then(|rest| rest.strip_suffix(b")"))
        .is_some_and(|given| given.split(|&byte| byte == b',').all(is_number_given));
    let tracker = code
        .strip_prefix(b"from multiprocessing.resource_tracker import main;main(")
        .and_then(|rest| rest.strip_suffix(b")"))
        .is_some_and(is_number);
    spawn && rest == [b"--multiprocessing-fork"] || tracker && rest.is_empty()
}

/// `name=digits`, with a blank before.
fn is_number_given(given: &[u8]) -> bool {
    let given = given.strip_prefix(b" ").unwrap_or(given);
    [&b"tracker_fd="[..], b"pipe_handle=", b"parent_pid="]
        .iter()
        .any(|name| given.strip_prefix(*name).is_some_and(is_number))
}

fn is_number(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(u8::is_ascii_digit)
}

/// Last component, without the extension of a script.
fn base(path: &[u8]) -> &[u8] {
    let name = path.rsplit(|&byte| byte == b'/').next().unwrap_or(path);
    [&b".py"[..], b".rb", b".pl"]
        .iter()
        .find_map(|extension| name.strip_suffix(*extension))
        .unwrap_or(name)
}

fn is(options: &[&str], word: &[u8]) -> bool {
    options.iter().any(|option| option.as_bytes() == word)
}
