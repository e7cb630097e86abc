//! A container named: by what its runtime has on disk, and by the directories in which the
//! kubelet keeps the logs of pods. What the API says comes by way of the outlet, which is not
//! believed: it adds labels, and the names of pods that nothing here names.

use std::{num::NonZeroUsize, time::Instant};

use lru::LruCache;

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

/// Pods whose names are remembered; those not asked for the longest go first.
const FOUND: usize = 4_096;

/// Namespaces and names of pods that were found on this machine, by UID. A pod's directory
/// may go before the last of its processes, and nobody else is to name it then.
pub(super) struct Found(LruCache<String, (String, String)>);

impl Default for Found {
    fn default() -> Self {
        const BOUND: NonZeroUsize = NonZeroUsize::new(FOUND).expect("it is not zero");
        Self(LruCache::new(BOUND))
    }
}

impl Found {
    /// What is found of a pod by now, or was before.
    fn names(&mut self, uid: &str, now: Option<(String, String)>) -> Option<(String, String)> {
        let Some(names) = now else {
            return self.0.get(uid).cloned();
        };
        self.0.put(uid.to_owned(), names.clone());
        Some(names)
    }
}

/// Who knows names.
pub(super) struct Sources<'a> {
    /// What a container's runtime has on disk.
    pub(super) described: &'a dyn Fn(&str) -> Described,
    /// The kubelet's directories.
    pub(super) pods: &'a mut Pods,
    /// What the API says, when it is asked.
    pub(super) api: Option<&'a kubernetes::Pods>,
    /// What was found here before.
    pub(super) found: &'a mut Found,
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

/// What is known of one: its runtime wins over directories, and both over the API.
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
    names = sources.found.names(&pod.uid, names);
    let mut labels = Vec::new();
    if let Some(known) = sources.api.and_then(|api| api.get(&pod.uid)) {
        let said = (known.namespace, known.name);
        // Who gives it another name than it has here may have the wrong labels, too.
        if names.as_ref().is_none_or(|names| *names == said) {
            names = Some(said);
            labels = known.labels;
        }
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
    use std::{fs, time::Duration};

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
            found: &mut Found::default(),
        };
        placed(found, &mut sources, Instant::now())
    }

    /// What the API says: this pod, with this value of the one label.
    fn said(uid: &str, (namespace, name): (&str, &str), app: &str) -> kubernetes::Pods {
        let keys = ["app".to_owned()];
        let api = kubernetes::Pods::new(&keys);
        let pod = kubernetes::Pod {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            labels: vec![("app".to_owned(), app.to_owned())],
        };
        let change = kubernetes::Change::Known(uid.to_owned(), pod);
        assert_eq!(api.hearing().hear(vec![change]), Ok(0));
        api
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
        let path = format!("/kubepods/pod{UID}/{ID}");
        let none = |_: &str| Described::default();
        let nothing = kubernetes::Pods::new(&[]);
        let found = with(&path, &none, Some(&nothing)).pod.unwrap();
        assert!(found.labels.is_empty());
        let api = said(UID, ("shop", "web-1"), "shop");
        let found = with(&path, &none, Some(&api)).pod.unwrap();
        let label = ("app".to_owned(), "shop".to_owned());
        assert_eq!(
            (found.name, found.labels),
            (Some(shop("web-1")), vec![label])
        );
        // In no directory.
        let api = said(OTHER, ("mall", "web-9"), "x");
        let path = format!("/kubepods/pod{OTHER}/{ID}");
        let found = with(&path, &none, Some(&api));
        let name = Some(("mall".to_owned(), "web-9".to_owned()));
        assert_eq!((found.name, found.pod.unwrap().name), (None, name));
    }

    /// The API speaks through the outlet, which may be anybody's.
    #[test]
    fn what_was_found_here_is_named_by_nobody_else() {
        let root = tempfile::tempdir().unwrap();
        let own = root.path().join(format!("pods/shop_web-1_{UID}/php"));
        let path = format!("/kubepods/pod{UID}/{ID}");
        let mut found = Found::default();
        let mut now = Instant::now();
        let mut ask = |api: &kubernetes::Pods| {
            let mut pods = Pods::new(root.path().join("pods"));
            let mut sources = Sources {
                described: &|_| Described::default(),
                pods: &mut pods,
                api: Some(api),
                found: &mut found,
            };
            now += Duration::from_secs(1);
            let container = container::find(path.as_bytes()).unwrap();
            placed(container, &mut sources, now).pod.unwrap()
        };
        let lie = said(UID, ("kube-system", "dns"), "dns");
        let dns = Some(("kube-system".to_owned(), "dns".to_owned()));
        // Nothing here names it yet.
        assert_eq!(ask(&lie).name, dns);
        fs::create_dir_all(&own).unwrap();
        let named = ask(&lie);
        assert_eq!((named.name, named.labels), (Some(shop("web-1")), vec![]));
        // The pod has ended, and its directory is gone.
        fs::remove_dir_all(root.path().join("pods")).unwrap();
        let named = ask(&lie);
        assert_eq!((named.name, named.labels), (Some(shop("web-1")), vec![]));
        let named = ask(&said(UID, ("shop", "web-1"), "shop"));
        assert_eq!((named.name, named.labels.len()), (Some(shop("web-1")), 1));
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
            found: &mut Found::default(),
        };
        let found = locate(&question, &mut sources, Instant::now()).container;
        assert_eq!(found.map(|found| found.id), expected);
    }
}
