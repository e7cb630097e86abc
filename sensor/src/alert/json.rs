//! JSON that is harmless inside a page, written in one pass; and its length alone.

use std::io::{self, Write};

use bstr::ByteSlice as _;
use serde::Serialize;
use serde_json::{Serializer, ser::Formatter};

/// Writes the line without its newline.
pub(super) fn write(document: &impl Serialize, out: impl Write) {
    let mut serializer = Serializer::with_formatter(out, PageSafe);
    // Strings, integers and string keys only, into memory: nothing can be refused.
    drop(document.serialize(&mut serializer));
}

/// The line without its newline.
pub(super) fn line(document: &impl Serialize) -> String {
    let mut line = Vec::with_capacity(4 * 1024);
    write(document, &mut line);
    // The serializer writes characters, never parts of one.
    String::from_utf8(line).unwrap_or_default()
}

/// Writes `<`, `>` and `&` as `\u00XX`. None of the three stands outside a string.
struct PageSafe;

impl Formatter for PageSafe {
    fn write_string_fragment<W: ?Sized + Write>(
        &mut self,
        writer: &mut W,
        fragment: &str,
    ) -> io::Result<()> {
        let mut rest = fragment.as_bytes();
        while let Some(at) = rest.find_byteset(b"<>&") {
            let (plain, special) = rest.split_at(at);
            writer.write_all(plain)?;
            let (special, behind) = special.split_at(1);
            writer.write_all(match special {
                b"<" => b"\\u003c",
                b">" => b"\\u003e",
                _ => b"\\u0026",
            })?;
            rest = behind;
        }
        writer.write_all(rest)
    }
}

/// Counts bytes.
pub(super) struct Length(pub(super) usize);

impl Write for Length {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
