//! nginx and php-fpm in one container of podman.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::{fs::MetadataExt as _, net::UnixStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use rustix::process::Signal;

use super::titled;
use crate::fixture::{
    daemon::command,
    php_fpm,
    process::{Guard, succeed},
    root,
    scene::{self, tool},
    wait,
};

const NGINX: &str = "daemon off;
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /tmp/nginx.log;
events { worker_connections 64; }
http {
    access_log off;
    client_body_temp_path /tmp/body;
    proxy_temp_path /tmp/proxy;
    fastcgi_temp_path /tmp/fastcgi;
    uwsgi_temp_path /tmp/uwsgi;
    scgi_temp_path /tmp/scgi;
    server {
        listen unix:/run/nginx.sock;
        root /srv/public;
        location / {
            fastcgi_param REQUEST_METHOD $request_method;
            fastcgi_param QUERY_STRING $query_string;
            fastcgi_param SCRIPT_FILENAME $document_root$uri;
            fastcgi_pass unix:/run/php.sock;
        }
    }
}
";
const PHP: &str = "[global]
error_log = /tmp/php-fpm.log
[www]
user = www-data
group = www-data
listen = /run/php.sock
listen.owner = www-data
pm = static
pm.max_children = 1
";
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
        let mut podman = podman(dir);
        podman.args([
            "run",
            "--rm",
            "--network=none",
            "--ulimit",
            "nofile=1024:1024",
        ]);
        podman.args(["--ulimit", "nproc=1024:1024", "--cidfile"]);
        podman.arg(&id_file).arg("--rootfs").arg(&root);
        podman.args(["/docker-entrypoint.sh", "/usr/sbin/nginx"]);
        let silent = || Stdio::null();
        podman.stdin(silent()).stdout(silent()).stderr(silent());
        let guard = Guard::child(podman.spawn().expect("start podman"), Signal::TERM);
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
        let mut stream = UnixStream::connect(self.root.join("run/nginx.sock"))?;
        write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok(String::from_utf8_lossy(&answer).into_owned())
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
    let php = php_fpm::program().expect("php-fpm is installed");
    let programs = [tool("nginx"), php.clone(), tool("id")];
    let root = root::make(&dir.join("rootfs"), &programs);
    fs::create_dir_all(root.join("srv/public")).expect("make a directory");
    scene::write(&root.join("etc/nginx.conf"), NGINX);
    scene::write(&root.join("etc/php-fpm.conf"), PHP);
    scene::write(&root.join("srv/public/index.php"), PAGE);
    let cron = root.join("var/spool/cron/crontabs");
    fs::create_dir_all(&cron).expect("make a directory");
    for directory in [&cron, &root.join("srv/public")] {
        scene::give_to_www_data(directory);
    }
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

fn podman(dir: &Path) -> Command {
    let mut podman = command("podman", dir);
    podman.args(["--runtime", "runc", "--cgroup-manager", "cgroupfs"]);
    podman.args(["--storage-driver", "vfs", "--events-backend", "none"]);
    podman.arg("--root").arg(dir.join("store"));
    podman.arg("--runroot").arg(dir.join("state"));
    podman
}
