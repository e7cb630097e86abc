//! Requests to the API: a page of a list, and a watch.

use std::{
    io::{self, BufRead, BufReader, Read as _},
    time::Duration,
};

use ureq::{Agent, Body, http, tls::TlsConfig};

use super::{Settings, object::List};
use crate::credential::{roots, token};

/// Pods of one page; most pages of a list.
const PAGE: usize = 250;
pub(super) const PAGES: usize = 64;
/// Most bytes of a page, and of a line of a watch.
const PAGE_BYTES: u64 = 8 << 20;
const LINE_BYTES: u64 = 1 << 20;
/// How long an answer that should have ended is waited for.
const GRACE: Duration = Duration::from_secs(10);
/// Metadata alone, not what pods are made of.
const LIST_FORM: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
const ITEM_FORM: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Trouble {
    /// What was known is too old to go on from: all is to be listed again.
    Gone,
    /// Anything else, and how long the server wants to be left alone.
    Failed(String, Option<Duration>),
}

impl Trouble {
    pub(super) fn failed(error: &dyn std::fmt::Display) -> Self {
        Self::Failed(error.to_string(), None)
    }
}

/// See the module.
pub(super) struct Client {
    agent: Agent,
    settings: Settings,
}

impl Client {
    /// With the certificates that are in the file by now.
    pub(super) fn new(settings: &Settings) -> Result<Self, Trouble> {
        let roots = roots(Some(&settings.ca_file)).map_err(|error| Trouble::failed(&error))?;
        let config = Agent::config_builder()
            .timeout_connect(Some(settings.timeout))
            .timeout_recv_response(Some(settings.timeout))
            .http_status_as_error(false)
            // The token goes where it was told to go and nowhere else.
            .max_redirects(0)
            .proxy(None)
            .user_agent(concat!("lineage-sensor/", env!("CARGO_PKG_VERSION")))
            .tls_config(TlsConfig::builder().root_certs(roots).build());
        Ok(Self {
            agent: config.build().into(),
            settings: settings.clone(),
        })
    }

    /// A page of this node's pods; `after` is what the page before it ended with.
    pub(super) fn list(&self, after: Option<&str>) -> Result<List, Trouble> {
        let limit = PAGE.to_string();
        let mut query = vec![("limit", limit.as_str())];
        query.extend(after.map(|after| ("continue", after)));
        let mut answer = self.get(&query, LIST_FORM, self.settings.timeout)?;
        let body = answer.body_mut().with_config().limit(PAGE_BYTES);
        let body = body
            .read_to_vec()
            .map_err(|error| Trouble::failed(&error))?;
        serde_json::from_slice(&body).map_err(|error| Trouble::failed(&error))
    }

    /// What happens to them after `version`.
    pub(super) fn watch(&self, version: &str) -> Result<Lines, Trouble> {
        let seconds = self.settings.watch.as_secs().max(1).to_string();
        let query = [
            ("watch", "true"),
            ("allowWatchBookmarks", "true"),
            ("resourceVersion", version),
            ("timeoutSeconds", &seconds),
        ];
        let limit = self.settings.watch.saturating_add(GRACE);
        let answer = self.get(&query, ITEM_FORM, limit)?;
        let reader = answer.into_body().into_reader();
        Ok(Lines(BufReader::new(Box::new(reader))))
    }

    fn get(
        &self,
        query: &[(&str, &str)],
        form: &str,
        body: Duration,
    ) -> Result<http::Response<Body>, Trouble> {
        let failed = |error: &dyn std::fmt::Display| Trouble::failed(error);
        let token = token(&self.settings.token_file).map_err(|error| failed(&error))?;
        let api = self.settings.api.trim_end_matches('/');
        let node = format!("spec.nodeName={}", self.settings.node);
        let mut request = self
            .agent
            .get(format!("{api}/api/v1/pods"))
            .query("fieldSelector", node)
            .header("accept", form)
            .header("authorization", format!("Bearer {token}"));
        for (name, value) in query {
            request = request.query(*name, *value);
        }
        let request = request.config().timeout_recv_body(Some(body)).build();
        let answer = request.call().map_err(|error| failed(&error))?;
        judge(&answer)?;
        Ok(answer)
    }
}

/// What a status means.
fn judge(answer: &http::Response<Body>) -> Result<(), Trouble> {
    match answer.status().as_u16() {
        200 => Ok(()),
        410 => Err(Trouble::Gone),
        status => {
            let after = answer.headers().get("retry-after");
            let after = after.and_then(|it| it.to_str().ok()?.parse().ok());
            let remedy = match status {
                401 => ": the token is not believed",
                403 => ": the service account may not get, list and watch pods",
                _ => "",
            };
            let after = after.map(Duration::from_secs);
            Err(Trouble::Failed(
                format!("HTTP status {status}{remedy}"),
                after,
            ))
        }
    }
}

/// Lines of an answer that goes on.
pub(super) struct Lines(BufReader<Box<dyn io::Read>>);

impl Lines {
    /// The next whole line; `None` when the answer has ended, in the middle of one too.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, Trouble> {
        let mut line = Vec::new();
        let mut bounded = self.0.by_ref().take(LINE_BYTES);
        let read = bounded.read_until(b'\n', &mut line);
        read.map_err(|error| Trouble::failed(&error))?;
        match line.last() {
            Some(b'\n') => Ok(Some(line)),
            _ if line.len() as u64 >= LINE_BYTES => Err(Trouble::failed(&"a line without an end")),
            _ => Ok(None),
        }
    }
}
