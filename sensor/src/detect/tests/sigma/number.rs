//! Rows for fields that hold numbers, addresses and truth values, and for the one that
//! the sensor cannot fill.

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

/// The end of every table: whether there is a value at all.
macro_rules! presence {
    ($there:literal, $other:literal, $pattern:literal) => {
        [
            Row {
                modifiers: "|exists",
                pattern: "true",
                hits: &[Some($there)],
                misses: &[None],
            },
            Row {
                modifiers: "|exists",
                pattern: "false",
                hits: &[None],
                misses: &[Some($there)],
            },
            Row {
                modifiers: "",
                pattern: "null",
                hits: &[None],
                misses: &[Some($there)],
            },
            Row {
                modifiers: "",
                pattern: $pattern,
                hits: &[None, Some($there)],
                misses: &[Some($other)],
            },
        ]
    };
}

const NUMBER_PRESENCE: [Row; 4] = presence!("0", "1", "[null, 0]");
const ADDRESS_PRESENCE: [Row; 4] = presence!("192.0.2.1", "192.0.2.2", "[null, 192.0.2.1]");

/// Numbers, as public rules compare them: as numbers, and as the text of one.
pub(super) const ROWS: &[Row] = &[
    row!("", "443", ["443"], ["4430", "44", "1443"]),
    row!("", "'443'", ["443"], ["4430", "44"]),
    row!("", "0", ["0"], ["10", "1"]),
    row!(
        "",
        "[80, '443', 8443]",
        ["80", "443", "8443"],
        ["81", "8080", "44"]
    ),
    row!("", "'44*'", ["44", "4444"], ["144", "4"]),
    row!("", "'4?4'", ["414", "444"], ["44", "4144"]),
    row!("|contains", "'44'", ["1443", "44"], ["4", "414"]),
    row!("|contains", "['22', '33']", ["1220", "333"], ["23", "32"]),
    row!("|contains|all", "['1', '22']", ["1022"], ["22", "1"]),
    row!("|startswith", "'44'", ["443", "44"], ["144", "4"]),
    row!(
        "|startswith",
        "['80', '90']",
        ["8080", "9000"],
        ["180", "99"]
    ),
    row!("|endswith", "'44'", ["4444", "44"], ["443", "4"]),
    row!("|endswith", "['80', '90']", ["8080", "1090"], ["801", "0"]),
    row!(
        "|re",
        r"'^4\d{3}$'",
        ["4444", "4000"],
        ["44444", "444", "5444"]
    ),
    row!("|re", "['^1$', '^2$']", ["1", "2"], ["12", "3"]),
    row!("|gt", "1023", ["1024", "65535"], ["1023", "80"]),
    row!("|gte", "1024", ["1024", "65535"], ["1023", "80"]),
    row!("|lt", "1024", ["1023", "0"], ["1024", "65535"]),
    row!("|lte", "1023", ["1023", "0"], ["1024", "65535"]),
    NUMBER_PRESENCE[0],
    NUMBER_PRESENCE[1],
    NUMBER_PRESENCE[2],
    NUMBER_PRESENCE[3],
];

