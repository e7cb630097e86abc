//! The outlet: the process that talks to the outside. It has sinks, spools, history, HTTP
//! and the control socket, and follows the node's pods through the API; it has no capability,
//! no hook and no look at `/proc`, and what it may open is what its configuration names.
//!
//! Started by the collector with one end of a socket pair as its standard input. It ends
//! when it is told to, or when the collector is gone; signals are for the collector.

mod last_word;
mod pods;
pub(super) mod relay;

use std::{
    io,
    net::SocketAddr,
    os::{fd::AsFd as _, unix::net::UnixStream},
    sync::Arc,
    time::Duration,
};

use rustix::process::geteuid;
use tokio::{
    runtime,
    signal::unix::{Signal, SignalKind, signal},
    sync::{mpsc, watch},
    task::JoinHandle,
};
use tracing::{debug, error, info};

use self::{
    pods::Pods,
    relay::{End, Relay},
};
use super::{
    level,
    sinks::{self, Change},
};
use crate::{
    clock,
    config::{self, Config, Format},
    control::{self, Query},
    exit::{Exit, Failure, chain},
    history::{self, History},
    http::{self, Pulse, Scrape, Sources},
    logging,
    metrics::OutletMetrics,
    sandbox::{self, Files, Places, Standing},
    sink::{Colour, Encoding, Sinks, Stream, tail::Tail},
    wire::{self, Hello, ORDER_MAX, Order, REPORT_MAX, Report},
};

/// First argument of the outlet: [`super::internal`] calls [`outlet`] when it sees it.
pub(super) const OUTLET_ARG: &str = "__outlet";
/// Questions that may wait.
const QUESTIONS: usize = 16;
/// How long may be written what is left when the collector is gone.
const LAST: Duration = Duration::from_secs(5);

/// Life of the outlet.
///
/// # Errors
/// When it was not started by a collector, or the collector is gone.
pub(super) fn outlet() -> Result<(), Failure> {
    // Without it the name would be that of the link it was started by.
    let _same = rustix::thread::set_name(c"lineage-outlet");
    let stream = io::stdin().as_fd().try_clone_to_owned();
    let stream = stream.map(UnixStream::from).map_err(broken)?;
    let order = wire::read(&stream, ORDER_MAX).map_err(broken)?;
    let Order::Hello(hello) = order else {
        return Err(broken("another message than the first"));
    };
    if hello.version != wire::VERSION {
        return Err(broken(format_args!("version {}", hello.version)));
    }
    let config = Config::from_outlet_yaml(&hello.config).map_err(broken)?;
    logging::init(config.log, config.output.color.on(true))?;
    // One thread, until the sandbox is closed: it is a matter of each.
    let runtime = runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(broken)?;
    let result = runtime.block_on(serve(stream, &hello, config));
    // A thread that hangs in a write to a full pipe must not keep the process.
    runtime.shutdown_background();
    result
}

fn broken(error: impl std::fmt::Display) -> Failure {
    let why = format_args!("the outlet is started by the sensor itself: {error}");
    Failure::new(Exit::Usage, why)
}

async fn serve(stream: UnixStream, hello: &Hello, config: Config) -> Result<(), Failure> {
    let open = match Outlet::open(hello, config).await {
        Ok(open) => open,
        Err(failure) => {
            // The collector says it.
            let refused = Report::Refused(failure.code as u8, failure.message);
            return wire::write(&stream, &refused, REPORT_MAX).map_err(broken);
        }
    };
    let ready = Report::Ready(open.address);
    wire::write(&stream, &ready, REPORT_MAX).map_err(broken)?;
    let Outlet {
        relay,
        servers,
        stop,
        _signals,
        ..
    } = open;
    let end = relay.run(stream, hello, &stop).await;
    stop.send_replace(true);
    for server in servers {
        // A server that panicked has been logged by its task.
        drop(server.await);
    }
    match end {
        End::Told => Ok(()),
        End::Alone(why) => Err(Failure::new(Exit::Internal, why)),
    }
}

/// What is open.
struct Outlet {
    relay: Relay,
    address: Option<SocketAddr>,
    servers: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
    /// While they are held the signals do nothing.
    _signals: [Signal; 3],
}

