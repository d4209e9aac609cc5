//! Appending rows to a table: NOT NULL as masks, unique keys against own and committed rows.

use crate::filter::with_one_nan;
use crate::key_ranges::whole_keys;
use crate::keys::BatchKeys;
use crate::lower::one_of;
use crate::own_keys::{KeyHashes, OwnKeys};
use crate::own_places::{KeyColumns, OwnFound};
use crate::staged::{decoded, is_coded};
use crate::{
    ColumnPredicate, ColumnTest, ScanRequest, StagedTable, TableHandle, UniqueKey, WriteContext,
};
use arrow::array::{Array, ArrayRef, AsArray, BooleanArray, RecordBatch, UInt32Array};
use arrow::compute::{filter_record_batch, take};
use arrow::datatypes::{Schema, SchemaRef, UInt64Type};
use hashbrown::{HashMap, HashSet};
use llkv_column_map::{ColumnStore, PointRequest, TableVersion};
use llkv_result::{Error, Result};
use llkv_transaction::KeyBytes;
use llkv_types::{CancelToken, MemoryBudget, RowId, SqlType};
use roaring::RoaringTreemap;
use std::ops::Bound;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// What happens to a row whose key exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum OnConflict {
    /// The statement fails.
    #[default]
    Error,
    /// The new row is left out.
    Ignore,
    /// The existing row goes.
    Replace,
}

/// What an append did.
#[derive(Debug, Default)]
pub struct Appended {
    /// Rows appended.
    pub rows: u64,
    /// Rows deleted to make room for them.
    pub replaced: RoaringTreemap,
    /// The rows of the batch that were appended; absent where all were.
    pub kept: Option<BooleanArray>,
}

impl StagedTable {
    /// Appends rows: all columns of the table in their order and types. Texts of a table without keys may come as dictionary
    /// arrays (codes of 32 bits of distinct texts, ascending).
    ///
    /// # Errors
    /// When a row violates NOT NULL or a unique key (unless `on_conflict` says what then), when a row to
    /// be replaced is taken by another transaction, or when the store fails. The rows of the batch are
    /// then not in the table, though rows may have been deleted to make room for them.
    pub fn append(
        &mut self,
        context: &WriteContext<'_>,
        rows: RecordBatch,
        on_conflict: OnConflict,
    ) -> Result<Appended> {
        let mut appended = Appended::default();
        let rows = self.check_columns(rows)?;
        let rows = if self.keys.is_empty() {
            rows
        } else {
            let rows = decoded(rows, &self.table)?;
            self.resolve_keys(context, rows, on_conflict, &mut appended)?
        };
        appended.rows = rows.num_rows() as u64;
        self.push(context.store, rows)?;
        Ok(appended)
    }

    /// Appends new versions of rows of which no key column was changed.
    ///
    /// # Errors
    /// Like [`Self::append`], but for keys.
    pub fn append_versions(&mut self, context: &WriteContext<'_>, rows: RecordBatch) -> Result<()> {
        let rows = self.check_columns(rows)?;
        self.has_versions = true;
        self.push(context.store, rows)
    }

    /// The rows under the table's own schema, with no NULL where none may be, and one NaN.
    fn check_columns(&self, rows: RecordBatch) -> Result<RecordBatch> {
        self.table.check_nulls(&rows)?;
        let (_, mut columns, _) = rows.into_parts();
        for column in &mut columns {
            if let Some(values) = with_one_nan(column) {
                *column = values;
            }
        }
        let schema = schema_for(&self.table.arrow_schema(), &columns);
        Ok(RecordBatch::try_new(schema, columns)?)
    }

