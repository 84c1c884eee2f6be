//! One container's checkpoint, from the request to the archive.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ckpt_kubelet::{Checkpoint, Error, Fetched, Fetcher, Target, copy_local};

use super::destination::{Arriving, Destination};
use super::targets::{Job, Place};
use super::tell::{Phase, Teller};

/// How a container's checkpoint ended.
#[derive(Debug)]
pub(super) struct Finished {
    /// The container, or the pod where it did not come to containers.
    pub(super) label: String,
    pub(super) target: Option<Target>,
    pub(super) place: Place,
    /// What was made.
    pub(super) checkpoint: Option<Checkpoint>,
    /// What came here.
    pub(super) arrived: Vec<Arrived>,
    /// What went wrong: all of it without a checkpoint, the rest with one.
    pub(super) error: Option<Error>,
}

/// An archive that is here.
#[derive(Debug)]
pub(super) struct Arrived {
    pub(super) file: PathBuf,
    pub(super) fetched: Fetched,
    /// Whether the node's copy was deleted.
    pub(super) removed: bool,
}

/// Whether and how archives are brought here.
#[derive(Debug)]
pub(super) struct Fetching {
    pub(super) destination: Destination,
    /// The way from other machines, where there is one.
    pub(super) fetcher: Option<Fetcher>,
    pub(super) remove: bool,
    pub(super) stop: Arc<AtomicBool>,
}

/// Makes one checkpoint, and fetches it if that is wanted.
pub(super) async fn run(job: Job, fetching: Option<&Fetching>, teller: &Arc<Teller>) -> Finished {
    let Job { target, client, place } = job;
    let mut finished = Finished {
        label: target.to_string(),
        target: Some(target.clone()),
        place,
        checkpoint: None,
        arrived: Vec::new(),
        error: None,
    };
    let checkpoint = match client.checkpoint(&target).await {
        Ok(checkpoint) => checkpoint,
        Err(error) => {
            teller.set(&target, Phase::Over);
            finished.error = Some(error);
            return finished;
        }
    };
    teller.set(&target, Phase::Made(checkpoint.paths.clone()));
    for path in checkpoint.paths.iter().filter(|_| fetching.is_some()) {
        let Some(fetching) = fetching else { break };
        if let Err(error) = fetch(path, &target, fetching, teller, &mut finished).await {
            finished.error = Some(error);
            break;
        }
    }
    teller.set(&target, Phase::Over);
    finished.checkpoint = Some(checkpoint);
    finished
}

async fn fetch(
    path: &str,
    target: &Target,
    fetching: &Fetching,
    teller: &Arc<Teller>,
    finished: &mut Finished,
) -> Result<(), Error> {
    let name = fetching.destination.name(path);
    let node = finished.place.told();
    let failed = |why: String| Error::Fetch {
        path: path.to_owned(),
        node: node.clone(),
        why,
        remedy: "the archive is on the node still: copy it from there, or try again".into(),
    };
    let mut arriving = Arriving::open(name, Arc::clone(&fetching.stop))
        .map_err(|error| failed(format!("{error:#}")))?;
    // A tunnel ends on this machine too, and its archive is elsewhere; and whoever is at its other end must not have files of
    // this machine read or deleted. Somebody who may not look is told so by reading.
    let here = finished.place.is_here()
        && target.names_archive(path)
        && Path::new(path).symlink_metadata().map_or_else(
            |error| error.kind() == std::io::ErrorKind::PermissionDenied,
            |meta| meta.is_file(),
        );
    if here {
        let remote = PathBuf::from(path);
        let telling = Arc::clone(teller);
        // A thread of its own, so that Ctrl-C is heard; it then finds that nothing more may be written.
        let copied = tokio::task::spawn_blocking(move || {
            telling.begin(remote.metadata().ok().map(|meta| meta.len()));
            let fetched = copy_local(&remote, &mut arriving, |bytes| telling.advance(bytes));
            telling.end();
            fetched.map(|fetched| (fetched, arriving))
        });
        let (fetched, arriving) = copied.await.unwrap_or(Err(Error::Interrupted))?;
        let file = arriving.finish().map_err(|error| failed(format!("{error:#}")))?;
        let again = hash(&file).await.map_err(failed)?;
        if again != fetched {
            return Err(Error::Damaged {
                path: path.to_owned(),
                node: finished.place.told(),
                here: again.sha256,
                there: fetched.sha256,
            });
        }
        finished.arrived.push(Arrived { file, fetched, removed: false });
        if fetching.remove {
            std::fs::remove_file(path).map_err(|error| Error::Fetch {
                path: path.to_owned(),
                node: "this machine".into(),
                why: format!("it is here, but cannot be deleted there: {error}"),
                remedy: "delete it by hand".into(),
            })?;
            set_removed(finished);
        }
        return Ok(());
    }
    let (Some(fetcher), Some(node)) = (&fetching.fetcher, finished.place.node.clone()) else {
        return Err(Error::Fetch {
            path: path.to_owned(),
            node: finished.place.told(),
            why: "it is not on this machine, and no API server is known to fetch it through".into(),
            remedy: "copy it from the node (scp), or name a kubeconfig with --kubeconfig".into(),
        });
    };
    let helper = fetcher.open(target, &node, path).await?;
    let outcome = async {
        let fetched = helper.copy(&mut arriving).await?;
        let file = arriving.finish().map_err(|error| failed(format!("{error:#}")))?;
        finished.arrived.push(Arrived { file, fetched, removed: false });
        if fetching.remove {
            helper.remove().await?;
            set_removed(finished);
        }
        Ok(())
    }
    .await;
    teller.end();
    helper.close().await;
    outcome
}

fn set_removed(finished: &mut Finished) {
    if let Some(arrived) = finished.arrived.last_mut() {
        arrived.removed = true;
    }
}

/// Hashes what was written, as it reads back.
async fn hash(file: &Path) -> Result<Fetched, String> {
    let file = file.to_owned();
    tokio::task::spawn_blocking(move || copy_local(&file, &mut std::io::sink(), |_| {}))
        .await
        .map_err(|error| error.to_string())?
        .map_err(|error| error.to_string())
}
