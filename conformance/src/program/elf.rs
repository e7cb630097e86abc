//! Programs made of bytes: small enough to be written here, and of a kind no compiler at
//! hand makes.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
};

/// Where a program lies in memory.
pub(super) const BASE: u32 = 0x0804_8000;
/// Where the code of a 32-bit program begins: behind the two headers.
pub(super) const CODE32: u32 = 84;
const CODE64: u32 = 120;

/// Little-endian fields.
struct Fields(Vec<u8>);

impl Fields {
    fn halves(&mut self, values: &[u16]) {
        self.0
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn words(&mut self, values: &[u32]) {
        self.0
            .extend(values.iter().flat_map(|value| value.to_le_bytes()));
    }

    fn longs(&mut self, values: &[u32]) {
        let values = values.iter().map(|value| u64::from(*value));
        self.0.extend(values.flat_map(u64::to_le_bytes));
    }
}

/// Writes a static i386 program of `code` and, behind it, `data`.
pub(super) fn write32(path: &str, code: &[u8], data: &[u8]) -> io::Result<()> {
    let length = CODE32 + size(code)? + size(data)?;
    let mut elf = Fields(b"\x7fELF\x01\x01\x01\0\0\0\0\0\0\0\0\0".to_vec());
    // ET_EXEC, EM_386.
    elf.halves(&[2, 3]);
    // Version, entry, offsets of program and section headers, flags.
    elf.words(&[1, BASE + CODE32, 52, 0, 0]);
    // Sizes of the headers, and how many there are.
    elf.halves(&[52, 32, 1, 0, 0, 0]);
    // PT_LOAD: offset, addresses, sizes, readable and executable, alignment.
    elf.words(&[1, 0, BASE, BASE, length, length, 5, 0x1000]);
    write(path, &[&elf.0, code, data].concat())
}

/// Writes a static x86-64 program of `code`.
pub(super) fn write64(path: &str, code: &[u8]) -> io::Result<()> {
    let length = CODE64 + size(code)?;
    let mut elf = Fields(b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0".to_vec());
    // ET_EXEC, EM_X86_64, and the fields of `write32`, some of them wider.
    elf.halves(&[2, 62]);
    elf.words(&[1]);
    elf.longs(&[BASE + CODE64, 64, 0]);
    elf.words(&[0]);
    elf.halves(&[64, 56, 1, 0, 0, 0]);
    // Type and flags stand together here.
    elf.words(&[1, 5]);
    elf.longs(&[0, BASE, BASE, length, length, 0x1000]);
    write(path, &[&elf.0, code].concat())
}

fn size(part: &[u8]) -> io::Result<u32> {
    u32::try_from(part.len()).map_err(io::Error::other)
}

fn write(path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    let mut file = options
        .write(true)
        .create_new(true)
        .mode(0o755)
        .open(path)?;
    file.write_all(bytes)
}