/// Addresses: by network, and as text.
pub(super) const ADDRESSES: &[Row] = &[
    row!(
        "",
        "198.51.100.7",
        ["198.51.100.7"],
        ["198.51.100.70", "198.51.100.8"]
    ),
    row!(
        "",
        "['198.51.100.7', '2001:db8::7']",
        ["198.51.100.7", "2001:db8::7", "2001:DB8:0::7"],
        ["198.51.100.1", "2001:db8::70"]
    ),
    row!("", "'198.51.100.*'", ["198.51.100.7"], ["198.51.101.7"]),
    row!("", "'198.51.100.?'", ["198.51.100.7"], ["198.51.100.77"]),
    row!(
        "|contains",
        "'.51.'",
        ["198.51.100.7"],
        ["198.5.100.7", "51.198.0.1"]
    ),
    row!(
        "|contains|all",
        "['.51.', '.7']",
        ["198.51.100.7"],
        ["198.51.100.8"]
    ),
    row!(
        "|startswith",
        "['10.', '127.', 'fe80:']",
        ["10.0.0.1", "127.0.0.1", "fe80::1"],
        ["110.0.0.1", "100.0.0.1", "fe8::1"]
    ),
    row!(
        "|startswith|all",
        "['198.', '198.51.']",
        ["198.51.0.1"],
        ["198.5.0.1"]
    ),
    row!("|endswith", "'.7'", ["198.51.100.7"], ["198.51.100.77"]),
    row!(
        "|endswith|all",
        "['.7', '0.7']",
        ["198.51.100.7"],
        ["198.51.101.7"]
    ),
    row!(
        "|re",
        r"'^198\.51\.\d+\.7$'",
        ["198.51.100.7"],
        ["198.51.100.77", "198.52.100.7"]
    ),
    row!("|re|i", "'^2001:DB8:'", ["2001:db8::1"], ["2001:db9::1"]),
    row!(
        "|all",
        "['198.*', '*.7']",
        ["198.51.100.7"],
        ["198.51.100.8", "199.51.100.7"]
    ),
    row!(
        "|cidr",
        "198.51.100.0/24",
        ["198.51.100.0", "198.51.100.255"],
        ["198.51.101.0", "198.51.99.255", "2001:db8::1"]
    ),
    row!(
        "|cidr",
        "198.51.100.8/29",
        ["198.51.100.8", "198.51.100.15"],
        ["198.51.100.7", "198.51.100.16"]
    ),
    row!(
        "|cidr",
        "198.51.100.7/32",
        ["198.51.100.7"],
        ["198.51.100.6"]
    ),
    row!(
        "|cidr",
        "['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16']",
        ["10.255.0.1", "172.31.255.255", "192.168.0.1"],
        ["11.0.0.1", "172.32.0.0", "192.169.0.1"]
    ),
    row!(
        "|cidr",
        "'2001:db8::/32'",
        ["2001:db8::1", "2001:db8:ffff::1"],
        ["2001:db9::1", "198.51.100.7"]
    ),
    row!(
        "|cidr",
        "['::1/128', 'fe80::/10']",
        ["::1", "febf::1"],
        ["::2", "fec0::1"]
    ),
    row!(
        "|cidr",
        "'0.0.0.0/0'",
        ["198.51.100.7", "0.0.0.0"],
        ["2001:db8::1", "::"]
    ),
    ADDRESS_PRESENCE[0],
    ADDRESS_PRESENCE[1],
    ADDRESS_PRESENCE[2],
    ADDRESS_PRESENCE[3],
];

const TRUE: &[super::Value] = &[Some("true")];

const fn constant(modifiers: &'static str, pattern: &'static str, matches: bool) -> Row {
    Row {
        modifiers,
        pattern,
        hits: if matches { TRUE } else { &[] },
        misses: if matches { &[] } else { TRUE },
    }
}

/// What is seen are connects, all begun by this machine.
pub(super) const BOOLS: &[Row] = &[
    constant("", "'true'", true),
    constant("", "true", true),
    constant("", "[true, false]", true),
    constant("", "'false'", false),
    constant("", "false", false),
    constant("", "null", false),
    constant("|exists", "true", true),
    constant("|exists", "false", false),
];

const fn absent(modifiers: &'static str, pattern: &'static str) -> Row {
    Row {
        modifiers,
        pattern,
        hits: &[],
        misses: &[None],
    }
}

/// The sensor sees addresses, no names: a rule on one is loaded, is warned about and does
/// not match; one that excludes by a name excludes nothing.
pub(super) const NEVER: &[Row] = &[
    absent("", "pastebin.example"),
    absent("", "'*'"),
    absent("|contains", "tunnel"),
    absent("|contains|all", "[tunnel, example]"),
    absent("|startswith", "cdn."),
    absent("|endswith", "[.onion, .example]"),
    absent("|re", "'.*'"),
    absent("|exists", "true"),
    Row {
        modifiers: "|exists",
        pattern: "false",
        hits: &[None],
        misses: &[],
    },
    Row {
        modifiers: "",
        pattern: "null",
        hits: &[None],
        misses: &[],
    },
];
