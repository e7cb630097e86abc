//! `sinks`: where alerts go besides standard output and the history.

use std::path::PathBuf;

use clap::ValueEnum;
use serde::Serialize;
use serde_json::{Value, json};

use super::{
    Level,
    form::{Bounded, Form, LIST_MAX, Raw, Shape, TEXT_MAX, list_of, table_of, text_schema},
};

/// Most sinks: each has a thread or two.
pub const SINKS_MAX: usize = 16;
/// Longest name: it is the value of a label.
const NAME_MAX: usize = 32;
/// Names that other outputs have.
const TAKEN: &[&str] = &["stdout", "history"];

/// What a sink is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Type {
    /// A file that rotates.
    #[default]
    File,
    /// Datagrams or a stream: RFC 3164 on this machine, RFC 5424 to others.
    Syslog,
    /// The journal of systemd.
    Journald,
    /// HTTP requests with JSON.
    Webhook,
    /// Alerts of Alertmanager, API v2.
    Alertmanager,
    /// Logs of `OpenTelemetry` over HTTP, as JSON.
    Otlp,
}

/// Form of an alert in a sink.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Encoding {
    /// The sensor's own, by Elastic Common Schema.
    #[default]
    Ecs,
    /// As falcosidekick reads it.
    Falco,
    /// OCSF Detection Finding.
    Ocsf,
}

/// What becomes of a file that is full.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Compress {
    /// It is compressed.
    #[default]
    Zstd,
    /// It stays as it is.
    None,
}

/// One sink. What its type does not use stays at its default.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Sink {
    /// Its name in metrics and logs.
    pub name: String,
    /// What it is.
    pub r#type: Type,
    /// Form of alerts.
    pub encoding: Encoding,
    /// Alerts below it are left out.
    pub level: Level,
    /// Only these rules; empty for all.
    pub rules: Vec<String>,
    /// Only services of these kinds or declared names; empty for all.
    pub services: Vec<String>,
    /// The file.
    pub path: PathBuf,
    /// Bytes at which a file is full.
    pub max_bytes: Option<Bounded<65_536, 17_179_869_184>>,
    /// Hours after which a file is full.
    pub max_age_hours: Option<Bounded<1, 8_760>>,
    /// Full files kept.
    pub keep: Option<Bounded<0, 10_000>>,
    /// What becomes of them.
    pub compress: Compress,
    /// Where datagrams or the stream go.
    pub address: String,
    /// Where requests go.
    pub url: String,
    /// Headers of requests, `Name: value`.
    pub headers: Vec<String>,
    /// File with a bearer token.
    pub token_file: Option<PathBuf>,
    /// File with the certificates to believe instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Most alerts of one request.
    pub batch: Option<Bounded<1, 1_000>>,
    /// Time for one request.
    pub timeout_seconds: Option<Bounded<1, 300>>,
    /// File with alerts that were not accepted yet.
    pub spool: Option<PathBuf>,
    /// Bytes it may have.
    pub spool_max_bytes: Option<Bounded<262_144, 17_179_869_184>>,
}

/// Names that every sink may have.
const COMMON: &[&str] = &["name", "type", "encoding", "level", "rules", "services"];
/// Names of the rotating file.
const FILE: &[&str] = &["path", "max_bytes", "max_age_hours", "keep", "compress"];
/// Names of what is sent to a syslog.
const SYSLOG: &[&str] = &["address"];
/// Names of what is sent by HTTP.
const HTTP: &[&str] = &[
    "url",
    "headers",
    "token_file",
    "ca_file",
    "batch",
    "timeout_seconds",
    "spool",
    "spool_max_bytes",
];

/// All names.
pub fn fields() -> impl Iterator<Item = &'static str> {
    let all = COMMON.iter().chain(FILE).chain(SYSLOG).chain(HTTP);
    all.copied()
}

