//! Servers that no list knows: those the configuration declares by unit or by image, and
//! an interpreter that turns out a server when it listens.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    daemon::{Daemon, command},
    process::succeed,
    root,
    scene::{self, Need, free_port, tool},
    stage::{Kind, Stage, assert_is},
    wait,
};

/// Answers one request after another with its pid, and runs a shell for `/id`.
const SHOPD: &str = r#"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int main(int argc, char **argv) {
    int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), one = 1;
    setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[1]))};
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (bind(server, (struct sockaddr *)&at, sizeof at) || listen(server, 8)) return 2;
    for (;;) {
        int client = accept(server, 0, 0);
        char line[4096] = "", output[4096] = "";
        if (read(client, line, sizeof line - 1) < 1) { close(client); continue; }
        if (!strncmp(line, "GET /id ", 8)) {
            FILE *shell = popen("id; :", "r");
            output[fread(output, 1, sizeof output - 1, shell)] = 0;
            pclose(shell);
        }
        dprintf(client, "HTTP/1.0 200 OK\r\n\r\n%d\n%s", getpid(), output);
        close(client);
    }
}
"#;
/// As the C library calls it.
const SHELL: [&str; 3] = ["sh", "-c", "id; :"];

/// Below this directory, a group of cgroup v2 for each unit.
const SLICE: &str = "lineage-live.slice";

const UNIT: &[Need] = &[scene::compiler, cgroups];
const IMAGE: &[Need] = &[
    scene::compiler,
    || scene::program("podman"),
    || scene::program("runc"),
];

/// Where cgroup v2 is mounted.
fn cgroups() -> Result<PathBuf, String> {
    let places = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"].map(PathBuf::from);
    let mut mounted = places
        .into_iter()
        .filter(|place| place.join("cgroup.controllers").exists());
    mounted.next().ok_or_else(|| "no cgroup v2".to_owned())
}

/// A cgroup named like systemd names those of services; it is gone with the value.
struct Unit(PathBuf);

impl Unit {
    fn make(name: &str) -> Self {
        let slice = cgroups().expect("it was there").join(SLICE);
        let path = slice.join(name);
        fs::create_dir_all(&path).expect("make a cgroup");
        Self(path)
    }

    /// Makes a command of one that enters the cgroup first.
    fn enter(&self, program: &Path, args: &[&str], dir: &Path) -> Command {
        let mut shell = command("sh", dir);
        shell.args(["-c", "echo $$ > \"$0/cgroup.procs\" && exec \"$@\""]);
        shell.arg(&self.0).arg(program).args(args);
        shell
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        for path in [Some(&*self.0), self.0.parent()].into_iter().flatten() {
            // A process that has just ended may still be counted.
            let _removed = wait::poll(wait::PATIENCE, || fs::remove_dir(path).ok());
        }
    }
}

#[test]
fn a_service_declared_by_its_unit_runs_a_shell() {
    let declared = "name: shop, unit: \"lineage-shop*.service\"";
    let Some(mut stage) = Stage::declaring("server::declared::unit", UNIT, declared) else {
        return;
    };
    let shopd = stage.scene.program("shopd", SHOPD);
    let unit = Unit::make("lineage-shop@1.service");
    let (port, elsewhere) = (free_port(), free_port());
    let dir = stage.scene.path();
    let shop = unit.enter(&shopd, &[&port.to_string()], dir);
    let shop = Daemon::start(shop, port, Signal::TERM);
    // The same program, and nobody has said that it is a service.
    let mut other = Command::new(&shopd);
    other.arg(elsewhere.to_string());
    let other = Daemon::start(other, elsewhere, Signal::TERM);
    let known = wait::until("the service", || stage.sensor.service(shop.process().pid));
    assert_eq!(known["kind"], "declared", "{known}");
    assert_eq!(known["unit"], "lineage-shop@1.service", "{known}");
    assert!(stage.sensor.service(other.process().pid).is_none());
    until_followed(&mut stage, &shop);
    shop.load("/");
    let (_, output) = other.visit("/id");
    assert!(output.contains("uid=0"), "{output}");

    let (pid, output) = shop.visit("/id");
    assert!(output.contains("uid=0"), "{output}");
    let argv = [shopd.display().to_string(), port.to_string()];
    let server = link(&shopd, &argv).pid(pid).scanned();
    stage.ran_id(Kind::app("declared"), &[server], &SHELL);
    for alert in &stage.sensor.alerts {
        if alert.concerns(pid) {
            assert_eq!(alert.json["service"]["name"], "shop", "{alert}");
            assert_eq!(alert.json["service"]["unit"], known["unit"], "{alert}");
        }
    }
    drop(shop);
    drop(other);
    drop(unit);
    stage.end();
}

