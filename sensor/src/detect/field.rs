//! The fields rules can name: the one table behind look-up, `rules check` and the
//! documentation.
//!
//! Standard Linux names of Sigma's `process_creation` first, ours after. A field that
//! has no value for an event is absent, which only `null` and `exists: false` match.

use std::sync::LazyLock;

use bstr::ByteSlice;
use rsigma_eval::EventValue;

use super::{
    masquerade, program,
    rule::Need,
    view::{View, text},
};
use crate::event::Image;

/// Shape of a field's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Text.
    Text,
    /// Several texts; a rule matches when one does.
    List,
    /// A whole number.
    Number,
    /// `true` or `false`.
    Bool,
}

impl Kind {
    /// Word used in documentation.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::List => "list of text",
            Self::Number => "number",
            Self::Bool => "true/false",
        }
    }
}

type Get = for<'v> fn(&'v View<'_>) -> Option<EventValue<'v>>;

/// One field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Name used in rules.
    pub name: &'static str,
    /// Shape of its value.
    pub kind: Kind,
    /// What it says, one line.
    pub about: &'static str,
    /// Fact without which it may be absent: rules that use it declare it under `needs`.
    pub fact: Option<Need>,
    get: Get,
}

impl Field {
    const fn new(name: &'static str, kind: Kind, about: &'static str, get: Get) -> Self {
        Self {
            name,
            kind,
            about,
            fact: None,
            get,
        }
    }

    const fn with_fact(mut self, fact: Need) -> Self {
        self.fact = Some(fact);
        self
    }

    pub(super) fn get<'v>(&self, view: &'v View<'_>) -> Option<EventValue<'v>> {
        (self.get)(view)
    }
}

/// Prefix of the fields that are environment variables: `Env.LD_PRELOAD`.
pub const ENV: &str = "Env.";

/// What [`ENV`] fields are, for documentation.
pub const ENV_ABOUT: &str = "Environment variable of the new program, if the sensor keeps it";

fn word(word: &str) -> Option<EventValue<'_>> {
    Some(EventValue::Str(word.into()))
}

fn number(number: impl Into<i64>) -> Option<EventValue<'static>> {
    Some(EventValue::Int(number.into()))
}

fn large(number: u64) -> Option<EventValue<'static>> {
    Some(EventValue::Int(i64::try_from(number).unwrap_or(i64::MAX)))
}

fn flag(flag: bool) -> Option<EventValue<'static>> {
    Some(EventValue::Bool(flag))
}

fn bytes(bytes: &[u8]) -> Option<EventValue<'_>> {
    (!bytes.is_empty()).then(|| text(bytes))
}

fn image<'v>(view: &'v View<'_>) -> &'v Image {
    &view.program().image
}

fn hashes(view: &View<'_>) -> Option<EventValue<'static>> {
    use std::fmt::Write as _;
    let mut text = String::from("SHA256=");
    for byte in view.evidence.sha256? {
        write!(text, "{byte:02X}").ok()?;
    }
    Some(EventValue::Str(text.into()))
}

fn programs<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let name = EventValue::Str(view.program_name().into());
    let Some(script) = view.program().script() else {
        return Some(name);
    };
    let script = program::stem(program::basename(script)).to_str_lossy();
    Some(EventValue::Array(vec![name, EventValue::Str(script)]))
}

fn service_id<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let id = view.service()?.id;
    Some(EventValue::Str(
        format!("{}-{}", id.tgid, id.start_ns).into(),
    ))
}

fn script<'v>(view: &'v View<'_>) -> Option<EventValue<'v>> {
    let path = program::script(view.program())?;
    Some(EventValue::Str(path.to_str_lossy().into_owned().into()))
}

use Kind::{Bool, List, Number, Text};

