//! A file of lines that rotates: when it is full or old it is renamed, compressed, and the
//! oldest of those goes.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use super::{Deliver, DeliverError, encode::Encoding};
use crate::{
    alert::Document,
    private::{self, Access},
};

/// Level of compression.
const ZSTD: i32 = 3;

/// Where, and how much.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The file.
    pub path: PathBuf,
    /// Form of a line.
    pub encoding: Encoding,
    /// Bytes at which it is full.
    pub max_bytes: u64,
    /// Age at which it is full.
    pub max_age: Duration,
    /// Full ones kept.
    pub keep: usize,
    /// They are compressed.
    pub compress: bool,
}

/// See the module.
#[derive(Debug)]
pub struct Rotating {
    settings: Settings,
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    path: PathBuf,
    bytes: u64,
    since: SystemTime,
    /// The last write stopped within a line.
    torn: bool,
}

impl Rotating {
    /// Nothing is opened yet.
    #[must_use]
    pub const fn new(settings: Settings) -> Self {
        Self {
            settings,
            open: None,
        }
    }

    fn open(&mut self) -> io::Result<&mut Open> {
        // A file that somebody has moved away is left to him.
        let moved = self.open.as_ref().is_some_and(|open| !open.is_in_place());
        if moved || self.open.is_none() {
            let (file, path) =
                private::open(&self.settings.path, Access::Append).map_err(io::Error::other)?;
            let meta = file.metadata()?;
            self.open = Some(Open {
                bytes: meta.len(),
                since: meta.created().or_else(|_| meta.modified())?,
                torn: meta.len() > 0 && !ends_in_newline(&file, meta.len()),
                file,
                path,
            });
        }
        self.open
            .as_mut()
            .ok_or_else(|| io::Error::other("not open"))
    }

    fn rotate_when_full(&mut self, more: u64) -> io::Result<()> {
        let Settings {
            max_bytes, max_age, ..
        } = self.settings;
        let open = self.open()?;
        let old = open.since.elapsed().is_ok_and(|age| age >= max_age);
        if open.bytes == 0 || open.bytes + more <= max_bytes && !old {
            return Ok(());
        }
        let full = free_name(&open.path)?;
        fs::rename(&open.path, &full)?;
        let path = open.path.clone();
        self.open = None;
        if self.settings.compress {
            compress(&full)?;
        }
        prune(&path, self.settings.keep)
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if let Err(error) = self.rotate_when_full(line.len() as u64) {
            tracing::warn!("cannot rotate {}: {error}", self.settings.path.display());
        }
        let open = self.open()?;
        let text = if open.torn {
            format!("\n{line}")
        } else {
            line.to_owned()
        };
        open.torn = true;
        open.file.write_all(text.as_bytes())?;
        open.torn = false;
        open.bytes += text.len() as u64;
        Ok(())
    }
}

impl Open {
    fn is_in_place(&self) -> bool {
        let (Ok(own), Ok(there)) = (self.file.metadata(), fs::symlink_metadata(&self.path)) else {
            return false;
        };
        (own.dev(), own.ino()) == (there.dev(), there.ino())
    }
}

impl Deliver for Rotating {
    fn deliver(&mut self, document: &Document) -> Result<(), DeliverError> {
        let Some(mut line) = self.settings.encoding.encode(document) else {
            return Ok(());
        };
        line.push('\n');
        self.write(&line).map_err(DeliverError::Io)
    }
}

fn ends_in_newline(file: &File, length: u64) -> bool {
    let mut last = [0];
    let read = std::os::unix::fs::FileExt::read_exact_at(file, &mut last, length - 1);
    read.is_ok() && last == *b"\n"
}

/// A name beside the file that sorts by time.
fn free_name(path: &Path) -> io::Result<PathBuf> {
    let now = jiff::Timestamp::now()
        .strftime("%Y%m%dT%H%M%SZ")
        .to_string();
    for number in 0..1_000 {
        let name = with(path, &format!(".{now}-{number:03}"));
        if !name.exists() && !with(&name, ".zst").exists() {
            return Ok(name);
        }
    }
    Err(io::Error::other("no name is free"))
}

