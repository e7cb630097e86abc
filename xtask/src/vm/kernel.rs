//! Kernels from Debian's packages: found, downloaded and verified by apt with the
//! sources and keys this machine has, unpacked, kept.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail};

use crate::{apt, command};

/// Modules the programs need, in the order of loading.
const MODULES: [&str; 1] = ["overlay"];

/// A kernel that can be booted.
pub(crate) struct Kernel {
    /// As asked for: `6.1`.
    pub(crate) version: String,
    pub(crate) image: PathBuf,
    pub(crate) modules: Vec<PathBuf>,
    /// Files of its machines.
    pub(crate) directory: PathBuf,
}

/// The kernel of `version`, as it was fetched before, or the newest there is.
pub(crate) fn ensure(version: &str) -> Result<Kernel> {
    let directory = command::scratch()?.join("vm").join(version);
    let kernel = Kernel {
        version: version.to_owned(),
        image: directory.join("vmlinuz"),
        modules: MODULES
            .map(|name| directory.join(format!("{name}.ko")))
            .into(),
        directory,
    };
    // The image is put there last.
    if !kernel.image.is_file() {
        fetch(&kernel).with_context(|| format!("fetch kernel {version}"))?;
    }
    Ok(kernel)
}

fn fetch(kernel: &Kernel) -> Result<()> {
    let mut package = newest(&kernel.version)?;
    if package.is_none() {
        apt::update()?;
        package = newest(&kernel.version)?;
    }
    let package = package.with_context(|| {
        format!(
            "no package linux-image-{}.*-cloud-amd64 in this machine's apt sources: add Debian \
             bookworm's, main and security",
            kernel.version
        )
    })?;
    let unpacked = kernel.directory.join("unpacked");
    if unpacked.exists() {
        fs::remove_dir_all(&unpacked).with_context(|| format!("remove {}", unpacked.display()))?;
    }
    fs::create_dir_all(&unpacked).with_context(|| format!("create {}", unpacked.display()))?;
    // apt checks what it downloads against the signed index.
    command::run(
        Command::new("apt-get")
            .args(["-q", "download", &package])
            .current_dir(&unpacked),
    )?;
    let archive = one(&unpacked, |name| name.starts_with("linux-image-"))?;
    command::run(
        Command::new("dpkg-deb")
            .arg("-x")
            .args([&archive, &unpacked]),
    )?;
    for (name, module) in MODULES.iter().zip(&kernel.modules) {
        take_module(&unpacked, name, module)?;
    }
    let image = one(&unpacked.join("boot"), |name| name.starts_with("vmlinuz"))?;
    fs::rename(&image, &kernel.image).with_context(|| format!("keep {}", image.display()))?;
    fs::remove_dir_all(&unpacked).with_context(|| format!("remove {}", unpacked.display()))
}

/// Name of the newest package of this kernel that apt knows.
fn newest(version: &str) -> Result<Option<String>> {
    let pattern = format!(
        r"^linux-image-{}\.[0-9].*-cloud-amd64$",
        version.replace('.', r"\.")
    );
    let found = command::output(Command::new("apt-cache").args(["search", "-n", &pattern]))?;
    let names = found
        .lines()
        .filter_map(|line| line.split_whitespace().next());
    Ok(names.max_by_key(|name| numbers(name)).map(str::to_owned))
}

/// The numbers in a package's name, in order: they tell which is newer.
fn numbers(name: &str) -> Vec<u32> {
    name.split(|byte: char| !byte.is_ascii_digit())
        .filter_map(|number| number.parse().ok())
        .collect()
}

/// Newer kernels' modules are packed.
fn take_module(unpacked: &Path, name: &str, module: &Path) -> Result<()> {
    let listed = command::output(Command::new("find").arg(unpacked).args([
        "-name",
        &format!("{name}.ko*"),
        "-type",
        "f",
    ]))?;
    let Some(found) = listed.lines().next().map(PathBuf::from) else {
        bail!("the package has no module {name}");
    };
    let found = if found.extension().is_some_and(|suffix| suffix == "xz") {
        command::run(Command::new("xz").arg("--decompress").arg(&found))?;
        found.with_extension("")
    } else {
        found
    };
    fs::rename(&found, module).with_context(|| format!("keep {}", found.display()))
}

/// The one file in `directory` whose name fits.
fn one(directory: &Path, fits: impl Fn(&str) -> bool) -> Result<PathBuf> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("read {}", directory.display()))?;
    for entry in entries {
        let path = entry.context("read a directory")?.path();
        if path
            .file_name()
            .and_then(|name| name.to_str())
            .is_some_and(&fits)
        {
            return Ok(path);
        }
    }
    bail!(
        "{} does not hold what a kernel package should",
        directory.display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_is_found_by_its_numbers() {
        let older = "linux-image-6.12.99+deb12-cloud-amd64";
        let newer = "linux-image-6.12.117+deb12-cloud-amd64";
        assert!(numbers(newer) > numbers(older));
        assert_eq!(
            numbers("linux-image-6.1.0-56-cloud-amd64"),
            [6, 1, 0, 56, 64]
        );
    }
}
