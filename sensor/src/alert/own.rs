//! What the sensor has to say of itself, in the form of an alert, so that every sink has a
//! form for it: capture has ended, the self-test has failed.

use super::{Alert, Finding, Host, Level, RuleInfo};
use crate::{event::ProcessId, lineage::Subject};

/// Impair Defenses: Disable or Modify Tools.
const TECHNIQUE: &str = "T1562.001";

/// A rule that no file holds, and what there is to say.
#[derive(Clone, Copy, Debug)]
pub struct Own<'a> {
    /// `rule.id`.
    pub rule: &'static str,
    /// `rule.uuid`.
    pub uuid: &'static str,
    /// `rule.name`.
    pub title: &'static str,
    /// One sentence.
    pub message: &'a str,
    /// `rule.triage`.
    pub triage: &'static str,
    /// The sensor's own process.
    pub process: ProcessId,
    /// `CLOCK_BOOTTIME`, ns.
    pub time_ns: u64,
}

impl Alert {
    /// An alert of level high about the sensor itself.
    #[must_use]
    pub fn of_sensor(own: &Own<'_>, host: &Host, sequence: u64) -> Self {
        let rule = RuleInfo {
            name: own.rule.to_owned(),
            uuid: own.uuid.to_owned(),
            title: own.title.to_owned(),
            level: Level::High,
            techniques: vec![TECHNIQUE.to_owned()],
            description: String::new(),
            triage: own.triage.to_owned(),
            falsepositives: Vec::new(),
        };
        let subject = Subject {
            process: own.process,
            ..Subject::of_nobody(0, own.time_ns)
        };
        let finding = Finding {
            subject: &subject,
            redacted: 0,
            rule: &rule,
            fields: &[],
            would_silence: false,
            incomplete: &[],
            degraded: &[],
            standing: None,
            script: None,
            placed: None,
        };
        let mut alert = Self::new(&finding, host, sequence);
        own.message.clone_into(&mut alert.message);
        alert
    }
}
