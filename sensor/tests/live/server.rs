//! Servers other than nginx and php-fpm: Apache with `mod_php` and Java on each rung,
//! the others in modules of their own. Each of those is silent until it is attacked.

mod cgi;
mod container;
mod database;
mod declared;
mod deploy;
mod edge;
mod file;
mod image;
mod jvm;
mod node;
mod php;
mod pod;
mod python;
mod ruby;

use std::path::PathBuf;

use crate::fixture::{
    alert::link,
    apache::{self, Apache},
    java::{self, Shop},
    process::Process,
    scene::{self, Case, Need, Scene, tool},
    sensor::Sensor,
    site,
};

const APACHE: &[Need] = &[apache::program, apache::php_module];
const JAVA: &[Need] = &[java::program, java::compiler];

fn a_page_of_an_observed_apache_runs_id(case: Case) {
    let Some(scene) = Scene::begin(case.name, APACHE) else {
        return;
    };
    let sensor = Sensor::start(case.rung);
    let apache = Apache::start(scene.path());
    apache_runs_id(&apache, sensor, true);
}

fn a_page_of_a_scanned_apache_runs_id(case: Case) {
    let Some(scene) = Scene::begin(case.name, APACHE) else {
        return;
    };
    let apache = Apache::start(scene.path());
    let sensor = Sensor::start(case.rung);
    apache_runs_id(&apache, sensor, false);
}

fn apache_runs_id(apache: &Apache, mut sensor: Sensor, observed: bool) {
    let page = apache.root.join("gallery/id.php");
    site::page(&page, "system('id; :');");
    let visit = site::visit(apache.port, "gallery/id.php");
    assert!(visit.output.contains("(www-data)"), "{visit:?}");
    let alert = sensor.alert("recon_tool_under_service", |alert| {
        alert.concerns(visit.worker) && alert.args() == ["id"]
    });

    let image = link(tool("apache2"), &apache.argv);
    let master = image.clone().pid(apache.master().pid).part("master");
    let worker = image.clone().pid(visit.worker).part("worker").forked();
    let mut expected = if observed {
        // The program that forked the daemon is the root.
        vec![
            image.part("master").chain(&[tool("apache2")]),
            master.forked(),
            worker,
        ]
    } else {
        vec![master.scanned(), worker.scanned()]
    };
    expected.push(link(tool("sh"), &["sh", "-c", "id; :"]).chain(&[tool("sh")]));
    expected.push(link(tool("id"), &["id"]).chain(&[tool("id")]));
    alert.assert_lineage(&expected);
    assert_eq!(alert.service(), "apache");
    assert_eq!(
        alert.working_directory(),
        page.parent()
            .expect("a page has a directory")
            .to_string_lossy()
    );

    // Nothing that Apache does for itself, its log writers for a start, was an alert.
    let worker_only = |pids: Vec<u32>| pids.contains(&visit.worker);
    for alert in sensor.stop() {
        assert!(
            worker_only(alert.lineage().iter().map(|link| link.pid()).collect()),
            "{alert}"
        );
    }
}

fn an_observed_java_server_runs_id(case: Case) {
    let Some(scene) = Scene::begin(case.name, JAVA) else {
        return;
    };
    let classes = java::compile(scene.path());
    let sensor = Sensor::start(case.rung);
    let shop = Shop::start(scene.path(), &classes);
    java_runs_programs(&scene, &shop, sensor, true);
}

fn a_scanned_java_server_runs_id(case: Case) {
    let Some(scene) = Scene::begin(case.name, JAVA) else {
        return;
    };
    let classes = java::compile(scene.path());
    let shop = Shop::start(scene.path(), &classes);
    let sensor = Sensor::start(case.rung);
    java_runs_programs(&scene, &shop, sensor, false);
}

fn java_runs_programs(scene: &Scene, shop: &Shop, mut sensor: Sensor, observed: bool) {
    let java = link(tool("java"), &shop.argv)
        .pid(shop.process().pid)
        .part("both");
    let java = java.chain(&[tool("java")]);
    let java = if observed { java } else { java.scanned() };

    assert!(shop.get("/id").body.contains("uid="));
    let alert = sensor.alert("recon_tool_under_service", |alert| {
        alert.concerns(shop.process().pid) && alert.args() == ["id"]
    });
    let id = link(tool("id"), &["id"])
        .part("descendant")
        .chain(&[helper(), tool("id")]);
    alert.assert_lineage(&[java.clone(), id]);
    assert_eq!(alert.service(), "java");
    assert_eq!(alert.working_directory(), scene.path().to_string_lossy());

    shop.get("/shell/order-7");
    let args = ["sh", "-c", ": order-7"];
    let alert = sensor.alert("shell_under_app_worker", |alert| alert.args() == args);
    let shell = link(tool("sh"), &args)
        .part("descendant")
        .chain(&[helper(), tool("sh")]);
    alert.assert_lineage(&[java, shell]);
    for alert in sensor.stop() {
        assert_ne!(alert.executable(), helper().to_string_lossy(), "{alert}");
    }
}

/// What the JVM goes through to start a program.
fn helper() -> PathBuf {
    let bin = tool("java")
        .parent()
        .expect("a program is in a directory")
        .to_owned();
    bin.join("../lib/jspawnhelper")
        .canonicalize()
        .expect("the JDK has its helper")
}

on_each_rung!(
    a_page_of_an_observed_apache_runs_id,
    a_page_of_a_scanned_apache_runs_id,
    an_observed_java_server_runs_id,
    a_scanned_java_server_runs_id,
);

/// The fixture finds the processes it means to.
#[test]
fn the_java_fixture_is_the_jvm_itself() {
    let Some(scene) = Scene::begin("the_java_fixture_is_the_jvm_itself", JAVA) else {
        return;
    };
    let classes = java::compile(scene.path());
    let shop = Shop::start_by_script(scene.path(), &classes);
    assert_eq!(shop.process().executable(), scene::program("java").ok());
    assert_eq!(Process::of(shop.process().pid), Some(shop.process()));
}
