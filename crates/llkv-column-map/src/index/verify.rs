//! The integrity check of indexes: each row that is alive has its entry, and no entry has another key.

use super::lookup::KeyReader;
use super::merge::{Cursor, Source};
use super::{IndexVersion, KeyColumn, OrderedPart};
use crate::row_group::RowGroup;
use crate::scan::selection::WINDOW_ROWS;
use crate::table_version::TableVersion;
use hashbrown::HashMap;
use llkv_result::Result;
use llkv_types::{CancelToken, RowId, TXN_ID_NONE};
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

/// Whether it was cancelled is asked after so many entries.
const ENTRIES: u64 = 8_192;

/// Adds what is wrong with the indexes of a table, a sentence each.
///
/// # Errors
/// When it was cancelled.
pub(crate) fn check_indexes(
    version: &TableVersion,
    cancel: &CancelToken,
    findings: &mut Vec<String>,
) -> Result<()> {
    for index in version.indexes.iter().filter(|index| !index.is_dropped) {
        let name = format!("table {}, index {}", version.table, index.definition.id);
        if index.is_damaged() {
            findings.push(format!("{name}: a part of it is damaged, or it waits to be built again: CHECKPOINT builds it"));
            continue;
        }
        let mut fields = index.definition.fields.iter();
        let has_columns = fields.all(|field| version.column(*field).is_ok());
        let Some(columns) = version.key_columns(index) else {
            // An index over a type without keys holds nothing: it is never asked.
            if has_columns {
                continue;
            }
            findings.push(format!("{name}: it has a column that the table has not"));
            continue;
        };
        let mut check = Check {
            version,
            index,
            name: &name,
            entries: HashMap::default(),
            last_ordered: (0, Vec::new()),
            cancel,
            findings,
        };
        if let Err(error) = check.run(&columns) {
            cancel.check()?;
            findings.push(format!("{name}: {error}"));
        }
    }
    Ok(())
}

struct Check<'a> {
    version: &'a TableVersion,
    index: &'a IndexVersion,
    name: &'a str,
    /// The hash of the key that the runs list for a row.
    entries: HashMap<RowId, u64, foldhash::fast::FixedState>,
    /// The last row of a part in key order: the part's first row, and the key.
    last_ordered: (RowId, Vec<u8>),
    cancel: &'a CancelToken,
    findings: &'a mut Vec<String>,
}

impl Check<'_> {
    fn run(&mut self, columns: &[KeyColumn]) -> Result<()> {
        for at in 0..self.index.runs.len() {
            self.read_run(at)?;
        }
        let mut reader = KeyReader::new(columns);
        let version = self.version;
        for group in version.groups.iter() {
            self.check_group(group, &mut reader)?;
        }
        let gone = self.entries.keys();
        let strange = gone.filter(|id| version.locate(**id).is_some()).count();
        if strange > 0 {
            let name = self.name;
            self.findings.push(format!(
                "{name}: {strange} entries of rows that it should not have"
            ));
        }
        Ok(())
    }

    fn read_run(&mut self, at: usize) -> Result<()> {
        let Some(run) = self.index.runs.get(at) else {
            return Ok(());
        };
        let name = self.name;
        let mut cursor = Cursor::new(Source::Stored(run));
        let mut key = Vec::new();
        let mut last: Option<(Vec<u8>, RowId)> = None;
        let mut count = 0;
        while let Some(row_id) = cursor.advance(&mut key)? {
            let in_order = last
                .as_ref()
                .is_none_or(|(k, id)| (k, *id) < (&key, row_id));
            if !in_order {
                self.findings
                    .push(format!("{name}: the entries of run {at} are out of order"));
                return Ok(());
            }
            if !run.may_contain(&key)? {
                self.findings
                    .push(format!("{name}: the filter of run {at} hides row {row_id}"));
            }
            if self.entries.insert(row_id, xxh3_64(&key)).is_some() {
                self.findings
                    .push(format!("{name}: row {row_id} has two entries"));
            }
            let (mut bytes, _) = last.take().unwrap_or_default();
            bytes.clear();
            bytes.extend_from_slice(&key);
            last = Some((bytes, row_id));
            count += 1;
            if count % ENTRIES == 0 {
                self.cancel.check()?;
            }
        }
        if count != run.entries() {
            self.findings.push(format!(
                "{name}: run {at} has {count} entries, not {}",
                run.entries()
            ));
        }
        Ok(())
    }

    /// Whether the key of the next row of a part is not below that of the one before.
    fn follows(&mut self, part: &OrderedPart, key: &[u8]) -> bool {
        let (first_row, last) = &mut self.last_ordered;
        let follows = *first_row != part.first_row || last.as_slice() <= key;
        *first_row = part.first_row;
        last.clear();
        last.extend_from_slice(key);
        follows
    }

    /// Rows of a stored group below the index's last row.
    fn check_group(&mut self, group: &Arc<RowGroup>, reader: &mut KeyReader) -> Result<()> {
        let (name, index) = (self.name, self.index);
        for start in (0..group.rows).step_by(WINDOW_ROWS) {
            self.cancel.check()?;
            let rows = WINDOW_ROWS.min(group.rows - start);
            let keys = reader.read(group, start, rows)?;
            for (row, key) in keys.iter().enumerate() {
                let (position, key) = (start + row, key.data());
                let row_id = group.row_id(position);
                if row_id >= index.covered_to {
                    continue;
                }
                let listed = self.entries.remove(&row_id);
                let ordered = part_of(&index.ordered, row_id);
                let wrong = match (listed, ordered) {
                    (Some(_), Some(_)) => Some("has an entry and lies in key order"),
                    (Some(hash), None) => {
                        (hash != xxh3_64(key)).then_some("has an entry of another key")
                    }
                    (None, Some(part)) => {
                        let within = *part.low <= *key && *key <= *part.high;
                        (!within || !self.follows(part, key)).then_some("is out of key order")
                    }
                    (None, None) => {
                        let alive = group.deleted_by(position, &self.version.marks) == TXN_ID_NONE;
                        alive.then_some("has no entry")
                    }
                };
                if let Some(wrong) = wrong {
                    self.findings.push(format!("{name}: row {row_id} {wrong}"));
                }
            }
        }
        Ok(())
    }
}

fn part_of(parts: &[OrderedPart], row_id: RowId) -> Option<&OrderedPart> {
    let after = parts.partition_point(|part| part.first_row <= row_id);
    let part = parts.get(after.checked_sub(1)?)?;
    (row_id <= part.last_row).then_some(part)
}
