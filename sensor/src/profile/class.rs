//! What a placeholder stands for.
//!
//! No class holds a character that means something to a shell, and none can begin an
//! option: that is what makes a template safe to match.

use std::fmt;

/// Longest text one placeholder stands for, bytes.
pub(super) const VALUE_MAX: usize = 1_024;

/// Placeholders as a file has them, and what each stands for.
pub const PLACEHOLDERS: &[(&str, &str)] = &[
    ("{number}", "1 to 20 decimal digits"),
    ("{hex}", "8 to 128 hexadecimal digits, dashes between"),
    (
        "{word}",
        "up to 64 letters, digits, `_`, `.` and `-`, neither dash nor dot first",
    ),
    ("{address}", "a mail address"),
    (
        "{path:/dir}",
        "a path below the directory, without `..`; blanks and letters of any language count as part of names",
    ),
    ("{path:/dir:.ext}", "the same with this suffix"),
];

/// Directories for temporary files: names in them are made up.
const TEMPORARY: &[&str] = &["/tmp", "/var/tmp"];

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Class {
    /// `{number}`: 1 to 20 decimal digits.
    Number,
    /// `{hex}`: 8 to 128 hexadecimal digits, dashes between.
    Hex,
    /// `{word}`: up to 64 letters, digits, `_`, `.`, `-`, no dash or dot first.
    Word,
    /// `{address}`: a mail address.
    Address,
    /// `{path:/dir}`, `{path:/dir:.ext}`: a path below a directory, without `..`.
    Path {
        /// Absolute, without a slash at its end.
        directory: String,
        /// Suffix of the file's name, dot included.
        extension: Option<String>,
    },
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number => f.write_str("{number}"),
            Self::Hex => f.write_str("{hex}"),
            Self::Word => f.write_str("{word}"),
            Self::Address => f.write_str("{address}"),
            Self::Path {
                directory,
                extension,
            } => match extension {
                Some(extension) => write!(f, "{{path:{directory}:{extension}}}"),
                None => write!(f, "{{path:{directory}}}"),
            },
        }
    }
}

impl Class {
    /// The class that `name`, the text between braces, stands for.
    ///
    /// # Errors
    /// When there is no such class.
    pub(super) fn parse(name: &str) -> Result<Self, String> {
        Ok(match name {
            "number" => Self::Number,
            "hex" => Self::Hex,
            "word" => Self::Word,
            "address" => Self::Address,
            _ => {
                let Some(rest) = name.strip_prefix("path:") else {
                    return Err(format!(
                        "`{{{name}}}` is no placeholder: use {{number}}, {{hex}}, {{word}}, \
                         {{address}} or {{path:/dir}}; a brace itself is written twice"
                    ));
                };
                let (directory, extension) = match rest.split_once(':') {
                    Some((directory, extension)) => (directory, Some(extension)),
                    None => (rest, None),
                };
                let is_directory = directory.starts_with('/') && is_path(directory.as_bytes());
                if !is_directory || extension.is_some_and(|it| !is_extension(it)) {
                    return Err(format!(
                        "`{{{name}}}`: expected {{path:/dir}} or {{path:/dir:.ext}}"
                    ));
                }
                Self::Path {
                    directory: directory.to_owned(),
                    extension: extension.map(str::to_owned),
                }
            }
        })
    }

    /// Length of what this stands for at the beginning of `text`, as much as possible;
    /// `None` when there is nothing.
    #[must_use]
    pub(super) fn prefix(&self, text: &[u8]) -> Option<usize> {
        let length = text
            .iter()
            .take(VALUE_MAX + 1)
            .take_while(|&&byte| self.has(byte))
            .count();
        let value = text.get(..length)?;
        self.accepts(value).then_some(length)
    }

    /// `value`, whole, is one of this class.
    #[must_use]
    pub(super) fn accepts(&self, value: &[u8]) -> bool {
        if value.is_empty() || value.len() > VALUE_MAX || !value.iter().all(|&byte| self.has(byte))
        {
            return false;
        }
        match self {
            Self::Number => value.len() <= 20,
            Self::Hex => is_hex(value),
            Self::Word => value.len() <= 64 && !matches!(value.first(), Some(b'-' | b'.')),
            Self::Address => is_address(value),
            Self::Path {
                directory,
                extension,
            } => {
                let below = value
                    .strip_prefix(directory.as_bytes())
                    .and_then(|rest| rest.strip_prefix(b"/"));
                let suffix = extension.as_deref().unwrap_or_default().as_bytes();
                below.is_some_and(|below| below.len() > suffix.len() && below.ends_with(suffix))
                    && is_path(value)
            }
        }
    }

    fn has(&self, byte: u8) -> bool {
        match self {
            Self::Number => byte.is_ascii_digit(),
            Self::Hex => byte.is_ascii_hexdigit() || byte == b'-',
            Self::Word => byte.is_ascii_alphanumeric() || b"_.-".contains(&byte),
            Self::Address => byte.is_ascii_alphanumeric() || b"_.+-@".contains(&byte),
            Self::Path { .. } => is_path_byte(byte),
        }
    }

    /// The class, if any, of which both of these are.
    #[must_use]
    pub(super) fn common(a: &str, b: &str) -> Option<Self> {
        let [both_a, both_b] = [a.as_bytes(), b.as_bytes()];
        let plain = [Self::Number, Self::Hex, Self::Address];
        let fits = |class: &Self| class.accepts(both_a) && class.accepts(both_b);
        if let Some(class) = plain.into_iter().find(&fits) {
            return Some(class);
        }
        Self::directory(a, b).or_else(|| [Self::Word].into_iter().find(&fits))
    }

