//! Helper pods: how they are made, waited for and deleted, whatever happens.

use std::collections::hash_map::RandomState;
use std::fmt;
use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, PostParams};
use tokio::time::{Instant, sleep, timeout};

use super::helper::Helper;
use super::manifest::{HelperSpec, MOUNT};
use super::place::Place;
use super::readiness::{Look, look};
use crate::cluster::{Cluster, api_error, soon};
use crate::error::Error;
use crate::name::{Namespace, NodeName, Target};
use crate::observer::{Event, Observer, Silent};

/// The image that is used unless another is named.
const IMAGE: &str = "busybox:stable";

/// How long the helper may take until it runs, pulling its image included.
const START: Duration = Duration::from_secs(120);

/// How long a deletion waits for the creation that it undoes.
const CREATE: Duration = Duration::from_secs(30);

/// How long a deletion may take, and how many times it is tried.
const DELETE: Duration = Duration::from_secs(10);
const DELETIONS: u32 = 3;

/// A helper that was, or may have been, created and is not known to be gone.
#[derive(Clone)]
pub(super) struct Outstanding {
    namespace: Namespace,
    name: String,
    /// Held while the request to create it is under way: a deletion must not overtake it.
    creating: Arc<tokio::sync::Mutex<()>>,
}

/// Brings archives here through helper pods.
#[derive(Clone)]
pub struct Fetcher {
    cluster: Cluster,
    image: String,
    namespace: Option<Namespace>,
    start: Duration,
    writable: bool,
    pub(super) observer: Arc<dyn Observer>,
    outstanding: Arc<Mutex<Vec<Outstanding>>>,
}

impl fmt::Debug for Fetcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Fetcher").field("image", &self.image).finish_non_exhaustive()
    }
}

impl Fetcher {
    /// A fetcher with the default image, whose helpers run in the namespace of the container's pod.
    #[must_use]
    pub fn new(cluster: &Cluster) -> Self {
        Self {
            cluster: cluster.clone(),
            image: IMAGE.to_owned(),
            namespace: None,
            start: START,
            writable: false,
            observer: Arc::new(Silent),
            outstanding: Arc::default(),
        }
    }

    /// Another image; it needs `sh`, `sleep`, `wc`, `sha256sum`, `tail` and `rm`.
    #[must_use]
    pub fn image(self, image: impl Into<String>) -> Self {
        Self { image: image.into(), ..self }
    }

    /// Another namespace for the helpers.
    #[must_use]
    pub fn namespace(self, namespace: Option<Namespace>) -> Self {
        Self { namespace, ..self }
    }

    /// How long a helper may take until it runs; two minutes unless this says otherwise.
    #[must_use]
    pub fn start_timeout(self, start: Duration) -> Self {
        Self { start, ..self }
    }

    /// Mounts the directory writable, which [`Helper::remove`] needs.
    #[must_use]
    pub fn writable(self, writable: bool) -> Self {
        Self { writable, ..self }
    }

    /// Who is told what happens.
    #[must_use]
    pub fn observer(self, observer: Arc<dyn Observer>) -> Self {
        Self { observer, ..self }
    }

    /// Starts a helper on a node for the archive at `path` there, and waits until it runs.
    ///
    /// A helper that is dropped, or whose start is, is deleted in the background while the runtime lives;
    /// [`Fetcher::clean_up`] waits for that.
    ///
    /// # Errors
    ///
    /// The path is none, the helper may not be created, or it does not start. It is deleted then.
    pub async fn open(
        &self,
        target: &Target,
        node: &NodeName,
        path: &str,
    ) -> Result<Helper, Error> {
        let place = Place { path: path.to_owned(), node: node.clone() };
        let (directory, file) = place.split()?;
        let namespace = self.namespace.clone().unwrap_or_else(|| target.namespace.clone());
        let spec = HelperSpec {
            writable: self.writable,
            ..HelperSpec::new(
                &unique_name(),
                namespace.clone(),
                node.clone(),
                &self.image,
                directory,
            )
        };
        let helper = Helper {
            pods: Api::namespaced(self.cluster.client.clone(), namespace.as_str()),
            name: spec.name.clone(),
            file: format!("{MOUNT}/{file}"),
            place,
            target: target.clone(),
            fetcher: self.clone(),
            closed: false,
        };
        match self.start(&helper, &spec).await {
            Ok(()) => Ok(helper),
            Err(error) => {
                helper.close().await;
                Err(error)
            }
        }
    }

