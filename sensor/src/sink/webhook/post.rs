//! One kind of HTTP request: where it goes, with which headers, whom it believes, and what
//! an answer means.

use std::{io, path::PathBuf, time::Duration};

use ureq::{
    Agent,
    http::{HeaderMap, StatusCode},
    tls::TlsConfig,
};

use super::super::durable::Refusal;
use crate::credential::{roots, token};

/// Most bytes of an answer that are read: enough to use the connection again.
const ANSWER_MAX: u64 = 64 << 10;

/// What requests are like.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// Where they go.
    pub url: String,
    /// `Name: value` each.
    pub headers: Vec<String>,
    /// File with a bearer token, read for each request: tokens are renewed.
    pub token_file: Option<PathBuf>,
    /// File with the certificates to believe instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// For one request.
    pub timeout: Duration,
}

impl Settings {
    /// The same for `path` behind the address, unless it is there already.
    pub(in crate::sink) fn below(&self, path: &str) -> Self {
        let base = self.url.trim_end_matches('/');
        let base = base.strip_suffix(path).unwrap_or(base);
        Self {
            url: format!("{base}{path}"),
            ..self.clone()
        }
    }
}

/// See the module.
#[derive(Debug)]
pub(in crate::sink) struct Post {
    agent: Agent,
    url: String,
    headers: Vec<(String, String)>,
    token_file: Option<PathBuf>,
}

impl Post {
    /// # Errors
    /// When the file of certificates cannot be read or holds none.
    pub(in crate::sink) fn new(settings: &Settings) -> io::Result<Self> {
        let tls = TlsConfig::builder().root_certs(roots(settings.ca_file.as_deref())?);
        let config = Agent::config_builder()
            .timeout_global(Some(settings.timeout))
            .http_status_as_error(false)
            // Alerts go where they were told to go and nowhere else.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("lineage-sensor/", env!("CARGO_PKG_VERSION")))
            .tls_config(tls.build());
        let headers = settings.headers.iter();
        let headers = headers.filter_map(|line| line.split_once(": "));
        Ok(Self {
            agent: config.build().into(),
            url: settings.url.clone(),
            headers: headers
                .map(|(name, value)| (name.to_owned(), value.to_owned()))
                .collect(),
            token_file: settings.token_file.clone(),
        })
    }

    /// Sends a body; the begin of what was answered.
    ///
    /// # Errors
    /// When the body is not accepted.
    pub(in crate::sink) fn send(&self, body: &str) -> Result<Vec<u8>, Refusal> {
        let later = |error: &dyn std::fmt::Display| Refusal::NotNow(error.to_string(), None);
        let mut request = self.agent.post(&self.url).content_type("application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(path) = &self.token_file {
            let token = token(path).map_err(|error| later(&error))?;
            request = request.header("authorization", format!("Bearer {token}"));
        }
        let mut answer = request.send(body).map_err(|error| failure(&error))?;
        let refusal = judge(answer.status(), answer.headers());
        // Read to its end, so that the connection serves again.
        let rest = answer
            .body_mut()
            .with_config()
            .limit(ANSWER_MAX)
            .read_to_vec();
        let rest = rest.unwrap_or_default();
        match refusal {
            None => Ok(rest),
            Some(Refusal::Never(why)) => Err(Refusal::Never(said(why, &rest))),
            Some(Refusal::TooSlow(why)) => Err(Refusal::TooSlow(said(why, &rest))),
            Some(Refusal::Unheard(why)) => Err(Refusal::Unheard(said(why, &rest))),
            Some(Refusal::NotNow(why, after)) => Err(Refusal::NotNow(said(why, &rest), after)),
        }
    }
}

/// What it means that there is no answer.
fn failure(error: &ureq::Error) -> Refusal {
    let why = error.to_string();
    match error {
        ureq::Error::Timeout(_) => Refusal::TooSlow(why),
        // Nobody is there, or it shows another certificate: nothing was sent.
        ureq::Error::Io(it)
            if matches!(
                it.kind(),
                io::ErrorKind::ConnectionRefused | io::ErrorKind::InvalidData
            ) =>
        {
            Refusal::NotNow(why, None)
        }
        ureq::Error::Io(_) | ureq::Error::Protocol(_) => Refusal::Unheard(why),
        _ => Refusal::NotNow(why, None),
    }
}

/// What an answer means; `None` for accepted.
fn judge(status: StatusCode, headers: &HeaderMap) -> Option<Refusal> {
    let why = format!("HTTP status {status}");
    match status.as_u16() {
        200..=299 => None,
        // What is in it is at fault. Other refusals are of who sends, and to where.
        400 | 413 | 422 => Some(Refusal::Never(why)),
        // It, or one behind it, has waited too long.
        408 | 504 => Some(Refusal::TooSlow(why)),
        _ => {
            let after = headers
                .get("retry-after")
                .and_then(|it| it.to_str().ok()?.parse().ok());
            Some(Refusal::NotNow(why, after.map(Duration::from_secs)))
        }
    }
}

/// The reason with the begin of what was answered.
fn said(why: String, answer: &[u8]) -> String {
    let text = String::from_utf8_lossy(answer);
    let text: String = text.trim().chars().take(200).collect();
    if text.is_empty() {
        why
    } else {
        format!("{why}: {text}")
    }
}
