//! The rows that an expression is evaluated on: a batch, or a selection of its rows.

use arrow::array::{ArrayRef, BooleanArray};
use arrow::buffer::BooleanBuffer;
use arrow::compute::{FilterBuilder, FilterPredicate};
use llkv_result::{Error, Result};
use std::cell::RefCell;

/// Columns of `rows` values each. A selection gathers a column when it is first asked for, so that
/// a branch of CASE touches only what it reads.
pub(super) struct Frame<'a> {
    columns: Columns<'a>,
    pub(super) rows: usize,
}

enum Columns<'a> {
    Batch(&'a [ArrayRef]),
    Selected {
        source: &'a Frame<'a>,
        predicate: FilterPredicate,
        gathered: RefCell<Vec<(usize, ArrayRef)>>,
    },
}

impl<'a> Frame<'a> {
    /// All rows of a batch.
    pub(super) const fn batch(columns: &'a [ArrayRef], rows: usize) -> Self {
        Self {
            columns: Columns::Batch(columns),
            rows,
        }
    }

    /// The rows of `source` that are set in `mask`.
    pub(super) fn select(source: &'a Frame<'a>, mask: BooleanBuffer) -> Self {
        let predicate = FilterBuilder::new(&BooleanArray::new(mask, None))
            .optimize()
            .build();
        Self {
            rows: predicate.count(),
            columns: Columns::Selected {
                source,
                predicate,
                gathered: RefCell::new(Vec::new()),
            },
        }
    }

    /// The column at a position.
    pub(super) fn column(&self, position: usize) -> Result<ArrayRef> {
        match &self.columns {
            Columns::Batch(columns) => columns.get(position).cloned().ok_or_else(|| {
                Error::internal(format!(
                    "column {position} of a batch of {} columns",
                    columns.len()
                ))
            }),
            Columns::Selected {
                source,
                predicate,
                gathered,
            } => {
                if let Some((_, column)) = gathered
                    .borrow()
                    .iter()
                    .find(|(known, _)| *known == position)
                {
                    return Ok(column.clone());
                }
                let column = predicate.filter(source.column(position)?.as_ref())?;
                gathered.borrow_mut().push((position, column.clone()));
                Ok(column)
            }
        }
    }
}
