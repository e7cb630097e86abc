//! Man pages and completions, which the program itself writes.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result};

use crate::command;

/// Shells and the names under which they look for the completions of the program.
const SHELLS: [(&str, &str); 3] = [
    ("bash", "lineage-sensor"),
    ("zsh", "_lineage-sensor"),
    ("fish", "lineage-sensor.fish"),
];

/// Beside the program, a directory `pages` with `man/*.1.gz`, as distributions keep them, and
/// `completions/<shell>/<name>`.
pub(super) fn write(program: &Path) -> Result<PathBuf> {
    let pages = program.with_file_name("pages");
    if pages.exists() {
        fs::remove_dir_all(&pages).context("remove the last pages")?;
    }
    let man = pages.join("man");
    fs::create_dir_all(&man).context("make the directory of man pages")?;
    command::output(Command::new(program).arg("man").arg(&man))?;
    let mut gzip = Command::new("gzip");
    gzip.args(["-9", "--no-name", "--recursive"]);
    command::output(gzip.arg(&man))?;
    for (shell, name) in SHELLS {
        let directory = pages.join("completions").join(shell);
        fs::create_dir_all(&directory).context("make the directory of completions")?;
        let script = command::output(Command::new(program).args(["completions", shell]))?;
        fs::write(directory.join(name), script).context("write completions")?;
    }
    Ok(pages)
}
