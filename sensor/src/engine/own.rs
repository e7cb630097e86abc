//! What the sensor says of itself while it runs: an alert among the others, so that it has a
//! number among theirs, and a replay says it again.

use std::sync::Arc;

use super::{Engine, Output};
use crate::{
    alert::{self, Alert},
    event::ProcessId,
    printable::escape,
};

impl Engine {
    /// The self-test of this process has failed at `time_ns`.
    pub(super) fn unproven(
        &mut self,
        process: ProcessId,
        time_ns: u64,
        why: &str,
        out: &mut Vec<Output>,
    ) {
        self.sequence += 1;
        let message = format!("the sensor's self-test has failed: {}", escape(why));
        let alert = Alert::of_sensor(
            &alert::SELF_TEST_FAILED,
            message,
            (process, time_ns),
            &self.host,
            self.sequence,
        );
        self.seen.alerts[alert.rule.level as usize] += 1;
        out.push(Output::Alert(Arc::new(alert)));
    }
}

#[cfg(test)]
mod tests {
    use crate::{
        alert::Host,
        detect::{Detector, RuleSet},
        engine::{Engine, Input, Output},
        event::ProcessId,
        service::Catalogue,
        tree::{Limits, Scope, Tree},
    };

    #[test]
    fn a_failed_self_test_is_numbered_with_the_others() {
        let tree = Tree::new(Limits::default(), Scope::Services, Catalogue::default());
        let detector = Detector::new(RuleSet::of(Vec::new()).unwrap(), Host::default().users);
        let mut engine = Engine::new(tree, detector, Host::default());
        engine.sequence = 41;
        let mut out = Vec::new();
        let own = ProcessId::new(7, 0);
        for time_ns in [1_000, 2_000] {
            engine.step(Input::Unproven(own, time_ns, "why\n".to_owned()), &mut out);
        }
        let [Output::Alert(first), Output::Alert(second)] = out.as_slice() else {
            panic!("{out:?}");
        };
        assert_eq!((first.event.sequence, second.event.sequence), (42, 43));
        assert_ne!(first.event.id, second.event.id);
        assert_eq!(first.rule.id, "self_test_failed");
        assert_eq!(first.message, "the sensor's self-test has failed: why\\n");
        assert_eq!((first.process.pid, first.time_ns), (7, 1_000));
    }
}
