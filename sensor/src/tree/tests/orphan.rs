//! Branches that outlive what spawned them: when each is reported, and how often.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;
use crate::{
    lineage::Act,
    tree::orphan::{MOMENTS, OUTLIVES_NS},
};

const CODE: ExitStatus = ExitStatus::Code(0);

impl World {
    /// What a tick after `seconds` reports.
    fn after(&mut self, seconds: u64) -> Vec<Subject> {
        self.now += seconds * SECOND;
        let effects = self.tree.expire(self.now);
        let subjects = self.note(effects);
        assert!(subjects.iter().all(|it| it.act == Act::Outlive));
        subjects
    }

    /// `sh -c '<path> &'` of a page: the shell and the job.
    fn job(&mut self, worker: ProcessId, pid: u32, path: &str) -> (ProcessId, ProcessId) {
        let shell = self.fork(worker, pid);
        self.exec(shell, "/usr/bin/dash", "sh -c job");
        let job = self.fork(shell, pid + 1);
        self.exec(job, path, path);
        (shell, job)
    }
}

#[test]
fn a_job_in_the_background_is_reported_once_a_minute_after_its_shell() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let (shell, job) = world.job(worker, 102, "/usr/bin/php8.2");
    world.exit(shell, CODE);
    let ended = world.now;
    assert!(world.after(59).is_empty());
    let found = world.after(2);
    assert_eq!(found.len(), 1);
    let subject = &found[0];
    assert_eq!((subject.process, subject.spawn_root), (job, shell));
    assert_eq!(subject.stamp.time_ns, ended + OUTLIVES_NS);
    assert_eq!(subject.origin, Part::Worker);
    assert_eq!(pids(subject), [100, 101, 102, 103]);
    assert!(subject.program.image.path.ends_with(b"php8.2"));
    // What it starts later belongs to the same branch.
    let next = world.fork(job, 110);
    world.exec(next, "/usr/bin/convert", "convert");
    let last = world.fork(next, 111);
    world.exit(next, CODE);
    world.exit(job, CODE);
    world.exec(last, "/usr/bin/convert", "convert");
    assert!(world.after(61).is_empty() && world.after(3_600).is_empty());
}

#[test]
fn who_is_waited_for_is_no_orphan() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let (_, export) = world.job(worker, 102, "/usr/bin/ffmpeg");
    assert!(world.after(3_600).is_empty());
    let direct = world.fork(worker, 110);
    world.exec(direct, "/usr/bin/ffmpeg", "ffmpeg");
    assert!(world.after(3_600).is_empty());
    world.exit(export, CODE);
    assert!(world.after(61).is_empty());
}

#[test]
fn what_ends_within_the_minute_is_not_reported() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let (shell, job) = world.job(worker, 102, "/usr/bin/php8.2");
    world.exit(shell, CODE);
    assert!(world.after(50).is_empty());
    world.exit(job, CODE);
    assert!(world.after(20).is_empty());
}

#[test]
fn a_worker_that_ends_orphans_what_it_forked() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let (shell, _) = world.job(worker, 102, "/usr/bin/ffmpeg");
    world.exit(worker, ExitStatus::Signal(9));
    let found = world.after(61);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].process, shell, "the oldest of the branch");
    world.exit(shell, CODE);
    assert!(world.after(61).is_empty(), "once for a branch");
}

#[test]
fn forks_before_the_branch_leaves_do_not_hide_it() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let first = world.fork(worker, 102);
    let second = world.fork(first, 103);
    world.exit(first, CODE);
    assert!(world.after(600).is_empty(), "still the service's own image");
    let third = world.fork(second, 104);
    world.exec(third, "/usr/bin/dash", "sh");
    assert!(world.after(59).is_empty());
    let found = world.after(2);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].process, third);
}

#[test]
fn a_branch_that_forks_away_is_reported_all_the_same() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let mut last = world.fork(worker, 102);
    world.exec(last, "/tmp/x", "x");
    let mut found = Vec::new();
    for pid in 103..143 {
        let next = world.fork(last, pid);
        world.exit(last, CODE);
        last = next;
        found.extend(world.after(5));
    }
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].spawn_root.tgid, 102);
}

#[test]
fn masters_that_daemonise_and_reload_leave_no_orphans() {
    let mut world = World::new();
    let starter = world.server(100, "/usr/sbin/php-fpm8.2");
    let master = world.fork(starter, 101);
    world.exit(starter, CODE);
    let worker = world.fork(master, 102);
    assert!(world.after(61).is_empty());
    world.exit(worker, CODE);
    world.fork(master, 103);
    assert!(world.after(61).is_empty());
}

