//! What is said of losses: at once, then once a minute, and only where a service lives.

use super::*;
use crate::{event::RingKind, lineage::Act, tree::loss::INTERVAL_NS};

impl World {
    /// `count` records are missing.
    fn lose(&mut self, count: u64) -> Vec<u64> {
        let lost = Lost {
            ring: RingKind::Lifecycle,
            cpu: 0,
            count,
            time_ns: self.tick().time_ns,
        };
        let subjects = self.apply(&Event::Lost(lost));
        said(&subjects)
    }
}

fn said(subjects: &[Subject]) -> Vec<u64> {
    let records = |subject: &Subject| match subject.act {
        Act::Lose(records) => records,
        _ => panic!("{subject:?}"),
    };
    subjects.iter().map(records).collect()
}

#[test]
fn losses_are_said_at_once_and_then_once_a_minute() {
    let mut world = World::new();
    world.fpm();
    assert_eq!(world.lose(5), [5]);
    assert_eq!(world.lose(7), [0_u64; 0]);
    assert_eq!(world.lose(8), [0_u64; 0]);
    world.now += INTERVAL_NS;
    let effects = world.tree.expire(world.now);
    assert_eq!(said(&world.note(effects)), [15]);
    world.now += INTERVAL_NS;
    let effects = world.tree.expire(world.now);
    assert_eq!(said(&world.note(effects)), [0_u64; 0]);
    assert_eq!(world.lose(1), [1]);
}

#[test]
fn where_no_service_lives_nobody_is_concerned() {
    let mut world = World::new();
    assert_eq!(world.lose(5), [0_u64; 0]);
    world.fpm();
    assert_eq!(world.lose(2), [7]);
}
