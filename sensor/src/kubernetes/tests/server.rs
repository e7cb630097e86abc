//! A stub of the API server on a real socket: it answers by a script, one answer to a
//! request, and says what was asked.

use std::{
    collections::VecDeque,
    io::{BufRead as _, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, mpsc},
    thread,
    time::Duration,
};

/// What the server does with a request.
pub(super) enum Act {
    /// Answers with this status and body.
    Answer(u16, String),
    /// The same with one more header.
    Header(u16, &'static str),
    /// A watch: sends these pieces, then what comes over the channel until that is closed,
    /// then ends the answer.
    Stream(mpsc::Receiver<String>),
    /// The same, but resets instead of an end.
    Cut(Vec<String>),
    /// Answers nothing until the client gives up.
    Stall,
    /// The head of an answer, then nothing until the client gives up.
    StallAfterHead,
    /// Bytes that are no HTTP.
    Noise,
}

/// What was asked.
#[derive(Debug)]
pub(super) struct Asked {
    /// Path with query.
    pub(super) target: String,
    /// Headers, lower case.
    pub(super) head: String,
}

impl Asked {
    /// It is a watch that goes on from this version.
    pub(super) fn is_watch_from(&self, version: &str) -> bool {
        let from = format!("resourceVersion={version}&");
        self.target.contains("watch=true") && format!("{}&", self.target).contains(&from)
    }

    pub(super) fn is_list(&self) -> bool {
        !self.target.contains("watch=")
    }
}

trait Line: Read + Write {}
impl<T: Read + Write> Line for T {}

/// See the module. When nothing is left to do, requests stall.
pub(super) struct Server {
    pub(super) url: String,
    acts: Arc<Mutex<VecDeque<Act>>>,
    asked: mpsc::Receiver<Asked>,
}

impl Server {
    pub(super) fn start(acts: Vec<Act>, tls: Option<Arc<rustls::ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let port = listener.local_addr().unwrap().port();
        let acts = Arc::new(Mutex::new(VecDeque::from(acts)));
        let (ask, asked) = mpsc::sync_channel(1_024);
        let own = Arc::clone(&acts);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (stream, acts, ask) = (stream.unwrap(), Arc::clone(&own), ask.clone());
                let tls = tls.clone();
                thread::spawn(move || {
                    let socket = stream.try_clone().unwrap();
                    match tls {
                        None => serve(stream, &socket, &acts, &ask),
                        Some(tls) => {
                            let session = rustls::ServerConnection::new(tls).unwrap();
                            let line = rustls::StreamOwned::new(session, stream);
                            serve(line, &socket, &acts, &ask);
                        }
                    }
                });
            }
        });
        Self {
            url: format!("{scheme}://localhost:{port}"),
            acts,
            asked,
        }
    }

    /// What is asked next.
    #[track_caller]
    pub(super) fn asked(&self) -> Asked {
        let asked = self.asked.recv_timeout(Duration::from_secs(20));
        asked.expect("a request within 20 s")
    }

    /// Nothing is asked within this time.
    pub(super) fn is_left_alone(&self, time: Duration) -> bool {
        self.asked.recv_timeout(time).is_err()
    }

    /// One more thing to do.
    pub(super) fn then(&self, act: Act) {
        self.acts.lock().unwrap().push_back(act);
    }
}

/// Answers requests on one connection until something ends it.
fn serve(
    line: impl Line,
    socket: &TcpStream,
    acts: &Mutex<VecDeque<Act>>,
    ask: &mpsc::SyncSender<Asked>,
) {
    let mut line = BufReader::new(line);
    while let Some(asked) = request(&mut line) {
        let act = acts.lock().unwrap().pop_front().unwrap_or(Act::Stall);
        drop(ask.send(asked));
        let done = match act {
            Act::Answer(status, body) => answer(&mut line, status, "x-nothing: 0", &body),
            Act::Header(status, header) => answer(&mut line, status, header, "no"),
            Act::Stream(pieces) => {
                stream(&mut line, pieces.iter()).and_then(|()| write(&mut line, "0\r\n\r\n"))
            }
            Act::Cut(pieces) => {
                drop(stream(&mut line, pieces.into_iter()));
                let _gone = socket.shutdown(std::net::Shutdown::Both);
                return;
            }
            Act::StallAfterHead => {
                drop(stream(&mut line, std::iter::empty()));
                stall(&mut line);
                return;
            }
            Act::Stall => {
                stall(&mut line);
                return;
            }
            Act::Noise => write(&mut line, "\u{0}\u{1}SSH-2.0-x\r\n\r\n"),
        };
        if done.is_err() {
            return;
        }
    }
}

/// Until the client closes.
fn stall(line: &mut BufReader<impl Line>) {
    drop(line.read(&mut [0]));
}

fn write(line: &mut BufReader<impl Line>, text: &str) -> std::io::Result<()> {
    line.get_mut().write_all(text.as_bytes())?;
    line.get_mut().flush()
}

fn answer(
    line: &mut BufReader<impl Line>,
    status: u16,
    header: &str,
    body: &str,
) -> std::io::Result<()> {
    let length = body.len();
    write(
        line,
        &format!("HTTP/1.1 {status} x\r\n{header}\r\ncontent-length: {length}\r\n\r\n{body}"),
    )
}

fn stream(
    line: &mut BufReader<impl Line>,
    pieces: impl Iterator<Item = String>,
) -> std::io::Result<()> {
    write(
        line,
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    )?;
    for piece in pieces {
        write(line, &format!("{:x}\r\n{piece}\r\n", piece.len()))?;
    }
    Ok(())
}

/// The head of a request; they have no bodies.
fn request(line: &mut BufReader<impl Line>) -> Option<Asked> {
    let mut lines = Vec::new();
    loop {
        let mut text = String::new();
        if line.read_line(&mut text).ok()? == 0 {
            return None;
        }
        let text = text.trim_end().to_owned();
        if text.is_empty() {
            break;
        }
        lines.push(text);
    }
    let (first, head) = lines.split_first()?;
    Some(Asked {
        target: first.split(' ').nth(1)?.to_owned(),
        head: head.join("\n").to_lowercase(),
    })
}
