//! Directories as the kubelet makes them, and as somebody hostile might.

use std::{
    fs,
    os::unix::{ffi::OsStrExt as _, fs::symlink},
};

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const OTHER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const UID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015";

/// `pods` and `containers`, in a directory of their own.
struct Node(tempfile::TempDir);

impl Node {
    fn new() -> Self {
        let node = Self(tempfile::tempdir().unwrap());
        fs::create_dir(node.path("pods")).unwrap();
        fs::create_dir(node.path("containers")).unwrap();
        node
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn pod(&self, name: &str, containers: &[&str]) {
        for container in containers {
            fs::create_dir_all(self.path("pods").join(name).join(container)).unwrap();
        }
    }

    fn pods(&self) -> Pods {
        Pods::new(self.path("pods"))
    }

    /// Asked for the first time.
    fn find(&self, uid: &str) -> Option<(String, String, Option<String>)> {
        let found = self.pods().find(uid, ID, Instant::now())?;
        Some((found.pod.0, found.pod.1, found.container))
    }
}

fn named(namespace: &str, pod: &str, container: Option<&str>) -> (String, String, Option<String>) {
    let container = container.map(str::to_owned);
    (namespace.to_owned(), pod.to_owned(), container)
}

#[test]
fn the_only_container_of_a_pod_is_certain() {
    let node = Node::new();
    node.pod(&format!("shop_web-5d9c7b8f6-x2x7q_{UID}"), &["php"]);
    node.pod(&format!("kube-system_etcd-node.example_{HASH}"), &["etcd"]);
    fs::write(node.path("pods/stray"), "").unwrap();
    assert_eq!(
        node.find(UID),
        Some(named("shop", "web-5d9c7b8f6-x2x7q", Some("php")))
    );
    assert_eq!(
        node.find(HASH),
        Some(named("kube-system", "etcd-node.example", Some("etcd")))
    );
    assert_eq!(node.find("6ba7b810-9dad-11d1-80b4-00c04fd430c9"), None);
}

#[test]
fn of_several_containers_a_link_tells() {
    let node = Node::new();
    node.pod(&format!("shop_web_{UID}"), &["php", "nginx", "init"]);
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
    let link = |name: String| symlink("/nowhere", node.path("containers").join(name)).unwrap();
    link(format!("web_shop_nginx-{OTHER}.log"));
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
    // Of another pod.
    link(format!("web_mall_php-{ID}.log"));
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
    fs::remove_file(node.path(&format!("containers/web_mall_php-{ID}.log"))).unwrap();
    link(format!("web_shop_php-{ID}.log"));
    assert_eq!(node.find(UID), Some(named("shop", "web", Some("php"))));
}

#[test]
fn logs_of_docker_tell_by_where_they_are() {
    let node = Node::new();
    let pod = format!("shop_web_{UID}");
    node.pod(&pod, &["php", "nginx"]);
    let log = |container: &str, id: &str| {
        let place = node.path("pods").join(&pod).join(container).join("0.log");
        symlink(
            format!("/var/lib/docker/containers/{id}/{id}-json.log"),
            place,
        )
        .unwrap();
    };
    log("nginx", OTHER);
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
    log("php", ID);
    assert_eq!(node.find(UID), Some(named("shop", "web", Some("php"))));
    // The pause container of a pod with one other.
    let node = Node::new();
    node.pod(&pod, &["php"]);
    let place = node.path("pods").join(&pod).join("php/0.log");
    symlink(format!("/var/lib/docker/containers/{OTHER}/x.log"), place).unwrap();
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
}

#[test]
fn what_claims_the_uid_of_another_makes_both_uncertain() {
    let node = Node::new();
    node.pod(&format!("shop_web_{UID}"), &["php"]);
    node.pod(&format!("mall_web_{UID}"), &["php"]);
    assert_eq!(node.find(UID), None);
}

#[test]
fn names_that_are_none_are_passed_over() {
    let long = "a".repeat(64);
    for name in [
        format!("Shop_web_{UID}"),
        format!("shop_we b_{UID}"),
        format!("shop_web\n_{UID}"),
        format!("shop_-web_{UID}"),
        format!("shop_web-_{UID}"),
        format!("shop_a..b_{UID}"),
        format!("shop__{UID}"),
        format!("_web_{UID}"),
        format!("shop_web_x_{UID}"),
        format!("{long}_web_{UID}"),
        format!("shop_web_{}", UID.to_uppercase()),
        format!("shop_web_{}", UID.replace('-', "_")),
        format!("..\u{202e}_web_{UID}"),
    ] {
        assert_eq!(pod_of(&name), None, "{name:?}");
        let node = Node::new();
        node.pod(&name, &["php"]);
        assert_eq!(node.find(UID), None, "{name:?}");
    }
    // Of a container: its pod is known, its name is not.
    let node = Node::new();
    node.pod(&format!("shop_web_{UID}"), &["Php", "a_b", "x.y"]);
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
    // No text.
    let bytes = [b"shop_\xff_".as_slice(), UID.as_bytes()].concat();
    fs::create_dir(node.path("pods").join(std::ffi::OsStr::from_bytes(&bytes))).unwrap();
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
}

#[test]
fn nothing_is_followed() {
    let node = Node::new();
    let elsewhere = tempfile::tempdir().unwrap();
    let pod = format!("shop_web_{UID}");
    // A pod that is a link to a directory elsewhere is no directory.
    fs::create_dir(elsewhere.path().join("php")).unwrap();
    symlink(elsewhere.path(), node.path("pods").join(&pod)).unwrap();
    assert_eq!(node.find(UID), None);
    // Nor is a container.
    let node = Node::new();
    node.pod(&pod, &["php"]);
    symlink(elsewhere.path(), node.path("pods").join(&pod).join("nginx")).unwrap();
    assert_eq!(node.find(UID), Some(named("shop", "web", Some("php"))));
    // Swapped for a link between two looks.
    let mut pods = node.pods();
    assert!(pods.find(UID, ID, Instant::now()).is_some());
    fs::rename(node.path("pods").join(&pod), node.path("away")).unwrap();
    symlink(node.path("away"), node.path("pods").join(&pod)).unwrap();
    assert_eq!(
        pods.inside(&("shop".to_owned(), "web".to_owned()), UID, ID),
        None
    );
}

#[test]
fn a_listing_lives_for_a_while_and_a_miss_for_a_moment() {
    let node = Node::new();
    let (mut pods, start) = (node.pods(), Instant::now());
    assert_eq!(pods.find(UID, ID, start), None);
    node.pod(&format!("shop_web_{UID}"), &["php"]);
    assert_eq!(pods.find(UID, ID, start + AGAIN / 2), None);
    let found = pods.find(UID, ID, start + AGAIN).unwrap();
    assert_eq!(found.container.as_deref(), Some("php"));
    fs::remove_dir_all(node.path("pods")).unwrap();
    let later = start + AGAIN + KEPT / 2;
    assert_eq!(pods.look(UID, ID).unwrap().container, None);
    // What is asked for is not whole any more, so it is looked for again.
    assert_eq!(pods.find(UID, ID, later), None);
}

#[test]
fn directories_are_read_up_to_a_bound() {
    let node = Node::new();
    for number in 0..CONTAINERS + 20 {
        node.pod(&format!("shop_web_{UID}"), &[&format!("c{number}")]);
    }
    assert_eq!(node.find(UID), Some(named("shop", "web", None)));
    let directory = open(&node.path(&format!("pods/shop_web_{UID}"))).unwrap();
    // `.` and `..` may be among the first.
    assert!((8..=10).contains(&entries(&directory, 10).count()));
}

#[test]
fn nothing_there_is_nothing_known() {
    let mut pods = Pods::new("/nonexistent/pods".into());
    assert_eq!(pods.find(UID, ID, Instant::now()), None);
    let mut pods = Pods::new("/".into());
    assert_eq!(pods.find(UID, ID, Instant::now()), None);
    let mut pods = Pods::new("/etc/passwd".into());
    assert_eq!(pods.find(UID, ID, Instant::now()), None);
}
