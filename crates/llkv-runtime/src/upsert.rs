//! INSERT ... ON CONFLICT with a target: rows that meet none are appended, the others change the row in
//! their way.

use crate::RuntimeSession;
use crate::checks::RowChecks;
use crate::foreign_keys::ForeignKeys;
use crate::row_values::{Returned, RowQueries, RowValues, prepare};
use crate::transaction::Transaction;
use arrow::array::{Array, AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Schema;
use llkv_compute::PreparedExpr;
use llkv_plan::{PlanColumn, Projection, RowQuery, Upsert};
use llkv_result::{ConstraintError, Error, Result};
use llkv_table::{KeyMatches, OnConflict, Table};
use llkv_types::{MemoryBudget, MemoryReservation, RowId};
use roaring::RoaringTreemap;
use std::sync::Arc;

/// Rows of a statement that are looked at together: all of them, or where memory is limited as many as take an eighth of it.
pub(crate) struct WaitingRows {
    batches: Vec<RecordBatch>,
    bytes: u64,
    is_limited: bool,
    memory: MemoryReservation,
}

impl WaitingRows {
    /// Rows that are looked at with others take several times their own memory.
    const SHARE: u64 = 8;
    /// As much is taken whatever the limit says.
    const LEAST_BYTES: u64 = 1 << 20;

    /// No rows yet.
    pub(crate) fn new(memory: &Arc<MemoryBudget>) -> Self {
        const OPERATOR: &str = "INSERT with DO UPDATE";
        let limit_bytes = memory.limit_bytes();
        let is_limited = limit_bytes < u64::MAX;
        let memory = match is_limited {
            true => memory.reserve_most(OPERATOR, limit_bytes / Self::SHARE, Self::LEAST_BYTES),
            false => memory.reserve(OPERATOR),
        };
        Self {
            batches: Vec::new(),
            bytes: 0,
            is_limited,
            memory,
        }
    }

    /// Adds a batch; gives back the rows that are to be looked at now.
    ///
    /// # Errors
    /// When the rows have no room.
    pub(crate) fn push(&mut self, batch: RecordBatch) -> Result<Option<RecordBatch>> {
        let bytes = batch.get_array_memory_size() as u64;
        self.batches.push(batch);
        self.bytes += bytes;
        if !self.is_limited {
            self.memory.grow(bytes)?;
            return Ok(None);
        }
        match self.bytes >= self.memory.bytes() {
            true => self.take(),
            false => Ok(None),
        }
    }

    /// The rows that wait; none where there are none.
    pub(crate) fn take(&mut self) -> Result<Option<RecordBatch>> {
        self.bytes = 0;
        let batches = std::mem::take(&mut self.batches);
        let first = batches.first();
        let all = first.map(|first| concat_batches(&first.schema(), &batches));
        Ok(all.transpose()?)
    }
}

/// An INSERT with a target, part by part.
pub(crate) struct UpsertStatement<'a> {
    meeting: Meeting<'a>,
    table: &'a Arc<Table>,
    /// The first row that the statement itself may have written.
    first_own: RowId,
    rows: u64,
}

impl<'a> UpsertStatement<'a> {
    /// For rows with these columns.
    pub(crate) fn new(
        transaction: &mut Transaction,
        table: &'a Arc<Table>,
        upsert: &'a Upsert,
        columns: &[PlanColumn],
    ) -> Result<Self> {
        Ok(Self {
            meeting: Meeting::new(upsert, columns, &table.meta().name)?,
            table,
            first_own: transaction.next_row_id(table),
            rows: 0,
        })
    }

    /// Rows inserted and changed, in number.
    pub(crate) const fn rows(&self) -> u64 {
        self.rows
    }

