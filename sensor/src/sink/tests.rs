//! Sinks against real pipes: golden text, stalled and vanished readers, draining.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::{Colour, Encoding, QUEUE, Sinks, Stream};
use crate::alert::{
    Alert, Level,
    sample::{program, sample},
};

fn pipe(encoding: Option<Encoding>, colour: Colour) -> (std::io::PipeReader, Stream) {
    let (reader, writer) = std::io::pipe().unwrap();
    (reader, Stream::new(writer.into(), encoding, colour))
}

fn sinks(output: impl super::Deliver) -> Sinks {
    let sinks = Sinks::new(|_| ());
    sinks.add("test", Level::Medium, output).unwrap();
    sinks
}

fn alert() -> Arc<Alert> {
    Arc::new(sample().alert())
}

/// Waits until `condition` holds, of which nobody tells: numbers of a sink.
#[track_caller]
pub(super) fn wait_for(condition: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < limit, "waited 20 s");
        std::thread::yield_now();
    }
}

#[tokio::test]
async fn a_pipe_gets_json_lines_as_they_come() {
    let (reader, stream) = pipe(None, Colour::Auto);
    let sinks = sinks(stream);
    let mut lines = BufReader::new(reader).lines();
    for _ in 0..3 {
        sinks.send(alert());
        assert_eq!(lines.next().unwrap().unwrap(), alert().to_json());
    }
    assert_eq!(sinks.drain(Duration::from_secs(5)).await, 0);
    assert!(lines.next().is_none());
    assert_eq!(sinks.stats()[0].written_total(), 3);
    assert_eq!(sinks.dropped_total(), 0);
}

#[tokio::test]
async fn each_sink_has_its_threshold() {
    let (mut reader, stream) = pipe(None, Colour::Auto);
    let sinks = sinks(stream);
    let (mut all, stream) = pipe(None, Colour::Auto);
    sinks.add("all", Level::Informational, stream).unwrap();
    let mut low = sample();
    low.rule.level = Level::Low;
    low.standing = None;
    sinks.send(Arc::new(low.alert()));
    assert_eq!(sinks.drain(Duration::from_secs(5)).await, 0);
    drop(sinks);
    let (mut none, mut one) = (String::new(), String::new());
    reader.read_to_string(&mut none).unwrap();
    all.read_to_string(&mut one).unwrap();
    assert_eq!((none.lines().count(), one.lines().count()), (0, 1));
}

/// Counts what it is asked to keep.
struct Keeper(Arc<AtomicUsize>);

impl super::Deliver for Keeper {
    fn deliver(&mut self, _: &super::Document) -> Result<(), super::DeliverError> {
        Ok(())
    }

    fn count(&mut self, counts: &[super::Count]) -> Result<(), super::DeliverError> {
        self.0.fetch_add(counts.len(), Ordering::Relaxed);
        Ok(())
    }
}

#[tokio::test]
async fn counts_go_to_those_that_keep() {
    use crate::tally::{Cause, Tally};
    let (kept, told) = (Arc::default(), Arc::default());
    let sinks = Sinks::new(|_| ());
    sinks.keep("history", Keeper(Arc::clone(&kept))).unwrap();
    sinks
        .add("all", Level::Informational, Keeper(Arc::clone(&told)))
        .unwrap();
    let mut tally = Tally::default();
    tally.note(&sample().subject, ("r", Cause::Profile), "", 0);
    sinks.count(
        &tally.take(&crate::redact::Redactor::default()).unwrap(),
        None,
    );
    assert_eq!(sinks.drain(Duration::from_secs(5)).await, 0);
    assert_eq!(
        (kept.load(Ordering::Relaxed), told.load(Ordering::Relaxed)),
        (1, 0)
    );
}

#[test]
fn an_alert_that_raises_its_incident_counts_by_that_level() {
    let mut low = sample();
    low.rule.level = Level::Low;
    assert_eq!(low.alert().weight(), Level::Critical);
    low.standing.as_mut().unwrap().raised = false;
    assert_eq!(low.alert().weight(), Level::Low);
}

