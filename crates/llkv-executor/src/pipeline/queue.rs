//! A bounded queue that puts the batches of several workers back into the order of their morsels.

use crate::batch::Batch;
use llkv_result::{Error, ExecError, Result};
use parking_lot::{Condvar, Mutex};
use std::collections::VecDeque;

/// Batches that may wait per morsel. What is held is at most this times [`MORSELS_PER_WORKER`] times the workers,
/// and one morsel's share in the consumer's hands, however slow it is.
const BATCHES_PER_MORSEL: usize = 16;
/// The same where memory is limited: nobody counts them.
const BATCHES_WHERE_LIMITED: usize = 4;

/// Morsels per worker, from the one that is handed out on, that may have batches waiting: all batches of a small
/// morsel find room, so that its worker would else run on to the end of the table.
const MORSELS_PER_WORKER: usize = 2;

#[derive(Default)]
struct MorselQueue {
    batches: VecDeque<Batch>,
    finished: bool,
}

struct State {
    /// The morsel whose batches are handed out; the front of `morsels`.
    current: usize,
    morsels: VecDeque<MorselQueue>,
    workers: usize,
    closed: bool,
    error: Option<Error>,
}

impl State {
    fn morsel(&mut self, number: usize) -> Option<&mut MorselQueue> {
        let at = number.checked_sub(self.current)?;
        while self.morsels.len() <= at {
            self.morsels.push_back(MorselQueue::default());
        }
        self.morsels.get_mut(at)
    }
}

/// Workers put batches in, one consumer takes them out. The consumer only waits for the lowest unfinished
/// morsel, whose worker never waits for another worker: so nobody waits in a circle.
pub(crate) struct OrderedQueue {
    total: usize,
    /// Morsels that may have batches waiting, ...
    ahead: usize,
    /// ... and how many each.
    batches_per_morsel: usize,
    state: Mutex<State>,
    filled: Condvar,
    room: Condvar,
}

impl OrderedQueue {
    /// A queue for morsels `0..total` of `workers` workers, a short one where memory `is_limited`.
    pub(crate) fn new(total: usize, workers: usize, is_limited: bool) -> Self {
        Self {
            total,
            ahead: workers * MORSELS_PER_WORKER,
            batches_per_morsel: match is_limited {
                true => BATCHES_WHERE_LIMITED,
                false => BATCHES_PER_MORSEL,
            },
            state: Mutex::new(State {
                current: 0,
                morsels: VecDeque::new(),
                workers,
                closed: false,
                error: None,
            }),
            filled: Condvar::new(),
            room: Condvar::new(),
        }
    }

    /// Puts a batch in, waiting for room. False once the consumer is gone.
    pub(crate) fn push(&self, morsel: usize, batch: Batch) -> bool {
        let mut state = self.state.lock();
        loop {
            if state.closed {
                return false;
            }
            let current = state.current;
            let Some(queue) = state.morsel(morsel) else {
                return false;
            };
            if queue.batches.len() < self.batches_per_morsel && morsel < current + self.ahead {
                let was_empty = queue.batches.is_empty();
                queue.batches.push_back(batch);
                if was_empty && morsel == current {
                    self.filled.notify_one();
                }
                return true;
            }
            self.room.wait(&mut state);
        }
    }

    /// Tells that no more batches of the morsel come.
    pub(crate) fn finish(&self, morsel: usize) {
        let mut state = self.state.lock();
        if let Some(queue) = state.morsel(morsel) {
            queue.finished = true;
        }
        self.filled.notify_one();
    }

    /// Tells that a worker ended, and how.
    pub(crate) fn leave(&self, outcome: Result<()>) {
        let mut state = self.state.lock();
        state.workers -= 1;
        if let Err(error) = outcome
            && state.error.is_none()
        {
            state.error = Some(error);
        }
        self.filled.notify_one();
    }

    /// Tells the workers that nobody takes batches any more.
    pub(crate) fn close(&self) {
        let mut state = self.state.lock();
        state.closed = true;
        state.morsels.clear();
        self.room.notify_all();
    }

    /// The next batches in order, waiting for them; none after the last morsel. All that are there are handed
    /// out at once, so that consumer and workers meet rarely.
    pub(crate) fn pop(&self) -> Result<VecDeque<Batch>> {
        let mut state = self.state.lock();
        loop {
            if let Some(error) = state.error.take() {
                return Err(error);
            }
            if state.current >= self.total {
                return Ok(VecDeque::new());
            }
            let current = state.current;
            let front = state.morsel(current).map(|queue| {
                let batches = std::mem::take(&mut queue.batches);
                (batches, queue.finished)
            });
            match front {
                Some((batches, _)) if !batches.is_empty() => {
                    self.room.notify_all();
                    return Ok(batches);
                }
                Some((_, true)) => {
                    state.morsels.pop_front();
                    state.current += 1;
                    self.room.notify_all();
                }
                _ if state.workers == 0 => {
                    return Err(ExecError::Disconnected { operator: "query" }.into());
                }
                _ => self.filled.wait(&mut state),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn a_slow_consumer_holds_back_workers_with_small_morsels() {
        const MORSELS: usize = 200;
        let queue = OrderedQueue::new(MORSELS, 1, false);
        let pushed = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                for morsel in 0..MORSELS {
                    queue.push(morsel, Batch::new(Vec::new(), 1));
                    queue.finish(morsel);
                    pushed.fetch_add(1, Ordering::SeqCst);
                }
                queue.leave(Ok(()));
            });
            let mut taken = 0;
            loop {
                let batches = queue.pop().unwrap();
                if batches.is_empty() {
                    break;
                }
                taken += batches.len();
                // Without a bound the worker would be through by now.
                std::thread::sleep(Duration::from_millis(1));
                let ahead = pushed.load(Ordering::SeqCst).saturating_sub(taken);
                assert!(ahead <= MORSELS_PER_WORKER, "{ahead} morsels ahead");
            }
            assert_eq!(taken, MORSELS);
        });
    }
}
