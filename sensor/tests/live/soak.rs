//! What the sensor itself takes: processor and memory, idle for an hour and under a hundred
//! alerts a second. All its processes count.
//!
//! The figures of README come from
//! `cargo test --release -p sensor --test live -- --ignored --nocapture --test-threads=1 soak`.

use std::{
    fs, thread,
    time::{Duration, Instant},
};

use crate::fixture::{
    php_fpm::{Pool, Start},
    process::Process,
    scene::Scene,
    sensor::Sensor,
    site::{self, Site},
    wait,
};

/// `sysconf(_SC_CLK_TCK)` on Linux.
const TICKS_PER_SECOND: f64 = 100.0;
const HOUR: u32 = 60;
const MINUTE: Duration = Duration::from_mins(1);
/// After so many minutes everything has been used once.
const WARM: usize = 5;
/// What memory may grow by afterwards, KiB: allocators keep some of what comes and goes.
const GROWTH_KIB: u64 = 4 << 10;

const ALERTS: u32 = 6_000;
/// A hundred a second.
const PERIOD: Duration = Duration::from_millis(10);
/// What a flood of alerts may take more than nothing does, KiB: histories of processes and
/// incidents are bounded, and these bounds are not reached by it.
const FLOOD_KIB: u64 = 64 << 10;

/// What all processes of the sensor have taken.
#[derive(Clone, Copy, Debug, Default)]
struct Usage {
    /// Memory of its own, and its share of what processes share, KiB.
    pss: u64,
    /// Of that what is no file, KiB.
    anonymous: u64,
    /// Processor time since they began, s.
    seconds: f64,
}

impl Usage {
    fn of(sensor: &Sensor) -> Self {
        let root = Process::of(sensor.pid()).expect("the sensor runs");
        let below = root.descendants().into_iter().map(|(_, child)| child);
        let mut sum = Self::default();
        for process in std::iter::once(root).chain(below) {
            let read = |name: &str| {
                let path = format!("/proc/{}/{name}", process.pid);
                fs::read_to_string(path).unwrap_or_default()
            };
            let rollup = read("smaps_rollup");
            sum.pss += kib(&rollup, "Pss:");
            sum.anonymous += kib(&rollup, "Pss_Anon:");
            let stat = read("stat");
            // Fields 14 and 15, counted behind the name, which may hold anything.
            let behind = stat.rsplit_once(')').map_or("", |(_, rest)| rest);
            let ticks = behind.split_whitespace().skip(11).take(2);
            let ticks: f64 = ticks.filter_map(|it| it.parse::<f64>().ok()).sum();
            sum.seconds += ticks / TICKS_PER_SECOND;
        }
        assert!(sum.pss > 0 && sum.seconds > 0.0, "{sum:?}");
        sum
    }
}

fn kib(rollup: &str, name: &str) -> u64 {
    let line = rollup.lines().find_map(|line| line.strip_prefix(name));
    let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    number.unwrap_or_else(|| panic!("no {name} in {rollup}"))
}

#[expect(clippy::print_stdout, reason = "it is what the test is run for")]
fn say(what: &str, usage: Usage, since: (Usage, Duration)) {
    let (before, passed) = since;
    println!(
        "{what}: {:.1} MiB, {:.1} of it no file; {:.2} % of a core",
        mib(usage.pss),
        mib(usage.anonymous),
        (usage.seconds - before.seconds) / passed.as_secs_f64() * 100.0,
    );
}

#[expect(clippy::cast_precision_loss, reason = "one digit is shown")]
fn mib(kib: u64) -> f64 {
    kib as f64 / 1_024.0
}

#[test]
#[ignore = "takes an hour"]
fn idle_for_an_hour_it_does_not_grow() {
    let name = "soak::idle_for_an_hour_it_does_not_grow";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let sensor = Sensor::start_with(&[]);
    let _site = Site::start(&scene, Start::Foreground, Pool::Steady);
    let (began, first) = (Instant::now(), Usage::of(&sensor));
    let mut samples = Vec::new();
    for minute in 1..=HOUR {
        // Time is what is measured here.
        thread::sleep((began + MINUTE * minute).saturating_duration_since(Instant::now()));
        let usage = Usage::of(&sensor);
        say(&format!("minute {minute}"), usage, (first, began.elapsed()));
        samples.push(usage);
    }
    let (warm, last) = (samples[WARM], samples.last().expect("an hour of samples"));
    assert!(last.anonymous <= warm.anonymous + GROWTH_KIB, "{samples:?}");
    assert!(sensor.metric("events_lost_total") < 0.5);
    sensor.stop();
}

/// Each request is a spawn root of its own, so none is left out.
#[test]
fn a_hundred_alerts_a_second_are_all_written() {
    let name = "soak::a_hundred_alerts_a_second_are_all_written";
    let Some(scene) = Scene::begin(name, site::NEEDS) else {
        return;
    };
    let mut sensor = Sensor::start_with(&[]);
    let site = Site::start(&scene, Start::Foreground, Pool::Steady);
    site.page("soak.php", "system(': soak');");
    site.visit("soak.php");
    let soaked = |sensor: &Sensor| {
        let mut alerts = sensor.alerts.iter();
        alerts
            .by_ref()
            .filter(|it| it.args() == ["sh", "-c", ": soak"])
            .count()
    };
    let (began, before) = (Instant::now(), Usage::of(&sensor));
    for number in 1..ALERTS {
        site.visit("soak.php");
        thread::sleep((began + PERIOD * number).saturating_duration_since(Instant::now()));
        sensor.mark();
    }
    let (took, usage) = (began.elapsed(), Usage::of(&sensor));
    wait::until("every alert", || {
        sensor.mark();
        (soaked(&sensor) >= ALERTS as usize).then_some(())
    });
    say(
        &format!(
            "{:.0} alerts a second",
            f64::from(ALERTS) / took.as_secs_f64()
        ),
        usage,
        (before, took),
    );
    assert_eq!(soaked(&sensor), ALERTS as usize);
    assert!(
        usage.anonymous <= before.anonymous + FLOOD_KIB,
        "{before:?} {usage:?}"
    );
    assert!(sensor.metric("events_lost_total") < 0.5);
    assert!(sensor.metric("sink_dropped_total") < 0.5);
    sensor.stop();
}
