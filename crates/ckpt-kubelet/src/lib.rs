//! A container checkpoint asked of a kubelet: access, answers, errors that say what to do, and the archive brought here.
//!
//! # Brief overview
//!
//! A [`Client`] asks one kubelet, directly or through the API server, for a checkpoint of a [`Target`]: a container of a pod.
//! What can go wrong is one [`Error`] with its cause, [`Error::remedy`], and [`Error::leftover`]: what may lie on the node
//! although there was no success. A [`Cluster`] is the API server: it finds [`Pod`]s and [`Node`]s, tells in a [`Preflight`] what
//! would stop a checkpoint, and lends its credentials. A [`Fetcher`] brings an archive here through a short-lived pod on its
//! node. All of it is async, for a tokio runtime with timers and sockets.
//!
//! | what | where |
//! |---|---|
//! | names, checked before they are part of a URL | [`Namespace`], [`PodName`], [`ContainerName`], [`NodeName`], [`NodeAddress`] |
//! | whom to trust | [`Trust`], [`Fingerprint`], [`CertificateProblem`] |
//! | who we are | [`DirectBuilder`], [`Secret`], [`Cluster`] |
//! | the request | [`Client::checkpoint`], [`Client::probe`], [`Retry`] |
//! | what an answer means, and a runtime's failure in it | [`Answer`], [`RuntimeError`], [`Reason`] |
//! | access, and manifests that grant it | [`Preflight`], [`Access`], [`manifest`] |
//! | the archive | [`Fetcher`], [`Helper`], [`copy_local`] |
//! | what happens meanwhile | [`Observer`], [`Event`] |
//!
//! # Example
//!
//! ```no_run
//! use ckpt_kubelet::{Client, Secret, Target, Trust};
//!
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::direct("10.0.0.7:10250".parse()?)
//!     .trust(Trust::from_pem("the CA", &std::fs::read("kubelet-ca.crt")?)?)
//!     .token(Secret::read("token".as_ref())?)
//!     .build()?;
//! let target = Target::new("shop", "web-0", "app")?;
//! match client.checkpoint(&target).await {
//!     Ok(made) => println!("{} in {:?}", made.paths.join(" "), made.duration),
//!     Err(error) => {
//!         eprintln!("{error}\n{}", error.remedy());
//!         if let Some(left) = error.leftover(&target) {
//!             eprintln!("{left}");
//!         }
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Care
//!
//! A checkpoint freezes a container in production, so that nothing is ever asked for twice but after errors that are known to
//! pass and to have frozen nothing. Dropping a future gives up and closes the connection; whether the node stops is up to its
//! runtime. A helper pod is deleted when its [`Helper`] is closed or dropped, and [`Fetcher::clean_up`] waits for that.
//!
//! Tokens and keys are in no `Debug`, `Display`, [`Event`] or [`Error`]: not even as what a parser or a credential plugin quotes.
//!
//! # Limits
//!
//! Answers are read up to 1 MiB. The kubelet's proxy settings are not looked at: a direct connection is direct. The API server is
//! reached as its kubeconfig says, with `HTTPS_PROXY` where that names no proxy; the in-cluster address comes from the
//! environment. These are read by `kube`; nothing else here reads the environment.

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
mod no_proxy;
mod noted;
mod observer;
mod preflight;
mod rbac;
mod reason;
mod secret;
mod tls;
mod workload;

#[cfg(test)]
mod property;

pub use address::{KUBELET_PORT, NodeAddress};
pub use answer::Answer;
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
