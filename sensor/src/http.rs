//! The HTTP server: read-only, for Prometheus and whoever supervises the sensor.
//!
//! | route | answer |
//! |---|---|
//! | `/` | list of the routes |
//! | `/metrics` | Prometheus text format |
//! | `/livez` | 200 while the core turns, 503 when it has been silent for [`SILENCE`] |
//! | `/readyz` | 200 once capture has begun, 503 with what is missing |
//!
//! It is the outlet that serves: what only the collector knows is asked of it, for at most
//! [`ANSWER_TIME`], and a page without it says so in `collector_up`.
//!
//! GET and HEAD; other methods get 405, other paths 404. Request bodies are not read.
//! A connection carries one request, which must have arrived within [`HEADER_TIME`] and
//! be answered within [`CONNECTION_TIME`]; [`CONNECTIONS`] at a time, the rest wait.

mod pulse;
mod readiness;
#[cfg(test)]
mod tests;

use std::{future::Future, io, net::SocketAddr, pin::pin, sync::Arc, time::Duration};

use axum::{
    Router,
    extract::State,
    http::{HeaderValue, StatusCode, header::CONTENT_TYPE},
    response::{IntoResponse, Response},
    routing::get,
};
use hyper::server::conn::http1;
use hyper_util::{
    rt::{TokioIo, TokioTimer},
    service::TowerToHyperService,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{mpsc, oneshot},
    task::JoinSet,
    time::{sleep, timeout},
};

pub use self::{
    pulse::Pulse,
    readiness::{Condition, Readiness},
};
use crate::metrics::OutletMetrics;

/// Connections served at a time.
pub const CONNECTIONS: usize = 64;
/// Time a client has for sending its request.
pub const HEADER_TIME: Duration = Duration::from_secs(5);
/// Longest life of a connection.
pub const CONNECTION_TIME: Duration = Duration::from_secs(10);
/// Silence of the core after which the sensor counts as dead.
pub const SILENCE: Duration = Duration::from_secs(30);
/// Time the collector has for its part of a scrape.
pub const ANSWER_TIME: Duration = Duration::from_secs(1);
/// Bytes of a request's head.
const HEAD: usize = 16 * 1024;
/// Time given to running requests at the end.
const FAREWELL: Duration = Duration::from_millis(500);

/// The address could not be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: stop what has it, or set another http.listen")]
pub struct BindError {
    address: SocketAddr,
    source: io::Error,
}

/// Where the collector's part of a page is to be sent.
pub type Scrape = oneshot::Sender<String>;

/// What requests are answered from.
#[derive(Clone)]
pub struct Sources {
    /// Of the outlet.
    pub metrics: Arc<OutletMetrics>,
    /// What is known of the collector.
    pub pulse: Arc<Pulse>,
    /// Takes what is to be asked of it.
    pub scrapes: mpsc::Sender<Scrape>,
}

/// A server that listens and does not answer yet.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    header_time: Duration,
}

impl Server {
    /// Listens. Port 0 takes any free one.
    ///
    /// # Errors
    ///
    /// When the address is taken or not this machine's.
    pub async fn bind(address: SocketAddr) -> Result<Self, BindError> {
        let refused = |source| BindError { address, source };
        let listener = TcpListener::bind(address).await.map_err(refused)?;
        let address = listener.local_addr().map_err(refused)?;
        Ok(Self {
            listener,
            address,
            header_time: HEADER_TIME,
        })
    }

    /// The address listened on.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `shutdown` resolves, then lets running requests end.
    pub async fn serve(self, sources: Sources, shutdown: impl Future<Output = ()>) {
        let routes = routes(sources);
        let mut shutdown = pin!(shutdown);
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = &mut shutdown => break,
                stream = accept(&self.listener), if connections.len() < CONNECTIONS => {
                    connections.spawn(connection(stream, routes.clone(), self.header_time));
                }
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        drop(self.listener);
        let rest = async { while connections.join_next().await.is_some() {} };
        if timeout(FAREWELL, rest).await.is_err() {
            tracing::debug!("connections were cut off at the end");
        }
    }
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((stream, _)) => return stream,
            // The client is gone already, or descriptors have run out.
            Err(error) => {
                tracing::debug!(%error, "accept");
                sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

async fn connection(stream: TcpStream, routes: Router, header_time: Duration) {
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(header_time)
        .keep_alive(false)
        .max_buf_size(HEAD)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(routes));
    match timeout(CONNECTION_TIME, served).await {
        Ok(Ok(())) => {}
        Ok(Err(error)) => tracing::debug!(%error, "http connection"),
        Err(_) => tracing::debug!("http connection took too long"),
    }
}

fn routes(sources: Sources) -> Router {
    Router::new()
        .route("/", get(|| async { "/metrics\n/livez\n/readyz\n" }))
        .route("/metrics", get(metrics))
        .route("/livez", get(livez))
        .route("/readyz", get(readyz))
        .fallback(|| async { (StatusCode::NOT_FOUND, "not found\n") })
        .with_state(sources)
}

async fn metrics(State(sources): State<Sources>) -> Response {
    const TEXT: HeaderValue = HeaderValue::from_static(prometheus::TEXT_FORMAT);
    let theirs = sources.collector().await;
    match sources.metrics.render(theirs.as_deref()) {
        Ok(text) => ([(CONTENT_TYPE, TEXT)], text).into_response(),
        Err(error) => {
            tracing::error!(%error, "metrics");
            (StatusCode::INTERNAL_SERVER_ERROR, format!("{error}\n")).into_response()
        }
    }
}

async fn livez(State(sources): State<Sources>) -> Response {
    let turned = sources.pulse.turned_ns();
    let silence = turned.map(|turned| sources.metrics.since(turned));
    match silence {
        Some(silence) if silence > SILENCE => {
            let text = format!("core silent for {} s\n", silence.as_secs());
            (StatusCode::SERVICE_UNAVAILABLE, text).into_response()
        }
        _ => "alive\n".into_response(),
    }
}

async fn readyz(State(sources): State<Sources>) -> Response {
    let missing = sources.pulse.missing();
    if missing.is_empty() {
        return "ready\n".into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, missing.join("\n") + "\n").into_response()
}

impl Sources {
    /// The collector's part of a page, when it answers in time.
    async fn collector(&self) -> Option<String> {
        let (answer, answered) = oneshot::channel();
        // Where there is no room for it, it is dropped, and that is the answer.
        drop(self.scrapes.try_send(answer));
        let answer = timeout(ANSWER_TIME, answered).await;
        let text = answer.ok().and_then(Result::ok);
        self.pulse.answered(text.is_some());
        text
    }
}
