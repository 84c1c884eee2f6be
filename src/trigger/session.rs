//! One run of `trigger`: what is asked, in which order, and what happens on Ctrl-C.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

use anyhow::{Context as _, Result, anyhow, bail};
use ckpt_kubelet::{
    Client, Cluster, Error, Fetcher, KUBELET_TIMEOUT, Observer, Plan, Preflight, Verdict,
};
use futures_util::stream::{self, StreamExt};
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::destination::Destination;
use super::jobs::{self, Fetching, Finished};
use super::targets::{self, Resolved};
use super::tell::{Teller, say};
use super::{access, commands, document, failure};
use crate::commands::trigger::{TriggerArgs, Via};
use crate::context::Context;
use crate::exit::Outcome;
use crate::output::{self, Output};

/// Runs `trigger`.
pub(crate) fn run(args: &TriggerArgs, context: &Context) -> Result<Outcome> {
    if args.print_commands {
        let mut out = Output::open(args.output.output.as_deref())?;
        commands::write(&mut out, args)?;
        out.finish()?;
        return Ok(Outcome::Done);
    }
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start")?;
    let outcome = runtime.block_on(interruptible(args, context));
    // A thread that still copies is not waited for: it writes nothing that counts.
    runtime.shutdown_background();
    outcome
}

/// What the interruption of a run must know.
#[derive(Debug)]
struct Session {
    teller: Arc<Teller>,
    stop: Arc<AtomicBool>,
    fetcher: OnceLock<Fetcher>,
}

/// The signals that end a run: Ctrl-C, the wish of another program, the terminal that went away.
struct Signals {
    interrupt: Signal,
    terminate: Signal,
    hangup: Signal,
}

impl Signals {
    fn new() -> Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            interrupt: listen(SignalKind::interrupt())?,
            terminate: listen(SignalKind::terminate())?,
            hangup: listen(SignalKind::hangup())?,
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            _ = self.hangup.recv() => {}
        }
    }
}

async fn interruptible(args: &TriggerArgs, context: &Context) -> Result<Outcome> {
    let mut signals = Signals::new()?;
    let several = args.selector.is_some() || targets::pods(args).len() > 1;
    let session = Session {
        teller: Arc::new(Teller::new(args.verbose, several, context.progress())),
        stop: Arc::default(),
        fetcher: OnceLock::new(),
    };
    let mut work = Box::pin(work(args, context, &session));
    let ended = tokio::select! {
        outcome = &mut work => Some(outcome),
        () = signals.next() => None,
    };
    // Connections close with the work, and files without a name vanish; what is left is told, and pods are deleted.
    session.stop.store(true, Ordering::Relaxed);
    drop(work);
    session.teller.end();
    if ended.is_none() {
        say("interrupted");
        session.teller.left().iter().for_each(|left| say(&format!("  {left}")));
    }
    if let Some(fetcher) = session.fetcher.get() {
        tokio::select! {
            stuck = fetcher.clean_up() => stuck.iter().for_each(|pod| still_there(pod)),
            () = signals.next() => say("helper pods may be left: kubectl get pods -A -l app.kubernetes.io/name=ckpt-inspect-fetch"),
        }
    }
    ended.unwrap_or(Ok(Outcome::Interrupted))
}

fn still_there(pod: &str) {
    let (namespace, name) = pod.split_once('/').unwrap_or_default();
    say(&format!(
        "warning: the helper pod could not be deleted; it ends by itself within four hours: kubectl delete pod -n {namespace} {name}"
    ));
}

/// An error for the user, where nothing was made of anything.
fn fatal(error: &Error) -> anyhow::Error {
    anyhow!(failure::told(error, None))
}

