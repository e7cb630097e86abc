//! The link against outlets that the tests play: honest ones, dead ones, hostile ones.

mod pods;

use std::{
    io::{Read as _, Write as _},
    os::unix::net::UnixStream,
    sync::Mutex,
    thread,
};

use super::*;
use crate::{
    alert::sample::sample,
    control::{Query, QueryKind},
    metrics::{Build, Metrics},
    wire::{ORDER_MAX, Order as Said, REPORT_MAX, Report, What, read, write},
};

/// The test's end of each outlet that is started.
struct Theatre {
    stage: std::sync::mpsc::SyncSender<UnixStream>,
}

struct Actor;

impl Process for Actor {
    fn pid(&self) -> u32 {
        1
    }

    fn end(&mut self) {}
}

impl Launch for Theatre {
    fn launch(&mut self) -> std::io::Result<Launched> {
        let (stream, theirs) = UnixStream::pair()?;
        self.stage.send(theirs).map_err(std::io::Error::other)?;
        Ok(Launched {
            stream,
            process: Box::new(Actor),
        })
    }
}

struct Play {
    link: Link,
    core: Arc<CoreStats>,
    queries: mpsc::Receiver<Query>,
    stage: Arc<Mutex<std::sync::mpsc::Receiver<UnixStream>>>,
}

const LIMIT: Duration = Duration::from_secs(20);

async fn play(beat: Duration) -> (Play, Outlet) {
    play_with(beat, None).await
}

/// A link whose first outlet has said that it is there, and that outlet.
async fn play_with(beat: Duration, pods: Option<Pods>) -> (Play, Outlet) {
    let (stage, entered) = std::sync::mpsc::sync_channel(8);
    let stage_of_test = Arc::new(Mutex::new(entered));
    let (asked, queries) = mpsc::channel(4);
    let core = Arc::new(CoreStats::default());
    let build = Build {
        version: "0",
        kernel: "0",
    };
    let metrics = Metrics::new(Arc::clone(&core), build, || 1).unwrap();
    let settings = Settings {
        hello: Hello {
            version: 1,
            collector: 1,
            user: 0,
            started_ns: 1,
            config: "first".to_owned(),
            address: None,
            sequence: 0,
            host: crate::alert::Host::default(),
        },
        launch: Box::new(Theatre { stage }),
        questions: Questions::new(asked, Arc::new(metrics)),
        core: Arc::clone(&core),
        pods,
        beat,
        pause_max: PAUSE,
    };
    let next = Arc::clone(&stage_of_test);
    let first = thread::spawn(move || Outlet::enter(&next));
    let (link, _) = Link::start(settings).await.unwrap();
    let play = Play {
        link,
        core,
        queries,
        stage: stage_of_test,
    };
    (play, first.join().unwrap())
}

impl Play {
    /// The outlet that takes the place of another.
    async fn next(&self) -> Outlet {
        let stage = Arc::clone(&self.stage);
        tokio::task::spawn_blocking(move || Outlet::enter(&stage))
            .await
            .unwrap()
    }

    fn tell(&self) -> String {
        let alert = Arc::new(sample().alert());
        self.link.tell(Document::Alert(Arc::clone(&alert)));
        alert.to_json()
    }

    async fn until(&self, what: &str, holds: impl Fn(&CoreStats) -> bool) {
        let end = Instant::now() + LIMIT;
        while !holds(&self.core) {
            assert!(Instant::now() < end, "waited for {what}");
            tokio::task::yield_now().await;
        }
    }
}

/// An outlet that a test plays.
struct Outlet {
    stream: UnixStream,
    hello: Hello,
}

impl Outlet {
    fn enter(stage: &Mutex<std::sync::mpsc::Receiver<UnixStream>>) -> Self {
        let stream = stage.lock().unwrap().recv_timeout(LIMIT).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let Said::Hello(hello) = read(&stream, ORDER_MAX).unwrap() else {
            panic!("no hello");
        };
        let outlet = Self {
            stream,
            hello: *hello,
        };
        outlet.say(&Report::Ready(None));
        outlet
    }

    fn say(&self, report: &Report) {
        write(&self.stream, report, REPORT_MAX).unwrap();
    }

    /// Says so many, unless it is cut off before it is done.
    fn flood(&self, count: u32, report: &dyn Fn(u32) -> Report) {
        let mut all = (0..count).map(|number| write(&self.stream, &report(number), REPORT_MAX));
        let _cut_off = all.any(|said| said.is_err());
    }

