//! What a descriptor of the current process stands for.

use aya_ebpf::helpers::generated::bpf_get_current_task;

use crate::{
    load::{Load, Object, Probed},
    offset::off,
};

/// The file behind `descriptor`; `None` when there is none.
#[inline(always)]
pub(crate) fn file_of(descriptor: u32) -> Option<Object> {
    // SAFETY: a helper without arguments.
    let task = unsafe { bpf_get_current_task() } as Object;
    let files = Probed::object(task, off!(task_files));
    let table = Probed::object(files, off!(files_fdt));
    if descriptor >= Probed::read::<u32>(table, off!(fdtable_max)) {
        return None;
    }
    let slots = Probed::object(table, off!(fdtable_fd));
    let file = Probed::object(slots, descriptor as usize * 8);
    (!file.is_null()).then_some(file)
}
