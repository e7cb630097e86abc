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
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn command(text: &str) -> Command {
        Command::parse(text).unwrap()
    }

    fn of(text: &str) -> Result<Command, Refusal> {
        Command::of(&tokens(text.as_bytes())?)
    }

    fn matches(command: &Command, text: &str) -> Result<bool, Refusal> {
        tokens(text.as_bytes()).map(|tokens| command.matches(&tokens))
    }

    fn seen(text: &str) -> String {
        of(text).unwrap().to_string()
    }

    #[test]
    fn commands_seen_once() {
        for (text, expected) in [
            ("id", "id"),
            ("  id ", "id"),
            (
                "convert '/tmp/a' -resize 640x480 /srv/up/a.jpg",
                "convert {path:/tmp} -resize {number}x{number} /srv/up/a.jpg",
            ),
            ("gs -q 'a b' 2>&1", "gs -q 'a b' 2>& 1"),
            ("cd /x && make 3", "cd /x && make {number}"),
            ("A=1 make 3 > /tmp/out4", "A=1 make {number} > /tmp/out4"),
            (
                "curl http://a/ 12 | head -n 3",
                "curl http://a/ 12 | head -n {number}",
            ),
            ("echo {a} 'b;c'", "echo {{a}} 'b;c'"),
            ("a# '#b'", "a# '#b'"),
            ("nohup x & echo $!", "nohup x & echo $!"),
            ("echo \"a $$\"", "echo \"a $$\""),
            ("12 13", "12 {number}"),
            (">1 12 13", "> 1 12 13"),
            ("x < /tmp/a12 > /tmp/b12", "x < {path:/tmp} > /tmp/b12"),
            ("python3 < /tmp/a12", "python3 < /tmp/a12"),
        ] {
            assert_eq!(seen(text), expected, "{text}");
            let back = Command::parse(expected).unwrap();
            assert!(matches(&back, text).unwrap(), "{text}");
            assert_eq!(back.to_string(), expected);
        }
    }

    #[test]
    fn quotes_count_where_they_change_the_meaning() {
        for (template, yes, no) in [
            ("ls '*'", "ls '*'", "ls *"),
            ("ls *", "ls *", "ls '*'"),
            ("ls a", "ls 'a'", "ls b"),
            ("echo '$$'", "echo '$$'", "echo $$"),
            ("echo '~'", "echo '~'", "echo ~"),
        ] {
            assert!(matches(&command(template), yes).unwrap(), "{template}");
            assert!(!matches(&command(template), no).unwrap(), "{template}");
        }
    }

    #[test]
    fn no_placeholder_stands_for_a_program_or_a_target() {
        for text in [
            "{word}",
            "a; {word}",
            "a | {path:/tmp}",
            "X={word} y",
            "a > {path:/tmp}",
            "curl {word}",
            "php {path:/tmp}",
            "",
        ] {
            assert!(Command::parse(text).is_err(), "{text}");
        }
        assert!(Command::parse("php /srv/a.php {number}").is_ok());
    }

    #[test]
    fn the_difference_is_named() {
        let template = command("convert {path:/tmp} x");
        for (text, expected) in [
            ("convert /tmp/a x; id", "the command goes on with `;`"),
            ("convert /tmp/a", "the command ends before x"),
            (
                "convert /etc/passwd x",
                "part 2 of the command is `/etc/passwd`, not {path:/tmp}",
            ),
            (
                "convert|x x",
                "part 2 of the command is `|`, not {path:/tmp}",
            ),
        ] {
            assert_eq!(
                template
                    .difference(&tokens(text.as_bytes()).unwrap())
                    .unwrap(),
                expected
            );
        }
        assert_eq!(
            template.difference(&tokens(b"convert /tmp/a x").unwrap()),
            None
        );
    }

    #[test]
    fn programs_of_a_command() {
        let programs: Vec<_> = command("A=1 cd /x && a b | c 2>&1; (d)")
            .programs()
            .collect();
        assert_eq!(programs, ["A=1", "cd", "a", "c", "d"]);
    }

    const TEMPLATES: &[&str] = &[
        "convert {path:/tmp} -resize {number}x{number} {path:/srv/up:.jpg}",
        "sendmail -t -i -f{address}",
        "cd /srv/x && make {word} 2>&1",
        "tool '{path:/srv/a b}' {hex} | head -n {number}",
        "echo $$ {word}",
    ];

    /// Words that may be safe, and ones that are not.
    fn filler() -> impl Strategy<Value = String> {
        prop_oneof![
            "[a-z0-9]{1,8}",
            Just("/tmp/a".to_owned()),
            "[ -~]{0,16}",
            "[;|&$()<>`\n\\\\'\"]{1,3}",
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(600))]

        /// No template matches a command with more operators than it has itself.
        #[test]
        fn no_template_matches_metacharacters_beyond_it(
            template in proptest::sample::select(TEMPLATES), at in 0..200_usize,
            insert in "[ -~]{0,6}[;|&$()<>`\n\r][ -~]{0,6}", quote in proptest::sample::select(&["", "'", "\""][..]),
        ) {
            let command = command(template);
            let mut text = template.to_owned();
            for (slot, value) in [
                ("{path:/tmp}", "/tmp/a"), ("{number}", "12"), ("{path:/srv/up:.jpg}", "/srv/up/a.jpg"),
                ("{address}", "a@b"), ("{word}", "word"), ("{path:/srv/a b}", "/srv/a b/c"),
                ("{hex}", "0123abcd"),
            ] {
                text = text.replace(slot, value);
            }
            prop_assert_eq!(matches(&command, &text), Ok(true));
            let at = at % (text.len() + 1);
            let hostile = format!("{}{quote}{insert}{quote}{}", &text[..at], &text[at..]);
            // The one thing that may be added is what a shell ignores.
            prop_assert_ne!(matches(&command, &hostile), Ok(true), "{}", hostile);
        }

        /// The same for whole commands put together by chance.
        #[test]
        fn chance_matches_nothing_dangerous(
            template in proptest::sample::select(TEMPLATES), words in proptest::collection::vec(filler(), 0..8),
        ) {
            let text = words.join(" ");
            let command = command(template);
            if matches(&command, &text) == Ok(true) {
                let signs = |tokens: Vec<Token>| tokens.iter().filter(|t| matches!(t, Token::Op(_))).count();
                prop_assert_eq!(
                    signs(tokens(text.as_bytes()).unwrap()),
                    signs(tokens(template.as_bytes()).unwrap())
                );
            }
        }

        /// What was seen matches its own template, which survives being written down.
        #[test]
        fn what_was_seen_matches(words in proptest::collection::vec(filler(), 1..8)) {
            let text = words.join(" ");
            let Ok(seen) = of(&text) else { return Ok(()) };
            prop_assert_eq!(matches(&seen, &text), Ok(true));
            if !seen.0.is_empty() {
                let back = Command::parse(&seen.to_string());
                prop_assert_eq!(back.as_ref(), Ok(&seen), "{}", text);
            }
        }

        /// What two commands join to matches both.
        #[test]
        fn a_join_matches_both(a in "[a-c]( [a-z0-9/]{1,6}){0,3}", b in "[a-c]( [a-z0-9/]{1,6}){0,3}") {
            let [first, second] = [&a, &b].map(|text| of(&text).unwrap());
            if let Some(joined) = first.join(&second) {
                prop_assert_eq!(matches(&joined, &a), Ok(true));
                prop_assert_eq!(matches(&joined, &b), Ok(true));
            }
        }
    }
}
