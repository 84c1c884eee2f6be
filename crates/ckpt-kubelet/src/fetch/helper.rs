//! The helper pod's life, and what it is asked for.

use std::collections::hash_map::RandomState;
use std::fmt::{self, Write as _};
use std::hash::{BuildHasher, Hasher};
use std::io::{self, Write};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DeleteParams, PostParams};
use sha2::{Digest, Sha256};
use tokio::time::{Instant, sleep, timeout};

use super::exec::{self, ExecError};
use super::manifest::{HelperSpec, MOUNT};
use crate::cluster::{Cluster, api_error, soon};
use crate::error::Error;
use crate::name::{Namespace, NodeName, Target};
use crate::observer::{Event, Observer, Silent};

/// The image that is used unless another is named.
const IMAGE: &str = "busybox:stable";

/// How long the helper may take until it runs, pulling its image included.
const START: Duration = Duration::from_secs(120);

/// Most that is read of the helper's answer about size and hash, in bytes.
const MOST_SAID: u64 = 4096;

/// How long hashing on the node may take.
const HASHING: Duration = Duration::from_secs(3600);

/// How long a stream may be silent before it counts as broken.
const IDLE: Duration = Duration::from_secs(60);

/// How many times a stream that brought nothing more is taken up again.
const RESUMES: u32 = 3;

/// How long a deletion waits for the creation that it undoes.
const CREATE: Duration = Duration::from_secs(30);

/// How long a deletion may take, and how many times it is tried.
const DELETE: Duration = Duration::from_secs(10);
const DELETIONS: u32 = 3;

/// What came here.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fetched {
    /// Size in bytes.
    pub size: u64,
    /// SHA-256 of the bytes, in hexadecimal digits.
    pub sha256: String,
}

/// Hashes what passes by.
pub(super) struct Hashing<'a> {
    inner: &'a mut (dyn Write + Send),
    hash: Sha256,
    size: u64,
}

impl<'a> Hashing<'a> {
    pub(super) fn new(inner: &'a mut (dyn Write + Send)) -> Self {
        Self { inner, hash: Sha256::new(), size: 0 }
    }

    pub(super) fn finish(self) -> Fetched {
        let mut sha256 = String::with_capacity(64);
        for byte in self.hash.finalize() {
            let _ = write!(sha256, "{byte:02x}");
        }
        Fetched { size: self.size, sha256 }
    }
}

impl Write for Hashing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        self.hash.update(bytes.get(..len).unwrap_or_default());
        self.size = self.size.saturating_add(u64::try_from(len).unwrap_or_default());
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Takes so many bytes and no more: what comes from a node is not trusted to end.
struct Bounded<'a> {
    inner: &'a mut (dyn Write + Send),
    left: u64,
}

impl Write for Bounded<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if len > self.left {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let len = self.inner.write(bytes)?;
        self.left = self.left.saturating_sub(u64::try_from(len).unwrap_or(u64::MAX));
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// A helper that was, or may have been, created and is not known to be gone.
#[derive(Clone)]
struct Outstanding {
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
    observer: Arc<dyn Observer>,
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

