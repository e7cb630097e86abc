//! The script and the request behind an act.

use super::{
    super::{
        finding::Script,
        model::{Page, Request},
    },
    Facts, option, short,
};
use crate::lineage::Subject;

/// Bytes of JSON given to each part of a request.
const PART: usize = 512;

impl Facts<'_> {
    /// `script.*`.
    pub(super) fn script(&self, script: &Script) -> Page {
        let (path, path_b64) = option(Some(script.path.as_ref()));
        Page {
            path: path.unwrap_or_default(),
            path_b64,
            source: script.source.name(),
            seconds: script.age_ns.map(|age_ns| age_ns / 1_000_000_000),
            written_by: self.written(script.written),
        }
    }
}

/// `request.*`, when the environment describes one.
pub(super) fn request(subject: &Subject) -> Option<Request> {
    let part = |name| {
        let value = subject.variable(name)?;
        let value = value.get(..value.len().min(PART)).unwrap_or_default();
        Some(short(&String::from_utf8_lossy(value), PART))
    };
    let request = Request {
        client: part("REMOTE_ADDR"),
        forwarded_for: part("HTTP_X_FORWARDED_FOR"),
        method: part("REQUEST_METHOD"),
        host: part("HTTP_HOST"),
        uri: part("REQUEST_URI"),
        user_agent: part("HTTP_USER_AGENT"),
    };
    (request.client.is_some() || request.uri.is_some()).then_some(request)
}
