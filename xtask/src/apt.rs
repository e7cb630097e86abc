//! Debian packages: which are missing, and how they get in.
//!
//! Services that packages bring are never started: the tests start their own
//! servers, and a person's machine should not serve because tests ran on it.

use std::process::Command;

use anyhow::{Result, bail};

use crate::command;

const INSTALL: &str = include_str!("apt_install.sh");

/// Installs what is missing of `packages`; `purpose` says what for.
pub(crate) fn ensure(packages: &[&str], purpose: &str) -> Result<()> {
    let missing = missing(packages);
    if missing.is_empty() {
        return Ok(());
    }
    let list = missing.join(" ");
    if !command::exists("apt-get") {
        bail!(
            "{purpose} needs what Debian calls {list}, and there is no apt-get here: \
             install them with this system's package manager"
        );
    }
    let Ok(mut install) = command::as_root("sh") else {
        bail!("{purpose} needs {list}, and there is no sudo: as root, apt-get install {list}");
    };
    eprintln!("setup: installing Debian packages for {purpose}: {list}");
    install.args(["-c", INSTALL, "apt_install"]).args(&missing);
    let status = install.status();
    if !status.is_ok_and(|status| status.success()) {
        bail!("Debian packages for {purpose} did not install: as root, apt-get install {list}");
    }
    Ok(())
}

fn missing<'a>(packages: &[&'a str]) -> Vec<&'a str> {
    let installed = |package: &str| {
        command::output(Command::new("dpkg-query").args([
            "-W",
            "-f",
            "${db:Status-Status}",
            package,
        ]))
        .is_ok_and(|status| status == "installed")
    };
    packages
        .iter()
        .copied()
        .filter(|package| !installed(package))
        .collect()
}

/// Fetches the lists of packages anew.
pub(crate) fn update() -> Result<()> {
    let mut update = command::as_root("apt-get")?;
    command::run(update.args(["-q", "update"]))
}