async fn work(args: &TriggerArgs, context: &Context, session: &Session) -> Result<Outcome> {
    warn(args);
    let cluster = if targets::wants_cluster(args) {
        Some(access::cluster(&args.cluster).await.map_err(|error| fatal(&error))?)
    } else {
        None
    };
    let observer: Arc<dyn Observer> = session.teller.clone();
    let resolved = targets::resolve(args, cluster.as_ref(), &observer).await;
    if args.check {
        return check(args, cluster.as_ref(), resolved).await;
    }
    let resolved = match resolved {
        Ok(resolved) => resolved,
        Err(error) => {
            let plan = plan(args, cluster.as_ref(), true);
            let namespace = targets::namespace(args, cluster.as_ref());
            explain_access(&error, cluster.as_ref(), namespace, &plan).await;
            return Err(fatal(&error));
        }
    };
    let fetching = fetching(args, cluster.as_ref(), &resolved, session)?;
    let Resolved { jobs, failed } = resolved;
    let teller = &session.teller;
    let mut finished: Vec<Finished> = stream::iter(jobs)
        .map(|job| jobs::run(job, fetching.as_ref(), teller))
        .buffered(args.jobs.get())
        .collect()
        .await;
    finished.extend(failed.into_iter().map(|(label, error, place)| Finished {
        label,
        target: None,
        place,
        checkpoint: None,
        arrived: Vec::new(),
        error: Some(error),
    }));
    conclude(args, context, cluster.as_ref(), finished).await
}

/// What is said before anything is done.
fn warn(args: &TriggerArgs) {
    if args.kubelet.insecure_skip_tls_verify {
        say(
            "warning: the kubelet's certificate is not checked: whoever is in between reads the credentials, and can answer in \
             its place",
        );
    }
    let limit = KUBELET_TIMEOUT.as_secs();
    if args.timeout.is_some_and(|seconds| u64::from(seconds) < limit) {
        say(&format!(
            "note: a kubelet ignores a timeout below its own runtimeRequestTimeout ({limit} s unless configured) and goes on; only \
             this program gives up in time"
        ));
    }
    if args.fetch.rm_remote {
        say("note: --rm-remote needs the archive's directory writable; a helper pod mounts it so");
    }
}

fn plan(args: &TriggerArgs, cluster: Option<&Cluster>, elsewhere: bool) -> Plan {
    let helper = (args.fetch.fetch.is_some() && elsewhere)
        .then(|| match &args.fetch.fetch_namespace {
            Some(namespace) => Some(namespace.clone()),
            None => targets::namespace(args, cluster).ok(),
        })
        .flatten();
    Plan::new(args.cluster.via == Via::Apiserver, helper)
}

/// Prepares fetching, so that whatever is wrong with it is found out before a container is frozen.
fn fetching(
    args: &TriggerArgs,
    cluster: Option<&Cluster>,
    resolved: &Resolved,
    session: &Session,
) -> Result<Option<Fetching>> {
    let Some(path) = &args.fetch.fetch else { return Ok(None) };
    let elsewhere = resolved.jobs.iter().find(|job| !job.place.is_here());
    if let (Some(job), None) = (elsewhere, cluster) {
        bail!(
            "{} is not on this machine, and --node alone knows no API server to fetch through\n  what to do: run this on the node, \
             name a kubeconfig with --kubeconfig, or leave out --fetch and copy the archive from the node",
            job.place.told()
        );
    }
    let several = resolved.jobs.len() > 1 || args.selector.is_some();
    let destination = Destination::new(path, several)?;
    let fetcher = cluster.map(|cluster| {
        let fetcher = Fetcher::new(cluster)
            .image(&args.fetch.fetch_image)
            .namespace(args.fetch.fetch_namespace.clone())
            .writable(args.fetch.rm_remote)
            .observer(session.teller.clone());
        session.fetcher.get_or_init(|| fetcher).clone()
    });
    let stop = Arc::clone(&session.stop);
    Ok(Some(Fetching { destination, fetcher, remove: args.fetch.rm_remote, stop }))
}

