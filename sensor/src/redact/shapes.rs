//! What a secret looks like: shapes that come with the sensor, and patterns of the
//! configuration.

use std::{ops::Range, sync::LazyLock};

use regex::bytes::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

/// Most patterns of a configuration.
pub const PATTERNS_MAX: usize = 64;
/// Most bytes of one.
pub const PATTERN_MAX: usize = 512;
/// Most bytes that one compiled pattern may take.
const SIZE: usize = 1 << 20;
/// The group of a pattern that is the secret; the whole match where there is none.
const GROUP: &str = "secret";
/// The group of a shape that is the name of the value.
const NAMED: &str = "name";

/// Part of a name whose value is secret.
const NAME: &str = r"(?<name>[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key)[\w.-]*|(?:[\w.]*[_.-])?(?:pass|pwd))";
/// Ends of names whose value says where a secret is, or how it is to be treated.
const ABOUT: &[&[u8]] = &[
    b"file",
    b"path",
    b"dir",
    b"directory",
    b"url",
    b"uri",
    b"verification",
    b"length",
];
/// One byte of a value in double quotes, in which a shell would still run something.
const QUOTED: &str = r#"(?:[^"\x00`$]|\$[^"(\x00])"#;
/// One byte of a word that ends where a shell would end it or run something.
const BARE: &str = r#"[^\s;&|<>()'"`,}\x00]"#;

/// Of whole arguments: an option takes all of the one it stands in, or of the next. Not in
/// what a shell is to run: whoever calls a command a password is not to hide it.
const ARGUMENTS: &[&str] = &[
    r"(?:^|\x00)-{1,2}%N=%([^\x00]+)",
    r"(?:^|\x00)(?:--%N|-(?:pass|passwd|password|pwd|secret|token))\x00%([^\x00-][^\x00]*)",
    r"(?:^|\x00)(?:--header=|-H)?(?:cookie|(?:proxy-)?authorization|x-api-key|x-auth-token):[ \t]*(?:[\w-]+[ \t]+)?%([^\x00]+)",
];

/// Of words in a line for a shell, a query string, a piece of JSON or YAML: up to the quote
/// that ends it, or the next word.
const WORDS: &[&str] = &[
    r#"(?:^|[\s;&|?'"{(,\x00-])%N\\?["']?\s{0,4}[=:]\s{0,4}'%([^'\x00]+)"#,
    r#"(?:^|[\s;&|?'"{(,\x00-])%N\\?["']?\s{0,4}[=:]\s{0,4}\\?"%(%Q+)"#,
    r#"(?:^|[\s;&|?'"{(,\x00-])%N\\?["']?\s{0,4}[=:]\s{0,4}%([^\s;&|<>()'"`,}\\\x00]%B*)"#,
    r"--%N[ \t]+'%([^'\x00]+)",
    r#"--%N[ \t]+"%(%Q+)"#,
    r#"--%N[ \t]+%([^\s;&|<>()'"`,}\x00-]%B*)"#,
    // HTTP headers; more cookies stand behind a semicolon.
    r"(?:(?:proxy-)?authorization|x-api-key|x-auth-token):[ \t]*(?:[\w-]+[ \t]+)?%(%B+)",
    r#"["']cookie:[ \t]*%((?:[^\x00'"`$;|&\r\n]|;[ ]?[\w.-]+=)+)"#,
    // scheme://user:secret@host, scheme://token@host
    r"[a-z][a-z0-9+.-]{0,20}://[^\s/:@\x00]*:%([^\s/\x00]+)@",
    r"[a-z][a-z0-9+.-]{0,20}://%([^\s/:@\x00]{20,})@",
    // Keys and tokens by their own form: AWS, GitHub, Slack, GitLab, JSON web tokens, PEM.
    r"%((?-i:\b(?:AKIA|ASIA)[A-Z0-9]{16}\b))",
    r"%((?-i:\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|xox[abprs]-[\w-]{10,255}|glpat-[\w-]{20,255})))",
    r"%((?-i:\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*))",
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----%([A-Za-z0-9+/=\\\s]+)",
];

/// `(?<secret>)` is written `%(`, [`NAME`] `%N`, [`QUOTED`] `%Q`, [`BARE`] `%B`.
fn shipped(shapes: &[&str]) -> Patterns {
    let shapes = shapes.iter().map(|shape| {
        let shape = shape.replace("%(", "(?<secret>").replace("%N", NAME);
        format!("(?i){}", shape.replace("%Q", QUOTED).replace("%B", BARE))
    });
    Patterns::compile(&shapes.collect::<Vec<_>>()).expect("a test compiles them")
}

/// See [`ARGUMENTS`].
pub(super) static OF_ARGUMENTS: LazyLock<Patterns> = LazyLock::new(|| shipped(ARGUMENTS));
/// See [`WORDS`].
pub(super) static OF_WORDS: LazyLock<Patterns> = LazyLock::new(|| shipped(WORDS));

/// Why a pattern of the configuration cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    /// Not a regular expression, or one that takes too much room.
    #[error("`{0}`: {1}")]
    Syntax(String, String),
    /// It finds nothing between any two letters.
    #[error("`{0}` matches empty text")]
    Empty(String),
    /// Too long.
    #[error("a pattern of more than {PATTERN_MAX} bytes")]
    Long,
    /// Too many.
    #[error("more than {PATTERNS_MAX} patterns")]
    Many,
}

/// Compiled patterns.
#[derive(Clone, Debug, Default)]
pub(super) struct Patterns {
    /// Which can match at all, in one pass.
    set: RegexSet,
    each: Vec<Regex>,
}

impl Patterns {
    /// Those of a configuration.
    pub(super) fn configured(patterns: &[String]) -> Result<Self, PatternError> {
        if patterns.len() > PATTERNS_MAX {
            return Err(PatternError::Many);
        }
        for pattern in patterns {
            if pattern.len() > PATTERN_MAX {
                return Err(PatternError::Long);
            }
            if compile(pattern)?.is_match(b"") {
                return Err(PatternError::Empty(pattern.clone()));
            }
        }
        Self::compile(patterns)
    }

    fn compile(patterns: &[String]) -> Result<Self, PatternError> {
        let each = patterns.iter().map(|pattern| compile(pattern));
        let each = each.collect::<Result<_, _>>()?;
        let set = RegexSetBuilder::new(patterns)
            .unicode(false)
            .size_limit(SIZE.saturating_mul(patterns.len() + 1))
            .build();
        match set {
            Ok(set) => Ok(Self { set, each }),
            Err(error) => Err(PatternError::Syntax(
                "patterns".to_owned(),
                error.to_string(),
            )),
        }
    }

    /// Appends where in `text` secrets stand; they may overlap.
    pub(super) fn find(&self, text: &[u8], spans: &mut Vec<Range<usize>>) {
        for index in self.set.matches(text) {
            let Some(pattern) = self.each.get(index) else {
                continue;
            };
            for found in pattern.captures_iter(text) {
                let secret = found.name(GROUP).or_else(|| found.get(0));
                spans.extend(
                    secret
                        .filter(|_| !is_about(&found))
                        .map(|found| found.range()),
                );
            }
        }
    }
}

/// The value is no secret: its name says that it is something about one.
fn is_about(found: &Captures<'_>) -> bool {
    let name = found
        .name(NAMED)
        .map(|name| name.as_bytes().to_ascii_lowercase());
    name.is_some_and(|name| ABOUT.iter().any(|end| name.ends_with(end)))
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(SIZE)
        .build()
        .map_err(|error| PatternError::Syntax(pattern.to_owned(), error.to_string()))
}