/// What shows by nothing the kernel recognises is looked at once it listens, and followed
/// by the kernel a moment later: attacks it until that is seen.
fn until_followed(stage: &mut Stage, shop: &Daemon) {
    let known = stage.sensor.mark();
    wait::until("an alert of the service", || {
        shop.visit("/id");
        (stage.sensor.mark() > known).then_some(())
    });
    let server = stage.sensor.nth(known).root();
    stage.only(|alert| alert.root() == server);
}

/// An image of the machine's own store, removed with the value.
struct Stored(&'static str);

impl Stored {
    /// Imports a file system under this name.
    fn import(name: &'static str, root: &Path, dir: &Path) -> Self {
        let archive = dir.join("image.tar");
        let mut tar = Command::new(tool("tar"));
        succeed(tar.arg("-C").arg(root).arg("-cf").arg(&archive).arg("."));
        let stored = Self(name);
        succeed(podman().arg("import").arg(&archive).arg(name));
        stored
    }
}

impl Drop for Stored {
    fn drop(&mut self) {
        let _status = podman().args(["rmi", "--force", self.0]).output();
    }
}

fn podman() -> Command {
    let mut podman = Command::new(tool("podman"));
    podman.args(["--runtime", "runc", "--cgroup-manager", "cgroupfs"]);
    podman.args(["--events-backend", "none"]);
    podman
}

#[test]
fn a_service_declared_by_its_image_runs_a_shell() {
    const NAME: &str = "localhost/lineage-live/shop:1";
    let declared = "name: shop, image: \"localhost/lineage-live/*\", role: edge";
    let Some(mut stage) = Stage::declaring("server::declared::image", IMAGE, declared) else {
        return;
    };
    let dir = stage.scene.path();
    let built = stage.scene.program("shopd", SHOPD);
    let root = root::make(&dir.join("rootfs"), &[tool("id")]);
    fs::copy(&built, root.join("usr/bin/shopd")).expect("copy a program");
    let image = Stored::import(NAME, &root, dir);
    let (port, id_file) = (free_port(), dir.join("id"));
    let mut run = podman();
    run.args([
        "run",
        "--rm",
        "--network=host",
        "--ulimit",
        "nofile=1024:1024",
    ]);
    run.args(["--ulimit", "nproc=1024:1024", "--cidfile"]);
    run.arg(&id_file);
    run.args([NAME, "/usr/bin/shopd", &port.to_string()]);
    let shop = Daemon::start(run, port, Signal::TERM);

    until_followed(&mut stage, &shop);
    let (_, output) = shop.visit("/id");
    assert!(output.contains("uid=0"), "{output}");
    let alert = stage.saw("edge_server_executed_program", |alert| {
        alert.args() == SHELL
    });
    let argv = ["/usr/bin/shopd", &port.to_string()];
    let server = link("/usr/bin/shopd", &argv).scanned();
    let shell = link("/usr/bin/sh", &SHELL).part("descendant");
    alert.assert_lineage(&[server, shell]);
    let kind = Kind {
        name: "declared",
        ..Kind::edge("declared")
    };
    assert_is(&alert, kind);
    assert_eq!(alert.json["service"]["name"], "shop", "{alert}");
    let id = fs::read_to_string(&id_file).expect("the container's id");
    assert_eq!(alert.json["container"]["id"], *id.trim(), "{alert}");
    let server = alert.root();
    stage.only(|other| other.root() == server);
    drop(shop);
    drop(image);
    stage.end();
}
