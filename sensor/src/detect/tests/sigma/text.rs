//! Rows for fields that hold text.

use super::Row;

/// Short for a row of values that are there.
macro_rules! row {
    ($modifiers:literal, $pattern:literal, [$($hit:expr),+], [$($miss:expr),+]) => {
        Row {
            modifiers: $modifiers,
            pattern: $pattern,
            hits: &[$(Some($hit)),+],
            misses: &[$(Some($miss)),+, None],
        }
    };
}

/// See the module. A field without a value is a miss of all but the last.
pub(super) const ROWS: &[Row] = &[
    // Whole values, in whatever case.
    row!(
        "",
        "/srv/alpha/run-7.sh",
        ["/srv/alpha/run-7.sh", "/SRV/Alpha/RUN-7.sh"],
        [
            "/srv/alpha/run-7.sh2",
            "x/srv/alpha/run-7.sh",
            "/srv/alpha/run-7",
            "/srv/alpha/run-7xsh"
        ]
    ),
    row!(
        "",
        "[/srv/a, '/srv/b']",
        ["/srv/a", "/srv/B"],
        ["/srv/c", "/srv/a/srv/b"]
    ),
    row!("", "7", ["7"], ["77", "7.5"]),
    row!("|cased", "/srv/Alpha", ["/srv/Alpha"], ["/srv/alpha"]),
    // Wildcards and what escapes them.
    row!(
        "",
        "/srv/*/run-?.sh",
        ["/srv/a/b/run-7.sh", "/srv//run-x.sh", "/SRV/a/run-..SH"],
        [
            "/srv/run-7.sh",
            "/srv/a/run-77.sh",
            "/srv/a/run-.sh",
            "/srv/a/run-7.sh "
        ]
    ),
    row!("", "'*/run'", ["/run", "/srv/run"], ["/srv/run2", "run"]),
    row!("", "'/srv/*'", ["/srv/", "/srv/x y"], ["/srv", "x/srv/y"]),
    row!(
        "",
        r"'/srv/\*/a\?'",
        ["/srv/*/a?"],
        ["/srv/b/ax", "/srv/*/ax", "/srv/b/a?"]
    ),
    row!(
        "",
        r"'/srv/a\\*'",
        [r"/srv/a\b", r"/srv/a\"],
        ["/srv/a*", "/srv/ab"]
    ),
    row!(
        "",
        r"'/srv/a\b'",
        [r"/srv/a\b", r"/srv/A\B"],
        ["/srv/ab", r"/srv/a\\b"]
    ),
    row!(
        "",
        r"'/srv/[ab]+(c|d).$'",
        ["/srv/[ab]+(c|d).$"],
        ["/srv/abc1", "/srv/[ab]+(c|d)x$"]
    ),
    // contains
    row!(
        "|contains",
        "alpha/RUN",
        ["/srv/alpha/run-7", "xALPHA/runx"],
        ["/srv/alpha-run", "/srv/alpharun"]
    ),
    row!(
        "|contains",
        "[alpha, 'b c']",
        ["/srv/alphabet", "/srv/ab cd"],
        ["/srv/alph", "/srv/bc"]
    ),
    row!(
        "|contains",
        "'a*z'",
        ["/srv/a-to-z/x"],
        ["/srv/z-to-a", "/srv/a-to-y"]
    ),
    row!("|contains", r"'a\*z'", ["/srv/a*z/x"], ["/srv/a-to-z"]),
    row!("|contains", "'?lpha'", ["/srv/alpha"], ["lpha"]),
    row!(
        "|contains|all",
        "[alpha, run]",
        ["/srv/alpha/run", "run alpha"],
        ["/srv/alpha", "/srv/run"]
    ),
    row!(
        "|contains|all",
        "['/a*b', c]",
        ["/axb/c"],
        ["/axb/d", "/ax/c"]
    ),
    row!("|contains|cased", "Alpha", ["/srv/Alpha1"], ["/srv/alpha1"]),
    // startswith
    row!(
        "|startswith",
        "/srv/al",
        ["/srv/alpha", "/SRV/AL"],
        ["x/srv/alpha", "/srv/a"]
    ),
    row!(
        "|startswith",
        "[/srv/, /opt/]",
        ["/srv/x", "/OPT/x"],
        ["/srv", "/usr/opt/x"]
    ),
    row!(
        "|startswith",
        "'/srv/?/x'",
        ["/srv/a/x", "/srv/a/xyz"],
        ["/srv/ab/x", "/srv//x"]
    ),
    row!(
        "|startswith|all",
        "[/srv, /srv/al]",
        ["/srv/alpha"],
        ["/srv/beta", "x/srv/al"]
    ),
    row!(
        "|startswith|cased",
        "/srv/A",
        ["/srv/Alpha"],
        ["/srv/alpha"]
    ),
    // endswith
    row!(
        "|endswith",
        "/run-7",
        ["/srv/run-7", "/RUN-7"],
        ["/srv/run-77", "run-7"]
    ),
    row!(
        "|endswith",
        "[.jsp, .php]",
        ["/srv/a.php", "b.JSP"],
        ["/srv/a.php5", "/srv/aphp"]
    ),
    row!(
        "|endswith",
        "'/r?n'",
        ["/srv/run", "/ran"],
        ["/srv/ruin", "/rn"]
    ),
    row!(
        "|endswith|all",
        "[n, un]",
        ["/srv/run"],
        ["/srv/ran", "/srv/une"]
    ),
    row!("|endswith|cased", ".PHP", ["/srv/a.PHP"], ["/srv/a.php"]),
    // A list of which all must hold.
    row!(
        "|all",
        "['*alpha*', '*run']",
        ["/srv/alpha/run"],
        ["/srv/alpha/runs", "/srv/run"]
    ),
    // Regular expressions: anywhere unless anchored, and of one case.
    row!(
        "|re",
        r"'^/srv/[a-z]+/run-\d\.sh$'",
        ["/srv/alpha/run-7.sh"],
        [
            "/srv/Alpha/run-7.sh",
            "/srv/alpha/run-77.sh",
            "/srv/alpha/run-7xsh",
            "x/srv/alpha/run-7.sh"
        ]
    ),
    row!(
        "|re",
        r"'run-\d{2}'",
        ["/srv/run-77/x"],
        ["/srv/run-7/x", "/srv/RUN-77/x"]
    ),
    row!("|re", r"['^/a', 'z$']", ["/ab", "/bz"], ["/bc", "b/a"]),
    row!(
        "|re|i",
        "'^/srv/alpha$'",
        ["/srv/alpha", "/SRV/Alpha"],
        ["/srv/alphab"]
    ),
    row!(
        "|re|m",
        "'^beta$'",
        ["alpha\nbeta\ngamma", "beta"],
        ["alphabeta", "alpha beta"]
    ),
    row!(
        "|re|s",
        "'alpha.beta'",
        ["alpha\nbeta", "alpha-beta"],
        ["alphabeta"]
    ),
    // Whether there is one at all.
    Row {
        modifiers: "|exists",
        pattern: "true",
        hits: &[Some("/srv")],
        misses: &[None],
    },
    Row {
        modifiers: "|exists",
        pattern: "false",
        hits: &[None],
        misses: &[Some("/srv")],
    },
    Row {
        modifiers: "",
        pattern: "null",
        hits: &[None],
        misses: &[Some("/srv"), Some("null")],
    },
    Row {
        modifiers: "",
        pattern: "[null, /srv/a]",
        hits: &[None, Some("/srv/a")],
        misses: &[Some("/srv/b")],
    },
    Row {
        modifiers: "|endswith",
        pattern: "[null, /a, '/b?']",
        hits: &[None, Some("/srv/a"), Some("/srv/b7")],
        misses: &[Some("/srv/b"), Some("/srv/c")],
    },
];
