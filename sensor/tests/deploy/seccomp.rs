//! The profile of system calls for runtimes whose own is too narrow: never wider than the
//! filter of the systemd unit.

use std::{collections::BTreeSet, process::Command};

use serde_json::Value;

use crate::file;

const PROFILE: &str = "deploy/kubernetes/seccomp/lineage-sensor.json";
const UNIT: &str = "deploy/systemd/lineage-sensor.service";

#[test]
fn the_profile_allows_no_more_than_the_unit() {
    let mut allowed = BTreeSet::new();
    for line in file(UNIT).lines() {
        let Some(filter) = line.strip_prefix("SystemCallFilter=") else {
            continue;
        };
        let denied = filter.strip_prefix('~');
        for name in denied.unwrap_or(filter).split_whitespace() {
            let Some(calls) = calls(name) else {
                println!("SKIP the_profile_allows_no_more_than_the_unit: no systemd-analyze");
                return;
            };
            if denied.is_some() {
                allowed.retain(|call| !calls.contains(call));
            } else {
                allowed.extend(calls);
            }
        }
    }
    let profile: Value = serde_json::from_str(&file(PROFILE)).expect("JSON");
    assert_eq!(profile["defaultAction"], "SCMP_ACT_ERRNO");
    let [only] = profile["syscalls"].as_array().expect("a list").as_slice() else {
        panic!("one list");
    };
    assert_eq!(only["action"], "SCMP_ACT_ALLOW");
    let names = only["names"].as_array().expect("a list");
    let names: BTreeSet<_> = names
        .iter()
        .map(|name| name.as_str().expect("a name").to_owned())
        .collect();
    let more: Vec<_> = names.difference(&allowed).collect();
    assert!(more.is_empty(), "{more:?}");
    assert!(names.contains("bpf") && names.contains("perf_event_open"));
}

/// The calls of a set like `@privileged`, or the one call; `None` without systemd.
fn calls(name: &str) -> Option<BTreeSet<String>> {
    if !name.starts_with('@') {
        return Some(BTreeSet::from([name.to_owned()]));
    }
    let output = Command::new("systemd-analyze")
        .args(["syscall-filter", "--no-pager", name])
        .output()
        .ok()?;
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().skip(1).map(str::trim);
    let members = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
    members
        .map(calls)
        .try_fold(BTreeSet::new(), |mut all, some| {
            all.extend(some?);
            Some(all)
        })
}
