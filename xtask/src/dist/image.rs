//! The container image: FROM scratch, one static program, made by buildah.

use std::{fs, path::PathBuf, process::Command};

use anyhow::{Context as _, Result, bail};

use super::{VERSION, directory, program, tarball};
use crate::{apt, command};

/// Most bytes of the program, and so of the image: 20 MB.
const MAX_BYTES: u64 = 20_000_000;

/// Builds the program and the image; the path of the archive.
pub(crate) fn build() -> Result<PathBuf> {
    apt::ensure(&["buildah"], "images")?;
    let program = program()?;
    let bytes = fs::metadata(&program).context("examine the program")?.len();
    if bytes > MAX_BYTES {
        bail!("the program has {bytes} bytes, more than {MAX_BYTES}");
    }
    let archive = directory()?.join(format!("lineage-sensor-{VERSION}.oci.tar"));
    let name = format!("lineage-sensor:{VERSION}");
    let context = directory()?.join("image");
    fs::create_dir_all(&context).context("make the directory of the image")?;
    fs::copy(&program, context.join("lineage-sensor")).context("copy the program")?;
    command::run(
        buildah()?
            .args([
                "build",
                "--timestamp",
                "0",
                "--format",
                "oci",
                "--tag",
                &name,
            ])
            .arg("--file")
            .arg(command::root().join("deploy/container/Containerfile"))
            .arg(context),
    )?;
    match fs::remove_file(&archive) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            return Err(error).context("remove the last archive");
        }
        _ => {}
    }
    let to = format!("oci-archive:{}:{name}", archive.display());
    command::run(buildah()?.args(["push", "--quiet", &name, &to]))?;
    tarball::sums(&directory()?)?;
    let packed = fs::metadata(&archive).context("examine the archive")?.len();
    eprintln!(
        "image {name}: {:.1} MB, packed {:.1} MB: podman load --input {}",
        megabytes(bytes),
        megabytes(packed),
        archive.display(),
    );
    Ok(archive)
}

/// buildah with a store of xtask's own, which a build without RUN does not need root for.
fn buildah() -> Result<Command> {
    let store = command::scratch()?.join("containers");
    let mut buildah = Command::new("buildah");
    buildah.args(["--storage-driver", "vfs", "--root"]);
    buildah.arg(store.join("root"));
    buildah.arg("--runroot").arg(store.join("run"));
    Ok(buildah)
}

#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn megabytes(bytes: u64) -> f64 {
    bytes as f64 / 1e6
}
