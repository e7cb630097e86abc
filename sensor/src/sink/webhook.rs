//! HTTP requests with alerts as JSON: one an object, more an array.

mod post;
#[cfg(test)]
mod tests;

use std::io;

pub(super) use self::post::Post;
pub use self::post::Settings;
use super::{
    durable::{Accepted, Receive, Refusal},
    encode::Encoding,
};
use crate::alert::Document;

/// See the module.
#[derive(Debug)]
pub struct Webhook {
    post: Post,
    encoding: Encoding,
    /// Requests hold an array, however few there are.
    array: bool,
}

impl Webhook {
    /// A receiver that takes `encoding`. falcosidekick takes one object a request: so with
    /// a `batch` of one.
    ///
    /// # Errors
    /// When a file that the settings name cannot be used.
    pub fn new(settings: &Settings, encoding: Encoding, batch: usize) -> io::Result<Self> {
        Ok(Self {
            post: Post::new(settings)?,
            encoding,
            array: batch > 1,
        })
    }
}

impl Receive for Webhook {
    fn encode(&self, document: &Document) -> Option<String> {
        self.encoding.encode(document)
    }

    fn send(&self, texts: &[&str]) -> Result<Accepted, Refusal> {
        let body = texts.join(",");
        let body = if self.array {
            format!("[{body}]")
        } else {
            body
        };
        self.post.send(&body).map(|_answer| Accepted::default())
    }
}