/// Every field except the variables under [`ENV`].
pub const FIELDS: &[Field] = &[
    Field::new(
        "Image",
        Text,
        "Path of the executable, as the kernel resolved it",
        |v| bytes(&image(v).path),
    ),
    Field::new(
        "CommandLine",
        Text,
        "Arguments joined by blanks; [...] for a middle that was cut",
        |v| word(v.command_line()),
    ),
    Field::new(
        "ParentImage",
        Text,
        "Image of the process that forked this one, at that fork",
        |v| bytes(&v.parent()?.image.path),
    ),
    Field::new(
        "ParentCommandLine",
        Text,
        "Arguments of the process that forked this one, at that fork",
        |v| word(v.parent_command_line()?),
    ),
    Field::new("CurrentDirectory", Text, "Working directory", |v| {
        bytes(&v.program().cwd)
    }),
    Field::new(
        "User",
        Text,
        "Name of the real user; its number where the name is unknown",
        |v| Some(EventValue::Str(v.user())),
    ),
    Field::new(
        "LogonId",
        Number,
        "Audit login uid; absent outside login sessions",
        |v| number(v.program().cred.login_uid?),
    ),
    Field::new("ProcessId", Number, "Process id on the host", |v| {
        number(v.subject.exec.process.tgid)
    }),
    Field::new(
        "ParentProcessId",
        Number,
        "Process id of the process that forked this one",
        |v| number(v.subject.creator.as_ref()?.id.tgid),
    ),
    Field::new("Hashes", Text, "SHA256= and the executable's hash", hashes).with_fact(Need::Hash),
    Field::new(
        "Service.Kind",
        Text,
        "Kind of the service: nginx, apache, php-fpm, java",
        |v| word(v.service()?.kind.name()),
    ),
    Field::new(
        "Service.Role",
        Text,
        "edge (executes nothing but itself) or app",
        |v| word(v.service()?.role.name()),
    ),
    Field::new("Service.Unit", Text, "systemd unit of the service", |v| {
        bytes(v.service()?.unit.as_bytes())
    }),
    Field::new(
        "Service.Id",
        Text,
        "Service root: pid, dash, start time in ns",
        service_id,
    ),
    Field::new(
        "Service.Worker",
        Bool,
        "The branch left the service through a process that serves requests",
        |v| flag(v.worker()?),
    ),
    Field::new(
        "Service.Origin",
        Text,
        "Part of that process: master, worker or both",
        |v| word(v.service().map(|_| v.subject.origin.name())?),
    ),
    Field::new(
        "Lineage.Image",
        List,
        "Images of all ancestors, in-place execs included, without the present one",
        |v| Some(EventValue::Array(v.lineage())),
    ),
    Field::new(
        "Lineage.Depth",
        Number,
        "Forks and execs since the service, transparent helpers left out",
        |v| number(v.subject.depth),
    ),
    Field::new(
        "Exec.Program",
        List,
        "What runs, by name without version: the program (busybox applets and ld.so seen through) and the #! script",
        programs,
    ),
    Field::new(
        "Exec.PreviousImage",
        Text,
        "Image this process had before this exec",
        |v| bytes(&v.subject.previous.as_ref()?.image.path),
    ),
    Field::new(
        "Exec.Chain",
        List,
        "Images this process itself has exec'ed, the present one last",
        |v| Some(EventValue::Array(v.chain())),
    ),
    Field::new(
        "Exec.OwnImage",
        Bool,
        "The service executed its own image (reload, binary upgrade)",
        |v| flag(v.subject.own_image),
    ),
    Field::new(
        "Exec.Script",
        Text,
        "Absolute path of the #! script",
        script,
    ),
    Field::new("Exec.Filename", Text, "Path given to exec, as typed", |v| {
        bytes(&v.program().filename)
    }),
    Field::new(
        "Shell.Command",
        Text,
        "Command line of a shell, plain: no quotes or backslashes, $IFS and white space one blank",
        |v| word(v.shell_command()?),
    ),
    Field::new(
        "Stdio.In",
        Text,
        "What descriptor 0 is: pipe, socket, tty, null, file",
        |v| word(v.program().stdio[0].name()),
    ),
    Field::new("Stdio.Out", Text, "What descriptor 1 is", |v| {
        word(v.program().stdio[1].name())
    }),
    Field::new("Stdio.Err", Text, "What descriptor 2 is", |v| {
        word(v.program().stdio[2].name())
    }),
    Field::new("File.Name", Text, "Last component of Image", |v| {
        bytes(image(v).name())
    }),
    Field::new(
        "File.Unlinked",
        Bool,
        "The executable has no name in any directory",
        |v| flag(image(v).unlinked),
    ),
    Field::new("File.Memfd", Bool, "The executable is a memory file", |v| {
        flag(image(v).is_memfd())
    }),
    Field::new("File.Links", Number, "Links of the executable", |v| {
        number(image(v).nlink)
    }),
    Field::new(
        "File.Mode",
        Text,
        "Permission bits of the executable, four octal digits",
        |v| {
            Some(EventValue::Str(
                format!("{:04o}", image(v).mode & 0o7777).into(),
            ))
        },
    ),
    Field::new("File.Owner", Number, "uid that owns the executable", |v| {
        number(image(v).owner)
    }),
    Field::new("File.Size", Number, "Bytes of the executable", |v| {
        large(image(v).size)
    }),
    Field::new(
        "File.Upper",
        Bool,
        "The executable was written after the container image was made",
        |v| flag(image(v).upper?),
    ),
    Field::new(
        "Args.Count",
        Number,
        "Number of arguments, argv[0] included",
        |v| number(v.program().args.argc),
    ),
    Field::new(
        "Args.Truncated",
        Bool,
        "The middle of the arguments was not captured",
        |v| flag(v.program().args.truncated),
    ),
    Field::new(
        "Masquerade.Shell",
        Bool,
        "The executable is an installed shell under another name",
        |v| flag(v.evidence.shell?),
    )
    .with_fact(Need::Hash),
    Field::new(
        "Masquerade.Server",
        Bool,
        "A server's name on what is not that server",
        |v| flag(v.server()),
    ),
    Field::new(
        "Masquerade.Loader",
        Bool,
        "A dynamic loader was told to run a shell",
        |v| flag(masquerade::is_loader(v.subject)),
    ),
];

