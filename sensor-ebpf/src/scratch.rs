//! The per-CPU buffer an exec record is built in.
//!
//! The write cursor lives in the buffer, not on the stack: read back, it is an
//! unknown number to the verifier, so that every way through a loop of appends ends
//! in one state. With a local cursor the exec program exceeds 1,000,000 instructions.

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user,
};
use sensor_common::{
    limit::{PAYLOAD, PAYLOAD_SLACK},
    record::Exec,
};

/// Record under construction, its payload, and the cursor.
#[repr(C)]
pub(crate) struct Scratch {
    /// Fixed part.
    pub(crate) record: Exec,
    payload: [u8; PAYLOAD + PAYLOAD_SLACK],
    cursor: u64,
}

/// Appends to a [`Scratch`] in map memory.
#[derive(Clone, Copy)]
pub(crate) struct Writer(*mut Scratch);

impl Writer {
    /// Starts an empty payload in `scratch`, a live map value.
    #[inline(always)]
    pub(crate) fn new(scratch: *mut Scratch) -> Self {
        let writer = Self(scratch);
        writer.seek(0);
        writer
    }

    /// The buffer, for functions that are not inlined.
    #[inline(always)]
    pub(crate) fn scratch(self) -> *mut Scratch {
        self.0
    }

    /// Goes on with the payload begun by [`Writer::new`].
    #[inline(always)]
    pub(crate) fn resume(scratch: *mut Scratch) -> Self {
        Self(scratch)
    }

    /// Bytes written.
    #[inline(always)]
    pub(crate) fn len(self) -> usize {
        // SAFETY: a live map value (see `new`).
        let cursor = unsafe { &raw const (*self.0).cursor };
        // SAFETY: as above; volatile so that the value is unknown to the verifier.
        unsafe { cursor.read_volatile() as usize & (PAYLOAD - 1) }
    }

    #[inline(always)]
    fn seek(self, position: usize) {
        // SAFETY: a live map value (see `new`).
        let cursor = unsafe { &raw mut (*self.0).cursor };
        // SAFETY: as above; see `len` for why volatile.
        unsafe { cursor.write_volatile(position as u64) };
    }

    /// Where the next byte goes: `position` is below `PAYLOAD`, so that up to
    /// `PAYLOAD_SLACK` bytes fit behind it.
    #[inline(always)]
    fn target(self, position: usize) -> *mut u8 {
        // SAFETY: a live map value (see `new`).
        let payload = unsafe { &raw mut (*self.0).payload };
        payload.cast::<u8>().wrapping_add(position)
    }

    /// Appends `len` (below 4,096) bytes of the current task's memory. `false` when
    /// they cannot be read; then nothing is appended.
    #[inline(always)]
    pub(crate) fn user(self, address: u64, len: u64) -> bool {
        let position = self.len();
        let len = len & (PAYLOAD_SLACK as u64 - 1);
        let target = self.target(position).cast();
        // SAFETY: `len` is masked to the slack behind every position.
        let status = unsafe { bpf_probe_read_user(target, len as u32, address as *const _) };
        if status == 0 {
            self.seek(position + len as usize);
        }
        status == 0
    }

    /// Appends a kernel string with its NUL, at most `max` bytes. `false` when it
    /// cannot be read or was cut.
    #[inline(always)]
    pub(crate) fn kernel_str(self, address: *const u8, max: u32) -> bool {
        let position = self.len();
        let target = self.target(position).cast();
        // SAFETY: callers pass a constant `max` below the slack.
        let size = unsafe { bpf_probe_read_kernel_str(target, max, address.cast()) };
        // Negative: the address is bad. Else the bytes written, NUL included.
        let size = if size > 0 { size.unsigned_abs() } else { 0 };
        self.seek(position + size as usize);
        size > 0 && size < u64::from(max)
    }

    /// Appends one path component of `len` (at most 255) bytes with the NUL behind it.
    /// `false` when it cannot be read; then nothing is appended.
    #[inline(always)]
    pub(crate) fn component(self, address: u64, len: u64) -> bool {
        let position = self.len();
        let size = (len & 0xff) + 1;
        let target = self.target(position).cast();
        // SAFETY: `size` is at most 256, below the slack; dentry names end with NUL.
        let status = unsafe { bpf_probe_read_kernel(target, size as u32, address as *const _) };
        if status == 0 {
            self.seek(position + size as usize);
        }
        status == 0
    }
}

// The record and its payload go to the ring as one run of bytes.
const _: () = assert!(core::mem::offset_of!(Scratch, record) == 0);
const _: () = assert!(core::mem::offset_of!(Scratch, payload) == size_of::<Exec>());
