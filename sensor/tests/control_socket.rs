//! The control socket and the program: another user is refused (needs root, to become one),
//! and a `tail` that nobody reads misses alerts and says how many.

mod recorded;

use std::{
    fs::{self, Permissions},
    io::{BufRead as _, BufReader, Read as _},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::Arc,
    thread,
};

use sensor::{
    alert::{Alert, Document},
    app::Replay,
    control::{Query, Server},
    sink::tail::Tail,
};
use serde_json::{Value, json};
use tokio::{runtime::Builder, sync::mpsc};

const NOBODY: u32 = 65_534;

fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).expect("the file is ours");
}

/// `lineage-sensor tree` as this user, from a copy that anybody may run.
fn tree(dir: &Path, uid: u32) -> Output {
    let mut command = Command::new(dir.join("lineage-sensor"));
    command.env_clear().uid(uid).args(["tree", "--json"]);
    command.env(
        "LINEAGE_SENSOR__CONTROL__SOCKET",
        dir.join("run/control.sock"),
    );
    command.output().expect("the copy starts")
}

#[test]
fn another_user_gets_no_answer() {
    if !rustix::process::geteuid().is_root() {
        println!("SKIP another_user_gets_no_answer: needs root");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (binary, run) = (dir.path().join("lineage-sensor"), dir.path().join("run"));
    fs::copy(env!("CARGO_BIN_EXE_lineage-sensor"), &binary).unwrap();
    mode(dir.path(), 0o755);
    mode(&binary, 0o755);

    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (queries, mut core) = mpsc::channel::<Query>(1);
    let server = runtime
        .block_on(async { Server::bind(&run.join("control.sock")) })
        .unwrap();
    runtime.spawn(server.serve(queries, std::future::pending()));
    runtime.spawn(async move {
        while let Some(query) = core.recv().await {
            drop(query.reply.send(json!({"services": []})));
        }
    });

    thread::spawn(move || runtime.block_on(std::future::pending::<()>()));

    assert_eq!(tree(dir.path(), 0).status.code(), Some(0));
    let output = tree(dir.path(), NOBODY);
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    // Even when file permissions have been opened, the peer's credentials decide.
    mode(&run, 0o755);
    mode(&run.join("control.sock"), 0o666);
    let output = tree(dir.path(), NOBODY);
    assert_ne!(output.status.code(), Some(0), "{output:?}");
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("not permitted"), "{error}");
    assert!(output.stdout.is_empty());
}

/// An alert of a golden recording.
fn alert() -> Alert {
    let (header, inputs) = recorded::golden("nginx-php-fpm-attack");
    let mut core = Replay::new(&header, recorded::rules()).expect("it was made here");
    let alert = inputs.into_iter().find_map(|input| {
        let mut said = core.step(input).expect("it was made here");
        said.find_map(|document| match document {
            Document::Alert(alert) => Some(alert),
            Document::Notice(_) => None,
        })
    });
    Alert::clone(&alert.expect("the attack alerts"))
}

/// Ended with the test, however that ends.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_tail_that_nobody_reads_says_how_much_it_missed() {
    const SENT: u64 = 5_000;
    let dir = tempfile::tempdir().unwrap();
    let socket = dir.path().join("control.sock");
    let runtime = Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let tail = Arc::<Tail>::default();
    let server = runtime.block_on(async { Server::bind(&socket) }).unwrap();
    let server = server.with_tail(Arc::clone(&tail));
    let (queries, _core) = mpsc::channel::<Query>(1);
    runtime.spawn(server.serve(queries, std::future::pending()));
    let base = alert();
    let send = |number: u64| {
        let mut alert = base.clone();
        alert.event.id = number.to_string();
        tail.send(&Document::Alert(Arc::new(alert)));
    };

    send(0);
    let mut command = Command::new(env!("CARGO_BIN_EXE_lineage-sensor"));
    command.args(["tail", "-n", "1", "--level", "informational"]);
    command.env("LINEAGE_SENSOR__CONTROL__SOCKET", &socket);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = Ended(command.spawn().expect("the program starts"));
    let mut lines = BufReader::new(child.0.stdout.take().unwrap()).lines();
    let mut stderr = child.0.stderr.take().unwrap();
    let said = thread::spawn(move || {
        let mut said = String::new();
        stderr.read_to_string(&mut said).map(|_| said)
    });
    let mut next = || -> u64 {
        let line = lines.next().expect("a line comes").expect("it can be read");
        let document: Value = serde_json::from_str(&line).expect("a line is JSON");
        document["event"]["id"].as_str().unwrap().parse().unwrap()
    };
    // It follows; from now on nobody reads, until all is told.
    assert_eq!(next(), 0);
    (1..SENT).for_each(send);
    let (mut told, mut shown, mut last) = (SENT, 1, 0);
    while last < SENT {
        // There is room for one more as soon as one is read.
        send(told);
        told += 1;
        let number = next();
        assert!(number > last, "{number} after {last}");
        (last, shown) = (number, shown + 1);
    }
    drop(child);
    let said = said.join().unwrap().unwrap();
    // It was ended, perhaps in the midst of a line.
    let whole = said.split_inclusive('\n').filter(|it| it.ends_with('\n'));
    let missed = whole.map(|line| {
        let (count, end) = line
            .trim_end()
            .strip_prefix("lineage-sensor: ")
            .expect("it says who it is")
            .split_once(' ')
            .unwrap();
        assert!(
            end.ends_with("not shown: this terminal was too slow"),
            "{line}"
        );
        count.parse::<u64>().unwrap()
    });
    let missed: u64 = missed.sum();
    assert!(missed > 0, "{said}");
    // What was told up to the last that is shown was shown, or counted.
    assert!(
        shown + missed > last && shown + missed <= told,
        "{shown} + {missed}, {last}"
    );
}
