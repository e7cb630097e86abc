//! Command lines taken apart: which of their words are secrets because of the program they
//! are given to, and where a shell begins to read.

use std::ops::Range;

use bstr::ByteSlice as _;

/// Shells that run a line given behind `-c`.
const SHELLS: &[&[u8]] = &[
    b"sh", b"bash", b"dash", b"ash", b"zsh", b"ksh", b"mksh", b"busybox", b"su", b"runuser",
];

/// How a program takes a secret.
enum Takes {
    /// `-psecret`, one argument.
    Attached(&'static [u8]),
    /// `-p secret`, `-psecret`, `--pass secret`, `--pass=secret`: all of it.
    Whole(&'static [u8]),
    /// The same of `user:secret`: what stands behind the mark.
    Behind(&'static [u8], u8),
}
use Takes::{Attached, Behind, Whole};

const MYSQL: &[Takes] = &[Attached(b"-p")];
const CURL: &[Takes] = &[
    Behind(b"-u", b':'),
    Behind(b"--user", b':'),
    Behind(b"-U", b':'),
    Behind(b"--proxy-user", b':'),
    Whole(b"-b"),
    Whole(b"--cookie"),
];

/// By the file name of the program.
const PROGRAMS: &[(&[u8], &[Takes])] = &[
    (b"mysql", MYSQL),
    (b"mysqldump", MYSQL),
    (b"mysqladmin", MYSQL),
    (b"mysqlimport", MYSQL),
    (b"mysqlshow", MYSQL),
    (b"mariadb", MYSQL),
    (b"mariadb-dump", MYSQL),
    (b"mariadb-admin", MYSQL),
    (b"sshpass", &[Whole(b"-p")]),
    (b"curl", CURL),
    (b"redis-cli", &[Whole(b"-a"), Whole(b"--pass")]),
    (
        b"smbclient",
        &[Behind(b"-U", b'%'), Behind(b"--user", b'%')],
    ),
];

/// Appends where secrets stand that a program of `text`, arguments joined by NUL, is given;
/// in lines for a shell as well. Returns where a shell begins to read: from there on words
/// are commands.
pub(super) fn find(text: &[u8], spans: &mut Vec<Range<usize>>) -> usize {
    let args = arguments(text);
    given(text, &args, spans);
    for arg in &args {
        let line = text.get(arg.clone()).unwrap_or_default();
        if line.find_byteset(b" \t\n").is_some() {
            for command in commands(text, arg) {
                given(text, &command, spans);
            }
        }
    }
    shell(text, &args).unwrap_or(text.len())
}

fn arguments(text: &[u8]) -> Vec<Range<usize>> {
    let mut begin = 0;
    let args = text.split(|&byte| byte == 0).map(|arg| {
        let range = begin..begin + arg.len();
        begin = range.end + 1;
        range
    });
    args.collect()
}

fn name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

/// Where the line of `sh -c line` begins, wherever the shell stands in `args`.
fn shell(text: &[u8], args: &[Range<usize>]) -> Option<usize> {
    let of = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let mut reads = false;
    for arg in args {
        let word = of(arg);
        let short = word.len() > 1 && word[0] == b'-' && word[1] != b'-';
        if reads && short && word.contains(&b'c') {
            return Some(arg.end);
        }
        // Options and what they take may stand before `-c`.
        reads |= SHELLS.contains(&name(word));
    }
    None
}

/// The words of each command of a line for a shell, roughly: quotes hold words together,
/// and are left out where they hold one whole.
fn commands(text: &[u8], line: &Range<usize>) -> Vec<Vec<Range<usize>>> {
    let (mut commands, mut words) = (Vec::new(), Vec::new());
    let (mut begin, mut quote) = (None, None);
    for at in line.clone() {
        let byte = text.get(at).copied().unwrap_or_default();
        match (quote, byte) {
            (Some(open), _) if byte == open => quote = None,
            (Some(_), _) => {}
            (None, b'\'' | b'"') => {
                quote = Some(byte);
                begin.get_or_insert(at);
            }
            (None, b' ' | b'\t' | b'\n' | b';' | b'&' | b'|' | b'(' | b')' | b'`') => {
                words.extend(begin.take().map(|begin| unquoted(text, begin..at)));
                if !matches!(byte, b' ' | b'\t') {
                    commands.push(std::mem::take(&mut words));
                }
            }
            (None, _) => {
                begin.get_or_insert(at);
            }
        }
    }
    words.extend(begin.map(|begin| unquoted(text, begin..line.end)));
    commands.push(words);
    commands
}

fn unquoted(text: &[u8], word: Range<usize>) -> Range<usize> {
    let bytes = text.get(word.clone()).unwrap_or_default();
    match bytes {
        [open @ (b'\'' | b'"'), inner @ .., close] if open == close && !inner.contains(open) => {
            word.start + 1..word.end - 1
        }
        _ => word,
    }
}

/// Appends what the program among `words` is given as a secret.
fn given(text: &[u8], words: &[Range<usize>], spans: &mut Vec<Range<usize>>) {
    let of = |range: &Range<usize>| text.get(range.clone()).unwrap_or_default();
    let mut takes: &[Takes] = &[];
    for (index, word) in words.iter().enumerate() {
        let known = PROGRAMS.iter().find(|(it, _)| *it == name(of(word)));
        if let Some((_, known)) = known {
            takes = known;
            continue;
        }
        let next = words.get(index + 1);
        spans.extend(takes.iter().filter_map(|it| it.secret(text, word, next)));
    }
}

impl Takes {
    fn secret(
        &self,
        text: &[u8],
        word: &Range<usize>,
        next: Option<&Range<usize>>,
    ) -> Option<Range<usize>> {
        let (option, mark) = match *self {
            Attached(option) | Whole(option) => (option, None),
            Behind(option, mark) => (option, Some(mark)),
        };
        let rest = text.get(word.clone())?.strip_prefix(option)?;
        let value = match rest {
            [] if matches!(self, Attached(_)) => return None,
            [] => next?.clone(),
            [b'=', ..] if option.starts_with(b"--") => word.end - rest.len() + 1..word.end,
            // A longer option.
            _ if option.starts_with(b"--") => return None,
            _ => word.end - rest.len()..word.end,
        };
        // Quotes that hold a part of a word.
        let held = text.get(value.clone())?;
        let value = match held {
            [open @ (b'\'' | b'"'), .., close] if open == close => value.start + 1..value.end - 1,
            _ => value,
        };
        let Some(mark) = mark else {
            return Some(value);
        };
        let at = text.get(value.clone())?.find_byte(mark)?;
        Some(value.start + at + 1..value.end)
    }
}
