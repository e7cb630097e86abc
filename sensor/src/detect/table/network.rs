//! Fields of connects.

use std::net::{IpAddr, SocketAddr};

use rsigma_eval::EventValue;

use super::{
    super::{
        category::Category::Network,
        field::{
            Field, Get, Kind,
            Kind::{Bool, Number, Text},
        },
        view::View,
    },
    flag, number, word,
};

fn remote(view: &View<'_>) -> Option<SocketAddr> {
    view.socket()?.remote
}

#[expect(clippy::unnecessary_wraps, reason = "one shape for every field")]
fn ip(ip: IpAddr) -> Option<EventValue<'static>> {
    Some(EventValue::Str(ip.to_string().into()))
}

/// Addresses of no other machine.
fn is_local(ip: IpAddr) -> bool {
    ip.is_loopback() || ip.is_unspecified()
}

/// Addresses of machines that the internet does not reach.
fn is_private(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            // Carrier-grade NAT, which clouds use inside too.
            ip.is_private() || ip.is_link_local() || a == 100 && b & 0xc0 == 64
        }
        IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
    }
}

/// Word for an IP protocol.
pub(crate) const fn protocol(number: u32) -> Option<&'static str> {
    match number {
        6 => Some("tcp"),
        17 => Some("udp"),
        132 => Some("sctp"),
        _ => None,
    }
}

const fn field(name: &'static str, kind: Kind, about: &'static str, get: Get) -> Field {
    Field::new(name, kind, about, get).only(Network)
}

/// See the module.
pub(in crate::detect) const FIELDS: &[Field] = &[
    field(
        "Initiated",
        Bool,
        "Always true: what is seen are connects",
        |v| flag(v.socket().is_some()),
    ),
    field("DestinationIp", Text, "Address connected to", |v| {
        ip(remote(v)?.ip())
    }),
    field("DestinationPort", Number, "Port connected to", |v| {
        number(remote(v)?.port())
    }),
    field(
        "DestinationHostname",
        Text,
        "Never there: the sensor does not see names",
        |_| None,
    )
    .never(),
    field("Protocol", Text, "tcp, udp or sctp", |v| {
        word(protocol(v.socket()?.protocol)?)
    }),
    field(
        "SourceIp",
        Text,
        "Own address; 0.0.0.0 while the kernel has chosen none",
        |v| ip(v.socket()?.local.ip()),
    ),
    field("SourcePort", Number, "Own port; 0 likewise", |v| {
        number(v.socket()?.local.port())
    }),
    field(
        "Destination.Local",
        Bool,
        "The address is this machine's own loopback",
        |v| flag(is_local(remote(v)?.ip())),
    ),
    field(
        "Destination.Private",
        Bool,
        "The internet does not route the address: private, link-local, carrier NAT",
        |v| flag(is_private(remote(v)?.ip())),
    ),
    field(
        "Destination.NewPort",
        Bool,
        "The service itself has not connected to this port before, as far as the sensor remembers",
        |v| flag(v.evidence.noted.new_port),
    ),
    field(
        "Connect.Stdio",
        Bool,
        "The socket is descriptor 0, 1 or 2 of the process",
        |v| flag(v.socket()?.fd.is_some_and(|fd| fd <= 2)),
    ),
    field(
        "Connect.IoUring",
        Bool,
        "It was done through io_uring",
        |v| flag(v.socket()?.io_uring),
    ),
    field(
        "Connect.Attempt",
        Bool,
        "Reported before the kernel did it: it may have failed",
        |v| flag(v.socket()?.attempt),
    ),
];
