//! Those who follow what is told, beside the sinks: a bounded queue for each, and the
//! latest documents for who comes late.
//!
//! Telling never waits for a follower. One that does not read loses what finds no room in
//! its queue, and reads in that place how much it was.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
};

use tokio::sync::Notify;

use super::Filter;
use crate::alert::{Document, Level};

/// Followers at once.
pub const FOLLOWERS: usize = 8;
/// Documents that wait for one follower.
pub const WAITING: usize = 256;
/// Documents remembered of each level: a flood of trifles does not push out what is grave.
pub const LATEST: usize = 32;

/// What a follower reads.
#[derive(Clone, Debug)]
pub enum Told {
    /// An alert or a notice.
    Document(Document),
    /// So many found no room here.
    Missed(u64),
}

/// See the module.
#[derive(Debug, Default)]
pub struct Tail(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    /// Documents so far.
    told: u64,
    /// With their numbers, in order of [`Level::ALL`].
    latest: [VecDeque<(u64, Document)>; Level::ALL.len()],
    followers: Vec<Weak<Shared>>,
}

#[derive(Debug)]
struct Shared {
    filter: Filter,
    queue: Mutex<VecDeque<Told>>,
    filled: Notify,
}

/// One who follows, until it is dropped.
#[derive(Debug)]
pub struct Follower(Arc<Shared>);

impl Tail {
    /// Hands a document to every follower that wants it. Never waits.
    pub fn send(&self, document: &Document) {
        let mut state = self.lock();
        state.told += 1;
        let number = state.told;
        let latest = &mut state.latest[document.weight() as usize];
        if latest.len() == LATEST {
            latest.pop_front();
        }
        latest.push_back((number, document.clone()));
        state.followers.retain(|follower| {
            let follower = follower.upgrade();
            follower.map(|it| it.push(document)).is_some()
        });
    }

    /// Follows what `filter` lets through, from the `last` of what was told on; `None` when
    /// there are [`FOLLOWERS`] already.
    #[must_use]
    pub fn follow(&self, filter: Filter, last: usize) -> Option<Follower> {
        let mut state = self.lock();
        state.followers.retain(|it| it.strong_count() > 0);
        if state.followers.len() >= FOLLOWERS {
            return None;
        }
        let latest = state.latest.iter().flatten();
        let mut latest: Vec<_> = latest.filter(|(_, it)| filter.wants(it)).collect();
        latest.sort_by_key(|(number, _)| *number);
        let skipped = latest.len().saturating_sub(last);
        let queue = latest.into_iter().skip(skipped);
        let queue = queue.map(|(_, document)| Told::Document(document.clone()));
        let shared = Arc::new(Shared {
            queue: Mutex::new(queue.collect()),
            filter,
            filled: Notify::new(),
        });
        // What waits already is found without being told.
        state.followers.push(Arc::downgrade(&shared));
        Some(Follower(shared))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, VecDeque<Told>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, document: &Document) {
        if !self.filter.wants(document) {
            return;
        }
        let mut queue = self.lock();
        if queue.len() < WAITING {
            queue.push_back(Told::Document(document.clone()));
        } else if let Some(Told::Missed(count)) = queue.back_mut() {
            *count += 1;
        } else {
            queue.push_back(Told::Missed(1));
        }
        drop(queue);
        self.filled.notify_one();
    }
}