/// Shows the results and tells the errors.
async fn conclude(
    args: &TriggerArgs,
    context: &Context,
    cluster: Option<&Cluster>,
    finished: Vec<Finished>,
) -> Result<Outcome> {
    let made = finished.iter().filter(|one| one.checkpoint.is_some()).count();
    let errors: Vec<(String, &Finished)> = finished
        .iter()
        .filter_map(|one| {
            let error = one.error.as_ref()?;
            Some((format!("{}: {}", one.label, failure::told(error, one.target.as_ref())), one))
        })
        .collect();
    let mut explained = String::new();
    let namespace = targets::namespace(args, cluster).ok();
    for (_, one) in &errors {
        let Some(error) = &one.error else { continue };
        let plan = plan(args, cluster, !one.place.is_this_node());
        explained = failure::explained(error, namespace.as_ref(), &one.place, cluster, &plan).await;
        // The first that there is something to say about; the others are likely alike.
        if !explained.is_empty() {
            break;
        }
    }
    let errors: Vec<String> = errors.into_iter().map(|(text, _)| text).collect();
    // Opening a large archive takes its time: on a thread of its own, so that Ctrl-C is heard.
    let (output, via, spool, surroundings) =
        (args.output.clone(), args.cluster.via, args.spool.clone(), context.clone());
    let showing = tokio::task::spawn_blocking(move || {
        let mut out = Output::open(output.output.as_deref())?;
        let format = output.format;
        let defects = document::write(&mut out, format, via, &finished, &surroundings, &spool)?;
        out.finish()?;
        anyhow::Ok(defects)
    });
    let defects = showing.await.context("cannot show the results")??;
    if !explained.is_empty() {
        say(explained.trim_end());
    }
    match (made, errors.as_slice()) {
        (_, []) => Ok(output::warn(&defects)),
        (0, [one]) => bail!("{one}"),
        (0, all) => {
            all.iter().for_each(|one| say(one));
            bail!("none of {} checkpoints was made", all.len());
        }
        (_, some) => {
            some.iter().for_each(|one| say(&format!("error: {one}")));
            output::warn(&defects);
            Ok(Outcome::Defects)
        }
    }
}

/// Why pods cannot be read.
async fn explain_access(
    error: &Error,
    cluster: Option<&Cluster>,
    namespace: Result<ckpt_kubelet::Namespace, Error>,
    plan: &Plan,
) {
    let (Error::Forbidden(_), Some(cluster), Ok(namespace)) = (error, cluster, namespace) else {
        return;
    };
    let found = Preflight::of(cluster, &namespace, None, None, plan).await;
    let text = failure::to_apply(&found.manifests);
    if !text.is_empty() {
        say(text.trim_end());
    }
}

/// `--check`.
async fn check(
    args: &TriggerArgs,
    cluster: Option<&Cluster>,
    resolved: Result<Resolved, Error>,
) -> Result<Outcome> {
    let mut found = Preflight::default();
    let (resolved, unresolved) = match resolved {
        Ok(resolved) => (resolved, None),
        Err(error) => (Resolved::default(), Some(error)),
    };
    let first = resolved.jobs.first().map(|job| &job.place);
    let first = first.or_else(|| resolved.failed.first().map(|(_, _, place)| place));
    if let Some(cluster) = cluster {
        let namespace = targets::namespace(args, Some(cluster)).map_err(|error| fatal(&error))?;
        let elsewhere = first.is_none_or(|place| !place.is_this_node());
        let plan = plan(args, Some(cluster), elsewhere);
        let (pod, node) =
            first.map_or((None, None), |place| (place.pod.as_ref(), place.facts.as_ref()));
        found = Preflight::of(cluster, &namespace, pod, node, &plan).await;
    }
    let mut asked = Vec::new();
    for job in &resolved.jobs {
        let server = job.client.server().to_string();
        if asked.contains(&server) {
            continue;
        }
        let (verdict, note) = match probe(&job.client, job).await {
            Ok(()) => (Verdict::Yes, String::new()),
            Err(error) => (Verdict::No, failure::told(&error, None)),
        };
        found.tell(format!("does {server} take our request?"), verdict, note);
        asked.push(server);
    }
    for (label, error, _) in &resolved.failed {
        found.tell(
            format!("is there something to do for {label}?"),
            Verdict::No,
            failure::told(error, None),
        );
    }
    if let Some(error) = unresolved {
        found.tell("can the containers be found?", Verdict::No, failure::told(&error, None));
    }
    let mut out = Output::open(args.output.output.as_deref())?;
    document::write_checks(&mut out, args.output.format, &found)?;
    out.finish()?;
    if !found.is_good() {
        bail!("a checkpoint would fail: see what is answered with no");
    }
    Ok(Outcome::Done)
}

async fn probe(client: &Client, job: &targets::Job) -> Result<(), Error> {
    client.probe(&job.target).await
}