    fn resolve_keys(
        &mut self,
        context: &WriteContext<'_>,
        rows: RecordBatch,
        on_conflict: OnConflict,
        appended: &mut Appended,
    ) -> Result<RecordBatch> {
        let table = Arc::clone(&self.table);
        let mut encoded = Vec::with_capacity(table.keys().len());
        let mut matches = Vec::with_capacity(table.keys().len());
        let mut is_put_off = Vec::with_capacity(table.keys().len());
        for (index, key) in table.keys().iter().enumerate() {
            let columns = key.columns_of(&rows);
            let keys = key.encode(&columns)?;
            let put_off = self.puts_off(index, &keys, on_conflict);
            matches.push(match self.is_above_all(context, index, key, &keys)? {
                true => HashMap::new(),
                false if put_off => self.find_stored(context, key, &columns, &keys)?.0,
                false => self.find_existing(context, index, key, &columns, &keys)?,
            });
            encoded.push((columns, keys));
            is_put_off.push(put_off);
        }
        let fail = |index: usize, row: usize| {
            let (key, columns) = (table.keys().get(index), encoded.get(index));
            match (key, columns) {
                (Some(key), Some((columns, _))) => key.duplicate(&table.meta().name, columns, row),
                _ => Error::internal("a key without columns"),
            }
        };
        let keys: Vec<&BatchKeys> = encoded.iter().map(|(_, keys)| keys).collect();
        let met = Met {
            existing: &matches,
            is_put_off: &is_put_off,
        };
        let chosen = choose_rows(rows.num_rows(), &keys, met, on_conflict)
            .map_err(|(index, row)| fail(index, row))?;
        if !chosen.replaced.is_empty() {
            appended.replaced = self.delete(context, &chosen.replaced)?;
        }
        for (own, keys) in self.keys.iter_mut().zip(keys) {
            let is_kept = |row| {
                let keep = chosen.keep.as_ref();
                keep.is_none_or(|keep| keep.get(row) == Some(&true))
            };
            own.extend(keys, is_kept);
        }
        match chosen.keep {
            Some(keep) => {
                let keep = BooleanArray::from(keep);
                let kept = filter_record_batch(&rows, &keep)?;
                appended.kept = Some(keep);
                Ok(kept)
            }
            None => Ok(rows),
        }
    }

    /// True for a batch whose least key exceeds every key there is: no row of it needs to be looked for.
    fn is_above_all(
        &self,
        context: &WriteContext<'_>,
        index: usize,
        key: &UniqueKey,
        keys: &BatchKeys,
    ) -> Result<bool> {
        let Some((least, _)) = keys.bounds() else {
            return Ok(false);
        };
        let own = self.keys.get(index);
        if own.is_none_or(|own| own.highest().is_some_and(|highest| highest >= least)) {
            return Ok(false);
        }
        Ok(match context.store.table(self.table.id())? {
            Some(version) => {
                let highest = key.highest_stored(|| self.load_highest(context, key, &version))?;
                highest.is_none_or(|highest| &*highest < least)
            }
            None => true,
        })
    }

    /// The rows that the transaction sees and that have a key of the batch, by key.
    pub(crate) fn find_existing(
        &mut self,
        context: &WriteContext<'_>,
        index: usize,
        key: &UniqueKey,
        columns: &[ArrayRef],
        keys: &BatchKeys,
    ) -> Result<HashMap<KeyBytes, RowId>> {
        let (mut found, highest) = self.find_stored(context, key, columns, keys)?;
        let mut maybe = self.maybe_own(context, index, keys, highest.as_deref())?;
        // A key of a stored row that is seen is no own row's.
        maybe.retain(|row| keys.get(*row).is_some_and(|key| !found.contains_key(key)));
        if !maybe.is_empty() {
            let handle = self.handle(context.store, None, 0)?;
            if !find_places(&handle, key, keys, &maybe, &mut found)? {
                probe(&handle, key, columns, keys, &maybe, &mut found)?;
            }
        }
        Ok(found)
    }

    /// The stored rows that the transaction sees and that have a key of the batch, by key; the highest stored key.
    fn find_stored(
        &self,
        context: &WriteContext<'_>,
        key: &UniqueKey,
        columns: &[ArrayRef],
        keys: &BatchKeys,
    ) -> Result<(HashMap<KeyBytes, RowId>, Option<KeyBytes>)> {
        let mut found = HashMap::new();
        let Some(version) = context.store.table(self.table.id())? else {
            return Ok((found, None));
        };
        let highest = key.highest_stored(|| self.load_highest(context, key, &version))?;
        let maybe = rows_up_to(keys, highest.as_deref());
        if !maybe.is_empty() {
            let snapshot_id = context.snapshot.snapshot_id;
            let mut handle = self.handle(context.store, Some(version), snapshot_id)?;
            (handle.own_groups, handle.own_batches) = (None, Vec::new());
            probe(&handle, key, columns, keys, &maybe, &mut found)?;
        }
        Ok((found, highest))
    }

