//! Acts that say little one by one: a script dropped, opened, a program started; three
//! tools in a row; a compiled script in place of PHP's own.

use crate::fixture::{
    alert::Alert,
    http,
    site::{php_string, visit},
    stage::{Kind, Stage, assert_is},
};

const PHP: Kind = Kind::app("php-fpm");

/// An upload as a form sends it, its first visit, and what it starts.
#[test]
fn an_upload_that_is_opened_and_runs_a_program_is_one_story() {
    const CODE: &str = "move_uploaded_file($_FILES['picture']['tmp_name'], $to);";
    let Some(mut stage) = Stage::begin("attack::sequence::drop", &[]) else {
        return;
    };
    let images = stage.scene.writable("www/images");
    let path = images.join("shell.php");
    let to = php_string(path.as_os_str().as_encoded_bytes());
    stage.site.page("form.php", &format!("$to = {to};\n{CODE}"));
    let port = stage.site.nginx.port;
    let dropped = "<?php echo getmypid(), \"\\n\"; system('id; : dropped');";
    http::upload(port, "/form.php", "picture", dropped).expect("an answer");
    let path = path.display().to_string();
    stage.saw("script_created_in_upload_directory", |alert| {
        alert.json["file"]["path"] == *path
    });

    let visit = visit(port, "images/shell.php");
    assert!(visit.output.contains("uid="), "{visit:?}");
    let alert = stage.saw("dropped_script_used", |alert| {
        alert.args() == ["sh", "-c", "id; : dropped"]
    });
    assert_eq!(alert.level(), "critical");
    assert_eq!(alert.lineage()[1].pid(), visit.worker, "{alert}");
    assert_is(&alert, PHP);
    stage.only(|other| {
        let worker = other.lineage().get(1).map(|worker| worker.pid());
        other.json["file"]["path"] == *path || worker == Some(visit.worker)
    });
    // What this worker starts in the next seconds belongs to it too: no fence is silent.
    stage.sensor.stop();
}

/// Three tools, each by a request of its own.
#[test]
fn three_tools_in_a_row_are_a_burst() {
    let Some(mut stage) = Stage::begin("attack::sequence::burst", &[]) else {
        return;
    };
    let is_burst = |alert: &Alert| alert.rule() == "recon_burst_under_service";
    for tool in ["whoami", "uname"] {
        let visit = stage.site.spawn(&format!("{tool}.php"), &[tool.as_bytes()]);
        stage.saw("recon_tool_under_service", |alert| {
            alert.pid() == visit.spawned()
        });
        stage.only(|alert| alert.pid() == visit.spawned() && !is_burst(alert));
    }
    let visit = stage.site.spawn("hostname.php", &[b"hostname"]);
    let alert = stage.saw("recon_burst_under_service", |alert| {
        alert.pid() == visit.spawned()
    });
    assert_eq!(alert.level(), "high");
    assert_is(&alert, PHP);
    stage.only(|alert| alert.pid() == visit.spawned());
    stage.end();
}

/// Made new, as PHP makes its own; then written over.
#[test]
fn a_compiled_script_that_is_written_over_is_seen() {
    let Some(mut stage) = Stage::begin("attack::sequence::opcache", &[]) else {
        return;
    };
    let path = stage.scene.writable("opcache").join("index.php.bin");
    let to = php_string(path.as_os_str().as_encoded_bytes());
    stage
        .site
        .page("own.php", &format!("fwrite(fopen({to}, 'x'), 'x');"));
    assert_eq!(stage.site.visit("own.php").output, "");
    stage.is_silent();

    stage
        .site
        .page("put.php", &format!("file_put_contents({to}, 'y');"));
    let visit = stage.site.visit("put.php");
    let path = path.display().to_string();
    let alert = stage.saw("opcache_file_changed", |alert| {
        alert.json["file"]["path"] == *path
    });
    alert.assert_lineage(&[stage.site.master(), stage.site.worker(visit.worker)]);
    stage.only(|other| other.json["file"]["path"] == *path);
    stage.end();
}
