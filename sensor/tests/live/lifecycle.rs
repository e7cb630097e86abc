//! Start and end of the sensor: what it refuses, and what it leaves behind (nothing).

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt as _,
    path::Path,
    process::{Command, Output, Stdio},
};

use rustix::{
    mount::{MountFlags, UnmountFlags},
    process::Signal,
};

use crate::fixture::{
    process,
    scene::{self, Case, Scene},
    sensor::{self, Rung, Sensor},
    wait,
};

/// Kernel ids of programs, maps and links that a process holds, from its descriptors.
fn held(pid: u32, what: &str) -> BTreeSet<u32> {
    let infos = fs::read_dir(format!("/proc/{pid}/fdinfo"))
        .into_iter()
        .flatten();
    let texts = infos.filter_map(|info| fs::read_to_string(info.ok()?.path()).ok());
    texts
        .filter_map(|text| {
            text.lines()
                .find_map(|line| line.strip_prefix(what)?.trim().parse().ok())
        })
        .collect()
}

fn loaded_programs() -> BTreeSet<u32> {
    aya::programs::loaded_programs()
        .filter_map(|program| Some(program.ok()?.id()))
        .collect()
}

fn loaded_maps() -> BTreeSet<u32> {
    aya::maps::loaded_maps()
        .filter_map(|map| Some(map.ok()?.id()))
        .collect()
}

fn ends_and_leaves_nothing(case: Case, signal: Signal) {
    let Some(scene) = Scene::begin(case.name, &[]) else {
        return;
    };
    let mut sensor = Sensor::start(case.rung);
    let programs = held(sensor.pid(), "prog_id:");
    let maps = held(sensor.pid(), "map_id:");
    assert!(
        !programs.is_empty() && !maps.is_empty(),
        "nothing is loaded: {programs:?} {maps:?}"
    );
    assert!(loaded_programs().is_superset(&programs) && loaded_maps().is_superset(&maps));
    assert!(sensor.socket.exists());

    let status = sensor.stop_within(signal, sensor::STOP);
    assert_eq!(status.code(), Some(0), "{}", sensor.log());
    assert!(!sensor.socket.exists(), "the control socket is left");
    wait::until("the kernel to free programs and maps", || {
        (loaded_programs().is_disjoint(&programs) && loaded_maps().is_disjoint(&maps)).then_some(())
    });
    drop(scene);
}

fn sigterm_ends_it_and_leaves_nothing(case: Case) {
    ends_and_leaves_nothing(case, Signal::TERM);
}

fn control_c_ends_it_and_leaves_nothing(case: Case) {
    ends_and_leaves_nothing(case, Signal::INT);
}

on_each_rung!(
    sigterm_ends_it_and_leaves_nothing,
    control_c_ends_it_and_leaves_nothing,
    the_self_test_finds_wrong_offsets,
);

/// A signal that comes before it is ready is obeyed as well.
#[test]
fn a_signal_during_start_up_ends_it() {
    let Some(_scene) = Scene::begin("a_signal_during_start_up_ends_it", &[]) else {
        return;
    };
    let mut sensor = Sensor::launch(&[]);
    wait::until("the first program", || {
        (!held(sensor.pid(), "prog_id:").is_empty()).then_some(())
    });
    let programs = held(sensor.pid(), "prog_id:");
    let status = sensor.stop_within(Signal::TERM, sensor::STOP);
    assert_eq!(status.code(), Some(0), "{status}\n{}", sensor.log());
    assert!(!sensor.socket.exists());
    wait::until("the kernel to free programs", || {
        loaded_programs().is_disjoint(&programs).then_some(())
    });
}

/// Runs a command that must end by itself soon.
#[track_caller]
fn ends_by_itself(command: &mut Command) -> Output {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut child = command.spawn().expect("run the program");
    let ended = wait::poll(wait::PATIENCE, || {
        child.try_wait().expect("wait for the program")
    });
    if ended.is_none() {
        child.kill().expect("kill the program");
    }
    let output = child.wait_with_output().expect("wait for the program");
    assert!(ended.is_some(), "{command:?} goes on: {output:?}");
    output
}

