//! Rows of one table that running transactions have deleted or replaced: locks that are never waited for.

use llkv_types::{RowId, TxnId};
use parking_lot::Mutex;
use roaring::RoaringTreemap;

/// Row ids by the transaction that is about to delete them. A row has at most one.
#[derive(Debug, Default)]
pub struct PendingDeletes {
    owners: Mutex<Vec<(TxnId, RoaringTreemap)>>,
}

impl PendingDeletes {
    /// Takes all of `rows` for `txn`, or none and gives back one that another transaction has.
    ///
    /// # Errors
    /// The row that another transaction has.
    pub fn acquire(&self, txn: TxnId, rows: &RoaringTreemap) -> Result<(), RowId> {
        let mut owners = self.owners.lock();
        for (owner, held) in owners.iter() {
            if *owner != txn && !held.is_disjoint(rows) {
                return Err((held & rows).min().unwrap_or_default());
            }
        }
        match owners.iter_mut().find(|(owner, _)| *owner == txn) {
            Some((_, held)) => *held |= rows,
            None => owners.push((txn, rows.clone())),
        }
        Ok(())
    }

    /// Gives up some rows: a savepoint was rolled back.
    pub fn release(&self, txn: TxnId, rows: &RoaringTreemap) {
        let mut owners = self.owners.lock();
        if let Some((_, held)) = owners.iter_mut().find(|(owner, _)| *owner == txn) {
            *held -= rows;
        }
    }

    /// Gives up all rows: the transaction ended. After a commit, only once it is published.
    pub fn release_all(&self, txn: TxnId) {
        self.owners.lock().retain(|(owner, _)| *owner != txn);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_updater_wins() {
        let pending = PendingDeletes::default();
        let rows = |ids: &[u64]| ids.iter().copied().collect::<RoaringTreemap>();
        pending.acquire(7, &rows(&[1, 2])).unwrap();
        pending.acquire(7, &rows(&[2, 3])).unwrap();
        assert_eq!(pending.acquire(8, &rows(&[3, 4])), Err(3));
        pending.acquire(8, &rows(&[4])).unwrap();
        pending.release(7, &rows(&[3]));
        pending.acquire(8, &rows(&[3])).unwrap();
        assert_eq!(pending.acquire(8, &rows(&[1])), Err(1));
        pending.release_all(7);
        pending.acquire(8, &rows(&[1])).unwrap();
    }
}
