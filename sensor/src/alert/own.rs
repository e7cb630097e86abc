//! What the sensor has to say of itself, in the form of an alert, so that every sink has a
//! form for it: capture has ended, the self-test has failed.

use super::{Alert, Finding, Host, Level, RuleInfo};
use crate::{event::ProcessId, lineage::Subject};

/// Impair Defenses: Disable or Modify Tools.
const TECHNIQUE: &str = "T1562.001";

/// The collector was killed or has crashed; said by the outlet.
pub const CAPTURE_ENDED: Own = Own {
    rule: "capture_ended",
    uuid: "5d0b3f0e-6a0c-4a56-9f0e-2f6a7c1f4f51",
    title: "Capture has ended",
    when: "the sensor's collector was killed or has crashed; the outlet says so, under the number \
           behind the last it was told, and ends",
    triage: "The sensor's collector was killed or has crashed: nothing is seen until it is started \
             again. Look for who ended it (kernel log, oom-kill, audit) and for what happened on \
             the host meanwhile.",
};

/// The self-test has failed, which is made again every minute.
pub const SELF_TEST_FAILED: Own = Own {
    rule: "self_test_failed",
    uuid: "0a3b1c5e-7f0f-4b6f-9a3c-6f1d3a0b8f52",
    title: "The sensor's self-test has failed",
    when: "the self-test, made every minute, has failed; once, until it passes again",
    triage: "What the kernel records no longer agrees with /proc, or nothing is recorded: somebody \
             may have detached or blinded the sensor's programs. Compare with `lineage-sensor \
             doctor`, look for who used bpf(2), and restart the sensor.",
};

/// A rule that no file holds.
#[derive(Clone, Copy, Debug)]
pub struct Own {
    /// `rule.id`.
    pub rule: &'static str,
    /// `rule.uuid`.
    pub uuid: &'static str,
    /// `rule.name`.
    pub title: &'static str,
    /// When it is said, for the documents.
    pub when: &'static str,
    /// `rule.triage`.
    pub triage: &'static str,
}

/// All of them.
pub const OWN: [&Own; 2] = [&CAPTURE_ENDED, &SELF_TEST_FAILED];

impl Alert {
    /// An alert of level high about the sensor itself, whose own process is `process`; it is
    /// said at `time_ns`, `CLOCK_BOOTTIME`.
    #[must_use]
    pub fn of_sensor(
        own: &Own,
        message: String,
        (process, time_ns): (ProcessId, u64),
        host: &Host,
        sequence: u64,
    ) -> Self {
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
            process,
            ..Subject::of_nobody(0, time_ns)
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
        alert.message = message;
        alert
    }
}
