//! Wiring: configuration, kernel side, engine and what listens to it, from start to
//! drain. Nothing here decides anything about processes.

mod core;
mod internal;
mod link;
mod outlet;
mod profile;
mod record;
mod reload;
mod replay;
mod self_test;
mod serve;
pub(crate) mod sinks;
mod spawner;
mod start;
mod supervisor;
mod watch;

use std::time::Duration;

use tokio::{runtime, sync::mpsc};
use tracing::warn;

pub use self::{
    core::engine,
    internal::internal,
    profile::profile,
    replay::{Replay, ReplayError, replay},
};
use self::{
    reload::{Reloader, Running},
    serve::Surroundings,
    spawner::Spawner,
    start::{Started, refused},
    supervisor::Supervisor,
    watch::{Signals, Watch},
};
use crate::{
    account::Account,
    alert::Level,
    cli::{RecordArgs, RunArgs},
    config::{self, Config, Effective, OutletUser},
    control::Query,
    exit::{Exit, Failure},
    logging,
    privilege::{self, Wish},
    probe::Probe,
    redact::Key,
    sandbox::{Places, calls},
};

/// Queries that may wait for the engine.
const QUERIES: usize = 16;
/// How long what was alerted may take to be written once the sensor is told to stop:
/// with the rest of the way down, exit comes within 2 s.
const DRAIN: Duration = Duration::from_millis(1_500);

/// Runs the sensor until it is told to stop.
///
/// # Errors
/// Whatever keeps it from starting; then nothing is left attached.
pub fn run(args: &RunArgs) -> Result<(), Failure> {
    sensor(args, None)
}

/// Runs the sensor like [`run`] and writes down what its core consumes.
///
/// # Errors
/// Like [`run`]; and when the recording is not complete.
pub fn record(args: &RecordArgs) -> Result<(), Failure> {
    sensor(&args.run, Some(args))
}

fn sensor(args: &RunArgs, record: Option<&RecordArgs>) -> Result<(), Failure> {
    let effective = args.effective()?;
    logging::init(effective.config.log, effective.config.output.color.on(true))?;
    // With one thread: capabilities are a matter of each.
    let internal = |what: &str, error: std::io::Error| {
        Failure::new(Exit::Internal, format_args!("start {what}: {error}"))
    };
    let account = Account::of(&effective.config)?;
    // Later, and in the outlet, it could not.
    Places::of(&effective.config).make(account);
    if account.is_some() {
        // Before there is another user who could make it. What is wrong with it is said later.
        drop(Key::load(&effective.config.redact.key_file));
    }
    let (spawner, account) = start_spawner(&effective.config, account)?;
    shed(&effective.config);
    let runtime = runtime::Builder::new_multi_thread()
        // The engine has the main thread; HTTP and the control socket share one.
        .worker_threads(1)
        .on_thread_start(follow)
        .enable_all()
        .build()
        .map_err(|error| internal("runtime", error))?;
    let result = runtime.block_on(sense(args, &effective, record, (spawner, account)));
    // A thread that hangs in a write to a full pipe must not keep the process.
    runtime.shutdown_background();
    result
}

/// Starts the spawner; also whom the outlet runs as, which is this user when it was not
/// asked for by name and the kernel refuses.
fn start_spawner(
    config: &Config,
    account: Option<Account>,
) -> Result<(Spawner, Option<Account>), Failure> {
    match Spawner::start(account) {
        Ok(spawner) => Ok((spawner, account)),
        Err(failure) if account.is_some() && config.outlet.user == OutletUser::Auto => {
            warn!("the outlet runs as the user of the sensor: {failure}");
            Ok((Spawner::start(None)?, None))
        }
        Err(failure) => Err(failure),
    }
}

/// Gives up capabilities that are not needed.
fn shed(config: &Config) {
    let http = &config.http;
    let wish = Wish {
        mount: config.capture.files && !Probe::has_tracefs(),
        low_port: http.low_port().is_some(),
    };
    if let Err(error) = privilege::shed(wish) {
        warn!(
            "give up capabilities that are not needed: {error}; the sensor keeps them. Allow \
             capset(2) in its filter of system calls, or grant no more than README names"
        );
    }
}

/// Gives up for this thread what was given up once the hooks were attached.
fn follow() {
    if let Err(error) = privilege::follow() {
        warn!("a thread keeps the capabilities that attaching wanted: {error}");
    }
}

async fn sense(
    args: &RunArgs,
    effective: &Effective,
    record: Option<&RecordArgs>,
    (spawner, account): (Spawner, Option<Account>),
) -> Result<(), Failure> {
    // Before they are read: what changes while the sensor starts is taken up then.
    let seen = reload::seen(effective);
    // Before anything that would have to be cleaned up.
    let signals = Signals::new()
        .map_err(|error| Failure::new(Exit::Internal, format_args!("signals: {error}")))?;
    Probe::check_privilege().map_err(|error| refused(&error))?;
    let (query_tx, query_rx) = mpsc::channel::<Query>(QUERIES);
    // Sockets first, hooks last: what fails early leaves nothing attached.
    let surroundings = Surroundings::open(effective, query_tx, spawner.clone()).await?;
    let result = match Started::new(args, effective, record) {
        Ok(started) => {
            // The worker was there before.
            drop(tokio::spawn(async { follow() }).await);
            let link = surroundings.link();
            let running = Running {
                effective: effective.clone(),
                hash: started.hash.clone(),
                seen,
                missing: started.missing.iter().map(|(hook, _)| *hook).collect(),
                prepare: Box::new(move |config| {
                    // An outlet that cannot start would end the sensor.
                    let closed = account.and_then(|it| Places::refusal(config, it));
                    closed.map_or_else(
                        || link.prepare(config),
                        |why| Err(Failure::new(Exit::Usage, why)),
                    )
                }),
            };
            match Reloader::start(args.clone(), running) {
                Ok(reloader) => {
                    let helpers = (reloader, spawner);
                    let observe = observe(started, query_rx, signals, helpers, &surroundings);
                    Box::pin(observe).await
                }
                Err(error) => Err(Failure::new(
                    Exit::Internal,
                    format_args!("start the thread that reloads: {error}"),
                )),
            }
        }
        Err(failure) => Err(failure),
    };
    surroundings.close(DRAIN).await;
    result
}

/// From the last hook attached to the last one detached.
async fn observe(
    started: Started,
    queries: mpsc::Receiver<Query>,
    signals: Signals,
    helpers: (Reloader, Spawner),
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    surroundings.observe(&started);
    let supervisor = Supervisor::new();
    if let Err(error) = calls::collector() {
        warn!(
            "the collector's system calls are not filtered: {error}; allow seccomp(2) in the filter \
             of system calls that the sensor is started with"
        );
    }
    Watch::new(
        started,
        queries,
        (signals, supervisor),
        helpers,
        surroundings,
    )?
    .run()
    .await
}

/// The least level that is written.
pub(crate) const fn level(level: config::Level) -> Level {
    match level {
        config::Level::Informational => Level::Informational,
        config::Level::Low => Level::Low,
        config::Level::Medium => Level::Medium,
        config::Level::High => Level::High,
        config::Level::Critical => Level::Critical,
    }
}
