//! TLS to a kubelet: whom to trust, and who we are.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{
    ResolvesClientCert, verify_server_cert_signed_by_trust_anchor, verify_server_name,
};
use rustls::crypto::{
    CryptoProvider, WebPkiSupportedAlgorithms, ring, verify_tls12_signature, verify_tls13_signature,
};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};

use crate::certificate::{CertificateProblem, Distrust, Fingerprint, Presented};
use crate::error::Error;
use crate::secret::Secret;

/// Which certificates of a server are trusted.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Trust {
    /// Those that one of these CAs signed (DER), and these themselves, for the name that was asked for, at this time.
    Authorities(Vec<CertificateDer<'static>>),
    /// This one alone, whatever its names, issuer and time.
    Pinned(Fingerprint),
    /// All of them. Whoever is in between can read the credentials and answer in the kubelet's place.
    Anything,
}

impl Trust {
    /// The certificates in a PEM file.
    ///
    /// # Errors
    ///
    /// There is none, or one is damaged.
    pub fn from_pem(what: &str, pem: &[u8]) -> Result<Self, Error> {
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(pem)
            .collect::<Result<_, _>>()
            .map_err(|error| Error::setup(what, error))?;
        if certificates.is_empty() {
            return Err(Error::setup(what, "there is no certificate in it (expected PEM)"));
        }
        Ok(Self::Authorities(certificates))
    }
}

/// Who we are for TLS.
#[derive(Clone)]
pub(crate) enum Identity {
    /// A certificate with its chain, and its key.
    Certificate(Vec<CertificateDer<'static>>, Arc<PrivateKeyDer<'static>>),
    /// Whatever a kubeconfig says.
    Resolver(Arc<dyn ResolvesClientCert>),
    /// Nobody.
    Nobody,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Certificate(..) => "Certificate(key not shown)",
            Self::Resolver(_) => "Resolver(key not shown)",
            Self::Nobody => "Nobody",
        })
    }
}

impl Identity {
    /// A certificate with its chain, and its key, both in PEM.
    pub(crate) fn from_pem(certificate: &[u8], key: &Secret) -> Result<Self, Error> {
        let what = "the client certificate";
        let chain: Vec<_> = CertificateDer::pem_slice_iter(certificate)
            .collect::<Result<_, _>>()
            .map_err(|error| Error::setup(what, error))?;
        if chain.is_empty() {
            return Err(Error::setup(what, "there is no certificate in it (expected PEM)"));
        }
        // The parser's own words are left out: nothing that was read of a key is repeated.
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| {
            Error::setup("the client key", "there is no private key in it (expected PEM)")
        })?;
        Ok(Self::Certificate(chain, Arc::new(key)))
    }
}

/// The settings of TLS; one connection is one [`Attempt`].
#[derive(Debug, Clone)]
pub(crate) struct Tls {
    pub(crate) trust: Trust,
    pub(crate) identity: Identity,
}

/// What one connection needs, and what it saw.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) config: Arc<ClientConfig>,
    verifier: Arc<Verifier>,
}

