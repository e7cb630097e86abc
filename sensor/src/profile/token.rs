//! Cuts the command of `sh -c` into words and operators.
//!
//! No shell parser: one pass over the bytes, no recursion, no look at more than the next
//! byte. What a shell would expand is refused, not guessed at, so that a word here is the
//! word the shell sees. Commands come from attackers.

use std::fmt;

use super::Refusal;

/// Longest command, bytes. Capture keeps less.
pub(super) const COMMAND_MAX: usize = 4_096;
/// Most words and operators of a command.
pub(super) const TOKENS_MAX: usize = 256;

/// A part of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Token {
    /// A word, quotes undone.
    Word(Word),
    /// An operator.
    Op(Op),
}

/// A word of a command.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Word {
    /// What it says, quotes and backslashes undone.
    pub(super) text: Vec<u8>,
    /// Some of it was quoted or escaped.
    pub(super) quoted: bool,
    /// It holds `$$`, `$!`, `$?` or `$#`, which the shell replaces by numbers.
    pub(super) expands: bool,
}

/// An operator, as it is written; redirections with their descriptor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Op {
    /// Descriptor before a redirection.
    pub(super) fd: Option<u8>,
    /// What is written.
    pub(super) sign: &'static str,
}

impl Op {
    /// A word behind it names a file, not a program.
    #[must_use]
    pub(super) fn redirects(self) -> bool {
        self.sign.contains(['<', '>'])
    }
}

impl fmt::Display for Op {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(fd) = self.fd {
            write!(f, "{fd}")?;
        }
        f.write_str(self.sign)
    }
}

/// Operators, longer ones before their beginnings.
const SIGNS: &[&str] = &[
    "&&", "||", "&>>", "&>", ";;", ">>", ">&", ">|", "<&", "<>", ";", "|", "&", "(", ")", "<", ">",
];

/// Cuts `command` into tokens.
///
/// # Errors
/// When it is longer than the bounds allow, holds control characters, something the shell
/// would expand, a here-document or a comment, or a quote does not end.
pub(super) fn tokens(command: &[u8]) -> Result<Vec<Token>, Refusal> {
    if command.len() > COMMAND_MAX {
        return Err(Refusal::Long);
    }
    let mut scan = Scan {
        rest: command,
        tokens: Vec::new(),
        word: None,
    };
    while let Some((&byte, after)) = scan.rest.split_first() {
        scan.rest = after;
        scan.byte(byte)?;
    }
    scan.finish()?;
    Ok(scan.tokens)
}

struct Scan<'c> {
    rest: &'c [u8],
    tokens: Vec<Token>,
    word: Option<Word>,
}

