//! What a file is by its name: script, page, shared object, archive, configuration.
//!
//! The rules of servers count, not those of people: letters of any case, and what Apache
//! and file patterns ignore at the end of a name (dots, blanks, newlines) does not hide
//! an extension. Only the last extension counts: `x.php.jpg` is a picture.

use bstr::ByteSlice;

/// Kinds of files, as bits.
pub(super) mod kind {
    /// A server or an interpreter runs it.
    pub(in crate::detect) const SCRIPT: u32 = 1;
    /// A page that a Java server compiles.
    pub(in crate::detect) const PAGE: u32 = 1 << 1;
    /// Compiled Java.
    pub(in crate::detect) const CLASS: u32 = 1 << 2;
    /// An archive that a Java server deploys or loads.
    pub(in crate::detect) const ARCHIVE: u32 = 1 << 3;
    /// Code that browsers run, and node.
    pub(in crate::detect) const JAVASCRIPT: u32 = 1 << 4;
    /// Shared object.
    pub(in crate::detect) const LIBRARY: u32 = 1 << 5;
    /// Says how a directory's files are handled.
    pub(in crate::detect) const HANDLER: u32 = 1 << 6;
    /// Configuration of a server or its modules.
    pub(in crate::detect) const CONFIGURATION: u32 = 1 << 7;
}

/// Words of `Target.Kind`.
pub(super) const WORDS: &[(u32, &str)] = &[
    (kind::SCRIPT, "script"),
    (kind::PAGE, "page"),
    (kind::CLASS, "class"),
    (kind::ARCHIVE, "archive"),
    (kind::JAVASCRIPT, "javascript"),
    (kind::LIBRARY, "library"),
    (kind::HANDLER, "handler"),
    (kind::CONFIGURATION, "configuration"),
];

/// Extensions by kind.
const EXTENSIONS: &[(u32, &[&str])] = &[
    (
        kind::SCRIPT,
        &[
            "php", "php3", "php4", "php5", "php6", "php7", "php8", "phtml", "pht", "phps", "phar",
            "inc", "asp", "aspx", "ashx", "asmx", "ascx", "cshtml", "vbhtml", "cfm", "cfc", "cgi",
            "fcgi", "pl", "pm", "py", "pyc", "wsgi", "rb", "erb", "ru", "psgi", "lua", "luac",
            "sh", "shtml", "groovy",
        ],
    ),
    (
        kind::SCRIPT | kind::PAGE,
        &["jsp", "jspx", "jspf", "jhtml", "tag", "tagx"],
    ),
    (kind::CLASS, &["class"]),
    (kind::ARCHIVE, &["war", "ear", "jar", "jpi", "hpi"]),
    (kind::JAVASCRIPT, &["js", "mjs", "cjs", "ts"]),
    (kind::LIBRARY, &["so", "elf"]),
    (kind::CONFIGURATION, &["conf", "ini", "load", "cnf"]),
];

/// Whole names by kind.
const NAMES: &[(u32, &[&str])] = &[
    (
        kind::HANDLER,
        &[".htaccess", ".user.ini", "web.config", "php.ini"],
    ),
    (
        kind::CONFIGURATION,
        &[
            "server.xml",
            "web.xml",
            "context.xml",
            "tomcat-users.xml",
            "catalina.policy",
            "catalina.properties",
            "logging.properties",
        ],
    ),
];

/// Longest name or extension of the lists.
const LONGEST: usize = 24;

/// Kinds of the file of this name.
pub(super) fn kinds(name: &[u8]) -> u32 {
    let name = bare(name);
    let whole = look_up(name, NAMES);
    let kinds = whole | extension(name).map_or(0, |extension| look_up(extension, EXTENSIONS));
    if kinds == 0 && is_versioned_library(name) {
        return kind::LIBRARY;
    }
    kinds
}

/// The last extension, without its dot; as servers see it.
pub(crate) fn extension(name: &[u8]) -> Option<&[u8]> {
    let name = bare(name);
    let dot = name.rfind_byte(b'.')?;
    name.get(dot + 1..)
}

/// Without the dots, blanks and controls at its end.
fn bare(name: &[u8]) -> &[u8] {
    let end = name
        .iter()
        .rposition(|&byte| byte != b'.' && byte > b' ' && byte != 0x7f)
        .map_or(0, |last| last + 1);
    name.get(..end).unwrap_or_default()
}

fn look_up(word: &[u8], lists: &[(u32, &[&str])]) -> u32 {
    if word.len() > LONGEST {
        return 0;
    }
    let has = |list: &[&str]| {
        list.iter()
            .any(|known| known.as_bytes().eq_ignore_ascii_case(word))
    };
    let found = lists.iter().filter(|(_, list)| has(list));
    found.fold(0, |kinds, (kind, _)| kinds | kind)
}

/// `libx.so.1.2`: what a loader takes, under the name packages give it.
fn is_versioned_library(name: &[u8]) -> bool {
    name.rfind(b".so.").is_some_and(|at| {
        let version = name.get(at + 4..).unwrap_or_default();
        !version.is_empty() && version.iter().all(|b| b.is_ascii_digit() || *b == b'.')
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_as_servers_see_them() {
        use kind::{ARCHIVE, CLASS, CONFIGURATION, HANDLER, JAVASCRIPT, LIBRARY, PAGE, SCRIPT};
        for (name, expected) in [
            ("x.php", SCRIPT),
            ("x.PhP", SCRIPT),
            ("x.php.", SCRIPT),
            ("x.php..  ", SCRIPT),
            ("x.php\n", SCRIPT),
            ("x.phtml", SCRIPT),
            ("x.php7", SCRIPT),
            (".php", SCRIPT),
            ("x.php.jpg", 0),
            ("x.jpg.php", SCRIPT),
            ("xphp", 0),
            ("x.php9", 0),
            ("x.jsp", SCRIPT | PAGE),
            ("X.JSPX", SCRIPT | PAGE),
            ("x.class", CLASS),
            ("x.war", ARCHIVE),
            ("app.js", JAVASCRIPT),
            ("x.so", LIBRARY),
            ("libz.so.1.2.13", LIBRARY),
            ("x.so.", LIBRARY),
            ("x.so.php", SCRIPT),
            (".htaccess", HANDLER),
            (".HTACCESS", HANDLER),
            (".user.ini", HANDLER | CONFIGURATION),
            ("site.conf", CONFIGURATION),
            ("server.xml", CONFIGURATION),
            ("", 0),
            ("...", 0),
        ] {
            assert_eq!(kinds(name.as_bytes()), expected, "{name:?}");
        }
        assert_eq!(kinds(b"\xff\xfe.php"), SCRIPT);
        assert_eq!(extension(b"a.b.TXT"), Some(&b"TXT"[..]));
        assert_eq!(extension(b"a"), None);
    }
}
