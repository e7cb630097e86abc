//! Paths as runtimes make them, each with where its form comes from, and hostile ones.

use proptest::prelude::*;

use super::*;

const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
/// Of the container around it.
const OUTER: &str = "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210";
const UID: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";
const UID_: &str = "6ba7b810_9dad_11d1_80b4_00c04fd430c8";
/// Hash by which kubelet names a pod of a manifest on its disk.
const HASH: &str = "9f86d081884c7d659a2feaa0c55ad015";

/// Runtime, pod and path of a container whose id is [`ID`].
type Row = (Option<Runtime>, Option<&'static str>, String);

fn row(runtime: Runtime, uid: Option<&'static str>, path: impl Into<String>) -> Row {
    (Some(runtime), uid, path.into())
}

fn bare(uid: Option<&'static str>, path: impl Into<String>) -> Row {
    (None, uid, path.into())
}

/// Under Kubernetes.
fn pods() -> Vec<Row> {
    use Runtime::{Containerd, CriO, Docker};
    let systemd = "/kubepods.slice/kubepods-burstable.slice";
    vec![
        // containerd, systemd driver; burstable, best effort, guaranteed.
        row(
            Containerd,
            Some(UID),
            format!("{systemd}/kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope"),
        ),
        row(
            Containerd,
            Some(UID),
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope"
            ),
        ),
        row(
            Containerd,
            Some(UID),
            format!("/kubepods.slice/kubepods-pod{UID_}.slice/cri-containerd-{ID}.scope"),
        ),
        // containerd and others, cgroupfs driver: the runtime does not show.
        bare(Some(UID), format!("/kubepods/burstable/pod{UID}/{ID}")),
        bare(Some(UID), format!("/kubepods/besteffort/pod{UID}/{ID}")),
        bare(Some(UID), format!("/kubepods/pod{UID}/{ID}")),
        // containerd with SystemdCgroup=false below a kubelet that uses systemd.
        row(
            Containerd,
            Some(UID),
            format!(
                "/system.slice/containerd.service/kubepods-burstable-pod{UID_}.slice:cri-containerd:{ID}"
            ),
        ),
        // CRI-O, systemd driver, before 1.23 and since.
        row(
            CriO,
            Some(UID),
            format!("{systemd}/kubepods-burstable-pod{UID_}.slice/crio-{ID}.scope"),
        ),
        row(
            CriO,
            Some(UID),
            format!("{systemd}/kubepods-burstable-pod{UID_}.slice/crio-{ID}.scope/container"),
        ),
        // CRI-O, cgroupfs driver.
        row(
            CriO,
            Some(UID),
            format!("/kubepods/burstable/pod{UID}/crio-{ID}"),
        ),
        // cri-dockerd, systemd driver.
        row(
            Docker,
            Some(UID),
            format!("{systemd}/kubepods-burstable-pod{UID_}.slice/docker-{ID}.scope"),
        ),
        // A static pod, both drivers.
        row(
            Containerd,
            Some(HASH),
            format!("{systemd}/kubepods-burstable-pod{HASH}.slice/cri-containerd-{ID}.scope"),
        ),
        bare(Some(HASH), format!("/kubepods/burstable/pod{HASH}/{ID}")),
    ]
}

/// Without Kubernetes.
fn plain() -> Vec<Row> {
    use Runtime::{Containerd, Docker, Podman};
    let user = "/user.slice/user-1000.slice/user@1000.service";
    vec![
        // docker: systemd, cgroupfs, rootless, and systemd inside the container.
        row(Docker, None, format!("/system.slice/docker-{ID}.scope")),
        row(Docker, None, format!("/docker/{ID}")),
        row(Docker, None, format!("{user}/user.slice/docker-{ID}.scope")),
        row(
            Docker,
            None,
            format!("/system.slice/docker-{ID}.scope/system.slice/nginx.service"),
        ),
        // podman: systemd as root, in a pod of its own, rootless; cgroupfs; split (quadlet).
        row(
            Podman,
            None,
            format!("/machine.slice/libpod-{ID}.scope/container"),
        ),
        row(
            Podman,
            None,
            format!("/machine.slice/machine-libpod_pod_{OUTER}.slice/libpod-{ID}.scope/container"),
        ),
        row(
            Podman,
            None,
            format!("{user}/user.slice/libpod-{ID}.scope/container"),
        ),
        row(Podman, None, format!("/libpod_parent/libpod-{ID}")),
        row(Podman, None, format!("/libpod_parent/{OUTER}/libpod-{ID}")),
        row(
            Podman,
            None,
            format!("/system.slice/shop.service/libpod-payload-{ID}"),
        ),
        // nerdctl: systemd, cgroupfs (`/<namespace>/<id>`).
        row(
            Containerd,
            None,
            format!("/system.slice/nerdctl-{ID}.scope"),
        ),
        bare(None, format!("/default/{ID}")),
    ]
}

