//! Alertmanager, API v2: each alert with the labels by which it groups and silences.
//!
//! Alerts of one rule in one incident are one alert there, which their repetition keeps
//! alive; `resolve_timeout` of the Alertmanager ends it. Notices have no counterpart.

#[cfg(test)]
mod tests;

use std::io;

use serde_json::json;

use super::{
    WebhookSettings,
    durable::{Accepted, Receive, Refusal},
    webhook::Post,
};
use crate::alert::Document;

/// Behind the address of an Alertmanager.
const PATH: &str = "/api/v2/alerts";

/// See the module.
#[derive(Debug)]
pub struct Alertmanager {
    post: Post,
}

impl Alertmanager {
    /// `settings.url` is the address with or without [`PATH`].
    ///
    /// # Errors
    /// When a file that the settings name cannot be used.
    pub fn new(settings: &WebhookSettings) -> io::Result<Self> {
        let post = Post::new(&settings.below(PATH))?;
        Ok(Self { post })
    }
}

impl Receive for Alertmanager {
    fn encode(&self, document: &Document) -> Option<String> {
        let Document::Alert(alert) = document else {
            return None;
        };
        let service = alert.service.as_ref();
        let alert = json!({
            "labels": {
                "alertname": alert.rule.id,
                "severity": alert.weight().name(),
                "instance": alert.host.name,
                "service": service.map_or("none", |service| service.kind),
                "unit": service.map_or("", |service| &service.unit),
                "incident": alert.incident.as_ref().map_or("", |incident| &incident.id),
            },
            "annotations": {
                "summary": alert.message,
                "description": alert.rule.description,
                "triage": alert.rule.triage,
                "event_id": alert.event.id,
                "command_line": alert.process.command_line,
            },
            "startsAt": alert.timestamp,
        });
        Some(alert.to_string())
    }

    fn send(&self, texts: &[&str]) -> Result<Accepted, Refusal> {
        let sent = self.post.send(&format!("[{}]", texts.join(",")));
        sent.map(|_answer| Accepted::default())
    }
}
