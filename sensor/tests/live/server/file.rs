//! Files that servers make other than by a page: `WebDAV`, `mod_php`, a ring of
//! `io_uring`; and what a storm of static files costs.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::fixture::{
    alert::link,
    apache::{self, Apache},
    drops::{self, Dropping},
    http, nginx,
    process::succeed,
    scene::{self, Need, tool},
    site::php_string,
    stage::{Kind, Stage, assert_is},
};

const SCRIPT: &str = "script_created_in_web_root";

const APACHE: &[Need] = &[apache::program];
const MOD_PHP: &[Need] = &[apache::program, apache::php_module];

/// Opens a file through a ring, without any library.
const RING: &str = r"
#include <fcntl.h>
#include <linux/io_uring.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char **argv) {
    struct io_uring_params p;
    memset(&p, 0, sizeof p);
    int ring = syscall(__NR_io_uring_setup, 1, &p);
    if (argc != 2 || ring < 0) return 2;
    int prot = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
    char *sq = mmap(0, p.sq_off.array + p.sq_entries * sizeof(uint32_t), prot, flags, ring,
                    IORING_OFF_SQ_RING);
    char *cq = mmap(0, p.cq_off.cqes + p.cq_entries * sizeof(struct io_uring_cqe), prot, flags,
                    ring, IORING_OFF_CQ_RING);
    struct io_uring_sqe *sqe = mmap(0, p.sq_entries * sizeof *sqe, prot, flags, ring,
                                    IORING_OFF_SQES);
    if (sq == MAP_FAILED || cq == MAP_FAILED || sqe == MAP_FAILED) return 3;
    memset(sqe, 0, sizeof *sqe);
    sqe->opcode = IORING_OP_OPENAT;
    sqe->fd = AT_FDCWD;
    sqe->addr = (uint64_t)(uintptr_t)argv[1];
    sqe->open_flags = O_CREAT | O_EXCL | O_WRONLY;
    sqe->len = 0644;
    *(uint32_t *)(sq + p.sq_off.array) = 0;
    __atomic_store_n((uint32_t *)(sq + p.sq_off.tail), 1, __ATOMIC_RELEASE);
    if (syscall(__NR_io_uring_enter, ring, 1, 1, IORING_ENTER_GETEVENTS, 0, 0) != 1) return 4;
    struct io_uring_cqe *done = (struct io_uring_cqe *)(cq + p.cq_off.cqes);
    return done->res < 0 ? 5 : 0;
}
";

/// The kernel's own thread may do it; it is still the page's program.
#[test]
fn a_script_made_through_io_uring_is_seen() {
    let Some(mut stage) = Stage::begin("server::file::io_uring", &[scene::compiler, io_uring])
    else {
        return;
    };
    let public = stage.scene.writable("www/public");
    let program = stage.scene.program("ring", RING);
    let path = public.join("ringed.php").display().to_string();
    let name = program.display().to_string();
    let argv = [name.as_str(), path.as_str()];
    let visit = stage.site.spawn("page.php", &argv.map(str::as_bytes));
    assert!(Path::new(&path).exists(), "{visit:?}");

    let alert = stage.saw(SCRIPT, |alert| alert.json["file"]["path"] == *path);
    let child = link(&program, &argv)
        .pid(visit.spawned())
        .part("descendant");
    alert.assert_lineage(&[
        stage.site.master(),
        stage.site.worker(visit.worker),
        child.chain(&[&program]),
    ]);
    assert_is(&alert, Kind::app("php-fpm"));
    assert_eq!(alert.json["file"]["io_uring"], true, "{alert}");
    stage.only(|other| other.concerns(visit.spawned()));
    stage.end();
}

/// The administrator may have switched it off.
fn io_uring() -> Result<PathBuf, String> {
    let switch = PathBuf::from("/proc/sys/kernel/io_uring_disabled");
    match fs::read_to_string(&switch).as_deref().map(str::trim) {
        // Older kernels have no switch.
        Ok("0") | Err(_) => Ok(switch),
        Ok(_) => Err("io_uring is disabled".to_owned()),
    }
}

/// nginx keeps a body beside and renames it.
#[test]
fn a_script_put_into_nginx_is_seen() {
    let Some(mut stage) = Stage::begin("server::file::nginx_dav", &[nginx::program]) else {
        return;
    };
    let root = stage.scene.writable("dav/public");
    let dir = stage.scene.path().join("dav");
    let methods = "dav_methods PUT DELETE MKCOL COPY MOVE;";
    let nginx = nginx::foreground(&dir, "dav", &root, methods);
    let image = link(tool("nginx"), &nginx.argv);
    let master = image.clone().pid(nginx.process().pid).part("master");
    let parents = [
        master.chain(&[tool("nginx")]),
        image.part("worker").forked(),
    ];
    for (name, content) in [("a.txt", "a note"), ("x.php", "dropped")] {
        let answer = http::put(nginx.port, &format!("/{name}"), content).expect("an answer");
        assert_eq!(answer.status, 201, "{answer:?}");
    }
    let path = root.join("x.php").display().to_string();
    let alert = stage.saw(SCRIPT, |alert| alert.json["file"]["path"] == *path);
    alert.assert_lineage(&parents);
    assert_is(&alert, Kind::edge("nginx"));
    stage.only(|other| other.json["file"]["path"] == *path);
    drop(nginx);
    stage.end();
}

