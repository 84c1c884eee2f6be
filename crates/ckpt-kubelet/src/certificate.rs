//! A server's certificate: what it says, and why it is not trusted.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use rustls::CertificateError;
use rustls::client::verify_server_name;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ParsedCertificate;
use sha2::{Digest, Sha256};

/// The SHA-256 of a certificate in DER, as `openssl x509 -fingerprint -sha256` tells it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Of a certificate in DER.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        Self(Sha256::digest(der).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Why something is no fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a SHA-256 fingerprint: 64 hexadecimal digits, colons between them allowed")]
pub struct FingerprintError;

impl FromStr for Fingerprint {
    type Err = FingerprintError;

    /// 64 hexadecimal digits of either case, also in the form of openssl, `SHA256 Fingerprint=AB:CD:…`, or after `sha256:`.
    fn from_str(text: &str) -> Result<Self, FingerprintError> {
        let text = text.rsplit_once('=').map_or(text, |(_, digits)| digits);
        let text = text.strip_prefix("sha256:").unwrap_or(text);
        let mut nibbles = Vec::with_capacity(64);
        for byte in text.bytes().filter(|byte| *byte != b':') {
            let nibble = char::from(byte).to_digit(16).ok_or(FingerprintError)?;
            nibbles.push(u8::try_from(nibble).map_err(|_| FingerprintError)?);
        }
        let bytes: Vec<u8> = nibbles
            .chunks(2)
            .map(|pair| pair.iter().fold(0, |byte, nibble| (byte << 4) | nibble))
            .collect();
        if nibbles.len() != 64 {
            return Err(FingerprintError);
        }
        bytes.try_into().map(Self).map_err(|_| FingerprintError)
    }
}

/// What a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Presented {
    /// The certificate's fingerprint.
    pub fingerprint: Fingerprint,
    /// The names that it is for: host names and addresses, without control characters.
    pub names: Vec<String>,
    /// The common name of who signed it.
    pub issuer: Option<String>,
    /// Whether it names itself as its issuer.
    pub self_signed: bool,
}

/// Most names that are kept of a certificate.
const MOST_NAMES: usize = 20;

impl Presented {
    /// Of a certificate in DER. What is no certificate has a fingerprint all the same.
    #[must_use]
    pub fn of(der: &[u8]) -> Self {
        let der = &CertificateDer::from(der);
        let parsed = webpki::EndEntityCert::try_from(der).ok();
        let issuer = parsed.as_ref().map(|cert| cert.issuer().to_vec());
        let subject = parsed.as_ref().map(|cert| cert.subject().to_vec());
        Self {
            fingerprint: Fingerprint::of(der),
            names: names(der),
            self_signed: issuer.is_some() && issuer == subject,
            issuer: issuer.as_deref().and_then(common_name),
        }
    }
}

/// The subject's alternative names. The verifier tells them when it is asked for a name that no certificate has
/// (RFC 6761 reserves `.invalid`), which spares us a decoder of our own.
fn names(der: &CertificateDer<'_>) -> Vec<String> {
    let Ok(parsed) = ParsedCertificate::try_from(der) else { return Vec::new() };
    let Ok(nobody) = ServerName::try_from("nobody.invalid") else { return Vec::new() };
    match verify_server_name(&parsed, &nobody) {
        Err(rustls::Error::InvalidCertificate(CertificateError::NotValidForNameContext {
            presented,
            ..
        })) => presented.iter().take(MOST_NAMES).map(|name| plain(name)).collect(),
        _ => Vec::new(),
    }
}

/// `DnsName("worker-1")` and `IpAddress(10.0.0.7)` without what stands around the name, and without control characters: it
/// is the peer's text, and the peer is not trusted.
fn plain(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest);
    let inner = inner.strip_suffix(')').unwrap_or(inner).trim_matches('"');
    match inner.parse::<IpAddr>() {
        Ok(address) => address.to_string(),
        Err(_) => inner.chars().filter(|c| !c.is_control()).take(256).collect(),
    }
}

/// The OID 2.5.4.3, common name, in DER.
const COMMON_NAME: [u8; 5] = [0x06, 0x03, 0x55, 0x04, 0x03];

