//! What the loop does with a configuration that was read again.

use tracing::{debug, error, info, warn};

use super::{
    super::{
        reload::{Next, Outcome},
        self_test,
    },
    Watch,
};
use crate::{config::Config, engine::Input, inspect, logging, reload::catalogue};

/// Digits of a hash that tell one set from another.
const DIGITS: usize = 12;

/// Begin of a hash, as metric and log have it.
pub(super) fn short(hash: &str) -> &str {
    hash.get(..DIGITS).unwrap_or(hash)
}

impl Watch<'_> {
    /// Puts in force what was read, or says why not.
    pub(super) fn reload(&mut self, outcome: Outcome) {
        match outcome {
            Outcome::Next(next) => self.take_up(*next),
            Outcome::Same => {
                self.surroundings.as_before();
                self.supervisor.as_before();
                info!("configuration read again: it is what is in force");
            }
            Outcome::Refused(why) => {
                self.surroundings.refused();
                self.supervisor.refused();
                error!("configuration refused, the old one stays in force: {why}");
            }
        }
    }

    fn take_up(&mut self, next: Next) {
        let Next {
            effective,
            reload,
            sinks,
            hash,
            kept,
            warnings,
        } = next;
        self.step(Input::Reload(Box::new(reload)));
        let is_recognised = self.recognise(&effective.config);
        self.surroundings.adjust(sinks);
        logging::take_up(effective.config.log);
        self.directories
            .clone_from(&effective.config.watch.directories);
        self.watch_directories();
        let services = std::mem::take(&mut self.config.services);
        self.config = effective.config;
        let hash = short(&hash);
        self.surroundings.configured(hash, true);
        if !is_recognised {
            // The next reload tries again.
            self.config.services = services;
            self.surroundings.refused();
        }
        for kind in self.core.engine.stats().services.keys() {
            self.surroundings.expect(&self.core.engine, *kind);
        }
        for warning in warnings {
            warn!("{warning}");
        }
        for key in kept {
            warn!("`{key}` has another value now, which needs a restart: the old one stays");
        }
        info!("configuration {hash} is in force");
        self.supervisor.in_force(hash);
    }

    /// Tells the kernel side what counts as a server, and looks for declared services
    /// among the processes that run already. What is no longer declared stays a service
    /// until it ends. `false` when the kernel side has not taken it up.
    fn recognise(&mut self, config: &Config) -> bool {
        if config.services == self.config.services {
            return true;
        }
        let catalogue = catalogue(config);
        if let Err(error) = self.attached.recognise(&self_test::names(&catalogue)) {
            error!("cannot recognise what services.declare names: {error}");
            return false;
        }
        let survey = match self.attached.survey() {
            Ok(survey) => survey,
            Err(error) => {
                error!("cannot look for declared services: {error}");
                return false;
            }
        };
        let found = self.looks.0.clone();
        tokio::task::spawn_blocking(move || {
            // All of them: nothing else tells that one is declared.
            for row in survey.read(true).processes {
                let Some(program) = row.program else { continue };
                let image = inspect::image(&program);
                if catalogue.declared(&program, image.as_deref()).is_none() {
                    continue;
                }
                debug!("pid {} is declared a service", row.process.tgid);
                let input = Input::Inspected(row.process, program, image);
                if found.blocking_send(input).is_err() {
                    return;
                }
            }
        });
        true
    }
}
