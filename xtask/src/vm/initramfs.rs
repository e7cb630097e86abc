//! An initramfs: a cpio archive in the `newc` format (kernel documentation,
//! `driver-api/early-userspace/buffer-format.rst`), made without cpio and without root.

use std::{fs, io::Write, path::Path};

use anyhow::{Context as _, Result};

const DIRECTORY: u32 = 0o040_755;
const PROGRAM: u32 = 0o100_755;
const DATA: u32 = 0o100_644;
const CHARACTER: u32 = 0o020_600;

/// An archive under construction.
pub(super) struct Archive<W> {
    out: W,
    entries: u32,
}

impl<W: Write> Archive<W> {
    pub(super) fn new(out: W) -> Self {
        Self { out, entries: 0 }
    }

    pub(super) fn directory(&mut self, name: &str) -> Result<()> {
        self.entry(name, DIRECTORY, (0, 0), &[])
    }

    /// A character device: the kernel opens the console before `/dev` is mounted.
    pub(super) fn device(&mut self, name: &str, major: u32, minor: u32) -> Result<()> {
        self.entry(name, CHARACTER, (major, minor), &[])
    }

    pub(super) fn data(&mut self, name: &str, content: &[u8]) -> Result<()> {
        self.entry(name, DATA, (0, 0), content)
    }

    pub(super) fn program(&mut self, name: &str, from: &Path) -> Result<()> {
        let content = fs::read(from).with_context(|| format!("read {}", from.display()))?;
        self.entry(name, PROGRAM, (0, 0), &content)
    }

    pub(super) fn finish(mut self) -> Result<()> {
        self.entry("TRAILER!!!", 0, (0, 0), &[])?;
        self.out.flush().context("write the initramfs")
    }

    fn entry(&mut self, name: &str, mode: u32, device: (u32, u32), content: &[u8]) -> Result<()> {
        self.entries += 1;
        let size = u32::try_from(content.len()).context("a file of 4 GiB")?;
        let name_size = u32::try_from(name.len() + 1).context("a long name")?;
        let fields = [
            self.entries,
            mode,
            0,
            0,
            1,
            0,
            size,
            0,
            0,
            device.0,
            device.1,
            name_size,
            0,
        ];
        let mut header = b"070701".to_vec();
        for field in fields {
            header.extend(format!("{field:08x}").into_bytes());
        }
        header.extend(name.as_bytes());
        header.push(0);
        pad(&mut header);
        let padding = [0; 3];
        let padding = padding
            .get(..content.len().wrapping_neg() & 3)
            .unwrap_or_default();
        self.out
            .write_all(&header)
            .and_then(|()| self.out.write_all(content))
            .and_then(|()| self.out.write_all(padding))
            .context("write the initramfs")
    }
}

/// Header and name together end on a multiple of four, as the content does.
fn pad(bytes: &mut Vec<u8>) {
    while !bytes.len().is_multiple_of(4) {
        bytes.push(0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_aligned_and_end_with_the_trailer() {
        let mut bytes = Vec::new();
        let mut archive = Archive::new(&mut bytes);
        archive.directory("dev").unwrap();
        archive.device("dev/console", 5, 1).unwrap();
        archive.data("tasks", b"verifier\n").unwrap();
        archive.finish().unwrap();
        assert_eq!(bytes.len() % 4, 0);
        assert!(bytes.starts_with(b"07070100000001000041ed"));
        assert!(bytes.windows(11).any(|part| part == b"TRAILER!!!\0"));
        let starts: Vec<usize> = (0..bytes.len())
            .filter(|&at| bytes[at..].starts_with(b"070701"))
            .collect();
        assert_eq!(starts.len(), 4);
        assert!(starts.iter().all(|at| at % 4 == 0), "{starts:?}");
    }
}
