//! What an alert lacks, and why.

use sensor_common::record::fault;

use super::{super::model::Evidence, Finding, NAME, act, short};
use crate::lineage::Act;

pub(super) fn evidence(finding: &Finding<'_>) -> Evidence {
    let Finding {
        subject,
        incomplete,
        degraded,
        ..
    } = *finding;
    let mut evidence = Evidence {
        lost_events: subject.lost_events,
        redacted: finding.redacted,
        degraded: act::degraded(&subject.act),
        ..Evidence::default()
    };
    let degraded = degraded.iter().take(16);
    evidence
        .degraded
        .extend(degraded.map(|reason| short(reason, NAME)));
    let program = &subject.program;
    if program.args.truncated {
        evidence.cut("process.args");
    }
    for (_, field) in CUTS.iter().filter(|(bit, _)| program.faults.has(*bit)) {
        evidence.cut(field);
    }
    let mut earlier = subject.lineage.ancestors.iter().rev().skip(1);
    if earlier.any(|ancestor| {
        ancestor
            .program
            .as_ref()
            .is_some_and(|it| it.args.truncated)
    }) {
        evidence.cut("lineage.args");
    }
    if let Act::File(file) = &subject.act {
        for (_, field) in FILE_CUTS.iter().filter(|(bit, _)| file.faults.has(*bit)) {
            evidence.cut(field);
        }
        if file.faults.has(fault::PATH) {
            evidence.lacks("file.path");
        }
    }
    for (_, field) in GAPS.iter().filter(|(bit, _)| program.faults.has(*bit)) {
        evidence.lacks(field);
    }
    for fact in incomplete.iter().take(16) {
        evidence.lacks(&short(fact, NAME));
    }
    evidence
}

/// Faults of a record that cut a field.
const CUTS: &[(u32, &str)] = &[
    (fault::ARGS_CUT, "process.args"),
    (fault::EXE_CUT, "process.executable"),
    (fault::CWD_CUT, "process.working_directory"),
    (fault::ENV_CUT, "process.env_vars"),
];

/// The same of a record about a file.
const FILE_CUTS: &[(u32, &str)] = &[
    (fault::EXE_CUT, "file.path"),
    (fault::CWD_CUT, "file.old_path"),
    (fault::TYPED, "file.path"),
];

/// Faults of a record that leave a field unknown, in whole or in part.
const GAPS: &[(u32, &str)] = &[
    (fault::ARGS, "process.args"),
    (fault::FILENAME, "process.filename"),
    (fault::ENV, "process.env_vars"),
    (fault::STDIO, "process.stdio"),
    (fault::PATH, "process.executable"),
    (fault::MAP_FULL, "process.descendants"),
];
