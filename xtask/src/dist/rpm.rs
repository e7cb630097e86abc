//! The RPM package: rpmbuild packs a tree that is laid out here as
//! `deploy/rpm/lineage-sensor.spec` names it, and what has been packed is inspected,
//! installed, upgraded and erased for a test.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{DATE, VERSION, copy, directory, pages, program, tarball};
use crate::{
    apt, command,
    suite::{self, Outcome},
};

const CHECK: &str = include_str!("rpm_check.sh");

/// Where files of the repository go.
const FILES: [(&str, &str); 7] = [
    (
        "deploy/systemd/lineage-sensor.service",
        "usr/lib/systemd/system/lineage-sensor.service",
    ),
    ("deploy/etc/config.yaml", "etc/lineage-sensor/config.yaml"),
    ("README.md", "usr/share/doc/lineage-sensor/README.md"),
    ("CHANGELOG.md", "usr/share/doc/lineage-sensor/CHANGELOG.md"),
    ("docs", "usr/share/doc/lineage-sensor/docs"),
    (
        "LICENSE-MIT",
        "usr/share/licenses/lineage-sensor/LICENSE-MIT",
    ),
    (
        "LICENSE-APACHE",
        "usr/share/licenses/lineage-sensor/LICENSE-APACHE",
    ),
];

/// Where pages go that the program writes.
const PAGES: [(&str, &str); 3] = [
    (
        "completions/bash/lineage-sensor",
        "usr/share/bash-completion/completions/lineage-sensor",
    ),
    (
        "completions/zsh/_lineage-sensor",
        "usr/share/zsh/site-functions/_lineage-sensor",
    ),
    (
        "completions/fish/lineage-sensor.fish",
        "usr/share/fish/vendor_completions.d/lineage-sensor.fish",
    ),
];

/// Builds the program and packs it; the path of the package.
pub(crate) fn build() -> Result<PathBuf> {
    apt::ensure(&["rpm"], "packages of RPM")?;
    let stage = stage(&program()?)?;
    let package = pack(&stage, "1", &directory()?)?;
    tarball::sums(&directory()?)?;
    eprintln!("package: {}", package.display());
    Ok(package)
}

/// The life of the package in a root of its own.
pub(crate) fn suite() -> Result<Outcome> {
    apt::ensure(&["busybox"], "the test of the package")?;
    let package = build()?;
    let scratch = command::scratch()?;
    let newer = pack(&scratch.join("rpm/stage"), "2", &scratch.join("rpm"))?;
    let mut check = command::as_root("sh")?;
    check.args(["-c", CHECK, "rpm_check"]);
    suite::follow(check.arg(package).arg(newer))
}

/// The tree that is installed.
fn stage(program: &Path) -> Result<PathBuf> {
    let stage = command::scratch()?.join("rpm/stage");
    if stage.exists() {
        fs::remove_dir_all(&stage).context("remove the last tree")?;
    }
    copy(program, &stage.join("usr/bin/lineage-sensor"))?;
    for (from, to) in FILES {
        copy(&command::root().join(from), &stage.join(to))?;
    }
    let pages = pages::write(program)?;
    for (from, to) in PAGES {
        copy(&pages.join(from), &stage.join(to))?;
    }
    copy(&pages.join("man"), &stage.join("usr/share/man/man1"))?;
    Ok(stage)
}

/// Packs `stage` into the directory `to`.
fn pack(stage: &Path, release: &str, to: &Path) -> Result<PathBuf> {
    let define = |name: &str, value: &str| ["--define".to_owned(), format!("{name} {value}")];
    let top = command::scratch()?.join("rpm/top");
    let mut rpmbuild = Command::new("rpmbuild");
    // The same files make the same bytes.
    rpmbuild.env("SOURCE_DATE_EPOCH", DATE);
    rpmbuild.args(["-bb", "--quiet", "--target", "x86_64-linux"]);
    for (name, value) in [
        ("_topdir", top.to_string_lossy().as_ref()),
        ("_rpmdir", to.to_string_lossy().as_ref()),
        (
            "_build_name_fmt",
            "%%{NAME}-%%{VERSION}-%%{RELEASE}.%%{ARCH}.rpm",
        ),
        ("stage", stage.to_string_lossy().as_ref()),
        ("sensor_version", VERSION),
        ("sensor_release", release),
        ("_buildhost", "localhost"),
        ("use_source_date_epoch_as_buildtime", "1"),
        ("clamp_mtime_to_source_date_epoch", "1"),
        // Every rpm in use reads it; zstd is younger than RHEL 8.0.
        ("_binary_payload", "w9.xzdio"),
    ] {
        rpmbuild.args(define(name, value));
    }
    command::run(rpmbuild.arg(command::root().join("deploy/rpm/lineage-sensor.spec")))?;
    Ok(to.join(format!("lineage-sensor-{VERSION}-{release}.x86_64.rpm")))
}
