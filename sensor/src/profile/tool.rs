//! What kind of program a name is: how far its arguments may be generalised, and what a
//! reviewer should look at.

use super::template::Freedom;
use crate::detect::{is_interpreter, is_shell, stem};

/// Programs that tell about the machine, sorted.
pub(super) const RECON: &[&str] = &[
    "arch",
    "arp",
    "cat",
    "df",
    "dmesg",
    "env",
    "find",
    "free",
    "getent",
    "groups",
    "hostname",
    "hostnamectl",
    "id",
    "ifconfig",
    "ip",
    "ipconfig",
    "last",
    "lastlog",
    "locate",
    "logname",
    "ls",
    "lsattr",
    "lsb_release",
    "lsblk",
    "lscpu",
    "lsmod",
    "lsof",
    "mount",
    "netstat",
    "nproc",
    "pgrep",
    "pidof",
    "printenv",
    "ps",
    "pstree",
    "pwd",
    "route",
    "ss",
    "stat",
    "sysctl",
    "systemd-detect-virt",
    "top",
    "uname",
    "uptime",
    "users",
    "w",
    "which",
    "who",
    "whoami",
];

/// Programs that talk to others, sorted.
pub(super) const NETWORK: &[&str] = &[
    "aria2c",
    "axel",
    "curl",
    "dig",
    "fetch",
    "ftp",
    "ftpget",
    "ftpput",
    "git",
    "gsocket",
    "host",
    "lftp",
    "lynx",
    "nc",
    "nc.openbsd",
    "nc.traditional",
    "ncat",
    "netcat",
    "ngrok",
    "nmap",
    "nslookup",
    "openssl",
    "ping",
    "proxychains",
    "rclone",
    "rsync",
    "scp",
    "sftp",
    "smbclient",
    "socat",
    "ssh",
    "sshpass",
    "tcpdump",
    "telnet",
    "tftp",
    "traceroute",
    "w3m",
    "wget",
];

/// Programs that run what their arguments say, sorted.
const WRAPPERS: &[&str] = &[
    "at",
    "busybox",
    "chroot",
    "command",
    "crontab",
    "crun",
    "doas",
    "docker",
    "ed",
    "env",
    "eval",
    "exec",
    "find",
    "flock",
    "gdb",
    "ionice",
    "java",
    "kubectl",
    "make",
    "mariadb",
    "mysql",
    "nice",
    "nohup",
    "nsenter",
    "parallel",
    "pkexec",
    "podman",
    "psql",
    "run-parts",
    "runc",
    "runuser",
    "script",
    "setarch",
    "setpriv",
    "setsid",
    "source",
    "sqlite",
    "sqlite3",
    "start-stop-daemon",
    "stdbuf",
    "su",
    "sudo",
    "systemd-run",
    "taskset",
    "tclsh",
    "time",
    "timeout",
    "toybox",
    "unshare",
    "vim",
    "watch",
    "xargs",
];

/// What a reviewer should look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Review {
    /// Tells about the machine.
    Recon,
    /// Talks to others.
    Network,
    /// Runs code.
    Interpreter,
}

impl Review {
    /// Word used in lists.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Recon => "recon",
            Self::Network => "network",
            Self::Interpreter => "interpreter",
        }
    }
}

fn listed(list: &[&str], name: &[u8]) -> bool {
    list.binary_search_by(|known| known.as_bytes().cmp(name))
        .is_ok()
}

/// What there is to review about the program with this path or name.
#[must_use]
pub(super) fn review(program: &[u8]) -> Option<Review> {
    let name = file_name(program);
    let either = |list| listed(list, name) || listed(list, stem(name));
    if either(NETWORK) {
        Some(Review::Network)
    } else if is_interpreter(stem(name)) {
        Some(Review::Interpreter)
    } else {
        either(RECON).then_some(Review::Recon)
    }
}

/// How far arguments of the program with this path or name may be generalised.
#[must_use]
pub(super) fn freedom(program: &[u8]) -> Freedom {
    let name = file_name(program);
    let either = |list| listed(list, name) || listed(list, stem(name));
    if either(NETWORK) || name == b"." {
        Freedom::None
    } else if is_shell(name) || is_interpreter(stem(name)) || either(WRAPPERS) {
        Freedom::Numbers
    } else {
        Freedom::All
    }
}

fn file_name(path: &[u8]) -> &[u8] {
    path.rsplit(|&byte| byte == b'/').next().unwrap_or(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_sorted() {
        for list in [RECON, NETWORK, WRAPPERS] {
            assert!(list.is_sorted());
        }
    }

    #[test]
    fn programs_are_told_apart() {
        for (program, kind, free) in [
            ("/usr/bin/convert", None, Freedom::All),
            ("/usr/bin/curl", Some(Review::Network), Freedom::None),
            (
                "/usr/bin/python3.11",
                Some(Review::Interpreter),
                Freedom::Numbers,
            ),
            ("/usr/bin/id", Some(Review::Recon), Freedom::All),
            ("/usr/bin/dash", None, Freedom::Numbers),
            ("timeout", None, Freedom::Numbers),
            (".", None, Freedom::None),
        ] {
            assert_eq!(review(program.as_bytes()), kind, "{program}");
            assert_eq!(freedom(program.as_bytes()), free, "{program}");
        }
    }
}
