//! Network namespaces.

use std::borrow::Cow;
use std::collections::HashMap;

use ckpt_model::{Address, Checkpoint, NetInterface, Network, Route, Rule, Text};
use criu_image::names;
use serde::Serialize;

use super::shared::{base64, lossless};

/// A network namespace.
#[derive(Clone, Debug, Serialize)]
pub struct NetworkRecord<'a> {
    /// CRIU's small id.
    pub ns: u32,
    /// Interfaces.
    pub interfaces: Vec<NetInterfaceRecord<'a>>,
    /// Routes.
    pub routes: Vec<RouteRecord>,
    /// Routing rules.
    pub rules: Vec<RuleRecord>,
    /// Firewalls, as text.
    pub firewalls: Vec<FirewallRecord<'a>>,
    /// Connections that the kernel tracked.
    pub tracked_connections: usize,
    /// Key by which the engine gave it from outside: nothing of it is in the images.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external: Option<Cow<'a, str>>,
    /// Bytes of `external`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_base64: Option<String>,
}

/// An interface.
#[derive(Clone, Debug, Serialize)]
pub struct NetInterfaceRecord<'a> {
    /// Index.
    pub index: u32,
    /// Name; `null` when only its addresses are in the images.
    pub name: Option<Cow<'a, str>>,
    /// `loopback`, `veth`, `tun` and so on.
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// Largest packet, bytes.
    pub mtu: Option<u32>,
    /// `IFF_*`.
    pub flags: Option<String>,
    /// Hardware address.
    pub mac: Option<String>,
    /// Addresses.
    pub addresses: Vec<AddressRecord>,
}

/// An address.
#[derive(Clone, Debug, Serialize)]
pub struct AddressRecord {
    /// Address and bits of the network.
    pub address: String,
    /// Broadcast address.
    pub broadcast: Option<String>,
    /// The other end of a point-to-point link.
    pub peer: Option<String>,
    /// `global`, `site`, `link`, `host` or a number.
    pub scope: String,
}

/// A route.
#[derive(Clone, Debug, Serialize)]
pub struct RouteRecord {
    /// Network, or `default`.
    pub to: String,
    /// Next hop.
    pub via: Option<String>,
    /// Index of the interface.
    pub interface: Option<u32>,
    /// Address that packets are sent from.
    pub source: Option<String>,
    /// Table.
    pub table: u32,
    /// `unicast`, `local` and so on.
    #[serde(rename = "type")]
    pub kind: String,
    /// Metric.
    pub metric: Option<u32>,
    /// The same as `ip route` writes it.
    pub text: String,
}

/// A routing rule.
#[derive(Clone, Debug, Serialize)]
pub struct RuleRecord {
    /// Order.
    pub priority: u32,
    /// Table.
    pub table: u32,
    /// The same as `ip rule` writes it.
    pub text: String,
}

/// A firewall.
#[derive(Clone, Debug, Serialize)]
pub struct FirewallRecord<'a> {
    /// `iptables`, `ip6tables` or `nftables`.
    pub program: &'static str,
    /// CRIU's own chain is among the rules: made for the dump, no rule of the container.
    pub criu_network_lock: bool,
    /// The rules.
    pub text: Cow<'a, str>,
    /// Bytes of `text`, when they are not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text_base64: Option<String>,
}

pub(super) fn networks(checkpoint: &Checkpoint) -> Vec<NetworkRecord<'_>> {
    checkpoint.networks().iter().map(NetworkRecord::of).collect()
}

impl<'a> NetworkRecord<'a> {
    fn of(network: &'a Network) -> Self {
        let mut interfaces: Vec<_> = network.interfaces.iter().map(interface).collect();
        for address in &network.addresses {
            interfaces.push(NetInterfaceRecord {
                index: address.interface,
                name: None,
                kind: None,
                mtu: None,
                flags: None,
                mac: None,
                addresses: vec![AddressRecord::of(address)],
            });
        }
        let names = names(network);
        Self {
            ns: network.ns,
            interfaces,
            routes: network.routes.iter().map(|route| RouteRecord::of(route, &names)).collect(),
            rules: network.rules.iter().map(RuleRecord::of).collect(),
            firewalls: network
                .firewalls
                .iter()
                .map(|firewall| FirewallRecord {
                    program: firewall.program,
                    criu_network_lock: firewall.network_lock,
                    text: firewall.text.lossless(),
                    text_base64: base64(firewall.text.as_bytes()),
                })
                .collect(),
            tracked_connections: network.tracked,
            external: network.external.as_ref().map(Text::lossless),
            external_base64: network.external.as_ref().and_then(|key| base64(key.as_bytes())),
        }
    }
}

