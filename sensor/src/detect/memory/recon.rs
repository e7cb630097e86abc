//! Bursts of reconnaissance: how many different tools a service has started of late.

use std::{collections::HashMap, sync::LazyLock};

use foldhash::fast::RandomState;

use super::aged::Aged;
use crate::{
    detect::program,
    event::{ProcessId, Program},
    lineage::{Part, Subject},
};

/// Tools kept, of all services.
const BOUND: usize = 4_096;

/// Kinds of programs of which is known whether they are tools.
const KINDS: usize = 1_024;

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
    known: Known,
}

impl Default for Recon {
    fn default() -> Self {
        Self {
            tools: Aged::new(BOUND),
            known: Known::default(),
        }
    }
}

/// Which tools the programs of some kinds are, by the number of the kind: most execs are
/// none, and what a program is called costs more to find out.
#[derive(Debug)]
struct Known(Box<[(u64, Option<usize>)]>);

impl Default for Known {
    fn default() -> Self {
        Self(vec![(0, None); KINDS].into())
    }
}

impl Known {
    fn tool(&mut self, program: &Program) -> Option<usize> {
        let find = || NUMBERS.get(&**program::name(program)).copied();
        let Some(kind) = program.kin() else {
            return find();
        };
        let place = usize::try_from(kind.get() % KINDS as u64).unwrap_or_default();
        let known = self.0.get_mut(place)?;
        if known.0 != kind.get() {
            *known = (kind.get(), find());
        }
        known.1
    }
}

impl Recon {
    /// Notes an exec; how many different tools there were of late, this one included, when
    /// it is one that was not among them.
    pub(super) fn note(&mut self, subject: &Subject) -> Option<u32> {
        let service = subject.service.as_ref()?.id;
        let serves = matches!(subject.origin, Part::Worker | Part::Both);
        if subject.own_image || !serves {
            return None;
        }
        let tool = self.known.tool(&subject.program)?;
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