    /// Within a statement of many rows, keys that are in no order are compared with own ones at its end.
    fn puts_off(&mut self, index: usize, keys: &BatchKeys, on_conflict: OnConflict) -> bool {
        let rows = keys.rows();
        let Some(own) = self.keys.get_mut(index) else {
            return false;
        };
        let is_above = || match (keys.bounds(), own.highest()) {
            (Some((least, _)), Some(highest)) => least > highest,
            _ => true,
        };
        self.in_bulk
            && on_conflict == OnConflict::Error
            && !(keys.ascend() && is_above())
            && own.put_off(rows)
    }

    /// The rows to come are many and belong together: whether their keys are new is certain only after
    /// [`Self::end_bulk`].
    pub fn begin_bulk(&mut self) {
        self.in_bulk = true;
    }

    /// Compares the keys of the rows since [`Self::begin_bulk`] as far as that was put off.
    ///
    /// # Errors
    /// When two rows have one key, or it was cancelled: the rows that came since must go then. When own rows cannot be read.
    pub fn end_bulk(&mut self, store: &ColumnStore, cancel: &CancelToken) -> Result<()> {
        self.in_bulk = false;
        if !self.keys.iter().any(OwnKeys::is_unchecked) {
            return Ok(());
        }
        let handle = self.handle(store, None, 0)?;
        let table = Arc::clone(&self.table);
        for (own, key) in self.keys.iter_mut().zip(table.keys()) {
            if own.is_unchecked() {
                let name = &table.meta().name;
                own.set_checked(key.check_own_rows(name, &handle, store.memory(), cancel)?);
            }
        }
        Ok(())
    }

    /// Rows of the batch whose key the transaction may have written already: as a new key, or as a new
    /// version of a row with one of the stored keys.
    fn maybe_own(
        &mut self,
        context: &WriteContext<'_>,
        index: usize,
        keys: &BatchKeys,
        highest_stored: Option<&[u8]>,
    ) -> Result<Vec<usize>> {
        let handle = self.handle(context.store, None, 0)?;
        let versions_up_to = highest_stored.filter(|_| self.has_versions);
        let table = Arc::clone(&self.table);
        let (Some(own), Some(key)) = (self.keys.get_mut(index), table.keys().get(index)) else {
            return Ok(Vec::new());
        };
        let mut maybe = Vec::new();
        for (row, bytes) in keys.iter() {
            let contains = match own.may_contain(bytes) {
                _ if versions_up_to.is_some_and(|highest| bytes <= highest) => true,
                Some(contains) => contains,
                None => {
                    own.load_hashes(key_hashes(&handle, key, context.store.memory())?);
                    own.may_contain(bytes).unwrap_or(true)
                }
            };
            if contains {
                maybe.push(row);
            }
        }
        Ok(maybe)
    }

    /// The highest key that some snapshot in use may see. What was committed since the database was
    /// opened is known already.
    pub(crate) fn load_highest(
        &self,
        context: &WriteContext<'_>,
        key: &UniqueKey,
        version: &Arc<TableVersion>,
    ) -> Result<Option<KeyBytes>> {
        let bound = context.transactions.gc_bound();
        let handle = self.table.at(Arc::clone(version), bound)?;
        let mut request = ScanRequest::new(key.meta().fields.clone());
        // Of a collated column, the greatest text may have a lower key than others.
        let first = key.meta().fields.first().filter(|_| key.is_binary());
        let highest_first = first.and_then(|field| version.statistics(*field)?.max);
        if let (Some(field), Some(max)) = (first, highest_first) {
            request.predicates.push(ColumnPredicate {
                field: *field,
                test: ColumnTest::Range {
                    low: Bound::Included(max),
                    high: Bound::Unbounded,
                },
            });
            if let Some(highest) = highest_key(&handle, key, &request)? {
                return Ok(Some(highest));
            }
            request.predicates.clear();
        }
        highest_key(&handle, key, &request)
    }
}

