//! Ways to connect a socket, and to begin to listen.

use std::{
    fs, io,
    net::SocketAddr,
    os::{
        fd::{AsFd, AsRawFd as _, OwnedFd},
        unix::fs::MetadataExt as _,
    },
};

use rustix::net::{
    AddressFamily, SocketAddrAny, SocketFlags, SocketType, bind, connect, connect_unspec,
    getsockname, listen as begin_to_listen, socket_with,
};

use super::skip;
use crate::ledger::{Line, Socket, SocketKind, Who, say};

const TCP: u32 = 6;
const UDP: u32 = 17;
/// Loopback with a port the kernel chooses.
const V4: &str = "127.0.0.1:0";
const V6: &str = "[::1]:0";

fn address(text: &str) -> io::Result<SocketAddr> {
    text.parse().map_err(io::Error::other)
}

/// A socket for `address`, not yet bound.
fn socket(address: SocketAddr, protocol: u32, flags: SocketFlags) -> io::Result<OwnedFd> {
    let family = if address.is_ipv6() {
        AddressFamily::INET6
    } else {
        AddressFamily::INET
    };
    let kind = if protocol == TCP {
        SocketType::STREAM
    } else {
        SocketType::DGRAM
    };
    Ok(socket_with(family, kind, flags, None)?)
}

/// Its own end.
fn local(socket: impl AsFd) -> io::Result<SocketAddr> {
    let any: SocketAddrAny = getsockname(socket)?;
    any.try_into().map_err(io::Error::other)
}

/// What was done with `socket`.
fn fact(
    kind: SocketKind,
    socket: impl AsFd,
    protocol: u32,
    remote: Option<SocketAddr>,
    result: i32,
) -> io::Result<Line> {
    let net_ns = fs::metadata("/proc/self/ns/net")?.ino();
    let socket = socket.as_fd();
    Ok(Line::Socket(Socket {
        who: Who::me()?,
        kind,
        protocol,
        // Refused, now or in the background, it is bound no longer.
        local: (result == 0).then(|| local(socket)).transpose()?,
        remote,
        fd: socket.as_raw_fd().unsigned_abs(),
        result,
        uid: rustix::process::getuid().as_raw(),
        net_ns: u32::try_from(net_ns).map_err(io::Error::other)?,
    }))
}

/// Result of a connect that goes on in the background.
const IN_PROGRESS: i32 = -libc::EINPROGRESS;

/// Connects to `remote` and says how it went.
fn connected(socket: impl AsFd, remote: SocketAddr, protocol: u32) -> io::Result<i32> {
    let socket = socket.as_fd();
    let result = match connect(socket, &remote) {
        Ok(()) => 0,
        Err(error) => -error.raw_os_error(),
    };
    say(&fact(
        SocketKind::Connect,
        socket,
        protocol,
        Some(remote),
        result,
    )?)?;
    Ok(result)
}

/// A socket that listens on loopback, and its address; `None` where there is no such
/// loopback.
fn server(at: &str) -> io::Result<Option<(OwnedFd, SocketAddr)>> {
    let at = address(at)?;
    let server = socket(at, TCP, SocketFlags::CLOEXEC)?;
    match bind(&server, &at) {
        Ok(()) => {}
        Err(rustix::io::Errno::ADDRNOTAVAIL) => return Ok(None),
        Err(error) => return Err(error.into()),
    }
    begin_to_listen(&server, 8)?;
    say(&fact(SocketKind::Listen, &server, TCP, None, 0)?)?;
    let at = local(&server)?;
    Ok(Some((server, at)))
}

fn is(result: i32, expected: i32) -> io::Result<()> {
    if result == expected {
        return Ok(());
    }
    Err(io::Error::other(format!(
        "connect: {result}, not {expected}"
    )))
}

/// TCP to a server on loopback.
fn tcp(at: &str) -> io::Result<()> {
    let Some((_server, remote)) = server(at)? else {
        return skip(format!("nothing can be bound to {at}"));
    };
    let client = socket(remote, TCP, SocketFlags::CLOEXEC)?;
    is(connected(&client, remote, TCP)?, 0)
}

pub(super) fn connect_tcp4() -> io::Result<()> {
    tcp(V4)
}

pub(super) fn connect_tcp6() -> io::Result<()> {
    tcp(V6)
}

/// What a reverse shell does: the socket is its standard input.
pub(super) fn connect_stdio() -> io::Result<()> {
    let Some((_server, remote)) = server(V4)? else {
        return skip("no loopback");
    };
    let client = socket(remote, TCP, SocketFlags::empty())?;
    rustix::stdio::dup2_stdin(&client)?;
    drop(client);
    is(connected(rustix::stdio::stdin(), remote, TCP)?, 0)
}

/// Nobody listens there: the port was bound a moment ago.
pub(super) fn connect_refused() -> io::Result<()> {
    for flags in [SocketFlags::CLOEXEC, SocketFlags::NONBLOCK] {
        let free = socket(address(V4)?, TCP, SocketFlags::CLOEXEC)?;
        bind(&free, &address(V4)?)?;
        let remote = local(&free)?;
        let client = socket(remote, TCP, flags)?;
        // Bound, and does not listen: it stays refused until `free` goes.
        let result = connected(&client, remote, TCP)?;
        if result != IN_PROGRESS {
            is(result, -libc::ECONNREFUSED)?;
        }
    }
    Ok(())
}

/// It may go on in the background; the kernel knows both ends by then.
pub(super) fn connect_nonblocking() -> io::Result<()> {
    let Some((_server, remote)) = server(V4)? else {
        return skip("no loopback");
    };
    let client = socket(remote, TCP, SocketFlags::NONBLOCK)?;
    let result = connected(&client, remote, TCP)?;
    if result == 0 {
        return Ok(());
    }
    is(result, IN_PROGRESS)
}

/// A call that is wrong sends nothing, and is no record.
pub(super) fn connect_wrong() -> io::Result<()> {
    let remote = address("127.0.0.1:9")?;
    let file = fs::File::open("/proc/self/stat")?;
    let mut errors = vec![connect(&file, &remote)];
    let client = socket(remote, UDP, SocketFlags::CLOEXEC)?;
    errors.push(connect(&client, &address("[::1]:9")?));
    if errors.iter().any(Result::is_ok) {
        return Err(io::Error::other("a wrong connect was taken"));
    }
    Ok(())
}

/// Connected, and disconnected, which is no connect.
pub(super) fn connect_udp() -> io::Result<()> {
    for at in [V4, V6] {
        let peer = socket(address(at)?, UDP, SocketFlags::CLOEXEC)?;
        if bind(&peer, &address(at)?).is_err() {
            continue;
        }
        let remote = local(&peer)?;
        let client = socket(remote, UDP, SocketFlags::CLOEXEC)?;
        is(connected(&client, remote, UDP)?, 0)?;
        connect_unspec(&client)?;
    }
    Ok(())
}

/// The sockets of a server: both families, and one that is told twice how many may wait.
pub(super) fn listen() -> io::Result<()> {
    let Some((first, _)) = server(V4)? else {
        return skip("no loopback");
    };
    // Another backlog is no other beginning.
    begin_to_listen(&first, 16)?;
    server(V6)?;
    Ok(())
}
