//! Bursts of reconnaissance: how many different tools a service has started of late.

use std::{collections::HashMap, sync::LazyLock};

use foldhash::fast::RandomState;

use super::aged::Aged;
use crate::{
    event::ProcessId,
    lineage::{Part, Subject},
};

/// Tools kept, of all services.
const BOUND: usize = 4_096;

/// How long a tool counts, ns.
const WINDOW_NS: u64 = 60_000_000_000;

/// Names of tools that tell who and where one is. A test compares them with the rule
/// `recon_tool_under_service`; `env` alone is its other half.
pub(in crate::detect) const TOOLS: &[&str] = &[
    "id",
    "whoami",
    "w",
    "w.procps",
    "who",
    "users",
    "last",
    "lastlog",
    "groups",
    "logname",
    "getent",
    "hostname",
    "hostnamectl",
    "uname",
    "arch",
    "lsb_release",
    "uptime",
    "printenv",
    "pwd",
    "ip",
    "ifconfig",
    "route",
    "netstat",
    "ss",
    "arp",
    "iptables",
    "xtables-nft-multi",
    "xtables-legacy-multi",
    "nft",
    "ps",
    "pstree",
    "top",
    "lsof",
    "systemctl",
    "df",
    "du",
    "lsblk",
    "lscpu",
    "lspci",
    "lsmod",
    "dmesg",
    "mount",
    "findmnt",
    "ls",
    "cat",
    "find",
    "locate",
    "mlocate",
    "plocate",
    "crontab",
    "sudo",
    "getcap",
    "capsh",
];

/// Places in [`TOOLS`], which is asked of every exec.
static NUMBERS: LazyLock<HashMap<&[u8], usize, RandomState>> = LazyLock::new(|| {
    let numbered = TOOLS.iter().enumerate();
    numbered
        .map(|(number, tool)| (tool.as_bytes(), number))
        .collect()
});

/// See the module.
#[derive(Debug)]
pub(super) struct Recon {
    tools: Aged<(ProcessId, usize)>,
}

impl Default for Recon {
    fn default() -> Self {
        Self {
            tools: Aged::new(BOUND),
        }
    }
}

impl Recon {
    /// Notes an exec; how many different tools there were of late, this one included, when
    /// it is one that was not among them. `name` is that of the program.
    pub(super) fn note(&mut self, subject: &Subject, name: &[u8]) -> Option<u32> {
        let service = subject.service.as_ref()?.id;
        let serves = matches!(subject.origin, Part::Worker | Part::Both);
        if subject.own_image || !serves {
            return None;
        }
        let tool = *NUMBERS.get(name)?;
        let now = subject.stamp.time_ns;
        let is_recent = |tool: usize| {
            let age = self.tools.age(&(service, tool), now);
            age.is_some_and(|age| age <= WINDOW_NS)
        };
        let others = (0..TOOLS.len()).filter(|&other| other != tool && is_recent(other));
        let (others, again) = (others.count(), is_recent(tool));
        self.tools.insert((service, tool), (), now);
        (!again).then(|| u32::try_from(others).unwrap_or(u32::MAX).saturating_add(1))
    }
}
