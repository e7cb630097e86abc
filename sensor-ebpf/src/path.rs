//! Paths of kernel objects, as components from the leaf to the root.
//!
//! Everything is read by helper: the walk crosses mounts with `container_of`, which
//! no BTF-typed pointer allows. User space reverses the components.

use sensor_common::{
    limit::{CGROUP, CGROUP_STEPS, COMPONENT, PATH, PATH_STEPS},
    record::fault,
};

use crate::{
    load::{Object, probe},
    offset::off,
    scratch::{Payload, Writer},
};

/// Appends the path of `dentry` on the mount `vfsmount`, up to the root of the mount
/// namespace. Returns [`fault`] bits: `cut` when the root end is missing.
///
/// Not inlined: the verifier walks it once for each of its few call sites.
#[inline(never)]
pub(crate) fn append(payload: *mut Payload, dentry: u64, vfsmount: u64, cut: u32) -> u32 {
    let writer = Writer::resume(payload);
    let first = writer.len();
    let mut dentry = dentry as Object;
    let mut mount = vfsmount as Object;
    let mut faults = 0;
    let mut root = probe::<Object>(mount.wrapping_add(off!(vfsmount_root))).0;
    for _ in 0..PATH_STEPS {
        // struct dentry { ...; struct dentry *d_parent; struct qstr d_name; ... }
        // One read for both: neighbours since 2.6.38, which the agent checks in BTF.
        let ([parent, hash_len, name], _) =
            probe::<[u64; 3]>(dentry.wrapping_add(off!(dentry_parent)));
        if dentry == root {
            let this = mount.wrapping_sub(off!(mount_mnt));
            let above = probe::<Object>(this.wrapping_add(off!(mount_parent))).0;
            if above == this {
                return faults;
            }
            dentry = probe::<Object>(this.wrapping_add(off!(mount_mountpoint))).0;
            mount = above.wrapping_add(off!(mount_mnt));
            root = probe::<Object>(mount.wrapping_add(off!(vfsmount_root))).0;
            continue;
        }
        if !writer.component(name, hash_len >> 32) {
            faults |= fault::PATH;
        }
        // A pseudo dentry (memfd) or one that was disconnected is its own parent.
        if dentry as u64 == parent {
            return faults;
        }
        if writer.len().wrapping_sub(first) > PATH - COMPONENT {
            break;
        }
        dentry = parent as Object;
    }
    faults | cut
}

/// Appends the path of the kernfs node `node` below the root of its hierarchy.
#[inline(never)]
pub(crate) fn append_kernfs(payload: *mut Payload, node: u64) -> u32 {
    let writer = Writer::resume(payload);
    let first = writer.len();
    let mut node = node as Object;
    for _ in 0..CGROUP_STEPS {
        let parent = probe::<Object>(node.wrapping_add(off!(kernfs_parent))).0;
        if parent.is_null() {
            return 0;
        }
        let name = probe::<Object>(node.wrapping_add(off!(kernfs_name))).0;
        if !writer.kernel_str(name, COMPONENT as u32) {
            return fault::PATH;
        }
        if writer.len().wrapping_sub(first) > CGROUP - COMPONENT {
            break;
        }
        node = parent;
    }
    fault::PATH
}
