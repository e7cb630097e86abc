//! Identifiers derived from content, so that a replay gives the same ones.

use sha2::{Digest as _, Sha256};

use super::finding::{Finding, Host};
use crate::{
    event::ProcessId,
    lineage::{Act, Subject},
};

/// Identity of a process across hosts and boots: 64 bits in hex.
pub(super) fn entity(host: &Host, process: ProcessId) -> String {
    let mut hash = Hash::new("entity");
    hash.text(&host.boot_id);
    hash.process(process);
    hash.hex(8)
}

/// Identity of an alert: one rule about one act; 128 bits in hex.
pub(super) fn alert(host: &Host, finding: &Finding<'_>) -> String {
    let exec = finding.subject;
    let mut hash = Hash::new("alert");
    hash.text(&host.boot_id);
    hash.text(&finding.rule.name);
    hash.text(&finding.rule.uuid);
    hash.process(exec.process);
    hash.number(exec.stamp.cpu.into());
    hash.number(exec.stamp.seq);
    hash.number(exec.stamp.time_ns);
    // Records of the two rings may bear the same numbers.
    match &exec.act {
        Act::Exec => {}
        Act::File(_) => hash.text("file"),
        Act::Socket(_) => hash.text("socket"),
        Act::Outlive => hash.text("outlive"),
        Act::Lose(_) => hash.text("lose"),
    }
    hash.hex(16)
}

/// Identity of an incident: the act that opened it, below one spawn root; 128 bits in hex.
pub(crate) fn incident(host: &Host, subject: &Subject) -> String {
    let mut hash = Hash::new("incident");
    hash.text(&host.boot_id);
    if let Some(service) = &subject.service {
        hash.process(service.id);
    }
    hash.process(subject.spawn_root);
    hash.number(subject.stamp.cpu.into());
    hash.number(subject.stamp.seq);
    hash.number(subject.stamp.time_ns);
    hash.hex(16)
}

/// Identity of a notice about an incident.
pub(super) fn notice(incident: &str, action: &str, time_ns: u64) -> String {
    let mut hash = Hash::new("notice");
    hash.text(incident);
    hash.text(action);
    hash.number(time_ns);
    hash.hex(16)
}

/// SHA-256 over parts that cannot run into each other.
struct Hash(Sha256);

impl Hash {
    fn new(purpose: &str) -> Self {
        let mut hash = Self(Sha256::new());
        hash.text(purpose);
        hash
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.update(text);
    }

    fn process(&mut self, process: ProcessId) {
        self.number(process.tgid.into());
        self.number(process.start_ns);
    }

    fn number(&mut self, number: u64) {
        self.0.update(number.to_le_bytes());
    }

    fn hex(self, bytes: usize) -> String {
        let digest = self.0.finalize();
        let digits = digest.iter().take(bytes);
        let digits = digits.flat_map(|&byte| [byte >> 4, byte & 0xf]);
        let digits = digits.filter_map(|digit| char::from_digit(digit.into(), 16));
        digits.collect()
    }
}