impl Tls {
    pub(crate) fn attempt(&self) -> Result<Attempt, Error> {
        let provider = Arc::new(ring::default_provider());
        let verifier = Arc::new(Verifier::new(&self.trust, &provider)?);
        let failed = |error: TlsError| Error::setup("the TLS settings", error);
        let builder = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(failed)?
            .dangerous()
            .with_custom_certificate_verifier(verifier.clone());
        let mut config = match &self.identity {
            Identity::Certificate(chain, key) => builder
                .with_client_auth_cert(chain.clone(), key.clone_key())
                .map_err(|error| Error::setup("the client certificate and its key", error))?,
            Identity::Resolver(resolver) => builder.with_client_cert_resolver(Arc::clone(resolver)),
            Identity::Nobody => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        Ok(Attempt { config: Arc::new(config), verifier })
    }
}

impl Attempt {
    /// Why the server's certificate was not accepted, if that is why there is no connection.
    pub(crate) fn problem(&self, server: &str) -> Option<CertificateProblem> {
        let seen = self.verifier.refused.lock().unwrap_or_else(PoisonError::into_inner);
        let (presented, why) = seen.clone()?;
        Some(CertificateProblem { server: server.to_owned(), presented, why })
    }
}

/// Checks a server's certificate, and remembers what was wrong with it.
#[derive(Debug)]
struct Verifier {
    trust: Trust,
    roots: RootCertStore,
    algorithms: WebPkiSupportedAlgorithms,
    refused: Mutex<Option<(Presented, Distrust)>>,
}

impl Verifier {
    fn new(trust: &Trust, provider: &CryptoProvider) -> Result<Self, Error> {
        let mut roots = RootCertStore::empty();
        if let Trust::Authorities(certificates) = trust {
            let (good, bad) = roots.add_parsable_certificates(certificates.iter().cloned());
            if good == 0 && bad > 0 {
                return Err(Error::setup("the CA", "none of its certificates can be read"));
            }
        }
        Ok(Self {
            trust: trust.clone(),
            roots,
            algorithms: provider.signature_verification_algorithms,
            refused: Mutex::new(None),
        })
    }

    fn check(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), Distrust> {
        let authorities = match &self.trust {
            Trust::Anything => return Ok(()),
            Trust::Pinned(pinned) if Fingerprint::of(certificate) == *pinned => return Ok(()),
            Trust::Pinned(pinned) => return Err(Distrust::NotPinned { pinned: *pinned }),
            Trust::Authorities(authorities) => authorities,
        };
        let parsed = ParsedCertificate::try_from(certificate).map_err(|error| distrust(&error))?;
        let signed = verify_server_cert_signed_by_trust_anchor(
            &parsed,
            &self.roots,
            intermediates,
            now,
            self.algorithms.all,
        );
        match signed.map_err(|error| distrust(&error)) {
            Err(wrong @ (Distrust::Expired { .. } | Distrust::NotYetValid { .. })) => {
                return Err(wrong);
            }
            // A kubelet without a cluster's certificate makes its own. `--ca` with that very certificate is trust enough,
            // also where it is signed by a CA of the kubelet's that nobody keeps, or says that it is a CA.
            Err(_) if authorities.iter().any(|one| one.as_ref() == certificate.as_ref()) => {}
            Err(wrong) => return Err(wrong),
            Ok(()) => {}
        }
        verify_server_name(&parsed, name).map_err(|error| match distrust(&error) {
            Distrust::WrongName { .. } => Distrust::WrongName { asked: name.to_str().into_owned() },
            other => other,
        })
    }
}

fn distrust(error: &TlsError) -> Distrust {
    let TlsError::InvalidCertificate(error) = error else {
        return Distrust::Other(error.to_string());
    };
    match error {
        CertificateError::UnknownIssuer => Distrust::UnknownIssuer,
        CertificateError::Expired => Distrust::Expired { at: None },
        CertificateError::ExpiredContext { not_after, .. } => {
            Distrust::Expired { at: Some(not_after.as_secs()) }
        }
        CertificateError::NotValidYet => Distrust::NotYetValid { at: None },
        CertificateError::NotValidYetContext { not_before, .. } => {
            Distrust::NotYetValid { at: Some(not_before.as_secs()) }
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            Distrust::WrongName { asked: String::new() }
        }
        other => Distrust::Other(format!("{other:?}")),
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        self.check(end_entity, intermediates, server_name, now)
            .map(|()| ServerCertVerified::assertion())
            .map_err(|why| {
                let mut seen = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
                *seen = Some((Presented::of(end_entity), why));
                TlsError::InvalidCertificate(CertificateError::ApplicationVerificationFailure)
            })
    }

    // Whatever is trusted, the server must hold the key of the certificate that it shows.
    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls12_signature(message, cert, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        verify_tls13_signature(message, cert, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
