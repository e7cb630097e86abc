//! A command of `sh -c` with placeholders.
//!
//! Operators stand in it as they were seen, and only there: a command that has one more,
//! or one elsewhere, is another command. The word in the place of a program is always
//! literal.

use std::fmt;

use super::{
    Refusal,
    template::{Freedom, Template},
    token::{Op, Token, Word, tokens},
    tool,
};

/// See the module.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) struct Command(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
enum Part {
    /// A word; whether it was quoted counts where that changes what it means.
    Word {
        text: Template,
        quoted: bool,
        expands: bool,
    },
    /// An operator as written.
    Op(String),
}

/// Quoted or not, these mean the same to a shell.
fn is_plain(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_alphanumeric() || byte >= 0x80 || b"/_.-+@,:%".contains(&byte))
}

impl Part {
    fn word(word: &Word, text: Template) -> Self {
        let plain = text.literals().all(is_plain);
        Self::Word {
            quoted: word.quoted && !plain,
            expands: word.expands,
            text,
        }
    }

    fn matches(&self, token: &Token) -> bool {
        match (self, token) {
            (Self::Op(sign), Token::Op(op)) => *sign == op.to_string(),
            (
                Self::Word {
                    text,
                    quoted,
                    expands,
                },
                Token::Word(word),
            ) => {
                let same = text.literals().all(is_plain) || *quoted == word.quoted;
                same && *expands == word.expands && text.matches(&word.text)
            }
            _ => false,
        }
    }
}

/// Where in a command a word stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// In the place of a program, or of a variable set for one.
    Program,
    /// Behind it, when arguments may be generalised so far.
    Argument(Freedom),
    /// Behind a redirection; what comes after is for the program again. What is read
    /// from may be generalised like an argument, what is written to may not.
    File { reads: bool, freedom: Freedom },
}

/// Follows a command word by word.
struct Walk(Place);

impl Walk {
    const fn new() -> Self {
        Self(Place::Program)
    }

    /// How far the word that stands here may be generalised.
    fn word(&mut self, text: &[u8]) -> Freedom {
        match self.0 {
            Place::Program => {
                if !text.contains(&b'=') {
                    self.0 = Place::Argument(tool::freedom(text));
                }
                Freedom::None
            }
            Place::Argument(freedom) => freedom,
            Place::File { reads, freedom } => {
                self.0 = Place::Argument(freedom);
                if reads { freedom } else { Freedom::None }
            }
        }
    }

    fn op(&mut self, op: Op) {
        let reads = op.sign == "<";
        self.0 = match (op.redirects(), self.0) {
            // A redirection before the program leaves its place open; to take what
            // follows for an argument of nothing would be generous, so it stays literal.
            (true, Place::Program) => Place::File {
                reads,
                freedom: Freedom::None,
            },
            (true, Place::Argument(freedom) | Place::File { freedom, .. }) => {
                Place::File { reads, freedom }
            }
            (false, _) => Place::Program,
        };
    }
}

impl Command {
    /// The template of a command seen once.
    ///
    /// # Errors
    /// When a word is not UTF-8.
    pub(super) fn of(tokens: &[Token]) -> Result<Self, Refusal> {
        let mut walk = Walk::new();
        let part = |token: &Token| {
            Ok(match token {
                Token::Op(op) => {
                    walk.op(*op);
                    Part::Op(op.to_string())
                }
                Token::Word(word) => {
                    let freedom = walk.word(&word.text);
                    let text = str::from_utf8(&word.text).or(Err(Refusal::Encoding))?;
                    let exact = word.expands || freedom == Freedom::None;
                    let freedom = if exact { Freedom::None } else { freedom };
                    Part::word(word, Template::of(text, freedom))
                }
            })
        };
        let parts: Result<_, _> = tokens.iter().map(part).collect();
        parts.map(Self)
    }

