//! A receiver of webhooks on a real socket that acts as told.

#[path = "../../../../tests/live/fixture/request.rs"]
mod request;

use std::{
    collections::VecDeque,
    io::{BufReader, Read, Write},
    net::TcpListener,
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

use serde_json::Value;

/// What the server does with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Act {
    /// Answers with this status; with 2xx it has taken the alerts.
    Status(u16),
    /// Answers nothing until the client gives up.
    Stall,
    /// Takes the alerts and resets without an answer.
    TakeAndReset,
    /// 413 to whatever has the alert with this number, for ever.
    Without(u64),
    /// No answer in time to more than so many, for ever.
    AtMost(usize),
}

/// A server that acts as told, and accepts when nothing is left to do.
pub(super) struct Server {
    pub(super) url: String,
    acts: Arc<Mutex<VecDeque<Act>>>,
    /// `event.sequence` and `event.id` of each alert taken.
    taken: mpsc::Receiver<(u64, String)>,
}

trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

impl Server {
    pub(super) fn start(acts: &[Act], tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let port = listener.local_addr().unwrap().port();
        let acts = Arc::new(Mutex::new(acts.iter().copied().collect::<VecDeque<_>>()));
        let (take, taken) = mpsc::sync_channel(1_024);
        let own = Arc::clone(&acts);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, acts, take) = (stream.unwrap(), Arc::clone(&own), take.clone());
                let tls = tls.clone();
                thread::spawn(move || match tls {
                    None => serve(stream, &acts, &take),
                    Some(tls) => {
                        let session = rustls::ServerConnection::new(tls).unwrap();
                        serve(rustls::StreamOwned::new(session, stream), &acts, &take);
                    }
                });
            }
        });
        Self {
            url: format!("{scheme}://localhost:{port}/in"),
            acts,
            taken,
        }
    }

    /// The next `count` alerts taken.
    pub(super) fn take(&self, count: usize) -> Vec<(u64, String)> {
        let next = || self.taken.recv_timeout(Duration::from_secs(20));
        (0..count)
            .map(|_| next().expect("an alert within 20 s"))
            .collect()
    }

    /// Every act was done.
    pub(super) fn is_done(&self) -> bool {
        self.acts.lock().unwrap().is_empty()
    }
}

/// Answers requests on one connection until something ends it.
fn serve(line: impl Line, acts: &Mutex<VecDeque<Act>>, take: &mpsc::SyncSender<(u64, String)>) {
    let mut line = BufReader::new(line);
    while let Some(body) = request::body(&mut line) {
        let alerts = match serde_json::from_str(&body).unwrap() {
            Value::Array(alerts) => alerts,
            alert => vec![alert],
        };
        let act = acts.lock().unwrap().pop_front().unwrap_or(Act::Status(200));
        let status = match act {
            Act::Status(status) => status,
            Act::TakeAndReset => 0,
            Act::Stall => {
                // The client closes.
                drop(line.read(&mut [0]));
                return;
            }
            Act::AtMost(count) => {
                acts.lock().unwrap().push_front(act);
                if alerts.len() > count {
                    // The client closes.
                    drop(line.read(&mut [0]));
                    return;
                }
                200
            }
            Act::Without(number) => {
                acts.lock().unwrap().push_front(act);
                let it = alerts
                    .iter()
                    .any(|alert| alert["event"]["sequence"] == number);
                if it { 413 } else { 200 }
            }
        };
        if status < 300 {
            for alert in &alerts {
                let sequence = alert["event"]["sequence"].as_u64().unwrap();
                let id = alert["event"]["id"].as_str().unwrap().to_owned();
                drop(take.send((sequence, id)));
            }
        }
        if status == 0 {
            return;
        }
        let answer = format!("HTTP/1.1 {status} x\r\ncontent-length: 2\r\n\r\nno");
        if line.get_mut().write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}
