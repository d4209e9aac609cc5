//! What a group join computes of the matches of each left row: the row is the group.

use crate::batch::{Batch, take_one};
use crate::operators::aggregate::Call;
use crate::resolve::Column;
use arrow::array::{ArrayRef, UInt32Array};
use llkv_compute::{Groups, GroupsAccumulator};
use llkv_expr::AggregateExpr;
use llkv_result::Result;

/// Calls over columns of the right side.
pub(crate) struct PairCalls {
    calls: Vec<Call>,
    /// Positions of the right columns that they read.
    right: Vec<usize>,
}

impl PairCalls {
    /// Calls over `columns`, which stand at the positions `right` of the right side.
    pub(crate) fn new<'a>(
        calls: impl Iterator<Item = &'a AggregateExpr>,
        columns: &[Column],
        right: Vec<usize>,
    ) -> Result<Self> {
        let calls = calls.map(|call| Call::new(call, columns));
        Ok(Self {
            calls: calls.collect::<Result<_>>()?,
            right,
        })
    }

    /// States without any row.
    pub(super) fn states(&self) -> Result<PairStates> {
        let accumulators = self.calls.iter().map(Call::accumulator);
        Ok(PairStates {
            accumulators: accumulators.collect::<Result<_>>()?,
        })
    }

    /// Bytes that the states of so many rows take, about.
    pub(super) fn state_bytes(&self, rows: usize) -> u64 {
        32 * (self.calls.len() as u64) * (rows as u64)
    }
}

/// The states of left rows, numbered from 0.
pub(super) struct PairStates {
    accumulators: Vec<Box<dyn GroupsAccumulator>>,
}

impl PairStates {
    /// Feeds pairs of left rows, of which there are `left_rows`, and rows of the right side.
    pub(super) fn feed(
        &mut self,
        calls: &PairCalls,
        (left, left_rows): (&[u32], usize),
        (build, build_rows): (&Batch, &UInt32Array),
    ) -> Result<()> {
        let right = calls.right.iter();
        let columns = right.map(|position| take_one(build.column(*position)?, build_rows));
        let pairs = Batch::new(columns.collect::<Result<_>>()?, left.len());
        for (accumulator, call) in self.accumulators.iter_mut().zip(&calls.calls) {
            let fed = call.fed(&pairs, left)?;
            let groups = Groups::PerRow(fed.groups.as_deref().unwrap_or(left));
            accumulator.update(&fed.args, groups, left_rows, fed.mask.as_ref())?;
        }
        Ok(())
    }

    /// Adds the states of `rows` rows, the first of which is row `first` here, where there are `all_rows`.
    pub(super) fn merge(
        &mut self,
        mut other: Self,
        (first, rows): (usize, usize),
        all_rows: usize,
    ) -> Result<()> {
        let numbers: Vec<u32> = (first as u32..).take(rows).collect();
        let pairs = self.accumulators.iter_mut().zip(&mut other.accumulators);
        for (accumulator, other) in pairs {
            other.resize(rows);
            accumulator.merge(&other.state()?, &numbers, all_rows)?;
        }
        Ok(())
    }

    /// The values of all rows; the states are empty afterwards.
    pub(super) fn finish(&mut self, rows: usize) -> Result<Vec<ArrayRef>> {
        let accumulators = self.accumulators.iter_mut();
        let values = accumulators.map(|accumulator| {
            accumulator.resize(rows);
            accumulator.finish()
        });
        values.collect()
    }
}