#[tokio::test]
async fn a_reader_that_never_reads_stalls_nobody() {
    let (_reader, stalled) = pipe(None, Colour::Auto);
    let (healthy, stream) = pipe(None, Colour::Auto);
    let sinks = sinks(stalled);
    sinks.add("healthy", Level::Medium, stream).unwrap();
    let lines = std::thread::spawn(move || BufReader::new(healthy).lines().count());
    let began = Instant::now();
    let count = QUEUE + 200;
    for sent in 1..=count {
        sinks.send(alert());
        // Only the healthy one is given time.
        wait_for(|| sinks.stats()[1].written_total() == sent as u64);
    }
    let dropped = sinks.stats()[0].dropped_total();
    assert!(dropped > 0);
    assert_eq!(sinks.stats()[1].dropped_total(), 0);
    let left = sinks.drain(Duration::from_millis(100)).await;
    assert!(began.elapsed() < Duration::from_secs(20));
    assert_eq!(
        left as u64 + dropped + sinks.stats()[0].written_total(),
        count as u64
    );
    sinks.send(alert());
    assert_eq!(
        sinks.stats()[0].dropped_total(),
        dropped + 1,
        "nothing is taken after the drain"
    );
    assert_eq!(lines.join().unwrap(), count);
}

#[tokio::test]
async fn a_reader_that_left_switches_the_sink_off() {
    let (reader, stream) = pipe(None, Colour::Auto);
    let sinks = sinks(stream);
    drop(reader);
    sinks.send(alert());
    wait_for(|| sinks.dropped_total() == 1);
    sinks.send(alert());
    wait_for(|| sinks.dropped_total() == 2);
    assert_eq!(sinks.drain(Duration::from_secs(5)).await, 0);
}

#[tokio::test]
async fn what_was_written_is_reported() {
    let (_reader, stream) = pipe(None, Colour::Auto);
    let count = Arc::new(AtomicUsize::new(0));
    let seen = Arc::clone(&count);
    let sinks = Sinks::new(move |time_ns| {
        assert_eq!(time_ns, 90_000_000_000);
        seen.fetch_add(1, Ordering::Relaxed);
    });
    sinks.add("test", Level::Medium, stream).unwrap();
    sinks.send(alert());
    sinks.drain(Duration::from_secs(5)).await;
    assert_eq!(count.load(Ordering::Relaxed), 1);
}

#[test]
fn a_torn_line_is_ended_before_the_next() {
    use super::Deliver as _;
    let (reader, mut stream) = pipe(None, Colour::Auto);
    stream.torn = true;
    stream.deliver(&alert().into()).unwrap();
    drop(stream);
    let lines = BufReader::new(reader)
        .lines()
        .map(Result::unwrap)
        .collect::<Vec<_>>();
    assert_eq!(lines, [String::new(), alert().to_json()]);
}

#[test]
fn a_full_pipe_that_does_not_block_is_waited_for() {
    use super::Deliver as _;
    let (reader, writer) = std::io::pipe().unwrap();
    rustix::io::ioctl_fionbio(&writer, true).unwrap();
    let mut stream = Stream::new(writer.into(), None, Colour::Auto);
    // More than a pipe holds, 64 KiB.
    let count = 2 * 65_536 / alert().to_json().len();
    let lines = std::thread::spawn(move || BufReader::new(reader).lines().count());
    for _ in 0..count {
        stream.deliver(&alert().into()).unwrap();
    }
    drop(stream);
    assert_eq!(lines.join().unwrap(), count);
}

fn pretty(alert: &Alert, width: Option<usize>) -> String {
    super::pretty::render(alert, false, width)
}

