//! A helper pod that runs, and what it is asked for.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::Api;
use tokio::time::sleep;

use super::exec::{self, ExecError};
use super::fetcher::Fetcher;
use super::place::Place;
use super::streams::{Bounded, Fetched, Hashing, Observed};
use crate::error::Error;
use crate::name::Target;
use crate::observer::Event;

/// Most that is read of the helper's answer about size and hash, in bytes.
const MOST_SAID: u64 = 4096;

/// How long hashing on the node may take.
const HASHING: Duration = Duration::from_secs(3600);

/// How long a stream may be silent before it counts as broken.
const IDLE: Duration = Duration::from_secs(60);

/// How many times a stream that brought nothing more is taken up again.
const RESUMES: u32 = 3;

/// A helper pod that runs, for one archive.
#[must_use = "a helper is closed, which deletes its pod"]
pub struct Helper {
    pub(super) pods: Api<Pod>,
    pub(super) name: String,
    /// The archive, as the helper sees it.
    pub(super) file: String,
    pub(super) place: Place,
    pub(super) target: Target,
    pub(super) fetcher: Fetcher,
    pub(super) closed: bool,
}

impl fmt::Debug for Helper {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Helper").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Helper {
    pub(super) fn failed(&self, why: impl Into<String>, remedy: &str) -> Error {
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