impl Scan<'_> {
    fn byte(&mut self, byte: u8) -> Result<(), Refusal> {
        match byte {
            b' ' | b'\t' => self.finish(),
            b'\'' => self.single(),
            b'"' => self.double(),
            b'\\' => {
                let escaped = self.next().ok_or(Refusal::Unclosed)?;
                self.quoted(escaped)
            }
            b'$' => self.dollar(),
            b'`' => Err(Refusal::Substitution),
            b'#' if self.word.is_none() => Err(Refusal::Comment),
            b';' | b'&' | b'|' | b'<' | b'>' | b'(' | b')' => self.operator(byte),
            _ => self.push(byte),
        }
    }

    fn next(&mut self) -> Option<u8> {
        let (&byte, after) = self.rest.split_first()?;
        self.rest = after;
        Some(byte)
    }

    fn word(&mut self) -> &mut Word {
        self.word.get_or_insert_default()
    }

    fn push(&mut self, byte: u8) -> Result<(), Refusal> {
        if byte.is_ascii_control() {
            return Err(Refusal::Control);
        }
        self.word().text.push(byte);
        Ok(())
    }

    fn quoted(&mut self, byte: u8) -> Result<(), Refusal> {
        self.word().quoted = true;
        if byte == b'$' && self.word().expands {
            return Err(Refusal::Expansion);
        }
        self.push(byte)
    }

    fn single(&mut self) -> Result<(), Refusal> {
        self.word().quoted = true;
        loop {
            match self.next().ok_or(Refusal::Unclosed)? {
                b'\'' => return Ok(()),
                byte => self.quoted(byte)?,
            }
        }
    }

    fn double(&mut self) -> Result<(), Refusal> {
        self.word().quoted = true;
        loop {
            match self.next().ok_or(Refusal::Unclosed)? {
                b'"' => return Ok(()),
                b'`' => return Err(Refusal::Substitution),
                b'$' => self.dollar()?,
                b'\\' => match self.rest.first() {
                    Some(&escaped @ (b'$' | b'`' | b'"' | b'\\')) => {
                        self.next();
                        self.quoted(escaped)?;
                    }
                    _ => self.quoted(b'\\')?,
                },
                byte => self.quoted(byte)?,
            }
        }
    }

    /// Behind a dollar that counts. A word may hold numbers of the shell or literal
    /// dollars, not both: its text could not tell them apart.
    fn dollar(&mut self) -> Result<(), Refusal> {
        match self.rest.first() {
            Some(b'(') => Err(Refusal::Substitution),
            Some(&sign @ (b'$' | b'!' | b'?' | b'#')) => {
                self.next();
                let word = self.word();
                if word.text.contains(&b'$') && !word.expands {
                    return Err(Refusal::Expansion);
                }
                word.expands = true;
                word.text.extend([b'$', sign]);
                Ok(())
            }
            _ => Err(Refusal::Expansion),
        }
    }

    fn operator(&mut self, byte: u8) -> Result<(), Refusal> {
        let redirects = matches!(byte, b'<' | b'>');
        let fd = if redirects { self.descriptor() } else { None };
        self.finish()?;
        let whole = |sign: &&&str| {
            let (first, more) = sign.as_bytes().split_first().expect("no sign is empty");
            *first == byte && self.rest.starts_with(more)
        };
        let sign = SIGNS.iter().find(whole).expect("every byte is a sign");
        self.rest = self.rest.get(sign.len() - 1..).unwrap_or_default();
        match (redirects, self.rest.first()) {
            (true, Some(b'(')) => return Err(Refusal::Substitution),
            (true, Some(b'<')) => return Err(Refusal::Document),
            _ => {}
        }
        self.token(Token::Op(Op { fd, sign }))
    }

    /// A digit written directly before a redirection.
    fn descriptor(&mut self) -> Option<u8> {
        let word = self.word.as_ref().filter(|word| !word.quoted)?;
        let [digit @ b'0'..=b'9'] = word.text[..] else {
            return None;
        };
        self.word = None;
        Some(digit - b'0')
    }

    fn finish(&mut self) -> Result<(), Refusal> {
        match self.word.take() {
            Some(word) => self.token(Token::Word(word)),
            None => Ok(()),
        }
    }

    fn token(&mut self, token: Token) -> Result<(), Refusal> {
        if self.tokens.len() == TOKENS_MAX {
            return Err(Refusal::Long);
        }
        self.tokens.push(token);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn shown(command: &str) -> String {
        let mut shown = Vec::new();
        match tokens(command.as_bytes()) {
            Err(refusal) => return format!("{refusal:?}"),
            Ok(tokens) => {
                for token in tokens {
                    shown.push(match token {
                        Token::Word(word) => format!("[{}]", String::from_utf8_lossy(&word.text)),
                        Token::Op(op) => op.to_string(),
                    });
                }
            }
        }
        shown.join(" ")
    }

    #[test]
    fn words_and_operators() {
        for (command, expected) in [
            ("", ""),
            ("  id  ", "[id]"),
            ("convert a\\ b 'c d' \"e f\"", "[convert] [a b] [c d] [e f]"),
            ("a''b\"\"c", "[abc]"),
            ("''", "[]"),
            ("x 2>&1", "[x] 2>& [1]"),
            ("x 2>/dev/null>>y<z", "[x] 2> [/dev/null] >> [y] < [z]"),
            ("x22>y", "[x22] > [y]"),
            ("a;b|c||d&e&&f", "[a] ; [b] | [c] || [d] & [e] && [f]"),
            ("(cd /x&&y)", "( [cd] [/x] && [y] )"),
            ("echo $! $$x \"$?\"", "[echo] [$!] [$$x] [$?]"),
            ("echo '$HOME' \\$x \"\\`\"", "[echo] [$HOME] [$x] [`]"),
            ("echo \"a\\b\" a#b", "[echo] [a\\b] [a#b]"),
        ] {
            assert_eq!(shown(command), expected, "{command}");
        }
    }

    #[test]
    fn what_a_shell_would_expand_is_refused() {
        for (command, expected) in [
            ("echo $(id)", "Substitution"),
            ("echo `id`", "Substitution"),
            ("echo \"`id`\"", "Substitution"),
            ("echo \"$(id)\"", "Substitution"),
            ("cat <(id)", "Substitution"),
            ("cat >(id)", "Substitution"),
            ("cat $HOME", "Expansion"),
            ("cat ${IFS}x", "Expansion"),
            ("cat $'\\x41'", "Expansion"),
            ("cat $", "Expansion"),
            ("cat \"$x\"", "Expansion"),
            ("echo '$'$!", "Expansion"),
            ("echo $!'$'", "Expansion"),
            ("a\nb", "Control"),
            ("a\rb", "Control"),
            ("'a\nb'", "Control"),
            ("a\\\nb", "Control"),
            ("a\0b", "Control"),
            ("'a", "Unclosed"),
            ("\"a", "Unclosed"),
            ("a\\", "Unclosed"),
            ("a # b", "Comment"),
            ("a <<X", "Document"),
            ("a <<<x", "Document"),
        ] {
            assert_eq!(shown(command), expected, "{command}");
        }
    }

    #[test]
    fn the_bounds_hold() {
        assert!(tokens(&[b'a'; COMMAND_MAX]).is_ok());
        assert_eq!(tokens(&[b'a'; COMMAND_MAX + 1]), Err(Refusal::Long));
        assert_eq!(
            tokens("a ".repeat(TOKENS_MAX).as_bytes()).unwrap().len(),
            TOKENS_MAX
        );
        assert_eq!(
            tokens("a ".repeat(TOKENS_MAX + 1).as_bytes()),
            Err(Refusal::Long)
        );
        assert_eq!(
            tokens("(".repeat(TOKENS_MAX + 1).as_bytes()),
            Err(Refusal::Long)
        );
    }

    /// Bytes as an attacker would choose them.
    fn hostile() -> impl Strategy<Value = Vec<u8>> {
        let piece = prop_oneof![
            Just(b"id".to_vec()),
            proptest::sample::select(b" \t'\"\\$`;|&<>(){}[]#!?*~=\n\r\0-/ab01".to_vec())
                .prop_map(|byte| vec![byte]),
            any::<u8>().prop_map(|byte| vec![byte]),
        ];
        proptest::collection::vec(piece, 0..200).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(1_000))]

        /// No input panics, grows, or lets through what a shell would run.
        #[test]
        fn any_bytes_are_survived(command in hostile()) {
            let Ok(tokens) = tokens(&command) else { return Ok(()) };
            let text: usize = tokens.iter().map(|token| match token {
                Token::Word(word) => word.text.len(),
                Token::Op(op) => op.sign.len(),
            }).sum();
            prop_assert!(text <= command.len() && tokens.len() <= TOKENS_MAX);
            let control = command.iter().any(|b| b.is_ascii_control() && *b != b'\t');
            prop_assert!(!control);
        }

        /// The tokens of plain words are the words.
        #[test]
        fn plain_words_stay(words in proptest::collection::vec("[a-zA-Z0-9_./,:+@%=-]{1,12}", 1..20)) {
            let found = tokens(words.join(" ").as_bytes()).unwrap();
            let texts: Vec<_> = found.into_iter().map(|token| match token {
                Token::Word(word) => String::from_utf8(word.text).unwrap(),
                Token::Op(op) => op.to_string(),
            }).collect();
            prop_assert_eq!(texts, words);
        }

        /// A command with an operator outside quotes has an operator among its tokens, or
        /// is refused.
        #[test]
        fn no_operator_hides(before in "[a-z '\"\\\\]{0,12}", sign in "[;|&<>()`]", after in "[a-z '\"\\\\]{0,12}") {
            let plain = !before.contains(['\'', '"', '\\']);
            let command = format!("{before}{sign}{after}");
            if let (true, Ok(tokens)) = (plain, tokens(command.as_bytes())) {
                prop_assert!(tokens.iter().any(|token| matches!(token, Token::Op(_))), "{}", command);
            }
        }
    }
}