/// One in another.
fn nested() -> Vec<Row> {
    use Runtime::{Containerd, Docker};
    vec![
        // kind: a kubelet with --cgroup-root=/kubelet in a container of docker, systemd.
        row(
            Containerd,
            Some(UID),
            format!(
                "/system.slice/docker-{OUTER}.scope/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-burstable.slice/kubelet-kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope"
            ),
        ),
        // kind, cgroupfs.
        bare(
            Some(UID),
            format!("/docker/{OUTER}/kubelet/kubepods/burstable/pod{UID}/{ID}"),
        ),
        // k3s in docker (k3d).
        bare(
            Some(UID),
            format!("/docker/{OUTER}/kubepods/besteffort/pod{UID}/{ID}"),
        ),
        // docker in docker.
        row(Docker, None, format!("/docker/{OUTER}/docker/{ID}")),
        row(
            Docker,
            None,
            format!("/system.slice/docker-{OUTER}.scope/docker/{ID}"),
        ),
        // Seen from a cgroup namespace of a pod's own, as /proc/PID/cgroup has it.
        row(
            Containerd,
            Some(UID),
            format!(
                "/../../kubepods-besteffort.slice/kubepods-besteffort-pod{UID_}.slice/cri-containerd-{ID}.scope"
            ),
        ),
        row(
            Containerd,
            Some(UID),
            format!("/../../kubepods-burstable-pod{UID_}.slice/cri-containerd-{ID}.scope"),
        ),
        bare(Some(UID), format!("/../../pod{UID}/{ID}")),
        row(Containerd, None, format!("/../cri-containerd-{ID}.scope")),
        // Its control group was removed meanwhile.
        row(
            Docker,
            None,
            format!("/system.slice/docker-{ID}.scope (deleted)"),
        ),
    ]
}

fn all() -> Vec<Row> {
    [pods(), plain(), nested()].concat()
}

#[test]
fn runtimes_and_drivers() {
    for (runtime, uid, path) in all() {
        let found = find(path.as_bytes()).unwrap_or_else(|| panic!("{path}"));
        assert_eq!((found.id, found.runtime), (ID, runtime), "{path}");
        let pod = found.pod;
        assert_eq!(pod.as_ref().map(|pod| &*pod.uid), uid, "{path}");
        assert!(pod.is_none_or(|pod| pod.container == ID), "{path}");
        assert_eq!(id(path.as_bytes()), Some(ID), "{path}");
    }
}

#[test]
fn what_is_no_container() {
    let upper = ID.to_uppercase();
    let slice = format!("/kubepods.slice/kubepods-pod{UID_}.slice");
    for path in [
        "/system.slice/php8.2-fpm.service".to_owned(),
        // Monitors beside containers.
        format!("/machine.slice/libpod-conmon-{ID}.scope"),
        format!("{slice}/crio-conmon-{ID}.scope"),
        format!("/kubepods/burstable/pod{UID}/crio-conmon-{ID}"),
        format!("/system.slice/crio-conmon-{ID}.scope"),
        // podman's pods, and the monitor in one.
        format!("/libpod_parent/{ID}"),
        format!("/libpod_parent/{ID}/conmon"),
        format!("/machine.slice/machine-libpod_pod_{ID}.slice"),
        // A pod without a container.
        slice,
        // Ids of another form.
        format!("/docker/{}", &ID[1..]),
        format!("/docker/{upper}"),
        format!("/docker/ü{}", &ID[1..]),
        format!("/docker/0{ID}"),
        format!("/x:{ID}"),
        format!("/:{ID}"),
        format!("/-{ID}"),
        format!("/evil-{ID}.scope"),
        "/../..".to_owned(),
        "/".to_owned(),
        String::new(),
    ] {
        assert_eq!(find(path.as_bytes()), None, "{path}");
    }
}

/// The process is in the innermost container, and what Kubernetes calls its container is
/// the one next to the pod.
#[test]
fn a_container_within_a_container_of_a_pod() {
    let path = format!("/kubepods/burstable/pod{UID}/{OUTER}/docker/{ID}");
    let found = find(path.as_bytes()).unwrap();
    let pod = found.pod.unwrap();
    assert_eq!((found.id, found.runtime), (ID, Some(Runtime::Docker)));
    assert_eq!((&*pod.uid, pod.container), (UID, OUTER));
    // A monitor in a node that is a container itself belongs to the node.
    let path = format!("/docker/{OUTER}/kubepods/pod{UID}/crio-conmon-{ID}");
    let found = find(path.as_bytes()).unwrap();
    assert_eq!((found.id, found.pod), (OUTER, None));
}