impl Sink {
    fn read(row: &[(String, Raw)]) -> Option<Self> {
        let mut sink = Self::default();
        let mut r#type = None;
        for (name, raw) in row {
            if name == "type" {
                r#type = Some(Type::read(raw)?);
            } else {
                sink.set(name, raw)?;
            }
        }
        sink.r#type = r#type?;
        let own = match sink.r#type {
            Type::File => FILE,
            Type::Syslog => SYSLOG,
            Type::Journald => &[],
            Type::Webhook | Type::Alertmanager | Type::Otlp => HTTP,
        };
        let fits = |name: &str| COMMON.contains(&name) || own.contains(&name);
        let whole = match sink.r#type {
            Type::File => !sink.path.as_os_str().is_empty(),
            Type::Syslog => !sink.address.is_empty(),
            Type::Journald => true,
            Type::Webhook | Type::Alertmanager | Type::Otlp => !sink.url.is_empty(),
        };
        let all = row.iter().all(|(name, _)| fits(name));
        (all && whole && !sink.name.is_empty()).then_some(sink)
    }

    fn set(&mut self, name: &str, raw: &Raw) -> Option<()> {
        match name {
            "name" => self.name = label(raw)?,
            "encoding" => self.encoding = Encoding::read(raw)?,
            "level" => self.level = Level::read(raw)?,
            "rules" => self.rules = Vec::read(raw)?,
            "services" => self.services = Vec::read(raw)?,
            "path" => self.path = PathBuf::read(raw)?,
            "max_bytes" => self.max_bytes = Some(Form::read(raw)?),
            "max_age_hours" => self.max_age_hours = Some(Form::read(raw)?),
            "keep" => self.keep = Some(Form::read(raw)?),
            "compress" => self.compress = Compress::read(raw)?,
            "address" => self.address = address(raw)?,
            "url" => self.url = url(raw)?,
            "headers" => self.headers = headers(raw)?,
            "token_file" => self.token_file = Some(Form::read(raw)?),
            "ca_file" => self.ca_file = Some(Form::read(raw)?),
            "batch" => self.batch = Some(Form::read(raw)?),
            "timeout_seconds" => self.timeout_seconds = Some(Form::read(raw)?),
            "spool" => self.spool = Some(Form::read(raw)?),
            "spool_max_bytes" => self.spool_max_bytes = Some(Form::read(raw)?),
            _ => return None,
        }
        Some(())
    }

    fn write(&self) -> Vec<(String, Raw)> {
        fn some<T: Form>(value: Option<&T>) -> Option<Raw> {
            value.map(Form::write)
        }
        fn other<T: Form + Default + PartialEq>(value: &T) -> Option<Raw> {
            (*value != T::default()).then(|| value.write())
        }
        let text = |text: &String| (!text.is_empty()).then(|| Raw::Text(text.clone()));
        let path = (!self.path.as_os_str().is_empty()).then_some(&self.path);
        let fields = [
            ("name", text(&self.name)),
            ("type", Some(self.r#type.write())),
            ("encoding", other(&self.encoding)),
            ("level", other(&self.level)),
            ("rules", other(&self.rules)),
            ("services", other(&self.services)),
            ("path", some(path)),
            ("max_bytes", some(self.max_bytes.as_ref())),
            ("max_age_hours", some(self.max_age_hours.as_ref())),
            ("keep", some(self.keep.as_ref())),
            ("compress", other(&self.compress)),
            ("address", text(&self.address)),
            ("url", text(&self.url)),
            ("headers", other(&self.headers)),
            ("token_file", some(self.token_file.as_ref())),
            ("ca_file", some(self.ca_file.as_ref())),
            ("batch", some(self.batch.as_ref())),
            ("timeout_seconds", some(self.timeout_seconds.as_ref())),
            ("spool", some(self.spool.as_ref())),
            ("spool_max_bytes", some(self.spool_max_bytes.as_ref())),
        ];
        let fields = fields.into_iter();
        let fields = fields.filter_map(|(name, value)| Some((name.to_owned(), value?)));
        fields.collect()
    }
}

/// In place of a secret.
const MASK: &str = "***";

impl Sink {
    /// Takes out the values of headers, and user and password of the URL.
    pub(super) fn mask(&mut self) {
        for line in &mut self.headers {
            if let Some((name, _)) = line.split_once(": ") {
                *line = format!("{name}: {MASK}");
            }
        }
        let Some((scheme, rest)) = self.url.split_once("://") else {
            return;
        };
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        if let Some((_, host)) = authority.rsplit_once('@') {
            self.url = format!("{scheme}://{MASK}@{host}{path}");
        }
    }
}

/// Letters, digits, `-` and `_`, not the name of another output.
fn label(raw: &Raw) -> Option<String> {
    let Raw::Text(text) = raw else { return None };
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_".contains(&byte);
    let fits = (1..=NAME_MAX).contains(&text.len()) && text.bytes().all(plain);
    (fits && !TAKEN.contains(&text.as_str())).then(|| text.clone())
}

/// A path, or `udp://host:port`, `tcp://host:port`.
fn address(raw: &Raw) -> Option<String> {
    let Raw::Text(text) = raw else { return None };
    let plain = text.len() <= TEXT_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && crate::sink::Transport::parse(text).is_some()).then(|| text.clone())
}

