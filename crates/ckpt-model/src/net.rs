//! Network namespaces: interfaces, addresses, routes, rules, firewalls.

use std::collections::BTreeMap;

use criu_image::ImageKind;
use criu_image::messages::{NetDeviceEntry, NetnsEntry};
use criu_image::netlink::NlRecords;

use crate::rtnetlink::{Address, Route, Rule};
use crate::{Checkpoint, Text};

/// A network namespace.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Network {
    /// CRIU's small id.
    pub ns: u32,
    /// Interfaces with their addresses.
    pub interfaces: Vec<NetInterface>,
    /// Addresses of interfaces that are not in the images.
    pub addresses: Vec<Address>,
    /// Routes of both families.
    pub routes: Vec<Route>,
    /// Routing rules of both families.
    pub rules: Vec<Rule>,
    /// Firewalls, as text.
    pub firewalls: Vec<Firewall>,
    /// Connections that the kernel tracked.
    pub tracked: usize,
    /// Key by which the engine gave it: it is shared with a pod or the host, and nothing of it is in the images.
    pub external: Option<Text>,
}

/// A network interface.
#[derive(Clone, Debug)]
pub struct NetInterface {
    /// The device.
    pub device: NetDeviceEntry,
    /// Its addresses.
    pub addresses: Vec<Address>,
}

/// Rules of a firewall, as its own program saved them.
#[derive(Clone, Debug)]
pub struct Firewall {
    /// `iptables`, `ip6tables` or `nftables`.
    pub program: &'static str,
    /// The text.
    pub text: Text,
    /// It holds the chain or table that CRIU itself makes while it dumps (named `CRIU`, mark 0xc114), to keep packets
    /// away: no rule of the container.
    pub network_lock: bool,
}

/// Largest firewall text that is read, bytes.
const MAX_TEXT: u64 = 64 << 20;

impl Checkpoint {
    /// The network namespaces that were dumped, by CRIU's small id. Of those that are shared with the host or a pod there is
    /// the engine's key at most.
    pub fn networks(&self) -> &[Network] {
        self.networks.get_or_init(|| {
            let Some(images) = self.images() else { return Vec::new() };
            let kinds = [
                ImageKind::Netdev,
                ImageKind::Ifaddr,
                ImageKind::Route,
                ImageKind::Route6,
                ImageKind::Rule,
                ImageKind::Iptables,
                ImageKind::Ip6tables,
                ImageKind::Nftables,
                ImageKind::NetnsCt,
            ];
            let mut ids: Vec<u64> = kinds.iter().flat_map(|kind| images.ids(*kind)).collect();
            let shared = images.ids(ImageKind::Netns).into_iter();
            ids.extend(shared.filter(|ns| self.external_network(*ns).is_some()));
            ids.sort_unstable();
            ids.dedup();
            ids.into_iter()
                .filter_map(|id| u32::try_from(id).ok())
                .map(|ns| self.network(ns))
                .collect()
        })
    }

    /// The key of a namespace that the engine gave from outside.
    fn external_network(&self, ns: u64) -> Option<Text> {
        let images = self.images()?;
        images.has(ImageKind::Netns, Some(ns)).then_some(())?;
        let entry: NetnsEntry = images.one(ImageKind::Netns, Some(ns), self.told())?;
        entry.ext_key.filter(|key| !key.is_empty()).map(Text)
    }

    fn network(&self, ns: u32) -> Network {
        let external = self.external_network(u64::from(ns));
        let mut network = Network { ns, external, ..Network::default() };
        let Some(images) = self.images() else { return network };
        let devices: Option<Vec<NetDeviceEntry>> =
            images.many(ImageKind::Netdev, Some(u64::from(ns)), self.told());
        let mut addresses: BTreeMap<u32, Vec<Address>> = BTreeMap::new();
        self.messages(ImageKind::Ifaddr, ns, Address::read, |address| {
            addresses.entry(address.interface).or_default().push(address);
        });
        for device in devices.into_iter().flatten() {
            let addresses = addresses.remove(&device.ifindex).unwrap_or_default();
            network.interfaces.push(NetInterface { device, addresses });
        }
        network.interfaces.sort_by_key(|interface| interface.device.ifindex);
        network.addresses = addresses.into_values().flatten().collect();
        for kind in [ImageKind::Route, ImageKind::Route6] {
            self.messages(kind, ns, Route::read, |route| network.routes.push(route));
        }
        self.messages(ImageKind::Rule, ns, Rule::read, |rule| network.rules.push(rule));
        self.messages(
            ImageKind::NetnsCt,
            ns,
            |_, _| Some(()),
            |()| {
                network.tracked = network.tracked.saturating_add(1);
            },
        );
        let programs = [
            (ImageKind::Iptables, "iptables"),
            (ImageKind::Ip6tables, "ip6tables"),
            (ImageKind::Nftables, "nftables"),
        ];
        network.firewalls =
            programs.into_iter().filter_map(|(kind, name)| self.firewall(kind, ns, name)).collect();
        network
    }

