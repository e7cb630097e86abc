//! At the terminal: `tail`, `top` and `tree --watch` beside a real sensor and real servers,
//! in pipes and on a terminal that is typed into.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, sync_channel},
    thread,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::fixture::{
    php_fpm::{Pool, Start},
    process::Process,
    scene::{Need, Scene},
    sensor::{Rung, STOP, Sensor},
    site::{self, Site},
    tmux::{self, Terminal},
    wait::{self, PATIENCE},
};

fn with_tmux() -> Vec<Need> {
    [site::NEEDS, &[tmux::program as _]].concat()
}

/// A command that runs beside, and the lines of its standard output.
struct Beside {
    child: Child,
    lines: Receiver<String>,
}

impl Beside {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("run the program");
        let stdout = child.stdout.take().expect("standard output is a pipe");
        let (sender, lines) = sync_channel(10_000);
        thread::spawn(move || {
            let lines = BufReader::new(stdout).lines().map_while(Result::ok);
            lines.for_each(|line| drop(sender.send(line)));
        });
        Self { child, lines }
    }

    #[track_caller]
    fn line(&self) -> String {
        let line = self.lines.recv_timeout(PATIENCE);
        line.expect("a line comes in time")
    }

    /// The first alert of this rule.
    #[track_caller]
    fn alert(&self, rule: &str) -> Value {
        loop {
            let document: Value = serde_json::from_str(&self.line()).expect("a line is JSON");
            if document["rule"]["id"] == rule {
                return document;
            }
        }
    }

    /// Ends it; what it has said on standard error.
    fn end(mut self) -> String {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has a pid"), Signal::TERM).expect("end the program");
        self.child.wait().expect("wait for the program");
        let mut said = String::new();
        let stderr = self
            .child
            .stderr
            .as_mut()
            .expect("standard error is a pipe");
        stderr.read_to_string(&mut said).expect("read what it said");
        said
    }
}

