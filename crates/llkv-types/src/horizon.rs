//! Which versions anybody can still see: the snapshots in use, and all that may be taken from now on.

use crate::{TXN_ID_AUTO_COMMIT, TXN_ID_NONE, TxnId};

/// The snapshots that garbage collection has to serve, as of one moment.
///
/// A version was created by one commit and deleted by another; it is seen by the snapshots from the first on and before the second.
/// Old versions stay for the snapshots in use only: beside one that has been open for long, a row that changes again and again
/// has the version which that one sees and the youngest, and none in between.
///
/// ```
/// use llkv_types::Horizon;
///
/// let horizon = Horizon::new([10, 40], 50);
/// assert!(!horizon.is_dead(7, 30), "10 sees it");
/// assert!(horizon.is_dead(20, 30), "nobody looked in between");
/// assert!(!horizon.is_dead(20, 60), "new snapshots see it");
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Horizon {
    /// Ascending; the last is the watermark, at or after which all new snapshots are.
    snapshots: Vec<TxnId>,
}

impl Horizon {
    /// Snapshots in use, in any order, and the watermark: the lowest one that may still be taken.
    #[must_use]
    pub fn new(in_use: impl IntoIterator<Item = TxnId>, watermark: TxnId) -> Self {
        let mut snapshots: Vec<TxnId> = in_use.into_iter().filter(|id| *id < watermark).collect();
        snapshots.push(watermark);
        snapshots.sort_unstable();
        snapshots.dedup();
        Self { snapshots }
    }

    /// After which every commit that there may be is one that everybody sees.
    #[must_use]
    pub fn end() -> Self {
        Self::new([], TxnId::MAX)
    }

    /// The oldest snapshot: what was committed by then, everybody sees.
    #[must_use]
    pub fn oldest(&self) -> TxnId {
        self.snapshots.first().copied().unwrap_or_default()
    }

    fn watermark(&self) -> TxnId {
        self.snapshots.last().copied().unwrap_or_default()
    }

    /// True for a version that no snapshot sees, in use or yet to be taken. [`TXN_ID_NONE`]: not deleted.
    #[must_use]
    pub fn is_dead(&self, created_by: TxnId, deleted_by: TxnId) -> bool {
        deleted_by != TXN_ID_NONE
            && (deleted_by <= self.oldest()
                || deleted_by <= self.watermark() && self.first_from(created_by) >= deleted_by)
    }

    /// The first snapshot that sees what a commit did; the commit itself where none is known.
    fn first_from(&self, commit: TxnId) -> TxnId {
        let at = self.snapshots.partition_point(|id| *id < commit);
        self.snapshots.get(at).copied().unwrap_or(commit)
    }

    /// A commit that takes the place of another in what is stored: every snapshot sees both or neither. So rows of many commits
    /// are stored as those of one. [`TXN_ID_AUTO_COMMIT`] for what all of them see.
    #[must_use]
    pub fn settled(&self, commit: TxnId) -> TxnId {
        match commit <= self.oldest() {
            true => TXN_ID_AUTO_COMMIT,
            false => self.first_from(commit),
        }
    }
}

/// No snapshot in use is below a bound: versions that were deleted by then are dead, and all others are not.
impl From<TxnId> for Horizon {
    fn from(bound: TxnId) -> Self {
        Self::new([], bound)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Everything small, against the definition.
    #[test]
    fn a_version_is_dead_when_no_snapshot_is_between_its_commits() {
        const LAST: TxnId = 9;
        for bits in 0..1u32 << 6 {
            let in_use: Vec<TxnId> = (1..7).filter(|id| bits >> (id - 1) & 1 == 1).collect();
            for watermark in 1..LAST {
                let horizon = Horizon::new(in_use.iter().copied(), watermark);
                // None in use is above the watermark.
                let used = in_use.iter().copied().filter(|id| *id <= watermark);
                let all: Vec<TxnId> = used.chain(watermark..=LAST).collect();
                let sees =
                    |snapshot: TxnId, created, deleted| created <= snapshot && snapshot < deleted;
                for created in 1..=LAST {
                    // What comes and goes in one commit that nobody sees yet may stay until somebody does.
                    let first_end = created + TxnId::from(created > watermark);
                    for deleted in (first_end..=LAST).chain([TXN_ID_NONE]) {
                        let seen = all.iter().any(|id| sees(*id, created, deleted));
                        let what = format!("{created}..{deleted} at {horizon:?}");
                        assert_eq!(horizon.is_dead(created, deleted), !seen, "{what}");
                        let stored = horizon.settled(created);
                        let still =
                            |id: &TxnId| sees(*id, stored, deleted) == sees(*id, created, deleted);
                        assert!(!seen || all.iter().all(still), "{what}");
                        let until = horizon.settled(deleted);
                        let still =
                            |id: &TxnId| sees(*id, created, until) == sees(*id, created, deleted);
                        assert!(deleted == TXN_ID_NONE || all.iter().all(still), "{what}");
                        assert!(deleted == TXN_ID_NONE || stored <= until, "{what}");
                    }
                }
            }
        }
    }
}
