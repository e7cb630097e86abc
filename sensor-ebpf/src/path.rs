//! Paths of kernel objects, as components from the leaf to the root.
//!
//! Everything is read by helper: the walk crosses mounts with `container_of`, which
//! no BTF-typed pointer allows. User space reverses the components.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use sensor_common::{
    limit::{CGROUP, CGROUP_STEPS, COMPONENT, PATH, PATH_STEPS},
    record::fault,
};

use crate::{
    load::{Object, probe},
    offset::{HAS_LOOP, off},
    scratch::{Payload, Writer},
};

/// Where a walk stands. In map memory, like the payload: the stack is small, and what the
/// verifier does not know about it is one state instead of many.
#[repr(C)]
pub(crate) struct Walk {
    dentry: u64,
    mount: u64,
    /// Root of the mount.
    root: u64,
    /// Bytes in the payload before the walk.
    first: u64,
    faults: u32,
    /// The root of the mount namespace, or the end of a pseudo path, has been reached.
    complete: u32,
}

/// Appends the path of `dentry` on the mount `vfsmount`, up to the root of the mount
/// namespace. Returns [`fault`] bits: `cut` when the root end is missing.
///
/// Not inlined: the verifier walks it once for each of its few call sites. Where the
/// kernel has `bpf_loop` (Linux 5.17) it verifies one step instead of all of them.
#[inline(never)]
pub(crate) fn append(payload: *mut Payload, dentry: u64, vfsmount: u64, cut: u32) -> u32 {
    let mount = vfsmount as Object;
    let first = Writer::resume(payload).len() as u64;
    // SAFETY: a live map value that the program has to itself.
    let walk = unsafe { &mut (*payload).walk };
    *walk = Walk {
        dentry,
        mount: vfsmount,
        root: probe::<u64>(mount.wrapping_add(off!(vfsmount_root))).0,
        first,
        faults: 0,
        complete: 0,
    };
    if HAS_LOOP.load() != 0 {
        let mut context = payload;
        let body = step as extern "C" fn(u64, *const *mut Payload) -> i64 as *mut c_void;
        // SAFETY: the body takes the payload's address, which lives as long as the loop.
        unsafe { bpf_loop(PATH_STEPS, body, (&raw mut context).cast(), 0) };
    } else {
        for _ in 0..PATH_STEPS {
            if advance(payload) {
                break;
            }
        }
    }
    // SAFETY: as above.
    let walk = unsafe { &(*payload).walk };
    walk.faults | if walk.complete == 0 { cut } else { 0 }
}

/// The body of `bpf_loop`: 1 ends it.
extern "C" fn step(_index: u64, payload: *const *mut Payload) -> i64 {
    // SAFETY: `append` passes the address of its own pointer.
    i64::from(advance(unsafe { *payload }))
}

/// Appends one component, or crosses one mount; `true` at the end.
#[inline(always)]
fn advance(payload: *mut Payload) -> bool {
    let writer = Writer::resume(payload);
    // SAFETY: a live map value that the program has to itself.
    let walk = unsafe { &mut (*payload).walk };
    let dentry = walk.dentry as Object;
    // struct dentry { ...; struct dentry *d_parent; struct qstr d_name; ... }
    // One read for both: neighbours since 2.6.38, which the agent checks in BTF.
    let ([parent, hash_len, name], _) = probe::<[u64; 3]>(dentry.wrapping_add(off!(dentry_parent)));
    if walk.dentry == walk.root {
        let this = (walk.mount as Object).wrapping_sub(off!(mount_mnt));
        let above = probe::<Object>(this.wrapping_add(off!(mount_parent))).0;
        if above == this {
            walk.complete = 1;
            return true;
        }
        let mount = above.wrapping_add(off!(mount_mnt));
        walk.dentry = probe::<u64>(this.wrapping_add(off!(mount_mountpoint))).0;
        walk.mount = mount as u64;
        walk.root = probe::<u64>(mount.wrapping_add(off!(vfsmount_root))).0;
        return false;
    }
    if !writer.component(name, hash_len >> 32) {
        walk.faults |= fault::PATH;
    }
    // A pseudo dentry (memfd) or one that was disconnected is its own parent.
    if walk.dentry == parent {
        walk.complete = 1;
        return true;
    }
    walk.dentry = parent;
    (writer.len() as u64).wrapping_sub(walk.first) > (PATH - COMPONENT) as u64
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