    async fn delete(&self, entry: &Outstanding) -> bool {
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

    fn find(&self, name: &str) -> Option<Outstanding> {
        self.lock().iter().find(|entry| entry.name == name).cloned()
    }
}

/// The helper's name is chosen here, and not by the API server: it must be known before anything is created.
fn unique_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("ckpt-inspect-fetch-{random:016x}")
}

/// How far a helper is.
enum Look {
    Runs,
    NotYet(String),
    Never(String),
}

/// Reasons for which a container waits in vain.
const IN_VAIN: &[&str] = &[
    "ErrImagePull",
    "ImagePullBackOff",
    "ErrImageNeverPull",
    "InvalidImageName",
    "CreateContainerConfigError",
    "CreateContainerError",
    "RunContainerError",
];

fn look(pod: &Pod) -> Look {
    let status = pod.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_default();
    let why = |reason: Option<String>, message: Option<String>| {
        let parts = [reason, message].into_iter().flatten().filter(|part| !part.is_empty());
        parts.collect::<Vec<_>>().join(": ")
    };
    let container = status.container_statuses.unwrap_or_default().into_iter().next();
    let state = container.and_then(|container| container.state).unwrap_or_default();
    if phase == "Failed" || phase == "Succeeded" {
        let ended = state.terminated.map(|ended| why(ended.reason, ended.message));
        let told = ended.filter(|told| !told.is_empty());
        let told = told.unwrap_or_else(|| why(status.reason, status.message));
        return Look::Never(format!("the helper pod ended by itself: {told}"));
    }
    if state.running.is_some() {
        return Look::Runs;
    }
    if let Some(waiting) = state.waiting {
        let vain = waiting.reason.as_deref().is_some_and(|reason| IN_VAIN.contains(&reason));
        let told = why(waiting.reason, waiting.message);
        return if vain {
            Look::Never(format!("the helper pod does not start: {told}"))
        } else {
            Look::NotYet(told)
        };
    }
    Look::NotYet(if phase.is_empty() { "no state yet".to_owned() } else { phase })
}

/// Where an archive is.
#[derive(Debug, Clone)]
struct Place {
    path: String,
    node: NodeName,
}

impl Place {
    /// The directory and the file's name. What the kubelet answers is not trusted to be a path.
    fn split(&self) -> Result<(&str, &str), Error> {
        let (directory, file) = self.path.rsplit_once('/').unwrap_or_default();
        let sound = directory.starts_with('/')
            && !file.is_empty()
            && !self.path.contains('\0')
            && self.path.split('/').all(|part| part != ".." && part != ".");
        if sound {
            return Ok((directory, file));
        }
        Err(Error::Fetch {
            path: self.path.clone(),
            node: self.node.to_string(),
            why: "this is no absolute path of a file in a directory".into(),
            remedy: "look for the archive on the node".into(),
        })
    }
}

/// A helper pod that runs, for one archive.
#[must_use = "a helper is closed, which deletes its pod"]
pub struct Helper {
    pods: Api<Pod>,
    name: String,
    /// The archive, as the helper sees it.
    file: String,
    place: Place,
    target: Target,
    fetcher: Fetcher,
    closed: bool,
}

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Helper {
    fn failed(&self, why: impl Into<String>, remedy: &str) -> Error {
        let otherwise = "the archive is on the node still: copy it from there (scp), or try again";
        Error::Fetch {
            path: self.place.path.clone(),
            node: self.place.node.to_string(),
            why: why.into(),
            remedy: if remedy.is_empty() { otherwise } else { remedy }.to_owned(),
        }
    }

    fn exec_failed(&self, what: &str, error: ExecError) -> Error {
        match error {
            ExecError::Refused(error) => error,
            ExecError::Broken(why) => self.failed(format!("{what}: the stream broke: {why}"), ""),
            ExecError::Failed(why) => self.failed(format!("{what}: {why}"), ""),
            ExecError::Sink(error) => self
                .failed(format!("cannot write here: {error}"), "make room, or name another place"),
        }
    }

    /// Size and hash of the archive, as the node has it.
    async fn measure(&self) -> Result<Fetched, Error> {
        let script = "wc -c < \"$1\" && sha256sum < \"$1\"";
        let mut said = Vec::new();
        let mut bounded = Bounded { inner: &mut said, left: MOST_SAID };
        exec::run(
            &self.pods,
            &self.name,
            &["sh", "-c", script, "sh", &self.file],
            HASHING,
            &mut bounded,
        )
        .await
        .map_err(|error| self.exec_failed("hashing on the node failed", error))?;
        let said = String::from_utf8_lossy(&said);
        let mut words = said.split_whitespace();
        let size = words.next().and_then(|word| word.parse().ok());
        let hash = words
            .next()
            .filter(|word| word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit()));
        match (size, hash) {
            (Some(size), Some(hash)) => Ok(Fetched { size, sha256: hash.to_lowercase() }),
            _ => Err(self.failed("the helper's size and hash of it are not understood", "")),
        }
    }

