//! The JSON of alerts: golden, hostile, bounded, and always as the schema says.

use std::sync::{Arc, LazyLock};

use serde_json::Value;

use super::{
    MAX_BYTES, SCHEMA,
    sample::{Sample, program, sample},
};
use crate::{
    event::{Faults, Program},
    lineage::{Part, Role, Service, ServiceKind},
};

mod act;
mod container;
mod hostile;
mod notice;

static VALIDATOR: LazyLock<jsonschema::Validator> =
    LazyLock::new(|| jsonschema::draft202012::new(&serde_json::from_str(SCHEMA).unwrap()).unwrap());

/// What documents show.
const EXAMPLE: &str = include_str!("../../schema/alert.example.json");

/// Parses a line and checks it against the schema.
fn checked(line: &str) -> Value {
    assert!(line.len() < MAX_BYTES, "{} bytes", line.len());
    assert!(!line.chars().any(char::is_control), "{line:?}");
    assert!(
        !line.contains(['<', '>', '&', '\u{202e}', '\u{200b}']),
        "{line}"
    );
    let alert = serde_json::from_str::<Value>(line).unwrap();
    let errors = VALIDATOR
        .iter_errors(&alert)
        .map(|error| format!("{}: {error}", error.instance_path()));
    assert_eq!(
        errors.collect::<Vec<_>>(),
        Vec::<String>::new(),
        "{alert:#}"
    );
    alert
}

#[test]
fn the_schema_is_itself_valid() {
    let schema = serde_json::from_str(SCHEMA).unwrap();
    assert!(jsonschema::meta::is_valid(&schema));
}

#[test]
fn the_example_is_what_comes_out() {
    let alert = sample().alert();
    let example = serde_json::to_string_pretty(&alert).unwrap();
    assert_eq!(example, EXAMPLE.trim_end());
    assert_eq!(
        checked(&alert.to_json()),
        serde_json::from_str::<Value>(EXAMPLE).unwrap()
    );
}

#[test]
fn the_same_finding_gives_the_same_bytes() {
    assert_eq!(sample().alert().to_json(), sample().alert().to_json());
}

#[test]
fn ids_tell_events_rules_and_boots_apart() {
    let first = sample().alert();
    let mut other = sample();
    other.subject.stamp.seq += 1;
    assert_ne!(other.alert().event.id, first.event.id);
    let mut other = sample();
    other.rule.name.push('x');
    assert_ne!(other.alert().event.id, first.event.id);
    let mut other = sample();
    other.host.boot_id.push('x');
    assert_ne!(other.alert().process.entity_id, first.process.entity_id);
}

fn with(mutate: impl FnOnce(&mut Sample)) -> Value {
    let mut sample = sample();
    mutate(&mut sample);
    checked(&sample.alert().to_json())
}

fn message(mutate: impl FnOnce(&mut Sample)) -> String {
    with(mutate)["message"].as_str().unwrap().to_owned()
}

fn own(sample: &mut Sample) -> &mut Program {
    Arc::make_mut(&mut sample.subject.program)
}

#[test]
fn messages() {
    assert_eq!(
        message(|_| ()),
        "php-fpm worker (pid 812) ran /usr/bin/id through /usr/bin/dash as www-data in /var/www/html"
    );
    assert_eq!(
        message(|sample| {
            sample.subject.lineage.ancestors[2].chain.clear();
            *own(sample) = program("/usr/bin/dash", &["sh", "-c", "curl x|sh\x1b"]);
            own(sample).cred.euid = 1001;
        }),
        "php-fpm worker (pid 812) ran /usr/bin/dash (sh -c curl x|sh\\x1b) as uid 1001 in /var/www/html"
    );
    assert_eq!(
        message(|sample| {
            sample.subject.service = None;
            let own = own(sample);
            own.filename = "/tmp/x.sh".into();
            own.cwd = "".into();
        }),
        "php-fpm8.2 (pid 812) ran /tmp/x.sh with /usr/bin/id through /usr/bin/dash as www-data"
    );
    assert_eq!(
        message(|sample| {
            let image = &mut own(sample).image;
            (image.path, image.unlinked) = ("memfd:x".into(), true);
            let steps = ["/a", "/b", "/c", "/d", "/e"].map(|path| Arc::new(program(path, &[])));
            sample.subject.lineage.ancestors[2].chain = steps.to_vec();
        }),
        "php-fpm worker (pid 812) ran memfd:x, held in memory, through /a, /b and 2 more as www-data in /var/www/html"
    );
}

