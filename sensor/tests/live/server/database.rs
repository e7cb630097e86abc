//! `PostgreSQL`, `MariaDB` and Redis: silent while they are made, used and stopped; named when
//! a client makes them run a program or write where servers look for scripts.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpStream},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::Command,
};

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    daemon::{Daemon, command},
    process::succeed,
    scene::{self, Need, Scene, free_port, tool},
    stage::{Kind, SHELL, Stage, assert_is},
    wait,
};

const POSTGRES: &[Need] = &[postgres, || scene::program("psql")];
const MARIADB: &[Need] = &[
    || scene::program("mariadbd"),
    || scene::program("mariadb-install-db"),
];
const REDIS: &[Need] = &[|| scene::program("redis-server")];

/// The newest server installed.
fn postgres() -> Result<PathBuf, String> {
    let versions = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let programs = versions.filter_map(|entry| Some(entry.ok()?.path().join("bin/postgres")));
    let newest = programs.filter(|program| program.is_file()).max();
    newest.ok_or_else(|| "no program postgres".to_owned())
}

/// A command of a user who owns this directory.
fn as_user(user: &str, program: &Path, dir: &Path) -> Command {
    let (uid, gid) = scene::account(user).expect("the package made its user");
    let mut command = Command::new(program);
    command.current_dir(dir).uid(uid).gid(gid);
    command
}

fn directory_of(user: &str, scene: &Scene, name: &str) -> PathBuf {
    let path = scene.writable(name);
    let (uid, gid) = scene::account(user).expect("the package made its user");
    std::os::unix::fs::chown(&path, Some(uid), Some(gid)).expect("change an owner");
    path
}

#[test]
fn a_client_of_postgres_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::database::postgres", POSTGRES) else {
        return;
    };
    let program = postgres().expect("it was there");
    let dir = directory_of("postgres", &stage.scene, "postgres");
    let mut initdb = as_user("postgres", &program.with_file_name("initdb"), &dir);
    initdb.args(["--no-sync", "--auth=trust", "--locale=C.UTF-8"]);
    succeed(initdb.arg("--pgdata").arg(dir.join("data")));
    let port = free_port();
    let mut server = as_user("postgres", &program, &dir);
    server.arg("-D").arg(dir.join("data")).arg("-k").arg(&dir);
    server.args(["-p", &port.to_string(), "-c", "listen_addresses=127.0.0.1"]);
    server.args(["-c", "logging_collector=on"]);
    let postgres = Daemon::start(server, port, Signal::INT);
    let psql = |statements: &str| {
        let mut psql = command("psql", stage.scene.path());
        psql.args(["-h", "127.0.0.1", "-U", "postgres", "-p", &port.to_string()]);
        psql.args(["-qAt", "-v", "ON_ERROR_STOP=1", "-c", statements]);
        succeed(&mut psql)
    };
    wait::until("PostgreSQL to take clients", || {
        let log = postgres.children().len();
        (log >= 5).then_some(())
    });
    psql("CREATE TABLE t (line text); SELECT pg_rotate_logfile()");
    psql(&"INSERT INTO t SELECT generate_series(1, 100); SELECT count(*) FROM t;".repeat(50));
    psql("VACUUM t");
    postgres.process().signal(Signal::HUP);

    psql("COPY t FROM PROGRAM 'id; :'");
    let image = link(&program, &postgres.argv);
    let master = image.clone().pid(postgres.process().pid).part("master");
    let parents = [master.chain(&[&program]), image.part("worker").forked()];
    let bare = ["sh", SHELL[1], SHELL[2]];
    stage.ran_id(Kind::db("postgres"), &parents, &bare);
    drop(postgres);
    stage.end();
}

