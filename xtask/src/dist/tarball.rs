//! The tarball: the program, its unit, configuration and pages, for machines without a
//! package manager that we know; beside it what the program was built from, and the sums of
//! all packages.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use super::{VERSION, bom, copy, directory, pages, program};
use crate::{
    command, python,
    suite::{self, Outcome},
};

const CHECK: &str = include_str!("tarball_check.sh");

/// What goes in besides the program, by its place in the repository; it keeps its place.
const FILES: [&str; 8] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "deploy/etc/config.yaml",
    "deploy/systemd/lineage-sensor.service",
    "deploy/prometheus/lineage-sensor.rules.yaml",
    "docs",
];

/// How names of packages end.
const ENDS: [&str; 5] = ["deb", "gz", "json", "rpm", "tar"];

/// Builds the program and packs it; the path of the tarball.
pub(crate) fn build() -> Result<PathBuf> {
    let program = program()?;
    let directory = directory()?;
    let name = format!("lineage-sensor-{VERSION}-x86_64-linux");
    let tree = directory.join(&name);
    if tree.exists() {
        fs::remove_dir_all(&tree).context("remove the last tree")?;
    }
    copy(&program, &tree.join("lineage-sensor"))?;
    for file in FILES {
        copy(&command::root().join(file), &tree.join(file))?;
    }
    copy(&pages::write(&program)?, &tree.join("pages"))?;
    let bom = bom::write(&directory.join(format!("{name}.cdx.json")))?;
    copy(&bom, &tree.join("lineage-sensor.cdx.json"))?;
    let tarball = directory.join(format!("{name}.tar.gz"));
    // The same files make the same bytes.
    command::run(
        Command::new("tar")
            .args(["--create", "--use-compress-program", "gzip -9 --no-name"])
            .args(["--sort=name", "--mtime=@0", "--owner=0", "--group=0"])
            .args(["--numeric-owner", "--mode=u=rwX,go=rX"])
            .arg("--file")
            .arg(&tarball)
            .arg("--directory")
            .arg(&directory)
            .arg(&name),
    )?;
    fs::remove_dir_all(&tree).context("remove the tree")?;
    sums(&directory)?;
    eprintln!("tarball: {}", tarball.display());
    Ok(tarball)
}

/// Unpacks the tarball and looks at what a user would: sums, program, bill of materials.
pub(crate) fn suite() -> Result<Outcome> {
    let tarball = build()?;
    let python = python::environment("cyclonedx", &bom::VALIDATOR)?;
    let mut check = Command::new("sh");
    check.args(["-c", CHECK, "tarball_check"]).arg(tarball);
    check.arg(python).arg(bom::check()?).arg(bom::tree()?);
    suite::follow(&mut check)
}

/// `SHA256SUMS` of the packages in `directory`, as `sha256sum --check` wants it.
pub(super) fn sums(directory: &Path) -> Result<()> {
    let entries = fs::read_dir(directory).context("list the packages")?;
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.context("list the packages")?.file_name();
        let path = Path::new(&name);
        if path
            .extension()
            .is_some_and(|end| ENDS.iter().any(|it| end == *it))
        {
            names.push(name);
        }
    }
    names.sort();
    let sums = command::output(
        Command::new("sha256sum")
            .arg("--")
            .args(names)
            .current_dir(directory),
    )?;
    fs::write(directory.join("SHA256SUMS"), sums).context("write the sums")
}
