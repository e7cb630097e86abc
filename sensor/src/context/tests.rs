use std::sync::Arc;

use super::*;
use crate::{
    alert::sample::{Sample, file_sample, sample},
    event::Program,
};

const S: u64 = 1_000_000_000;

/// The worker of the samples reads `path`.
fn reads(context: &mut Context, path: &str, time_ns: u64) {
    let Sample { mut subject, .. } = file_sample();
    let Act::File(file) = &subject.act else {
        panic!("an act on a file");
    };
    let mut file = File::clone(file);
    (file.action, file.class) = (FileAction::Read, class::SCRIPT);
    file.path = path.into();
    subject.stamp.time_ns = time_ns;
    subject.act = Act::File(Arc::new(file));
    context.note(&subject);
}

fn told(context: &Context, change: impl FnOnce(&mut Subject)) -> Option<(String, ScriptSource)> {
    let mut subject = sample().subject;
    change(&mut subject);
    let script = context.script(&subject)?;
    Some((script.path.to_string(), script.source))
}

#[test]
fn the_script_in_the_working_directory_is_it() {
    let mut context = Context::default();
    let directory = ("/var/www/html".to_owned(), ScriptSource::Directory);
    assert_eq!(told(&context, |_| ()), Some(directory));
    reads(&mut context, "/var/www/html/old.php", 10 * S);
    reads(&mut context, "/var/www/html/x.php", 89 * S);
    for include in 0..9 {
        let path = format!("/var/www/lib/{include}.php");
        reads(&mut context, &path, 89 * S + include * 1_000);
    }
    let x = ("/var/www/html/x.php".to_owned(), ScriptSource::Read);
    assert_eq!(told(&context, |_| ()), Some(x));
    let elsewhere = told(&context, |subject| {
        let mut shell = Program::clone(&subject.lineage.ancestors[2].chain[0]);
        shell.cwd = "/srv/other".into();
        subject.lineage.ancestors[2].chain[0] = Arc::new(shell);
    });
    let last = ("/var/www/lib/8.php".to_owned(), ScriptSource::LastRead);
    assert_eq!(elsewhere, Some(last));
    let script = context.script(&sample().subject).unwrap();
    assert_eq!(script.age_ns, Some(S));
    let written = script.written.unwrap();
    assert_eq!(
        written.age_ns,
        2_500_000_000 + S,
        "since then time has passed"
    );
}

/// Two requests of one worker in quick succession, and one long after.
#[test]
fn a_later_request_is_not_the_earlier_one() {
    let mut context = Context::default();
    reads(&mut context, "/var/www/html/a.php", 89 * S);
    context.note(&sample().subject);
    reads(&mut context, "/var/www/html/b.php", 89 * S + SPAWN_PAUSE_NS);
    let b = ("/var/www/html/b.php".to_owned(), ScriptSource::Read);
    assert_eq!(told(&context, |_| ()), Some(b.clone()));
    let later = told(&context, |subject| subject.stamp.time_ns += 60 * S);
    assert_eq!(later, Some((b.0, ScriptSource::LastRead)));
}

#[test]
fn a_cgi_request_names_its_script() {
    let context = Context::default();
    let named = told(&context, |subject| {
        let program = Arc::make_mut(&mut subject.program);
        program.env = vec![("SCRIPT_FILENAME".into(), "/usr/lib/cgi-bin/x.cgi".into())];
    });
    let expected = (
        "/usr/lib/cgi-bin/x.cgi".to_owned(),
        ScriptSource::Environment,
    );
    assert_eq!(named, Some(expected));
}

#[test]
fn other_services_and_other_reads_say_nothing() {
    let mut context = Context::default();
    let of = |context: &Context, kind| {
        told(context, |subject| {
            let service = crate::lineage::Service {
                kind,
                ..(**subject.service.as_ref().unwrap()).clone()
            };
            subject.service = Some(Arc::new(service));
        })
    };
    assert_eq!(of(&context, ServiceKind::Node), None);
    let mut write = file_sample().subject;
    write.stamp.time_ns = 1;
    context.note(&write);
    context.note(&sample().subject);
    assert!(context.workers.is_empty());
    reads(&mut context, &format!("/{}.php", "x".repeat(PATH)), 1);
    assert!(context.workers.is_empty());
}

#[test]
fn workers_are_bounded_and_the_quietest_goes() {
    let mut context = Context::default();
    for index in 0..=WORKERS as u64 {
        let read = Read {
            path: "/x.php".into(),
            time_ns: index,
            written: None,
        };
        context.read(ProcessId::new(1, index), read);
    }
    assert_eq!(context.workers.len(), WORKERS);
    assert!(!context.workers.contains_key(&ProcessId::new(1, 0)));
    assert!(context.workers.contains_key(&ProcessId::new(1, 1)));
}
