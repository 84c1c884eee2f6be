//! What one part of a stretch tells the next: where a search that may not overlap itself goes on.

use std::sync::{Arc, Condvar, Mutex, PoisonError};

#[derive(Debug, Default)]
struct Cell {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum State {
    #[default]
    Waiting,
    Told(Vec<u64>),
    /// Whoever should have told it is gone.
    Abandoned,
}

/// The end that the earlier part holds.
#[derive(Debug)]
pub(crate) struct CarryOut(Arc<Cell>);

/// The end that the later part holds.
#[derive(Debug)]
pub(crate) struct CarryIn(Arc<Cell>);

/// Both ends.
pub(crate) fn carry() -> (CarryOut, CarryIn) {
    let cell = Arc::<Cell>::default();
    (CarryOut(Arc::clone(&cell)), CarryIn(cell))
}

impl CarryOut {
    /// Tells it.
    pub(crate) fn tell(&self, value: Vec<u64>) {
        self.set(State::Told(value));
    }

    fn set(&self, state: State) {
        *self.0.state.lock().unwrap_or_else(PoisonError::into_inner) = state;
        self.0.changed.notify_all();
    }
}

impl Drop for CarryOut {
    fn drop(&mut self) {
        let told = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = matches!(*told, State::Waiting);
        drop(told);
        if waiting {
            self.set(State::Abandoned);
        }
    }
}

impl CarryIn {
    /// Waits for it; `None` when it will not come.
    pub(crate) fn wait(&self) -> Option<Vec<u64>> {
        let mut state = self.0.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match &mut *state {
                State::Told(value) => return Some(std::mem::take(value)),
                State::Abandoned => return None,
                State::Waiting => {}
            }
            state = self.0.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}