/// An address of HTTP.
pub(super) fn url(raw: &Raw) -> Option<String> {
    let Raw::Text(text) = raw else { return None };
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"))?;
    let plain = text.len() <= TEXT_MAX && text.bytes().all(|byte| byte.is_ascii_graphic());
    (plain && !rest.is_empty() && !rest.starts_with('/')).then(|| text.clone())
}

/// `Name: value` each, as HTTP has them.
fn headers(raw: &Raw) -> Option<Vec<String>> {
    let lines: Vec<String> = Vec::read(raw)?;
    let fits = |line: &String| {
        line.split_once(": ").is_some_and(|(name, value)| {
            let token = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
            let text = |byte: u8| byte == b' ' || byte.is_ascii_graphic();
            !name.is_empty() && name.bytes().all(token) && value.bytes().all(text)
        })
    };
    lines.iter().all(fits).then_some(lines)
}

impl Form for Vec<Sink> {
    const SHAPE: Shape = Shape::Table;

    fn expected() -> String {
        format!(
            "a list of at most {SINKS_MAX} sinks, each with a name of its own (lower-case letters, \
             digits, - and _), a type (file, syslog, journald, webhook, alertmanager, otlp) \
             and what the type needs (file: path; syslog: address; webhook, alertmanager, otlp: \
             url), and nothing of another type"
        )
    }

    fn schema() -> Value {
        let own = |form: fn() -> Value| form();
        let mut table = table_of(
            &["name", "type"],
            [
                (
                    "name",
                    json!({ "type": "string", "pattern": "^[a-z0-9_-]{1,32}$" }),
                ),
                ("type", Type::schema()),
                ("encoding", Encoding::schema()),
                ("level", Level::schema()),
                ("rules", list_of(&text_schema())),
                ("services", list_of(&text_schema())),
                ("path", PathBuf::schema()),
                ("max_bytes", own(Bounded::<65_536, 17_179_869_184>::schema)),
                ("max_age_hours", own(Bounded::<1, 8_760>::schema)),
                ("keep", own(Bounded::<0, 10_000>::schema)),
                ("compress", Compress::schema()),
                (
                    "address",
                    json!({ "type": "string", "pattern": "^(/|udp://|tcp://)" }),
                ),
                (
                    "url",
                    json!({ "type": "string", "pattern": "^https?://[^/]" }),
                ),
                (
                    "headers",
                    list_of(&json!({ "type": "string", "pattern": "^[A-Za-z0-9_.-]+: " })),
                ),
                ("token_file", PathBuf::schema()),
                ("ca_file", PathBuf::schema()),
                ("batch", own(Bounded::<1, 1_000>::schema)),
                ("timeout_seconds", own(Bounded::<1, 300>::schema)),
                ("spool", PathBuf::schema()),
                (
                    "spool_max_bytes",
                    own(Bounded::<262_144, 17_179_869_184>::schema),
                ),
            ],
        );
        table["maxItems"] = json!(SINKS_MAX);
        table
    }