    /// The next that is no beat; in a thread, since it blocks.
    async fn hear(&self) -> Said {
        let stream = self.stream.try_clone().unwrap();
        let heard = tokio::task::spawn_blocking(move || {
            loop {
                match read(&stream, ORDER_MAX).unwrap() {
                    Said::Beat(..) => {}
                    said => return said,
                }
            }
        });
        heard.await.unwrap()
    }

    async fn told(&self) -> (u64, String) {
        match self.hear().await {
            Said::Tell(number, Told::Alert(json, _)) => (number, json),
            other => panic!("{other:?}"),
        }
    }
}

fn multi() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

#[test]
fn what_was_not_accepted_is_told_to_the_next() {
    multi().block_on(async {
        let (play, first) = play(BEAT).await;
        let json = play.tell();
        play.tell();
        let (one, two) = (first.told().await, first.told().await);
        assert_eq!((&one.1, &two.1), (&json, &json));
        first.say(&Report::Accepted(one.0));
        play.until("the acceptance", |core| core.outlet.waiting() == 1)
            .await;
        drop(first);
        let second = play.next().await;
        // It may have the last word, and then needs a number of its own.
        assert_eq!(second.hello.sequence, sample().alert().event.sequence);
        assert_eq!(second.told().await, two);
        play.until("the count", |core| core.outlet.restarts("ended") == 1)
            .await;
        second.say(&Report::Accepted(two.0));
        play.until("the acceptance", |core| core.outlet.waiting() == 0)
            .await;
        let stopped = tokio::spawn(play.link.clone().stop(Duration::from_secs(5)));
        assert_eq!(second.hear().await, Said::Stop(5_000));
        second.say(&Report::Stopped(0));
        stopped.await.unwrap();
        assert_eq!(play.core.outlet.dropped(), 0);
    });
}

/// Each is dismissed, said, counted, and followed by another; nothing is lost.
#[test]
fn one_that_says_what_it_may_not_is_dismissed() {
    type Deed = fn(&Outlet);
    let deeds: [Deed; 11] = [
        |it| (&it.stream).write_all(&[0xff; 64]).unwrap(),
        |it| (&it.stream).write_all(&[1, 0, 0, 0, 0xee]).unwrap(),
        |it| (&it.stream).write_all(&[0, 0, 0, 0]).unwrap(),
        |it| it.say(&Report::Accepted(77)),
        |it| it.say(&Report::Ready(None)),
        |it| it.say(&Report::Prepared(0, Prepared::Made)),
        |it| it.say(&Report::Stopped(0)),
        |it| it.say(&Report::Renew),
        |it| it.say(&Report::Pods(Vec::new())),
        |it| it.flood(100, &|id| Report::Ask(id, What::Core(QueryKind::Tree))),
        |it| it.flood(100_000, &|_| Report::Beat),
    ];
    multi().block_on(async {
        let (play, mut outlet) = play(BEAT).await;
        for (number, deed) in deeds.into_iter().enumerate() {
            let json = play.tell();
            let (told, text) = outlet.told().await;
            assert_eq!(text, json);
            tokio::task::block_in_place(|| deed(&outlet));
            let next = play.next().await;
            assert_eq!(next.told().await, (told, json), "after deed {number}");
            next.say(&Report::Accepted(told));
            let misbehaved = number as u64 + 1;
            play.until("the count", |core| {
                core.outlet.restarts("misbehaved") == misbehaved
            })
            .await;
            // Cut off for good.
            let mut rest = Vec::new();
            drop((&outlet.stream).read_to_end(&mut rest));
            outlet = next;
        }
    });
}

#[test]
fn one_that_is_silent_is_dismissed_and_nobody_waits_meanwhile() {
    multi().block_on(async {
        let (play, _silent) = play(Duration::from_millis(10)).await;
        let alert = Arc::new(sample().alert());
        let began = std::time::Instant::now();
        for _ in 0..10_000 {
            play.link.tell(Document::Alert(Arc::clone(&alert)));
        }
        assert!(
            began.elapsed() < Duration::from_secs(5),
            "{:?}",
            began.elapsed()
        );
        let next = play.next().await;
        // It is counted before the next one is told anything: the oldest, but for those that
        // were sent and let go for lack of room.
        let (first, _) = next.told().await;
        assert!(first < 4_096, "{first}");
        // The next one has said nothing either, and may be gone by now.
        assert!(play.core.outlet.restarts("silent") >= 1);
        assert!(play.core.outlet.dropped() > 0, "there is a bound");
    });
}

