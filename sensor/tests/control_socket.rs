//! The control socket against another user. Needs root, to become one.

use std::{
    fs::{self, Permissions},
    os::unix::{fs::PermissionsExt as _, process::CommandExt as _},
    path::Path,
    process::{Command, Output},
};

use sensor::control::{Query, Server};
use serde_json::json;
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

    std::thread::spawn(move || runtime.block_on(std::future::pending::<()>()));

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
