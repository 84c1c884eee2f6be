//! A container checkpoint asked of a kubelet.

#![warn(clippy::arithmetic_side_effects)]
#![cfg_attr(test, allow(clippy::arithmetic_side_effects))]

mod address;
mod answer;
mod causes;
mod certificate;
mod client;
mod cluster;
mod connection;
mod error;
mod fetch;
mod name;
mod observer;
mod preflight;
mod rbac;
mod reason;
mod secret;
mod tls;
mod workload;

pub use address::{KUBELET_PORT, NodeAddress};
pub use certificate::{CertificateProblem, Distrust, Fingerprint, FingerprintError, Presented};
pub use client::{Checkpoint, Client, DirectBuilder, KUBELET_TIMEOUT, PATIENCE, Retry};
pub use cluster::{Access, Cluster};
pub use error::{Denied, Error, Server};
pub use fetch::{Fetched, Fetcher, Helper, HelperSpec, MOUNT, copy_local};
pub use name::{ContainerName, NameError, Namespace, NodeName, PodName, Target};
pub use observer::{Event, Observer, Silent};
pub use preflight::{Check, Plan, Preflight, Verdict};
pub use rbac::{APISERVER_USER, manifest};
pub use reason::{Reason, RuntimeError};
pub use secret::Secret;
pub use tls::Trust;
pub use workload::{Node, Pod, PodContainer};
