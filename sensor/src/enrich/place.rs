//! A container named: by what its runtime has on disk, and by the directories in which the
//! kubelet keeps the logs of pods.

use std::time::Instant;

use super::pod::Pods;
use crate::{
    detect::{Locate, Located, Placed, PodFacts},
    inspect::Described,
    kubernetes, scan,
    service::{
        container::{self, Container},
        kube_name::{is_label, is_subdomain},
    },
};

/// Who knows names.
pub(super) struct Sources<'a> {
    /// What a container's runtime has on disk.
    pub(super) described: &'a dyn Fn(&str) -> Described,
    /// The kubelet's directories.
    pub(super) pods: &'a mut Pods,
    /// The API, when it is asked.
    pub(super) api: Option<&'a kubernetes::Pods>,
}

/// Answers a question, with what is known by now.
pub(super) fn locate(question: &Locate, sources: &mut Sources<'_>, now: Instant) -> Located {
    let groups;
    let mut found = container::find(&question.cgroup);
    if found.is_none() {
        groups = scan::cgroups(question.process).unwrap_or_default();
        found = container::of_process(&groups);
    }
    Located {
        whose: question.whose.clone(),
        container: found.map(|found| placed(found, sources, now)),
    }
}

/// What is known of one: its runtime wins over directories, and these over the API.
fn placed(found: Container<'_>, sources: &mut Sources<'_>, now: Instant) -> Placed {
    let described = sources.described;
    let own = described(found.id);
    let Some(pod) = found.pod else {
        return Placed {
            id: found.id.to_owned(),
            runtime: found.runtime,
            image: own.image,
            name: own.name,
            pod: None,
        };
    };
    let is_nested = pod.container != found.id;
    let of_pod = if is_nested {
        described(pod.container)
    } else {
        own.clone()
    };
    let told = of_pod
        .pod
        .filter(|(namespace, name)| is_label(namespace) && is_subdomain(name));
    let listed = sources.pods.find(&pod.uid, pod.container, now);
    let mut name = own.name.filter(|name| is_nested || is_label(name));
    let mut names = told;
    if let Some(listed) = listed {
        names = names.or(Some(listed.pod));
        name = name.or(listed.container.filter(|_| !is_nested));
    }
    let mut labels = Vec::new();
    if let Some(known) = sources.api.and_then(|api| api.get(&pod.uid)) {
        names = names.or(Some((known.namespace, known.name)));
        labels = known.labels;
    }
    Placed {
        id: found.id.to_owned(),
        runtime: found.runtime,
        image: own.image,
        name,
        pod: Some(PodFacts {
            uid: pod.uid,
            name: names,
            labels,
        }),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::event::ProcessId;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    const OUTER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
    const UID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
    const OTHER: &str = "9f86d081884c7d659a2feaa0c55ad015";

    fn of(path: &str, described: &dyn Fn(&str) -> Described) -> Placed {
        with(path, described, None)
    }

    fn with(
        path: &str,
        described: &dyn Fn(&str) -> Described,
        api: Option<&kubernetes::Pods>,
    ) -> Placed {
        let root = tempfile::tempdir().unwrap();
        let pod = root.path().join(format!("pods/shop_web-1_{UID}/php"));
        fs::create_dir_all(pod).unwrap();
        let mut pods = Pods::new(root.path().join("pods"));
        let found = container::find(path.as_bytes()).unwrap();
        let pods = &mut pods;
        let mut sources = Sources {
            described,
            pods,
            api,
        };
        placed(found, &mut sources, Instant::now())
    }

    fn shop(name: &str) -> (String, String) {
        ("shop".to_owned(), name.to_owned())
    }

    #[test]
    fn what_the_runtime_says_wins_over_directories() {
        let path = format!("/kubepods/pod{UID}/{ID}");
        let none = of(&path, &|_| Described::default());
        assert_eq!(none.name.as_deref(), Some("php"));
        assert_eq!(none.pod.unwrap().name, Some(shop("web-1")));
        let told = of(&path, &|_| Described {
            image: Some("php:8".to_owned()),
            name: Some("fpm".to_owned()),
            pod: Some(shop("web-2")),
        });
        assert_eq!(told.name.as_deref(), Some("fpm"));
        assert_eq!(told.image.as_deref(), Some("php:8"));
        assert_eq!(told.pod.unwrap().name, Some(shop("web-2")));
        let odd = of(&path, &|_| Described {
            image: None,
            name: Some("../x".to_owned()),
            pod: Some(("Shop\n".to_owned(), "web".to_owned())),
        });
        assert_eq!(odd.name.as_deref(), Some("php"));
        assert_eq!(odd.pod.unwrap().name, Some(shop("web-1")));
    }

    #[test]
    fn labels_and_what_else_is_not_known_come_from_the_api() {
        let api = kubernetes::Pods::default();
        let path = format!("/kubepods/pod{UID}/{ID}");
        let none = |_: &str| Described::default();
        assert!(
            with(&path, &none, Some(&api))
                .pod
                .unwrap()
                .labels
                .is_empty()
        );
        let label = ("app".to_owned(), "shop".to_owned());
        api.know(UID, "shop", "web-1", std::slice::from_ref(&label));
        let found = with(&path, &none, Some(&api)).pod.unwrap();
        assert_eq!(
            (found.name, found.labels),
            (Some(shop("web-1")), vec![label])
        );
        // In no directory.
        api.know(OTHER, "mall", "web-9", &[]);
        let path = format!("/kubepods/pod{OTHER}/{ID}");
        let found = with(&path, &none, Some(&api));
        let name = Some(("mall".to_owned(), "web-9".to_owned()));
        assert_eq!((found.name, found.pod.unwrap().name), (None, name));
    }

    #[test]
    fn a_container_in_a_container_of_a_pod_has_not_its_name() {
        let path = format!("/kubepods/pod{UID}/{OUTER}/docker/{ID}");
        let found = of(&path, &|_| Described::default());
        assert_eq!((found.id.as_str(), found.name), (ID, None));
        assert_eq!(found.pod.unwrap().name, Some(shop("web-1")));
        let found = of(&format!("/docker/{ID}"), &|_| Described {
            name: Some("Web_1".to_owned()),
            ..Described::default()
        });
        assert_eq!((found.name.as_deref(), found.pod), (Some("Web_1"), None));
    }

    #[test]
    fn a_process_in_no_container_gets_none() {
        let stat = procfs::process::Process::myself().unwrap().stat().unwrap();
        let own = ProcessId::new(std::process::id(), stat.starttime * scan::TICK_NS);
        let question = Locate {
            whose: crate::detect::Whose::Service(own),
            process: own,
            cgroup: "/".into(),
        };
        let expected = container::of_process(&fs::read("/proc/self/cgroup").unwrap())
            .map(|found| found.id.to_owned());
        let mut pods = Pods::new("/nonexistent".into());
        let mut sources = Sources {
            described: &|_| Described::default(),
            pods: &mut pods,
            api: None,
        };
        let found = locate(&question, &mut sources, Instant::now()).container;
        assert_eq!(found.map(|found| found.id), expected);
    }
}
