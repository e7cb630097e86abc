//! Wiring: configuration, kernel side, engine and what listens to it, from start to
//! drain. Nothing here decides anything about processes.

mod serve;
mod start;
mod watch;

use std::time::Duration;

use tokio::{runtime, sync::mpsc};

use self::{serve::Surroundings, start::Started, watch::Watch};
use crate::{
    cli::RunArgs,
    config::Effective,
    control::Query,
    exit::{Exit, Failure},
    logging,
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
    let effective = args.effective()?;
    logging::init(effective.config.log, effective.config.output.color.on(true))?;
    let runtime = runtime::Builder::new_multi_thread()
        // The engine has the main thread; HTTP and the control socket share one.
        .worker_threads(1)
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Internal, format_args!("start runtime: {error}")))?;
    let result = runtime.block_on(sense(args, &effective));
    // A thread that hangs in a write to a full pipe must not keep the process.
    runtime.shutdown_background();
    result
}

async fn sense(args: &RunArgs, effective: &Effective) -> Result<(), Failure> {
    let (query_tx, query_rx) = mpsc::channel::<Query>(QUERIES);
    // Sockets first, hooks last: what fails early leaves nothing attached.
    let surroundings = Surroundings::open(effective, query_tx).await?;
    let result = observe(args, effective, query_rx, &surroundings).await;
    surroundings.close(DRAIN).await;
    result
}

/// From the first hook attached to the last one detached.
async fn observe(
    args: &RunArgs,
    effective: &Effective,
    queries: mpsc::Receiver<Query>,
    surroundings: &Surroundings,
) -> Result<(), Failure> {
    let started = Started::new(args, effective)?;
    surroundings.observe(&started);
    Watch::new(started, queries, surroundings)?.run().await
}