#[test]
fn pods_are_named_by_uids_alone() {
    let upper = UID_.to_uppercase();
    for slice in [
        format!("pod{UID_}"),
        format!("pod{UID}.slice"),
        format!("kubepods-pod{UID}.slice"),
        format!("kubepods-pod{upper}.slice"),
        format!("kubepods-pod{UID_}"),
        format!("kubepods-pod{UID_}0.slice"),
        format!("xkubepods-pod{UID_}.slice"),
        format!("kubepods-other-pod{UID_}.slice"),
        format!("machine-pod{UID_}.slice"),
        "pod..".to_owned(),
        "pod".to_owned(),
        "kubepods-pod.slice".to_owned(),
    ] {
        let path = format!("/{slice}/cri-containerd-{ID}.scope");
        let found = find(path.as_bytes()).unwrap();
        assert_eq!(found.pod, None, "{path}");
    }
}

#[test]
fn of_several_hierarchies_the_first_that_tells_counts() {
    let v1 = format!(
        "12:pids:/kubepods/burstable/pod{UID}/{ID}\n\
         1:name=systemd:/kubepods/burstable/pod{UID}/{ID}\n"
    );
    let hybrid = format!("{v1}0::/system.slice/containerd.service\n");
    let v2 = format!("0::/docker/{OUTER}\n{v1}");
    let without_systemd = format!("9:cpu,cpuacct:/\n8:memory:/docker/{ID}\n0::/\n");
    for (text, id, uid) in [
        (&v1, ID, Some(UID)),
        (&hybrid, ID, Some(UID)),
        (&v2, OUTER, None),
        (&without_systemd, ID, None),
    ] {
        let found = of_process(text.as_bytes()).unwrap();
        assert_eq!(found.id, id, "{text}");
        let found = found.pod.map(|pod| pod.uid);
        assert_eq!(found.as_deref(), uid, "{text}");
    }
    let systemd_first = format!("3:cpu:/docker/{ID}\n1:name=systemd:/docker/{OUTER}\n0::/\n");
    assert_eq!(of_process(systemd_first.as_bytes()).unwrap().id, OUTER);
    for text in ["", "0::/\n", "\n\n", "::", "0:", "garbage", "1:a:/b:/c\n"] {
        assert_eq!(of_process(text.as_bytes()), None, "{text}");
    }
}

/// Names that somebody may give to a control group: near misses among them.
fn name() -> impl Strategy<Value = Vec<u8>> {
    let near = prop_oneof![
        Just(format!("crio-conmon-{ID}.scope")),
        Just(format!("docker-{}.scope", &ID[1..])),
        Just(format!("kubepods-pod{UID_}.slice")),
        Just(format!("pod{UID}")),
        Just("..".to_owned()),
        Just(String::new()),
    ];
    prop_oneof![
        near.prop_map(String::into_bytes),
        "[a-z:_.-]{0,40}".prop_map(String::into_bytes),
        // Bytes as argv has them, broken UTF-8, and longer than any file name.
        prop::collection::vec(
            any::<u8>().prop_filter("a slash", |byte| *byte != b'/'),
            0..600
        ),
    ]
}

fn path() -> impl Strategy<Value = Vec<u8>> {
    let names = prop::collection::vec(name(), 0..24);
    names.prop_map(|names| {
        let mut path = vec![b'/'];
        path.extend(names.join(&b'/'));
        path
    })
}

proptest! {
    /// Whatever the bytes: what is found has the form that it must have.
    #[test]
    fn any_bytes_will_do(bytes in prop::collection::vec(any::<u8>(), 0..2_000), path in path()) {
        for bytes in [&bytes, &path] {
            for found in [find(bytes), of_process(bytes)].into_iter().flatten() {
                prop_assert!(found.id.len() == 64 && found.id.bytes().all(is_hex));
                if let Some(pod) = found.pod {
                    prop_assert!(pod.uid.len() == 36 || pod.uid.len() == 32);
                    prop_assert!(pod.uid.bytes().all(|byte| is_hex(byte) || byte == b'-'));
                    prop_assert!(pod.container.len() == 64 && pod.container.bytes().all(is_hex));
                }
            }
        }
    }

    /// What stands in front of a container, and what a container makes below itself, changes
    /// nothing as long as it is no container, and text.
    #[test]
    fn prefixes_and_depth_change_nothing(
        row in prop::sample::select(pods()),
        before in "(/[a-z.-]{1,20}){0,6}",
        below in "(/[a-z.-]{1,20}){0,6}",
    ) {
        let path = format!("{before}{}{below}", row.2);
        let found = find(path.as_bytes()).expect("a container");
        prop_assert_eq!((found.id, found.runtime), (ID, row.0));
        let uid = found.pod.map(|pod| pod.uid);
        prop_assert_eq!(uid.as_deref(), row.1);
    }

    /// One byte changed in a path never makes another pod's of it without being its name.
    #[test]
    fn a_changed_byte_is_seen(
        row in prop::sample::select(all()),
        place in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut path = row.2.into_bytes();
        let place = place.index(path.len());
        path[place] = byte;
        if let Some(found) = find(&path) {
            let text = str::from_utf8(&path).expect("what is found is text");
            prop_assert!(text.contains(found.id));
            if let Some(pod) = found.pod {
                prop_assert!(text.contains(&pod.uid) || text.contains(&pod.uid.replace('-', "_")));
            }
        }
    }
}
