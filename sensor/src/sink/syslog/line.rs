//! The way to a syslog: one socket, what became of what went through it, and to which of
//! the addresses of a name.

use std::{
    fmt,
    io::{self, ErrorKind, Write as _},
    net::{SocketAddr, TcpStream, ToSocketAddrs as _, UdpSocket},
    os::unix::net::{UnixDatagram, UnixStream},
    path::Path,
    time::Duration,
};

use rustix::io::Errno;

use super::{JOURNAL, Transport};

/// For connecting to one address, and for one message.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);
/// Most that is read of what a syslog has to say, which is nothing.
const SAID_MAX: usize = 64 << 10;

#[derive(Debug)]
pub(super) enum Line {
    Local(UnixDatagram),
    /// What some syslogs listen on instead.
    Stream(UnixStream),
    Udp(UdpSocket),
    Tcp(TcpStream),
}

/// What can be known of what was sent before.
#[derive(Debug)]
pub(super) enum Past {
    /// Nothing speaks against it.
    Sound,
    /// A datagram was sent back, so it is lost. The next may arrive.
    Returned(io::Error),
    /// The other side has ended the connection. What it had got it has read.
    Closed,
    /// The connection broke: the other side has not read everything.
    Broken(io::Error),
}

impl Line {
    /// Connects to the first address that answers.
    ///
    /// # Errors
    /// What the last one said.
    pub(super) fn new(transport: &Transport) -> io::Result<Self> {
        match transport {
            Transport::Local(path) => local(path),
            Transport::Journal => local(JOURNAL.as_ref()),
            Transport::Udp(to) => each(to, udp).map(Self::Udp),
            Transport::Tcp(to) => each(to, tcp).map(Self::Tcp),
        }
    }

    /// Sends one message as it is.
    ///
    /// # Errors
    /// When it was not taken, or not all of it.
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        match self {
            Self::Local(socket) => socket.send(message).map(drop),
            Self::Udp(socket) => socket.send(message).map(drop),
            // As glibc does it: a message on a stream ends with a null byte.
            Self::Stream(stream) => stream.write_all(&[message, b"\0"].concat()),
            Self::Tcp(stream) => stream.write_all(message),
        }
    }

    /// What has become of what was sent. Never waits.
    pub(super) fn past(&mut self) -> Past {
        match self {
            // Who sends to a local socket that is gone is told at once.
            Self::Local(_) => Past::Sound,
            Self::Udp(socket) => match socket.take_error() {
                Ok(None) => Past::Sound,
                Ok(Some(error)) | Err(error) => Past::Returned(error),
            },
            Self::Stream(stream) => match stream.take_error() {
                Ok(None) => end(stream, UnixStream::set_nonblocking),
                Ok(Some(error)) | Err(error) => Past::Broken(error),
            },
            Self::Tcp(stream) => match stream.take_error() {
                Ok(None) => end(stream, TcpStream::set_nonblocking),
                Ok(Some(error)) | Err(error) => Past::Broken(error),
            },
        }
    }
}

/// Whether the other side has ended the connection: what it says is read and thrown away.
fn end<S: io::Read>(stream: &mut S, set_nonblocking: fn(&S, bool) -> io::Result<()>) -> Past {
    let mut read = || -> io::Result<Past> {
        set_nonblocking(stream, true)?;
        let (mut bytes, mut total) = ([0; 4_096], 0);
        let past = loop {
            match stream.read(&mut bytes) {
                Ok(0) => break Past::Closed,
                Ok(count) if total < SAID_MAX => total += count,
                Ok(_) => break Past::Sound,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => break Past::Sound,
                    ErrorKind::Interrupted => {}
                    _ => return Err(error),
                },
            }
        };
        set_nonblocking(stream, false)?;
        Ok(past)
    };
    read().unwrap_or_else(Past::Broken)
}

fn local(path: &Path) -> io::Result<Line> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    match socket.connect(path) {
        Err(error) if Errno::from_io_error(&error) == Some(Errno::PROTOTYPE) => {
            let stream = UnixStream::connect(path)?;
            stream.set_write_timeout(Some(TIMEOUT))?;
            Ok(Line::Stream(stream))
        }
        connected => connected.map(|()| Line::Local(socket)),
    }
}

fn udp(to: SocketAddr) -> io::Result<UdpSocket> {
    let any = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
    let socket = UdpSocket::bind(any)?;
    socket.set_write_timeout(Some(TIMEOUT))?;
    socket.connect(to)?;
    Ok(socket)
}

fn tcp(to: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&to, TIMEOUT)?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Tries every address of a name.
fn each<T>(to: &str, connect: impl Fn(SocketAddr) -> io::Result<T>) -> io::Result<T> {
    first(to, to.to_socket_addrs()?, connect)
}

pub(super) fn first<T>(
    name: &str,
    addresses: impl Iterator<Item = SocketAddr>,
    connect: impl Fn(SocketAddr) -> io::Result<T>,
) -> io::Result<T> {
    let mut last = io::Error::other(format!("{name} has no address"));
    for address in addresses {
        match connect(address) {
            Ok(connected) => return Ok(connected),
            Err(error) => {
                last = io::Error::new(error.kind(), format!("{name} ({address}): {error}"));
            }
        }
    }
    Err(last)
}

impl fmt::Display for Past {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sound => write!(f, "nothing is known to be lost"),
            Self::Returned(error) => write!(f, "a datagram was sent back: {error}"),
            Self::Closed => write!(f, "the syslog has closed the connection"),
            Self::Broken(error) => write!(f, "the connection to the syslog broke: {error}"),
        }
    }
}
