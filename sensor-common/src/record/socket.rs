//! Records about sockets.

use super::Header;

/// What happened to a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "user", derive(serde::Serialize, serde::Deserialize))]
#[repr(u32)]
pub enum SocketAction {
    /// `connect` was called; for a socket that does not block it may go on.
    Connect = 1,
    /// `listen` was called.
    Listen = 2,
}

impl TryFrom<u32> for SocketAction {
    type Error = u32;

    fn try_from(value: u32) -> Result<Self, u32> {
        match value {
            1 => Ok(Self::Connect),
            2 => Ok(Self::Listen),
            other => Err(other),
        }
    }
}

/// Socket: header and both ends.
#[derive(Clone, Copy, Debug, Default)]
#[repr(C)]
pub struct Socket {
    /// The process that acts.
    pub header: Header,
    /// Remote address of a connect, network order; IPv4 in the first four bytes.
    pub remote: [u8; 16],
    /// Local address, likewise.
    pub local: [u8; 16],
    /// [`SocketAction`].
    pub action: u32,
    /// [`Rung`] that reported it.
    pub rung: u32,
    /// `AF_INET` (2) or `AF_INET6` (10).
    pub family: u32,
    /// `IPPROTO_*`.
    pub protocol: u32,
    /// Remote port, host order.
    pub remote_port: u32,
    /// Local port, host order.
    pub local_port: u32,
    /// Descriptor; negative when the hook does not know it.
    pub fd: i32,
    /// Result: 0, or a negative errno (`-EINPROGRESS` for one that does not block).
    pub result: i32,
    /// Inode number of the network namespace.
    pub net_ns: u32,
    /// Real uid of the process.
    pub uid: u32,
}

const _: () = assert!(size_of::<Socket>() == 144);
