//! What administrators, init scripts and busy servers do: no alert. Each ends with a
//! fence, an attack that must be the first alert since.

use std::{
    fs,
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use rustix::process::Signal;

use crate::fixture::{
    apache::{self, Apache},
    java::{self, Shop},
    nginx::Nginx,
    php_fpm::{self, Pool, Start},
    process::{Guard, succeed},
    scene::{self, Need, Scene, tool},
    sensor::{Rung, Sensor},
    site::{self, Site},
    wait,
};

/// Runs `act` beside a site whose start, too, must be silent.
fn is_silent(name: &str, needs: &[Need], pool: (Start, Pool), act: impl FnOnce(&Scene, &Site)) {
    let Some(scene) = Scene::begin(name, &[site::NEEDS, needs].concat()) else {
        return;
    };
    let mut sensor = Sensor::start(Rung::TpBtf);
    let site = Site::start(&scene, pool.0, pool.1);
    act(&scene, &site);
    site.fence(&mut sensor, 0);
    sensor.stop();
}

/// Runs `act` beside a site that the sensor found running.
fn is_silent_when_scanned(name: &str, pool: (Start, Pool), act: impl FnOnce(&Site)) {
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let site = Site::start(&scene, pool.0, pool.1);
    let mut sensor = Sensor::start(Rung::TpBtf);
    act(&site);
    site.fence(&mut sensor, 0);
    sensor.stop();
}

const STEADY: (Start, Pool) = (Start::Foreground, Pool::Steady);
const DAEMON: (Start, Pool) = (Start::Daemon, Pool::OnDemand);

fn reload_everything(site: &Site) {
    site.visit("ping.php");
    site.nginx.reload();
    site.visit("ping.php");
    site.php.reload();
    site.visit("ping.php");
    site.php.reopen_log();
    site.visit("ping.php");
}

#[test]
fn reloads_are_silent() {
    is_silent("reloads_are_silent", &[], STEADY, |_, site| {
        reload_everything(site);
    });
}

#[test]
fn reloads_of_daemons_are_silent() {
    // On demand there may be no worker to wait for; the pool that is restless has some.
    let pool = (Start::Daemon, Pool::Restless(3));
    is_silent("reloads_of_daemons_are_silent", &[], pool, |_, site| {
        reload_everything(site);
    });
}

#[test]
fn reloads_of_scanned_servers_are_silent() {
    is_silent_when_scanned(
        "reloads_of_scanned_servers_are_silent",
        STEADY,
        reload_everything,
    );
}

#[test]
fn apachectl_and_piped_logs_are_silent() {
    let needs = [apache::program as Need, apache::php_module];
    is_silent(
        "apachectl_and_piped_logs_are_silent",
        &needs,
        DAEMON,
        |scene, _| {
            let apache = Apache::start(scene.path());
            site::page(&apache.root.join("ping.php"), "echo 'pong';");
            wait::until("two log writers", || {
                (apache.log_writers().len() == 2).then_some(())
            });
            let old = apache.log_writers();
            assert_eq!(site::visit(apache.port, "ping.php").output, "pong");
            apache.graceful();
            wait::until("new log writers", || {
                let now = apache.log_writers();
                (now.len() == 2 && now.iter().all(|writer| !old.contains(writer))).then_some(())
            });
            assert_eq!(site::visit(apache.port, "ping.php").output, "pong");
        },
    );
}

/// On a busy machine the program that forks the daemon takes its time to end, so that for a
/// while two processes could be the master; and the log writers that it starts while it
/// reads its configuration for the first time are ended before their exec.
#[test]
fn piped_logs_of_a_lingering_daemon_are_silent() {
    const LINGER: &str = "
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>
static pid_t first;
static void linger(pid_t pid) {
    if (pid == first && !strcmp(program_invocation_short_name, \"apache2\")) usleep(500000);
}
__attribute__((constructor)) static void begin(void) { first = getpid(); }
__attribute__((destructor)) static void end(void) { linger(getpid()); }
int execv(const char *path, char *const args[]) {
    int (*next)(const char *, char *const[]) = dlsym(RTLD_NEXT, \"execv\");
    linger(getppid());
    return next(path, args);
}
";
    let name = "piped_logs_of_a_lingering_daemon_are_silent";
    let needs = [apache::program as Need, apache::php_module, scene::compiler];
    is_silent(name, &needs, DAEMON, |scene, _| {
        // Installed like a package's: one from anywhere else is what a rule looks for.
        let library = scene.system_library("linger", LINGER);
        let apache = Apache::start_with(scene.path(), |command| {
            command.env("LD_PRELOAD", library.path());
        });
        wait::until("two log writers", || {
            (apache.log_writers().len() == 2).then_some(())
        });
    });
}

#[test]
fn a_storm_of_requests_is_silent() {
    let Some(scene) = Scene::begin(
        "a_storm_of_requests_is_silent",
        &[site::NEEDS, &[scene::wrk as Need]].concat(),
    ) else {
        return;
    };
    let site = Site::start(&scene, Start::Foreground, Pool::Restless(50));
    let mut sensor = Sensor::start(Rung::TpBtf);
    let storm = |path: &str| -> Child {
        let mut wrk = Command::new(tool("wrk"));
        wrk.args([
            "-t1",
            "-c8",
            "-d5s",
            &format!("http://127.0.0.1:{}/{path}", site.nginx.port),
        ]);
        wrk.stdout(Stdio::piped()).spawn().expect("start wrk")
    };
    for storm in [storm("index.html"), storm("ping.php")] {
        let output = storm.wait_with_output().expect("wait for wrk");
        assert!(output.status.success(), "{output:?}");
    }
    assert!(sensor.metric("events_total") > 20.0, "{}", sensor.metrics());
    site.fence(&mut sensor, 0);
    sensor.stop();
}

#[test]
fn an_administrators_shell_is_silent() {
    is_silent(
        "an_administrators_shell_is_silent",
        &[],
        STEADY,
        |scene, site| {
            let script = "id; whoami; uname -a; hostname; cat /etc/passwd; \
                      ps ax; sh -c 'id; id'; env sh -c id; nohup sh -c id; true";
            succeed(
                Command::new("sh")
                    .args(["-c", script])
                    .current_dir(site.root()),
            );
            succeed(
                Command::new("setsid")
                    .args(["--wait", "sh", "-c", script])
                    .current_dir(scene.path()),
            );
            succeed(
                Command::new("setpriv")
                    .args([
                        "--reuid=www-data",
                        "--regid=www-data",
                        "--clear-groups",
                        "sh",
                        "-c",
                        "id; :",
                    ])
                    .current_dir(site.root()),
            );
        },
    );
}

/// Real cron in a mount namespace of its own, with one job for the moment it starts.
#[test]
fn cron_running_php_is_silent() {
    let needs = [cron as Need, php];
    is_silent("cron_running_php_is_silent", &needs, STEADY, |scene, _| {
        let done = scene.writable("cron").join("done");
        let job = format!(
            "<?php system('id; uname -a'); file_put_contents('{}', getmypid());",
            done.display()
        );
        let job = scene.file("job.php", job);
        let crontab = format!(
            "@reboot www-data {} {}\n",
            tool("php").display(),
            job.display()
        );
        let crontab = scene.file("crontab", crontab);
        let empty = scene.path().join("empty");
        fs::create_dir(&empty).expect("make a directory");
        let (crontab, empty) = (crontab.display(), empty.display());
        let namespace = format!(
            "mount -t tmpfs none /run && mount --bind {crontab} /etc/crontab &&
             mount --bind {empty} /etc/cron.d && mount --bind {empty} /var/spool/cron/crontabs &&
             exec cron -f"
        );
        let mut command = Command::new("unshare");
        command.args([
            "--mount",
            "--propagation",
            "private",
            "sh",
            "-c",
            &namespace,
        ]);
        let silent = || Stdio::null();
        command.stdin(silent()).stdout(silent()).stderr(silent());
        let _cron = Guard::child(command.spawn().expect("start cron"), Signal::TERM);
        wait::until("cron's job", || done.exists().then_some(()));
    });
}

fn cron() -> Result<PathBuf, String> {
    scene::program("cron")
}

fn php() -> Result<PathBuf, String> {
    scene::program("php")
}

#[test]
fn a_start_script_that_becomes_java_is_silent() {
    let needs = [java::program as Need, java::compiler];
    is_silent(
        "a_start_script_that_becomes_java_is_silent",
        &needs,
        STEADY,
        |scene, _| {
            let classes = java::compile(scene.path());
            let shop = Shop::start_by_script(scene.path(), &classes);
            shop.get("/ping");
        },
    );
}

#[test]
fn a_java_program_that_is_no_server_is_silent() {
    let needs = [java::program as Need, java::compiler];
    is_silent(
        "a_java_program_that_is_no_server_is_silent",
        &needs,
        STEADY,
        |scene, _| {
            java::run_tool(&java::compile(scene.path()));
        },
    );
}

/// Servers started by hand to print something, and servers that stop.
#[test]
fn short_lived_servers_are_silent() {
    is_silent("short_lived_servers_are_silent", &[], DAEMON, |scene, _| {
        succeed(Command::new(tool("nginx")).arg("-v"));
        succeed(Command::new(php_fpm::program().expect("php-fpm is installed")).arg("-v"));
        let inner = scene.path().join("inner");
        fs::create_dir(&inner).expect("make a directory");
        drop(Nginx::start(&inner, &inner, &inner.join("none.sock")));
    });
}
