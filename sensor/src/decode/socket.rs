//! Socket records: both ends as addresses.
#![warn(clippy::indexing_slicing, clippy::arithmetic_side_effects)]

use std::{
    mem::offset_of,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use sensor_common::record::{self, Rung, SocketAction, flag};

use super::{DecodeError, get, get_id, membership, stamp};
use crate::event::{ProcessId, Socket};

/// Address families, `include/linux/socket.h`.
const AF_INET: u32 = 2;
const AF_INET6: u32 = 10;

pub(super) fn socket(bytes: &[u8]) -> Result<Socket, DecodeError> {
    let flags = get!(bytes, u32, record::Header, flags);
    let family = get!(bytes, u32, record::Socket, family);
    let action = SocketAction::try_from(get!(bytes, u32, record::Socket, action))
        .map_err(|_unknown| DecodeError::Value("socket action"))?;
    let local = end(
        family,
        address(bytes, offset_of!(record::Socket, local))?,
        get!(bytes, u32, record::Socket, local_port),
    )?;
    let remote = end(
        family,
        address(bytes, offset_of!(record::Socket, remote))?,
        get!(bytes, u32, record::Socket, remote_port),
    )?;
    Ok(Socket {
        stamp: stamp(bytes)?,
        process: get_id!(bytes, record::Header, process),
        membership: membership(bytes)?,
        action,
        protocol: get!(bytes, u32, record::Socket, protocol),
        local,
        remote: (action == SocketAction::Connect).then_some(remote),
        fd: u32::try_from(get!(bytes, i32, record::Socket, fd)).ok(),
        result: get!(bytes, i32, record::Socket, result),
        net_ns: get!(bytes, u32, record::Socket, net_ns),
        uid: get!(bytes, u32, record::Socket, uid),
        promoted: flags & flag::PROMOTED != 0,
        candidate: flags & flag::CANDIDATE != 0,
        attempt: flags & flag::ATTEMPT != 0,
        io_uring: flags & flag::IO_URING != 0,
        rung: Rung::try_from(get!(bytes, u32, record::Socket, rung))
            .map_err(|_unknown| DecodeError::Value("rung"))?,
    })
}

fn address(bytes: &[u8], at: usize) -> Result<[u8; 16], DecodeError> {
    let bytes = bytes.get(at..).and_then(<[u8]>::first_chunk);
    bytes.copied().ok_or(DecodeError::Short)
}

/// One end. An IPv4 address mapped into IPv6 is shown as what it is.
fn end(family: u32, address: [u8; 16], port: u32) -> Result<SocketAddr, DecodeError> {
    let ip = match family {
        AF_INET => {
            let [a, b, c, d, ..] = address;
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        AF_INET6 => IpAddr::V6(Ipv6Addr::from(address)).to_canonical(),
        _ => return Err(DecodeError::Value("address family")),
    };
    let port = u16::try_from(port).map_err(|_large| DecodeError::Value("port"))?;
    Ok(SocketAddr::new(ip, port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_by_family() {
        let mut address = [0; 16];
        address[..4].copy_from_slice(&[127, 0, 0, 1]);
        assert_eq!(end(2, address, 80), Ok("127.0.0.1:80".parse().unwrap()));
        let mut mapped = [0; 16];
        mapped[10..].copy_from_slice(&[0xff, 0xff, 10, 0, 0, 9]);
        assert_eq!(end(10, mapped, 389), Ok("10.0.0.9:389".parse().unwrap()));
        assert!(end(1, mapped, 389).is_err());
        assert!(end(2, mapped, 65_536).is_err());
    }
}
