//! The bound of a top-k that runs above a scan: values beyond it are not wanted, and it moves while rows are read.

use crate::column_test::{Test, scalar_bytes, scalar_key};
use crate::fill::StoredColumn;
use crate::kind::Kind;
use crate::predicate::ColumnTest;
use crate::row_group::RowGroup;
use crate::stats::Verdict;
use crate::table_version::TableVersion;
use llkv_result::{Error, Result};
use llkv_types::{FieldId, Scalar, SqlType};
use parking_lot::RwLock;
use std::ops::Bound;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The worst value that may still be among the first rows of an order, shared by those who find it and those who read.
///
/// It only ever gets better, so a reader that has seen an older one leaves out too little, never too much.
#[derive(Debug)]
pub struct LiveBound {
    descending: bool,
    nulls_first: bool,
    /// How often the bound was moved.
    moves: AtomicU64,
    bound: RwLock<Option<Scalar>>,
}

impl LiveBound {
    /// No bound yet, on a column that is ordered so.
    #[must_use]
    pub const fn new(descending: bool, nulls_first: bool) -> Self {
        Self {
            descending,
            nulls_first,
            moves: AtomicU64::new(0),
            bound: RwLock::new(None),
        }
    }

    /// The columns for which it works: what has an order in storage that is that of SQL.
    #[must_use]
    pub const fn takes(ty: SqlType) -> bool {
        let is_time = matches!(
            ty,
            SqlType::Date | SqlType::Time | SqlType::Timestamp | SqlType::TimestampTz
        );
        is_time || ty.is_numeric() || matches!(ty, SqlType::Text)
    }

    /// Enough rows at or before `value` are known. NULL says nothing.
    pub fn tighten(&self, value: &Scalar) {
        let mut bound = self.bound.write();
        if value.is_null()
            || bound
                .as_ref()
                .is_some_and(|old| !self.is_before(value, old))
        {
            return;
        }
        *bound = Some(value.clone());
        self.moves.fetch_add(1, Ordering::Release);
    }

    fn is_before(&self, value: &Scalar, other: &Scalar) -> bool {
        let order = match (scalar_key(value), scalar_key(other)) {
            (Some(value), Some(other)) => value.cmp(&other),
            _ => scalar_bytes(value).cmp(&scalar_bytes(other)),
        };
        match self.descending {
            true => order.is_gt(),
            false => order.is_lt(),
        }
    }

    /// The values that are wanted now; all where there is no bound yet. NULLs are wanted too where they come first.
    fn test(&self) -> Option<ColumnTest> {
        let bound = self.bound.read().clone()?;
        let bound = Bound::Included(with_zeros(bound, self.descending));
        Some(match self.descending {
            true => ColumnTest::Range {
                low: bound,
                high: Bound::Unbounded,
            },
            false => ColumnTest::Range {
                low: Bound::Unbounded,
                high: bound,
            },
        })
    }
}

/// Both zeros of a float are equal to the order and two values to storage: the outer one of them.
fn with_zeros(bound: Scalar, descending: bool) -> Scalar {
    match bound {
        Scalar::Float64(0.0) => Scalar::Float64(if descending { -0.0 } else { 0.0 }),
        Scalar::Float32(0.0) => Scalar::Float32(if descending { -0.0 } else { 0.0 }),
        other => other,
    }
}

/// A column that a scan reads under a [`LiveBound`].
#[derive(Debug, Clone)]
pub struct LiveColumn {
    /// The column.
    pub field: FieldId,
    /// The bound of its values.
    pub bound: Arc<LiveBound>,
}

/// The bound as one reader knows it.
#[derive(Debug)]
pub(crate) struct LiveTest {
    pub(crate) column: StoredColumn,
    kind: Kind,
    bound: Arc<LiveBound>,
    /// Moves that `test` knows.
    moves: u64,
    test: Option<Test>,
}

impl LiveTest {
    /// # Errors
    /// When the table has no such column.
    pub(crate) fn new(version: &TableVersion, live: &LiveColumn) -> Result<Self> {
        let column = version.column(live.field)?;
        let kind = Kind::of(column.ty).ok_or_else(|| Error::internal("column type"))?;
        Ok(Self {
            column,
            kind,
            bound: Arc::clone(&live.bound),
            moves: 0,
            test: None,
        })
    }

    /// Looks whether the bound has moved; gives how often it did.
    ///
    /// # Errors
    /// When the bound is no value of the column.
    pub(crate) fn refresh(&mut self) -> Result<u64> {
        let moves = self.bound.moves.load(Ordering::Acquire);
        if moves != self.moves {
            let test = self.bound.test();
            let test = test.map(|test| Test::compile(&test, self.kind));
            self.test = test.transpose()?;
            self.moves = moves;
        }
        Ok(moves)
    }

    /// No bound is known, so that every row may be wanted.
    pub(crate) const fn is_open(&self) -> bool {
        self.test.is_none()
    }

    /// The test of rows of which `nulls` says whether some are NULL; none where all are wanted.
    pub(crate) fn test(&self, nulls: Verdict) -> Option<&Test> {
        let has_wanted_nulls = self.bound.nulls_first && nulls != Verdict::Nothing;
        self.test.as_ref().filter(|_| !has_wanted_nulls)
    }

    /// No row of a group is wanted.
    pub(crate) fn rules_out(&self, group: &RowGroup) -> bool {
        let nulls = group.judge(&self.column, &Test::Null);
        self.test(nulls)
            .is_some_and(|test| group.judge(&self.column, test) == Verdict::Nothing)
    }

    /// Where a group stands among others: the lower, the sooner it is worth reading. `None` comes first.
    pub(crate) fn rank(&self, group: &RowGroup) -> Option<i128> {
        if self.bound.nulls_first && group.judge(&self.column, &Test::Null) != Verdict::Nothing {
            return None;
        }
        let (least, greatest) = group.integer_bounds(&self.column)?;
        Some(match self.bound.descending {
            true => greatest.saturating_neg(),
            false => least,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_bound_only_gets_better() {
        let bound = LiveBound::new(true, false);
        assert!(bound.test().is_none());
        for value in [5, 3, 7, 7] {
            bound.tighten(&Scalar::Int32(value));
        }
        bound.tighten(&Scalar::Null(SqlType::Int32));
        assert_eq!(bound.moves.load(Ordering::Relaxed), 2);
        let Some(ColumnTest::Range { low, high }) = bound.test() else {
            panic!("a range");
        };
        assert_eq!(low, Bound::Included(Scalar::Int32(7)));
        assert_eq!(high, Bound::Unbounded);
    }

    #[test]
    fn both_zeros_stay_within_a_bound_of_zero() {
        for (descending, given, kept) in [(true, 0.0, -0.0), (false, -0.0, 0.0_f64)] {
            let bound = LiveBound::new(descending, false);
            bound.tighten(&Scalar::Float64(given));
            let (Some(ColumnTest::Range { low, high }), kind) =
                (bound.test(), Kind::of(SqlType::Float64).unwrap())
            else {
                panic!("a range");
            };
            let test = Test::compile(&ColumnTest::Range { low, high }, kind).unwrap();
            for zero in [kept, -kept] {
                let key = scalar_key(&Scalar::Float64(zero)).unwrap();
                assert!(test.accepts_int(key), "{descending} {zero}");
            }
        }
    }
}
