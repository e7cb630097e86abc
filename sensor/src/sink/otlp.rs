//! Logs of `OpenTelemetry`, OTLP over HTTP in its JSON form: the document is the body, what
//! one filters by are attributes.

#[cfg(test)]
mod tests;

use std::io;

use serde_json::{Value, json};

use super::{
    WebhookSettings,
    durable::{Accepted, Receive, Refusal},
    encode::Encoding,
    webhook::Post,
};
use crate::alert::{Document, Level};

/// Behind the address of a collector.
const PATH: &str = "/v1/logs";
/// Most characters of what a collector says.
const SAID_MAX: usize = 200;

/// See the module.
#[derive(Debug)]
pub struct Otlp {
    post: Post,
    encoding: Encoding,
    /// Who sends.
    resource: Value,
}

impl Otlp {
    /// `settings.url` is the address with or without [`PATH`].
    ///
    /// # Errors
    /// When a file that the settings name cannot be used.
    pub fn new(settings: &WebhookSettings, encoding: Encoding) -> io::Result<Self> {
        let uname = rustix::system::uname();
        let host = uname.nodename().to_string_lossy().into_owned();
        Ok(Self {
            post: Post::new(&settings.below(PATH))?,
            encoding,
            resource: json!({ "attributes": [
                attribute("service.name", "lineage-sensor"),
                attribute("service.version", env!("CARGO_PKG_VERSION")),
                attribute("host.name", &host),
            ] }),
        })
    }
}

fn attribute(key: &str, value: &str) -> Value {
    json!({ "key": key, "value": { "stringValue": value } })
}

/// Numbers of the log data model for INFO, NOTICE, WARN, ERROR and FATAL.
const fn severity(level: Level) -> u8 {
    match level {
        Level::Informational => 9,
        Level::Low => 10,
        Level::Medium => 13,
        Level::High => 17,
        Level::Critical => 21,
    }
}

impl Receive for Otlp {
    fn encode(&self, document: &Document) -> Option<String> {
        let body = self.encoding.encode(document)?;
        let (time, service, rule) = match document {
            Document::Alert(alert) => (&alert.timestamp, &alert.service, Some(&alert.rule.id)),
            Document::Notice(notice) => (&notice.timestamp, &notice.service, None),
        };
        let incident = match document {
            Document::Alert(alert) => alert.incident.as_ref().map(|incident| &incident.id),
            Document::Notice(notice) => Some(&notice.incident.id),
        };
        let time = time.parse::<jiff::Timestamp>().unwrap_or_default();
        let service = service.as_ref().map(|service| service.kind);
        let attributes = [
            ("event.id", Some(document.id())),
            ("rule.id", rule.map(String::as_str)),
            ("incident.id", incident.map(String::as_str)),
            ("service.kind", service),
        ];
        let attributes = attributes.into_iter();
        let attributes: Vec<_> = attributes
            .filter_map(|(key, value)| Some(attribute(key, value?)))
            .collect();
        let record = json!({
            "timeUnixNano": time.as_nanosecond().to_string(),
            "observedTimeUnixNano": jiff::Timestamp::now().as_nanosecond().to_string(),
            "severityNumber": severity(document.weight()),
            "severityText": document.weight().name(),
            "body": { "stringValue": body },
            "attributes": attributes,
        });
        Some(record.to_string())
    }

    fn send(&self, texts: &[&str]) -> Result<Accepted, Refusal> {
        let (resource, records) = (&self.resource, texts.join(","));
        let answer = self.post.send(&format!(
            r#"{{"resourceLogs":[{{"resource":{resource},"scopeLogs":[{{"scope":{{"name":"lineage-sensor"}},"logRecords":[{records}]}}]}}]}}"#
        ))?;
        Ok(accepted(&answer))
    }
}

/// What an answer of 2xx says of records that were rejected, which are not to be sent again.
/// Most collectors say nothing.
fn accepted(answer: &[u8]) -> Accepted {
    let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
    let partial = &answer["partialSuccess"];
    let rejected = &partial["rejectedLogRecords"];
    // 64-bit numbers are texts in the JSON of protobuf; some write them as numbers.
    let text = rejected.as_str().and_then(|text| text.parse().ok());
    let refused = rejected.as_u64().or(text).unwrap_or_default();
    let why = partial["errorMessage"].as_str().unwrap_or_default();
    Accepted {
        refused: usize::try_from(refused).unwrap_or(usize::MAX),
        why: why.chars().take(SAID_MAX).collect(),
    }
}
