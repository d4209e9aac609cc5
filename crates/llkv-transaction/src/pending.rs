//! Rows of one table that running transactions have deleted or replaced: locks, which are waited for where a session asks for it.

use llkv_types::{RowId, TxnId};
use parking_lot::{Condvar, Mutex};
use roaring::RoaringTreemap;
use std::time::Duration;

/// Row ids by the transaction that is about to delete them. A row has at most one.
#[derive(Debug, Default)]
pub struct PendingDeletes {
    owners: Mutex<Vec<(TxnId, RoaringTreemap)>>,
    /// A transaction has given up rows.
    released: Condvar,
}

impl PendingDeletes {
    /// Takes all of `rows` for `txn`, or none and gives back one that another transaction has.
    ///
    /// # Errors
    /// The row that another transaction has.
    pub fn acquire(&self, txn: TxnId, rows: &RoaringTreemap) -> Result<(), RowId> {
        take(&mut self.owners.lock(), txn, rows)
    }

    /// [`PendingDeletes::acquire`], which waits once, for at most `wait`, that a transaction gives up rows, where another has
    /// one of these. False where one has it still.
    #[must_use]
    pub fn acquire_within(&self, txn: TxnId, rows: &RoaringTreemap, wait: Duration) -> bool {
        let mut owners = self.owners.lock();
        if take(&mut owners, txn, rows).is_ok() {
            return true;
        }
        self.released.wait_for(&mut owners, wait);
        take(&mut owners, txn, rows).is_ok()
    }

    /// Gives up some rows: a savepoint was rolled back.
    pub fn release(&self, txn: TxnId, rows: &RoaringTreemap) {
        let mut owners = self.owners.lock();
        if let Some((_, held)) = owners.iter_mut().find(|(owner, _)| *owner == txn) {
            *held -= rows;
        }
        drop(owners);
        self.released.notify_all();
    }

    /// Gives up all rows: the transaction ended. After a commit, only once it is published.
    pub fn release_all(&self, txn: TxnId) {
        self.owners.lock().retain(|(owner, _)| *owner != txn);
        self.released.notify_all();
    }
}

fn take(
    owners: &mut Vec<(TxnId, RoaringTreemap)>,
    txn: TxnId,
    rows: &RoaringTreemap,
) -> Result<(), RowId> {
    for (owner, held) in owners.iter() {
        if *owner != txn && !held.is_disjoint(rows) {
            return Err((held & rows).min().unwrap_or_default());
        }
    }
    match owners.iter_mut().find(|(owner, _)| *owner == txn) {
        Some((_, held)) => add_rows(held, rows),
        None => owners.push((txn, rows.clone())),
    }
    Ok(())
}

/// Fewer rows than these are put one by one into a set.
const FEW_ROWS: u64 = 64;

/// Adds rows to a set: few of them without making its parts anew, as a union does.
pub fn add_rows(to: &mut RoaringTreemap, rows: &RoaringTreemap) {
    match rows.len() < FEW_ROWS {
        true => to.extend(rows),
        false => *to |= rows,
    }
}

/// The rows of a set that are not in another.
#[must_use]
pub fn rows_without(rows: &RoaringTreemap, others: &RoaringTreemap) -> RoaringTreemap {
    match rows.len() < FEW_ROWS {
        true => rows.iter().filter(|row| !others.contains(*row)).collect(),
        false => rows - others,
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

    #[test]
    fn few_rows_and_many_are_added_and_left_out_alike() {
        for rows in [0..3, 60..61, 0..FEW_ROWS, 10..200] {
            let rows: RoaringTreemap = rows.collect();
            let others: RoaringTreemap = (2..90).step_by(2).collect();
            let mut sum = others.clone();
            add_rows(&mut sum, &rows);
            assert_eq!(sum, &others | &rows);
            assert_eq!(rows_without(&rows, &others), &rows - &others);
        }
    }

    #[test]
    fn a_wait_ends_when_the_rows_are_given_up_and_when_its_time_is_over() {
        let pending = PendingDeletes::default();
        let rows: RoaringTreemap = (1..4).collect();
        pending.acquire(7, &rows).unwrap();
        assert!(!pending.acquire_within(8, &rows, Duration::from_millis(1)));
        std::thread::scope(|scope| {
            let waits =
                scope.spawn(
                    || {
                        while !pending.acquire_within(8, &rows, Duration::from_secs(60)) {}
                    },
                );
            pending.release_all(7);
            waits.join().unwrap();
        });
        assert_eq!(pending.acquire(9, &rows), Err(1));
    }
}
