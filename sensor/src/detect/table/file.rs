//! Fields of acts on files. `Target` is the file acted on; `File` is, as ever, the
//! executable of the process that acts.

use bstr::ByteSlice;
use rsigma_eval::EventValue;
use sensor_common::{record::fault, watch::class};

use super::{
    super::{
        category::{self, Category::File as FileEvent},
        deed,
        field::{
            Field, Get, Kind,
            Kind::{Bool, List, Number, Text},
        },
        filetype, place,
        program::basename,
        view::{View, text},
    },
    bytes, flag, large, number, word, words,
};
use crate::event::{File, FileAction, Inode, PathSource};

const NS: u64 = 1_000_000_000;

/// `O_ACCMODE` and its values.
const ACCESS: u32 = 3;

/// Words of `Target.Class`.
const CLASSES: &[(u32, &str)] = &[
    (class::SCRIPT, "script"),
    (class::LIBRARY, "library"),
    (class::ARCHIVE, "archive"),
    (class::HANDLER, "handler"),
    (class::CREDENTIAL, "credential"),
    (class::CONFIGURATION, "configuration"),
];

/// The path; both when two were exchanged.
fn paths<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let file = view.file()?;
    let other = file.other.as_ref();
    let Some(other) = other.filter(|_| file.action == FileAction::Exchange) else {
        return Some(text(&file.path));
    };
    Some(EventValue::Array(vec![text(&file.path), text(other)]))
}

fn old<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let file = view.file()?;
    bytes(
        file.other
            .as_ref()
            .filter(|_| file.action != FileAction::Symlink)?,
    )
}

fn link<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let file = view.file()?;
    bytes(
        file.other
            .as_ref()
            .filter(|_| file.action == FileAction::Symlink)?,
    )
}

fn extension<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let extension = filetype::extension(view.target_name()?)?;
    Some(EventValue::Str(
        extension.to_str_lossy().to_ascii_lowercase().into(),
    ))
}

fn directory<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let path = view.target()?;
    let end = path.len().saturating_sub(basename(path).len() + 1);
    bytes(path.get(..end)?)
}

fn inode<'v>(view: &View<'v>) -> Option<&'v Inode> {
    view.file()?.inode.as_ref()
}

/// What `chmod` asked for, else what the file has.
fn mode(view: &View<'_>) -> Option<EventValue<'static>> {
    let file = view.file()?;
    let mode = match file.action {
        FileAction::Chmod => file.argument,
        _ => file.inode.as_ref()?.mode,
    };
    Some(EventValue::Str(format!("{:04o}", mode & 0o7777).into()))
}

fn access(file: &File) -> Option<&'static str> {
    match (file.action, file.argument & ACCESS) {
        (FileAction::Read, _) => Some("read"),
        (FileAction::Write, 2) => Some("read_write"),
        (FileAction::Write, _) => Some("write"),
        _ => None,
    }
}

const fn source(source: PathSource) -> &'static str {
    match source {
        PathSource::Object => "object",
        PathSource::Fd => "fd",
        PathSource::Joined => "joined",
    }
}

const fn field(name: &'static str, kind: Kind, about: &'static str, get: Get) -> Field {
    Field::new(name, kind, about, get).only(FileEvent)
}

