//! The progress bar: on standard error, for work that takes longer than a second.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use ckpt::archive::Progress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// A bar that stays away while the work is short.
#[derive(Debug, Default)]
pub(crate) struct Bar(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    began: Option<Instant>,
    what: String,
    total: Option<u64>,
    done: u64,
    bar: Option<ProgressBar>,
}

/// Work shorter than this shows no bar.
const PATIENCE: Duration = Duration::from_secs(1);

impl State {
    fn draw(&mut self) {
        if self.bar.is_none() && self.began.is_some_and(|began| began.elapsed() >= PATIENCE) {
            let bar = ProgressBar::with_draw_target(self.total, ProgressDrawTarget::stderr());
            let template = if self.total.is_some() {
                "{msg} {bar:30} {bytes}/{total_bytes} {bytes_per_sec} {eta}"
            } else {
                "{msg} {spinner} {bytes} {bytes_per_sec}"
            };
            if let Ok(style) = ProgressStyle::with_template(template) {
                bar.set_style(style);
            }
            bar.set_message(ckpt::model::escape(self.what.as_bytes()).into_owned());
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            bar.set_position(self.done);
        }
    }
}

impl Progress for Bar {
    fn begin(&self, what: &str, total: Option<u64>) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        *state =
            State { began: Some(Instant::now()), what: what.to_owned(), total, ..State::default() };
    }

    fn advance(&self, bytes: u64) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.done = state.done.saturating_add(bytes);
        state.draw();
    }

    fn end(&self) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bar) = state.bar.take() {
            bar.finish_and_clear();
        }
    }
}