    /// Inserts rows of the statement, already checked.
    pub(crate) fn add(
        &mut self,
        transaction: &mut Transaction,
        rows: &RecordBatch,
        (numbered_key, returned, keys): (Option<usize>, &mut Returned, &mut ForeignKeys<'_>),
    ) -> Result<()> {
        let mut target = Target {
            transaction,
            table: self.table,
            numbered_key,
            returned,
            keys,
        };
        // Also of rows that meet others.
        self.table.check_nulls(rows)?;
        if !self.meeting.changes() {
            let matches = target.matches(&self.meeting, rows)?;
            self.rows += target.insert(&self.meeting, rows, &matches)?;
            return Ok(());
        }
        let (mut done, mut step) = (0, rows.num_rows());
        while done < rows.num_rows() {
            let part = rows.slice(done, step.min(rows.num_rows() - done));
            let matches = target.matches(&self.meeting, &part)?;
            // A row that meets an earlier one of the statement begins a part of its own.
            let len = first_repeated(&matches).unwrap_or(part.num_rows());
            let matches = KeyMatches {
                existing: matches.existing.into_iter().take(len).collect(),
                repeated: vec![false; len],
            };
            // Where rows have no order, it is not for them to say which of two is the last.
            let mut met = matches.existing.iter().flatten();
            if !self.meeting.upsert.in_order && met.any(|id| *id >= self.first_own) {
                return Err(changed_twice(self.table));
            }
            self.rows += target.insert(&self.meeting, &part.slice(0, len), &matches)?;
            done += len;
            step = 2 * len;
        }
        Ok(())
    }
}

/// DO UPDATE or DO NOTHING, ready for rows.
pub(crate) struct Meeting<'a> {
    upsert: &'a Upsert,
    change: Option<Change>,
    checks: RowChecks<'a>,
}

struct Change {
    query: Option<RowQuery>,
    filter: Option<PreparedExpr>,
    values: RowValues,
}

impl<'a> Meeting<'a> {
    /// For rows with these columns.
    pub(crate) fn new(upsert: &'a Upsert, columns: &[PlanColumn], table: &'a str) -> Result<Self> {
        let Some(update) = &upsert.update else {
            return Ok(Self {
                upsert,
                change: None,
                checks: RowChecks::new(&[], &[], table)?,
            });
        };
        let of_pairs: Vec<PlanColumn> = update.existing.iter().chain(columns).cloned().collect();
        let written: Vec<PlanColumn> = update.columns.iter().map(|p| p.column.clone()).collect();
        // With subqueries the query computes all.
        let simple = update.query.is_none();
        let filter = update.filter.as_ref().filter(|_| simple);
        let filter = filter.map(|filter| prepare(filter, &of_pairs));
        let columns: &[Projection] = match simple {
            true => &update.columns,
            false => &[],
        };
        Ok(Self {
            upsert,
            change: Some(Change {
                query: update.query.clone(),
                filter: filter.transpose()?,
                values: RowValues::new(columns, &of_pairs)?,
            }),
            checks: RowChecks::new(&update.checks, &written, table)?,
        })
    }

    /// The keys that count.
    pub(crate) fn keys(&self) -> &[usize] {
        &self.upsert.keys
    }

    /// DO UPDATE, not DO NOTHING.
    pub(crate) const fn changes(&self) -> bool {
        self.upsert.update.is_some()
    }

    /// CHECK constraints of the changed rows.
    pub(crate) const fn checks(&self) -> &RowChecks<'a> {
        &self.checks
    }

    /// What becomes of one row that another one meets; none where it stays as it is.
    pub(crate) fn changed(
        &self,
        (session, transaction): (&mut RuntimeSession, &Transaction),
        existing: &RecordBatch,
        excluded: &RecordBatch,
    ) -> Result<Option<RecordBatch>> {
        let Some(change) = &self.change else {
            return Ok(None);
        };
        let pair = beside(existing, excluded)?;
        if let Some(query) = &change.query {
            let queries = RowQueries::new(query, session, transaction)?;
            let computed = queries.of(session, transaction, &pair)?;
            let (Some(changes), Some(1..)) = (
                computed.columns().first(),
                computed.num_columns().checked_sub(1),
            ) else {
                return Err(Error::internal("a changed row without columns"));
            };
            let changes = changes.as_boolean_opt();
            let is_true = changes.is_some_and(|changes| changes.is_valid(0) && changes.value(0));
            let columns: Vec<usize> = (1..computed.num_columns()).collect();
            return Ok(is_true.then(|| computed.project(&columns)).transpose()?);
        }
        if let Some(filter) = &change.filter
            && filter.filter(&pair)?.true_count() == 0
        {
            return Ok(None);
        }
        change.values.of(&pair).map(Some)
    }
}

