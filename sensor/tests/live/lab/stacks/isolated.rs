//! nginx and php-fpm in one container of podman.

use std::{
    fs,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

use super::titled;
use crate::fixture::{
    container, php_fpm,
    pod::podman,
    process::{Guard, succeed},
    scene, wait,
};

/// `?sh=LINE` runs a shell, `?put=NAME` writes a file.
const PAGE: &str = "<?php
if (isset($_GET['sh'])) system($_GET['sh']);
if (isset($_GET['put'])) file_put_contents($_GET['put'], '');
echo 'pong';
";
/// An image's entry point: it looks around, starts both servers and waits.
const ENTRY: &str = "#!/bin/sh
set -e
id -u > /dev/null
PHP -F -y /etc/php-fpm.conf &
\"$@\" -c /etc/nginx.conf &
wait
";
/// Title of its master.
const MASTER: &str = "php-fpm: master process (/etc/php-fpm.conf)";

/// A running container; it is removed with the value.
pub(crate) struct Container {
    root: PathBuf,
    store: PathBuf,
    id_file: PathBuf,
    _guard: Guard,
}

impl Container {
    /// Starts it and waits until it answers.
    pub(crate) fn start(dir: &Path) -> Self {
        let root = file_system(dir);
        let id_file = dir.join("id");
        let words = ["/docker-entrypoint.sh", "/usr/sbin/nginx"];
        let guard = container::run(dir, &root, &id_file, &words);
        let container = Self {
            root,
            store: dir.to_owned(),
            id_file,
            _guard: guard,
        };
        wait::until("an answer out of the container", || {
            let answer = container.ask("/index.php").ok()?;
            answer.contains("pong").then_some(())
        });
        container
    }

    /// The answer to a request.
    pub(crate) fn ask(&self, path: &str) -> std::io::Result<String> {
        container::ask(&self.root, path)
    }

    /// The host's pid of its php-fpm.
    pub(crate) fn master(&self) -> u32 {
        let masters = titled(MASTER).into_iter();
        let mut own = masters.filter(|master| is_in(master.pid, &self.root));
        own.next().expect("the container's php-fpm runs").pid
    }

    /// Runs a command in it, as health checks do.
    pub(crate) fn exec(&self, words: &[&str]) {
        let id = fs::read_to_string(&self.id_file).expect("the container's id");
        let mut podman = podman(&self.store);
        succeed(podman.arg("exec").arg(id.trim()).args(words));
    }
}

impl Drop for Container {
    /// The first process of a container takes no notice of signals.
    fn drop(&mut self) {
        if let Ok(id) = fs::read_to_string(&self.id_file) {
            let mut podman = podman(&self.store);
            let _removed = podman
                .args(["rm", "--force", "--time=0", id.trim()])
                .output();
        }
    }
}

/// What it holds.
fn file_system(dir: &Path) -> PathBuf {
    let root = container::file_system(dir);
    scene::write(&root.join("srv/public/index.php"), PAGE);
    let cron = root.join("var/spool/cron/crontabs");
    fs::create_dir_all(&cron).expect("make a directory");
    scene::give_to_www_data(&cron);
    let php = php_fpm::program().expect("php-fpm is installed");
    let entry = ENTRY.replace("PHP", &php.display().to_string());
    super::web::program(&root.join("docker-entrypoint.sh"), &entry);
    root
}

/// The process sees this directory as its root.
fn is_in(pid: u32, root: &Path) -> bool {
    let (of, own) = (
        fs::metadata(format!("/proc/{pid}/root")),
        fs::metadata(root),
    );
    match (of, own) {
        (Ok(of), Ok(own)) => (of.dev(), of.ino()) == (own.dev(), own.ino()),
        _ => false,
    }
}
