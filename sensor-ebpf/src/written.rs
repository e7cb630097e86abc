//! The kernel's own memory of files: which service wrote one last, and which reads have
//! been reported. The two rings have no common order; this has.

use aya_ebpf::bindings::BPF_ANY;
use sensor_common::{
    counter::Counter,
    limit::READ_REPEAT_NS,
    map::{ProcessId, WrittenBy},
    record::Written,
    watch::{FileKey, ReadKey},
};

use crate::{
    count::count,
    inode::Facts,
    map::{LINEAGE_READS, LINEAGE_WRITTEN},
};

/// The file's name in both memories.
#[inline(always)]
pub(crate) fn file_key(facts: &Facts) -> FileKey {
    FileKey {
        ino: facts.ino,
        dev: facts.dev,
        generation: facts.generation,
    }
}

/// Who wrote the file last, as seen at `now`.
#[inline(always)]
pub(crate) fn by(key: FileKey, now: u64) -> Written {
    // SAFETY: map values stay readable for the whole program run (RCU); one that is
    // replaced meanwhile is as good as the new one.
    match unsafe { LINEAGE_WRITTEN.get(key) } {
        Some(by) => Written {
            root: by.root,
            age_ns: now.wrapping_sub(by.time_ns),
        },
        None => Written::default(),
    }
}

/// Remembers that a member of the service `root` wrote the file.
#[inline(always)]
pub(crate) fn remember(key: FileKey, root: ProcessId, now: u64) {
    // Written again by the same service, as logs are: an update of the map costs more than
    // all else here.
    if let Some(known) = LINEAGE_WRITTEN.get_ptr_mut(key) {
        // SAFETY: map values stay memory of the map for the whole program run (RCU).
        if unsafe { (*known).root } == root {
            // SAFETY: as above.
            let time = unsafe { &raw mut (*known).time_ns };
            // The map may have given the entry to another file meanwhile, which then
            // counts as written now: too new, never too old.
            // SAFETY: as above; one word, so that nobody reads half of it.
            unsafe { time.write_volatile(now) };
            return;
        }
    }
    let by = WrittenBy { root, time_ns: now };
    // The map makes room by itself; a busy bucket loses one memory of many.
    let _busy = LINEAGE_WRITTEN.insert(key, by, u64::from(BPF_ANY));
}

/// `true` when a read of the file by the service `root` is worth a record: the first in
/// a while, or the first since somebody wrote it.
#[inline(always)]
pub(crate) fn is_news(file: FileKey, root: ProcessId, written: Written, now: u64) -> bool {
    let key = ReadKey { file, root };
    // SAFETY: as in `by`.
    if let Some(&last) = unsafe { LINEAGE_READS.get(key) } {
        let age = now.wrapping_sub(last);
        let rewritten = written.root.tgid != 0 && written.age_ns < age;
        if age < READ_REPEAT_NS && !rewritten {
            count(Counter::ReadRepeated);
            return false;
        }
    }
    let _busy = LINEAGE_READS.insert(key, now, u64::from(BPF_ANY));
    true
}
