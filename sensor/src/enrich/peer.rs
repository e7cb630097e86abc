//! Where the sockets behind descriptors 0, 1 and 2 of a process lead: a shell that talks
//! to the network through them is somebody's.

use procfs::process::{FDTarget, Process};

use crate::{detect::Peer, event::ProcessId, scan};

/// Bytes kept of the path of a unix socket.
const PATH: usize = 256;

/// The far ends, of a process that still lives.
pub(super) fn peers(id: ProcessId) -> Vec<Peer> {
    let process = i32::try_from(id.tgid)
        .ok()
        .and_then(|pid| Process::new(pid).ok());
    let Some(process) = process.filter(|_| scan::lives(id)) else {
        return Vec::new();
    };
    let sockets = (0..3_u8).filter_map(|fd| {
        let target = process.fd_from_fd(i32::from(fd)).ok()?.target;
        let FDTarget::Socket(inode) = target else {
            return None;
        };
        Some((fd, inode))
    });
    let sockets: Vec<_> = sockets.collect();
    if sockets.is_empty() {
        return Vec::new();
    }
    let known = internet(&process);
    let far = |inode: u64| {
        let found = known.iter().find(|(of, _)| *of == inode);
        found
            .map(|(_, far)| far.clone())
            .or_else(|| unix(&process, inode))
    };
    let peer = |(fd, inode)| far(inode).map(|far| Peer { fd, far });
    sockets.into_iter().filter_map(peer).collect()
}

/// TCP sockets of the process's network namespace, by inode.
fn internet(process: &Process) -> Vec<(u64, String)> {
    let (four, six) = (process.tcp(), process.tcp6());
    let all = four.into_iter().chain(six).flatten();
    let far = all.map(|entry| {
        let far = if entry.remote_address.port() == 0 {
            format!("listens at {}", entry.local_address)
        } else {
            entry.remote_address.to_string()
        };
        (entry.inode, far)
    });
    far.collect()
}

fn unix(process: &Process, inode: u64) -> Option<String> {
    let found = process.unix().ok()?;
    let found = found.into_iter().find(|entry| entry.inode == inode)?;
    let path = found.path?.to_string_lossy().into_owned();
    Some(format!(
        "unix {}",
        path.chars().take(PATH).collect::<String>()
    ))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{TcpListener, TcpStream},
        os::fd::OwnedFd,
        process::{Command, Stdio},
    };

    use super::*;

    #[test]
    fn the_far_end_of_a_shells_input_is_told() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (far, _) = listener.accept().unwrap();
        let mut child = Command::new("cat")
            .stdin(OwnedFd::from(near))
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let stat = Process::new(i32::try_from(child.id()).unwrap())
            .unwrap()
            .stat()
            .unwrap();
        let ticks = procfs::ticks_per_second();
        let id = ProcessId::new(child.id(), stat.starttime * (1_000_000_000 / ticks));
        let found = peers(id);
        assert_eq!(
            found,
            [Peer {
                fd: 0,
                far: listener.local_addr().unwrap().to_string()
            }]
        );
        assert_eq!(
            peers(ProcessId::new(child.id(), 5)),
            [],
            "another process of this pid"
        );
        far.shutdown(std::net::Shutdown::Both).unwrap();
        drop(far);
        child.wait().unwrap();
    }
}
