//! What the sensor says to the service manager that has started it (`sd_notify(3)`).

use std::{
    os::unix::net::UnixDatagram,
    time::{Duration, Instant},
};

use rustix::process::Signal;

use crate::fixture::{scene::Scene, sensor::Sensor, wait::PATIENCE};

/// What a unit with `WatchdogSec=1` is told.
const LIMIT: Duration = Duration::from_secs(1);

/// The manager's end.
struct Manager(UnixDatagram);

impl Manager {
    /// The next message that begins like this; others are passed over.
    fn hears(&self, begin: &str, within: Duration) -> Option<String> {
        let end = Instant::now() + within;
        let mut buffer = [0; 4_096];
        loop {
            let left = end.checked_duration_since(Instant::now())?;
            // A limit of zero would be none.
            let left = left.max(Duration::from_millis(1));
            self.0.set_read_timeout(Some(left)).expect("set a limit");
            let length = self.0.recv(&mut buffer).ok()?;
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            if text.starts_with(begin) {
                return Some(text.trim_end().to_owned());
            }
        }
    }

    fn forget(&self) {
        self.0.set_nonblocking(true).expect("do not wait");
        let mut buffer = [0; 4_096];
        while self.0.recv(&mut buffer).is_ok() {}
        self.0.set_nonblocking(false).expect("wait again");
    }
}

#[test]
fn a_manager_hears_of_start_life_reload_and_end() {
    let name = "supervisor::a_manager_hears_of_start_life_reload_and_end";
    let Some(scene) = Scene::begin(name, &[]) else {
        return;
    };
    let socket = scene.path().join("notify");
    let manager = Manager(UnixDatagram::bind(&socket).expect("bind the manager's socket"));
    let socket = socket.to_str().expect("a temporary path is UTF-8");
    let limit = LIMIT.as_micros().to_string();
    let variables = [("NOTIFY_SOCKET", socket), ("WATCHDOG_USEC", limit.as_str())];
    let mut sensor = Sensor::launch_with(&[], &variables);

    assert!(manager.hears("READY=1", PATIENCE).is_some());
    // What comes first is said first: by then it is ready.
    sensor.wait_ready();
    let status = manager.hears("STATUS=", PATIENCE).expect("a status");
    assert!(status.contains("watching, configuration "), "{status}");
    // It hears in time, again and again; not that it turns when it does not.
    for _ in 0..3 {
        assert!(manager.hears("WATCHDOG=1", LIMIT).is_some());
    }
    sensor.signal(Signal::STOP);
    manager.forget();
    assert_eq!(manager.hears("WATCHDOG=1", LIMIT), None);
    sensor.signal(Signal::CONT);
    assert!(manager.hears("WATCHDOG=1", PATIENCE).is_some());

    sensor.configure("", "output: {level: high}");
    let next = manager.hears("STATUS=", PATIENCE).expect("a status");
    assert!(next != status && !next.contains("refused"), "{next}");
    sensor.configure("", "output: {level: loud}");
    let refused = manager.hears("STATUS=", PATIENCE).expect("a status");
    assert_eq!(
        refused,
        format!("{next}; a changed one was refused, see the log")
    );

    sensor.stop();
    assert!(manager.hears("STOPPING=1", PATIENCE).is_some());
}
