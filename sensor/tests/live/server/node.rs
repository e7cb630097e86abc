//! Node.js, alone and as a cluster.

use std::fs;

use rustix::process::Signal;

use crate::fixture::{
    alert::link,
    daemon::{Daemon, command},
    scene::{self, Need, free_port, tool},
    stage::{Kind, SHELL, Stage},
};

const NODE: &[Need] = &[|| scene::program("node")];

const SHOP: &str = "
const http = require('http'), { exec } = require('child_process');
http.createServer((request, response) => {
    const answer = (output) => response.end(`${process.pid}\\n${output}`);
    if (request.url !== '/id') answer('pong');
    else exec('id; :', (error, output) => answer(output));
}).listen(process.argv[2], '127.0.0.1');
";
/// SIGHUP replaces the workers one after another, as process managers do.
const CLUSTER: &str = "
const cluster = require('cluster');
if (cluster.isPrimary) {
    cluster.fork(); cluster.fork();
    process.on('SIGHUP', () => {
        for (const old of Object.values(cluster.workers))
            cluster.fork().on('listening', () => old.disconnect());
    });
} else require('./shop.js');
";

#[test]
fn a_handler_of_node_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::node::single", NODE) else {
        return;
    };
    let node = start(&stage, "shop.js");
    node.load("/");
    stage.server_runs_id(Kind::app("node"), &node, "node", &SHELL);
    node.load("/");
    drop(node);
    stage.end();
}

#[test]
fn a_worker_of_a_node_cluster_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::node::cluster", NODE) else {
        return;
    };
    let node = start(&stage, "cluster.js");
    node.load("/");
    node.reload(Signal::HUP);
    let (worker, output) = node.visit("/id");
    assert!(output.contains("uid="), "{output}");
    let image = tool("node");
    let primary = link(&image, &node.argv).pid(node.process().pid);
    // Exec'ed anew, with the script's full path.
    let worker = link(&image, &[""; 0]).titled(&node.argv[0]).pid(worker);
    let worker = worker.provenance("observed").part("worker");
    let primary = primary.part("master").chain(&[&image]);
    let parents = [primary, worker.chain(&[&image])];
    stage.ran_id(Kind::app("node"), &parents, &SHELL);
    node.load("/");
    drop(node);
    stage.end();
}

fn start(stage: &Stage, script: &str) -> Daemon {
    let dir = stage.scene.writable("shop");
    fs::write(dir.join("shop.js"), SHOP).expect("write an application");
    fs::write(dir.join("cluster.js"), CLUSTER).expect("write an application");
    let port = free_port();
    let mut node = command("node", &dir);
    node.args([script, &port.to_string()]);
    Daemon::start(node, port, Signal::TERM)
}
