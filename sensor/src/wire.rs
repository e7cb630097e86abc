//! What collector and outlet say to each other, over a pair of Unix stream sockets.
//!
//! A frame is `length:u32 (little endian) body`, the body a message by postcard. Lengths are
//! bounded for each direction before anything is reserved, decoding is total, and what is
//! left over behind a message makes it a bad one: the collector believes nothing that comes
//! from the outlet, which talks to the network.

mod frame;
mod message;
mod pipe;
#[cfg(test)]
mod tests;

pub use self::{
    frame::{HEADER, WireError, decode, frame, read, write},
    message::{Answer, Hello, Order, Prepared, Report, Told, What},
    pipe::{Pipe, Turn},
};

/// Layout of the messages. Both ends are one program; another number is refused all the same.
pub const VERSION: u32 = 2;
/// Longest body from collector to outlet, bytes: an alert has 32 KiB, a configuration some
/// hundred at most.
pub const ORDER_MAX: usize = 1 << 20;
/// Longest body from outlet to collector, bytes.
pub const REPORT_MAX: usize = 64 << 10;
/// Weight of the changes of pods in one message (`kubernetes::Change::weight`), bytes; the
/// last of them may go beyond it.
pub const PODS: usize = 32 << 10;
/// Messages about pods that the outlet sends between two beats: some four hundred pods.
pub const PODS_MESSAGES: u32 = 4;
/// Weight of what the collector hears of pods between two beats, bytes. More is a flood: that
/// of an honest outlet is a sixth of it, and after a halt of the collector what the socket
/// held besides.
pub const PODS_ROOM: usize = 1 << 20;
/// Bytes of an answer in one frame.
pub const PART: usize = 256 << 10;
/// Questions of the outlet that may be open: connections of the control socket, and a scrape.
pub const OPEN_MAX: usize = 17;
