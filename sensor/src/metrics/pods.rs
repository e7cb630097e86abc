//! Numbers of the pods that are followed: how that goes, by the outlet, which follows them,
//! and what has come of it, by the collector.

use std::sync::atomic::Ordering::Relaxed;

use super::{OutletStats, scrape::Page};
use crate::kubernetes::WatchStats;

impl Page {
    pub(super) fn watch(&mut self, pods: &WatchStats) {
        self.gauges(
            "kubernetes_watch_up",
            "1 while the pods of this node are followed through the API; with `kubernetes.watch`.",
            [],
            [([], u64::from(pods.follows()))],
        );
        self.counters(
            "kubernetes_watch_failures_total",
            "Times following the pods of this node has failed and was tried again; with `kubernetes.watch`.",
            [],
            [([], pods.failures())],
        );
    }

    pub(super) fn pods(&mut self, outlet: &OutletStats) {
        self.gauges(
            "kubernetes_pods",
            "Pods of this node whose names and labels the API has told; with `kubernetes.watch`.",
            [],
            [([], outlet.pods.load(Relaxed))],
        );
        self.counters(
            "kubernetes_pods_left_out_total",
            "Times there was no room for a pod of which the API has told; with `kubernetes.watch`.",
            [],
            [([], outlet.pods_left_out.load(Relaxed))],
        );
    }
}
