//! What a descriptor of the current process stands for.

use aya_ebpf::helpers::generated::{bpf_get_current_task, bpf_get_current_task_btf};

use crate::{
    load::{Load, Object, Probed, Typed},
    offset::off,
};

/// "From the working directory", `include/uapi/linux/fcntl.h`.
pub(crate) const AT_FDCWD: i32 = -100;

/// The file behind `descriptor`; `None` when there is none.
#[inline(always)]
pub(crate) fn file_of(descriptor: u32) -> Option<Object> {
    // Typed as far as that goes: every open of the machine comes this way.
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task_btf() } as Object;
    let files = Typed::object(task, off!(task_files));
    let table = Typed::object(files, off!(files_fdt));
    if descriptor >= Typed::read::<u32>(table, off!(fdtable_max)) {
        return None;
    }
    let slots = Typed::object(table, off!(fdtable_fd));
    let file = Probed::object(slots, descriptor as usize * 8);
    (!file.is_null()).then_some(file)
}

/// Dentry and mount of the directory from which a path counts.
#[inline(always)]
pub(crate) fn base(directory: i32, absolute: bool) -> (u64, u64) {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as Object;
    let fs = Probed::object(task, off!(task_fs));
    let path = if absolute {
        fs.wrapping_add(off!(fs_root))
    } else if directory == AT_FDCWD {
        fs.wrapping_add(off!(fs_pwd))
    } else if let Some(file) = file_of(directory as u32) {
        file.wrapping_add(off!(file_path))
    } else {
        return (0, 0);
    };
    (
        Probed::read(path, off!(path_dentry)),
        Probed::read(path, off!(path_mnt)),
    )
}