/// The schema of a table for columns of which texts may come as codes.
fn schema_for(schema: &SchemaRef, columns: &[ArrayRef]) -> SchemaRef {
    if !columns.iter().any(is_coded) {
        return Arc::clone(schema);
    }
    let fields = schema.fields().iter().zip(columns);
    let fields = fields.map(|(field, column)| match is_coded(column) {
        true => {
            let field = field.as_ref().clone();
            Arc::new(field.with_data_type(column.data_type().clone()))
        }
        false => Arc::clone(field),
    });
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Rows whose key is at most `highest`; none where there is no highest key.
fn rows_up_to(keys: &BatchKeys, highest: Option<&[u8]>) -> Vec<usize> {
    let within = |key: &[u8]| highest.is_some_and(|highest| key <= highest);
    keys.iter()
        .filter(|(_, key)| within(key))
        .map(|(row, _)| row)
        .collect()
}

fn highest_key(
    handle: &TableHandle,
    key: &UniqueKey,
    request: &ScanRequest,
) -> Result<Option<KeyBytes>> {
    let mut highest: Option<KeyBytes> = None;
    handle.scan_stream(request)?.for_each_batch(|batch| {
        let keys = key.encode(batch.columns())?;
        let max = keys.iter().map(|(_, key)| key).max();
        if max > highest.as_deref() {
            highest = max.map(KeyBytes::from);
        }
        Ok(())
    })?;
    Ok(highest)
}

/// The keys of own rows under a constraint that is younger than they are.
pub(crate) fn own_keys(handle: &TableHandle, key: &UniqueKey) -> Result<OwnKeys> {
    let mut own = OwnKeys::default();
    let request = ScanRequest::new(key.meta().fields.clone());
    handle.scan_stream(&request)?.for_each_batch(|batch| {
        for (_, bytes) in key.encode(batch.columns())?.iter() {
            own.insert(bytes);
        }
        Ok(())
    })?;
    Ok(own)
}

/// The hashes of the keys of all rows; none where memory has no room for them.
fn key_hashes(
    handle: &TableHandle,
    key: &UniqueKey,
    memory: &Arc<MemoryBudget>,
) -> Result<Option<KeyHashes>> {
    let mut hashes = KeyHashes::new(memory);
    let mut has_room = true;
    let request = ScanRequest::new(key.meta().fields.clone());
    handle.scan_stream(&request)?.for_each_batch(|batch| {
        if has_room {
            let keys = key.encode(batch.columns())?;
            has_room = keys.iter().all(|(_, bytes)| hashes.insert(xxh3_64(bytes)));
        }
        Ok(())
    })?;
    Ok(has_room.then_some(hashes))
}

/// Looks few keys up among own rows in memory; false where they have to be found on another way.
fn find_places(
    handle: &TableHandle,
    key: &UniqueKey,
    keys: &BatchKeys,
    wanted: &[usize],
    found: &mut HashMap<KeyBytes, RowId>,
) -> Result<bool> {
    if wanted.len() > LOOKED_UP_KEYS || handle.own_groups.is_some() {
        return Ok(false);
    }
    let columns = KeyColumns {
        index: key.index(),
        fields: &key.meta().fields,
        each_key: &|columns, each| {
            let keys = key.encode(columns)?;
            keys.iter().for_each(|(row, key)| each(row, key));
            Ok(())
        },
    };
    for bytes in wanted.iter().filter_map(|row| keys.get(*row)) {
        match handle.own_places.find(handle, columns, bytes)? {
            OwnFound::Row(place) => drop(found.insert(bytes.into(), place.row_id)),
            OwnFound::Nothing => {}
            OwnFound::Unknown => return Ok(false),
        }
    }
    Ok(true)
}

/// So many keys are looked up one by one: a scan of what an index finds takes as long to open as several look-ups.
const LOOKED_UP_KEYS: usize = 4;

/// True where a column of a key is compared as its values are stored.
fn compares_as_stored(handle: &TableHandle, key: &UniqueKey, of_key: usize) -> bool {
    let at = key.columns().get(of_key);
    let column = at.and_then(|at| handle.schema().columns.get(*at));
    key.collation(of_key).is_binary()
        && !column.is_some_and(|c| matches!(c.ty, SqlType::Interval | SqlType::Variant))
}

/// As [`probe`], key by key; false where an index does not know all rows.
fn look_up(
    handle: &TableHandle,
    key: &UniqueKey,
    keys: &BatchKeys,
    maybe: &[usize],
    found: &mut HashMap<KeyBytes, RowId>,
) -> Result<bool> {
    let Some((version, snapshot)) = &handle.committed else {
        return Ok(false);
    };
    for bytes in maybe.iter().filter_map(|row| keys.get(*row)) {
        let rows = version.look_up(&PointRequest {
            access: &whole_keys(key.index(), [bytes].into_iter()),
            snapshot: *snapshot,
            without: (!handle.own_deletes.is_empty()).then_some(&*handle.own_deletes),
            fields: &[],
        })?;
        let Some(rows) = rows else {
            return Ok(false);
        };
        if let Some(row_id) = rows.row_ids.first() {
            found.insert(bytes.into(), *row_id);
        }
    }
    Ok(true)
}

/// Finds the rows of `handle` that have the key of one of the `maybe` rows of the batch.
fn probe(
    handle: &TableHandle,
    key: &UniqueKey,
    columns: &[ArrayRef],
    keys: &BatchKeys,
    maybe: &[usize],
    found: &mut HashMap<KeyBytes, RowId>,
) -> Result<()> {
    let as_stored = |of_key| compares_as_stored(handle, key, of_key);
    if maybe.len() <= LOOKED_UP_KEYS
        && (0..key.columns().len()).all(as_stored)
        && look_up(handle, key, keys, maybe, found)?
    {
        return Ok(());
    }
    let wanted: HashSet<&[u8]> = maybe.iter().filter_map(|row| keys.get(*row)).collect();
    let rows = UInt32Array::from_iter_values(maybe.iter().map(|row| *row as u32));
    let mut request = ScanRequest::new(key.meta().fields.clone());
    request.with_row_id = true;
    let fields = key.meta().fields.iter().enumerate();
    for ((of_key, field), values) in fields.zip(columns) {
        if as_stored(of_key) {
            let values = take(values, &rows, None)?;
            request.predicates.extend(one_of(*field, values));
        }
    }
    let access = whole_keys(key.index(), wanted.iter().copied());
    let scan = handle.scan_with(&request, Some(&access))?;
    scan.for_each_batch(|batch| {
        let (row_ids, key_columns) = match batch.columns().split_last() {
            Some((row_ids, key_columns)) => (row_ids.as_primitive::<UInt64Type>(), key_columns),
            None => return Ok(()),
        };
        let stored = key.encode(key_columns)?;
        for (row, bytes) in stored.iter() {
            if wanted.contains(bytes) {
                found.insert(bytes.into(), row_ids.value(row));
            }
        }
        Ok(())
    })
}

/// Which rows of a batch are appended, and which existing ones go.
#[derive(Debug, Default)]
struct Chosen {
    /// `None`: all.
    keep: Option<Vec<bool>>,
    replaced: RoaringTreemap,
}

/// What the keys of a batch meet.
#[derive(Clone, Copy)]
struct Met<'a> {
    /// For each constraint, the rows that have one of the keys.
    existing: &'a [HashMap<KeyBytes, RowId>],
    /// Constraints whose keys are compared with each other later.
    is_put_off: &'a [bool],
}

