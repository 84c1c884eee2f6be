//! Addresses, routes and rules out of saved rtnetlink messages.
//!
//! The numbers are in the dumping host's byte order, which need not be this one's. Sources: `include/uapi/linux/if_addr.h`,
//! `rtnetlink.h`, `fib_rules.h`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use criu_image::ByteOrder;
use criu_image::netlink::{NlAttribute, NlRecord};

use crate::Text;

/// Message types.
mod message {
    pub(super) const NEWADDR: u16 = 20;
    pub(super) const NEWROUTE: u16 = 24;
    pub(super) const NEWRULE: u16 = 32;
}

/// Address families of Linux, which is where every dump is from.
mod family {
    pub(super) const INET: u8 = 2;
    pub(super) const INET6: u8 = 10;
}

/// An address of an interface.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Address {
    /// Index of the interface.
    pub interface: u32,
    /// The address.
    pub address: IpAddr,
    /// Bits of the network.
    pub prefix: u8,
    /// The other end of a point-to-point link.
    pub peer: Option<IpAddr>,
    /// Broadcast address.
    pub broadcast: Option<IpAddr>,
    /// Scope: 0 global, 200 site, 253 link, 254 host.
    pub scope: u8,
    /// Name of the interface, or an alias of it.
    pub label: Option<Text>,
}

/// A route.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Route {
    /// Whether it is of IPv6.
    pub v6: bool,
    /// Network that it leads to; `None` is the default route.
    pub destination: Option<(IpAddr, u8)>,
    /// Next hop.
    pub gateway: Option<IpAddr>,
    /// Index of the interface.
    pub interface: Option<u32>,
    /// Address that packets are sent from.
    pub source: Option<IpAddr>,
    /// Table: 254 main, 255 local.
    pub table: u32,
    /// Who made it: 2 the kernel, 3 at boot, 4 an administrator.
    pub protocol: u8,
    /// `RTN_*`: 1 unicast, 2 local, 3 broadcast, 5 multicast, 6 blackhole, 7 unreachable, 8 prohibit.
    pub kind: u8,
    /// Scope, as of an address.
    pub scope: u8,
    /// Metric: the lowest counts.
    pub priority: Option<u32>,
    /// Next hops of a route with several: address and interface.
    pub hops: Vec<(Option<IpAddr>, u32)>,
}

/// A routing rule.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Rule {
    /// Whether it is of IPv6.
    pub v6: bool,
    /// Order in which rules are asked.
    pub priority: u32,
    /// Packets from there.
    pub from: Option<(IpAddr, u8)>,
    /// Packets to there.
    pub to: Option<(IpAddr, u8)>,
    /// Interface that packets come in by.
    pub incoming: Option<Text>,
    /// Interface that packets go out by.
    pub outgoing: Option<Text>,
    /// Mark of the packets, and its mask.
    pub mark: Option<(u32, u32)>,
    /// Table that decides.
    pub table: u32,
    /// `FR_ACT_*`: 1 to a table, 6 blackhole, 7 unreachable, 8 prohibit.
    pub action: u8,
}

impl Address {
    /// `struct ifaddrmsg` and its attributes.
    pub(crate) fn read(record: &NlRecord, order: ByteOrder) -> Option<Self> {
        let [family, prefix, _, scope, i0, i1, i2, i3] = *record.payload.first_chunk::<8>()?;
        if record.kind != message::NEWADDR {
            return None;
        }
        let (mut address, mut local, mut broadcast, mut label) = (None, None, None, None);
        for attribute in record.attributes(8) {
            match attribute.kind {
                1 => address = ip(family, &attribute),
                2 => local = ip(family, &attribute),
                3 => label = Some(name(&attribute)),
                4 => broadcast = ip(family, &attribute),
                _ => {}
            }
        }
        // On a point-to-point link the address is the other end's.
        Some(Self {
            interface: order.u32([i0, i1, i2, i3]),
            address: local.or(address)?,
            prefix,
            peer: address.filter(|address| local.is_some_and(|local| local != *address)),
            broadcast,
            scope,
            label,
        })
    }
}

