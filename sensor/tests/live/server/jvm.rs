//! Tomcat with pages, and `java -jar` as frameworks pack themselves.

use std::{fs, process::Command};

use rustix::process::Signal;

use crate::fixture::{
    alert::{Link, link},
    daemon::{Daemon, command},
    http, java,
    process::succeed,
    scene::{self, Need, free_port, tool},
    stage::{Kind, SHELL, Stage, assert_is},
    tomcat::{self, Tomcat},
    wait,
};

const TOMCAT: &[Need] = &[java::program, tomcat::program];
const JAR: &[Need] = &[java::program, java::compiler, || scene::program("jar")];

const PING: &str = "<%= ProcessHandle.current().pid() + \"\\n\" %>pong";
const ID: &str = "<%= ProcessHandle.current().pid() + \"\\n\" + new String(new ProcessBuilder(\
\"/bin/sh\", \"-c\", \"id; :\").start().getInputStream().readAllBytes()) %>";
/// A page that accepts what is uploaded: a page, an archive.
const DROP: &str = "<% java.nio.file.Path root = java.nio.file.Path.of(application.getRealPath(\"/\"));
java.nio.file.Files.writeString(root.resolve(\"x.jsp\"), \"dropped\");
java.nio.file.Path part = java.nio.file.Files.createTempFile(\"upload\", \".tmp\");
java.nio.file.Files.write(part, new byte[] {80, 75, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0});
java.nio.file.Files.move(part, root.resolveSibling(\"y.war\")); %>ok";

fn server(daemon: &Daemon) -> Link {
    // What `catalina.sh` makes of its variables is its own affair.
    let image = link(tool("java"), &[""; 0]).titled("/");
    let image = image.provenance("observed").part("both");
    image.pid(daemon.process().pid)
}

#[test]
fn a_page_of_tomcat_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::jvm::tomcat", TOMCAT) else {
        return;
    };
    let tomcat = Tomcat::start(&stage.scene, &[("ping.jsp", PING), ("id.jsp", ID)]);
    tomcat.daemon.load("/ping.jsp");
    // A new version of a page, by an administrator: compiled anew.
    scene::write(&tomcat.webapps.join("ROOT/new.jsp"), PING);
    tomcat.daemon.visit("/new.jsp");
    let (_, output) = tomcat.daemon.visit("/id.jsp");
    assert!(output.contains("uid="), "{output}");
    stage.ran_id(Kind::app("java"), &[server(&tomcat.daemon)], &SHELL);
    drop(tomcat);
    stage.end();
}

#[test]
fn a_page_of_tomcat_drops_a_page_and_an_archive() {
    let Some(mut stage) = Stage::begin("server::jvm::tomcat_files", TOMCAT) else {
        return;
    };
    let tomcat = Tomcat::start(&stage.scene, &[("drop.jsp", DROP)]);
    assert!(http::get(tomcat.daemon.port, "/drop.jsp").is_ok_and(|page| page.body.contains("ok")));
    for dropped in ["ROOT/x.jsp", "y.war"] {
        let path = tomcat.webapps.join(dropped).display().to_string();
        let alert = stage.saw("java_page_deployed", |alert| {
            alert.json["file"]["path"] == *path
        });
        alert.assert_lineage(&[server(&tomcat.daemon)]);
        assert_is(&alert, Kind::app("java"));
    }
    let pid = tomcat.daemon.process().pid;
    stage.only(|alert| alert.pid() == pid && alert.json.get("file").is_some());
    drop(tomcat);
    stage.end();
}

/// Administrators copy an archive into the directory; Tomcat unpacks static files.
#[test]
fn an_archive_of_an_administrator_is_silent() {
    let Some(stage) = Stage::begin("server::jvm::tomcat_deploy", TOMCAT) else {
        return;
    };
    let tomcat = Tomcat::start(&stage.scene, &[("ping.jsp", PING)]);
    let page = stage.scene.file("app/index.html", "shop");
    let archive = stage.scene.path().join("shop.war");
    let mut jar = Command::new(tool("jar"));
    jar.arg("-cf").arg(&archive).arg("-C");
    succeed(
        jar.arg(page.parent().expect("a directory"))
            .arg("index.html"),
    );
    succeed(Command::new("cp").arg(&archive).arg(&tomcat.webapps));
    wait::until("the application of the archive", || {
        let page = http::get(tomcat.daemon.port, "/shop/index.html");
        page.is_ok_and(|page| page.status == 200).then_some(())
    });
    fs::remove_file(tomcat.webapps.join("shop.war")).expect("remove an archive");
    wait::until("its removal", || {
        let gone = !tomcat.webapps.join("shop").exists();
        gone.then_some(())
    });
    drop(tomcat);
    stage.end();
}

/// What Spring Boot is to the kernel: `java -jar application.jar --server.port=...`.
#[test]
fn a_jar_that_listens_runs_id() {
    let Some(mut stage) = Stage::begin("server::jvm::jar", JAR) else {
        return;
    };
    let classes = java::compile(stage.scene.path());
    let jar = stage.scene.path().join("shop-1.0.jar");
    let mut pack = Command::new(tool("jar"));
    pack.arg("-cfe").arg(&jar).args(["Shop", "-C"]);
    succeed(pack.arg(&classes).arg("."));
    let port = free_port();
    let mut shop = command("java", stage.scene.path());
    shop.args(java::QUICK).arg("-jar").arg(&jar);
    shop.args([port.to_string(), format!("--server.port={port}")]);
    let shop = Daemon::start(shop, port, Signal::TERM);
    shop.load("/ping");
    assert!(http::get(port, "/id").is_ok_and(|answer| answer.body.contains("uid=")));
    let alert = stage.saw("recon_tool_under_service", |alert| alert.args() == ["id"]);
    let java = link(tool("java"), &shop.argv).pid(shop.process().pid);
    let id = link(tool("id"), &["id"]).part("descendant");
    alert.assert_lineage(&[java.part("both").chain(&[tool("java")]), id]);
    assert_is(&alert, Kind::app("java"));
    stage.only(|other| other.pid() == alert.pid());
    drop(shop);
    stage.end();
}
