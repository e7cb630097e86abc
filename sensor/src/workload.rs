//! Containers and pods that services run in: names that alerts carry, asked for when a
//! service begins, and alerts that went out before their names were known.
//!
//! An alert never waits: what is known goes in, what comes later becomes one notice of the
//! incident. Who is asked reads files and never answers here; it is asked again, less and
//! less often, for a while. Bounded; what is not answered is forgotten. No clock.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, num::NonZeroUsize, sync::Arc};

use bstr::BString;
use lru::LruCache;

use crate::{
    alert::Inquest,
    detect::{Locate, Located, Placed, Whose},
    event::{ProcessId, Program},
    lineage::Subject,
    service::container,
};

/// Containers remembered, those of no name included; the least recently used go first.
pub const KNOWN: usize = 4_096;
/// Containers that are asked for at a time.
pub const WAITING: usize = 256;
/// Incidents that wait for the names of one container.
pub const INCIDENTS: usize = 16;
/// For how long names are asked for, ns.
pub const PATIENCE_NS: u64 = 60_000_000_000;
/// After how long what is known is asked for anew, at the next alert, ns: labels change.
pub const STALE_NS: u64 = 60_000_000_000;
/// Between two questions at first, and at last, ns.
const FIRST_NS: u64 = 1_000_000_000;
const LAST_NS: u64 = 16_000_000_000;

/// See the module.
#[derive(Debug)]
pub struct Workloads {
    known: LruCache<Whose, Known>,
    waiting: BTreeMap<Whose, Waiting>,
}

/// What an answer said.
#[derive(Debug)]
struct Known {
    container: Option<Arc<Placed>>,
    /// When it came, ns.
    since_ns: u64,
}

/// What is asked for.
#[derive(Debug)]
struct Waiting {
    question: Locate,
    /// When to ask again, and how long after that once more, ns.
    due_ns: u64,
    pause_ns: u64,
    /// When to give up, ns.
    until_ns: u64,
    /// Alerts without the names, one of each incident.
    inquests: Vec<Inquest>,
}

impl Default for Workloads {
    fn default() -> Self {
        const BOUND: NonZeroUsize = NonZeroUsize::new(KNOWN).expect("it is not zero");
        Self {
            known: LruCache::new(BOUND),
            waiting: BTreeMap::new(),
        }
    }
}

impl Workloads {
    /// A service has begun, whose root runs `program`: what is to be asked.
    pub fn begin(&mut self, root: ProcessId, program: &Program, now_ns: u64) -> Option<Locate> {
        let path = &program.cgroup.path;
        let whose =
            container::id(path).map_or(Whose::Service(root), |id| Whose::Container(id.to_owned()));
        if self.known.contains(&whose) {
            return None;
        }
        let question = Locate {
            whose,
            process: root,
            cgroup: path.clone(),
        };
        self.ask(question, None, now_ns)
    }

    /// What is known of the container that an act happened in.
    pub fn of(&mut self, subject: &Subject) -> Option<Arc<Placed>> {
        let (whose, _) = place(subject)?;
        self.known.get(&whose)?.container.clone()
    }

    /// An alert went out with what was known: what is to be asked now.
    pub fn told(&mut self, subject: &Subject, inquest: &Inquest) -> Option<Locate> {
        let (whose, cgroup) = place(subject)?;
        let now_ns = subject.stamp.time_ns;
        let known = self.known.peek(&whose);
        let is_whole = known.is_some_and(|known| is_whole(known.container.as_deref()));
        if is_whole && known.is_some_and(|known| !known.is_stale(now_ns)) {
            return None;
        }
        let question = Locate {
            whose,
            process: subject.process,
            cgroup,
        };
        self.ask(question, (!is_whole).then_some(inquest), now_ns)
    }

    /// Notes a question, unless it has been asked a moment ago.
    fn ask(&mut self, question: Locate, inquest: Option<&Inquest>, now_ns: u64) -> Option<Locate> {
        let is_full = self.waiting.len() >= WAITING;
        if let Some(waiting) = self.waiting.get_mut(&question.whose) {
            waiting.join(inquest, now_ns);
            return None;
        }
        if is_full {
            return None;
        }
        let mut waiting = Waiting {
            question: question.clone(),
            due_ns: now_ns.saturating_add(FIRST_NS),
            pause_ns: FIRST_NS,
            until_ns: now_ns.saturating_add(PATIENCE_NS),
            inquests: Vec::new(),
        };
        waiting.join(inquest, now_ns);
        self.waiting.insert(question.whose.clone(), waiting);
        Some(question)
    }

