//! What goes on when its request is over.

use std::time::Duration;

use crate::fixture::{
    alert::link,
    scene::tool,
    stage::{Kind, Stage, assert_is},
};

/// A minute, and what may come on top of it.
const LONG: Duration = Duration::from_secs(75);

#[test]
fn a_job_left_behind_is_seen_once() {
    let Some(mut stage) = Stage::begin("attack::outlive::job", &[]) else {
        return;
    };
    let visit = stage
        .site
        .shell("job.php", "sleep 600 > /dev/null 2>&1 & echo $!");
    let job: u32 = visit.output.trim().parse().expect("the job's pid");
    let line = "sleep 600 > /dev/null 2>&1 & echo $!";
    stage.saw("shell_under_app_worker", |alert| {
        alert.args() == ["sh", "-c", line]
    });
    stage.only(|alert| alert.args() == ["sh", "-c", line]);
    let is_job = |alert: &crate::fixture::alert::Alert| alert.pid() == job;
    let alert = stage
        .sensor
        .alert_within(LONG, "descendant_outlives_request", is_job);
    let shell = link(tool("sh"), &["sh", "-c", line]).part("descendant");
    let sleep = link(tool("sleep"), &["sleep", "600"]).part("descendant");
    alert.assert_lineage(&[
        stage.site.master(),
        stage.site.worker(visit.worker),
        shell.chain(&[tool("sh")]),
        sleep.pid(job).chain(&[tool("sleep")]),
    ]);
    assert_is(&alert, Kind::app("php-fpm"));
    let job = i32::try_from(job)
        .ok()
        .and_then(rustix::process::Pid::from_raw);
    rustix::process::kill_process(job.expect("a pid"), rustix::process::Signal::TERM)
        .expect("end the job");
    stage.only(is_job);
    stage.end();
}