/// The table whose rows change.
struct Target<'a, 'k> {
    transaction: &'a mut Transaction,
    table: &'a Arc<Table>,
    numbered_key: Option<usize>,
    returned: &'a mut Returned,
    keys: &'a mut ForeignKeys<'k>,
}

impl Target<'_, '_> {
    fn matches(&mut self, meeting: &Meeting<'_>, rows: &RecordBatch) -> Result<KeyMatches> {
        self.transaction
            .match_keys(self.table, meeting.keys(), rows)
    }

    /// Rows that meet none are appended, the others change what they meet.
    fn insert(
        &mut self,
        meeting: &Meeting<'_>,
        rows: &RecordBatch,
        matches: &KeyMatches,
    ) -> Result<u64> {
        // The rows that meet no other.
        let found = matches.existing.iter().zip(&matches.repeated);
        let fresh = found.map(|(existing, repeated)| Some(existing.is_none() && !repeated));
        let fresh: BooleanArray = fresh.collect();
        let mut count = 0;
        if let Some(change) = &meeting.change {
            let existing = matches.existing.iter().copied();
            let ids: Vec<RowId> = existing.flatten().collect();
            if !ids.is_empty() {
                let in_the_way: BooleanArray = matches
                    .existing
                    .iter()
                    .map(|id| Some(id.is_some()))
                    .collect();
                let excluded = filter_record_batch(rows, &in_the_way)?;
                count += self.change(change, &meeting.checks, &ids, &excluded)?;
            }
        }
        let rows = filter_record_batch(rows, &fresh)?;
        let appended = self
            .transaction
            .append(self.table, rows.clone(), OnConflict::Error)?;
        self.transaction
            .note_row_id(self.table, self.numbered_key, &rows, None);
        self.keys.inserted(self.transaction, &rows, None)?;
        self.returned.add(&rows, None)?;
        Ok(count + appended.rows)
    }

    /// DO UPDATE for the rows `ids`, each with the row that met it.
    fn change(
        &mut self,
        change: &Change,
        checks: &RowChecks<'_>,
        ids: &[RowId],
        excluded: &RecordBatch,
    ) -> Result<u64> {
        let existing = self.transaction.rows_by_id(self.table, ids)?;
        let mut pairs = beside(&existing, excluded)?;
        let mut old: RoaringTreemap = ids.iter().copied().collect();
        if let Some(filter) = &change.filter {
            let chosen = filter.filter(&pairs)?;
            let chosen_ids = ids.iter().zip(chosen.iter());
            old = chosen_ids
                .filter(|(_, chosen)| *chosen == Some(true))
                .map(|(id, _)| *id)
                .collect();
            pairs = filter_record_batch(&pairs, &chosen)?;
        }
        let rows = change.values.of(&pairs)?;
        checks.check(&rows)?;
        self.transaction.delete(self.table, &old)?;
        let changed = self
            .transaction
            .append(self.table, rows.clone(), OnConflict::Error)?;
        let changed_ids = ids.iter().copied().filter(|id| old.contains(*id));
        let changed_ids: Vec<RowId> = changed_ids.collect();
        self.keys.updated(self.transaction, &changed_ids, &rows)?;
        self.returned.add(&rows, None)?;
        Ok(changed.rows)
    }
}

/// The first row that meets an earlier one, or the same row as an earlier one.
fn first_repeated(matches: &KeyMatches) -> Option<usize> {
    let mut seen = RoaringTreemap::new();
    let mut rows = matches.existing.iter().zip(&matches.repeated);
    rows.position(|(existing, repeated)| *repeated || existing.is_some_and(|id| !seen.insert(id)))
}

fn changed_twice(table: &Table) -> llkv_result::Error {
    ConstraintError::ChangedTwice {
        table: table.meta().name.clone(),
    }
    .into()
}

/// The columns of both batches, which have the same number of rows.
fn beside(left: &RecordBatch, right: &RecordBatch) -> Result<RecordBatch> {
    let fields: Vec<_> = [left, right]
        .iter()
        .flat_map(|batch| batch.schema().fields().iter().cloned().collect::<Vec<_>>())
        .collect();
    let columns = left.columns().iter().chain(right.columns()).cloned();
    Ok(RecordBatch::try_new(
        Arc::new(Schema::new(fields)),
        columns.collect(),
    )?)
}