#[test]
fn an_exit_that_was_lost_counts_from_the_scan_that_shows_it() {
    let mut world = World::new();
    let (master, worker) = world.fpm();
    let (_, job) = world.job(worker, 102, "/usr/bin/php8.2");
    world.now += 40 * SECOND;
    let rows = vec![
        world.row(master, ProcessId::new(1, 1), "/usr/sbin/php-fpm8.2", 0),
        world.row(worker, master, "/usr/sbin/php-fpm8.2", 33),
        world.row(job, ProcessId::new(1, 1), "/usr/bin/php8.2", 33),
    ];
    world.seed(rows);
    assert!(world.after(59).is_empty());
    assert_eq!(world.after(2).len(), 1);
}

#[test]
fn moments_are_bounded_and_what_is_left_out_is_counted() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let more = u32::try_from(MOMENTS).expect("small") + 10;
    for index in 0..more {
        let (shell, _) = world.job(worker, 1_000 + 2 * index, "/usr/bin/sleep");
        world.exit(shell, CODE);
    }
    assert_eq!(world.tree.orphans.len(), MOMENTS);
    assert_eq!(world.tree.shed().orphans, 10);
    assert_eq!(world.after(61).len(), MOMENTS);
    assert!(world.tree.orphans.is_empty());
}

#[test]
fn a_branch_whose_middle_ended_first_is_reported_all_the_same() {
    let mut world = World::new();
    let (_, worker) = world.fpm();
    let shell = world.fork(worker, 102);
    world.exec(shell, "/usr/bin/dash", "sh -c (job &)");
    let middle = world.fork(shell, 103);
    let job = world.fork(middle, 104);
    world.exit(middle, CODE);
    world.exit(shell, CODE);
    world.exec(job, "/usr/bin/sleep", "sleep 3600");
    let found = world.after(61);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0].process, job);
}

/// What a server and what it begot may do next; a process is chosen by its place among
/// those that live.
#[derive(Clone, Debug)]
enum Step {
    Fork(prop::sample::Index),
    Exec(prop::sample::Index, &'static str),
    Exit(prop::sample::Index),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let path = prop::sample::select(vec!["/usr/bin/dash", "/usr/bin/env", "/usr/bin/sleep"]);
    prop_oneof![
        4 => any::<prop::sample::Index>().prop_map(Step::Fork),
        3 => (any::<prop::sample::Index>(), path).prop_map(|(who, path)| Step::Exec(who, path)),
        3 => any::<prop::sample::Index>().prop_map(Step::Exit),
        1 => (0..90_u64).prop_map(Step::Wait),
    ]
}

/// Branches that live and were orphaned at least [`OUTLIVES_NS`] ago, by a walk over the
/// whole table: service, first process.
fn overdue(world: &World) -> BTreeSet<(ProcessId, ProcessId)> {
    let live = world.tree.table.nodes().filter(|(_, node)| node.is_live());
    let left = live.flat_map(|(_, node)| node.branches());
    left.filter(|branch| branch.part == Part::Descendant)
        .filter(|branch| {
            let orphaned = world.tree.orphaned_ns(branch);
            orphaned.is_some_and(|time_ns| time_ns + OUTLIVES_NS <= world.now)
        })
        .map(|branch| (branch.service, branch.spawn_root))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is forked, exec'ed and ended in whatever order.
    #[test]
    fn each_branch_that_outlives_is_reported_once(
        steps in prop::collection::vec(step(), 1..150),
    ) {
        let mut world = World::new();
        let (master, worker) = world.fpm();
        let mut live = vec![master, worker];
        let mut reported = BTreeSet::new();
        let last = [Step::Wait(61)];
        for (pid, step) in (200..).zip(steps.iter().chain(&last)) {
            match step {
                Step::Fork(who) if !live.is_empty() => {
                    live.push(world.fork(*who.get(&live), pid));
                }
                Step::Exec(who, path) if !live.is_empty() => {
                    let who = *who.get(&live);
                    world.exec(who, path, path);
                }
                Step::Exit(who) if !live.is_empty() => {
                    let who = live.swap_remove(who.index(live.len()));
                    // A master that ends well is followed by its heir: who leads changes.
                    let status = if who == master { ExitStatus::Signal(9) } else { CODE };
                    world.exit(who, status);
                }
                Step::Wait(seconds) => {
                    world.now += seconds * SECOND;
                    let expected: Vec<_> = overdue(&world).difference(&reported).copied().collect();
                    let mut found: Vec<_> = world
                        .after(0)
                        .into_iter()
                        .map(|it| (it.service.expect("of a service").id, it.spawn_root))
                        .collect();
                    found.sort_unstable();
                    prop_assert_eq!(&found, &expected);
                    reported.extend(found);
                }
                Step::Fork(_) | Step::Exec(..) | Step::Exit(_) => {}
            }
        }
    }
}