fn with(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Puts a compressed file in the place of `full`.
fn compress(full: &Path) -> io::Result<()> {
    let (out, path) =
        private::open(&with(full, ".zst"), Access::Whole).map_err(io::Error::other)?;
    let packed = zstd::stream::copy_encode(File::open(full)?, &out, ZSTD);
    if packed.and_then(|()| out.sync_all()).is_err() {
        // What is not whole goes; the file itself stays.
        return fs::remove_file(path);
    }
    fs::remove_file(full)
}

/// Removes all but the newest full files.
fn prune(path: &Path, keep: usize) -> io::Result<()> {
    let directory = path.parent().unwrap_or(Path::new("/"));
    let own = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
        + ".";
    let mut full = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let stamp = name
            .strip_prefix(&own)
            .map(|rest| rest.trim_end_matches(".zst"));
        if stamp.is_some_and(is_stamp) {
            full.push(path);
        }
    }
    full.sort();
    let surplus = full.len().saturating_sub(keep);
    full.iter().take(surplus).try_for_each(fs::remove_file)
}

/// Made by [`free_name`], and not something else that begins like the file.
fn is_stamp(text: &str) -> bool {
    let shape = "00000000T000000Z-000";
    text.len() == shape.len()
        && text
            .bytes()
            .zip(shape.bytes())
            .all(|(byte, shape)| match shape {
                b'0' => byte.is_ascii_digit(),
                other => byte == other,
            })
}

#[cfg(test)]
mod tests {
    use std::{os::unix::fs::PermissionsExt as _, sync::Arc};

    use super::*;
    use crate::alert::sample::sample;

    fn settings(dir: &Path) -> Settings {
        Settings {
            path: dir.join("log/alerts.jsonl"),
            encoding: Encoding::Ecs,
            max_bytes: 65_536,
            max_age: Duration::from_hours(1),
            keep: 2,
            compress: true,
        }
    }

    fn alert() -> Document {
        Document::Alert(Arc::new(sample().alert()))
    }

    /// Names beside the file, oldest first, and the file.
    fn names(dir: &Path) -> Vec<PathBuf> {
        let entries = fs::read_dir(dir.join("log")).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
        names.sort();
        names
    }

    fn text(path: &Path) -> String {
        let bytes = fs::read(path).unwrap();
        let packed = path.extension().is_some_and(|it| it == "zst");
        let bytes = if packed {
            zstd::decode_all(bytes.as_slice()).unwrap()
        } else {
            bytes
        };
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_full_file_is_compressed_and_the_oldest_goes() {
        let dir = tempfile::tempdir().unwrap();
        let mut file = Rotating::new(settings(dir.path()));
        let line = alert().to_json() + "\n";
        let per_file = 65_536 / line.len();
        for _ in 0..=(per_file * 4) {
            file.deliver(&alert()).unwrap();
        }
        let names = names(dir.path());
        assert_eq!(names.len(), 3, "{names:?}");
        assert_eq!(text(&names[0]), line);
        for full in &names[1..] {
            assert_eq!(text(full), line.repeat(per_file), "{full:?}");
        }
        for name in names {
            assert_eq!(name.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        }
    }

    #[test]
    fn an_old_file_is_full_and_one_moved_away_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut old = settings(dir.path());
        (old.max_age, old.compress) = (Duration::ZERO, false);
        let mut file = Rotating::new(old);
        file.deliver(&alert()).unwrap();
        file.deliver(&alert()).unwrap();
        assert_eq!(names(dir.path()).len(), 2);
        let mut file = Rotating::new(settings(dir.path()));
        let path = dir.path().join("log/alerts.jsonl");
        file.deliver(&alert()).unwrap();
        fs::rename(&path, dir.path().join("mine")).unwrap();
        file.deliver(&alert()).unwrap();
        assert_eq!(text(&path).lines().count(), 1);
    }

    #[test]
    fn a_line_that_was_cut_is_ended_first() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("log/alerts.jsonl");
        fs::create_dir(dir.path().join("log")).unwrap();
        fs::write(&path, "{\"cut").unwrap();
        Rotating::new(settings(dir.path()))
            .deliver(&alert())
            .unwrap();
        let text = text(&path);
        let lines: Vec<_> = text.lines().collect();
        assert_eq!((lines[0], lines[1]), ("{\"cut", alert().to_json().as_str()));
    }

    #[test]
    fn what_is_in_the_way_is_an_error() {
        let dir = tempfile::tempdir().unwrap();
        let mut settings = settings(dir.path());
        settings.path = dir.path().to_owned();
        assert!(Rotating::new(settings).deliver(&alert()).is_err());
    }
}