    /// Copies the archive into `into`, and makes sure that what came is what is there. A stream that breaks is taken up where
    /// it broke.
    ///
    /// # Errors
    ///
    /// It cannot be read, the stream breaks again and again, what comes cannot be written, or the hashes differ.
    pub async fn copy(&self, into: &mut (dyn Write + Send)) -> Result<Fetched, Error> {
        let there = self.measure().await?;
        let observer = Arc::clone(&self.fetcher.observer);
        observer.event(&self.target, &Event::Measured { size: there.size });
        let mut bounded = Bounded { inner: into, left: there.size };
        let mut observed =
            Observed { inner: &mut bounded, observer: &*observer, target: &self.target };
        let mut sink = Hashing::new(&mut observed);
        let mut fruitless = 0_u32;
        while sink.size < there.size {
            let before = sink.size;
            let from = format!("+{}", before.saturating_add(1));
            let command = ["tail", "-c", &from, &self.file];
            let why = match exec::run(&self.pods, &self.name, &command, IDLE, &mut sink).await {
                Ok(()) if sink.size >= there.size => break,
                Ok(()) => "it ended too early".to_owned(),
                Err(ExecError::Broken(why)) => why,
                Err(error) => return Err(self.exec_failed("reading on the node failed", error)),
            };
            fruitless = if sink.size > before { 0 } else { fruitless.saturating_add(1) };
            if sink.size < there.size {
                if fruitless >= RESUMES {
                    let error = ExecError::Broken(why);
                    return Err(self.exec_failed("reading on the node failed", error));
                }
                observer.event(&self.target, &Event::Resumed { offset: sink.size, why: &why });
                sleep(Duration::from_millis(500)).await;
            }
        }
        let here = sink.finish();
        if here != there {
            return Err(Error::Damaged {
                path: self.place.path.clone(),
                node: self.place.node.to_string(),
                here: here.sha256,
                there: there.sha256,
            });
        }
        self.fetcher.observer.event(&self.target, &Event::Verified);
        Ok(here)
    }

    /// Deletes the archive on the node. Only what was copied, and is safe here, should be.
    ///
    /// # Errors
    ///
    /// It cannot be; the fetcher must be [writable](Fetcher::writable).
    pub async fn remove(&self) -> Result<(), Error> {
        exec::run(&self.pods, &self.name, &["rm", &self.file], IDLE, &mut io::sink())
            .await
            .map_err(|error| self.exec_failed("deleting on the node failed", error))?;
        self.fetcher.observer.event(&self.target, &Event::Removed);
        Ok(())
    }

    /// Deletes the pod, and tells whether it is gone. One that is not ends by itself after some hours, and
    /// [`Fetcher::clean_up`] tries once more.
    pub async fn close(mut self) -> bool {
        let Some(entry) = self.fetcher.find(&self.name) else { return true };
        let gone = self.fetcher.delete(&entry).await;
        self.closed = true;
        if gone {
            self.fetcher.observer.event(&self.target, &Event::HelperDeleted { pod: &self.name });
        }
        gone
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        if self.closed {
            return;
        }
        let Some(entry) = self.fetcher.find(&self.name) else { return };
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let fetcher = self.fetcher.clone();
            runtime.spawn(async move { fetcher.delete(&entry).await });
        }
    }
}

/// Tells an observer what is written.
struct Observed<'a> {
    inner: &'a mut (dyn Write + Send),
    observer: &'a dyn Observer,
    target: &'a Target,
}

impl Write for Observed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let len = self.inner.write(bytes)?;
        let bytes = u64::try_from(len).unwrap_or_default();
        self.observer.event(self.target, &Event::Received { bytes });
        Ok(len)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(path: &str) -> Option<(String, String)> {
        let place = Place { path: path.to_owned(), node: NodeName::new("n").unwrap() };
        place.split().ok().map(|(directory, file)| (directory.to_owned(), file.to_owned()))
    }

    #[test]
    fn what_is_no_path_of_an_archive_is_not_mounted() {
        for path in ["", "a.tar", "/", "/a.tar", "/a/", "/a/../b.tar", "/a/./b", "a/b", "/a/b\0"] {
            assert_eq!(split(path), None, "{path:?}");
        }
        let odd = "/var/lib/kubelet/check points/a 'b' $(c).tar";
        assert_eq!(
            split(odd),
            Some(("/var/lib/kubelet/check points".into(), "a 'b' $(c).tar".into()))
        );
    }

    #[test]
    fn names_of_helpers_are_names_and_differ() {
        let (a, b) = (unique_name(), unique_name());
        assert_ne!(a, b);
        assert!(crate::PodName::new(&a).is_ok());
    }
}