#[test]
fn questions_are_answered_in_parts() {
    multi().block_on(async {
        let (mut play, outlet) = play(BEAT).await;
        outlet.say(&Report::Ask(7, What::Core(QueryKind::WhyNot(3))));
        let query = play.queries.recv().await.unwrap();
        assert_eq!(query.kind, QueryKind::WhyNot(3));
        let long = serde_json::json!("x".repeat(700_000));
        query.reply.send(long.clone()).unwrap();
        let mut bytes = Vec::new();
        loop {
            let Said::Answer(answer) = outlet.hear().await else {
                panic!("no answer");
            };
            assert_eq!(answer.id, 7);
            bytes.extend(answer.part);
            if answer.last {
                break;
            }
        }
        assert_eq!(
            serde_json::from_slice::<serde_json::Value>(&bytes).unwrap(),
            long
        );
        outlet.say(&Report::Ask(8, What::Metrics));
        let Said::Answer(answer) = outlet.hear().await else {
            panic!("no answer");
        };
        let text = String::from_utf8(answer.part).unwrap();
        assert!(
            answer.last && text.contains("lineage_sensor_outlet_queue_length 0"),
            "{text}"
        );
    });
}

#[test]
fn sinks_are_made_and_then_put_in_place_or_by_another_outlet() {
    multi().block_on(async {
        let (play, first) = play(BEAT).await;
        let prepare = || {
            let link = play.link.clone();
            tokio::task::spawn_blocking(move || link.prepare(&Config::default()))
        };
        let asked = prepare();
        let Said::Prepare(id, config) = first.hear().await else {
            panic!("no sinks");
        };
        first.say(&Report::Prepared(
            id,
            Prepared::Refused(64, "no".to_owned()),
        ));
        let failure = asked.await.unwrap().unwrap_err();
        assert_eq!(
            (failure.code, failure.message.as_str()),
            (Exit::Usage, "no")
        );

        let asked = prepare();
        let Said::Prepare(id, _) = first.hear().await else {
            panic!("no sinks");
        };
        first.say(&Report::Prepared(id, Prepared::Made));
        play.link.commit(asked.await.unwrap().unwrap());
        assert_eq!(first.hear().await, Said::Commit(id));

        let asked = prepare();
        let Said::Prepare(id, _) = first.hear().await else {
            panic!("no sinks");
        };
        first.say(&Report::Prepared(id, Prepared::Restart));
        play.link.commit(asked.await.unwrap().unwrap());
        assert!(matches!(first.hear().await, Said::Stop(_)));
        first.say(&Report::Stopped(0));
        drop(first);
        let second = play.next().await;
        assert_eq!(second.hello.config, config);
        play.link.tell(Document::Alert(Arc::new(sample().alert())));
        // It is counted before the next one is told anything.
        second.told().await;
        assert_eq!(play.core.outlet.restarts("reload"), 1);
    });
}

#[test]
fn one_that_refuses_at_the_start_is_believed() {
    multi().block_on(async {
        let (stage, entered) = std::sync::mpsc::sync_channel::<UnixStream>(8);
        let refusing = thread::spawn(move || {
            let stream = entered.recv_timeout(LIMIT).unwrap();
            let _hello: Said = read(&stream, ORDER_MAX).unwrap();
            let refused = Report::Refused(64, "another sensor".to_owned());
            write(&stream, &refused, REPORT_MAX).unwrap();
        });
        let (asked, _queries) = mpsc::channel(1);
        let core = Arc::new(CoreStats::default());
        let build = Build {
            version: "0",
            kernel: "0",
        };
        let metrics = Metrics::new(Arc::clone(&core), build, || 1).unwrap();
        let settings = Settings {
            hello: Hello {
                version: 1,
                collector: 1,
                user: 0,
                started_ns: 1,
                config: String::new(),
                address: None,
                sequence: 0,
                host: crate::alert::Host::default(),
            },
            launch: Box::new(Theatre { stage }),
            questions: Questions::new(asked, Arc::new(metrics)),
            core,
            pods: None,
            beat: BEAT,
            pause_max: PAUSE,
        };
        let failure = Link::start(settings).await.err().unwrap();
        assert_eq!(
            (failure.code, failure.message.as_str()),
            (Exit::Usage, "another sensor")
        );
        refusing.join().unwrap();
    });
}
