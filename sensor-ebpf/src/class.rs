//! Classes of files, by name: see `sensor_common::watch`.

use core::ffi::c_void;

use aya_ebpf::helpers::generated::{bpf_loop, bpf_probe_read_kernel};
use sensor_common::{
    limit::PAYLOAD_SLACK,
    watch::{self, State, TAIL, Walk},
};

use crate::{
    file::Slot,
    load::{Object, peek, probe},
    map::{LINEAGE_CLASS_BUF, LINEAGE_CLASSES, LINEAGE_FILE_SCRATCH},
    offset::{HAS_LOOP, off},
    scratch::Writer,
};

/// A name, and what is kept while its bytes are walked.
#[repr(C)]
pub(crate) struct ClassBuf {
    name: [u8; TAIL],
    walk: Memory,
}

/// In map memory, so that the verifier forgets what the name was.
#[repr(C)]
struct Memory {
    name: u64,
    part: u64,
    part_len: u64,
    lettered: u64,
    extension: u64,
}

impl Memory {
    #[inline(always)]
    fn at(&self, state: State) -> *const u64 {
        match state {
            State::Name => &raw const self.name,
            State::Part => &raw const self.part,
            State::PartLen => &raw const self.part_len,
            State::Lettered => &raw const self.lettered,
            State::Extension => &raw const self.extension,
        }
    }
}

impl Walk for Memory {
    #[inline(always)]
    fn get(&self, state: State) -> u64 {
        // SAFETY: a live field; volatile so that its value is unknown to the verifier.
        unsafe { self.at(state).read_volatile() }
    }

    #[inline(always)]
    fn set(&mut self, state: State, value: u64) {
        let field = match state {
            State::Name => &raw mut self.name,
            State::Part => &raw mut self.part,
            State::PartLen => &raw mut self.part_len,
            State::Lettered => &raw mut self.lettered,
            State::Extension => &raw mut self.extension,
        };
        // SAFETY: as in `get`.
        unsafe { field.write_volatile(value) };
    }
}

/// Class bits of the file name of `dentry`; 0 for a name that nobody watches.
#[inline(always)]
pub(crate) fn of_dentry(dentry: Object, slot: Slot) -> u32 {
    // struct qstr { u32 hash; u32 len; const unsigned char *name; }
    let ([hash_len, address], _) = probe::<[u64; 2]>(dentry.wrapping_add(off!(dentry_name)));
    of_name(address, hash_len >> 32, slot as u32)
}

/// Class bits of the last component of the kernel string `text`; `None` when it cannot be
/// read.
#[inline(always)]
pub(crate) fn of_text(text: Object, slot: Slot) -> Option<u32> {
    let scratch = LINEAGE_FILE_SCRATCH.get_ptr_mut(slot as u32)?;
    let writer = Writer::new(scratch);
    writer.kernel_str(text, PAYLOAD_SLACK as u32 - 1);
    // The NUL is no part of the name.
    let len = (writer.len() as u64).wrapping_sub(1);
    (len < PAYLOAD_SLACK as u64).then(|| of_name(text as u64, len, slot as u32))
}

/// Class bits of the last component of the path of `len` bytes, NUL included, at `address`.
#[inline(always)]
pub(crate) fn of_path(address: u64, len: u64) -> u32 {
    of_name(address, len.wrapping_sub(1), Slot::Finish as u32)
}

/// Who reads the name, handed to the loop's body by address.
#[repr(C)]
struct Reader {
    buffer: *mut ClassBuf,
}

/// The body of `bpf_loop`: 1 ends it.
extern "C" fn step(index: u64, reader: *mut Reader) -> i64 {
    // SAFETY: `of_name` passes its own reader.
    let buffer = unsafe { (*reader).buffer };
    // SAFETY: a live per-CPU map value that the program's slot has to itself.
    i64::from(advance(
        unsafe { &mut *buffer },
        index as usize & (TAIL - 1),
    ))
}

/// Takes one byte of the name; `true` at its end.
#[inline(always)]
fn advance(buffer: &mut ClassBuf, index: usize) -> bool {
    let byte = buffer.name.get(index).map_or(0, peek);
    if byte == 0 {
        return true;
    }
    watch::step(&mut buffer.walk, byte);
    false
}

/// Class bits of the kernel string of `len` bytes at `address`.
///
/// Not inlined: the loop is verified once for each program.
#[inline(never)]
pub(crate) fn of_name(address: u64, len: u64, slot: u32) -> u32 {
    let Some(buffer) = LINEAGE_CLASS_BUF.get_ptr_mut(slot) else {
        return 0;
    };
    // SAFETY: a live per-CPU map value that `slot` has to itself.
    let buffer = unsafe { &mut *buffer };
    let whole = len <= TAIL as u64;
    let skipped = if whole {
        0
    } else {
        len.wrapping_sub(TAIL as u64)
    };
    let len = if whole { len } else { TAIL as u64 };
    buffer.name = [0; TAIL];
    let target = buffer.name.as_mut_ptr().cast();
    let from = address.wrapping_add(skipped) as *const _;
    // SAFETY: `len` is at most the size of `name`.
    if unsafe { bpf_probe_read_kernel(target, (len as u32).min(TAIL as u32), from) } != 0 {
        return 0;
    }
    watch::begin(&mut buffer.walk);
    if HAS_LOOP.load() != 0 {
        let mut reader = Reader { buffer };
        let body = step as extern "C" fn(u64, *mut Reader) -> i64 as *mut c_void;
        // SAFETY: the body takes the reader, which lives as long as the loop.
        unsafe { bpf_loop(TAIL as u32, body, (&raw mut reader).cast(), 0) };
    } else {
        for index in 0..TAIL {
            if advance(buffer, index) {
                break;
            }
        }
    }
    let walk = &mut buffer.walk;
    watch::close(walk);
    let name = walk.get(State::Name);
    let extension = walk.get(State::Extension);
    let mut class = 0;
    // SAFETY: the agent fills the map before attaching and leaves it alone.
    if let Some(bits) = unsafe { LINEAGE_CLASSES.get(extension) } {
        class |= *bits;
    }
    // SAFETY: as above.
    if let Some(bits) = unsafe { LINEAGE_CLASSES.get(name) } {
        class |= *bits;
    }
    class
}
