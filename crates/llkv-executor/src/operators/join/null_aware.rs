//! `IN` and `NOT IN` with NULLs: a match is true, a NULL on either side makes unknown, else false.

use super::JoinSpec;
use super::index::{JoinIndex, Probe};
use arrow::array::{Array, ArrayRef, UInt32Array};
use arrow::compute::take;
use llkv_result::Result;

/// What decides between false and unknown for a probe row without a match.
pub(super) enum NullAware {
    /// Nothing: two-valued.
    No,
    /// One group of build rows.
    Whole { any_row: bool, any_null: bool },
    /// Build rows grouped by the keys before the last.
    Groups {
        /// All build rows.
        rows: JoinIndex,
        /// Those with NULL as the last key.
        nulls: JoinIndex,
    },
    /// The last key is compared pair by pair, as a residual filter has its say too.
    Pairs,
}

/// Buffers for looking up groups.
#[derive(Default)]
pub(super) struct NullProbe {
    rows: Probe,
    nulls: Probe,
}

impl NullAware {
    pub(super) fn build(spec: &JoinSpec, keys: &[ArrayRef], rows: usize) -> Result<Self> {
        let Some((last, prefix)) = keys.split_last().filter(|_| spec.null_aware) else {
            return Ok(Self::No);
        };
        if spec.compares_last_key() {
            return Ok(Self::Pairs);
        }
        if prefix.is_empty() {
            return Ok(Self::Whole {
                any_row: rows > 0,
                any_null: last.logical_null_count() > 0,
            });
        }
        let flags = prefix_flags(spec);
        let null_rows: Vec<u32> = match last.logical_nulls() {
            None => Vec::new(),
            Some(nulls) => (0..rows)
                .filter(|row| nulls.is_null(*row))
                .map(|row| row as u32)
                .collect(),
        };
        let null_rows = UInt32Array::from(null_rows);
        let null_keys: Result<Vec<ArrayRef>> = prefix
            .iter()
            .map(|key| Ok(take(key.as_ref(), &null_rows, None)?))
            .collect();
        Ok(Self::Groups {
            rows: JoinIndex::build(prefix, flags, rows)?,
            nulls: JoinIndex::build(&null_keys?, flags, null_rows.len())?,
        })
    }

    /// Adds to `unknown` the probe rows for which a comparison that is not true would be unknown.
    pub(super) fn mark_unknown(
        &self,
        spec: &JoinSpec,
        keys: &[ArrayRef],
        probe: &mut NullProbe,
        unknown: &mut [bool],
    ) -> Result<()> {
        let Some((last, prefix)) = keys.split_last() else {
            return Ok(());
        };
        let nulls = last.logical_nulls();
        let is_null = |row: usize| nulls.as_ref().is_some_and(|n| n.is_null(row));
        match self {
            Self::No | Self::Pairs => {}
            Self::Whole { any_row, any_null } => {
                for (row, unknown) in unknown.iter_mut().enumerate() {
                    *unknown = *any_row && (*any_null || is_null(row));
                }
            }
            Self::Groups {
                rows,
                nulls: null_groups,
            } => {
                let flags = prefix_flags(spec);
                rows.probe(prefix, flags, last.len(), &mut probe.rows)?;
                null_groups.probe(prefix, flags, last.len(), &mut probe.nulls)?;
                let found = probe.rows.first.iter().zip(&probe.nulls.first);
                for (row, (unknown, (any, null))) in unknown.iter_mut().zip(found).enumerate() {
                    *unknown = *null != 0 || (*any != 0 && is_null(row));
                }
            }
        }
        Ok(())
    }

    /// Bytes held.
    pub(super) fn size_bytes(&self) -> usize {
        match self {
            Self::Groups { rows, nulls } => rows.size_bytes() + nulls.size_bytes(),
            _ => 0,
        }
    }
}

fn prefix_flags(spec: &JoinSpec) -> &[bool] {
    spec.null_equal
        .split_last()
        .map_or(&[], |(_, prefix)| prefix)
}
