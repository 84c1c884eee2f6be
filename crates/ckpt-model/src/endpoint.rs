//! Addresses of sockets, as `ss` writes them.

use std::borrow::Cow;
use std::net::IpAddr;

use criu_image::names;

use crate::Text;

/// One end of a socket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Endpoint {
    /// Address and port; of a raw socket the port is the protocol.
    Inet {
        /// Address.
        address: IpAddr,
        /// Port.
        port: u32,
        /// Device it is bound to, or that a link-local address belongs to.
        device: Option<Text>,
    },
    /// A unix socket's path, without the NUL at its end.
    Path(Text),
    /// A unix socket's abstract name, without the NUL at its start.
    Abstract(Text),
    /// A netlink port.
    Netlink {
        /// Netlink family.
        protocol: u32,
        /// Port id; 0 is the kernel.
        port: u32,
        /// Bits of multicast groups.
        groups: Vec<u32>,
    },
    /// What a packet socket listens to.
    Packet {
        /// `ETH_P_*`.
        protocol: u32,
        /// Index of the interface; 0 is any.
        interface: u32,
    },
}

impl Endpoint {
    /// From the raw name of a unix socket; `None` when it has no name.
    pub(crate) fn unix(name: &[u8]) -> Option<Self> {
        match name {
            [] => None,
            [0, rest @ ..] => Some(Self::Abstract(Text::from(rest))),
            path => {
                let end = path.iter().position(|byte| *byte == 0).unwrap_or(path.len());
                Some(Self::Path(Text::from(path.get(..end).unwrap_or_default())))
            }
        }
    }

    /// As `ss -n` writes it: `127.0.0.1:80`, `[::1]:80`, a path, `@abstract`. Bytes as they are; for a terminal they must
    /// be escaped.
    #[must_use]
    pub fn text(&self) -> Text {
        self.with_service(|_| None)
    }

    /// As [`text`](Self::text), with the name that `service` knows for a port.
    #[must_use]
    pub fn with_service(&self, service: impl Fn(u32) -> Option<&'static str>) -> Text {
        match self {
            Self::Inet { address, port, device } => {
                let mut text = match address {
                    IpAddr::V4(address) => address.to_string(),
                    IpAddr::V6(address) => format!("[{address}]"),
                }
                .into_bytes();
                if let Some(device) = device {
                    text.push(b'%');
                    text.extend_from_slice(device.as_bytes());
                }
                let port = service(*port).map_or_else(|| port.to_string().into(), Cow::Borrowed);
                text.push(b':');
                text.extend_from_slice(port.as_bytes());
                Text(text)
            }
            Self::Path(path) => path.clone(),
            Self::Abstract(name) => {
                let mut text = vec![b'@'];
                // Names may have NUL bytes inside; `ss` shows each as an at sign.
                text.extend(
                    name.as_bytes().iter().map(|byte| if *byte == 0 { b'@' } else { *byte }),
                );
                Text(text)
            }
            Self::Netlink { protocol, port, .. } => {
                let name = names::NETLINK_PROTOCOLS.text(i64::from(*protocol)).to_ascii_lowercase();
                Text(format!("{name}:{port}").into_bytes())
            }
            Self::Packet { protocol, interface } => {
                let interface =
                    if *interface == 0 { "*".to_owned() } else { format!("if{interface}") };
                Text(format!("{}:{interface}", ethernet(*protocol)).into_bytes())
            }
        }
    }
}

/// The name of an `ETH_P_*` number, `include/uapi/linux/if_ether.h`.
fn ethernet(protocol: u32) -> Cow<'static, str> {
    match protocol {
        0x0003 => "*".into(),
        0x0800 => "ip".into(),
        0x0806 => "arp".into(),
        0x86dd => "ipv6".into(),
        other => format!("{other:#06x}").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(endpoint: &Endpoint) -> String {
        endpoint.text().escaped().into_owned()
    }

    #[test]
    fn as_ss_writes_them() {
        let inet = |address: &str, device: Option<&str>| Endpoint::Inet {
            address: address.parse().unwrap(),
            port: 80,
            device: device.map(Text::from),
        };
        assert_eq!(text(&inet("10.0.0.1", None)), "10.0.0.1:80");
        assert_eq!(text(&inet("fe80::1", Some("eth0"))), "[fe80::1]%eth0:80");
        let named = inet("::1", None).with_service(|port| (port == 80).then_some("http"));
        assert_eq!(named, Text::from("[::1]:http"));
    }

    #[test]
    fn names_of_unix_sockets() {
        let unix = |name: &[u8]| Endpoint::unix(name).map(|end| text(&end));
        assert_eq!(unix(b"/run/a.sock\0").as_deref(), Some("/run/a.sock"));
        assert_eq!(unix(b"\0a\0b").as_deref(), Some("@a@b"));
        assert_eq!(unix(b""), None);
    }
}
