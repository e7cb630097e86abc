//! Where a path lies: web roots, upload and cache directories, places of modules, cron
//! tables and the like.
//!
//! From the text of the path alone, letters of any case alike. Classes that accuse go by
//! any component; those that make an alert milder (cache, work) are narrow, and a path
//! that also lies in an upload directory never has them, but for the one directory of
//! Drupal's that lies among uploads.

mod list;

use std::{borrow::Cow, collections::HashMap, sync::LazyLock};

use bstr::{ByteSlice, Finder};

use self::list::{
    AMONG_UPLOADS, CACHES, COMPONENTS, HASHED_CACHES, HOMES, PREFIXES, STAGING, UPLOADS_WITHIN,
    WORK,
};
use super::filetype::{self, kind};

/// Places, as bits.
pub(super) mod bit {
    /// Served to browsers, by convention.
    pub(in crate::detect) const WEB_ROOT: u32 = 1;
    /// In a web root, where visitors' files are kept.
    pub(in crate::detect) const UPLOAD: u32 = 1 << 1;
    /// Where frameworks keep compiled templates, or unpack updates.
    pub(in crate::detect) const CACHE: u32 = 1 << 2;
    /// Where a Java server deploys applications.
    pub(in crate::detect) const DEPLOY: u32 = 1 << 3;
    /// Where a Java server compiles pages.
    pub(in crate::detect) const WORK: u32 = 1 << 4;
    /// Tables of cron and at.
    pub(in crate::detect) const CRON: u32 = 1 << 5;
    /// Modules, extensions and plugins of servers.
    pub(in crate::detect) const MODULE: u32 = 1 << 6;
    /// Configuration of servers.
    pub(in crate::detect) const CONFIGURATION: u32 = 1 << 7;
    /// Where only packages and administrators install.
    pub(in crate::detect) const SYSTEM: u32 = 1 << 8;
    /// Writable by everybody.
    pub(in crate::detect) const TEMPORARY: u32 = 1 << 9;
    /// CGI programs, by convention.
    pub(in crate::detect) const CGI: u32 = 1 << 10;
}

/// Words of `Target.Place`.
pub(super) const WORDS: &[(u32, &str)] = &[
    (bit::WEB_ROOT, "web_root"),
    (bit::UPLOAD, "upload"),
    (bit::CACHE, "cache"),
    (bit::DEPLOY, "deploy"),
    (bit::WORK, "work"),
    (bit::CRON, "cron"),
    (bit::MODULE, "module"),
    (bit::CONFIGURATION, "configuration"),
    (bit::SYSTEM, "system"),
    (bit::TEMPORARY, "temporary"),
    (bit::CGI, "cgi"),
];

/// Places of a path.
pub(super) fn places(path: &[u8]) -> u32 {
    let path = folded(path);
    let path = path.to_ascii_lowercase();
    let mut places = 0;
    for (place, prefixes) in PREFIXES {
        if prefixes.iter().any(|it| path.starts_with(it.as_bytes())) {
            places |= place;
        }
    }
    let end = path.rfind_byte(b'/').unwrap_or(0);
    let directory = path.get(..end).unwrap_or_default();
    let prefixes = places;
    places |= by_component(directory, prefixes);
    if places & bit::UPLOAD == 0 {
        places |= by_sequence(&path);
    } else if is_compiled_among_uploads(&path, prefixes) {
        places = places & !bit::UPLOAD | bit::CACHE;
    }
    if path.starts_with(b"/home/") && directory.contains_str("/domains/") {
        places |= bit::WEB_ROOT;
    }
    places
}

/// Places by component.
static KNOWN: LazyLock<HashMap<&[u8], u32>> = LazyLock::new(|| {
    let mut known = HashMap::new();
    for (place, components) in COMPONENTS {
        for component in *components {
            *known.entry(component.as_bytes()).or_default() |= place;
        }
    }
    known
});

fn by_component(directory: &[u8], prefixes: u32) -> u32 {
    let mut places = 0;
    let mut within = prefixes & bit::WEB_ROOT != 0;
    for component in directory.split(|&byte| byte == b'/') {
        if within && is_one_of(component, UPLOADS_WITHIN) {
            places |= bit::UPLOAD;
        }
        places |= KNOWN.get(component).copied().unwrap_or_default();
        within |= places & bit::WEB_ROOT != 0;
        if HOMES
            .iter()
            .any(|home| component.starts_with(home.as_bytes()))
        {
            places |= bit::DEPLOY;
        }
        if component == b"plugin" && directory.contains_str("/mysql") {
            places |= bit::MODULE;
        }
    }
    places
}

/// Finders are made once: making one costs more than its search.
type Finders = LazyLock<Vec<Finder<'static>>>;

static PLAIN: Finders = LazyLock::new(|| finders(&[CACHES, STAGING]));
static HASHED: Finders = LazyLock::new(|| finders(&[HASHED_CACHES]));
static COMPILED: Finders = LazyLock::new(|| finders(&[WORK]));