impl Route {
    /// `struct rtmsg` and its attributes.
    pub(crate) fn read(record: &NlRecord, order: ByteOrder) -> Option<Self> {
        let [family, dst_len, _, _, table, protocol, scope, kind, ..] =
            *record.payload.first_chunk::<12>()?;
        if record.kind != message::NEWROUTE {
            return None;
        }
        let mut route = Self {
            v6: family == family::INET6,
            destination: None,
            gateway: None,
            interface: None,
            source: None,
            table: u32::from(table),
            protocol,
            kind,
            scope,
            priority: None,
            hops: Vec::new(),
        };
        for attribute in record.attributes(12) {
            match attribute.kind {
                1 => route.destination = ip(family, &attribute).map(|to| (to, dst_len)),
                4 => route.interface = number(&attribute, order),
                5 => route.gateway = ip(family, &attribute),
                6 => route.priority = number(&attribute, order),
                7 => route.source = ip(family, &attribute),
                9 => route.hops = hops(family, &attribute.data, order),
                // A gateway of the other family: two bytes of family before the address.
                18 => route.gateway = via(&attribute, order),
                15 => route.table = number(&attribute, order).unwrap_or(route.table),
                _ => {}
            }
        }
        Some(route)
    }
}

impl Rule {
    /// `struct fib_rule_hdr` and its attributes.
    pub(crate) fn read(record: &NlRecord, order: ByteOrder) -> Option<Self> {
        let [family, dst_len, src_len, _, table, _, _, action, ..] =
            *record.payload.first_chunk::<12>()?;
        if record.kind != message::NEWRULE {
            return None;
        }
        let mut rule = Self {
            v6: family == family::INET6,
            priority: 0,
            from: None,
            to: None,
            incoming: None,
            outgoing: None,
            mark: None,
            table: u32::from(table),
            action,
        };
        let mut mask = u32::MAX;
        for attribute in record.attributes(12) {
            match attribute.kind {
                1 => rule.to = ip(family, &attribute).map(|to| (to, dst_len)),
                2 => rule.from = ip(family, &attribute).map(|from| (from, src_len)),
                3 => rule.incoming = Some(name(&attribute)),
                17 => rule.outgoing = Some(name(&attribute)),
                6 => rule.priority = number(&attribute, order).unwrap_or_default(),
                10 => rule.mark = number(&attribute, order).map(|mark| (mark, mask)),
                16 => {
                    mask = number(&attribute, order).unwrap_or(mask);
                    rule.mark = rule.mark.map(|(mark, _)| (mark, mask));
                }
                15 => rule.table = number(&attribute, order).unwrap_or(rule.table),
                _ => {}
            }
        }
        Some(rule)
    }
}

/// `struct rtnexthop` one after another: length, flags, hops, interface, attributes.
fn hops(family: u8, data: &bytes::Bytes, order: ByteOrder) -> Vec<(Option<IpAddr>, u32)> {
    let mut hops = Vec::new();
    let mut rest = data.clone();
    while let Some([l0, l1, _, _, i0, i1, i2, i3]) = rest.first_chunk::<8>().copied() {
        let length = usize::from(order.u16([l0, l1]));
        if length < 8 || length > rest.len() {
            break;
        }
        let attributes = NlAttribute { kind: 0, nested: true, data: rest.slice(8..length) };
        let gateway = attributes.attributes(order).find_map(|attribute| match attribute.kind {
            5 => ip(family, &attribute),
            18 => via(&attribute, order),
            _ => None,
        });
        hops.push((gateway, order.u32([i0, i1, i2, i3])));
        let step = length.next_multiple_of(4).min(rest.len());
        rest = rest.slice(step..);
    }
    hops
}

/// `struct rtvia`: the family, then the address.
fn via(attribute: &NlAttribute, order: ByteOrder) -> Option<IpAddr> {
    let [f0, f1] = *attribute.data.first_chunk::<2>()?;
    let family = u8::try_from(order.u16([f0, f1])).ok()?;
    address(family, attribute.data.get(2..)?)
}

fn ip(family: u8, attribute: &NlAttribute) -> Option<IpAddr> {
    address(family, &attribute.data)
}

/// An address in network byte order, whatever the host's.
fn address(family: u8, bytes: &[u8]) -> Option<IpAddr> {
    match family {
        family::INET => Some(IpAddr::V4(Ipv4Addr::from(<[u8; 4]>::try_from(bytes).ok()?))),
        family::INET6 => Some(IpAddr::V6(Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?))),
        _ => None,
    }
}

fn number(attribute: &NlAttribute, order: ByteOrder) -> Option<u32> {
    attribute.data.first_chunk::<4>().map(|raw| order.u32(*raw))
}

fn name(attribute: &NlAttribute) -> Text {
    Text::from(attribute.data.strip_suffix(b"\0").unwrap_or(&attribute.data))
}
