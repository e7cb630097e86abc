//! Fields of execs that are made of more than the record: what an interpreter was told,
//! who wrote what runs, what the environment adds, how the process came to be orphaned.

use bstr::{BStr, ByteSlice};
use rsigma_eval::EventValue;

use super::{
    super::{
        category::Category::{Process, Sensor},
        field::{
            Field,
            Kind::{Bool, List, Number, Text},
        },
        interpreter, place, preload,
    },
    flag, large, number, word, words,
};
use crate::lineage::Act;

const NS: u64 = 1_000_000_000;

fn names(names: Vec<&BStr>) -> Option<EventValue<'_>> {
    let texts: Vec<_> = names
        .into_iter()
        .map(|name| EventValue::Str(name.to_str_lossy()))
        .collect();
    (!texts.is_empty()).then_some(EventValue::Array(texts))
}

/// See the module.
pub(in crate::detect) const FIELDS: &[Field] = &[
    Field::of_setting(
        "Service.Part",
        Text,
        "Part of the process itself in its service: master, worker, both or descendant",
        |v| word(v.part()?.name()),
    ),
    Field::new(
        "Service.Age",
        Number,
        "Seconds since the root of the service began",
        |v| large(v.service_age_ns()? / NS),
    )
    .changing(),
    Field::of_past(
        "Service.JndiConnect",
        Number,
        "Seconds since the Java service connected to a directory server: port 389, 636, 1389 or 1099, not loopback",
        |p| large(p.jndi_s?),
    )
    .only(Process),
    Field::of_past(
        "Lineage.DropUse",
        Number,
        "Seconds since a process of this lineage read a script that a service had put into a web root or a deploy directory in the last day",
        |p| large(p.drop_use_s?),
    )
    .only(Process),
    Field::of_past(
        "Service.ReconTools",
        Number,
        "Different reconnaissance tools below the service within the last minute, when this exec adds one to them",
        |p| number(p.recon?),
    )
    .only(Process),
    Field::of_past(
        "Lineage.ServiceCron",
        Number,
        "Seconds since a service touched the cron or at table of the user whose job this is; outside services, so in host scope only",
        |p| large(p.cron_s?),
    )
    .only(Process),
    Field::new(
        "Sensor.Lost",
        Number,
        "Records that are missing since this was last said",
        |v| match v.subject.act {
            Act::Lose(records) => large(records),
            _ => None,
        },
    )
    .only(Sensor),
    Field::of_setting(
        "Lineage.PackageManager",
        Bool,
        "Root works through a package manager, outside every service",
        |v| flag(v.is_packaging()),
    ),
    Field::of_setting(
        "Lineage.Administrator",
        Bool,
        "Somebody who logged in (sshd, login, sudo, su) works, outside every service",
        |v| flag(v.is_administering()),
    ),
    Field::of_past(
        "Lineage.Reparented",
        Bool,
        "The process that forked this one had ended before this exec",
        |p| flag(p.is_reparented),
    )
    .only(Process),
    Field::of_past(
        "Lineage.Daemonised",
        Bool,
        "Reparented on purpose: by a fork that only forked again, or by setsid",
        |p| flag(p.is_daemonised),
    )
    .only(Process),
    Field::of_past(
        "Exec.InPlace",
        Bool,
        "A process of the service itself became this program, no child of its",
        |p| flag(p.is_in_place),
    )
    .only(Process),
    Field::of_program(
        "Exec.GainsRoot",
        Bool,
        "The effective user becomes root by this exec, the real one is not (setuid)",
        |r| {
            let cred = &r.program().cred;
            flag(cred.euid == 0 && cred.uid != 0)
        },
    )
    .only(Process),
    Field::of_setting(
        "Shell.Interactive",
        Bool,
        "A shell that somebody types into: -i, no command and no script but a pipe or a socket to read them from, or a terminal that its service does not have",
        |v| flag(v.is_interactive_shell()),
    )
    .only(Process),
    Field::of_program(
        "Exec.Interpreter",
        Bool,
        "The program is an interpreter of a language, no shell",
        |r| flag(interpreter::is_interpreter(r.name().as_bytes())),
    ),
    Field::of_program(
        "Exec.Code",
        Bool,
        "An interpreter, no shell, was given code as an argument (python -c, perl -e, php -r)",
        |r| flag(interpreter::has_code(r.program(), r.name().as_bytes())),
    ),
    Field::of_program(
        "Exec.CodeFromInput",
        Bool,
        "An interpreter, no shell, runs what comes through a pipe, a socket or a file on descriptor 0",
        |r| flag(interpreter::is_fed(r.program(), r.name().as_bytes())),
    ),
    Field::of_program(
        "Exec.Place",
        List,
        "Where the script, or else the executable, lies; words of Target.Place",
        |r| words(r.places(), place::WORDS),
    )
    .only(Process),
    Field::of_past(
        "Exec.WrittenByService",
        Bool,
        "A service wrote, renamed, linked or made executable what runs: the executable, or the script (its #! or an interpreter's argument)",
        |p| flag(p.written.is_some()),
    )
    .only(Process),
    Field::of_past(
        "Exec.WrittenBySame",
        Bool,
        "The same, by the service it happens under",
        |p| flag(p.written.is_some_and(|it| it.by_same)),
    )
    .only(Process),
    Field::of_past(
        "Exec.WrittenAge",
        Number,
        "Seconds since then",
        |p| large(p.written?.age_s),
    )
    .only(Process),
    Field::of_setting(
        "Exec.Preload",
        List,
        "Variables that make a program load or run something, new in this exec; values in directories of packages are let pass",
        |v| names(v.preloads()),
    )
    .only(Process),
    Field::of_past(
        "Exec.PreloadWritten",
        Bool,
        "A service wrote the library that such a variable names",
        |p| flag(p.preload),
    )
    .only(Process),
    Field::of_setting(
        "Profile.Mode",
        Text,
        "Mode of the service's profile: learn, shadow or alert; alert also for what a built-in profile knows",
        |v| word(v.profile()?.mode.name()),
    )
    .only(Process),
    Field::of_setting(
        "Profile.Judgement",
        Text,
        "What the profile says of the chain of programs: known, unknown, expired or refused",
        |v| word(v.profile()?.judgement.name()),
    )
    .only(Process),
    Field::of_setting(
        "Profile.First",
        Bool,
        "This run of the sensor has not seen the chain under this service before",
        |v| flag(v.profile()?.first),
    )
    .only(Process),
    Field::of_program(
        "Exec.EnvFunction",
        List,
        "Variables whose value begins like a shell function, but for those that shells export",
        |r| names(preload::functions(r.program())),
    )
    .only(Process),
];
