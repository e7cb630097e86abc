//! Input made to break the line: too long, too dear to escape, out of range.

use std::{collections::HashMap, sync::Arc};

use proptest::prelude::*;

use super::{
    super::sample::{Sample, ancestor, file_sample, placed, program, sample},
    checked, own,
};
use crate::{
    event::{Args, ExitStatus, Faults, Fd, File, FileAction, Program},
    lineage::{Act, Part},
};

#[test]
fn the_worst_case_fits() {
    let long = "<".repeat(5_000);
    let mut sample = sample();
    let worst = Arc::new(program(&long, &[&long, &long]));
    let ancestor = |part| {
        let mut ancestor = ancestor(u32::MAX, &worst, part);
        ancestor.chain = vec![Arc::clone(&worst); 10];
        ancestor.chain_elided = u32::MAX;
        ancestor.exit = Some((0, ExitStatus::Code(255)));
        ancestor
    };
    sample.subject.lineage.ancestors = vec![ancestor(Part::Descendant); 32];
    sample.subject.creator = Some(ancestor(Part::Worker));
    let own = own(&mut sample);
    *own = (*worst).clone();
    own.cwd = long.as_str().into();
    own.filename = format!("x{long}").into();
    own.faults = Faults(u32::MAX);
    own.env = vec![(long.as_str().into(), long.as_str().into()); 4];
    let Act::File(act) = file_sample().subject.act else {
        unreachable!("the sample is about a file");
    };
    let mut act = File::clone(&act);
    (act.path, act.other) = (long.as_str().into(), Some(format!("\u{1b}{long}").into()));
    act.faults = Faults(u32::MAX);
    sample.subject.act = Act::File(Arc::new(act));
    let rule = &mut sample.rule;
    for text in [
        &mut rule.name,
        &mut rule.uuid,
        &mut rule.title,
        &mut rule.description,
        &mut rule.triage,
    ] {
        text.clone_from(&long);
    }
    rule.falsepositives = vec![long.clone(); 20];
    rule.techniques = vec![long.clone(); 20];
    sample.fields = vec![(long.clone(), long.clone()); 20];
    sample.degraded = vec![long.clone(); 20];
    sample.host.name.clone_from(&long);
    let mut placed = placed();
    (placed.image, placed.name) = (Some(long.clone()), Some(long.clone()));
    let pod = placed.pod.as_mut().expect("it is in a pod");
    pod.name = Some((long.clone(), long.clone()));
    pod.labels = vec![(long.clone(), long.clone()); 40];
    sample.placed = Some(placed);
    sample.host.users = HashMap::from([(0, long.clone()), (33, long)]);
    let line = sample.alert().to_json();
    let alert = checked(&line);
    assert_eq!(alert["lineage_elided"], 26);
    assert_eq!(alert["lineage"][1]["position"], 27);
}

/// Bytes that cost much once escaped, in any length.
fn hostile() -> impl Strategy<Value = Vec<u8>> {
    let unit = prop_oneof![
        Just(&b"<"[..]),
        Just(&b"\xff"[..]),
        Just(&b"\x1b[2J"[..]),
        Just("\u{202e}".as_bytes()),
        Just("\u{e0041}".as_bytes()),
        Just(&b"\\\""[..]),
        Just(&b"\\n\n"[..]),
        Just(&b"/a"[..]),
        Just(&b""[..]),
    ];
    let size = prop_oneof![6 => 0_usize..30, 2 => 0_usize..1500, 1 => Just(6_000_usize)];
    (unit, size).prop_map(|(unit, size)| unit.repeat(size))
}

prop_compose! {
    fn hostile_program()(
        path in hostile(), filename in hostile(), interp in hostile(), cwd in hostile(),
        head in prop::collection::vec(hostile(), 0..6), tail in prop::collection::vec(hostile(), 0..4),
        env in prop::collection::vec((hostile(), hostile()), 0..3), cgroup in hostile(),
        truncated: bool, unlinked: bool, faults: u32, size: u64, ctime: Option<i64>, uid in 0_u32..3,
    ) -> Program {
        let mut program = program("", &[]);
        program.image.path = path.into();
        (program.image.unlinked, program.image.size, program.image.ctime_ns) = (unlinked, size, ctime);
        (program.filename, program.interp, program.cwd) = (filename.into(), interp.into(), cwd.into());
        let strings = |list: Vec<Vec<u8>>| list.into_iter().map(Into::into).collect::<Vec<_>>();
        program.args = Args { head: strings(head), tail: strings(tail), argc: u32::MAX, total: u64::MAX, truncated };
        program.env = env.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        program.cgroup.path = cgroup.into();
        program.cred.euid = uid;
        program.stdio = [Fd::Unknown, Fd::Closed, Fd::Socket];
        program.faults = Faults(faults);
        program
    }
}

fn lossy() -> impl Strategy<Value = String> {
    hostile().prop_map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

prop_compose! {
    fn hostile_sample()(
        own in hostile_program(), programs in prop::collection::vec(hostile_program(), 1..4),
        path in hostile(), other in hostile(), is_file: bool, link: bool, ancestors in 0_usize..32, chain in 0_usize..7, lost: u64, time: u64, offset: i64,
        texts in prop::collection::vec(lossy(), 14), fields in prop::collection::vec((lossy(), lossy()), 0..12),
        many in prop_oneof![4 => 0_usize..4, 1 => Just(100_usize)],
    ) -> Sample {
        let mut sample = sample();
        let programs = programs.into_iter().map(Arc::new).collect::<Vec<_>>();
        let at = |index: usize| &programs[index % programs.len()];
        let family = (0..ancestors).map(|index| {
            let mut ancestor = ancestor(u32::MAX - 3, at(index), Part::Descendant);
            ancestor.chain = (0..chain).map(|step| Arc::clone(at(index + step))).collect();
            ancestor.chain_elided = u32::MAX;
            ancestor
        });
        sample.subject.lineage.ancestors = family.collect();
        sample.subject.lineage.elided = u32::MAX;
        sample.subject.creator = sample.subject.lineage.ancestors.first().cloned();
        sample.subject.program = Arc::new(own);
        if is_file && let Act::File(act) = file_sample().subject.act {
            let mut act = File::clone(&act);
            (act.path, act.other) = (path.into(), Some(other.into()));
            if link {
                act.action = FileAction::Symlink;
            }
            sample.subject.act = Act::File(Arc::new(act));
        }
        (sample.subject.lost_events, sample.subject.stamp.time_ns) = (lost, time);
        let mut texts = texts.into_iter();
        let mut text = || texts.next().unwrap();
        let rule = &mut sample.rule;
        (rule.name, rule.uuid, rule.title, rule.description, rule.triage) = (text(), text(), text(), text(), text());
        rule.falsepositives = vec![text(); many];
        rule.techniques = vec![text(); many];
        sample.degraded = vec![text(); many];
        (sample.host.name, sample.host.boot_id, sample.host.realtime_minus_boottime_ns) = (text(), text(), offset);
        sample.host.users = HashMap::from([(0, text()), (1, text())]);
        Arc::make_mut(sample.subject.service.as_mut().unwrap()).unit = text();
        sample.fields = fields;
        sample
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_comes_in_one_bounded_valid_line_comes_out(sample in hostile_sample()) {
        checked(&sample.alert().to_json());
    }
}