/// Decides row by row, in order, so that the rows of a batch meet one another too. The error is the
/// constraint and the row that violates it.
fn choose_rows(
    rows: usize,
    keys: &[&BatchKeys],
    met: Met<'_>,
    on_conflict: OnConflict,
) -> std::result::Result<Chosen, (usize, usize)> {
    let mut chosen = Chosen::default();
    let is_put_off = |index: usize| met.is_put_off.get(index) == Some(&true);
    let mut distinct = keys.iter().enumerate();
    if met.existing.iter().all(HashMap::is_empty)
        && distinct.all(|(index, keys)| is_put_off(index) || keys.ascend())
    {
        return Ok(chosen);
    }
    let mut keep = vec![true; rows];
    let mut seen: Vec<HashMap<&[u8], usize>> = vec![HashMap::new(); keys.len()];
    for row in 0..rows {
        let of_row = || {
            keys.iter()
                .enumerate()
                .filter_map(|(i, k)| Some((i, k.get(row)?)))
        };
        for (index, key) in of_row() {
            let stored = met.existing.get(index).and_then(|found| found.get(key));
            let before = seen.get(index).and_then(|seen| seen.get(key)).copied();
            match (on_conflict, stored, before) {
                (_, None, None) => {}
                (OnConflict::Error, ..) => return Err((index, row)),
                (OnConflict::Ignore, ..) => set(&mut keep, row, false),
                (OnConflict::Replace, stored, before) => {
                    chosen.replaced.extend(stored);
                    if let Some(before) = before {
                        set(&mut keep, before, false);
                    }
                }
            }
        }
        if keep.get(row) == Some(&true) {
            for (index, key) in of_row().filter(|(index, _)| !is_put_off(*index)) {
                if let Some(seen) = seen.get_mut(index) {
                    seen.insert(key, row);
                }
            }
        }
    }
    chosen.keep = keep.contains(&false).then_some(keep);
    Ok(chosen)
}

fn set(keep: &mut [bool], row: usize, value: bool) {
    if let Some(slot) = keep.get_mut(row) {
        *slot = value;
    }
}
