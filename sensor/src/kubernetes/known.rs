//! The pods that the collector knows of, as the outlet says. Nothing that it says is
//! believed further than that a label of a pod may be wrong: names are names, labels are of
//! the keys that were asked for, and all of it is bounded.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, PoisonError},
};

use super::{Change, PODS, Pod, WEIGHT};

/// Something was said that an outlet does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a pod whose names or labels are none")]
pub struct Lie;

/// Pods by UID, bounded by number and weight.
#[derive(Debug, Default)]
pub(super) struct Table {
    pods: BTreeMap<String, Pod>,
    weight: usize,
}

impl Table {
    /// Notes a pod; `false` when there is no room for it. What was known of it is forgotten
    /// then: it is no longer true.
    pub(super) fn put(&mut self, uid: String, pod: Pod) -> bool {
        self.remove(&uid);
        let weight = pod.weight(&uid);
        let has_room = self.pods.len() < PODS && self.weight + weight <= WEIGHT;
        if has_room {
            self.weight += weight;
            self.pods.insert(uid, pod);
        }
        has_room
    }

    fn remove(&mut self, uid: &str) {
        if let Some(pod) = self.pods.remove(uid) {
            self.weight -= pod.weight(uid);
        }
    }

    /// All of them, by UID.
    pub(super) fn into_pods(self) -> impl Iterator<Item = (String, Pod)> {
        self.pods.into_iter()
    }
}

/// See the module. Clones know the same.
#[derive(Clone, Debug)]
pub struct Pods {
    known: Arc<Mutex<Table>>,
    /// Keys of labels that are asked for.
    labels: Arc<[String]>,
}

impl Pods {
    /// None yet; labels of these keys are asked for.
    #[must_use]
    pub fn new(labels: &[String]) -> Self {
        Self {
            known: Arc::default(),
            labels: labels.into(),
        }
    }

    /// The pod with this UID.
    #[must_use]
    pub fn get(&self, uid: &str) -> Option<Pod> {
        self.with(|known| known.pods.get(uid).cloned())
    }

    /// How many are known.
    #[must_use]
    pub fn count(&self) -> usize {
        self.with(|known| known.pods.len())
    }

    /// What another outlet is going to say.
    #[must_use]
    pub fn hearing(&self) -> Hearing {
        Hearing {
            pods: self.clone(),
            list: None,
        }
    }

    /// Who said it is not to be believed.
    pub fn forget(&self) {
        drop(self.with(std::mem::take));
    }

    fn with<T>(&self, act: impl FnOnce(&mut Table) -> T) -> T {
        // Nothing panics with it.
        act(&mut self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// What one outlet says: its lists count when they are whole.
#[derive(Debug)]
pub struct Hearing {
    pods: Pods,
    /// A list that is not whole yet.
    list: Option<Table>,
}

impl Hearing {
    /// Takes what it says; for how many pods there was no room.
    ///
    /// # Errors
    /// When it is none of what an outlet says: from there on nothing is taken.
    pub fn hear(&mut self, changes: Vec<Change>) -> Result<usize, Lie> {
        let mut left_out = 0;
        for change in changes {
            if !change.is_one(&self.pods.labels) {
                return Err(Lie);
            }
            match change {
                Change::Anew => self.list = Some(Table::default()),
                Change::Whole => {
                    if let Some(list) = self.list.take() {
                        drop(self.pods.with(|known| std::mem::replace(known, list)));
                    }
                }
                Change::Known(uid, pod) => {
                    left_out += usize::from(!self.change(|table| table.put(uid, pod)));
                }
                Change::Gone(uid) => self.change(|table| table.remove(&uid)),
            }
        }
        Ok(left_out)
    }

    fn change<T>(&mut self, act: impl FnOnce(&mut Table) -> T) -> T {
        match &mut self.list {
            Some(list) => act(list),
            None => self.pods.with(act),
        }
    }
}