/// Apache makes the file where it shall be, and renames a picture to a script.
#[test]
fn a_script_put_into_apache_is_seen() {
    let Some(mut stage) = Stage::begin("server::file::apache_dav", APACHE) else {
        return;
    };
    let root = stage.scene.writable("apache/public");
    let dir = stage.scene.writable("apache");
    let lines = format!(
        "DavLockDB {0}/lock\nDocumentRoot {1}\n<Directory {1}>\nDav On\n</Directory>",
        dir.display(),
        root.display()
    );
    let apache = apache::foreground(&dir, "prefork", &["dav", "dav_fs"], &lines);
    let answer = http::put(apache.port, "/x.php", "dropped").expect("an answer");
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = http::put(apache.port, "/a.png", "dropped").expect("an answer");
    assert_eq!(answer.status, 201, "{answer:?}");
    let answer = http::rename(apache.port, "/a.png", "/y.php").expect("an answer");
    assert_eq!(answer.status, 201, "{answer:?}");

    let image = link(tool("apache2"), &apache.argv);
    let master = image.clone().pid(apache.process().pid).part("master");
    let parents = [
        master.chain(&[tool("apache2")]),
        image.part("worker").forked(),
    ];
    let paths = ["x.php", "y.php"].map(|name| root.join(name).display().to_string());
    for path in &paths {
        let alert = stage.saw(SCRIPT, |alert| alert.json["file"]["path"] == **path);
        alert.assert_lineage(&parents);
        assert_eq!(alert.service(), "apache", "{alert}");
    }
    stage.only(|other| {
        paths
            .iter()
            .any(|path| other.json["file"]["path"] == **path)
    });
    drop(apache);
    stage.end();
}

#[test]
fn files_of_a_page_of_mod_php_are_seen() {
    let Some(mut stage) = Stage::begin("server::file::mod_php", MOD_PHP) else {
        return;
    };
    let dir = stage.scene.path().join("mod-php");
    let apache = Apache::start(&dir);
    let site = Dropping::new(&apache.root, apache.port);
    let image = link(tool("apache2"), &apache.argv);
    let begun = image.clone().part("master").chain(&[tool("apache2")]);
    let master = image
        .clone()
        .pid(apache.master().pid)
        .part("master")
        .forked();
    for drop in drops::ALL {
        let (path, worker) = site.perform(drop);
        let alert = stage.saw(drop.rule, |alert| alert.json["file"]["path"] == *path);
        let worker = image.clone().pid(worker).part("worker").forked();
        alert.assert_lineage(&[begun.clone(), master.clone(), worker]);
        assert_is(&alert, Kind::app("apache"));
        stage.only(|other| other.json["file"]["path"] == *path);
    }
    apache.graceful();
    drop(apache);
    stage.end();
}

/// How long the storm lasts, seconds.
const STORM: u32 = 25;
/// The sensor's own: the helper of a self-test may start meanwhile, and the first of each
/// opens its libraries (libc, libm, `libgcc_s`); the static program has none.
const SELF_TEST: f64 = 3.0;

/// What servers read to answer is no event, whatever the number of requests.
#[test]
fn a_storm_of_static_files_costs_no_events() {
    const NAME: &str = "server::file::storm";
    let Some(mut stage) = Stage::begin(NAME, &[scene::wrk]) else {
        return;
    };
    let names = ["index.html", "style.css", "logo.png", "font.woff2"];
    for name in names {
        scene::write(&stage.site.root().join(name), "0123456789abcdef");
    }
    let script = stage.scene.file("storm.lua", lua(&names));
    // Whatever is said once of a file has been said before.
    for name in names {
        let answer = http::get(stage.site.nginx.port, &format!("/{name}")).expect("an answer");
        assert_eq!(answer.status, 200, "{name}");
    }
    stage.is_silent();
    let before = file_events(&stage);
    let lost = stage.sensor.metric("events_lost_total");

    let port = stage.site.nginx.port;
    let mut wrk = Command::new(tool("wrk"));
    wrk.args(["-t1", "-c64", &format!("-d{STORM}s"), "-s"])
        .arg(script);
    let report = succeed(wrk.arg(format!("http://127.0.0.1:{port}/"))).stdout;
    let report = String::from_utf8_lossy(&report);
    assert!(!report.contains("Non-2xx"), "{report}");
    let requests = requests(&report);
    assert!(requests > 10_000, "{report}");
    // All that happened has been consumed once this has been.
    let page = stage.scene.writable("www/public").join("last.php");
    let path = page.display().to_string();
    let code = format!("file_put_contents({}, 'x');", php_string(path.as_bytes()));
    stage.site.page("last-page.php", &code);
    stage.site.visit("last-page.php");
    stage.saw(SCRIPT, |alert| alert.json["file"]["path"] == *path);

    let after = file_events(&stage);
    scene::note(
        NAME,
        &format!(
            "{requests} requests in {STORM} s, {} file events",
            after - before
        ),
    );
    // Of the last page: that PHP read it, and what it wrote.
    assert!(after - before <= 2.0 + SELF_TEST, "{before} {after}");
    assert!((stage.sensor.metric("events_lost_total") - lost).abs() < 0.5);
    stage.only(|other| other.json["file"]["path"] == *path);
    stage.end();
}

fn file_events(stage: &Stage) -> f64 {
    stage.sensor.metric_where("events_total", "kind=\"file\"")
}

/// Makes wrk ask for one after another.
fn lua(names: &[&str]) -> String {
    let list: Vec<String> = names.iter().map(|name| format!("'/{name}'")).collect();
    format!(
        "local names, at = {{{}}}, 0
request = function()
    at = at % #names + 1
    return wrk.format(nil, names[at])
end
",
        list.join(", ")
    )
}

/// `N requests in 25.00s, ...`
fn requests(report: &str) -> u64 {
    let line = report.lines().find(|line| line.contains(" requests in "));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no number of requests in {report}"))
}