#[test]
fn single_processes_are_named_without_a_part() {
    let text = message(|sample| {
        let service = Service {
            kind: ServiceKind::Java,
            role: Role::App,
            ..(**sample.subject.service.as_ref().unwrap()).clone()
        };
        sample.subject.service = Some(Arc::new(service));
        sample.subject.lineage.ancestors.remove(1);
        sample.subject.lineage.ancestors[0].part = Part::Both;
    });
    assert!(text.starts_with("java (pid 800) ran "), "{text}");
}

#[test]
fn hostile_bytes_are_shown_and_kept() {
    let alert = with(|sample| {
        own(sample).args.head = vec![
            "a\x1b]0;x\x07".into(),
            b"\xff<script>".into(),
            "\u{202e}".into(),
        ];
    });
    let process = &alert["process"];
    assert_eq!(
        process["args"],
        serde_json::json!(["a\\x1b]0;x\\x07", "\\xff<script>", "\\u{202e}"])
    );
    assert_eq!(process["args_b64"][1], "/zxzY3JpcHQ+");
    assert!(process["command_line_b64"].is_string());
    assert!(process.get("executable_b64").is_none());
}

#[test]
fn what_was_not_captured_is_said() {
    use sensor_common::record::fault;
    let alert = with(|sample| {
        own(sample).args.truncated = true;
        own(sample).faults = Faults(fault::CWD_CUT | fault::STDIO);
        sample.subject.lost_events = 3;
        sample.degraded.push("files: syscall rung".to_owned());
    });
    insta::assert_snapshot!(alert["evidence"], @r#"{"degraded":["files: syscall rung"],"incomplete":["process.stdio"],"lost_events":3,"truncated":["process.args","process.working_directory"]}"#);
    assert_eq!(alert["process"]["args"], serde_json::json!(["id", "[...]"]));
}

#[test]
fn optional_parts() {
    let id = "0123456789abcdef".repeat(4);
    let alert = with(|sample| {
        let own = own(sample);
        own.cgroup.path = format!("/system.slice/docker-{id}.scope").into();
        own.cred.euid = 0;
        own.env = vec![("LD_PRELOAD".into(), "/tmp/x.so".into())];
        own.image.ctime_ns = Some(-1);
        own.image.upper = Some(true);
        own.filename = "/bin/id".into();
        own.interp = "/bin/id".into();
        sample.subject.lineage.elided = 4;
    });
    let process = &alert["process"];
    assert_eq!(alert["container"]["id"], *id);
    assert_eq!(process["user"]["id"], "0");
    assert_eq!(process["real_user"]["name"], "www-data");
    assert_eq!(process["env_vars"][0], "LD_PRELOAD=/tmp/x.so");
    assert_eq!(process["filename"], "/bin/id");
    assert_eq!(process["file"]["ctime"], "1969-12-31T23:59:59.999999999Z");
    assert_eq!(alert["lineage_elided"], 4);
}

#[test]
fn lost_ancestors_have_no_program() {
    let alert = with(|sample| {
        sample.subject.lineage.ancestors[1].program = None;
        sample.subject.creator.as_mut().unwrap().program = None;
        sample.subject.lineage.ancestors[2].program = None;
    });
    assert!(alert["lineage"][1].get("executable").is_none());
    assert!(alert["process"]["parent"].get("args").is_none());
}

#[test]
fn a_long_script_keeps_both_ends() {
    let script = format!("START{}END", "<".repeat(20_000));
    let alert = with(|sample| own(sample).args.head = ["sh", "-c", &script].map(Into::into).into());
    let args = &alert["process"]["args"];
    let kept = args[2].as_str().unwrap();
    assert!(
        kept.starts_with("START<<") && kept.contains("[...]") && kept.ends_with("<<END"),
        "{args}"
    );
    let line = alert["process"]["command_line"].as_str().unwrap();
    assert!(line.starts_with("sh -c START") && line.ends_with("<END"));
    assert_eq!(
        alert["evidence"]["truncated"],
        serde_json::json!(["process.args", "process.command_line"])
    );
}

#[test]
fn many_arguments_keep_both_ends() {
    let alert = with(|sample| {
        own(sample).args.head = (0..9_000).map(|n| format!("arg{n}").into()).collect();
    });
    let args = alert["process"]["args"].as_array().unwrap();
    assert_eq!(args[0], "arg0");
    assert_eq!(args[args.len() - 1], "arg8999");
    assert!(
        args.iter().any(|arg| arg == "arg100[...]")
            || args
                .iter()
                .any(|arg| arg.as_str().unwrap().contains("[...]"))
    );
}