/// The field called `name`; variables are not in the table.
pub(super) fn find(name: &str) -> Option<&'static Field> {
    static SORTED: LazyLock<Vec<&'static Field>> = LazyLock::new(|| {
        let mut fields: Vec<_> = FIELDS.iter().collect();
        fields.sort_by_key(|field| field.name);
        fields
    });
    let index = SORTED.binary_search_by(|field| field.name.cmp(name)).ok()?;
    SORTED.get(index).copied()
}

/// The field whose name is most like `name`, if any is at all.
pub(super) fn nearest(name: &str) -> Option<&'static str> {
    let wanted = name.to_lowercase();
    let scored = FIELDS.iter().map(|field| {
        let tail = field
            .name
            .rsplit('.')
            .next()
            .unwrap_or(field.name)
            .to_lowercase();
        let whole = strsim::normalized_damerau_levenshtein(&wanted, &field.name.to_lowercase());
        (
            whole.max(strsim::normalized_damerau_levenshtein(&wanted, &tail) * 0.9),
            field.name,
        )
    });
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= 0.6).then_some(best.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_found() {
        for field in FIELDS {
            assert_eq!(find(field.name).map(|found| found.about), Some(field.about));
            assert!(
                !field.about.is_empty() && !field.about.ends_with('.'),
                "{}",
                field.name
            );
        }
        assert!(find("image").is_none());
        assert!(find("Env.PATH").is_none());
    }

    #[test]
    fn a_misspelt_field_has_a_neighbour() {
        assert_eq!(nearest("Comandline"), Some("CommandLine"));
        assert_eq!(nearest("service.role"), Some("Service.Role"));
        assert_eq!(nearest("OwnImage"), Some("Exec.OwnImage"));
        assert_eq!(nearest("zzzzzzzz"), None);
    }
}
