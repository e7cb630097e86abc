//! The tables of fields: name, shape, what it says, where it comes from.
//!
//! Here those of the process that acts; standard Linux names of Sigma first, ours after.
//! Under acts other than execs they say what the process runs, as it was at its exec.

pub(super) mod exec;
pub(super) mod file;
pub(super) mod network;

use bstr::ByteSlice;
use rsigma_eval::EventValue;
use sensor_common::record::fault;

use super::{
    field::{
        Field,
        Kind::{Bool, List, Number, Text},
    },
    masquerade,
    past::Past,
    program,
    reading::Reading,
    rule::Need,
    setting::Setting,
    view::{offer, text},
};

#[expect(clippy::unnecessary_wraps, reason = "one shape for every field")]
fn word(word: &str) -> Option<EventValue<'_>> {
    Some(EventValue::Str(word.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every field")]
fn number(number: impl Into<i64>) -> Option<EventValue<'static>> {
    Some(EventValue::Int(number.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every field")]
fn large(number: u64) -> Option<EventValue<'static>> {
    Some(EventValue::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every field")]
fn flag(flag: bool) -> Option<EventValue<'static>> {
    Some(EventValue::Bool(flag))
}

fn bytes(bytes: &[u8]) -> Option<EventValue<'_>> {
    (!bytes.is_empty()).then(|| text(bytes))
}

/// The words whose bits are set; absent when none is.
fn words(bits: u32, all: &'static [(u32, &'static str)]) -> Option<EventValue<'static>> {
    let set = all.iter().filter(|(bit, _)| bits & bit != 0);
    let words: Vec<_> = set
        .map(|(_, word)| EventValue::Str((*word).into()))
        .collect();
    (!words.is_empty()).then_some(EventValue::Array(words))
}

fn hashes(past: &Past) -> Option<EventValue<'static>> {
    use std::fmt::Write as _;
    let mut text = String::from("SHA256=");
    for byte in past.sha256? {
        write!(text, "{byte:02X}").ok()?;
    }
    Some(EventValue::Str(text.into()))
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every field")]
fn programs<'v>(reading: &'v Reading<'_>) -> Option<EventValue<'v>> {
    let name = EventValue::Str(reading.name().into());
    let Some(script) = reading.program().script() else {
        return Some(name);
    };
    let script = program::stem(program::basename(script)).to_str_lossy();
    Some(EventValue::Array(vec![name, EventValue::Str(script)]))
}

fn service_id<'v>(setting: &'v Setting<'_>) -> Option<EventValue<'v>> {
    let id = setting.service()?.id;
    Some(EventValue::Str(
        format!("{}-{}", id.tgid, id.start_ns).into(),
    ))
}

fn script<'v>(reading: &'v Reading<'_>) -> Option<EventValue<'v>> {
    let path = program::script(reading.program())?;
    Some(offer(path.to_str_lossy().into_owned().into()))
}

