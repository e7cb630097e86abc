//! nginx and php-fpm in one container, seen from the host: with the container's id, its
//! paths, and the host's pids.

use std::{
    fs,
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    path::{Path, PathBuf},
    process::Stdio,
};

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    nginx, php_fpm,
    pod::podman,
    process::Guard,
    root,
    scene::{self, Need, Scene, tool},
    stage::{Kind, Stage, assert_is},
    wait,
};

pub(super) const PODMAN: &[Need] = &[
    || scene::program("podman"),
    || scene::program("runc"),
    nginx::program,
];

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

#[test]
fn a_page_in_a_container_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::container", PODMAN) else {
        return;
    };
    let php = php_fpm::program().expect("it was there");
    let root = file_system(&stage.scene, &php);
    let page =
        "<?php echo getmypid(), ' '; system('id; :'); file_put_contents('/srv/public/x.php', '');";
    scene::write(&root.join("srv/public/id.php"), page);
    scene::give_to_www_data(&root.join("srv/public"));
    let id_file = stage.scene.path().join("id");
    let container = run(&stage.scene, &root, &id_file, &php);
    let socket = root.join("run/nginx.sock");
    let answer = wait::until("an answer out of the container", || {
        let answer = ask(&socket, "/id.php").ok()?;
        answer.contains("uid=33").then_some(answer)
    });
    // Its own pid, in the container.
    assert!(answer.contains("\r\n\r\n"), "{answer}");

    let argv = ["sh", "-c", "id; :"];
    let shell = stage.saw("shell_under_app_worker", |alert| alert.args() == argv);
    let image = link(
        &php,
        &[&*php.display().to_string(), "-F", "-y", "/etc/php-fpm.conf"],
    );
    let parents = [
        image.clone().part("master").chain(&[&php]),
        image.part("worker").forked(),
    ];
    let sh = link("/usr/bin/sh", &argv).part("descendant");
    shell.assert_lineage(&[&parents[..], &[sh]].concat());
    let file = stage.saw("script_created_in_web_root", |_| true);
    file.assert_lineage(&parents);
    assert_eq!(file.json["file"]["path"], "/srv/public/x.php", "{file}");
    let id = fs::read_to_string(&id_file).expect("the container's id");
    for alert in [&shell, &file] {
        assert_is(alert, Kind::app("php-fpm"));
        assert_eq!(alert.json["container"]["id"], *id.trim(), "{alert}");
    }
    let master = shell.root();
    let service = stage.sensor.service(master).expect("a live service");
    assert_eq!(service["container"], *id.trim(), "{service}");
    stage.only(|alert| alert.root() == master);
    drop(container);
    stage.end();
}

/// Starts the container in the foreground.
pub(super) fn run(scene: &Scene, root: &Path, id_file: &Path, php: &Path) -> Guard {
    let mut podman = podman(scene.path());
    podman.args(["run", "--rm"]);
    podman.args(["--network=none", "--ulimit", "nofile=1024:1024"]);
    podman.args(["--ulimit", "nproc=1024:1024", "--cidfile"]);
    podman.arg(id_file).arg("--rootfs").arg(root);
    let script = format!(
        "{} -F -y /etc/php-fpm.conf & exec /usr/sbin/nginx -c /etc/nginx.conf",
        php.display()
    );
    podman.args(["/bin/sh", "-c", &script]);
    let silent = || Stdio::null();
    podman.stdin(silent()).stdout(silent()).stderr(silent());
    Guard::child(podman.spawn().expect("start podman"), Signal::TERM)
}

/// What the container holds.
pub(super) fn file_system(scene: &Scene, php: &Path) -> PathBuf {
    let programs = [tool("nginx"), php.to_owned(), tool("id")];
    let root = root::make(&scene.path().join("rootfs"), &programs);
    fs::create_dir_all(root.join("srv/public")).expect("make a directory");
    scene::write(&root.join("etc/nginx.conf"), NGINX);
    scene::write(&root.join("etc/php-fpm.conf"), PHP);
    root
}

/// The answer to a request, head and all.
pub(super) fn ask(socket: &Path, path: &str) -> std::io::Result<String> {
    let mut stream = UnixStream::connect(socket)?;
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}
