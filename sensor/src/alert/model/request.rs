//! Where an act came from: the script, and the request that CGI describes.

use serde::{Deserialize, Serialize};

use super::WrittenBy;
use crate::alert::word::{self, Word};

/// `script.*`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Path; of a directory when `source` says so.
    pub path: String,
    #[doc(hidden)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path_b64: Option<String>,
    /// `environment`, `read`, `last_read` or `directory`.
    #[serde(deserialize_with = "word::one")]
    pub source: Word,
    /// How long before it was read.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seconds: Option<u64>,
    /// The service that wrote it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub written_by: Option<WrittenBy>,
}

/// `request.*`: variables of a CGI environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// `REMOTE_ADDR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// `HTTP_X_FORWARDED_FOR`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forwarded_for: Option<String>,
    /// `REQUEST_METHOD`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// `HTTP_HOST`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub host: Option<String>,
    /// `REQUEST_URI`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uri: Option<String>,
    /// `HTTP_USER_AGENT`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_agent: Option<String>,
}
