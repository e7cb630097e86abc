//! Wiring: configuration, kernel side, engine and what listens to it, from start to
//! drain. Nothing here decides anything about processes.

use std::{io::Write as _, time::Duration};

use tokio::{
    runtime,
    signal::unix::{SignalKind, signal},
    sync::mpsc,
    time::{MissedTickBehavior, interval},
};
use tracing::{info, warn};

use crate::{
    cli::{RunArgs, Rung as Wanted},
    clock,
    config::{Effective, Scope},
    control::{Query, Server},
    detect::{Detector, Fact, Request, RuleSet},
    engine::{Engine, Input, Output},
    enrich,
    event::{Event, Lost},
    exit::{Exit, Failure},
    host, logging,
    probe::{Attached, KERNEL_BTF, Options, Override, Probe, ProbeError, Rung},
    ring::{AsyncRing, Read},
    service::{self, Catalogue, Verdict},
    tree::{self, Tree},
};

/// How often the ring is looked at without a wake-up, and time passes for the engine.
const TICK: Duration = Duration::from_millis(100);
/// Records taken from the ring before others get a turn.
const BATCH: usize = 4_096;

/// Runs the sensor until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting; then nothing is left attached.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    let effective = args.effective()?;
    logging::init(effective.config.log, true)?;
    let runtime = runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format_args!("start runtime: {error}")))?;
    runtime.block_on(watch(args, &effective))
}

async fn watch(args: &RunArgs, effective: &Effective) -> Result<(), Failure> {
    let config = &effective.config;
    let host_scope = config.scope == Scope::Host;
    let directories: Vec<_> = effective.rule_directories().into_iter().filter(|d| d.required || d.path.exists()).map(|d| d.path).collect();
    let rules = RuleSet::load(directories.first().map(std::path::PathBuf::as_path))
        .map_err(|error| Failure::new(Exit::Usage, error))?;
    let host = host::gather();
    let catalogue = Catalogue::new(&config.services.java.main_classes);
    let server = Server::bind(&config.control.socket).map_err(|error| Failure::new(Exit::Usage, error))?;
    let mut probe = Probe::start(&options(args, host_scope)).map_err(|e| failure(&e))?;
    probe.self_test().map_err(|e| failure(&e))?;
    let names: Vec<_> = service::names().collect();
    let is_server = |program: &crate::event::Program| match catalogue.decide(program) {
        Verdict::Server(_) => Some(names.first().map_or(0, |n| n.1)),
        Verdict::NotServer => None,
    };
    let seed = probe.seed(host_scope, &is_server).map_err(|e| failure(&e))?;
    let mut limits = tree::Limits::default();
    limits.grace_ns = u64::from(config.limits.exited_grace_seconds.get()) * 1_000_000_000;
    let tree = Tree::new(limits, if host_scope { tree::Scope::Host } else { tree::Scope::Services }, catalogue);
    let mut engine = Engine::new(tree, Detector::new(rules, host.users.clone().into()), host);
    let (requests, mut facts) = enrich::start().map_err(|e| Failure::new(Exit::Internal, e))?;
    let mut out = Vec::new();
    engine.step(Input::Fact(Fact::Shells(enrich::installed_shells())), &mut out);
    let hooks = probe.hooks().iter().map(|h| format!("{} {}", h.name, h.rung)).collect::<Vec<_>>().join(", ");
    let (ring, mut attached) = probe.split();
    engine.step(Input::Snapshot(seed.snapshot), &mut out);
    for read in seed.backlog {
        if let Read::Event(event, _) = read { engine.step(Input::Event(event), &mut out); }
    }
    let mut ring = ring.into_async().map_err(|e| Failure::new(Exit::Internal, e))?;
    deliver(&mut out, &mut attached, &requests);
    info!(target: logging::READY, "ready: {hooks}");
    let (query_tx, mut queries) = mpsc::channel::<Query>(16);
    let (stop_tx, stop_rx) = tokio::sync::oneshot::channel::<()>();
    let control = tokio::spawn(server.serve(query_tx, async { let _ = stop_rx.await; }));
    let mut term = signal(SignalKind::terminate()).map_err(|e| Failure::new(Exit::Internal, e))?;
    let mut int = signal(SignalKind::interrupt()).map_err(|e| Failure::new(Exit::Internal, e))?;
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = term.recv() => break,
            _ = int.recv() => break,
            Some(fact) = facts.recv() => engine.step(Input::Fact(fact), &mut out),
            Some(query) = queries.recv() => engine.step(Input::Query(query), &mut out),
            _ = tick.tick() => { engine.step(Input::Tick(clock::boottime_ns()), &mut out); take(&mut ring, &mut engine, &mut out); }
            _ = ring.readable() => take(&mut ring, &mut engine, &mut out),
        }
        deliver(&mut out, &mut attached, &requests);
    }
    drop(attached);
    take(&mut ring, &mut engine, &mut out);
    let _ = stop_tx.send(());
    let _ = control.await;
    Ok(())
}

fn take(ring: &mut AsyncRing, engine: &mut Engine, out: &mut Vec<Output>) {
    for _ in 0..BATCH {
        let more = ring.next(|read| match read {
            Read::Event(event, lost) => {
                if let Some(lost) = lost { engine.step(Input::Event(Event::Lost(lost)), out); }
                engine.step(Input::Event(event), out);
            }
            Read::Malformed(error) => warn!("{error}"),
        });
        if !more { break }
    }
}

fn deliver(out: &mut Vec<Output>, attached: &mut Attached, requests: &mpsc::Sender<Request>) {
    for output in out.drain(..) {
        match output {
            Output::Alert(alert) => { let mut o = std::io::stdout().lock(); let _ = writeln!(o, "{}", alert.to_json()); let _ = o.flush(); }
            Output::Started(service) => info!("service {} pid {}", service.kind.name(), service.id.tgid),
            Output::Retired(root) => if let Err(error) = attached.retire(root) { warn!("{error}") },
            Output::Request(request) => { let _ = requests.try_send(request); }
        }
    }
}

fn options(args: &RunArgs, host_scope: bool) -> Options {
    Options {
        btf: args.btf.btf.clone().unwrap_or_else(|| KERNEL_BTF.into()),
        host_scope,
        rung: match args.rung { Wanted::Auto => None, Wanted::TpBtf => Some(Rung::TpBtf), Wanted::RawTp => Some(Rung::RawTp) },
        overrides: args.override_offset.iter().map(|(name, value)| Override { name: name.clone(), value: *value }).collect(),
        names: service::names().collect(),
        log: None,
    }
}

fn failure(error: &ProbeError) -> Failure {
    let code = if error.is_privilege() { Exit::Privilege } else if error.is_usage() { Exit::Usage } else { Exit::Unavailable };
    Failure::new(code, error)
}
