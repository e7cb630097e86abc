//! php-fpm with several pools, one of them root's; and every way in which a page can put
//! a file into a web root.

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    daemon::{Daemon, command},
    drops::{self, Dropping},
    front, php_fpm, scene,
    scene::{free_port, tool},
    site::{page, spawning, visit},
    stage::{Kind, Stage, assert_is},
};

const PHP: Kind = Kind::app("php-fpm");

#[test]
fn files_of_a_page_are_seen() {
    let Some(mut stage) = Stage::begin("server::php::files", &[]) else {
        return;
    };
    let site = Dropping::new(stage.site.root(), stage.site.nginx.port);
    for drop in drops::ALL {
        let (path, worker) = site.perform(drop);
        let alert = stage.saw(drop.rule, |alert| alert.json["file"]["path"] == *path);
        alert.assert_lineage(&[stage.site.master(), stage.site.worker(worker)]);
        assert_is(&alert, PHP);
        stage.only(|other| other.json["file"]["path"] == *path);
    }
    stage.end();
}

/// By programs: a copy; a file that had no name until it was linked.
#[test]
fn files_of_a_pages_programs_are_seen() {
    const NAMELESS: &str = "import os, sys
file = os.open(os.path.dirname(sys.argv[1]), os.O_TMPFILE | os.O_WRONLY)
os.write(file, b'dropped')
root = os.open('/', os.O_RDONLY)
os.link(f'/proc/self/fd/{file}', sys.argv[1], src_dir_fd=root)
";
    let Some(mut stage) = Stage::begin("server::php::programs", &[scene::python]) else {
        return;
    };
    let public = stage.scene.writable("www/public");
    let script = stage
        .scene
        .file("nameless.py", NAMELESS)
        .display()
        .to_string();
    let python = tool("python3").display().to_string();
    for (name, rule, program, argv) in [
        (
            "cp.php",
            "script_written_by_tool",
            tool("cp"),
            &["cp", "/etc/hostname"][..],
        ),
        (
            "nameless.php",
            "script_created_in_web_root",
            tool("python3"),
            &[&*python, "-I", &script],
        ),
    ] {
        let path = public.join(name).display().to_string();
        let argv = [argv, &[&path]].concat();
        let bytes: Vec<&[u8]> = argv.iter().map(|word| word.as_bytes()).collect();
        let visit = stage.site.spawn(&format!("page-{name}"), &bytes);
        let alert = stage.saw(rule, |alert| alert.json["file"]["path"] == *path);
        let child = link(&program, &argv)
            .pid(visit.spawned())
            .part("descendant");
        alert.assert_lineage(&[
            stage.site.master(),
            stage.site.worker(visit.worker),
            child.chain(&[&program]),
        ]);
        assert_is(&alert, PHP);
        stage.only(|other| other.concerns(visit.spawned()));
    }
    stage.end();
}

/// One master, a pool of `www-data` and one of root: each worker is told from the other.
#[test]
fn pages_of_two_pools_run_id() {
    let Some(mut stage) = Stage::begin("server::php::pools", &[]) else {
        return;
    };
    let dir = stage.scene.path().join("pools");
    let (shop, admin) = (free_port(), free_port());
    let config = dir.join("php-fpm.conf");
    let log = dir.join("php-fpm.log");
    let pool = |name: &str, user: &str, port: u16| {
        format!(
            "[{name}]\nuser = {user}\ngroup = {user}\nlisten = 127.0.0.1:{port}\n\
             pm = static\npm.max_children = 2\n"
        )
    };
    let pools = [pool("shop", "www-data", shop), pool("admin", "root", admin)].concat();
    let global = format!("[global]\nerror_log = {}\n", log.display());
    scene::write(&config, global + &pools);
    for name in ["shop/id.php", "admin/id.php"] {
        page(&dir.join(name), &spawning("['id']"));
    }
    let program = php_fpm::program().expect("it was there");
    let name = program.file_name().and_then(|name| name.to_str());
    let mut php = command(name.expect("a name"), &dir);
    php.args(["--nodaemonize", "--allow-to-run-as-root", "--fpm-config"]);
    let php = Daemon::start(
        {
            php.arg(&config);
            php
        },
        shop,
        Signal::QUIT,
    );
    let nginx = front::start(&dir, &dir, &[("/shop/", shop), ("/admin/", admin)]);
    php.reload(Signal::USR2);
    php.reopen_log(&log, Signal::USR1);

    for (name, user) in [("shop/id.php", scene::www_data().0), ("admin/id.php", 0)] {
        let visit = visit(nginx.port, name);
        let alert = stage.saw("recon_tool_under_service", |alert| {
            alert.pid() == visit.spawned()
        });
        let image = link(&program, &php.argv);
        let master = image.clone().pid(php.process().pid).part("master");
        let worker = image.pid(visit.worker).part("worker").forked();
        let id = link(tool("id"), &["id"]).part("descendant");
        alert.assert_lineage(&[master, worker, id.chain(&[tool("id")])]);
        assert_is(&alert, PHP);
        assert_eq!(
            alert.json["process"]["user"]["id"],
            user.to_string(),
            "{alert}"
        );
        stage.only(|other| other.concerns(visit.spawned()));
    }
    drop(nginx);
    drop(php);
    stage.end();
}
