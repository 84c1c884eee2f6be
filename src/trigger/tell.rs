//! What happens, told on standard error; and what is known when Ctrl-C comes.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use ckpt::archive::Progress;
use ckpt::model::escape;
use ckpt_kubelet::{Error, Event, Observer, Target};

use crate::progress::Bar;

/// How far a container's checkpoint is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Phase {
    /// The kubelet may be at it.
    Asked,
    /// It is on the node, under these paths.
    Made(Vec<String>),
    /// It is done, or nothing can have been left.
    Over,
}

/// Tells, and keeps the phases.
#[derive(Debug)]
pub(super) struct Teller {
    verbose: u8,
    several: bool,
    bar: Option<Bar>,
    phases: Mutex<BTreeMap<Target, Phase>>,
}

impl Teller {
    pub(super) fn new(verbose: u8, several: bool, bar: Option<Bar>) -> Self {
        Self { verbose, several, bar, phases: Mutex::default() }
    }

    fn phases(&self) -> MutexGuard<'_, BTreeMap<Target, Phase>> {
        self.phases.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes how far a checkpoint is.
    pub(super) fn set(&self, target: &Target, phase: Phase) {
        self.phases().insert(target.clone(), phase);
    }

    /// Bytes that are read here, not received.
    pub(super) fn advance(&self, bytes: u64) {
        if let Some(bar) = &self.bar {
            bar.advance(bytes);
        }
    }

    /// A transfer begins.
    pub(super) fn begin(&self, size: Option<u64>) {
        if let Some(bar) = &self.bar {
            // Several at once share a bar, which then knows no end.
            bar.begin("fetching", size.filter(|_| !self.several));
        }
    }

    /// The transfers are over.
    pub(super) fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.end();
        }
    }

    /// What may be on the nodes, for somebody who gave up.
    pub(super) fn left(&self) -> Vec<String> {
        let told = |(target, phase): (&Target, &Phase)| match phase {
            Phase::Asked => {
                let what = Error::Interrupted.leftover(target).unwrap_or_default();
                Some(format!("{target}: the kubelet was asked and did not answer yet; {what}"))
            }
            Phase::Made(paths) => {
                Some(format!("{target}: the archive is on the node: {}", paths.join(", ")))
            }
            Phase::Over => None,
        };
        self.phases().iter().filter_map(told).collect()
    }

    fn say(&self, level: u8, text: &str) {
        if self.verbose >= level {
            say(text);
        }
    }
}

/// One line on standard error. What it quotes may come from anywhere.
pub(super) fn say(text: &str) {
    let text = escape(text.as_bytes()).replace("\\n", "\n");
    let _ = writeln!(io::stderr(), "{text}");
}

impl Observer for Teller {
    fn event(&self, target: &Target, event: &Event<'_>) {
        match event {
            Event::Request { what, credentials } => {
                self.say(1, &format!("{target}: {what}"));
                self.say(2, &format!("{target}: credentials: {credentials} (not shown)"));
            }
            Event::Sent => {
                self.say(2, &format!("{target}: request sent"));
                self.set(target, Phase::Asked);
            }
            Event::Answered { status } => {
                self.say(1, &format!("{target}: answer {status}"));
                self.set(target, Phase::Over);
            }
            Event::Retry { error, after } => {
                self.say(0, &format!("{target}: {error}; once more in {} s", after.as_secs_f64()));
            }
            Event::HelperCreated { namespace, pod, node } => {
                self.say(1, &format!("{target}: creating helper pod {namespace}/{pod} on {node}"));
            }
            Event::HelperReady => {
                self.say(1, &format!("{target}: helper pod runs; hashing on the node"));
            }
            Event::Measured { size } => {
                self.say(1, &format!("{target}: {size} bytes to fetch"));
                self.begin(Some(*size));
            }
            Event::Received { bytes } => self.advance(*bytes),
            Event::Resumed { offset, why } => {
                self.say(
                    0,
                    &format!(
                        "{target}: the stream broke at byte {offset} ({why}); taking it up again"
                    ),
                );
            }
            Event::Verified => {
                self.end();
                self.say(1, &format!("{target}: hashes agree"));
            }
            Event::Removed => self.say(1, &format!("{target}: archive deleted on the node")),
            Event::HelperDeleted { pod } => {
                self.say(1, &format!("{target}: helper pod {pod} deleted"));
            }
            _ => {}
        }
    }
}