/// Runs the program to its end, which must come by itself, as a refusal with this code:
/// one sentence, nothing on standard output.
#[track_caller]
fn refuses(command: &mut Command, code: i32, naming: &str) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = ends_by_itself(command);
    let said = String::from_utf8_lossy(&stderr).into_owned();
    assert_eq!(status.code(), Some(code), "{command:?}: {said}");
    assert!(stdout.is_empty(), "{:?}", String::from_utf8_lossy(&stdout));
    let errors: Vec<&str> = said
        .lines()
        .filter(|line| line.starts_with("lineage-sensor: error: "))
        .collect();
    assert_eq!(errors.len(), 1, "{said}");
    assert!(
        errors[0].contains(naming),
        "{said:?} does not name {naming}"
    );
    assert!(
        !said.contains("panicked") && !said.contains("ready"),
        "{said}"
    );
    said
}

fn run(scene: &Scene, args: &[&str]) -> Command {
    let mut command = sensor::program();
    command
        .env(
            "LINEAGE_SENSOR__CONTROL__SOCKET",
            scene.path().join("control.sock"),
        )
        .env("LINEAGE_SENSOR__HTTP__LISTEN", "127.0.0.1:0")
        .args(["run", "--output", "json", "--no-pin"])
        .args(args);
    command
}

/// Nothing of a refused run may stay: neither in the kernel nor in the directory. What
/// other processes have loaded since is theirs.
#[track_caller]
fn leaves_nothing(scene: &Scene, before: &BTreeSet<u32>) {
    assert!(!scene.path().join("control.sock").exists());
    let left = || -> BTreeSet<u32> {
        let new: BTreeSet<u32> = loaded_programs().difference(before).copied().collect();
        let pids = process::all_pids().into_iter();
        let owned: BTreeSet<u32> = pids.flat_map(|pid| held(pid, "prog_id:")).collect();
        new.difference(&owned).copied().collect()
    };
    let gone = wait::poll(wait::PATIENCE, || left().is_empty().then_some(()));
    assert!(gone.is_some(), "left in the kernel: {:?}", left());
}

#[test]
fn without_privilege_it_refuses() {
    let Some(scene) = Scene::begin("without_privilege_it_refuses", &[]) else {
        return;
    };
    // Where it was built, nobody may not be let in.
    let copy = scene.path().join("lineage-sensor");
    fs::copy(sensor::program_path(), &copy).expect("copy the program");
    fs::set_permissions(&copy, fs::Permissions::from_mode(0o755)).expect("make it executable");
    let mut command = Command::new("setpriv");
    command
        .args(["--reuid=nobody", "--regid=nogroup", "--clear-groups"])
        .arg(&copy);
    command.args(["run", "--output", "json", "--no-pin"]);
    let said = refuses(&mut command, 77, "run as root");
    assert_eq!(said.lines().count(), 1, "{said}");

    let mut command = Command::new("setpriv");
    command.args(["--bounding-set=-bpf,-sys_admin"]).arg(&copy);
    command.args(["run", "--output", "json", "--no-pin"]);
    refuses(&mut command, 77, "CAP_BPF");
}

#[test]
fn without_btf_it_refuses() {
    let Some(scene) = Scene::begin("without_btf_it_refuses", &[]) else {
        return;
    };
    let before = loaded_programs();
    refuses(
        &mut run(&scene, &["--btf", "/nonexistent"]),
        69,
        "/nonexistent",
    );
    let garbage = scene.file("garbage", "this is no BTF");
    let garbage = garbage.to_str().expect("a temporary path is UTF-8");
    refuses(&mut run(&scene, &["--btf", garbage]), 69, garbage);
    leaves_nothing(&scene, &before);
}

#[test]
fn a_bad_configuration_is_refused() {
    let Some(scene) = Scene::begin("a_bad_configuration_is_refused", &[]) else {
        return;
    };
    for (content, naming) in [
        ("outputs: { level: high }\n", "output"),
        ("output: { level: loud }\n", "level"),
        ("output: [\n", "line"),
    ] {
        let config = scene.file("config.yaml", content);
        let config = config.to_str().expect("a temporary path is UTF-8");
        refuses(&mut run(&scene, &["--config", config]), 64, naming);
    }
    refuses(
        &mut run(&scene, &["--config", "/nonexistent.yaml"]),
        64,
        "/nonexistent.yaml",
    );
    refuses(
        run(&scene, &[]).env("LINEAGE_SENSOR__OUTPUT__LEVEL", "loud"),
        64,
        "LINEAGE_SENSOR__OUTPUT__LEVEL",
    );
}