    /// The class of paths below the deepest directory that both are in.
    fn directory(a: &str, b: &str) -> Option<Self> {
        let (above_a, name_a) = a.rsplit_once('/')?;
        let (above_b, name_b) = b.rsplit_once('/')?;
        let shared = above_a.split('/').zip(above_b.split('/'));
        let shared: Vec<_> = shared.take_while(|(a, b)| a == b).map(|(a, _)| a).collect();
        let directory = shared.join("/");
        // The root, or a directory in it, would be too much but for temporary files.
        if shared.len() < 3 && !TEMPORARY.contains(&directory.as_str()) {
            return None;
        }
        let extension = extension(name_a).filter(|_| extension(name_a) == extension(name_b));
        let class = Self::Path {
            directory,
            extension: extension.map(str::to_owned),
        };
        (class.accepts(a.as_bytes()) && class.accepts(b.as_bytes())).then_some(class)
    }

    /// What both of these classes are part of.
    #[must_use]
    pub(super) fn merge(&self, other: &Self) -> Option<Self> {
        if self == other {
            return Some(self.clone());
        }
        let (a, b) = (self.sample(), other.sample());
        match (self, other) {
            (Self::Path { .. }, Self::Path { .. }) => Self::directory(&a, &b),
            (Self::Number | Self::Hex | Self::Word, Self::Number | Self::Hex | Self::Word) => {
                let word = matches!(self, Self::Word) || matches!(other, Self::Word);
                Some(if word { Self::Word } else { Self::Hex })
            }
            _ => None,
        }
    }

    /// What this class and `literal` are part of.
    #[must_use]
    pub(super) fn widen(&self, literal: &str) -> Option<Self> {
        if self.accepts(literal.as_bytes()) {
            return Some(self.clone());
        }
        match self {
            Self::Path { .. } => Self::directory(&self.sample(), literal),
            Self::Number | Self::Hex | Self::Word => {
                Self::Word.accepts(literal.as_bytes()).then_some(Self::Word)
            }
            Self::Address => None,
        }
    }

    /// Something of this class.
    #[must_use]
    pub(super) fn sample(&self) -> String {
        match self {
            Self::Number => "1".to_owned(),
            Self::Hex => "0123abcd".to_owned(),
            Self::Word => "word".to_owned(),
            Self::Address => "a@example.org".to_owned(),
            Self::Path {
                directory,
                extension,
            } => format!("{directory}/x{}", extension.as_deref().unwrap_or_default()),
        }
    }

    /// The class of a name that programs make up for each run: numbers, digests, temporary
    /// files. Everything else is told only by seeing it change.
    #[must_use]
    pub(super) fn made_up(text: &str) -> Option<Self> {
        if Self::Number.accepts(text.as_bytes()) {
            return Some(Self::Number);
        }
        let digits = text.bytes().any(|byte| byte.is_ascii_digit());
        if digits && text.len() >= 16 && Self::Hex.accepts(text.as_bytes()) {
            return Some(Self::Hex);
        }
        let directory = TEMPORARY.iter().find(|directory| {
            let below = text.strip_prefix(**directory);
            below.is_some_and(|below| below.starts_with('/'))
        })?;
        let name = text.rsplit('/').next().unwrap_or_default();
        let class = Self::Path {
            directory: (*directory).to_owned(),
            extension: extension(name).map(str::to_owned),
        };
        class.accepts(text.as_bytes()).then_some(class)
    }
}

/// Bytes of a path that mean nothing to a shell, inside quotes at least.
fn is_path_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte >= 0x80 || b"/_.-+@=,:% ".contains(&byte)
}

/// Absolute, every component a name.
fn is_path(path: &[u8]) -> bool {
    let Some(inner) = path.strip_prefix(b"/") else {
        return false;
    };
    path.iter().all(|&byte| is_path_byte(byte))
        && inner
            .split(|&byte| byte == b'/')
            .all(|name| !matches!(name, b"" | b"." | b".."))
}

fn is_hex(value: &[u8]) -> bool {
    let digits = value.iter().filter(|byte| byte.is_ascii_hexdigit()).count();
    (8..=128).contains(&digits)
        && value.len() <= 136
        && value.first() != Some(&b'-')
        && value.last() != Some(&b'-')
}

fn is_address(value: &[u8]) -> bool {
    let mut parts = value.split(|&byte| byte == b'@');
    let (Some(user), Some(host), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    value.len() <= 254
        && [user, host]
            .iter()
            .all(|part| part.first().is_some_and(u8::is_ascii_alphanumeric))
}

/// Suffix of a file's name, dot included, when it is a plain one.
fn extension(name: &str) -> Option<&str> {
    let dot = name.rfind('.').filter(|&dot| dot > 0)?;
    let suffix = name.get(dot..)?;
    is_extension(suffix).then_some(suffix)
}

fn is_extension(suffix: &str) -> bool {
    let plain = |rest: &str| rest.bytes().all(|byte| byte.is_ascii_alphanumeric());
    (2..=9).contains(&suffix.len()) && suffix.strip_prefix('.').is_some_and(plain)
}

#[cfg(test)]
mod tests;
