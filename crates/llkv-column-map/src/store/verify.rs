//! The integrity check: what must be true of every stored row group.

use super::ColumnStore;
use crate::column_buffer::ColumnBuffer;
use crate::encoding::{Scratch, input::Input, profile::Profile};
use crate::fill::StoredColumn;
use crate::index::check_indexes;
use crate::row_group::{GroupData, RowGroup};
use crate::scan::selection::WINDOW_ROWS;
use crate::stats::{Bounds, Stats};
use crate::table_version::TableVersion;
use llkv_result::Result;
use llkv_types::{CancelToken, TxnId};

impl ColumnStore {
    /// Reads everything and gives what is wrong, one sentence each: chunks that do not decode, statistics
    /// that do not contain their values, row ids that occur twice, versions out of order.
    ///
    /// # Errors
    /// When the pager fails, and when it was cancelled; damage is not an error but a finding.
    pub fn verify(&self, cancel: &CancelToken) -> Result<Vec<String>> {
        let mut findings = Vec::new();
        let last_commit = self.last_commit();
        for table in self.tables() {
            match self.table(table) {
                Ok(Some(version)) => check_table(&version, last_commit, cancel, &mut findings)?,
                Ok(None) => findings.push(format!("table {table} is listed but does not exist")),
                Err(error) => findings.push(format!("table {table}: {error}")),
            }
        }
        Ok(findings)
    }
}

fn check_table(
    version: &TableVersion,
    last_commit: TxnId,
    cancel: &CancelToken,
    findings: &mut Vec<String>,
) -> Result<()> {
    let table = version.table;
    let mut segments: Vec<_> = version.segments().collect();
    segments.sort_by_key(|segment| segment.first_row_id());
    for pair in segments.windows(2) {
        if let [left, right] = pair
            && left.last_row_id() >= right.first_row_id()
        {
            findings.push(format!(
                "table {table}: {left:?} and {right:?} share row ids"
            ));
        }
    }
    for segment in segments {
        let name = format!("table {table}, {segment:?}");
        if segment.last_row_id() >= version.next_row_id {
            findings.push(format!("{name}: row ids at or above the next one"));
        }
        check_versions(segment, &name, last_commit, findings);
        if let GroupData::Stored(_) = segment.data.as_ref() {
            for (field, _) in version.layout.iter() {
                cancel.check()?;
                let checked = version.column(*field);
                let checked = checked.and_then(|c| check_chunk(segment, &c, &name, findings));
                if let Err(error) = checked {
                    findings.push(format!("{name}, field {field}: {error}"));
                }
            }
        }
    }
    check_indexes(version, cancel, findings)
}

fn check_versions(segment: &RowGroup, name: &str, last_commit: TxnId, findings: &mut Vec<String>) {
    if segment
        .created
        .iter()
        .any(|run| run.created_by > last_commit)
    {
        findings.push(format!("{name}: rows created after the last commit"));
    }
    for (position, deleted_by) in segment.deletes.iter() {
        let created_by = segment.created_by(position as usize);
        if deleted_by > last_commit || deleted_by < created_by {
            findings.push(format!(
                "{name}: row {position} was created by {created_by} and deleted by {deleted_by}"
            ));
        }
    }
}

/// Decodes a chunk window by window and compares it with its statistics.
fn check_chunk(
    segment: &RowGroup,
    stored: &StoredColumn,
    name: &str,
    findings: &mut Vec<String>,
) -> Result<()> {
    let (field, ty) = (stored.field, stored.ty);
    let chunk = segment.chunk(stored)?;
    let mut scratch = Scratch::default();
    let mut column = ColumnBuffer::new(ty, WINDOW_ROWS)?;
    for start in (0..segment.rows).step_by(WINDOW_ROWS) {
        let rows = WINDOW_ROWS.min(segment.rows - start);
        column.reserve();
        chunk.append(start, rows, &mut column, &mut scratch)?;
        let array = column.finish()?;
        let found = Input::new(ty, &array)?.window_stats(&Profile::default());
        let (Some(found), Some(kept)) = (found.first(), chunk.windows().get(start / WINDOW_ROWS))
        else {
            continue;
        };
        if !contains(kept, found) {
            findings.push(format!(
                "{name}, field {field}: the statistics of rows {start}.. do not contain their values"
            ));
        }
    }
    Ok(())
}

fn contains(kept: &Stats, found: &Stats) -> bool {
    let inside = match (&kept.bounds, &found.bounds) {
        (_, Bounds::Unknown) => true,
        (
            Bounds::Int { min, max },
            Bounds::Int {
                min: low,
                max: high,
            },
        ) => min <= low && high <= max,
        (
            Bounds::Bytes { min, max },
            Bounds::Bytes {
                min: low,
                max: high,
            },
        ) => {
            min <= low
                && match (max, high) {
                    (None, _) => true,
                    (Some(max), Some(high)) => high <= max,
                    (Some(_), None) => false,
                }
        }
        // Nothing was kept: nothing is claimed.
        (Bounds::Unknown, _) => true,
        _ => false,
    };
    inside && kept.null_count == found.null_count
}
