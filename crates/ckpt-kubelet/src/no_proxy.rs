//! Which hosts are reached without the proxy of the environment.
//!
//! kube takes `HTTPS_PROXY` where a kubeconfig names no proxy, but holds `NO_PROXY` against the proxy's own address and not, as
//! kubectl does, against the API server's.

use std::net::IpAddr;

/// Whether a list in the form of `NO_PROXY` names a host: `*`, addresses, networks (`10.0.0.0/8`), and domains with everything
/// below them (`example.com`, `.example.com`), with or without a port, which is not looked at.
pub(crate) fn names(list: &str, host: &str) -> bool {
    let host = host.trim_matches(['[', ']']).to_ascii_lowercase();
    let address = host.parse::<IpAddr>().ok();
    list.split(',').map(|entry| entry.trim().to_ascii_lowercase()).any(|entry| {
        if entry == "*" {
            return true;
        }
        if let (Some(address), Some((network, bits))) = (address, entry.split_once('/')) {
            return network.parse().is_ok_and(|network| within(address, network, bits));
        }
        let entry = match entry.rsplit_once(':') {
            Some((name, port))
                if !name.contains(':') && port.bytes().all(|c| c.is_ascii_digit()) =>
            {
                name
            }
            _ => &entry,
        };
        if let Some(address) = address {
            return entry.trim_matches(['[', ']']).parse::<IpAddr>() == Ok(address);
        }
        let domain = entry.trim_start_matches('*').trim_start_matches('.');
        let below = || host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'));
        !domain.is_empty() && (host == domain || below())
    })
}

/// Whether an address begins with the first `bits` bits of another.
fn within(address: IpAddr, network: IpAddr, bits: &str) -> bool {
    let Ok(bits) = bits.parse::<u32>() else { return false };
    let differ = match (address, network) {
        (IpAddr::V4(a), IpAddr::V4(b)) => u128::from(a.to_bits() ^ b.to_bits()) << 96,
        (IpAddr::V6(a), IpAddr::V6(b)) => a.to_bits() ^ b.to_bits(),
        _ => return false,
    };
    bits <= 128 && differ.leading_zeros() >= bits
}

#[cfg(test)]
mod tests {
    use super::names;

    #[test]
    fn hosts_that_are_named() {
        for (list, host) in [
            ("*", "anything"),
            ("localhost, api.example.com", "api.example.com"),
            ("example.com", "api.EXAMPLE.com"),
            (".example.com", "api.example.com"),
            ("*.example.com:6443", "api.example.com"),
            ("127.0.0.1", "127.0.0.1"),
            ("10.0.0.0/8", "10.96.0.1"),
            ("fd00::/8", "[fd00::1]"),
            ("fd00::1", "fd00::1"),
            ("0.0.0.0/0", "192.0.2.1"),
        ] {
            assert!(names(list, host), "{list} {host}");
        }
        for (list, host) in [
            ("", "x"),
            (",", "x"),
            (".", "x"),
            ("example.com", "notexample.com"),
            ("10.0.0.0/8", "11.0.0.1"),
            ("10.0.0.0/33x", "10.0.0.1"),
            ("10.0.0.0/200", "10.0.0.0"),
            ("10.0.0.0/8", "example.com"),
            ("fd00::/8", "10.0.0.1"),
        ] {
            assert!(!names(list, host), "{list} {host}");
        }
    }
}
