//! What an inode tells about its file.

use crate::{
    load::{Load, Object, probe},
    offset::{off, present},
};

/// Numbers of one inode.
#[derive(Clone, Copy)]
pub(crate) struct Facts {
    pub(crate) ino: u64,
    pub(crate) size: u64,
    pub(crate) ctime_s: i64,
    pub(crate) ctime_ns: u32,
    pub(crate) dev: u32,
    pub(crate) nlink: u32,
    pub(crate) mode: u32,
    pub(crate) owner: u32,
    pub(crate) group: u32,
    pub(crate) generation: u32,
    /// `s_magic` of its file system.
    pub(crate) magic: u64,
}

/// Reads `inode`.
#[inline(always)]
pub(crate) fn facts<L: Load>(inode: Object) -> Facts {
    let superblock = L::object(inode, off!(inode_sb));
    let changed = changed(inode);
    let generation = if present(off!(inode_generation)) {
        L::read(inode, off!(inode_generation))
    } else {
        0
    };
    Facts {
        ino: L::read(inode, off!(inode_ino)),
        size: L::read(inode, off!(inode_size)),
        ctime_s: changed.0,
        ctime_ns: changed.1,
        dev: L::read(superblock, off!(sb_dev)),
        nlink: L::read(inode, off!(inode_nlink)),
        mode: u32::from(L::read::<u16>(inode, off!(inode_mode))),
        owner: L::read(inode, off!(inode_uid)),
        group: L::read(inode, off!(inode_gid)),
        generation,
        magic: L::read(superblock, off!(sb_magic)),
    }
}

/// Change time: two fields since 6.11, a `timespec64` before.
#[inline(always)]
fn changed(inode: Object) -> (i64, u32) {
    if !present(off!(inode_ctime_s)) {
        return (0, 0);
    }
    let seconds = inode.wrapping_add(off!(inode_ctime_s));
    let nanoseconds = if present(off!(inode_ctime_ns)) {
        inode.wrapping_add(off!(inode_ctime_ns))
    } else {
        seconds.wrapping_add(8)
    };
    (probe::<i64>(seconds).0, probe::<u32>(nanoseconds).0)
}