#[test]
fn drawn() {
    insta::assert_snapshot!(pretty(&sample().alert(), None), @r"
    2026-02-03 04:06:36.789Z  HIGH  Web server ran a discovery command  web_server_discovery
      php-fpm worker (pid 812) ran /usr/bin/id through /usr/bin/dash as www-data in /var/www/html
      php-fpm (app)  php8.2-fpm.service  web1

      800 master  /usr/sbin/php-fpm8.2  [root]  (scanned)  'php-fpm: master process (/etc/php)'
      └─ 812 worker  /usr/sbin/php-fpm8.2  [www-data]  killed by signal 15
         └─ 900  dash → /usr/bin/id  id

      stdio    null pipe pipe
      script   /var/www/html/x.php, read 1 s before, written by this service 61 s before
      ATT&CK   T1505.003 T1033
      triage   Look at the access log of this second.
      incident 5f0b9d1c, alert 3, raised to critical by 3 rules; suppressed 12 since 04:05:36Z of web_server_discovery
      id       883ef1abc31139dc4dcb9f51a6910b59
    ");
}

#[test]
fn drawn_narrow_with_everything_missing() {
    let mut sample = sample();
    let subject = &mut sample.subject;
    subject.lost_events = 2;
    let long = Arc::new(program(
        "/usr/bin/dash",
        &["sh", "-c", "echo one two three four five six | sh", ""],
    ));
    subject.program = Arc::clone(&long);
    let this = &mut subject.lineage.ancestors[2];
    this.program = Some(long);
    this.chain_elided = 3;
    subject.lineage.ancestors[1].program = None;
    subject.lineage.ancestors.extend_from_within(..);
    subject.lineage.ancestors.extend_from_within(..);
    subject.lineage.elided = 5;
    sample.degraded.push("files: syscall rung".to_owned());
    let drawn = pretty(&sample.alert(), Some(60));
    assert!(
        drawn.lines().all(|line| line.chars().count() <= 60),
        "{drawn}"
    );
    insta::assert_snapshot!(drawn, @r"
    2026-02-03 04:06:36.789Z  HIGH  Web server ran a discovery
      command  web_server_discovery
      php-fpm worker (pid 812) ran /usr/bin/dash (sh -c echo one
      two three four five six | sh ) through /usr/bin/dash as
      www-data in /var/www/html
      php-fpm (app)  php8.2-fpm.service  web1

      800 master  /usr/sbin/php-fpm8.2  [root]  (scanned)  'php…
      └─ 812 worker  ?  [www-data]  killed by signal 15
         └─ 900  dash → 3 more → /usr/bin/dash  sh -c 'echo one…
            └─ 800 master  /usr/sbin/php-fpm8.2  [root]  (scann…
               └─ 812 worker  ?  [www-data]  killed by signal 15
                  └─ 900  dash → 3 more → /usr/bin/dash  sh -c …
                     └─ 800 master  /usr/sbin/php-fpm8.2  [root…
                        └─ 812 worker  ?  [www-data]  killed by…
                        ⋮ 5 more, left out
                        └─ 900  dash → 3 more → /usr/bin/dash  …
                        └─ 800 master  /usr/sbin/php-fpm8.2  [r…
                        └─ 812 worker  ?  [www-data]  killed by…
                        └─ 900  dash → 3 more → /usr/bin/dash
                           sh -c 'echo one two three four five
                           six | sh' ''

      stdio    null pipe pipe
      script   /var/www/html/x.php, read 1 s before, written by
               this service 61 s before
      ATT&CK   T1505.003 T1033
      triage   Look at the access log of this second.
      incident 5f0b9d1c, alert 3, raised to critical by 3 rules;
               suppressed 12 since 04:05:36Z of
               web_server_discovery
      lost     2 events: the lineage may lack a process
      degraded files: syscall rung
      id       883ef1abc31139dc4dcb9f51a6910b59
    ");
}

#[test]
fn colour_is_paint_only() {
    let alert = sample().alert();
    let painted = super::pretty::render(&alert, true, Some(80));
    assert!(
        painted.contains("\x1b[1m\x1b[31mHIGH\x1b[0m"),
        "{painted:?}"
    );
    let mut bare = String::new();
    for (index, part) in painted.split('\x1b').enumerate() {
        bare.push_str(if index == 0 {
            part
        } else {
            part.split_once('m').unwrap().1
        });
    }
    let lines = bare.lines().map(str::trim_end).collect::<Vec<_>>();
    assert_eq!(lines, pretty(&alert, Some(80)).lines().collect::<Vec<_>>());
}

#[test]
fn encodings_follow_the_descriptor() {
    let (_, stream) = pipe(None, Colour::Auto);
    assert_eq!((stream.encoding, stream.colour), (Encoding::Json, false));
    let (_, stream) = pipe(Some(Encoding::Pretty), Colour::Always);
    assert_eq!((stream.encoding, stream.colour), (Encoding::Pretty, true));
}

#[test]
fn a_closed_incident_is_drawn_in_few_lines() {
    let notice = crate::alert::sample::closed();
    let drawn = super::pretty::document(&notice.into(), false, Some(80));
    let expected = "\
2026-02-03 04:07:42.789Z  CRITICAL  incident 5f0b9d1c closed
  incident closed after 4 alerts of 1 rule, 19 left out (its processes have
  ended): php-fpm worker (pid 812) ran /usr/bin/id through /usr/bin/dash as
  www-data in /var/www/html
  rules    4 web_server_discovery (+19 left out)
  left out suppressed 7 since 04:06:41Z of web_server_discovery
";
    assert_eq!(drawn, expected);
}
