//! Where a kubelet listens.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use crate::name::NameError;

/// The kubelet's port, unless its node says otherwise.
pub const KUBELET_PORT: u16 = 10250;

/// Longest host name, in bytes (RFC 1035).
const MAX_HOST: usize = 253;

/// Host and port of a kubelet: `worker-1`, `10.0.0.7:10250`, `[fd00::7]:10250`, `fd00::7`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct NodeAddress {
    /// Address or host name, without brackets.
    pub(crate) host: String,
    /// TCP port.
    pub(crate) port: u16,
}

impl NodeAddress {
    /// A host and a port.
    ///
    /// # Errors
    ///
    /// `host` is neither an IP address nor a host name.
    pub fn new(host: &str, port: u16) -> Result<Self, NameError> {
        let is_name = !host.is_empty()
            && host.len() <= MAX_HOST
            && !host.starts_with(['-', '.'])
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-._".contains(&byte));
        if port == 0 || !(is_name || host.parse::<IpAddr>().is_ok()) {
            let rule = "HOST, HOST:PORT, an IPv4 or IPv6 address, or [IPv6]:PORT";
            return Err(NameError::new("node address", host, rule));
        }
        Ok(Self { host: host.to_owned(), port })
    }

    /// Address or host name, without brackets and port.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// TCP port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether it names this machine: a loopback address, or an address that a local socket can be bound to.
    #[must_use]
    pub fn is_here(&self) -> bool {
        if self.host == "localhost" {
            return true;
        }
        self.host.parse::<IpAddr>().is_ok_and(|address| {
            address.is_loopback()
                || (!address.is_unspecified() && std::net::UdpSocket::bind((address, 0)).is_ok())
        })
    }
}

impl FromStr for NodeAddress {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let rule = "HOST, HOST:PORT, an IPv4 or IPv6 address, or [IPv6]:PORT";
        let refused = || NameError::new("node address", text, rule);
        let bare = text.strip_prefix("https://").unwrap_or(text);
        let bare = bare.strip_suffix('/').unwrap_or(bare);
        if bare.parse::<IpAddr>().is_ok() {
            return Self::new(bare, KUBELET_PORT);
        }
        let (host, port) = match bare.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            Some((host, "")) => (host, None),
            Some((host, rest)) => (host, Some(rest.strip_prefix(':').ok_or_else(refused)?)),
            None => match bare.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (bare, None),
            },
        };
        let port = match port {
            // `parse` takes a sign, which no port has.
            Some(port) if port.bytes().all(|byte| byte.is_ascii_digit()) => {
                port.parse().map_err(|_| refused())?
            }
            Some(_) => return Err(refused()),
            None => KUBELET_PORT,
        };
        Self::new(host, port).map_err(|_| refused())
    }
}

impl fmt::Display for NodeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for (text, told) in [
            ("worker-1", "worker-1:10250"),
            ("worker-1.example:10255", "worker-1.example:10255"),
            ("10.0.0.7", "10.0.0.7:10250"),
            ("10.0.0.7:4", "10.0.0.7:4"),
            ("fd00::7", "[fd00::7]:10250"),
            ("[fd00::7]", "[fd00::7]:10250"),
            ("[fd00::7]:10251", "[fd00::7]:10251"),
            ("https://worker-1:10250/", "worker-1:10250"),
        ] {
            assert_eq!(text.parse::<NodeAddress>().unwrap().to_string(), told, "{text}");
        }
    }

    #[test]
    fn what_is_no_address() {
        for text in [
            "",
            ":1",
            "a:",
            "a:0",
            "a:65536",
            "a:+1",
            "a/b",
            "http://a",
            "a@b",
            "[a",
            "[::1]x",
            "a b",
            "fe80::1%eth0",
            "-a",
            "a:1:2",
            "a?b",
            "a#b",
        ] {
            assert!(text.parse::<NodeAddress>().is_err(), "{text}");
        }
    }

    #[test]
    fn this_machine_is_known() {
        assert!("127.0.0.1".parse::<NodeAddress>().unwrap().is_here());
        assert!("[::1]:5".parse::<NodeAddress>().unwrap().is_here());
        // TEST-NET-1 is no machine's address (RFC 5737).
        assert!(!"192.0.2.1".parse::<NodeAddress>().unwrap().is_here());
        assert!(!"worker-1".parse::<NodeAddress>().unwrap().is_here());
    }
}
