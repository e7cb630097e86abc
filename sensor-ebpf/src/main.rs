//! Kernel programs of the lineage sensor: exec, fork, exit, listen, files and the start-up scan.
//!
//! One file per hook. Each hook exists twice, as a BTF-typed raw tracepoint and as a
//! plain one; both are the same function over a [`load::Load`], which says how kernel
//! memory is read. Nothing here decides what is suspicious: the programs record.
#![no_std]
#![no_main]
// `arithmetic_side_effects` is off: BPF arithmetic wraps, and what becomes a length or
// an index is masked, which the verifier checks.
#![warn(clippy::indexing_slicing)]
#![expect(
    clippy::inline_always,
    reason = "typed loads keep their BTF type only while they are in one program; a BPF \
              call costs the verifier more than it saves"
)]
#![expect(
    clippy::cast_possible_truncation,
    reason = "BPF is a 64-bit machine, and what is cut to 32 bits has been masked before"
)]
#![expect(
    clippy::cast_possible_wrap,
    clippy::cast_sign_loss,
    reason = "descriptors, flags and results are what C makes of them"
)]
#![expect(
    clippy::needless_pass_by_value,
    reason = "the hook macros hand the context over by value"
)]

mod change;
mod change_hook;
mod change_syscall;
mod class;
mod connect;
mod count;
mod descriptor;
mod exec;
mod exit;
mod file;
mod fork;
mod image;
mod inode;
mod lineage;
mod listen;
mod load;
mod map;
mod offset;
mod open;
mod path;
mod payload;
mod pending;
mod place;
mod scan;
mod scratch;
mod socket;
mod syscall;
mod uring;
mod written;

use core::panic::PanicInfo;

#[panic_handler]
fn panic(_info: &PanicInfo<'_>) -> ! {
    // No code path of a verified program panics; the linker only wants the symbol.
    loop {}
}

/// `bpf_probe_read_*` are for GPL-compatible programs only.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
