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
