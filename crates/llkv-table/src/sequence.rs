//! Sequences: numbers that are given once. A number that a transaction took is not given back by its rollback,
//! and no two transactions wait for each other.

use crate::SequenceMeta;
use llkv_result::{EvalError, Result};
use parking_lot::Mutex;
use std::sync::Arc;

/// Numbers beyond those asked for that are taken out of the log at once: so many are skipped at the most after a
/// crash. Closing the database gives them back.
pub const RESERVED_AHEAD: i64 = 32;

/// A sequence and the place where it stands. One value per definition; the place is shared by all.
#[derive(Debug, Clone)]
pub struct Sequence {
    meta: SequenceMeta,
    state: Arc<Mutex<SequenceState>>,
}

/// Where a sequence stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct SequenceState {
    /// The number to be given next; none when there is none left.
    next: Option<i64>,
    /// Numbers up to this one are given without the log, in the direction of the sequence.
    reserved: Option<i64>,
}

/// Numbers that were given, and what has to be logged before they are used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    /// The numbers.
    pub values: Vec<i64>,
    /// The number that the sequence goes on after when it is opened again; absent where the log has it.
    pub log: Option<i64>,
}

impl Sequence {
    /// A sequence by its definition.
    #[must_use]
    pub fn new(meta: SequenceMeta) -> Self {
        let next = match meta.last {
            None => Some(meta.start),
            Some(last) => after(&meta, last),
        };
        Self {
            state: Arc::new(Mutex::new(SequenceState {
                next,
                reserved: meta.last,
            })),
            meta,
        }
    }

    /// The same sequence under another definition.
    #[must_use]
    pub fn altered(&self, meta: SequenceMeta) -> Self {
        Self {
            meta,
            state: Arc::clone(&self.state),
        }
    }

    /// Its definition. `last` is what the log has.
    #[must_use]
    pub fn meta(&self) -> &SequenceMeta {
        &self.meta
    }

    /// True for the same sequence with the same definition, wherever it stands.
    #[must_use]
    pub fn is_same(&self, other: &Self) -> bool {
        let without_last = |meta: &SequenceMeta| SequenceMeta {
            last: None,
            ..meta.clone()
        };
        Arc::ptr_eq(&self.state, &other.state)
            && without_last(&self.meta) == without_last(&other.meta)
    }

    /// The number that it gives next; none once it is used up.
    #[must_use]
    pub fn next_value(&self) -> Option<i64> {
        self.state.lock().next
    }

    /// The definition with the place where it stands now: for a sequence that the log has not yet.
    #[must_use]
    pub fn meta_now(&self) -> SequenceMeta {
        let mut state = self.state.lock();
        let last = match state.next {
            Some(next) if next == self.meta.start && self.meta.last.is_none() => None,
            Some(next) => next.checked_sub(self.meta.increment),
            None => Some(self.bound()),
        };
        state.reserved = last;
        SequenceMeta {
            last,
            ..self.meta.clone()
        }
    }

    /// Gives back the numbers that were taken out of the log in advance and not used: the number that has to be logged for
    /// that, where there are any. Nobody else may be taking numbers.
    #[must_use]
    pub fn give_back(&self) -> Option<i64> {
        // One that begins anew takes none in advance.
        if self.meta.cycle {
            return None;
        }
        let mut state = self.state.lock();
        let last = match state.next {
            Some(next) => next.checked_sub(self.meta.increment)?,
            None => self.bound(),
        };
        // Without a number in the log none was ever given.
        if state.reserved.is_none_or(|reserved| reserved == last) {
            return None;
        }
        state.reserved = Some(last);
        Some(last)
    }

    fn bound(&self) -> i64 {
        match self.meta.increment > 0 {
            true => self.meta.max,
            false => self.meta.min,
        }
    }

    /// The next numbers.
    ///
    /// # Errors
    /// When there are not so many; then none is given.
    pub fn next_values(&self, count: usize) -> Result<Given> {
        let meta = &self.meta;
        let mut state = self.state.lock();
        let mut next = state.next;
        let mut values = Vec::with_capacity(count);
        for _ in 0..count {
            let value = next.ok_or_else(|| EvalError::SequenceEnd {
                sequence: meta.name.clone(),
                bound: self.bound(),
            })?;
            values.push(value);
            next = after(meta, value);
        }
        state.next = next;
        let Some(last) = values.last().copied() else {
            return Ok(Given { values, log: None });
        };
        let is_beyond = match (state.reserved, meta.increment > 0) {
            (None, _) => true,
            (Some(reserved), true) => last > reserved,
            (Some(reserved), false) => last < reserved,
        };
        // A sequence that begins anew gives numbers that it gave before.
        let wraps = values.windows(2).any(|pair| match pair {
            [a, b] => (b < a) == (meta.increment > 0),
            _ => false,
        });
        let mut log = None;
        if is_beyond || wraps || meta.cycle {
            let ahead = RESERVED_AHEAD.saturating_mul(meta.increment);
            let reserved = match meta.cycle {
                true => last,
                false => last.saturating_add(ahead).clamp(meta.min, meta.max),
            };
            state.reserved = Some(reserved);
            log = Some(reserved);
        }
        Ok(Given { values, log })
    }

