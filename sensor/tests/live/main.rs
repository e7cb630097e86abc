//! Live tests: the real sensor, the running kernel, real servers.
//!
//! They need root and the Debian packages that `cargo xtask test` installs, and they run
//! one after another. Each sets up its own servers in a temporary directory, on free
//! loopback ports, and ends them by pid, also when it fails. Payloads are harmless. A
//! test that cannot run here says `SKIP name: reason` on standard output.

mod fixture;

/// Makes of each function that takes a [`fixture::scene::Case`] one test for each rung.
macro_rules! on_each_rung {
    ($($test:ident),+ $(,)?) => {
        on_each_rung!(@rung tp_btf TpBtf $($test)+);
        on_each_rung!(@rung raw_tp RawTp $($test)+);
    };
    (@rung $module:ident $rung:ident $($test:ident)+) => {
        mod $module {
            use crate::fixture::{scene::Case, sensor::Rung};
            $(
                #[test]
                fn $test() {
                    super::$test(Case {
                        name: concat!(module_path!(), "::", stringify!($test)),
                        rung: Rung::$rung,
                    });
                }
            )+
        }
    };
}

mod attack;
mod benign;
mod command;
mod daemon;
mod fixtures;
mod history;
mod host;
mod hostile;
mod journal;
mod lab;
mod lifecycle;
mod loss;
mod otlp;
mod outage;
mod privilege;
mod profile;
mod prometheus;
mod record;
mod redact;
mod reload;
mod server;
mod simulate;
mod sink;
mod soak;
mod startup;
mod supervisor;
mod syslog;
mod terminal;
mod watched;
