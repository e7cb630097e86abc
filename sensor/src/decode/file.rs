//! File records: paths, and the inode where the hook knew it.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use bstr::BString;
use sensor_common::record::{self, FileAction, PathSource, Rung, fault, flag};

use super::{
    CUT, DecodeError, Payload, change_time, get, get_id, get_inode, membership, path, split, stamp,
    written,
};
use crate::event::{Actor, Faults, File, FileId, Inode, ProcessId};

pub(super) fn file(bytes: &[u8]) -> Result<File, DecodeError> {
    let flags = get!(bytes, u32, record::Header, flags);
    let faults = get!(bytes, u32, record::Header, faults);
    let action = FileAction::try_from(get!(bytes, u32, record::File, action))
        .map_err(|_unknown| DecodeError::Value("file action"))?;
    let mut payload = Payload::new(bytes, size_of::<record::File>())?;
    let components = payload.take(get!(bytes, u32, record::File, spans.path))?;
    let text = payload.string(get!(bytes, u32, record::File, spans.path_text))?;
    let other = payload.take(get!(bytes, u32, record::File, spans.other))?;
    let other_text = payload.string(get!(bytes, u32, record::File, spans.other_text))?;
    let exe = payload.take(get!(bytes, u32, record::File, spans.exe))?;
    let parents = payload.take(get!(bytes, u32, record::File, spans.parents))?;
    let has = |bit| faults & bit != 0;
    let paths = [
        Parts {
            components,
            text: &text,
            cut: has(fault::EXE_CUT),
            text_cut: has(fault::TYPED),
        },
        Parts {
            components: other,
            text: &other_text,
            cut: has(fault::CWD_CUT),
            text_cut: has(fault::TYPED_OTHER),
        },
    ];
    let [path, other] = paths.map(Parts::joined);
    Ok(File {
        stamp: stamp(bytes)?,
        process: get_id!(bytes, record::Header, process),
        membership: membership(bytes)?,
        action,
        path,
        source: PathSource::try_from(get!(bytes, u32, record::File, source))
            .map_err(|_unknown| DecodeError::Value("path source"))?,
        other: match action {
            FileAction::Symlink => Some(other_text),
            FileAction::Rename | FileAction::Exchange | FileAction::Link => Some(other),
            FileAction::Write | FileAction::Read | FileAction::Chmod => None,
        },
        inode: (flags & flag::INODE != 0).then_some(inode(bytes)?),
        created: flags & flag::CREATED != 0,
        argument: get!(bytes, u32, record::File, argument),
        class: get!(bytes, u32, record::File, class),
        in_watched_directory: flags & flag::WATCHED_DIRECTORY != 0,
        attempt: flags & flag::ATTEMPT != 0,
        io_uring: flags & flag::IO_URING != 0,
        written: written(
            get_id!(bytes, record::File, written.root),
            get!(bytes, u64, record::File, written.age_ns),
        ),
        actor: (!exe.is_empty()).then(|| Actor {
            exe: super::path(exe, false, 0),
            parents: split(parents),
        }),
        uid: get!(bytes, u32, record::File, uid),
        euid: get!(bytes, u32, record::File, euid),
        mount_ns: get!(bytes, u32, record::File, mount_ns),
        rung: Rung::try_from(get!(bytes, u32, record::File, rung))
            .map_err(|_unknown| DecodeError::Value("rung"))?,
        faults: Faults(faults),
    })
}

fn inode(bytes: &[u8]) -> Result<Inode, DecodeError> {
    let generation = get!(bytes, u32, record::File, generation);
    Ok(get_inode!(bytes, record::File, generation))
}

/// A path as a record gives it.
#[derive(Clone, Copy, Default)]
struct Parts<'a> {
    /// Of a kernel object, the leaf first.
    components: &'a [u8],
    /// To be joined to it, as a caller typed it.
    text: &'a [u8],
    /// The components lack the root end.
    cut: bool,
    /// The text lacks its beginning: nobody knows what it counts from.
    text_cut: bool,
}

impl Parts<'_> {
    /// The path as one: `.` and empty components are dropped; `..` stays, since only the
    /// kernel knows what it leads to.
    fn joined(self) -> BString {
        let base = path(self.components, self.cut, 0);
        if self.text.is_empty() {
            return base;
        }
        let mut joined = if self.text_cut { CUT.into() } else { base };
        while joined.ends_with(b"/") {
            joined.pop();
        }
        let parts = self.text.split(|&byte| byte == b'/');
        for part in parts.filter(|part| !matches!(part, [] | [b'.'])) {
            joined.push(b'/');
            joined.extend_from_slice(part);
        }
        joined
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typed_paths_are_joined_and_not_resolved() {
        for (components, text, expected) in [
            (&b"html\0www\0var\0"[..], "x.php", "/var/www/html/x.php"),
            (b"html\0www\0var\0", "./a//x.php", "/var/www/html/a/x.php"),
            (b"html\0www\0var\0", "../x.php", "/var/www/html/../x.php"),
            // The kernel side sends the process's own root for an absolute one.
            (b"jail\0", "/tmp/x.php", "/jail/tmp/x.php"),
            (b"x.php\0html\0", "", "/html/x.php"),
            (b"", "x.php", "/x.php"),
            (b"", "", "/"),
        ] {
            let parts = Parts {
                components,
                text: text.as_bytes(),
                ..Parts::default()
            };
            assert_eq!(parts.joined(), expected, "{text}");
            let cut = Parts {
                text_cut: true,
                ..parts
            };
            let lost = !text.is_empty();
            assert_eq!(cut.joined().starts_with(b"[...]"), lost, "{text}");
        }
    }
}