impl Outlet {
    /// Opens sockets, closes the sandbox, starts the sinks.
    async fn open(hello: &Hello, mut config: Config) -> Result<Self, Failure> {
        let signals = ignored().map_err(|error| failed("signals", &error))?;
        if let Some(address) = hello.address {
            config.http.listen = address;
        }
        let metrics = OutletMetrics::new(clock::boottime_ns)
            .map_err(|error| Failure::new(Exit::Internal, error))?;
        let metrics = Arc::new(metrics);
        let (queries, asked) = mpsc::channel::<Query>(QUESTIONS);
        let (scrapes, pages) = mpsc::channel::<Scrape>(http::CONNECTIONS);
        let pulse = Arc::new(Pulse::default());
        let (stop, stopped) = watch::channel(false);
        let http = if config.http.enabled {
            Some(listen(&config).await?)
        } else {
            None
        };
        let places = Places::of(&config);
        places.make(None);
        places.complain(&config);
        // The socket is a file: nothing may fail between making it and serving it.
        let tail = Arc::<Tail>::default();
        let control = control::Server::bind(&config.control.socket)?;
        let control = control.with_tail(Arc::clone(&tail));
        // Before: what is replaced meanwhile shows.
        let standing = Standing::of(&places);
        let closed = sandbox::enter(&places);
        let standing = (closed.files != Files::Any).then_some(standing);
        debug!("the outlet's sandbox is closed: {closed}");
        let mut layers = closed.layers();
        layers.push(("user", geteuid().as_raw() != hello.user));
        metrics.set_sandbox(layers);
        if closed.files == Files::Any {
            info!("this kernel has no Landlock: what the outlet may open is not restricted");
        }
        let sinks = start(&config, &metrics)?;
        metrics.watch_sinks(sinks.stats());
        let pods = Pods::follow(&config.kubernetes).map_err(|error| failed("pods", &error))?;
        if let Some(stats) = pods.stats() {
            metrics.watch_pods(Arc::clone(stats));
        }
        let mut servers = vec![tokio::spawn(control.serve(queries, end(stopped.clone())))];
        let address = http.as_ref().map(http::Server::address);
        if let Some(server) = http {
            let sources = Sources {
                metrics: Arc::clone(&metrics),
                pulse: Arc::clone(&pulse),
                scrapes,
            };
            servers.push(tokio::spawn(server.serve(sources, end(stopped))));
        }
        Ok(Self {
            relay: Relay::new(
                (sinks, tail, metrics),
                (pulse, pods),
                (asked, pages),
                (config, places),
                standing,
            ),
            address,
            servers,
            stop,
            _signals: signals,
        })
    }
}

/// Signals go to all processes of a terminal or a unit: they are for the collector, which
/// says when to end. One that is gone says so by its end of the pair.
pub(super) fn ignored() -> io::Result<[Signal; 3]> {
    Ok([
        signal(SignalKind::terminate())?,
        signal(SignalKind::interrupt())?,
        signal(SignalKind::hangup())?,
    ])
}

async fn listen(config: &Config) -> Result<http::Server, Failure> {
    let server = http::Server::bind(config.http.listen).await;
    server.map_err(|error| Failure::new(Exit::Usage, chain(&error)))
}

fn start(config: &Config, metrics: &Arc<OutletMetrics>) -> Result<Sinks, Failure> {
    let written = Arc::clone(metrics);
    let sinks = Sinks::new(move |time_ns| written.observe_written(time_ns));
    let stdout = stdout(config)?;
    sinks
        .add("stdout", level(config.output.level), stdout)
        .map_err(|error| failed("standard output", &error))?;
    sinks::start_all(&sinks, &config.sinks)?;
    if config.history.enabled {
        let history = History::new(history(&config.history));
        sinks
            .keep("history", history)
            .map_err(|error| failed("history", &error))?;
    }
    Ok(sinks)
}

fn history(config: &config::History) -> history::Settings {
    history::Settings {
        path: config.path.clone(),
        max_bytes: config.max_bytes.get(),
        max_age_s: config.max_age_days.get().saturating_mul(86_400),
    }
}

/// Standard output as the configuration wants it.
pub(super) fn stdout(config: &Config) -> Result<Stream, Failure> {
    let encoding = match config.output.format {
        Format::Auto => None,
        Format::Pretty => Some(Encoding::Pretty),
        Format::Json => Some(Encoding::Json),
    };
    let colour = match config.output.color {
        config::Color::Auto => Colour::Auto,
        config::Color::Always => Colour::Always,
        config::Color::Never => Colour::Never,
    };
    Stream::stdout(encoding, colour).map_err(|error| failed("standard output", &error))
}

fn failed(what: &str, error: &io::Error) -> Failure {
    Failure::new(Exit::Internal, format_args!("{what}: {error}"))
}

/// Takes levels and sinks of another configuration.
fn adjust(sinks: &Sinks, metrics: &OutletMetrics, config: &Config, change: Change) {
    logging::take_up(config.log);
    sinks.set_threshold("stdout", level(config.output.level));
    sinks.exchange(&change.gone, change.new);
    metrics.watch_sinks(sinks.stats());
}

/// Says what ended it, where the collector would have.
fn alone(why: &str) -> End {
    error!("{why}");
    End::Alone(why.to_owned())
}

/// Resolves when the outlet stops.
async fn end(mut stopped: watch::Receiver<bool>) {
    // The sender gone means the same.
    drop(stopped.wait_for(|stop| *stop).await);
}
