//! nginx and php-fpm in one container, seen from the host: with the container's id, its
//! paths, and the host's pids.

use std::{fs, path::Path};

use crate::fixture::{
    alert::link,
    cgroup::Cgroup,
    container::{self, NGINX_CONF, PHP_CONF},
    nginx, php_fpm,
    process::Guard,
    scene::{self, Need, Scene},
    stage::{Kind, Stage, assert_is},
    wait,
};

pub(super) const PODMAN: &[Need] = &[
    || scene::program("podman"),
    || scene::program("runc"),
    nginx::program,
];

#[test]
fn a_page_in_a_container_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::container", PODMAN) else {
        return;
    };
    let php = php_fpm::program().expect("it was there");
    let root = container::file_system(stage.scene.path());
    let page =
        "<?php echo getmypid(), ' '; system('id; :'); file_put_contents('/srv/public/x.php', '');";
    scene::write(&root.join("srv/public/id.php"), page);
    let id_file = stage.scene.path().join("id");
    let servers = run(&stage.scene, &root, &id_file);
    let answer = wait::until("an answer out of the container", || {
        let answer = container::ask(&root, "/id.php").ok()?;
        answer.contains("uid=33").then_some(answer)
    });
    // Its own pid, in the container.
    assert!(answer.contains("\r\n\r\n"), "{answer}");

    let argv = ["sh", "-c", "id; :"];
    let shell = stage.saw("shell_under_app_worker", |alert| alert.args() == argv);
    let image = link(&php, &[&*php.display().to_string(), "-F", "-y", PHP_CONF]);
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
    drop(servers);
    stage.end();
}

/// Starts the container in the foreground, with both servers.
pub(super) fn run(scene: &Scene, root: &Path, id_file: &Path) -> Guard {
    run_below(None, scene, root, id_file)
}

/// The same in a control group below `parent`.
pub(super) fn run_below(
    parent: Option<&Cgroup>,
    scene: &Scene,
    root: &Path,
    id_file: &Path,
) -> Guard {
    let php = php_fpm::program().expect("it was there");
    let script = format!(
        "{} -F -y {PHP_CONF} & exec /usr/sbin/nginx -c {NGINX_CONF}",
        php.display()
    );
    let words = ["/bin/sh", "-c", &script];
    container::run_below(parent, scene.path(), root, id_file, &words)
}
