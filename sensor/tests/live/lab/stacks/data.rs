//! Databases.

use std::{
    fs,
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use super::{Stack, Stacks};
use crate::fixture::{
    daemon::{Daemon, command},
    process::succeed,
    scene::{self, free_port},
    wait,
};

/// The newest server installed.
pub(crate) fn postgres_program() -> Result<PathBuf, String> {
    let versions = fs::read_dir("/usr/lib/postgresql");
    let versions = versions.into_iter().flatten();
    let programs = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin/postgres")));
    let newest = programs.filter(|program| program.is_file()).max();
    newest.ok_or_else(|| "no program postgres".to_owned())
}

/// A command as a user, with none of this test's variables.
pub(crate) fn as_user(user: &str, program: &Path, dir: &Path) -> Command {
    let (uid, gid) = scene::account(user).expect("the package made its user");
    let mut command = Command::new(program);
    command.current_dir(dir).uid(uid).gid(gid).env_clear();
    command.env("PATH", "/usr/bin:/bin").env("LANG", "C.UTF-8");
    command
}

/// A directory that belongs to this user.
pub(crate) fn directory_of(user: &str, stacks: &Stacks, name: &str) -> PathBuf {
    let path = stacks.place(name);
    let (uid, gid) = scene::account(user).expect("the package made its user");
    std::os::unix::fs::chown(&path, Some(uid), Some(gid)).expect("change an owner");
    path
}

pub(super) fn postgres(stacks: &Stacks) -> Daemon {
    let program = postgres_program().expect("PostgreSQL is installed");
    let dir = directory_of("postgres", stacks, "postgres");
    let mut initdb = as_user("postgres", &program.with_file_name("initdb"), &dir);
    initdb.args(["--no-sync", "--auth=trust", "--locale=C.UTF-8"]);
    succeed(initdb.arg("--pgdata").arg(dir.join("data")));
    // An empty command: what is to be archived waits for one.
    let config = dir.join("data/postgresql.auto.conf");
    fs::write(config, "archive_mode = on\n").expect("configure");
    let port = free_port();
    let mut server = as_user("postgres", &program, &dir);
    server.arg("-D").arg(dir.join("data")).arg("-k").arg(&dir);
    server.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    server.args(["-c", "logging_collector=on"]);
    let postgres = Daemon::start(server, port, Signal::INT);
    wait::until("PostgreSQL to take clients", || {
        (postgres.children().len() >= 5).then_some(())
    });
    psql(stacks, port, "CREATE TABLE t (line text)");
    postgres
}

pub(super) fn mariadb(stacks: &Stacks) -> Daemon {
    let dir = directory_of("mysql", stacks, "mariadb");
    directory_of("mysql", stacks, "mariadb/public");
    directory_of("mysql", stacks, "mariadb/plugin");
    let option = |name: &str, value: PathBuf| format!("--{name}={}", value.display());
    let data = option("datadir", dir.join("data"));
    let mut install = command("mariadb-install-db", &dir);
    install.args(["--no-defaults", "--user=mysql", "--skip-test-db", &data]);
    succeed(install.arg("--auth-root-authentication-method=normal"));
    let port = free_port();
    let mut server = command("mariadbd", &dir);
    server.args(["--no-defaults", "--user=mysql", "--bind-address=127.0.0.1"]);
    server.args([data, option("socket", dir.join("socket"))]);
    server.args([
        option("pid-file", dir.join("pid")),
        format!("--port={port}"),
    ]);
    server.arg(option("plugin-dir", dir.join("plugin")));
    let mariadb = Daemon::start(server, port, Signal::TERM);
    sql(
        stacks,
        "CREATE DATABASE shop; CREATE TABLE shop.t (line text)",
    );
    mariadb
}

pub(super) fn redis(stacks: &Stacks) -> Daemon {
    let dir = stacks.writable("redis");
    stacks.writable("redis/public");
    let port = free_port();
    let mut server = command("redis-server", &dir);
    server.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    server.args(["--enable-protected-configs", "yes", "--appendonly", "yes"]);
    Daemon::start(server, port, Signal::TERM)
}

/// Statements for `PostgreSQL`.
pub(crate) fn psql(stacks: &Stacks, port: u16, statements: &str) {
    let mut psql = command("psql", &stacks.place("clients"));
    psql.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()]);
    psql.args(["-qAt", "-v", "ON_ERROR_STOP=1", "-c", statements]);
    succeed(&mut psql);
}

/// Statements for `MariaDB`.
pub(crate) fn sql(stacks: &Stacks, statements: &str) {
    let mut client = command("mariadb", &stacks.place("clients"));
    client.args(["--no-defaults", "--user=root", "-e", statements]);
    let socket = stacks.place("mariadb").join("socket");
    succeed(client.arg(format!("--socket={}", socket.display())));
}

/// Commands for Redis, one a line, until none is refused: as long as a child saves or has
/// not been waited for, Redis takes no other.
pub(crate) fn redis_agrees(stacks: &Stacks, commands: &str) {
    let port = stacks.port(Stack::Redis);
    wait::until(commands, || {
        let answers = say(port, commands);
        (!answers.contains("-ERR")).then_some(())
    });
}

/// Sends commands; the answers.
fn say(port: u16, commands: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect to Redis");
    let sent = stream.write_all(commands.as_bytes());
    sent.and_then(|()| stream.write_all(b"\r\nQUIT\r\n"))
        .expect("send commands");
    stream.shutdown(Shutdown::Write).expect("end of commands");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("read answers");
    answers
}