    /// Reads a command with placeholders.
    ///
    /// # Errors
    /// When it is no command that could be matched, or has a placeholder where none may be.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut walk = Walk::new();
        let mut parts = Vec::new();
        for token in tokens(text.as_bytes()).map_err(|refusal| refusal.to_string())? {
            parts.push(match token {
                Token::Op(op) => {
                    walk.op(op);
                    Part::Op(op.to_string())
                }
                Token::Word(word) => {
                    let freedom = walk.word(&word.text);
                    let text = str::from_utf8(&word.text).map_err(|error| error.to_string())?;
                    let text = Template::parse(text)?;
                    let strange = text.classes().find(|class| !freedom.allows(class));
                    if let Some(class) = strange {
                        return Err(format!("{class} may not stand there"));
                    }
                    Part::word(&word, text)
                }
            });
        }
        if parts.is_empty() {
            return Err("an empty command".to_owned());
        }
        Ok(Self(parts))
    }

    /// The command of these tokens is what this stands for.
    pub(super) fn matches(&self, tokens: &[Token]) -> bool {
        tokens.len() == self.0.len()
            && self
                .0
                .iter()
                .zip(tokens)
                .all(|(part, token)| part.matches(token))
    }

    /// A command of which both are part.
    #[must_use]
    pub(super) fn join(&self, other: &Self) -> Option<Self> {
        if self.0.len() != other.0.len() {
            return None;
        }
        let mut walk = Walk::new();
        let mut parts = Vec::with_capacity(self.0.len());
        for pair in self.0.iter().zip(&other.0) {
            parts.push(match pair {
                (Part::Op(a), Part::Op(b)) if a == b => {
                    walk.sign(a);
                    Part::Op(a.clone())
                }
                (
                    Part::Word {
                        text: a,
                        quoted,
                        expands,
                    },
                    Part::Word {
                        text: b,
                        quoted: other_quoted,
                        expands: other_expands,
                    },
                ) if expands == other_expands => {
                    let freedom = walk.word(a.sample().as_bytes());
                    let text = a.join(b, if *expands { Freedom::None } else { freedom })?;
                    if a == b && quoted != other_quoted {
                        return None;
                    }
                    let plain = text.literals().all(is_plain);
                    Part::Word {
                        quoted: !plain && *quoted,
                        expands: *expands,
                        text,
                    }
                }
                _ => return None,
            });
        }
        Some(Self(parts))
    }

    /// Where a command of these tokens first differs, in words.
    pub(super) fn difference(&self, tokens: &[Token]) -> Option<String> {
        let mut pairs = self.0.iter().zip(tokens).enumerate();
        if let Some((index, (part, token))) = pairs.find(|(_, (part, token))| !part.matches(token))
        {
            let number = index + 1;
            return Some(format!(
                "part {number} of the command is {}, not {part}",
                Shown(token)
            ));
        }
        match (self.0.get(tokens.len()), tokens.get(self.0.len())) {
            (Some(part), _) => Some(format!("the command ends before {part}")),
            (_, Some(token)) => Some(format!("the command goes on with {}", Shown(token))),
            _ => None,
        }
    }

    /// Literal words in the place of a program.
    pub(super) fn programs(&self) -> impl Iterator<Item = String> {
        let mut walk = Walk::new();
        self.0.iter().filter_map(move |part| match part {
            Part::Op(sign) => {
                walk.sign(sign);
                None
            }
            Part::Word { text, .. } => {
                let program = walk.0 == Place::Program;
                let sample = text.sample();
                walk.word(sample.as_bytes());
                program.then_some(sample)
            }
        })
    }

    /// Words in the place of a program among `tokens`: what every command that matches has
    /// there too.
    pub(super) fn programs_of(tokens: &[Token]) -> impl Iterator<Item = &[u8]> {
        let mut walk = Walk::new();
        tokens.iter().filter_map(move |token| match token {
            Token::Op(op) => {
                walk.op(*op);
                None
            }
            Token::Word(word) => {
                let program = walk.0 == Place::Program;
                walk.word(&word.text);
                program.then_some(word.text.as_slice())
            }
        })
    }

    /// It has no placeholder.
    #[must_use]
    pub(super) fn is_exact(&self) -> bool {
        self.0.iter().all(|part| match part {
            Part::Op(_) => true,
            Part::Word { text, .. } => text.classes().next().is_none(),
        })
    }

    /// Operators and number of words: what joined commands share.
    pub(super) fn shape(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|part| match part {
            Part::Op(sign) => sign.as_str(),
            Part::Word { .. } => "w",
        })
    }
}

impl Walk {
    fn sign(&mut self, sign: &str) {
        let sign = match sign {
            "<" | "0<" => "<",
            _ if sign.contains(['<', '>']) => ">",
            _ => ";",
        };
        self.op(Op { fd: None, sign });
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.0.iter().enumerate() {
            if index > 0 {
                f.write_str(" ")?;
            }
            part.fmt(f)?;
        }
        Ok(())
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Op(sign) => f.write_str(sign),
            Self::Word {
                text,
                quoted,
                expands,
            } => {
                let text = text.to_string();
                let needs = text.is_empty()
                    || text.starts_with('#')
                    || text.contains(|c: char| " \t'\"\\$`;&|<>()".contains(c));
                match (*expands, *quoted || needs) {
                    (true, true) if *quoted => {
                        write!(f, "\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
                    }
                    (true, _) | (false, false) => f.write_str(&text),
                    (false, true) => write!(f, "'{}'", text.replace('\'', "'\\''")),
                }
            }
        }
    }
}

/// A token in a sentence.
struct Shown<'t>(&'t Token);

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Token::Op(op) => write!(f, "`{op}`"),
            Token::Word(word) => {
                let text = String::from_utf8_lossy(&word.text);
                let short: String = text.chars().take(60).collect();
                write!(f, "`{short}`")
            }
        }
    }
}

#[cfg(test)]
mod tests;
