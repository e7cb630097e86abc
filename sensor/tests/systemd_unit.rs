//! The shipped systemd unit is well-formed and as closed as it says.
//!
//! systemd's own tool judges it, without a running systemd. The unit names the
//! binary where a package puts it, so the tool gets a copy that names the built one.

use std::{
    fs,
    path::Path,
    process::{Command, Output},
};

const UNIT: &str = include_str!("../../deploy/systemd/lineage-sensor.service");
const INSTALLED: &str = "/usr/bin/lineage-sensor";
/// The exposure the unit promises, in tenths.
const THRESHOLD: &str = "--threshold=26";

#[test]
fn the_unit_is_well_formed() {
    let Some(output) = analyze("the_unit_is_well_formed", &["verify", "--man=no"]) else {
        return;
    };
    // verify warns about unknown keys and exits 0.
    let said = String::from_utf8_lossy(&output.stderr);
    let ours: Vec<_> = said
        .lines()
        .filter(|line| line.contains("lineage-sensor"))
        .collect();
    assert!(output.status.success(), "{said}");
    assert!(ours.is_empty(), "{ours:#?}");
}

#[test]
fn the_unit_is_as_closed_as_it_says() {
    let args = ["security", "--offline=true", "--no-pager", THRESHOLD];
    let Some(output) = analyze("the_unit_is_as_closed_as_it_says", &args) else {
        return;
    };
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}");
    assert!(said.contains("Overall exposure level"), "{said}");
}

#[test]
fn every_final_exit_code_stops_the_restarts() {
    assert!(
        UNIT.lines()
            .any(|line| line == "RestartPreventExitStatus=64 69 77")
    );
}

/// Runs systemd-analyze on the unit; `None`, and a SKIP line, where it is missing.
#[expect(
    clippy::print_stdout,
    reason = "xtask reads SKIP lines from standard output"
)]
fn analyze(test: &str, args: &[&str]) -> Option<Output> {
    if Command::new("systemd-analyze")
        .arg("--version")
        .output()
        .is_err()
    {
        println!("SKIP {test}: systemd-analyze is not installed");
        return None;
    }
    let dir = tempfile::tempdir().expect("make a directory");
    let unit = dir.path().join("lineage-sensor.service");
    fs::write(
        &unit,
        with_built_binary(Path::new(env!("CARGO_BIN_EXE_lineage-sensor"))),
    )
    .expect("write the unit");
    let output = Command::new("systemd-analyze")
        .args(args)
        .arg(&unit)
        .output()
        .expect("start systemd-analyze");
    Some(output)
}

fn with_built_binary(binary: &Path) -> String {
    assert!(
        UNIT.contains(&format!("ExecStart={INSTALLED} ")),
        "ExecStart moved"
    );
    UNIT.replace(INSTALLED, &binary.display().to_string())
}