    /// What is to be asked again by now; forgets what was not answered.
    pub fn tick(&mut self, now_ns: u64) -> Vec<Locate> {
        self.waiting.retain(|_, waiting| waiting.until_ns > now_ns);
        let due = self.waiting.values_mut();
        let due = due.filter(|waiting| waiting.due_ns <= now_ns);
        due.map(|waiting| {
            waiting.due_ns = now_ns.saturating_add(waiting.pause_ns);
            waiting.pause_ns = waiting.pause_ns.saturating_mul(2).min(LAST_NS);
            waiting.question.clone()
        })
        .collect()
    }

    /// Takes an answer. The alerts that went out without it come back, when it says
    /// something, with what it says.
    pub fn answered(
        &mut self,
        located: Located,
        now_ns: u64,
    ) -> Option<(Arc<Placed>, Vec<Inquest>)> {
        let Located { whose, container } = located;
        let before = self.known.peek(&whose);
        let before = before.and_then(|known| known.container.clone());
        // A pod's directory may be gone before the last of its processes.
        let container = match (before, container) {
            (Some(before), None) => Some(before),
            (Some(before), Some(now)) if worth(&now) < worth(&before) => Some(before),
            (_, now) => now.map(Arc::new),
        };
        let known = Known {
            container: container.clone(),
            since_ns: now_ns,
        };
        self.known.put(whose.clone(), known);
        if !is_whole(container.as_deref()) {
            return None;
        }
        let waiting = self.waiting.remove(&whose)?;
        let container = container.filter(|container| worth(container) > 0)?;
        Some((container, waiting.inquests))
    }

    /// What is known of the container of a service whose root has this control group.
    #[must_use]
    pub fn of_service(&self, root: ProcessId, container: &str) -> Option<&Placed> {
        let whose = if container.is_empty() {
            Whose::Service(root)
        } else {
            Whose::Container(container.to_owned())
        };
        self.known.peek(&whose)?.container.as_deref()
    }
}

impl Known {
    /// Who is in no container gets into none.
    fn is_stale(&self, now_ns: u64) -> bool {
        self.container.is_some() && now_ns.saturating_sub(self.since_ns) >= STALE_NS
    }
}

impl Waiting {
    /// One more alert waits for this.
    fn join(&mut self, inquest: Option<&Inquest>, now_ns: u64) {
        let Some(inquest) = inquest else { return };
        let mut known = self.inquests.iter();
        let is_known = known.any(|known| known.incident == inquest.incident);
        if !is_known && self.inquests.len() < INCIDENTS {
            self.inquests.push(inquest.clone());
            self.until_ns = now_ns.saturating_add(PATIENCE_NS);
            self.due_ns = self.due_ns.min(now_ns.saturating_add(FIRST_NS));
            self.pause_ns = FIRST_NS;
        }
    }
}

/// The container that an act happened in: of the process, else of its service.
fn place(subject: &Subject) -> Option<(Whose, BString)> {
    let root = subject.lineage.ancestors.first();
    let root = root.and_then(|root| root.program.as_deref());
    let mut programs = std::iter::once(&*subject.program).chain(root);
    let found = programs.find_map(|program| {
        let id = container::id(&program.cgroup.path)?;
        Some((Whose::Container(id.to_owned()), program.cgroup.path.clone()))
    });
    let service = subject.service.as_ref();
    found.or_else(|| Some((Whose::Service(service?.id), BString::default())))
}

/// There is no more to be had: it is in no pod, or the pod has a name.
fn is_whole(container: Option<&Placed>) -> bool {
    let pod = container.and_then(|container| container.pod.as_ref());
    pod.is_none_or(|pod| pod.name.is_some())
}

/// How many names are known that a control group does not tell.
fn worth(container: &Placed) -> usize {
    let pod = container.pod.as_ref();
    let of_pod = pod.is_some_and(|pod| pod.name.is_some());
    [of_pod, container.name.is_some(), container.image.is_some()]
        .into_iter()
        .filter(|known| *known)
        .count()
}
