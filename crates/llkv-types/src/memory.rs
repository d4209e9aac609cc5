//! The engine's memory budget, from which all who hold more than a little reserve it.

use llkv_result::{ExecError, Result};
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// One limit for all queries of an engine. Operators that keep rows (join tables, groups, sorts), checks of keys and
/// the building of indexes reserve their bytes here; the one that would pass the limit spills to temporary files, or fails alone.
pub struct MemoryBudget {
    limit_bytes: AtomicU64,
    used_bytes: AtomicU64,
    peak_bytes: AtomicU64,
}

impl MemoryBudget {
    /// A budget of `limit_bytes`.
    #[must_use]
    pub fn new(limit_bytes: u64) -> Arc<Self> {
        Arc::new(Self {
            limit_bytes: AtomicU64::new(limit_bytes),
            used_bytes: AtomicU64::new(0),
            peak_bytes: AtomicU64::new(0),
        })
    }

    /// A budget that is never used up, but counts.
    #[must_use]
    pub fn unlimited() -> Arc<Self> {
        Self::new(u64::MAX)
    }

    /// Bytes that may be reserved in all.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.limit_bytes.load(Ordering::Relaxed)
    }

    /// Changes the limit, for queries that run too: what is over it stays reserved, and nothing more is given
    /// until that much was given back.
    pub fn set_limit_bytes(&self, limit_bytes: u64) {
        self.limit_bytes.store(limit_bytes, Ordering::Relaxed);
    }

    /// Bytes reserved now. Zero when no query runs.
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.used_bytes.load(Ordering::Relaxed)
    }

    /// The most bytes that were ever reserved at once.
    #[must_use]
    pub fn peak_bytes(&self) -> u64 {
        self.peak_bytes.load(Ordering::Relaxed)
    }

    /// An empty reservation on behalf of `operator`; what it grows to is given back when it is dropped.
    #[must_use]
    pub fn reserve(self: &Arc<Self>, operator: &'static str) -> MemoryReservation {
        MemoryReservation {
            budget: Arc::clone(self),
            operator,
            bytes: 0,
        }
    }

    /// As much of `wanted_bytes` as there is room for, and `least_bytes` whatever the limit says: for those whose work
    /// takes longer with less memory, but does not need it.
    #[must_use]
    pub fn reserve_most(
        self: &Arc<Self>,
        operator: &'static str,
        wanted_bytes: u64,
        least_bytes: u64,
    ) -> MemoryReservation {
        let mut reservation = self.reserve(operator);
        let room = self.limit_bytes().saturating_sub(self.used_bytes());
        let mut bytes = wanted_bytes.min(room);
        while bytes > least_bytes {
            // Others may have taken of the room meanwhile.
            if reservation.grow(bytes).is_ok() {
                return reservation;
            }
            bytes /= 2;
        }
        reservation.overdraw(least_bytes);
        reservation
    }
}

impl fmt::Debug for MemoryBudget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (used, limit) = (self.used_bytes(), self.limit_bytes());
        write!(f, "MemoryBudget({used} of {limit} bytes)")
    }
}

/// Bytes that one operator holds. Dropping it gives them back.
#[derive(Debug)]
pub struct MemoryReservation {
    budget: Arc<MemoryBudget>,
    operator: &'static str,
    bytes: u64,
}

impl MemoryReservation {
    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that the budget has.
    #[must_use]
    pub fn limit_bytes(&self) -> u64 {
        self.budget.limit_bytes()
    }

    /// Holds `bytes` more.
    ///
    /// # Errors
    /// [`ExecError::MemoryLimit`] when the budget has no room; nothing is reserved then.
    pub fn grow(&mut self, bytes: u64) -> Result<()> {
        let budget = &self.budget;
        let before = budget.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        let after = before.saturating_add(bytes);
        let limit_bytes = budget.limit_bytes();
        if after > limit_bytes {
            budget.used_bytes.fetch_sub(bytes, Ordering::Relaxed);
            return Err(ExecError::MemoryLimit {
                operator: self.operator,
                needed_bytes: self.bytes.saturating_add(bytes),
                limit_bytes,
            }
            .into());
        }
        budget.peak_bytes.fetch_max(after, Ordering::Relaxed);
        self.bytes += bytes;
        Ok(())
    }

    /// Holds `bytes` more, whatever the limit says, and tells whether the budget had room for them. For those who
    /// give back what they hold when it had not.
    pub fn overdraw(&mut self, bytes: u64) -> bool {
        let budget = &self.budget;
        let before = budget.used_bytes.fetch_add(bytes, Ordering::Relaxed);
        let after = before.saturating_add(bytes);
        budget.peak_bytes.fetch_max(after, Ordering::Relaxed);
        self.bytes += bytes;
        after <= budget.limit_bytes()
    }

    /// Holds `bytes` from now on, no more than before.
    pub fn shrink(&mut self, bytes: u64) {
        let less = self.bytes.saturating_sub(bytes);
        self.budget.used_bytes.fetch_sub(less, Ordering::Relaxed);
        self.bytes -= less;
    }

    /// Holds exactly `bytes`.
    ///
    /// # Errors
    /// As [`Self::grow`], when that is more than before.
    pub fn resize(&mut self, bytes: u64) -> Result<()> {
        if bytes > self.bytes {
            return self.grow(bytes - self.bytes);
        }
        self.shrink(bytes);
        Ok(())
    }

    /// Takes over what `other` holds.
    pub fn absorb(&mut self, mut other: Self) {
        self.bytes += std::mem::take(&mut other.bytes);
    }
}

impl Drop for MemoryReservation {
    fn drop(&mut self) {
        self.budget
            .used_bytes
            .fetch_sub(self.bytes, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_result::Error;

    #[test]
    fn a_reservation_over_the_limit_names_its_operator_and_leaves_the_rest_alone() {
        let budget = MemoryBudget::new(100);
        let mut sort = budget.reserve("sort");
        let mut join = budget.reserve("hash join");
        sort.grow(60).unwrap();
        let error = join.grow(50).unwrap_err();
        assert!(matches!(
            error,
            Error::Exec(ExecError::MemoryLimit {
                operator: "hash join",
                needed_bytes: 50,
                limit_bytes: 100
            })
        ));
        assert_eq!(budget.used_bytes(), 60);
        sort.resize(10).unwrap();
        join.grow(50).unwrap();
        let mut both = budget.reserve("sort");
        both.absorb(sort);
        drop(join);
        assert_eq!(budget.used_bytes(), 10);
        drop(both);
        assert_eq!((budget.used_bytes(), budget.peak_bytes()), (0, 60));
    }

    #[test]
    fn what_there_is_room_for_is_reserved_and_the_least_in_any_case() {
        let budget = MemoryBudget::new(100);
        let most = |wanted, least| budget.reserve_most("index", wanted, least);
        let first = most(70, 10);
        let second = most(70, 10);
        let third = most(70, 10);
        assert_eq!(
            [&first, &second, &third].map(MemoryReservation::bytes),
            [70, 30, 10]
        );
        drop((first, second, third));
        assert_eq!(budget.used_bytes(), 0);
        let unlimited = MemoryBudget::unlimited();
        assert_eq!(unlimited.reserve_most("index", 70, 10).bytes(), 70);
    }
}