impl Drop for Beside {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

/// A sensor with its control socket in the scene's directory, where the next has it too.
fn sensor(socket: &Path) -> Sensor {
    let socket = socket.to_str().expect("a temporary path is UTF-8");
    let mut sensor = Sensor::launch_with(&[], &[("LINEAGE_SENSOR__CONTROL__SOCKET", socket)]);
    sensor.wait_ready();
    sensor
}

/// A command that asks whichever sensor has the socket.
fn asking(sensor: &Sensor, socket: &Path, args: &[&str]) -> Command {
    let mut command = sensor.asking(args);
    command.env("LINEAGE_SENSOR__CONTROL__SOCKET", socket);
    command
}

/// Nothing that an attacker can type may reach the terminal.
const HOSTILE: &str = ": \u{1b}[2J\u{1b}]0;owned\u{7}";

#[test]
fn a_tail_tells_what_the_sensor_tells_and_waits_for_the_next_one() {
    let name = "terminal::a_tail_tells_what_the_sensor_tells_and_waits_for_the_next_one";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let socket = scene.path().join("shared.sock");
    let mut first = sensor(&socket);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    site.shell("before.php", ": before");
    let rule = "shell_under_app_worker";
    let before = first.alert(rule, |alert| alert.args() == ["sh", "-c", ": before"]);

    // What was told before comes first, then what happens.
    let tail = Beside::start(asking(
        &first,
        &socket,
        &["tail", "-n", "5", "--rule", rule],
    ));
    assert_eq!(tail.alert(rule), before.json);
    let visit = site.shell("after.php", ": after");
    let after = tail.alert(rule);
    assert_eq!(after["process"]["args"][2], ": after");
    assert_eq!(after["lineage"][0]["pid"], site.php.master().pid);
    assert_eq!(after["lineage"][1]["pid"], visit.worker);
    let seen = first.alert(rule, |alert| alert.args() == ["sh", "-c", ": after"]);
    assert_eq!(after, seen.json);
    let other = Beside::start(asking(&first, &socket, &["tail", "--rule", "no_*"]));

    // Another sensor: the one that follows goes on.
    first.stop_within(Signal::TERM, STOP);
    let mut second = sensor(&socket);
    site.shell("again.php", ": again");
    assert_eq!(tail.alert(rule)["process"]["args"][2], ": again");
    second.alert(rule, |alert| alert.args() == ["sh", "-c", ": again"]);
    let said = tail.end();
    assert!(said.contains("has gone: waiting for it"), "{said}");
    assert!(said.contains("the sensor is back"), "{said}");
    assert!(
        other.lines.try_recv().is_err(),
        "a rule that was not asked for"
    );
    second.stop();
    let output = Command::new(env!("CARGO_BIN_EXE_lineage-sensor"))
        .args(["tail"])
        .env("LINEAGE_SENSOR__CONTROL__SOCKET", &socket)
        .output()
        .expect("run the program");
    assert_eq!(output.status.code(), Some(69), "{output:?}");
}

#[test]
fn a_tail_draws_on_a_terminal() {
    let Some(scene) = Scene::begin("terminal::a_tail_draws_on_a_terminal", &with_tmux()) else {
        return;
    };
    let sensor = Sensor::start(Rung::TpBtf);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let tail = sensor.asking(&["tail", "-n", "32"]);
    let terminal = Terminal::run(scene.path(), (120, 40), &tail);
    site.shell("x.php", HOSTILE);
    let master = format!("{} master", site.php.master().pid);
    terminal.shows(&[&master, "└─ ", "\\x1b[2J", "ATT&CK"]);
    terminal.press(&["C-c"]);
    terminal.is_given_back(130);
    sensor.stop();
}

#[test]
fn top_shows_services_and_alerts_and_leads_into_both() {
    let name = "terminal::top_shows_services_and_alerts_and_leads_into_both";
    let Some(scene) = Scene::begin(name, &with_tmux()) else {
        return;
    };
    let mut sensor = Sensor::start(Rung::TpBtf);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let php = site.php.master().pid.to_string();
    let terminal = Terminal::run(scene.path(), (120, 40), &sensor.asking(&["top"]));
    terminal.shows(&[
        "services, by alerts",
        "php-fpm",
        &php,
        "nginx",
        "last alerts",
    ]);
    let visit = site.shell("x.php", HOSTILE);
    sensor.alert("shell_under_app_worker", |alert| {
        alert.concerns(visit.worker)
    });

    // The message, with what was typed escaped; a medium alert in the row of the service.
    terminal.shows(&["php-fpm worker (pid", "\\x1b[2J"]);
    terminal.until("the alert is counted", |screen| medium(screen, &php) > 0);

    terminal.press(&["/", "p", "h", "p", "Enter"]);
    terminal.until("the filter", |it| {
        it.contains("filter: php") && !it.contains("nginx")
    });
    terminal.press(&["Enter"]);
    let (master, worker) = (format!("{php} master"), format!("{} worker", visit.worker));
    terminal.shows(&[&master, &worker, "Esc back"]);
    terminal.press(&["Escape"]);
    terminal.shows(&["last alerts"]);
    terminal.press(&["Tab", "G", "Enter"]);
    terminal.shows(&[&master, &worker, "└─ ", "triage"]);
    terminal.press(&["Escape"]);
    terminal.shows(&["last alerts"]);
    terminal.press(&["?"]);
    terminal.shows(&["keys", "the tree of a service"]);
    terminal.press(&["q"]);
    terminal.is_given_back(0);
    sensor.stop();
}

/// Medium alerts in the row of the service with this pid.
fn medium(screen: &str, pid: &str) -> u64 {
    let row = screen
        .lines()
        .find(|line| line.contains(&format!(" {pid} ")));
    let words: Vec<_> = row.unwrap_or_default().split_whitespace().rev().collect();
    // Before low and informational.
    words
        .get(2)
        .and_then(|it| it.parse().ok())
        .unwrap_or_default()
}

#[test]
fn top_outlives_sensors_and_gives_the_terminal_back() {
    let name = "terminal::top_outlives_sensors_and_gives_the_terminal_back";
    let Some(scene) = Scene::begin(name, &with_tmux()) else {
        return;
    };
    let socket: PathBuf = scene.path().join("shared.sock");
    let mut first = sensor(&socket);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let php = site.php.master().pid.to_string();
    let top = asking(&first, &socket, &["top"]);
    let terminal = Terminal::run(scene.path(), (120, 40), &top);
    terminal.shows(&["services, by alerts", &php]);
    // No size is too small, and all comes back.
    for (columns, rows) in [(20, 5), (2, 2), (80, 24)] {
        terminal.resize(columns, rows);
        let width = columns.to_string();
        terminal.until("the new size", |_| terminal.fact("pane_width") == width);
    }
    terminal.shows(&["last alerts", "php-fpm"]);

    first.stop_within(Signal::TERM, STOP);
    terminal.shows(&["the sensor has gone"]);
    let second = sensor(&socket);
    terminal.until("the next sensor", |it| {
        !it.contains("has gone") && it.contains(&php)
    });
    let shell: i32 = terminal.fact("pane_pid").parse().expect("a pid");
    let pid = wait::until("the pid of top", || child_of(shell));
    kill_process(pid, Signal::TERM).expect("end top");
    terminal.is_given_back(0);

    let output = asking(&second, &socket, &["top"])
        .output()
        .expect("run the program");
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("lineage-sensor tree --json"), "{said}");
    second.stop();
}

