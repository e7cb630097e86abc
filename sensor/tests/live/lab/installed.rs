//! Programs that products run and this machine lacks: stand-ins where packages would put
//! them, gone with the value. What is there already is used as it is, unless it is what a
//! lab that was killed has left.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
};

use super::stacks;
use crate::fixture::scene::Scene;

/// Executables.
const PROGRAMS: &[&str] = &[
    "/opt/gitlab/embedded/bin/git",
    "/usr/bin/convert",
    "/usr/bin/exiftool",
    "/usr/bin/ffmpeg",
    "/usr/bin/fping",
    "/usr/bin/gs",
    "/usr/bin/libreoffice",
    "/usr/bin/pdftotext",
    "/usr/bin/rrdtool",
    "/usr/lib/cgi-bin/nagios4/status.cgi",
    "/usr/local/cpanel/bin/splitlogs",
    "/usr/sbin/sendmail",
];
/// A CGI program that an administrator has installed.
pub(crate) const INSTALLED_CGI: &str = "lineage-lab.cgi";

/// See the module.
pub(crate) struct Installed {
    files: Vec<PathBuf>,
    directories: Vec<PathBuf>,
}

impl Installed {
    pub(crate) fn make(scene: &Scene) -> Self {
        let standin = scene.program("standin", stacks::STANDIN);
        let mut made = Self {
            files: Vec::new(),
            directories: Vec::new(),
        };
        for path in PROGRAMS.iter().map(Path::new) {
            if !path.exists() || is_standin(path) {
                made.put(path, |path| {
                    fs::copy(&standin, path).expect("install a stand-in");
                });
            }
        }
        let cgi = Path::new("/usr/lib/cgi-bin").join(INSTALLED_CGI);
        made.put(&cgi, |path| {
            stacks::program(
                path,
                "#!/bin/sh\necho Content-Type: text/plain\necho\necho served\ndate\n",
            );
        });
        made
    }

    fn put(&mut self, path: &Path, write: impl FnOnce(&Path)) {
        let mut missing: Vec<&Path> = path.ancestors().skip(1).collect();
        missing.retain(|directory| !directory.exists());
        for directory in missing.into_iter().rev() {
            fs::create_dir(directory).expect("make a directory");
            self.directories.push(directory.to_owned());
        }
        // Noted first: a test that fails here must not leave it behind.
        self.files.push(path.to_owned());
        write(path);
        fs::set_permissions(path, fs::Permissions::from_mode(0o755)).expect("make it executable");
    }
}

/// A lab has put it there.
fn is_standin(path: &Path) -> bool {
    let content = fs::read(path).unwrap_or_default();
    let mark = stacks::STANDIN_MARK.as_bytes();
    content.windows(mark.len()).any(|window| window == mark)
}

impl Drop for Installed {
    fn drop(&mut self) {
        for file in &self.files {
            let _gone = fs::remove_file(file);
        }
        for directory in self.directories.iter().rev() {
            let _gone = fs::remove_dir(directory);
        }
    }
}
