//! A page: its head, tables, lists; the comparison with the file.

use std::{
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[expect(
    clippy::disallowed_methods,
    reason = "a switch of the test, no setting of the sensor"
)]
pub(crate) fn update() -> bool {
    std::env::var_os("UPDATE_DOCS").is_some_and(|value| value == "1")
}

/// Compares `docs/<name>` with `text`, or writes it.
pub(crate) fn page(name: &str, text: &str) {
    generated(&format!("docs/{name}"), text);
}

/// Compares the file `name` of the repository with `text`, or writes it.
pub(crate) fn generated(name: &str, text: &str) {
    let path = root().join(name);
    if update() {
        fs::write(&path, text).expect("the repository is writable");
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    let differing = found
        .lines()
        .zip(text.lines())
        .find(|(old, new)| old != new);
    assert!(
        found == text,
        "{name} is not what the code says: UPDATE_DOCS=1 cargo test -p sensor --test docs\n\
         first difference: {differing:?}"
    );
}

/// The first lines of every page.
pub(crate) fn head(title: &str, about: &str) -> String {
    format!(
        "<!-- Written by sensor/tests/docs: UPDATE_DOCS=1 cargo test -p sensor --test docs -->\n\
         # {title}\n\n{about}\n"
    )
}

/// A Markdown table; `|` and line breaks inside cells are made harmless.
pub(crate) fn table<const N: usize>(
    names: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut text = format!("\n| {} |\n|{}\n", names.join(" | "), "---|".repeat(N));
    for row in rows {
        let cells = row.map(|cell| cell.replace('|', "\\|").replace('\n', " "));
        put!(text, "| {} |\n", cells.join(" | "));
    }
    text
}

pub(crate) fn code(text: &str) -> String {
    if text.is_empty() {
        String::new()
    } else {
        format!("`{text}`")
    }
}

pub(crate) fn list(items: &[String]) -> String {
    let mut text = String::new();
    for item in items {
        put!(text, "- {item}\n");
    }
    text
}