/// See the module.
pub(in crate::detect) const FIELDS: &[Field] = &[
    field(
        "TargetFilename",
        Text,
        "Path of the file; of a rename or link the new name, of an exchange both",
        paths,
    ),
    field(
        "Target.Name",
        Text,
        "Last component of TargetFilename",
        |v| bytes(v.target_name()?),
    ),
    field(
        "Target.Directory",
        Text,
        "TargetFilename without its last component",
        directory,
    ),
    field(
        "Target.Extension",
        Text,
        "What follows the last dot of the name, lower case; dots and blanks at its end do not count",
        extension,
    ),
    field(
        category::ACTION,
        Text,
        "write, read, rename, exchange, link, symlink or chmod; rules that do not name it see no read and no chmod",
        |v| word(category::name(v.file()?.action)),
    ),
    field(
        "Target.Created",
        Bool,
        "The act made this name: a new file, a rename, an exchange, a link",
        |v| flag(v.makes_name()?),
    ),
    field(
        "Target.Access",
        Text,
        "How the file was opened: read, write or read_write",
        |v| word(access(v.file()?)?),
    ),
    field(
        "Target.Kind",
        List,
        "By name: script, page (of Java servers), class, archive, javascript, library, handler (.htaccess and the like), configuration",
        |v| words(v.kinds(), filetype::WORDS),
    ),
    field(
        "Target.Place",
        List,
        "By path: web_root, upload, cache, deploy, work, cron, module, configuration, system, temporary, cgi",
        |v| words(v.places(), place::WORDS),
    ),
    field(
        "Target.Class",
        List,
        "Class by which the kernel side watches the name: script, library, archive, handler, credential, configuration",
        |v| words(v.file()?.class, CLASSES),
    ),
    field(
        "Target.OldPath",
        Text,
        "Old name of a rename, exchange or link",
        old,
    ),
    field("Target.LinkTarget", Text, "What a symbolic link says", link),
    field(
        "Target.Mode",
        Text,
        "Permission bits, four octal digits; of a chmod those asked for",
        mode,
    ),
    field("Target.Owner", Number, "uid that owns the file", |v| {
        number(inode(v)?.owner)
    }),
    field(
        "Target.OwnedByService",
        Bool,
        "The user as whom the service answers requests owns the file; root owns none so",
        |v| flag(v.is_owned_by_service()?),
    ),
    field(
        "Target.Protected",
        Bool,
        "Only root can have written the file: root owns it, no other group and nobody else may write it",
        |v| flag(deed::is_protected(inode(v)?)),
    ),
    field(
        "Target.Size",
        Number,
        "Bytes of the file before the act",
        |v| large(inode(v)?.size),
    ),
    field(
        "Target.Links",
        Number,
        "Links of the file; 0 when it has no name",
        |v| number(inode(v)?.nlink),
    ),
    field(
        "Target.WrittenByService",
        Bool,
        "A service wrote this file before, as far as the kernel side remembers",
        |v| flag(v.file().map(|_| v.target_written().is_some())?),
    ),
    field(
        "Target.WrittenBySame",
        Bool,
        "The service it happens under did",
        |v| {
            flag(v.file().map(|_| {
                v.target_written()
                    .is_some_and(|it| deed::is_same(v.subject, it))
            })?)
        },
    ),
    field("Target.WrittenAge", Number, "Seconds since then", |v| {
        large(v.target_written()?.age_ns / NS)
    }),
    field(
        "Target.HoldsScripts",
        Bool,
        "It moves a directory below which a service has made a script, outside of every web root",
        |v| flag(v.file().map(|_| v.evidence.noted.moves_scripts)?),
    ),
    field(
        "Target.DroppedPage",
        Bool,
        "A Java server compiles it from a page that was put there through it in the last day",
        |v| flag(v.memory.is_dropped_page(v.subject, v.target_name()?)?),
    ),
    field(
        "Target.OwnScript",
        Bool,
        "The file is the script that the process itself runs",
        |v| flag(v.is_own_script()?),
    ),
    field(
        "Target.WatchedDirectory",
        Bool,
        "The directory is one that is watched for everybody's acts",
        |v| flag(v.file()?.in_watched_directory),
    ),
    field(
        "Target.PathSource",
        Text,
        "How the path is known: object and fd are the kernel's, joined is as typed",
        |v| word(source(v.file()?.source)),
    ),
    field(
        "Target.Truncated",
        Bool,
        "The beginning or the end of the path is missing",
        |v| {
            flag(
                v.file()?
                    .faults
                    .has(fault::EXE_CUT | fault::TYPED | fault::PATH),
            )
        },
    ),
    field(
        "Target.IoUring",
        Bool,
        "It was done through io_uring",
        |v| flag(v.file()?.io_uring),
    ),
    field(
        "Target.Attempt",
        Bool,
        "Reported before the kernel did it: it may have failed",
        |v| flag(v.file()?.attempt),
    ),
];