    /// Gives every message of a netlink dump to `push`; those that do not parse are told.
    fn messages<T>(
        &self,
        kind: ImageKind,
        ns: u32,
        read: impl Fn(&criu_image::netlink::NlRecord, criu_image::ByteOrder) -> Option<T>,
        mut push: impl FnMut(T),
    ) {
        let Some(images) = self.images() else { return };
        let id = Some(u64::from(ns));
        let Some(content) = images.content(kind, id) else { return };
        let place = images.place(kind, id);
        let bytes = content.slice(0..content.captured_len()).map_err(|error| error.to_string());
        let records = bytes.and_then(|bytes| {
            NlRecords::open(kind, bytes, self.byte_order()).map_err(|error| error.to_string())
        });
        let records = match records {
            Ok(records) => records,
            Err(error) => return self.told().damaged(place, error),
        };
        let order = records.order();
        for record in records {
            match record {
                Ok(record) => match read(&record, order) {
                    Some(message) => push(message),
                    None => {
                        let what = format!(
                            "netlink message of type {} at byte {} does not parse",
                            record.kind, record.offset
                        );
                        self.told().damaged(place.clone(), what);
                    }
                },
                Err(error) => self.told().damaged(place.clone(), error.to_string()),
            }
        }
    }

    fn firewall(&self, kind: ImageKind, ns: u32, program: &'static str) -> Option<Firewall> {
        let images = self.images()?;
        let content = images.content(kind, Some(u64::from(ns)))?;
        let place = images.place(kind, Some(u64::from(ns)));
        if content.captured_len() > MAX_TEXT {
            self.told().damaged(place.clone(), format!("only the first {MAX_TEXT} bytes are read"));
        }
        let text = match content.slice(0..content.captured_len().min(MAX_TEXT)) {
            Ok(text) => text,
            Err(error) => {
                self.told().damaged(place, error.to_string());
                return None;
            }
        };
        // `nft` writes a NUL at the end of its text in some versions.
        let text = text.strip_suffix(b"\0").unwrap_or(&text);
        if text.is_empty() {
            return None;
        }
        Some(Firewall { program, network_lock: locks_network(text), text: Text::from(text) })
    }
}

/// Whether rules of CRIU's own are among them: a chain `CRIU` when it used iptables (which `nft` shows as well), a table
/// `CRIU-PID` when it used nftables; both let packets with mark 0xc114 pass and drop the rest.
fn locks_network(rules: &[u8]) -> bool {
    let chain = |line: &[u8]| {
        let line = line.trim_ascii_start();
        line.starts_with(b":CRIU ")
            || line == b"chain CRIU {"
            || (line.starts_with(b"table ")
                && line.split(|byte| *byte == b' ').any(|word| word.starts_with(b"CRIU-")))
    };
    rules.split(|byte| *byte == b'\n').any(chain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lock_of_criu_is_told_from_other_rules() {
        assert!(locks_network(
            b"*filter\n:CRIU - [0:0]\n-A CRIU -m mark --mark 0xc114 -j ACCEPT\n"
        ));
        assert!(locks_network(b"table inet CRIU-42 {\n\tchain input {\n"));
        assert!(locks_network(b"table ip filter {\n\tchain CRIU {\n"));
        assert!(!locks_network(b":INPUT ACCEPT [0:0]\n-A INPUT -m comment --comment CRIU\n"));
    }
}
