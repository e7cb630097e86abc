//! The per-CPU buffers in which exec and file records are built.
//!
//! The write cursor lives in the buffer, not on the stack: read back, it is an
//! unknown number to the verifier, so that every way through a loop of appends ends
//! in one state. With a local cursor the exec program exceeds 1,000,000 instructions.

use aya_ebpf::helpers::generated::{
    bpf_probe_read_kernel, bpf_probe_read_kernel_str, bpf_probe_read_user,
};
use sensor_common::{
    limit::{PAYLOAD, PAYLOAD_SLACK},
    record::{Exec, File},
};

use crate::path::Walk;

/// Record under construction and its payload: one run of bytes on its way to a ring.
#[repr(C)]
pub(crate) struct Scratch<R> {
    /// Fixed part.
    pub(crate) record: R,
    /// Variable part.
    pub(crate) payload: Payload,
}

/// Strings, and where the next one goes.
#[repr(C)]
pub(crate) struct Payload {
    bytes: [u8; PAYLOAD + PAYLOAD_SLACK],
    cursor: u64,
    /// Of the path being appended.
    pub(crate) walk: Walk,
}

/// Appends to a [`Payload`] in map memory.
#[derive(Clone, Copy)]
pub(crate) struct Writer(*mut Payload);

impl Writer {
    /// Starts an empty payload in `scratch`, a live map value.
    #[inline(always)]
    pub(crate) fn new<R>(scratch: *mut Scratch<R>) -> Self {
        // SAFETY: a live map value: only the address of a field is taken.
        let writer = Self(unsafe { &raw mut (*scratch).payload });
        writer.seek(0);
        writer
    }

    /// The buffer, for functions that are not inlined.
    #[inline(always)]
    pub(crate) fn payload(self) -> *mut Payload {
        self.0
    }

    /// Goes on with the payload begun by [`Writer::new`].
    #[inline(always)]
    pub(crate) fn resume(payload: *mut Payload) -> Self {
        Self(payload)
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
        let bytes = unsafe { &raw mut (*self.0).bytes };
        bytes.cast::<u8>().wrapping_add(position)
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

    /// Appends `len` (below 4,096) bytes of kernel memory.
    #[inline(always)]
    pub(crate) fn kernel(self, address: *const u8, len: u64) {
        let position = self.len();
        let len = len & (PAYLOAD_SLACK as u64 - 1);
        let target = self.target(position).cast();
        // SAFETY: `len` is masked to the slack behind every position.
        let status = unsafe { bpf_probe_read_kernel(target, len as u32, address.cast()) };
        if status == 0 {
            self.seek(position + len as usize);
        }
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

// A record and its payload go to the ring as one run of bytes.
const _: () = assert!(core::mem::offset_of!(Scratch<Exec>, record) == 0);
const _: () = assert!(core::mem::offset_of!(Scratch<Exec>, payload) == size_of::<Exec>());
const _: () = assert!(core::mem::offset_of!(Scratch<File>, record) == 0);
const _: () = assert!(core::mem::offset_of!(Scratch<File>, payload) == size_of::<File>());
const _: () = assert!(core::mem::offset_of!(Payload, bytes) == 0);
