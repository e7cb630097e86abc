//! A shell's command line made plain enough for a pattern: quotes and backslashes
//! gone, `$IFS` and every run of white space one blank.
//!
//! This is not a shell parser. It undoes the cheap disguises in one linear pass, never
//! fails, and never yields more bytes than it read.

use bstr::ByteSlice;

use crate::event::Args;

/// The arguments as one line, plain.
pub(super) fn plain(args: &Args) -> String {
    let line = args.command_line();
    let mut out: Vec<u8> = Vec::with_capacity(line.len());
    let mut rest: &[u8] = &line;
    while let Some((&byte, after)) = rest.split_first() {
        rest = after;
        match byte {
            b'\'' | b'"' | b'\\' => {}
            b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c => push_blank(&mut out),
            b'$' => match expansion(after) {
                Some((length, blank)) => {
                    rest = after.get(length..).unwrap_or_default();
                    if blank {
                        push_blank(&mut out);
                    }
                }
                None => out.push(byte),
            },
            _ => out.push(byte),
        }
    }
    match String::from_utf8(out) {
        Ok(text) => text,
        Err(error) => error.as_bytes().to_str_lossy().into_owned(),
    }
}

fn push_blank(out: &mut Vec<u8>) {
    if out.last() != Some(&b' ') {
        out.push(b' ');
    }
}

/// Length of an expansion after `$` that only separates or vanishes, and whether it
/// separates: `$IFS`, `${IFS}`, `${IFS%??}`; `$@`, `$*`, `$1`..`$9`, `${@}`.
fn expansion(after: &[u8]) -> Option<(usize, bool)> {
    if let Some(inner) = after.strip_prefix(b"{") {
        let end = inner.find_byte(b'}')?;
        let inner = inner.get(..end)?;
        let separates = inner.starts_with(b"IFS");
        let vanishes = matches!(inner, [b'@' | b'*' | b'1'..=b'9']);
        return (separates || vanishes).then_some((end + 2, separates));
    }
    if after.starts_with(b"IFS") {
        return Some((3, true));
    }
    matches!(after.first(), Some(b'@' | b'*' | b'1'..=b'9')).then_some((1, false))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cheap_disguises_are_undone() {
        for (argv, expected) in [
            (&["sh", "-c", "--", "id"][..], "sh -c -- id"),
            (
                &["sh", "-c", "c''ur\"\"l\t\t x |\n s\\h"],
                "sh -c curl x | sh",
            ),
            (
                &["sh", "-c", "cat${IFS}/etc/shadow"],
                "sh -c cat /etc/shadow",
            ),
            (
                &["sh", "-c", "cat$IFS$9/etc/shadow"],
                "sh -c cat /etc/shadow",
            ),
            (
                &["sh", "-c", "wh$@oami; ${@}id; ${IFS%??}x"],
                "sh -c whoami; id; x",
            ),
            (
                &["sh", "-c", "echo $(id) ${HOME} $"],
                "sh -c echo $(id) ${HOME} $",
            ),
            (&["sh", "-c", "${unclosed"], "sh -c ${unclosed"),
        ] {
            let head = argv.iter().map(|&arg| arg.into()).collect();
            assert_eq!(
                plain(&Args {
                    head,
                    ..Args::default()
                }),
                expected
            );
        }
    }

    #[test]
    fn invalid_utf8_is_replaced() {
        let args = Args {
            head: vec![b"a\xff'b".as_slice().into()],
            ..Args::default()
        };
        assert_eq!(plain(&args), "a\u{fffd}b");
    }
}
