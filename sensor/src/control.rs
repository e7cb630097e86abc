//! The control socket: how a command asks the running agent.
//!
//! One connection carries one request line and one reply line, both JSON; one that follows
//! alerts carries lines for as long as it is open. Queries are
//! handed to the core over a bounded channel; nothing here touches the core's state.

mod client;
mod follow;
pub mod render;
mod server;

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::oneshot;

pub(crate) use self::server::lock_of;
pub use self::{
    client::{AskError, Following, Heard, ask},
    follow::{Draw, Wanted},
    server::{BindError, Server},
};

/// Most bytes of a request line.
pub const REQUEST_MAX: usize = 4_096;
/// Connections served at once.
pub const CONNECTIONS_MAX: usize = 16;

/// What is asked, and where the answer goes.
#[derive(Debug)]
pub struct Query {
    /// What is asked.
    pub kind: QueryKind,
    /// Takes the answer; dropped when the asker has gone.
    pub reply: oneshot::Sender<Value>,
}

/// What can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum QueryKind {
    /// The live process trees of the services.
    Tree,
    /// The live process tree of the service whose root has this pid.
    TreeOf(u32),
    /// Everything in numbers.
    Top,
    /// The rules in force, and how often each has alerted.
    Rules,
    /// What services were seen to spawn.
    Profile,
    /// What was decided about the acts of a pid.
    WhyNot(u32),
}

#[cfg(test)]
mod tests;
