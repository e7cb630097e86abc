//! What a secret looks like: shapes that come with the sensor, and patterns of the
//! configuration.

use std::{borrow::Cow, sync::LazyLock};

use regex::bytes::{Captures, Regex, RegexBuilder, RegexSet, RegexSetBuilder};

use super::{Key, mark};

/// Most patterns of a configuration.
pub const PATTERNS_MAX: usize = 64;
/// Most bytes of one.
pub const PATTERN_MAX: usize = 512;
/// Most bytes that one compiled pattern may take.
const SIZE: usize = 1 << 20;
/// The group of a pattern that is the secret; the whole match where there is none.
const GROUP: &str = "secret";

/// Part of a name whose value is secret.
const NAME: &str = r"(?:[\w.-]*(?:passw(?:or)?d|passphrase|secret|token|credential|api[_-]?key|access[_-]?key|private[_-]?key|auth[_-]?key)[\w.-]*|(?:[\w.]*[_.-])?(?:pass|pwd))";
/// A blank, or the end of an argument.
const BLANK: &str = r"[\s\x00]";

/// `(?<secret>)` is written `%(`, [`NAME`] `%N`, [`BLANK`] `%B`.
const SHAPES: &[&str] = &[
    // --password=x as an argument of its own: up to the end of the argument.
    r"(?:^|\x00)-{1,2}%N=%([^\x00]+)",
    // --password x as two arguments.
    r"(?:^|\x00)(?:--%N|-(?:pass|passwd|password|pwd|secret|token))\x00%([^\x00]+)",
    // PGPASSWORD=x, and the same within a line for a shell, a query string, a piece of JSON
    // or YAML: up to the quote that ends it, or the next word. No further: whoever calls a
    // command a password is not to hide the rest of the line.
    r#"(?:^|[\s;&|?'"{(,\x00-])%N["']?\s{0,4}[=:]\s{0,4}'%([^'\x00]+)"#,
    r#"(?:^|[\s;&|?'"{(,\x00-])%N["']?\s{0,4}[=:]\s{0,4}"%([^"\x00]+)"#,
    r"--%N[ \t]+'%([^'\x00]+)",
    r#"--%N[ \t]+"%([^"\x00]+)"#,
    r#"(?:^|[\s;&|?'"{(,\x00-])%N["']?\s{0,4}[=:]\s{0,4}["']?%([^\s;&|'",)}\x00]+)"#,
    r#"--%N[ \t]+["']?%([^\s;&|'"\x00]+)"#,
    // HTTP headers.
    r#"(?:authorization|x-api-key):[ \t]*(?:(?:basic|bearer|token|negotiate)[ \t]+)?%([^\s;&|'"\x00]+)"#,
    r#"(?:^|["'\x00])(?:authorization:[ \t]*digest[ \t]|cookie:)[ \t]*%([^\x00'"\r\n]+)"#,
    // scheme://user:secret@host
    r"[a-z][a-z0-9+.-]{0,20}://[^\s/:@\x00]*:%([^\s/@\x00]+)@",
    // mysql -psecret, sshpass -p secret, curl -u user:secret, redis-cli -a secret.
    r"\b(?:mysql|mysqldump|mysqladmin|mysqlimport|mysqlshow|mariadb|mariadb-dump|mariadb-admin)\b[^;&|\n]*?%B-p%([^\s;&|\x00]+)",
    r"\bsshpass%B+-p%B*%([^\s\x00]+)",
    r"\b(?:curl|wget)\b[^;&|\n]*?%B(?:-u|--user|--proxy-user)[\s=\x00]*[^\s:\x00]+:%([^\s\x00]+)",
    r"\bredis-cli\b[^;&|\n]*?%B(?:-a|--pass)%B+%([^\s\x00]+)",
    // Keys and tokens by their own form: AWS, GitHub, Slack, GitLab, JSON web tokens, PEM.
    r"%((?-i:\b(?:AKIA|ASIA)[A-Z0-9]{16}\b))",
    r"%((?-i:\b(?:gh[pousr]_[A-Za-z0-9]{20,255}|github_pat_\w{20,255}|xox[abprs]-[\w-]{10,255}|glpat-[\w-]{20,255})))",
    r"%((?-i:\beyJ[\w-]{8,}\.eyJ[\w-]{8,}\.[\w-]*))",
    r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----%([^\x00-]+)",
];

static SHIPPED: LazyLock<Patterns> = LazyLock::new(|| {
    let shapes = SHAPES.iter().map(|shape| {
        let shape = shape.replace("%(", "(?<secret>").replace("%N", NAME);
        format!("(?i){}", shape.replace("%B", BLANK))
    });
    Patterns::compile(&shapes.collect::<Vec<_>>()).expect("a test compiles them")
});

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
    /// Those that come with the sensor.
    pub(super) fn shipped() -> &'static Self {
        &SHIPPED
    }

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

    /// Replaces in `text`, which may be arguments joined by NUL: their number stays as it
    /// is. `hear` is told each secret.
    pub(super) fn replace<'t>(
        &self,
        text: Cow<'t, [u8]>,
        key: Option<&Key>,
        hear: &mut dyn FnMut(&[u8]),
    ) -> Cow<'t, [u8]> {
        let mut text = text;
        for index in self.set.matches(&text) {
            let Some(pattern) = self.each.get(index) else {
                continue;
            };
            let replaced = pattern.replace_all(&text, |found: &Captures<'_>| {
                let Some(whole) = found.get(0) else {
                    return Vec::new();
                };
                let held = found.name(GROUP).unwrap_or(whole);
                let (start, end) = (held.start() - whole.start(), held.end() - whole.start());
                let (before, behind) = (&whole.as_bytes()[..start], &whole.as_bytes()[end..]);
                let marks = held.as_bytes().split(|&byte| byte == 0);
                let marks = marks.map(|secret| mark::replace(secret, key, hear));
                [before, &bstr::join("\0", marks), behind].concat()
            });
            if let Cow::Owned(replaced) = replaced {
                text = Cow::Owned(replaced);
            }
        }
        text
    }
}

fn compile(pattern: &str) -> Result<Regex, PatternError> {
    RegexBuilder::new(pattern)
        .unicode(false)
        .size_limit(SIZE)
        .build()
        .map_err(|error| PatternError::Syntax(pattern.to_owned(), error.to_string()))
}
