//! Puma as a cluster, and a Ruby program that listens.

use std::fs;

use rustix::process::Signal;

use crate::fixture::{
    daemon::{Daemon, command},
    http,
    scene::{self, Need, free_port},
    stage::{Kind, SHELL, Stage},
    wait,
};

const RUBY: &[Need] = &[|| scene::program("ruby")];
const PUMA: &[Need] = &[|| scene::program("ruby"), || scene::program("puma")];

const RACK: &str = "
run(lambda do |env|
  output = env['PATH_INFO'] == '/id' ? `id; :` : 'pong'
  [200, {}, [\"#{Process.pid}\\n#{output}\"]]
end)
";
const LISTENER: &str = "
require 'socket'
server = TCPServer.new('127.0.0.1', ARGV[0].to_i)
loop do
  client = server.accept
  line = client.gets
  while (header = client.gets) && header != \"\\r\\n\"; end if line
  output = line.to_s.start_with?('GET /id ') ? `id; :` : 'pong'
  client.write \"HTTP/1.0 200 OK\\r\\n\\r\\n#{Process.pid}\\n#{output}\"
  client.close
rescue SystemCallError
end
";
/// Ruby's own name for the shell.
const BARE: [&str; 3] = ["sh", SHELL[1], SHELL[2]];

#[test]
fn a_handler_of_puma_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::ruby::puma", PUMA) else {
        return;
    };
    let dir = stage.scene.writable("shop");
    fs::write(dir.join("config.ru"), RACK).expect("write an application");
    let port = free_port();
    let mut puma = command("puma", &dir);
    puma.args(["-w", "2", "-e", "production", "-b"]);
    puma.arg(format!("tcp://127.0.0.1:{port}"));
    let puma = Daemon::start(puma, port, Signal::TERM).interpreted_by(&["/usr/bin/ruby"]);
    wait::until("an answer of a worker", || http::get(port, "/").ok());
    puma.load("/");
    // A phased restart.
    puma.reload(Signal::USR1);

    stage.worker_runs_id(Kind::app("puma"), &puma, "ruby", &BARE);
    drop(puma);
    stage.end();
}

#[test]
fn a_ruby_program_that_listens_runs_a_shell() {
    let Some(mut stage) = Stage::begin("server::ruby::listener", RUBY) else {
        return;
    };
    let script = stage.scene.file("listener.rb", LISTENER);
    let port = free_port();
    let mut ruby = command("ruby", stage.scene.path());
    ruby.arg(script).arg(port.to_string());
    let ruby = Daemon::start(ruby, port, Signal::TERM);
    ruby.load("/");
    stage.server_runs_id(Kind::app("ruby"), &ruby, "ruby", &BARE);
    drop(ruby);
    stage.end();
}
