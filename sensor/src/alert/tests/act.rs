//! Alerts about files and connects.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{
    super::sample::{Sample, file_sample, socket_sample},
    checked,
};
use crate::{
    event::{Faults, File, FileAction, ProcessId, Program},
    lineage::{Act, Part},
};

fn file(mutate: impl FnOnce(&mut Sample, &mut File)) -> Value {
    let mut sample = file_sample();
    let Act::File(file) = sample.subject.act.clone() else {
        unreachable!("the sample is about a file");
    };
    let mut file = (*file).clone();
    mutate(&mut sample, &mut file);
    sample.subject.act = Act::File(Arc::new(file));
    checked(&sample.alert().to_json())
}

#[test]
fn a_rename_says_where_from_and_who_wrote_it() {
    let alert = file(|_, _| ());
    assert_eq!(
        alert["message"],
        "php-fpm worker (pid 812) renamed /tmp/phpAbCdEf to /var/www/html/uploads/x.PHP as www-data"
    );
    assert_eq!(alert["event"]["category"], json!(["file"]));
    assert_eq!(alert["event"]["action"], "rename");
    insta::assert_snapshot!(alert["file"], @r#"{"created":false,"ctime":"1970-01-01T00:00:00.000000001Z","device":"0:0","directory":"/var/www/html/uploads","extension":"php","gid":"0","inode":"0","mode":"0600","name":"x.PHP","old_path":"/tmp/phpAbCdEf","owner":"www-data","path":"/var/www/html/uploads/x.PHP","path_source":"joined","size":31,"uid":"33","written_by":{"seconds":2,"service":"256cb50757154fb0"}}"#);
    assert_eq!(
        alert["file"]["written_by"]["service"],
        alert["service"]["id"]
    );
    let degraded = alert["evidence"]["degraded"].as_array().unwrap();
    assert!(degraded[0].as_str().unwrap().contains("as typed"));
}

#[test]
fn sentences_by_act() {
    for (action, created, expected) in [
        (FileAction::Write, true, "created /srv/x as www-data"),
        (
            FileAction::Write,
            false,
            "opened /srv/x for writing as www-data",
        ),
        (
            FileAction::Read,
            false,
            "opened /srv/x for reading as www-data",
        ),
        (
            FileAction::Symlink,
            false,
            "made /srv/x a link to /srv/y as www-data",
        ),
        (
            FileAction::Link,
            false,
            "gave /srv/y the further name /srv/x as www-data",
        ),
        (
            FileAction::Exchange,
            false,
            "exchanged /srv/y and /srv/x as www-data",
        ),
        (
            FileAction::Chmod,
            false,
            "changed the mode of /srv/x to 6755 as www-data",
        ),
    ] {
        let alert = file(|_, file| {
            (file.action, file.created, file.argument) = (action, created, 0o6755);
            (file.path, file.other) = ("/srv/x".into(), Some("/srv/y".into()));
        });
        let message = alert["message"].as_str().unwrap();
        assert!(message.ends_with(expected), "{message}");
    }
}

#[test]
fn a_program_below_the_service_is_named_with_the_way_to_it() {
    let alert = checked(&socket_sample().alert().to_json());
    assert_eq!(
        alert["message"],
        "id (pid 900), started by php-fpm worker (pid 812) through /usr/bin/dash, connected to 203.0.113.7:4444 (tcp) as www-data"
    );
    assert_eq!(
        alert["destination"],
        json!({"ip": "203.0.113.7", "port": 4444})
    );
    assert_eq!(alert["source"]["ip"], "10.0.0.2");
    assert_eq!(
        alert["network"],
        json!({"transport": "tcp", "iana_number": 6})
    );
    assert_eq!(alert["event"]["category"], json!(["network"]));
    assert!(alert.get("file").is_none());
    assert!(alert["evidence"]["degraded"][0].is_string());
}

#[test]
fn a_stranger_has_no_service() {
    let alert = file(|sample, file| {
        let subject = &mut sample.subject;
        subject.service = None;
        let mut program = Program::default();
        program.image.path = "/usr/bin/vim.basic".into();
        subject.program = Arc::new(program);
        subject.lineage.ancestors.truncate(1);
        subject.lineage.ancestors[0].id = ProcessId::new(4_000, 4);
        subject.lineage.ancestors[0].part = Part::Descendant;
        subject.process = ProcessId::new(4_000, 4);
        (file.uid, file.euid) = (0, 0);
    });
    let message = alert["message"].as_str().unwrap();
    assert!(
        message.starts_with("vim.basic (pid 4000) renamed "),
        "{message}"
    );
    assert!(message.ends_with(" as root"), "{message}");
    assert!(alert.get("service").is_none());
    assert_eq!(alert["process"]["user"]["name"], "root");
}

#[test]
fn hostile_paths_are_shown_kept_and_bounded() {
    use sensor_common::record::fault;
    let alert = file(|_, file| {
        file.path = b"/srv/a\n\xff\x1b[2J.php".as_slice().into();
        file.faults = Faults(fault::CWD_CUT | fault::PATH);
    });
    assert_eq!(alert["file"]["path"], "/srv/a\\n\\xff\\x1b[2J.php");
    assert!(alert["file"]["path_b64"].is_string());
    assert_eq!(alert["evidence"]["truncated"], json!(["file.old_path"]));
    assert_eq!(alert["evidence"]["incomplete"], json!(["file.path"]));

    let long = format!("/{}", "<".repeat(4_000)).repeat(2);
    let alert = file(|_, file| {
        file.path = long.as_str().into();
        file.other = Some([long.as_bytes(), b"\xff"].concat().into());
    });
    let cut = alert["evidence"]["truncated"].as_array().unwrap();
    assert!(cut.contains(&json!("file.*_b64")), "{cut:?}");
    assert!(cut.contains(&json!("file.path")), "{cut:?}");
}

#[test]
fn the_container_of_the_service_stands_in() {
    let id = "0123456789abcdef".repeat(4);
    let alert = file(|sample, _| {
        let root = &mut sample.subject.lineage.ancestors[0];
        let mut program = (**root.program.as_ref().unwrap()).clone();
        program.cgroup.path = format!("/docker/{id}").into();
        root.program = Some(Arc::new(program));
        sample.subject.program = Arc::default();
    });
    assert_eq!(alert["container"]["id"], *id);
}