#[test]
fn a_client_of_mariadb_writes_a_script() {
    let Some(mut stage) = Stage::begin("server::database::mariadb", MARIADB) else {
        return;
    };
    let dir = directory_of("mysql", &stage.scene, "mariadb");
    let root = directory_of("mysql", &stage.scene, "public");
    let (data, socket) = (dir.join("data"), dir.join("socket"));
    let option = |name: &str, value: &Path| format!("--{name}={}", value.display());
    let mut install = command("mariadb-install-db", &dir);
    install.args(["--no-defaults", "--user=mysql", "--skip-test-db"]);
    install.arg("--auth-root-authentication-method=normal");
    succeed(install.arg(option("datadir", &data)));
    let port = free_port();
    let mut server = command("mariadbd", &dir);
    server.args(["--no-defaults", "--user=mysql", "--bind-address=127.0.0.1"]);
    server.args([option("datadir", &data), option("socket", &socket)]);
    server.args([
        option("pid-file", &dir.join("pid")),
        format!("--port={port}"),
    ]);
    let mariadb = Daemon::start(server, port, Signal::TERM);
    let sql = |statements: &str| {
        let mut client = command("mariadb", &dir);
        client.args(["--no-defaults", "--user=root", "-e", statements]);
        succeed(client.arg(option("socket", &socket)));
    };
    sql("CREATE DATABASE shop; CREATE TABLE shop.t (line text); FLUSH LOGS");
    sql(&"INSERT INTO shop.t VALUES ('a'); SELECT count(*) FROM shop.t;".repeat(100));

    let script = root.join("x.php").display().to_string();
    sql(&format!("SELECT 'dropped' INTO OUTFILE '{script}'"));
    let alert = stage.saw("database_wrote_script_or_library", |_| true);
    let server = link(tool("mariadbd"), &mariadb.argv);
    let server = server.pid(mariadb.process().pid).part("both");
    alert.assert_lineage(&[server.chain(&[tool("mariadbd")])]);
    assert_is(&alert, Kind::db("mysql"));
    assert_eq!(alert.json["file"]["path"], *script, "{alert}");
    stage.only(|other| other.json["file"]["path"] == *script);

    sql("FLUSH TABLES; FLUSH LOGS; DROP DATABASE shop");
    drop(mariadb);
    stage.end();
}

#[test]
fn a_client_of_redis_writes_a_script() {
    let Some(mut stage) = Stage::begin("server::database::redis", REDIS) else {
        return;
    };
    let dir = stage.scene.writable("redis");
    let root = stage.scene.writable("public");
    let port = free_port();
    let mut server = command("redis-server", &dir);
    server.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
    server.args(["--enable-protected-configs", "yes", "--appendonly", "yes"]);
    let redis = Daemon::start(server, port, Signal::TERM);
    say(port, &"SET a b\r\nGET a\r\n".repeat(200));
    // As long as a child saves or has not been waited for, Redis refuses another.
    let agrees = |commands: &str| {
        wait::until(commands, || {
            let answers = say(port, commands);
            (!answers.contains("-ERR")).then_some(())
        });
    };
    agrees("BGSAVE\r\n");
    agrees("BGREWRITEAOF\r\n");

    let place = root.display();
    agrees(&format!(
        "CONFIG SET dir {place}\r\nCONFIG SET dbfilename x.php\r\nSAVE\r\n"
    ));
    let alert = stage.saw("database_wrote_script_or_library", |_| true);
    let server = link(tool("redis-server"), &redis.argv);
    let server = server.pid(redis.process().pid).part("both");
    alert.assert_lineage(&[server.chain(&[tool("redis-server")])]);
    assert_is(&alert, Kind::db("redis"));
    let script = root.join("x.php").display().to_string();
    assert_eq!(alert.json["file"]["path"], *script, "{alert}");
    stage.only(|other| other.json["file"]["path"] == *script);

    // Or it would save there once more.
    say(port, "CONFIG SET dbfilename dump.rdb\r\n");
    drop(redis);
    stage.end();
}

/// Sends commands of Redis, one a line; its answers.
fn say(port: u16, commands: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("connect to Redis");
    stream
        .write_all(commands.as_bytes())
        .expect("send commands");
    stream.write_all(b"QUIT\r\n").expect("say good-bye");
    stream.shutdown(Shutdown::Write).expect("end of commands");
    let mut answers = String::new();
    stream.read_to_string(&mut answers).expect("read answers");
    answers
}
