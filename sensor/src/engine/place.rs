//! The engine's dealings with [`crate::workload`]: who asks, who is told.

use std::sync::Arc;

use super::{Engine, Output};
use crate::{
    alert::{Inquest, Notice},
    detect::{Located, Placed},
    event::ProcessId,
    lineage::Subject,
    tree::ServiceView,
};

impl Engine {
    /// Asks for the container of a service that has begun.
    pub(super) fn locate(&mut self, root: ProcessId, out: &mut Vec<Output>) {
        if let Some(program) = self.tree.program_of(root) {
            let question = self.workloads.begin(root, program, self.now_ns);
            out.extend(question.map(Output::Locate));
        }
    }

    /// An alert went out with what was known of its container.
    pub(super) fn told(&mut self, subject: &Subject, inquest: &Inquest, out: &mut Vec<Output>) {
        let question = self.workloads.told(subject, inquest);
        out.extend(question.map(Output::Locate));
    }

    /// Takes what was found out about a container, and tells those whose alerts lack it.
    pub(super) fn located(&mut self, located: Located, out: &mut Vec<Output>) {
        let Some((placed, inquests)) = self.workloads.answered(located, self.now_ns) else {
            return;
        };
        for inquest in inquests {
            self.sequence += 1;
            let (now_ns, sequence) = (self.now_ns, self.sequence);
            let notice = Notice::located(&inquest, &placed, &self.host, now_ns, sequence);
            out.push(Output::Notice(Arc::new(notice)));
        }
    }

    /// The live services, with what is known of their containers.
    pub(super) fn services(&self) -> Vec<ServiceView> {
        self.placed(self.tree.view(&self.redactor))
    }

    /// The one whose root has this pid, likewise.
    pub(super) fn service_of(&self, pid: u32) -> Vec<ServiceView> {
        self.placed(self.tree.view_of(pid, &self.redactor))
    }

    fn placed(&self, mut services: Vec<ServiceView>) -> Vec<ServiceView> {
        for service in &mut services {
            let root = ProcessId::new(service.pid, service.start_ns);
            if let Some(placed) = self.workloads.of_service(root, &service.container) {
                fill(service, placed);
            }
        }
        services
    }
}

fn fill(service: &mut ServiceView, placed: &Placed) {
    service.container.clone_from(&placed.id);
    service.container_name.clone_from(&placed.name);
    service.image.clone_from(&placed.image);
    let pod = placed.pod.as_ref().and_then(|pod| pod.name.clone());
    (service.namespace, service.pod) = pod.unzip();
}

#[cfg(test)]
mod tests {
    use super::super::{Fact, Input};
    use super::*;
    use crate::{
        alert::{
            Host,
            sample::{CONTAINER, placed, program},
        },
        detect::{Detector, Locate, RuleSet, Whose},
        event::{Membership, Scanned, Snapshot},
        service::Catalogue,
        tree::{Limits, Scope, Tree},
    };

    const S: u64 = 1_000_000_000;

    /// An engine that has found php-fpm in a pod at its start, a thousand seconds after
    /// that of the machine; what it said.
    fn started() -> (Engine, Vec<Output>) {
        let tree = Tree::new(Limits::default(), Scope::Services, Catalogue::default());
        let detector = Detector::new(RuleSet::of(Vec::new()).unwrap(), Host::default().users);
        let mut engine = Engine::new(tree, detector, Host::default());
        let mut fpm = program("/usr/sbin/php-fpm8.2", &["php-fpm8.2"]);
        fpm.cgroup.path = format!("/kubepods/pod1/crio-{CONTAINER}").into();
        let process = ProcessId::new(800, 5 * S);
        let master = Scanned {
            process,
            parent: ProcessId::new(1, 0),
            membership: Some(Membership {
                root: process,
                depth: 0,
            }),
            recognised: true,
            program: Some(Arc::new(fpm)),
        };
        let snapshot = Snapshot {
            time_ns: 1_000 * S,
            processes: vec![master],
        };
        let mut out = Vec::new();
        engine.step(Input::Snapshot(snapshot), &mut out);
        (engine, out)
    }

    fn asked(out: &[Output]) -> Vec<&Locate> {
        let asked = out.iter().filter_map(|output| match output {
            Output::Locate(locate) => Some(locate),
            _ => None,
        });
        asked.collect()
    }

    #[test]
    fn a_service_that_was_there_is_asked_for_until_there_is_an_answer() {
        let (mut engine, mut out) = started();
        let whose = Whose::Container(CONTAINER.to_owned());
        assert_eq!(asked(&out).len(), 1, "{out:?}");
        assert_eq!(asked(&out)[0].whose, whose);
        for second in 1_000..1_003 {
            engine.step(Input::Tick(second * S), &mut out);
        }
        assert_eq!(asked(&out).len(), 3, "{out:?}");
        let located = Located {
            whose,
            container: Some(placed()),
        };
        engine.step(Input::Fact(Fact::Located(Box::new(located))), &mut out);
        out.clear();
        engine.step(Input::Tick(1_030 * S), &mut out);
        assert!(asked(&out).is_empty(), "{out:?}");
        let services = engine.services();
        assert_eq!(
            services[0].pod,
            placed().pod.unwrap().name.map(|(_, name)| name)
        );
        assert_eq!(services[0].image, placed().image);
    }
}