/// Fields of the process that acts.
pub(super) const PROCESS: &[Field] = &[
    Field::of_program(
        "Image",
        Text,
        "Path of the executable, as the kernel resolved it",
        |r| bytes(&r.image().path),
    ),
    Field::of_program(
        "Image.Truncated",
        Bool,
        "The beginning of Image is missing: it lies too deep",
        |r| flag(r.program().faults.has(fault::EXE_CUT)),
    ),
    Field::of_program(
        "CommandLine",
        Text,
        "Arguments joined by blanks; [...] for a middle that was cut",
        |r| Some(offer(r.command_line().into())),
    ),
    Field::of_setting(
        "ParentImage",
        Text,
        "Image of the process that forked this one, at that fork",
        |v| bytes(&v.parent()?.image.path),
    ),
    Field::of_setting(
        "ParentCommandLine",
        Text,
        "Arguments of the process that forked this one, at that fork",
        |v| Some(offer(v.parent_command_line()?.into())),
    ),
    Field::of_program("CurrentDirectory", Text, "Working directory", |r| {
        bytes(&r.program().cwd)
    }),
    Field::of_setting(
        "User",
        Text,
        "Name of the real user; its number where the name is unknown",
        |v| Some(EventValue::Str(v.user())),
    ),
    Field::of_program(
        "LogonId",
        Number,
        "Audit login uid; absent outside login sessions",
        |r| number(r.program().cred.login_uid?),
    ),
    Field::new("ProcessId", Number, "Process id on the host", |v| {
        number(v.subject.process.tgid)
    })
    .changing(),
    Field::new(
        "ParentProcessId",
        Number,
        "Process id of the process that forked this one",
        |v| number(v.subject.creator.as_ref()?.id.tgid),
    )
    .changing(),
    Field::of_past("Hashes", Text, "SHA256= and the executable's hash", hashes)
        .with_fact(Need::Hash),
    Field::of_setting(
        "Service.Kind",
        Text,
        "Kind of the service: nginx, apache, php-fpm, java",
        |v| word(v.service()?.kind.name()),
    ),
    Field::of_setting(
        "Service.Role",
        Text,
        "edge (executes nothing but itself) or app",
        |v| word(v.service()?.role.name()),
    ),
    Field::of_setting("Service.Unit", Text, "systemd unit of the service", |v| {
        bytes(v.service()?.unit.as_bytes())
    }),
    Field::of_setting(
        "Service.Id",
        Text,
        "Service root: pid, dash, start time in ns",
        service_id,
    ),
    Field::of_setting(
        "Service.Worker",
        Bool,
        "The branch left the service through a process that serves requests",
        |v| flag(v.worker()?),
    ),
    Field::of_setting(
        "Service.Origin",
        Text,
        "Part of that process: master, worker or both",
        |v| word(v.origin()?.name()),
    ),
    Field::of_setting(
        "Lineage.Image",
        List,
        "Images of all ancestors, in-place execs included, without the present one",
        |v| Some(EventValue::Array(v.lineage())),
    ),
    Field::of_setting(
        "Lineage.Depth",
        Number,
        "Forks and execs since the service, transparent helpers left out",
        |v| number(v.depth()),
    ),
    Field::of_program(
        "Exec.Program",
        List,
        "What runs, by name without version: the program (applets of an installed busybox and ld.so seen through) and the #! script",
        programs,
    ),
    Field::of_setting(
        "Exec.PreviousImage",
        Text,
        "Image this process had before this exec",
        |v| bytes(&v.previous()?.image.path),
    ),
    Field::of_setting(
        "Exec.Chain",
        List,
        "Images this process itself has exec'ed, the present one last",
        |v| Some(EventValue::Array(v.chain())),
    ),
    Field::of_program(
        "Exec.OwnImage",
        Bool,
        "The service executed its own image (reload, binary upgrade)",
        |r| flag(r.is_own_image()),
    ),
    Field::of_program(
        "Exec.Script",
        Text,
        "Absolute path of the #! script",
        script,
    ),
    Field::of_program(
        "Exec.ScriptTruncated",
        Bool,
        "The beginning of Exec.Script is missing: the working directory lies too deep",
        |r| flag(program::is_script_cut(r.program())),
    ),
    Field::of_program("Exec.Filename", Text, "Path given to exec, as typed", |r| {
        bytes(&r.program().filename)
    }),
    Field::of_program(
        "Shell.Command",
        Text,
        "Command line of a shell, plain: no quotes or backslashes, $IFS and white space one blank",
        |r| word(r.shell_command()?),
    ),
    Field::of_program(
        "Stdio.In",
        Text,
        "What descriptor 0 is: pipe, socket, tty, null, file",
        |r| word(r.program().stdio[0].name()),
    ),
    Field::of_program("Stdio.Out", Text, "What descriptor 1 is", |r| {
        word(r.program().stdio[1].name())
    }),
    Field::of_program("Stdio.Err", Text, "What descriptor 2 is", |r| {
        word(r.program().stdio[2].name())
    }),
    Field::of_program("File.Name", Text, "Last component of Image", |r| {
        bytes(r.image().name())
    }),
    Field::of_program(
        "File.Unlinked",
        Bool,
        "The executable has no name in any directory",
        |r| flag(r.image().unlinked),
    ),
    Field::of_program("File.Memfd", Bool, "The executable is a memory file", |r| {
        flag(r.image().is_memfd())
    }),
    Field::of_program("File.Links", Number, "Links of the executable", |r| {
        number(r.image().nlink)
    }),
    Field::of_program(
        "File.Mode",
        Text,
        "Permission bits of the executable, four octal digits",
        |r| {
            Some(EventValue::Str(
                format!("{:04o}", r.image().mode & 0o7777).into(),
            ))
        },
    ),
    Field::of_program(
        "File.WritableByOthers",
        Bool,
        "Every user may change the executable",
        |r| flag(r.image().mode & 0o002 != 0),
    ),
    Field::of_program("File.Owner", Number, "uid that owns the executable", |r| {
        number(r.image().owner)
    }),
    Field::of_program("File.Size", Number, "Bytes of the executable", |r| {
        large(r.image().size)
    }),
    Field::of_program(
        "File.Upper",
        Bool,
        "The executable was written after the container image was made",
        |r| flag(r.image().upper?),
    ),
    Field::of_program(
        "Args.Count",
        Number,
        "Number of arguments, argv[0] included",
        |r| number(r.program().args.argc),
    ),
    Field::of_program(
        "Args.Truncated",
        Bool,
        "The middle of the arguments was not captured",
        |r| flag(r.program().args.truncated),
    ),
    Field::of_past(
        "Masquerade.Shell",
        Bool,
        "The executable is an installed shell under another name",
        |p| flag(p.shell?),
    )
    .with_fact(Need::Hash),
    Field::of_program(
        "Masquerade.Server",
        Bool,
        "A server's name on what is not that server",
        |r| flag(r.is_server()),
    ),
    Field::of_program(
        "Masquerade.Loader",
        Bool,
        "A dynamic loader was told to run a program, or its arguments were cut",
        |r| flag(masquerade::is_loader(r.program())),
    ),
];