/// The first common name in a distinguished name in DER.
fn common_name(name: &[u8]) -> Option<String> {
    let at = name.windows(COMMON_NAME.len()).position(|window| window == COMMON_NAME)?;
    let rest = name.get(at.checked_add(COMMON_NAME.len())?..)?;
    // Tag, length of one byte, text.
    let len = rest.get(1).copied().filter(|len| *len < 0x80)?;
    let text = rest.get(2..usize::from(len).checked_add(2)?)?;
    let text: String = String::from_utf8_lossy(text).chars().filter(|c| !c.is_control()).collect();
    Some(text)
}

/// Why a certificate is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Distrust {
    /// No trusted CA signed it.
    UnknownIssuer,
    /// It is for other names.
    WrongName {
        /// The name that was asked for.
        asked: String,
    },
    /// Its time is over.
    Expired {
        /// When it ended, in seconds since 1970.
        at: Option<u64>,
    },
    /// Its time has not come; a wrong clock is likelier.
    NotYetValid {
        /// When it begins, in seconds since 1970.
        at: Option<u64>,
    },
    /// It is not the one that was pinned.
    NotPinned {
        /// The one that was.
        pinned: Fingerprint,
    },
    /// Something else, in the words of the verifier.
    Other(String),
}

/// A certificate that is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CertificateProblem {
    /// Who showed it.
    pub server: String,
    /// What it says.
    pub presented: Presented,
    /// Why it is not trusted.
    pub why: Distrust,
}

impl fmt::Display for CertificateProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, presented, why } = self;
        write!(f, "the certificate of {server} is not trusted: ")?;
        match why {
            Distrust::UnknownIssuer if presented.self_signed => {
                f.write_str("it is self-signed, and not among the trusted ones")?;
            }
            Distrust::UnknownIssuer => {
                let issuer = presented.issuer.as_deref().unwrap_or("a nameless issuer");
                write!(f, "it is signed by \"{issuer}\", which is no trusted CA")?;
            }
            Distrust::WrongName { asked } => write!(f, "it is not for the name {asked}")?,
            Distrust::Expired { at } => write!(f, "it expired{}", on(*at))?,
            Distrust::NotYetValid { at } => {
                write!(f, "it is not valid yet{} (is this machine's clock right?)", on(*at))?;
            }
            Distrust::NotPinned { pinned } => write!(f, "it is not the pinned one, {pinned}")?,
            Distrust::Other(text) => f.write_str(text)?,
        }
        write!(f, "\n  SHA-256 fingerprint: {}", presented.fingerprint)?;
        let names =
            if presented.names.is_empty() { "none".to_owned() } else { presented.names.join(", ") };
        write!(f, "\n  its names: {names}")
    }
}

fn on(seconds: Option<u64>) -> String {
    seconds
        .and_then(|seconds| i64::try_from(seconds).ok())
        .and_then(|seconds| jiff::Timestamp::from_second(seconds).ok())
        .map_or_else(String::new, |time| format!(", {time}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_in_every_form() {
        let plain = "ab".repeat(32);
        let expected: Fingerprint = plain.parse().unwrap();
        assert_eq!(expected.to_string(), plain);
        let colons = vec!["AB"; 32].join(":");
        for text in [&format!("sha256:{plain}"), &colons, &format!("SHA256 Fingerprint={colons}")] {
            assert_eq!(text.parse::<Fingerprint>(), Ok(expected), "{text}");
        }
        for text in
            ["", "ab", &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32), &"é".repeat(32)]
        {
            assert!(text.parse::<Fingerprint>().is_err(), "{text}");
        }
    }

    #[test]
    fn common_names_of_damaged_names_end_nothing() {
        assert_eq!(common_name(&[]), None);
        assert_eq!(common_name(&COMMON_NAME), None);
        let mut name = COMMON_NAME.to_vec();
        name.extend([0x0c, 5, b'a', b'b']);
        assert_eq!(common_name(&name), None);
        name.extend(b"\x1bcd");
        assert_eq!(common_name(&name).as_deref(), Some("abcd"));
    }
}
