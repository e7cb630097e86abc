//! The container id in a cgroup path.

/// What container runtimes write before the id.
const PREFIXES: &[&str] = &[
    "docker-",
    "cri-containerd-",
    "crio-",
    "libpod-",
    "libpod-payload-",
];

/// Finds the id of the innermost container: a path component of 64 hex digits, bare or
/// as `<runtime>-<id>.scope`. Components below it belong to the container itself.
#[must_use]
pub fn id(cgroup: &[u8]) -> Option<&str> {
    let path = str::from_utf8(cgroup).ok()?;
    path.rsplit('/').find_map(|component| {
        let name = component.strip_suffix(".scope").unwrap_or(component);
        let (prefix, id) = name.split_at_checked(name.len().checked_sub(64)?)?;
        let known = prefix.is_empty() || PREFIXES.contains(&prefix);
        let hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (known && id.bytes().all(hex)).then_some(id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";

    #[test]
    fn ids_are_found_where_runtimes_put_them() {
        for path in [
            format!("/docker/{ID}"),
            format!("/system.slice/docker-{ID}.scope"),
            format!(
                "/kubepods.slice/kubepods-besteffort.slice/kubepods-besteffort-pod1_2.slice/cri-containerd-{ID}.scope"
            ),
            format!("/kubepods/burstable/pod1-2/{ID}"),
            format!("/machine.slice/libpod-{ID}.scope/container"),
            format!("/system.slice/docker-{ID}.scope/system.slice/nginx.service"),
        ] {
            assert_eq!(id(path.as_bytes()), Some(ID), "{path}");
        }
    }

    #[test]
    fn other_paths_have_none() {
        let upper = ID.to_uppercase();
        for path in [
            "/system.slice/php8.2-fpm.service".to_owned(),
            format!("/machine.slice/libpod-conmon-{ID}.scope"),
            format!("/docker/{}", &ID[1..]),
            format!("/docker/{upper}"),
            format!("/docker/ü{}", &ID[1..]),
            String::new(),
        ] {
            assert_eq!(id(path.as_bytes()), None, "{path}");
        }
    }
}