    /// Has the sequence go on after a number, or with it.
    ///
    /// # Errors
    /// When the number is not one of the sequence's.
    pub fn set(&self, value: i64, is_given: bool) -> Result<i64> {
        let meta = &self.meta;
        if value < meta.min || value > meta.max {
            return Err(EvalError::OutOfRange {
                operation: format!("setval('{}', {value})", meta.name),
                ty: "of the sequence".into(),
            }
            .into());
        }
        let mut state = self.state.lock();
        let last = match is_given {
            true => Some(value),
            false => value.checked_sub(meta.increment),
        };
        state.next = match is_given {
            true => after(meta, value),
            false => Some(value),
        };
        state.reserved = last;
        Ok(last.unwrap_or(value))
    }

    /// Has the sequence go on after a number that a row was given otherwise, if it stands before it.
    pub fn raise(&self, value: i64) -> Option<i64> {
        let stands_before = match (self.state.lock().next, self.meta.increment > 0) {
            (None, _) => false,
            (Some(next), true) => next <= value,
            (Some(next), false) => next >= value,
        };
        stands_before.then(|| self.set(value, true).ok()).flatten()
    }
}

/// The number after another; none at the end.
fn after(meta: &SequenceMeta, value: i64) -> Option<i64> {
    let next = value.checked_add(meta.increment);
    let next = next.filter(|next| (meta.min..=meta.max).contains(next));
    match (next, meta.cycle, meta.increment > 0) {
        (None, true, true) => Some(meta.min),
        (None, true, false) => Some(meta.max),
        (next, _, _) => next,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_types::TableId;

    fn sequence(start: i64, increment: i64, (min, max): (i64, i64), cycle: bool) -> Sequence {
        Sequence::new(SequenceMeta {
            id: TableId(1),
            name: "s".into(),
            schema: TableId(0),
            start,
            increment,
            min,
            max,
            cycle,
            owner: None,
            last: None,
        })
    }

    #[test]
    fn numbers_are_given_once_and_few_are_lost() {
        let up = sequence(1, 1, (1, i64::MAX), false);
        assert_eq!(up.next_values(3).unwrap().values, [1, 2, 3]);
        let logged = up.next_values(40).unwrap();
        assert_eq!(logged.log, Some(43 + RESERVED_AHEAD));
        assert_eq!(up.next_values(5).unwrap().log, None);
        let again = Sequence::new(SequenceMeta {
            last: logged.log,
            ..up.meta().clone()
        });
        assert_eq!(again.next_values(1).unwrap().values, [44 + RESERVED_AHEAD]);
        assert_eq!(
            Sequence::new(up.meta_now()).next_values(1).unwrap().values,
            [49]
        );
    }

    #[test]
    fn numbers_that_nobody_used_are_given_back() {
        for (start, increment) in [(1, 1), (7, 3), (0, -2)] {
            let sequence = sequence(start, increment, (i64::MIN, i64::MAX), false);
            assert_eq!(sequence.give_back(), None);
            let given = sequence.next_values(2).unwrap();
            assert!(given.log.is_some());
            let last = sequence.give_back();
            assert_eq!(last, Some(start + increment));
            assert_eq!(sequence.give_back(), None);
            let meta = sequence.meta().clone();
            let again = Sequence::new(SequenceMeta { last, ..meta });
            // Both take numbers out of the log anew.
            for sequence in [again, sequence] {
                let next = sequence.next_values(1).unwrap();
                assert_eq!(next.values, [start + 2 * increment]);
                assert!(next.log.is_some());
            }
        }
        let short = sequence(1, 4, (1, 7), false);
        assert_eq!(short.next_values(2).unwrap().values, [1, 5]);
        assert_eq!(short.give_back(), None);
        let around = sequence(i64::MIN, 1, (i64::MIN, i64::MIN + 1), true);
        around.next_values(2).unwrap();
        assert_eq!(around.give_back(), None);
    }

    #[test]
    fn an_end_is_an_error_or_a_beginning() {
        let down = sequence(-1, -2, (-5, -1), false);
        assert_eq!(down.next_values(3).unwrap().values, [-1, -3, -5]);
        assert!(down.next_values(1).is_err());
        let around = sequence(2, 1, (1, 3), true);
        assert_eq!(around.next_values(5).unwrap().values, [2, 3, 1, 2, 3]);
        around.set(2, false).unwrap();
        assert_eq!(around.next_values(1).unwrap().values, [2]);
        assert!(around.set(4, true).is_err());
    }
}
