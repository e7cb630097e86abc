//! `docs/alert.svg`: an alert as a terminal shows it, from a golden recording.

use std::{path::Path, process::Command};

use anstyle_svg::Term;

use crate::page::{generated, root};

const RECORDING: &str = "sensor/tests/golden/nginx-php-fpm-attack.rec";
/// The alert that is shown.
const RULE: &str = "masqueraded_shell";
const COLUMNS: u32 = 110;

/// What `replay` writes to a terminal, which util-linux' script is.
fn shown() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_lineage-sensor"));
    let replay = format!(
        "stty cols {COLUMNS} rows 40; exec '{}' replay '{}' 2>/dev/null",
        program.display(),
        root().join(RECORDING).display()
    );
    let mut script = Command::new("script");
    script.args(["--quiet", "--return", "--command", &replay, "/dev/null"]);
    script.env("TERM", "xterm-256color").env_remove("NO_COLOR");
    let output = script.stdin(std::process::Stdio::null()).output();
    let output = output.expect("script is part of every Debian");
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout)
        .expect("UTF-8")
        .replace('\r', "")
}

#[test]
fn picture() {
    let shown = shown();
    let alerts = shown.split("\n\n\u{1b}[2m2026-");
    let alert = alerts.filter(|alert| alert.contains(RULE)).last();
    let alert = format!("\u{1b}[2m2026-{}\n", alert.expect("the alert").trim_end());
    assert!(
        alert.contains("28932") && alert.lines().count() > 10,
        "{alert}"
    );
    let svg = Term::new().render_svg(&alert);
    generated("docs/alert.svg", &svg);
}
