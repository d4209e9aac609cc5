//! Hands out transaction ids and snapshots, and knows which snapshots are still in use.

use llkv_types::{Horizon, TXN_ID_AUTO_COMMIT, TxnId};
use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What a transaction sees: everything that was published when it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionSnapshot {
    /// Identity of the transaction while it runs; [`TXN_ID_AUTO_COMMIT`] for a read outside BEGIN.
    pub txn_id: TxnId,
    /// The last commit that it sees.
    pub snapshot_id: TxnId,
}

/// The watermark and the snapshots in use. One per database.
#[derive(Debug)]
pub struct TxnIdManager {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    watermark: TxnId,
    next_txn_id: TxnId,
    /// How many users each snapshot in use has.
    live: BTreeMap<TxnId, usize>,
}

/// A snapshot that keeps the versions it sees from being collected until it is dropped.
#[derive(Debug)]
pub struct RegisteredSnapshot {
    snapshot: TransactionSnapshot,
    manager: Arc<TxnIdManager>,
}

impl TxnIdManager {
    /// A manager for a database whose last commit is `last_committed`.
    #[must_use]
    pub fn new(last_committed: TxnId) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::new(State {
                watermark: last_committed.max(TXN_ID_AUTO_COMMIT),
                next_txn_id: TXN_ID_AUTO_COMMIT + 1,
                live: BTreeMap::new(),
            }),
        })
    }

    /// Begins a transaction: a fresh `txn_id`, a snapshot at the watermark.
    #[must_use]
    pub fn begin_transaction(self: &Arc<Self>) -> RegisteredSnapshot {
        let mut state = self.state.lock();
        let txn_id = state.next_txn_id;
        state.next_txn_id += 1;
        self.register(&mut state, txn_id)
    }

    /// A snapshot for one statement that only reads.
    #[must_use]
    pub fn auto_commit_snapshot(self: &Arc<Self>) -> RegisteredSnapshot {
        self.register(&mut self.state.lock(), TXN_ID_AUTO_COMMIT)
    }

    fn register(self: &Arc<Self>, state: &mut State, txn_id: TxnId) -> RegisteredSnapshot {
        let snapshot_id = state.watermark;
        *state.live.entry(snapshot_id).or_default() += 1;
        RegisteredSnapshot {
            snapshot: TransactionSnapshot {
                txn_id,
                snapshot_id,
            },
            manager: Arc::clone(self),
        }
    }

    /// The watermark: the last commit that is published. Every commit up to it is published too.
    #[must_use]
    pub fn last_committed(&self) -> TxnId {
        self.state.lock().watermark
    }

    /// Moves the watermark. Commits are published in the order of their ids, so an id at or below the
    /// watermark changes nothing.
    pub fn publish(&self, commit_id: TxnId) {
        let mut state = self.state.lock();
        state.watermark = state.watermark.max(commit_id);
    }

    /// The oldest snapshot that is in use or may still be taken: a version deleted at or before it is
    /// seen by nobody.
    #[must_use]
    pub fn gc_bound(&self) -> TxnId {
        let state = self.state.lock();
        let oldest = state.live.keys().next().copied();
        oldest.unwrap_or(state.watermark)
    }

    /// All snapshots in use, and those that may still be taken: a version that none of them sees is seen by nobody, however
    /// old the oldest of them is.
    #[must_use]
    pub fn horizon(&self) -> Horizon {
        let state = self.state.lock();
        Horizon::new(state.live.keys().copied(), state.watermark)
    }

    /// Snapshots in use, the oldest first, and how many users each has.
    #[must_use]
    pub fn live_snapshots(&self) -> Vec<(TxnId, usize)> {
        let state = self.state.lock();
        state.live.iter().map(|(id, users)| (*id, *users)).collect()
    }
}

impl RegisteredSnapshot {
    /// The snapshot.
    #[must_use]
    pub fn snapshot(&self) -> TransactionSnapshot {
        self.snapshot
    }
}

impl Drop for RegisteredSnapshot {
    fn drop(&mut self) {
        let mut state = self.manager.state.lock();
        if let Some(users) = state.live.get_mut(&self.snapshot.snapshot_id) {
            *users -= 1;
            if *users == 0 {
                state.live.remove(&self.snapshot.snapshot_id);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_between_two_snapshots_is_seen_by_the_second_only() {
        let manager = TxnIdManager::new(10);
        let first = manager.begin_transaction();
        manager.publish(11);
        let second = manager.begin_transaction();
        assert_eq!(first.snapshot().snapshot_id, 10);
        assert_eq!(second.snapshot().snapshot_id, 11);
        assert_ne!(first.snapshot().txn_id, second.snapshot().txn_id);
        assert_eq!(manager.gc_bound(), 10);
        assert_eq!(manager.horizon(), Horizon::new([10], 11));
        drop(first);
        assert_eq!(manager.gc_bound(), 11);
    }

    #[test]
    fn the_watermark_never_goes_back() {
        let manager = TxnIdManager::new(3);
        manager.publish(7);
        manager.publish(5);
        assert_eq!(manager.last_committed(), 7);
    }

    #[test]
    fn equal_snapshots_are_counted() {
        let manager = TxnIdManager::new(3);
        let (a, b) = (manager.auto_commit_snapshot(), manager.begin_transaction());
        manager.publish(4);
        drop(a);
        assert_eq!(manager.gc_bound(), 3);
        assert_eq!(manager.live_snapshots().len(), 1);
        drop(b);
        assert_eq!(manager.gc_bound(), 4);
    }
}
