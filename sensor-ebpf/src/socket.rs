//! Sockets as records have them: both ends, protocol, network namespace.

use sensor_common::record::{Rung, Socket, SocketAction};

use crate::{
    load::{Load, Object, Probed, probe},
    offset::{off, present},
};

/// `AF_INET6`, include/linux/socket.h.
const AF_INET6: u32 = 10;

/// Fills what `record` says of the socket at `sock`, a `struct sock`. All by helper: the
/// members lie in unions, through which typed loads lead on some kernels only.
#[inline(always)]
pub(crate) fn fill(record: &mut Socket, sock: Object, action: SocketAction, rung: Rung) {
    record.action = action as u32;
    record.rung = rung as u32;
    record.fd = -1;
    if !present(off!(sock_family)) {
        return;
    }
    record.family = u32::from(Probed::read::<u16>(sock, off!(sock_family)));
    record.local_port = u32::from(Probed::read::<u16>(sock, off!(sock_local_port)));
    record.remote_port = u32::from(Probed::read::<u16>(sock, off!(sock_remote_port)).swap_bytes());
    // A bit field before Linux 5.6.
    record.protocol = u32::from(Probed::read::<u16>(sock, off!(sock_protocol)));
    if record.family == AF_INET6 {
        record.local = address6(sock, off!(sock_local6));
        record.remote = address6(sock, off!(sock_remote6));
    } else {
        record.local = address4(sock, off!(sock_local));
        record.remote = address4(sock, off!(sock_remote));
    }
    if present(off!(sock_net)) && present(off!(net_ns_common)) {
        // struct { struct net *net; } skc_net;
        let net = Probed::object(sock, off!(sock_net));
        record.net_ns = Probed::read(net, off!(net_ns_common) + off!(ns_inum));
    }
}

/// An IPv4 address in the first four bytes.
#[inline(always)]
pub(crate) fn address4(sock: Object, offset: usize) -> [u8; 16] {
    bytes(u64::from(Probed::read::<u32>(sock, offset)), 0)
}

/// An IPv4 address as an IPv6 socket has it: `::ffff:a.b.c.d`.
#[inline(always)]
pub(crate) fn mapped4(sock: Object, offset: usize) -> [u8; 16] {
    let address = u64::from(Probed::read::<u32>(sock, offset));
    bytes(0, address << 32 | 0xffff_0000)
}

/// An IPv6 address.
#[inline(always)]
pub(crate) fn address6(sock: Object, offset: usize) -> [u8; 16] {
    if !present(offset) {
        return [0; 16];
    }
    let ([low, high], _) = probe::<[u64; 2]>(sock.wrapping_add(offset));
    bytes(low, high)
}

/// Two words as they lie in memory.
#[inline(always)]
fn bytes(low: u64, high: u64) -> [u8; 16] {
    (u128::from(high) << 64 | u128::from(low)).to_le_bytes()
}