impl Follower {
    /// The next that was told; waits for it. What is not taken because the future is dropped
    /// stays.
    pub async fn next(&self) -> Told {
        loop {
            if let Some(told) = self.0.lock().pop_front() {
                return told;
            }
            self.0.filled.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::runtime::Builder;

    use super::*;
    use crate::alert::sample::{closed, sample};

    /// An alert of this level that can be told from others.
    fn alert(level: Level, number: u64) -> Document {
        let mut alert = sample().alert();
        alert.rule.level = level;
        alert.incident = None;
        alert.event.sequence = number;
        Document::Alert(Arc::new(alert))
    }

    fn number(told: &Told) -> u64 {
        match told {
            Told::Document(Document::Alert(alert)) => alert.event.sequence,
            other => panic!("{other:?}"),
        }
    }

    /// All that waits.
    fn read(follower: &Follower) -> Vec<Told> {
        follower.0.lock().drain(..).collect()
    }

    #[test]
    fn the_latest_come_first_in_order_and_by_level() {
        let tail = Tail::default();
        for number in 0..100 {
            let level = if number % 10 == 0 {
                Level::High
            } else {
                Level::Low
            };
            tail.send(&alert(level, number));
        }
        let from = |level, last| {
            let follower = tail.follow(Filter::from(level), last).unwrap();
            read(&follower).iter().map(number).collect::<Vec<_>>()
        };
        assert_eq!(from(Level::Low, 3), [97, 98, 99]);
        assert_eq!(from(Level::High, 2), [80, 90]);
        // The grave ones are there, whatever has come since.
        assert_eq!(from(Level::Low, 1_000).first(), Some(&0));
        assert_eq!(from(Level::Low, 1_000).len(), LATEST + 10);
        assert_eq!(from(Level::Critical, 5), [0; 0]);
        assert_eq!(from(Level::Low, 0), [0; 0]);
    }

    #[test]
    fn notices_are_followed_too() {
        let tail = Tail::default();
        let follower = tail.follow(Filter::from(Level::Informational), 0).unwrap();
        tail.send(&Document::Notice(closed()));
        let told = read(&follower);
        assert!(
            matches!(told[..], [Told::Document(Document::Notice(_))]),
            "{told:?}"
        );
    }

    #[test]
    fn a_place_is_free_again_when_its_follower_has_gone() {
        let tail = Tail::default();
        let follow = || tail.follow(Filter::from(Level::Low), 0);
        let mut all: Vec<_> = (0..FOLLOWERS).map(|_| follow().unwrap()).collect();
        assert!(follow().is_none());
        all.pop();
        assert!(follow().is_some());
        tail.send(&alert(Level::Low, 1));
        assert_eq!(tail.lock().followers.len(), FOLLOWERS - 1);
    }

    #[test]
    fn who_waits_is_woken() {
        let runtime = Builder::new_current_thread().build().unwrap();
        let tail = Arc::new(Tail::default());
        let follower = tail.follow(Filter::from(Level::Low), 0).unwrap();
        let told = runtime.block_on(async {
            let teller = Arc::clone(&tail);
            let (told, ()) = tokio::join!(follower.next(), async move {
                teller.send(&alert(Level::Low, 7));
            });
            told
        });
        assert_eq!(number(&told), 7);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// However reading and telling alternate: nothing is lost that is not counted, in
        /// the place where it is missing, and no more than the bound waits.
        #[test]
        fn what_is_missed_is_counted_in_its_place(turns in prop::collection::vec((0..400_usize, 0..400_usize), 1..12)) {
            let tail = Tail::default();
            let follower = tail.follow(Filter::from(Level::Low), 0).unwrap();
            let document = alert(Level::Low, 0);
            let Document::Alert(base) = &document else { unreachable!() };
            let (mut sent, mut expected) = (0, 0);
            let mut check = |told: Vec<Told>| {
                for told in told {
                    match told {
                        Told::Missed(count) => expected += count,
                        told @ Told::Document(_) => {
                            prop_assert_eq!(number(&told), expected);
                            expected += 1;
                        }
                    }
                }
                Ok(())
            };
            for (tell, take) in turns {
                for _ in 0..tell {
                    let mut alert = (**base).clone();
                    alert.event.sequence = sent;
                    tail.send(&Document::Alert(Arc::new(alert)));
                    sent += 1;
                }
                prop_assert!(follower.0.lock().len() <= WAITING + 1);
                let told = {
                    let mut queue = follower.0.lock();
                    let take = take.min(queue.len());
                    queue.drain(..take).collect()
                };
                check(told)?;
            }
            check(read(&follower))?;
            prop_assert_eq!(expected, sent);
        }
    }
}