/// A terminal emulator that is closed takes the screen along: nothing may be left that
/// reads from a terminal that is not there.
#[test]
fn top_ends_with_its_terminal() {
    let name = "terminal::top_ends_with_its_terminal";
    let Some(scene) = Scene::begin(name, &with_tmux()) else {
        return;
    };
    let sensor = Sensor::start(Rung::TpBtf);
    let top = sensor.asking(&["top"]);
    let terminal = Terminal::run(scene.path(), (120, 40), &top);
    terminal.shows(&["services, by alerts"]);
    let shell: i32 = terminal.fact("pane_pid").parse().expect("a pid");
    let pid = wait::until("the pid of top", || child_of(shell));
    let process = Process::of(pid.as_raw_pid().cast_unsigned()).expect("top runs");
    drop(terminal);
    assert!(process.ends_within(PATIENCE), "top goes on alone");
    sensor.stop();
}

/// The only child of a process.
fn child_of(pid: i32) -> Option<Pid> {
    let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).ok()?;
    children
        .split_whitespace()
        .next()?
        .parse()
        .ok()
        .and_then(Pid::from_raw)
}

#[test]
fn a_watched_tree_marks_what_is_new() {
    let name = "terminal::a_watched_tree_marks_what_is_new";
    let Some(scene) = Scene::begin(name, &with_tmux()) else {
        return;
    };
    let sensor = Sensor::start(Rung::TpBtf);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let master = format!("{} master", site.php.master().pid);

    // In a pipe: snapshots, told apart.
    let pipe = Beside::start(sensor.asking(&["tree", "--watch=0.2"]));
    let mut snapshots = 0;
    let mut masters = 0;
    while snapshots < 3 {
        let line = pipe.line();
        snapshots += usize::from(line.starts_with("--- 2"));
        masters += usize::from(line.contains(&master));
        assert!(!line.contains('\x1b'), "{line:?}");
    }
    assert!(masters >= 2, "{masters}");
    pipe.end();
    let json = Beside::start(sensor.asking(&["tree", "--watch=0.2", "--json"]));
    for _ in 0..2 {
        let snapshot: Value = serde_json::from_str(&json.line()).expect("a line is JSON");
        assert!(
            snapshot["services"]
                .as_array()
                .is_some_and(|it| it.len() >= 2)
        );
    }
    json.end();

    let watch = sensor.asking(&["tree", "--watch=1"]);
    let terminal = Terminal::run(scene.path(), (120, 40), &watch);
    terminal.shows(&[&master, "Ctrl-C ends"]);
    assert_eq!(terminal.fact("cursor_flag"), "0");
    site.page(
        "sleep.php",
        "exec('sleep 30 > /dev/null 2>&1 & echo $!', $out); echo $out[0];",
    );
    let visit = site.visit("sleep.php");
    let sleeper: i32 = visit.output.trim().parse().expect("a pid");
    terminal.shows(&[&format!("{sleeper} (new)")]);
    terminal.until("it is not new for long", |it| {
        it.contains(&format!("{sleeper} descendant"))
    });
    terminal.resize(40, 6);
    terminal.shows(&["more lines"]);
    kill_process(Pid::from_raw(sleeper).expect("a pid"), Signal::KILL).expect("end it");
    terminal.press(&["C-c"]);
    terminal.is_given_back(0);
    sensor.stop();
}
