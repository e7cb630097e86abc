//! Watched directories in absolute paths that callers type: told by name, where the
//! kernel's own directory is not to be had.
//!
//! The rung of system calls alone needs this: what counts from a directory is known by
//! that directory's inode.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::bpf_loop;
use sensor_common::{
    limit::TYPED,
    watch::{PlaceKey, PlaceWalk},
};

use crate::{
    descriptor::{AT_FDCWD, base},
    file::directory_key,
    load::{Load, Object, Probed, peek},
    map::LINEAGE_PLACES,
    offset::{HAS_LOOP, off},
    pending::Pending,
};

/// Who walks, handed to the loop's body by address.
#[repr(C)]
struct Walker {
    pending: *mut Pending,
}

/// `true` when the new name of `pending`, an absolute path, is one in a watched
/// directory.
///
/// Not inlined: the loop is verified once for each program.
#[inline(never)]
pub(crate) fn is_watched(pending: *mut Pending) -> bool {
    // SAFETY: callers pass a live map value that is theirs.
    let pending = unsafe { &mut *pending };
    set(pending, PlaceWalk::START);
    if HAS_LOOP.load() != 0 {
        let mut walker = Walker { pending };
        let body = step as extern "C" fn(u64, *mut Walker) -> i64 as *mut c_void;
        // SAFETY: the body takes the walker, which lives as long as the loop.
        unsafe { bpf_loop(TYPED as u32, body, (&raw mut walker).cast(), 0) };
    } else {
        for index in 0..TYPED {
            if advance(pending, index) {
                break;
            }
        }
    }
    let (root, _) = base(AT_FDCWD, true);
    let key = PlaceKey {
        hash: walk(pending).directory,
        root: directory_key(Probed::object(root as Object, off!(dentry_inode))),
    };
    // SAFETY: map values stay readable for the whole program run (RCU).
    unsafe { LINEAGE_PLACES.get(key) }.is_some()
}

/// The body of `bpf_loop`: 1 ends it.
extern "C" fn step(index: u64, walker: *mut Walker) -> i64 {
    // SAFETY: `is_watched` passes its own walker.
    let pending = unsafe { (*walker).pending };
    // SAFETY: a live map value (see `is_watched`).
    i64::from(advance(
        unsafe { &mut *pending },
        index as usize & (TYPED - 1),
    ))
}

/// Takes one byte of the path; `true` at its end.
#[inline(always)]
fn advance(pending: &mut Pending, index: usize) -> bool {
    let byte = pending.new.get(index).map_or(0, peek);
    if byte == 0 {
        return true;
    }
    set(pending, walk(pending).next(byte));
    false
}

/// Where the walk stands: in map memory, so that the verifier forgets it.
#[inline(always)]
fn walk(pending: &Pending) -> PlaceWalk {
    // SAFETY: a live field; volatile so that its value is unknown to the verifier.
    unsafe { core::ptr::from_ref(&pending.walk).read_volatile() }
}

#[inline(always)]
fn set(pending: &mut Pending, walk: PlaceWalk) {
    // SAFETY: as in `walk`.
    unsafe { core::ptr::from_mut(&mut pending.walk).write_volatile(walk) };
}
