//! What `strings` and `search` have in common: threads, progress, and hits made into lines by the threads that find them.

use std::fmt::Debug;
use std::num::NonZero;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::Result;
use ckpt::archive::Progress;
use ckpt::model::Pid;
use ckpt::model::artifacts::{Artifact, Artifacts};
use ckpt::scan::{CopySpace, Haystack, Hit, Piece, Place, Scanner, Sink, Work, run};
use clap::Args;

use crate::progress::Bar;

/// How to search.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Work")]
pub(crate) struct WorkArgs {
    /// Threads that search [default: as many as there are processors, 8 at most]. The output is the same with any number.
    #[arg(long, value_name = "N")]
    threads: Option<NonZero<usize>>,
}

impl WorkArgs {
    /// How a search is gone about.
    pub(crate) fn work(&self) -> Work {
        let available = || std::thread::available_parallelism().map_or(1, NonZero::get).min(8);
        let threads = self.threads.map_or_else(available, |threads| threads.get().min(256));
        Work { threads, ..Work::default() }
    }
}

/// The artifacts to search: all, or those that the chosen processes have.
pub(crate) fn chosen<'a>(
    artifacts: &'a Artifacts,
    pids: Option<&'a [Pid]>,
) -> impl Iterator<Item = &'a Artifact> {
    artifacts.list.iter().filter(move |artifact| {
        pids.is_none_or(|pids| artifact.holders.iter().any(|holder| pids.contains(&holder.pid)))
    })
}

/// Bytes of output that a thread gathers before it hands them on.
const ENOUGH: usize = 512 << 10;

/// Buffers that were written, for the lines to come: fresh memory costs as much as filling it does.
#[derive(Clone, Debug, Default)]
struct Spare(Arc<Mutex<Vec<Vec<u8>>>>);

impl Spare {
    fn take(&self) -> Vec<u8> {
        let mut bytes = self.buffers().pop().unwrap_or_default();
        // At once: what grows is copied each time.
        bytes.reserve(ENOUGH.saturating_add(ENOUGH / 4));
        bytes
    }

    fn give(&self, mut bytes: Vec<u8>) {
        bytes.clear();
        self.buffers().push(bytes);
    }

    fn buffers(&self) -> MutexGuard<'_, Vec<Vec<u8>>> {
        // They are good even if a thread died that held them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Makes lines of hits, in the threads that find them.
pub(crate) struct Lines<'a, F> {
    haystack: &'a Haystack<'a>,
    fold: bool,
    line: F,
    spare: Spare,
}

impl<'a, F> Lines<'a, F>
where
    F: Fn(&mut Vec<u8>, &Hit<'_>, &[Place<'_>], bool) + Sync,
{
    /// `line` adds one hit at its places, and is told whether there are more than these. With `fold` these are also those of other processes that have the same at the
    /// same address, and of those only the first tells of it.
    pub(crate) fn new(haystack: &'a Haystack<'a>, fold: bool, line: F) -> Self {
        Self { haystack, fold, line, spare: Spare::default() }
    }
}

/// Lines, and how many hits they tell.
#[derive(Debug, Default)]
pub(crate) struct Batch<'a> {
    pub(crate) bytes: Vec<u8>,
    pub(crate) hits: u64,
    copies: CopySpace,
    /// Of the last hit; used again for the next.
    places: Vec<Place<'a>>,
    spare: Option<Spare>,
}

impl Drop for Batch<'_> {
    fn drop(&mut self) {
        if let Some(spare) = &self.spare {
            spare.give(std::mem::take(&mut self.bytes));
        }
    }
}

impl<'a, F> Sink for Lines<'a, F>
where
    F: Fn(&mut Vec<u8>, &Hit<'_>, &[Place<'_>], bool) + Sync,
{
    type Batch = Batch<'a>;

    fn add(&self, batch: &mut Batch<'a>, hit: &Hit<'_>) -> ControlFlow<()> {
        let range = &hit.found.range;
        let Batch { bytes, hits, copies, places, spare } = batch;
        let mut more = false;
        if self.fold {
            // They are counted there.
            self.haystack.places(hit.part.region(), range, places);
            if !self.haystack.copies(hit.part, range, copies, places) {
                return ControlFlow::Continue(());
            }
        } else {
            more = self.haystack.first_places(hit.part.region(), range, places);
        }
        if spare.is_none() {
            *spare = Some(self.spare.clone());
            *bytes = self.spare.take();
        }
        (self.line)(bytes, hit, places, more);
        *hits = hits.saturating_add(1);
        if bytes.len() >= ENOUGH { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }
}

/// Searches a haystack, and hands on what a sink makes of it; `bar` is told how far it has come.
pub(crate) fn search<S: Scanner, K: Sink>(
    haystack: &Haystack<'_>,
    scanner: &S,
    sink: &K,
    args: &WorkArgs,
    bar: Option<Bar>,
    deliver: impl FnMut(K::Batch) -> Result<()>,
) -> Result<()> {
    let bar = bar.map(Arc::new);
    if let Some(bar) = &bar {
        bar.begin("searching", Some(haystack.size()));
    }
    let advance = bar.clone();
    let pieces = haystack.pieces().inspect(move |piece: &Piece| tell(advance.as_deref(), piece));
    let done = run(pieces, scanner, sink, args.work(), deliver);
    if let Some(bar) = &bar {
        bar.end();
    }
    done
}

fn tell(bar: Option<&Bar>, piece: &Piece) {
    if let Some(bar) = bar {
        bar.advance(piece.bytes.len() as u64);
    }
}

impl<F> Debug for Lines<'_, F> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lines").field("fold", &self.fold).finish_non_exhaustive()
    }
}