fn interface(interface: &NetInterface) -> NetInterfaceRecord<'_> {
    let device = &interface.device;
    let kind = names::NET_DEVICE_TYPES.text(i64::from(device.r#type)).to_ascii_lowercase();
    NetInterfaceRecord {
        index: device.ifindex,
        name: Some(lossless(&device.name)),
        kind: Some(kind),
        mtu: Some(device.mtu),
        flags: Some(names::NET_DEVICE_FLAGS.text(u64::from(device.flags))),
        mac: device.address.as_deref().map(mac),
        addresses: interface.addresses.iter().map(AddressRecord::of).collect(),
    }
}

/// `02:42:ac:11:00:02`.
pub(crate) fn mac(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(":")
}

impl AddressRecord {
    pub(crate) fn of(address: &Address) -> Self {
        Self {
            address: format!("{}/{}", address.address, address.prefix),
            broadcast: address.broadcast.map(|broadcast| broadcast.to_string()),
            peer: address.peer.map(|peer| peer.to_string()),
            scope: scope(address.scope),
        }
    }
}

/// `RT_SCOPE_*` of `include/uapi/linux/rtnetlink.h`.
fn scope(number: u8) -> String {
    match number {
        0 => "global".to_owned(),
        200 => "site".to_owned(),
        253 => "link".to_owned(),
        254 => "host".to_owned(),
        other => other.to_string(),
    }
}

/// `RT_TABLE_*`.
fn table(number: u32) -> String {
    match number {
        253 => "default".to_owned(),
        254 => "main".to_owned(),
        255 => "local".to_owned(),
        other => other.to_string(),
    }
}

/// `RTN_*`.
const ROUTE_TYPES: [&str; 12] = [
    "unspec",
    "unicast",
    "local",
    "broadcast",
    "anycast",
    "multicast",
    "blackhole",
    "unreachable",
    "prohibit",
    "throw",
    "nat",
    "xresolve",
];

/// Names of interfaces by their index; the first one's when several claim it.
type Names<'a> = HashMap<u32, &'a [u8]>;

fn names(network: &Network) -> Names<'_> {
    let mut names = Names::new();
    for interface in &network.interfaces {
        names.entry(interface.device.ifindex).or_insert(interface.device.name.as_slice());
    }
    names
}

impl RouteRecord {
    fn of(route: &Route, names: &Names<'_>) -> Self {
        let kind = ROUTE_TYPES.get(usize::from(route.kind));
        let kind = kind.map_or_else(|| route.kind.to_string(), |word| (*word).to_owned());
        let to = match route.destination {
            Some((address, prefix)) => format!("{address}/{prefix}"),
            None => "default".to_owned(),
        };
        let name = |index: u32| {
            names.get(&index).map_or_else(
                || format!("if{index}"),
                |name| Text::from(*name).escaped().into_owned(),
            )
        };
        let mut text = if route.kind == 1 { to.clone() } else { format!("{kind} {to}") };
        for (gateway, interface) in std::iter::once((route.gateway, route.interface))
            .chain(route.hops.iter().map(|(gateway, index)| (*gateway, Some(*index))))
        {
            if let Some(gateway) = gateway {
                text.push_str(&format!(" via {gateway}"));
            }
            if let Some(interface) = interface {
                text.push_str(&format!(" dev {}", name(interface)));
            }
        }
        if let Some(source) = route.source {
            text.push_str(&format!(" src {source}"));
        }
        if let Some(metric) = route.priority {
            text.push_str(&format!(" metric {metric}"));
        }
        if route.table != 254 {
            text.push_str(&format!(" table {}", table(route.table)));
        }
        Self {
            to,
            via: route.gateway.map(|gateway| gateway.to_string()),
            interface: route.interface,
            source: route.source.map(|source| source.to_string()),
            table: route.table,
            kind,
            metric: route.priority,
            text,
        }
    }
}

impl RuleRecord {
    pub(crate) fn of(rule: &Rule) -> Self {
        let network = |network: Option<(std::net::IpAddr, u8)>| {
            network.map_or_else(|| "all".to_owned(), |(address, bits)| format!("{address}/{bits}"))
        };
        let mut text = format!("{}: from {}", rule.priority, network(rule.from));
        if rule.to.is_some() {
            text.push_str(&format!(" to {}", network(rule.to)));
        }
        if let Some((mark, mask)) = rule.mark {
            text.push_str(&format!(" fwmark {mark:#x}/{mask:#x}"));
        }
        for (word, name) in [("iif", &rule.incoming), ("oif", &rule.outgoing)] {
            if let Some(name) = name {
                text.push_str(&format!(" {word} {}", name.escaped()));
            }
        }
        match rule.action {
            1 => text.push_str(&format!(" lookup {}", table(rule.table))),
            6 => text.push_str(" blackhole"),
            7 => text.push_str(" unreachable"),
            8 => text.push_str(" prohibit"),
            other => text.push_str(&format!(" action {other}")),
        }
        Self { priority: rule.priority, table: rule.table, text }
    }
}
