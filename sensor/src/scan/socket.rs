//! Which processes listen, as `/proc` shows it: for what began to before the sensor came.

use std::collections::{HashMap, HashSet};

use procfs::{
    net::{TcpNetEntry, TcpState},
    process::FDTarget,
};

use super::{ProcessId, namespace, open};

/// Listening TCP sockets by network namespace, each read once.
#[derive(Debug, Default)]
pub struct Listening(HashMap<u32, HashSet<u64>>);

impl Listening {
    /// `true` when the process holds a TCP socket that listens.
    pub fn holds(&mut self, id: ProcessId) -> bool {
        let Some(process) = open(id) else {
            return false;
        };
        let space = namespace(format!("/proc/{}/ns/net", id.tgid).as_ref());
        let sockets = self.0.entry(space).or_insert_with(|| {
            let tables = [process.tcp(), process.tcp6()];
            let entries = tables.into_iter().filter_map(Result::ok).flatten();
            let listens = |entry: &TcpNetEntry| entry.state == TcpState::Listen;
            entries.filter(listens).map(|entry| entry.inode).collect()
        });
        let Ok(descriptors) = process.fd() else {
            return false;
        };
        descriptors
            .filter_map(Result::ok)
            .any(|fd| matches!(fd.target, FDTarget::Socket(inode) if sockets.contains(&inode)))
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use procfs::process::Process;

    use super::{super::TICK_NS, *};

    #[test]
    fn a_listener_is_found() {
        let stat = Process::myself().unwrap().stat().unwrap();
        let id = ProcessId::new(std::process::id(), stat.starttime * TICK_NS);
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(Listening::default().holds(id));
        drop(listener);
        let gone = ProcessId::new(id.tgid, id.start_ns + 5 * TICK_NS);
        assert!(!Listening::default().holds(gone));
    }
}