fn finders(lists: &[&[&'static str]]) -> Vec<Finder<'static>> {
    let texts = lists.iter().flat_map(|list| list.iter().copied());
    texts.map(|text| Finder::new(text.as_bytes())).collect()
}

fn by_sequence(path: &[u8]) -> u32 {
    let inside = |list: &[Finder<'_>]| {
        list.iter()
            .any(|finder| finder.find(path).is_some_and(|at| at > 0))
    };
    let start = path
        .iter()
        .rposition(|&byte| byte == b'/')
        .map_or(0, |at| at + 1);
    let name = path.get(start..).unwrap_or_default();
    let mut places = 0;
    if inside(&PLAIN) || inside(&HASHED) && is_made_up(name) {
        places |= bit::CACHE;
    }
    if is_compiled(name) && inside(&COMPILED) {
        places |= bit::WORK;
    }
    places
}

/// A digest in [`AMONG_UPLOADS`], which lies in no other directory of uploads.
fn is_compiled_among_uploads(path: &[u8], prefixes: u32) -> bool {
    let Some((above, below)) = path.split_once_str(AMONG_UPLOADS) else {
        return false;
    };
    let mut parts = below.split(|&byte| byte == b'/');
    let (Some(_template), Some(name), None) = (parts.next(), parts.next(), parts.next()) else {
        return false;
    };
    let digest = name.strip_suffix(b".php").unwrap_or_default();
    let of_base64 = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_".contains(byte);
    digest.len() == DIGEST
        && digest.iter().all(of_base64)
        && by_component(above, prefixes) & bit::UPLOAD == 0
}

/// Letters of a SHA-256 in Base64.
const DIGEST: usize = 43;

fn is_one_of(component: &[u8], list: &[&str]) -> bool {
    list.iter().any(|known| known.as_bytes() == component)
}

/// Thirty-two or more hexadecimal digits in a row: no person names a file so.
fn is_made_up(name: &[u8]) -> bool {
    let mut run = 0;
    name.iter().any(|byte| {
        run = if byte.is_ascii_hexdigit() { run + 1 } else { 0 };
        run >= 32
    })
}

/// What compiling a page leaves: `x_jsp.java`, `x_jsp.class`, `x_jsp$1.class`.
fn is_compiled(name: &[u8]) -> bool {
    name.ends_with(b".java") || filetype::kinds(name) == kind::CLASS
}

/// `.` and `..` folded by text, for paths that were joined and not resolved.
pub(super) fn folded(path: &[u8]) -> Cow<'_, [u8]> {
    let odd = |pair: &[u8]| matches!(pair, b"/." | b"//");
    if !path.windows(2).any(odd) {
        return Cow::Borrowed(path);
    }
    let mut parts: Vec<&[u8]> = Vec::new();
    for part in path.split_str("/") {
        match part {
            b"" | b"." => {}
            b".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    let mut folded = vec![b'/'];
    folded.extend(bstr::join("/", parts));
    Cow::Owned(folded)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(path: &str) -> Vec<&'static str> {
        let places = places(path.as_bytes());
        let set = WORDS.iter().filter(|(bit, _)| places & bit != 0);
        set.map(|(_, word)| *word).collect()
    }

    #[test]
    fn places_of_paths() {
        for (path, expected) in [
            ("/var/www/html/x.php", &["web_root"][..]),
            ("/var/www/html/uploads/x.php", &["web_root", "upload"]),
            ("/VAR/WWW/html/Uploads/x.php", &["web_root", "upload"]),
            ("/srv/shop/public/x.php", &["web_root"]),
            ("/home/u/public_html/tmp/x.php", &["web_root", "upload"]),
            ("/home/u/domains/x.org/x.php", &["web_root"]),
            ("/var/www/html/../../lib/x.php", &[]),
            ("/tmp/x.php", &["temporary"]),
            ("/srv/uploads", &[]),
            ("/srv/app/var/cache/prod/Foo.php", &["cache"]),
            ("/var/cache/x.php", &[]),
            (
                "/var/www/html/uploads/var/cache/x.php",
                &["web_root", "upload"],
            ),
            ("/srv/a/templates_c/x.php", &[]),
            (
                "/srv/a/templates_c/0123456789abcdef0123456789abcdef01234567_0.file.a.tpl.php",
                &["cache"],
            ),
            (
                "/var/www/html/wp-content/upgrade/a/x.php",
                &["web_root", "cache"],
            ),
            (
                "/var/lib/tomcat10/webapps/ROOT/x.jsp",
                &["web_root", "deploy"],
            ),
            (
                "/var/lib/tomcat10/work/Catalina/localhost/ROOT/org/apache/jsp/x_jsp.class",
                &["deploy", "work"],
            ),
            (
                "/var/lib/tomcat10/work/Catalina/localhost/x.jsp",
                &["deploy"],
            ),
            (
                "/opt/wildfly-30/standalone/deployments/x.war",
                &["deploy", "system"],
            ),
            ("/etc/cron.d/x", &["cron"]),
            ("/var/spool/cron/crontabs/root", &["cron", "temporary"]),
            ("/usr/lib/php/20220829/x.so", &["module", "system"]),
            (
                "/etc/apache2/mods-enabled/x.load",
                &["module", "configuration"],
            ),
            ("/usr/lib/cgi-bin/x.pl", &["web_root", "system", "cgi"]),
            (
                "/var/www/html/sites/default/files/php/twig/6a_page.html.twig_Yv1/GhE7-rq5kQ0vXbA2LmZpWnT4sUjYcDfHiKo_Pe93x1a.php",
                &["web_root", "cache"],
            ),
            (
                "/var/www/html/sites/default/files/php/twig/6a_page.html.twig_Yv1/x.php",
                &["web_root", "upload"],
            ),
            (
                "/var/www/html/uploads/files/php/twig/a/GhE7-rq5kQ0vXbA2LmZpWnT4sUjYcDfHiKo_Pe93x1a.php",
                &["web_root", "upload"],
            ),
            (
                "/var/www/html/sites/default/files/php/twig/a/b/GhE7-rq5kQ0vXbA2LmZpWnT4sUjYcDfHiKo_Pe93x1a.php",
                &["web_root", "upload"],
            ),
            ("[...]/uploads/x.php", &["web_root", "upload"]),
            ("", &[]),
            ("x", &[]),
        ] {
            assert_eq!(words(path), expected, "{path}");
        }
    }
}