#[test]
fn bad_rules_are_refused() {
    let Some(scene) = Scene::begin("bad_rules_are_refused", &[]) else {
        return;
    };
    let rules = scene.path().join("rules");
    scene::write(
        &rules.join("broken.yml"),
        "title: x
logsource: { category: process_creation, product: linux }
detection: { condition: nothing }
",
    );
    let rules = rules.to_str().expect("a temporary path is UTF-8");
    refuses(&mut run(&scene, &["--rules", rules]), 64, "broken.yml");
}

/// With a wrong struct offset the self-test must not pass, and must name what is wrong.
fn the_self_test_finds_wrong_offsets(case: Case) {
    let Some(scene) = Scene::begin(case.name, &[]) else {
        return;
    };
    let before = loaded_programs();
    for (wrong, naming) in [
        ("task_start=8", "start"),
        ("task_tgid=8", "pid"),
        ("inode_ino=8", "inode"),
    ] {
        let args = ["--rung", case.rung.name(), "--override-offset", wrong];
        let said = refuses(&mut run(&scene, &args), 69, naming);
        // With typed loads the verifier itself may know better.
        let typed = case.rung == Rung::TpBtf && said.contains("attach sched_process_exec");
        assert!(said.contains("self-test") || typed, "{said}");
    }
    leaves_nothing(&scene, &before);
}

#[test]
fn bad_usage_is_refused() {
    let Some(_scene) = Scene::begin("bad_usage_is_refused", &[]) else {
        return;
    };
    for args in [
        &["run", "--output", "xml"][..],
        &["run", "--rung", "fast"],
        &["dance"],
        &["run", "--scope", "galaxy"],
    ] {
        let output = sensor::program()
            .args(args)
            .output()
            .expect("run the program");
        assert_eq!(output.status.code(), Some(64), "{args:?}: {output:?}");
        assert!(
            output.stdout.is_empty() && !output.stderr.is_empty(),
            "{args:?}: {output:?}"
        );
    }
}

/// tracefs, mounted while this stands when nobody has it.
struct Tracefs(bool);

const TRACEFS: &str = "/sys/kernel/tracing";

impl Tracefs {
    fn ensure() -> Self {
        if Path::new(TRACEFS).join("events").exists() {
            return Self(false);
        }
        rustix::mount::mount("test", TRACEFS, "tracefs", MountFlags::empty(), None)
            .expect("mount tracefs");
        Self(true)
    }
}

impl Drop for Tracefs {
    fn drop(&mut self) {
        if self.0 {
            rustix::mount::unmount(TRACEFS, UnmountFlags::DETACH).expect("unmount tracefs");
        }
    }
}

/// Started as root: it keeps what it needs, in every thread, and nothing it executes gets
/// more.
#[test]
fn no_thread_has_more_capabilities_than_it_needs() {
    // CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH, CAP_SYS_PTRACE, CAP_PERFMON, CAP_BPF.
    const NEEDED: u64 = 1 << 1 | 1 << 2 | 1 << 19 | 1 << 38 | 1 << 39;
    let name = "no_thread_has_more_capabilities_than_it_needs";
    let Some(_scene) = Scene::begin(name, &[]) else {
        return;
    };
    let _tracefs = Tracefs::ensure();
    let sensor = Sensor::start(Rung::TpBtf);
    assert!(!sensor.log().contains("is not seen"), "{}", sensor.log());
    let tasks = fs::read_dir(format!("/proc/{}/task", sensor.pid())).expect("its threads");
    let mut threads = 0;
    for task in tasks {
        let status = task.expect("a thread").path().join("status");
        let text = fs::read_to_string(status).expect("a live thread");
        let field = |name: &str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            line.expect("a field").trim().to_owned()
        };
        for set in ["CapEff:", "CapPrm:", "CapBnd:"] {
            let bits = u64::from_str_radix(&field(set), 16).expect("hex digits");
            assert_eq!(bits & !NEEDED, 0, "{set} {bits:x}\n{text}");
        }
        assert_eq!(field("CapInh:"), "0000000000000000");
        assert_eq!(field("CapAmb:"), "0000000000000000");
        assert_eq!(field("NoNewPrivs:"), "1");
        threads += 1;
    }
    assert!(threads > 2, "{threads} threads");
    sensor.stop();
}
