//! A look at the master of an Apache: which modules it maps, and which of its children is
//! the daemon of `mod_cgid`.
//!
//! That daemon is told by its socket: it listens on a unix socket whose name ends with its
//! master's pid, and has given up the listening TCP sockets that all workers keep.

use std::{collections::HashSet, fs};

use bstr::ByteSlice as _;
use procfs::process::{FDTarget, Process};

use crate::{
    event::ProcessId,
    scan::{self, Listening, TICK_NS},
    service::{Apache, Child, Modules},
};

/// `__SO_ACCEPTCON`: a unix socket that listens.
const LISTENS: u32 = 1 << 16;

/// Children looked at.
const CHILDREN: usize = 1_024;

/// Looks at `master`; `None` when it is gone or `/proc` does not show it.
#[must_use]
pub fn apache(master: ProcessId) -> Option<Apache> {
    let maps = fs::read(format!("/proc/{}/maps", master.tgid)).ok()?;
    let modules = Modules::of(maps.lines().filter_map(file_name));
    let cgid = modules.cgid.then(|| cgid(master)).flatten();
    // Checked last: everything above was the same process if it still is.
    scan::lives(master).then_some(Apache {
        master,
        modules,
        cgid,
    })
}

/// Last component of the path that a line of `maps` ends with.
fn file_name(line: &[u8]) -> Option<&[u8]> {
    let path = line.find_byte(b'/')?;
    line.get(path..)?.rsplit(|&byte| byte == b'/').next()
}

/// The daemon among the children of `master`.
fn cgid(master: ProcessId) -> Option<Child> {
    let process = Process::new(i32::try_from(master.tgid).ok()?).ok()?;
    // The name has the pid that the master itself knows.
    let inner = process.status().ok()?.nspid?.last().copied()?;
    let table = fs::read(format!("/proc/{}/net/unix", master.tgid)).ok()?;
    let sockets = listening(&table, &format!(".{inner}"));
    let tasks = process.tasks().ok()?.filter_map(Result::ok);
    let children = tasks.filter_map(|task| task.children().ok()).flatten();
    let mut listens = Listening::default();
    children
        .take(CHILDREN)
        .filter_map(|pid| child(pid, &sockets))
        .find(|(pid, start)| !listens.holds(ProcessId::new(*pid, start * TICK_NS)))
}

/// Inodes of the unix sockets that listen under a name with this end.
///
/// A line is `address: references protocol flags type state inode path`.
fn listening(table: &[u8], end: &str) -> HashSet<u64> {
    let lines = table.lines().filter(|line| line.ends_with_str(end));
    let sockets = lines.filter_map(|line| {
        let mut words = line.fields_with(|c| c == ' ').skip(3);
        let flags = u32::from_str_radix(words.next()?.to_str().ok()?, 16).ok()?;
        let inode = words.nth(2)?.to_str().ok()?.parse().ok()?;
        (flags & LISTENS != 0).then_some(inode)
    });
    sockets.collect()
}

/// The child, if it holds one of the sockets.
fn child(pid: u32, sockets: &HashSet<u64>) -> Option<Child> {
    let process = Process::new(i32::try_from(pid).ok()?).ok()?;
    let mut descriptors = process.fd().ok()?.filter_map(Result::ok);
    let holds = descriptors
        .any(|fd| matches!(fd.target, FDTarget::Socket(inode) if sockets.contains(&inode)));
    let stat = process.stat().ok().filter(|_| holds)?;
    Some((pid, stat.starttime))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sockets_that_listen_under_the_masters_pid() {
        let table = b"Num       RefCount Protocol Flags    Type St Inode Path
0000000000000000: 00000002 00000000 00010000 0001 01 11 /run/apache2/cgisock.812
0000000000000000: 00000003 00000000 00000000 0001 03 12 /run/apache2/cgisock.812
0000000000000000: 00000002 00000000 00010000 0001 01 13 /run/wsgi.812.0.1.sock
0000000000000000: 00000002 00000000 00010000 0001 01 14
0000000000000000: 00000002 00000000 00010000 0001 01 15 /run/a b/cgid.sock.812
";
        assert_eq!(listening(table, ".812"), HashSet::from([11, 15]));
        assert!(listening(table, ".8").is_empty());
    }

    #[test]
    fn names_of_mapped_files() {
        for (line, expected) in [
            (
                "7f00-7f01 r-xp 00000000 fe:00 812   /usr/lib/apache2/modules/mod_cgid.so",
                Some("mod_cgid.so"),
            ),
            ("7f00-7f01 rw-p 00000000 00:00 0", None),
            ("7f00-7f01 rw-p 00000000 00:00 0   [heap]", None),
        ] {
            assert_eq!(file_name(line.as_bytes()), expected.map(str::as_bytes));
        }
    }
}
