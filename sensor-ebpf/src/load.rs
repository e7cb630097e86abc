//! Reading kernel memory: typed where the verifier knows the pointer, else by helper.

use core::mem::MaybeUninit;

use aya_ebpf::helpers::generated::bpf_probe_read_kernel;

/// Address of a kernel object.
pub(crate) type Object = *const u8;

/// Types of which every bit pattern, all zeroes included, is a value.
pub(crate) trait Plain: Copy {}

impl Plain for u8 {}
impl Plain for u16 {}
impl Plain for u32 {}
impl Plain for u64 {}
impl Plain for i64 {}
impl Plain for Object {}
impl<const N: usize> Plain for [u64; N] {}

/// How members of kernel structs are read.
pub(crate) trait Load {
    /// Reads the `T` at `base + offset`; zero when the address is bad.
    fn read<T: Plain>(base: Object, offset: usize) -> T;

    /// Reads the pointer at `base + offset`.
    #[inline(always)]
    fn object(base: Object, offset: usize) -> Object {
        Self::read::<Object>(base, offset)
    }
}

/// Plain loads, checked against BTF by the verifier (`tp_btf`): `base` must come from
/// a typed argument or another typed load, else the program does not load.
pub(crate) struct Typed;

impl Load for Typed {
    #[inline(always)]
    fn read<T: Plain>(base: Object, offset: usize) -> T {
        let member = base.wrapping_add(offset).cast::<T>();
        // SAFETY: the verifier proves, before the program can run, that `base` is a BTF
        // object with a member of this size here; a fault reads as zero (PROBE_MEM).
        unsafe { *member }
    }
}

/// Loads by `bpf_probe_read_kernel`: any address will do.
pub(crate) struct Probed;

impl Load for Probed {
    #[inline(always)]
    fn read<T: Plain>(base: Object, offset: usize) -> T {
        probe(base.wrapping_add(offset)).0
    }
}

/// Reads a `T` of kernel memory; zero and `false` when the address is bad.
#[inline(always)]
pub(crate) fn probe<T: Plain>(address: Object) -> (T, bool) {
    // Not zeroed: that may become a call, which 6.1 refuses in some loops.
    let mut value = MaybeUninit::<T>::uninit();
    let size = size_of::<T>() as u32;
    // SAFETY: the helper writes `size` bytes to `value` whatever the address holds.
    let status = unsafe { bpf_probe_read_kernel(value.as_mut_ptr().cast(), size, address.cast()) };
    // SAFETY: the helper writes all bytes, zeroes when the address is bad; all bit patterns
    // are values of `T`.
    (unsafe { value.assume_init() }, status == 0)
}

/// Reads a byte of a live array from memory, whatever the compiler knows about it.
#[inline(always)]
pub(crate) fn peek(byte: &u8) -> u8 {
    // SAFETY: a reference is valid for reads.
    unsafe { core::ptr::from_ref(byte).read_volatile() }
}