    fn read(raw: &Raw) -> Option<Self> {
        let rows = match raw {
            Raw::Table(rows) if rows.len() <= SINKS_MAX.min(LIST_MAX) => rows,
            Raw::List(items) if items.is_empty() => return Some(Self::new()),
            _ => return None,
        };
        let sinks: Self = rows
            .iter()
            .map(|row| Sink::read(row))
            .collect::<Option<_>>()?;
        let mut names: Vec<_> = sinks.iter().map(|sink| &sink.name).collect();
        names.sort_unstable();
        names.dedup();
        (names.len() == sinks.len()).then_some(sinks)
    }

    fn write(&self) -> Raw {
        Raw::Table(self.iter().map(Sink::write).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn read(text: &str) -> Result<Config, String> {
        Config::from_core_yaml(text).map_err(|error| error.to_string())
    }

    #[test]
    fn sinks_are_read_and_written() {
        let text = "sinks:\n  - {name: siem, type: webhook, url: \"https://siem.example/in\", \
            headers: [\"X-Tenant: web\"], batch: 10, level: high, services: [php-fpm]}\n  \
            - {name: disk, type: file, path: /var/log/a.jsonl, encoding: falco, keep: 3}\n";
        let sinks = read(text).unwrap().sinks;
        assert_eq!(sinks.len(), 2);
        assert_eq!(sinks[0].level, Level::High);
        assert_eq!(<Vec<Sink> as Form>::read(&sinks.write()), Some(sinks));
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for wrong in [
            "{name: a, type: webhook}",
            "{name: a, type: webhook, url: \"ftp://x\"}",
            "{name: a, type: webhook, url: \"http:///x\"}",
            "{name: a, type: webhook, url: \"http://x\", path: /x}",
            "{name: a, type: webhook, url: \"http://x\", headers: [\"a b: c\"]}",
            "{name: a, type: syslog}",
            "{name: a, type: syslog, address: \"udp://nohost\"}",
            "{name: a, type: journald, path: /x}",
            "{name: a, type: otlp}",
            "{name: a, type: file}",
            "{name: a, type: file, path: relative}",
            "{name: stdout, type: file, path: /x}",
            "{name: A, type: file, path: /x}",
            "{name: a, type: carrier-pigeon}",
            "{type: file, path: /x}",
            "{name: a, type: file, path: /x}, {name: a, type: file, path: /y}",
        ] {
            let error = read(&format!("sinks: [{wrong}]")).unwrap_err();
            assert!(
                error.contains("a list of at most 16 sinks"),
                "{wrong}: {error}"
            );
        }
        let error = read("sinks: [{name: a, type: file, pth: /x}]").unwrap_err();
        assert!(error.contains("did you mean `sinks.path`"), "{error}");
    }

    #[test]
    fn what_opens_doors_elsewhere_is_masked() {
        for (url, shown) in [
            (
                "https://a:b@siem.example/in@x",
                "https://***@siem.example/in@x",
            ),
            ("http://siem.example:8080", "http://siem.example:8080"),
            ("https://siem.example/a@b", "https://siem.example/a@b"),
        ] {
            let mut sink = Sink {
                url: url.to_owned(),
                headers: vec!["Authorization: Bearer: abc".to_owned()],
                ..Sink::default()
            };
            sink.mask();
            assert_eq!(sink.url, shown);
            assert_eq!(sink.headers, ["Authorization: ***"]);
        }
    }
}