    async fn start(&self, helper: &Helper, spec: &HelperSpec) -> Result<(), Error> {
        let entry = Outstanding {
            namespace: spec.namespace.clone(),
            name: spec.name.clone(),
            creating: Arc::default(),
        };
        self.lock().push(entry.clone());
        self.observer.event(
            &helper.target,
            &Event::HelperCreated {
                namespace: spec.namespace.as_str(),
                pod: &spec.name,
                node: spec.node.as_str(),
            },
        );
        // A task of its own: when this future is dropped, the request goes on, and the deletion waits for its end.
        let pods = helper.pods.clone();
        let pod = spec.pod();
        let guard = entry.creating.lock_owned().await;
        let creation = tokio::spawn(async move {
            let _guard = guard;
            soon(pods.create(&PostParams::default(), &pod)).await
        });
        let created = creation.await.map_err(|error| helper.failed(error.to_string(), ""))?;
        created.map_err(|error| match api_error("create the helper pod", &error) {
            // Pod Security Admission speaks through the same status as missing access.
            Error::Forbidden(denied) if denied.text.contains("PodSecurity") => helper.failed(
                denied.text,
                "the namespace takes no pod that mounts a directory of its node: name one that does with --fetch-namespace",
            ),
            other => other,
        })?;
        self.wait(helper).await?;
        self.observer.event(&helper.target, &Event::HelperReady);
        Ok(())
    }

    /// Waits until the helper runs.
    async fn wait(&self, helper: &Helper) -> Result<(), Error> {
        let until = Instant::now().checked_add(self.start);
        let mut pause = Duration::from_millis(100);
        let mut state = "it was not started".to_owned();
        while until.is_none_or(|until| Instant::now() < until) {
            let pod = soon(helper.pods.get(&helper.name))
                .await
                .map_err(|error| api_error("read the helper pod", &error))?;
            match look(&pod) {
                Look::Runs => return Ok(()),
                Look::Never(why) => {
                    return Err(helper.failed(
                        why,
                        "name an image that the node can pull with --fetch-image, or copy the archive from the node yourself",
                    ));
                }
                Look::NotYet(why) => state = why,
            }
            sleep(pause).await;
            pause = pause.saturating_mul(2).min(Duration::from_secs(1));
        }
        let seconds = self.start.as_secs();
        Err(helper.failed(
            format!("the helper pod did not run within {seconds} s: {state}"),
            "kubectl describe pod on a pod of the same node tells why pods do not start there",
        ))
    }

    /// Deletes every helper that is left, and gives those (`NAMESPACE/NAME`) that could not be.
    pub async fn clean_up(&self) -> Vec<String> {
        let left: Vec<Outstanding> = self.lock().clone();
        let mut stuck = Vec::new();
        for entry in left {
            if !self.delete(&entry).await {
                stuck.push(format!("{}/{}", entry.namespace, entry.name));
            }
        }
        stuck
    }

    pub(super) async fn delete(&self, entry: &Outstanding) -> bool {
        // Not longer than the request itself may take.
        let _ = timeout(CREATE, entry.creating.lock()).await;
        let pods: Api<Pod> = Api::namespaced(self.cluster.client.clone(), entry.namespace.as_str());
        let at_once = DeleteParams::default().grace_period(0);
        for attempt in 0..DELETIONS {
            if attempt > 0 {
                sleep(Duration::from_secs(1)).await;
            }
            let gone = match timeout(DELETE, pods.delete(&entry.name, &at_once)).await {
                Ok(Ok(_)) => true,
                Ok(Err(kube::Error::Api(status))) => status.code == 404,
                _ => false,
            };
            if gone {
                self.lock().retain(|other| other.name != entry.name);
                return true;
            }
        }
        false
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Outstanding>> {
        self.outstanding.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn find(&self, name: &str) -> Option<Outstanding> {
        self.lock().iter().find(|entry| entry.name == name).cloned()
    }
}

/// The helper's name is chosen here, and not by the API server: it must be known before anything is created.
fn unique_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("ckpt-inspect-fetch-{random:016x}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_helpers_are_names_and_differ() {
        let (a, b) = (unique_name(), unique_name());
        assert_ne!(a, b);
        assert!(crate::PodName::new(&a).is_ok());
    }
}
