//! Scanning in parallel, telling in order.
//!
//! Threads take jobs (a MiB of haystack each) in order and scan them. What a job finds is gathered in batches of bounded
//! size; the batches of the first job that is not finished go to the caller at once, those of later jobs wait, two or three
//! of each, and their threads with them. So results come in the order of the haystack whatever the number of threads, they
//! stream, and memory is bounded however much is found. When the caller wants no more, all threads stop at once.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::chunker::Chunker;
use crate::part::{Part, Piece};
use crate::scanner::{Found, Scanner};

/// How to go about it.
#[derive(Clone, Copy, Debug)]
pub struct Work {
    /// Threads that scan; with one, the calling thread does it.
    pub threads: usize,
    /// Bytes of a part at most.
    pub chunk: usize,
}

impl Default for Work {
    /// One thread, parts of a MiB: large enough that handing them out costs nothing, small enough for a second-level cache.
    fn default() -> Self {
        Self { threads: 1, chunk: 1 << 20 }
    }
}

/// A hit as a [`Sink`] is given it.
#[derive(Debug)]
pub struct Hit<'a> {
    /// What was found, and where.
    pub found: &'a Found,
    /// Its bytes.
    pub bytes: &'a [u8],
    /// The part in which it was found, for what lies around it.
    pub part: &'a Part,
}

/// Where hits go. The threads that scan fill batches; the caller of [`run`] gets them in order.
pub trait Sink: Sync {
    /// Hits, in whatever form.
    type Batch: Default + Send;

    /// Takes a hit into a batch. Breaks when the batch is full and should be handed on.
    fn add(&self, batch: &mut Self::Batch, hit: &Hit<'_>) -> ControlFlow<()>;
}

/// Scans pieces, which come by region and position, and hands `deliver` the batches of `sink` in that order.
///
/// # Errors
///
/// The first error of `deliver`; scanning ends with it.
pub fn run<S: Scanner, K: Sink, E>(
    pieces: impl Iterator<Item = Piece> + Send,
    scanner: &S,
    sink: &K,
    work: Work,
    deliver: impl FnMut(K::Batch) -> Result<(), E>,
) -> Result<(), E> {
    let chunker = Chunker::new(pieces, scanner.reach(), scanner.carries(), work.chunk);
    if work.threads <= 1 {
        return alone(chunker, scanner, sink, deliver);
    }
    let stop = AtomicBool::new(false);
    let (hand_out, results) = sync_channel(work.threads.saturating_mul(2));
    let jobs = Jobs(Mutex::new(Some((chunker, hand_out))));
    thread::scope(|scope| {
        let work_off = || {
            let mut space = S::Space::default();
            while let Some((job, out)) = jobs.next(&stop) {
                let flow = scan(&job, scanner, sink, &mut space, &mut |batch| {
                    let gone = stop.load(Ordering::Relaxed) || out.send(batch).is_err();
                    if gone { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                });
                if flow.is_break() {
                    stop.store(true, Ordering::Relaxed);
                }
            }
        };
        let start = |_: &usize| thread::Builder::new().spawn_scoped(scope, work_off).is_ok();
        if (0..work.threads).filter(start).count() == 0 {
            // Where no thread can be had, nobody has taken anything.
            let all = jobs.0.lock().unwrap_or_else(PoisonError::into_inner).take();
            return all.map_or(Ok(()), |(chunker, _)| alone(chunker, scanner, sink, deliver));
        }
        let told = results.iter().flatten().try_for_each(deliver);
        if told.is_err() {
            stop.store(true, Ordering::Relaxed);
        }
        // Threads that wait to hand something on wake up.
        drop(results);
        told
    })
}

/// Does all jobs on this thread.
fn alone<S: Scanner, K: Sink, E>(
    mut chunker: Chunker<impl Iterator<Item = Piece>>,
    scanner: &S,
    sink: &K,
    mut deliver: impl FnMut(K::Batch) -> Result<(), E>,
) -> Result<(), E> {
    let mut space = S::Space::default();
    let mut failed = None;
    while let Some(job) = chunker.job() {
        let flow = scan(&job, scanner, sink, &mut space, &mut |batch| match deliver(batch) {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                failed = Some(error);
                ControlFlow::Break(())
            }
        });
        if flow.is_break() {
            break;
        }
    }
    failed.map_or(Ok(()), Err)
}

/// Where a job's batches go.
type Out<B> = SyncSender<B>;

/// The jobs that are left, and where to announce those that are taken; nothing when there are no more.
struct Jobs<I: Iterator<Item = Piece>, B>(Mutex<Option<(Chunker<I>, Announce<B>)>>);

/// Tells the caller, in order, where batches will come from.
type Announce<B> = SyncSender<Receiver<B>>;

impl<I: Iterator<Item = Piece>, B> Jobs<I, B> {
    /// Takes a job, in order. Waits while too many are under way.
    fn next(&self, stop: &AtomicBool) -> Option<(Vec<Part>, Out<B>)> {
        let mut jobs = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = jobs.as_mut().filter(|_| !stop.load(Ordering::Relaxed)).and_then(
            |(chunker, hand_out)| {
                let job = chunker.job()?;
                let (out, batches) = sync_channel(2);
                hand_out.send(batches).ok()?;
                Some((job, out))
            },
        );
        if taken.is_none() {
            *jobs = None;
        }
        taken
    }
}

/// Scans a job.
fn scan<S: Scanner, K: Sink>(
    job: &[Part],
    scanner: &S,
    sink: &K,
    space: &mut S::Space,
    hand_on: &mut dyn FnMut(K::Batch) -> ControlFlow<()>,
) -> ControlFlow<()> {
    let mut batch = K::Batch::default();
    let mut any = false;
    for part in job {
        scanner.scan(part, space, &mut |found, bytes| {
            any = true;
            if sink.add(&mut batch, &Hit { found, bytes, part }).is_break() {
                any = false;
                hand_on(std::mem::take(&mut batch))?;
            }
            ControlFlow::Continue(())
        })?;
    }
    if any { hand_on(batch) } else { ControlFlow::Continue(()) }
}
