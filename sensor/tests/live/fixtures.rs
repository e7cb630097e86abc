//! The fixtures themselves: each server starts, serves, and is gone afterwards.

use crate::fixture::{
    apache::{self, Apache},
    http, java,
    php_fpm::{Pool, Start},
    process::Process,
    scene::Scene,
    site::{self, Site},
    wait,
};

#[track_caller]
fn assert_gone(family: &[Process]) {
    for process in family {
        assert!(
            !process.is_alive(),
            "{process:?} is left: {:?}",
            process.executable()
        );
    }
}

fn family(root: Process) -> Vec<Process> {
    let descendants = root.descendants().into_iter().map(|(_, process)| process);
    std::iter::once(root).chain(descendants).collect()
}

fn site_comes_and_goes(scene: &Scene, start: Start, pool: Pool) {
    let site = Site::start(scene, start, pool);
    let visit = site.visit("ping.php");
    assert_eq!(visit.output, "pong");
    let worker = Process::of(visit.worker).expect("the worker lives");
    assert!(site.php.workers().contains(&worker), "{visit:?}");
    assert_eq!(
        http::get(site.nginx.port, "/").expect("index page").status,
        200
    );
    let mut all = family(site.php.master());
    all.extend(family(site.nginx.master()));
    assert!(all.len() >= 4, "{all:?}");
    drop(site);
    assert_gone(&all);
}

#[test]
fn nginx_and_php_fpm_serve_and_are_gone() {
    let name = "nginx_and_php_fpm_serve_and_are_gone";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    site_comes_and_goes(&scene, Start::Foreground, Pool::Steady);
}

#[test]
fn a_daemonised_php_fpm_serves_and_is_gone() {
    let name = "a_daemonised_php_fpm_serves_and_is_gone";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    site_comes_and_goes(&scene, Start::Daemon, Pool::OnDemand);
}

#[test]
fn reloads_replace_the_workers() {
    let Some(scene) = Scene::begin("reloads_replace_the_workers", site::NEEDS) else {
        return;
    };
    for start in [Start::Foreground, Start::Daemon] {
        let site = Site::start(&scene, start, Pool::Restless(100));
        let (php, nginx) = (site.php.master(), site.nginx.master());
        site.nginx.reload();
        site.php.reload();
        site.php.reopen_log();
        assert_eq!(site.visit("ping.php").output, "pong");
        assert_eq!(nginx, site.nginx.master());
        assert_eq!(php == site.php.master(), start == Start::Foreground);
        let all: Vec<_> = [php, nginx].into_iter().flat_map(family).collect();
        drop(site);
        assert_gone(&all);
    }
}

#[test]
fn pages_start_programs() {
    let Some(scene) = Scene::begin("pages_start_programs", site::NEEDS) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    assert!(site.shell("a/id.php", "id").output.contains("(www-data)"));
    let visit = site.spawn(
        "b/echo.php",
        &[
            b"/bin/sh",
            b"-c",
            b"printf '%s|' \"$@\" >&2",
            b"x",
            b"\x1b\n\xff\"",
        ],
    );
    assert!(visit.output.ends_with("\n\x1b\n\u{fffd}\"|"), "{visit:?}");
}

#[test]
fn apache_serves_and_is_gone() {
    let needs = [apache::program as _, apache::php_module as _];
    let Some(scene) = Scene::begin("apache_serves_and_is_gone", &needs) else {
        return;
    };
    let apache = Apache::start(scene.path());
    site::page(&apache.root.join("id.php"), "system('id');");
    let visit = site::visit(apache.port, "id.php");
    assert!(visit.output.contains("(www-data)"), "{visit:?}");
    wait::until("two log writers", || {
        (apache.log_writers().len() == 2).then_some(())
    });
    apache.graceful();
    let mut all = family(apache.master());
    assert_eq!(site::visit(apache.port, "id.php").output, visit.output);
    all.extend(family(apache.master()));
    drop(apache);
    assert_gone(&all);
}

#[test]
fn java_serves_and_is_gone() {
    let needs = [java::program as _, java::compiler as _];
    let Some(scene) = Scene::begin("java_serves_and_is_gone", &needs) else {
        return;
    };
    let classes = java::compile(scene.path());
    java::run_tool(&classes);
    for shop in [
        java::Shop::start(scene.path(), &classes),
        java::Shop::start_by_script(scene.path(), &classes),
    ] {
        assert!(shop.get("/id").body.contains("uid="));
        assert_eq!(shop.get("/shell/x").body, "");
        let all = family(shop.process());
        drop(shop);
        assert_gone(&all);
    }
}
