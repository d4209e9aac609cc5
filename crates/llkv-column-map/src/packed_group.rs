//! The stored form of a row group's description: after long churn, the ids of a group's rows are thousands of runs, which
//! take a byte or two each as lengths and gaps.

use crate::bytes::damaged;
use crate::descriptor::{
    ChunkMeta, CreatedRun, DeleteMeta, GROUPS, GroupMeta, IdRun, TABLE, TableDescriptor, payload,
    seal,
};
use crate::index::{FormerIndexDefinition, IndexDefinition};
use crate::marks::Mark;
use bitcode::{Decode, Encode};
use llkv_result::Result;
use llkv_types::{FieldId, RowId, SqlType, TxnId};

/// A [`GroupMeta`] as it is stored. Lists of bytes hold unsigned LEB128 numbers one after the other.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) struct PackedGroup {
    rows: u32,
    /// Rows of each run of ids.
    id_lengths: Vec<u8>,
    /// What lies between the ids of each run and those of the run before; of the first one, its first id.
    id_gaps: Vec<u8>,
    /// Rows of each run of creators.
    created_lengths: Vec<u8>,
    created_by: Vec<TxnId>,
    /// Rows between each deleted one and the one before.
    delete_gaps: Vec<u8>,
    deleted_by: Vec<TxnId>,
    chunks: Vec<ChunkMeta>,
}

/// A [`TableDescriptor`] as it is stored.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
struct PackedDescriptor<I> {
    layout: Vec<(FieldId, SqlType)>,
    applied: TxnId,
    dropped_by: Option<TxnId>,
    next_row_id: RowId,
    pages: Vec<u64>,
    groups: Vec<PackedGroup>,
    marks: Vec<Mark>,
    indexes: Vec<I>,
    fills: Vec<(FieldId, Vec<u8>)>,
}

/// The version before indexes had collations.
const BINARY_TABLE: u16 = 3;
/// The versions before descriptions were packed.
const PLAIN_TABLE: u16 = 2;
const PLAIN_GROUPS: u16 = 1;

/// Encodes descriptions of row groups.
pub(crate) fn seal_groups(groups: &[GroupMeta]) -> Vec<u8> {
    let packed: Vec<PackedGroup> = groups.iter().map(PackedGroup::of).collect();
    seal(GROUPS, &packed)
}

/// Decodes what [`seal_groups`] made, in this version or the one before.
///
/// # Errors
/// When the bytes contradict themselves.
pub(crate) fn unseal_groups(key: u64, bytes: &[u8]) -> Result<Vec<GroupMeta>> {
    let payload = payload(GROUPS, PLAIN_GROUPS, key, bytes)?;
    if payload.version == PLAIN_GROUPS {
        return payload.decode();
    }
    let packed: Vec<PackedGroup> = payload.decode()?;
    packed.into_iter().map(PackedGroup::unpack).collect()
}

/// Bytes that the description of a group takes, roughly.
pub(crate) fn stored_bytes(group: &GroupMeta) -> usize {
    bitcode::encode(&PackedGroup::of(group)).len()
}

/// Encodes a table's descriptor.
pub(crate) fn seal_table(table: TableDescriptor) -> Vec<u8> {
    let packed = PackedDescriptor {
        layout: table.layout,
        applied: table.applied,
        dropped_by: table.dropped_by,
        next_row_id: table.next_row_id,
        pages: table.pages,
        groups: table.groups.iter().map(PackedGroup::of).collect(),
        marks: table.marks,
        indexes: table.indexes,
        fills: table.fills,
    };
    seal(TABLE, &packed)
}

/// Decodes what [`seal_table`] made, in this version or one before.
///
/// # Errors
/// When the bytes contradict themselves.
pub(crate) fn unseal_table(key: u64, bytes: &[u8]) -> Result<TableDescriptor> {
    let payload = payload(TABLE, PLAIN_TABLE, key, bytes)?;
    match payload.version {
        PLAIN_TABLE => {
            let plain: TableDescriptor<FormerIndexDefinition> = payload.decode()?;
            Ok(plain.upgraded())
        }
        BINARY_TABLE => {
            let packed: PackedDescriptor<FormerIndexDefinition> = payload.decode()?;
            packed.unpack().map(TableDescriptor::upgraded)
        }
        _ => {
            let packed: PackedDescriptor<IndexDefinition> = payload.decode()?;
            packed.unpack()
        }
    }
}

impl<I> PackedDescriptor<I> {
    fn unpack(self) -> Result<TableDescriptor<I>> {
        let groups = self.groups.into_iter().map(PackedGroup::unpack);
        Ok(TableDescriptor {
            groups: groups.collect::<Result<_>>()?,
            layout: self.layout,
            applied: self.applied,
            dropped_by: self.dropped_by,
            next_row_id: self.next_row_id,
            pages: self.pages,
            marks: self.marks,
            indexes: self.indexes,
            fills: self.fills,
        })
    }
}

impl TableDescriptor<FormerIndexDefinition> {
    fn upgraded(self) -> TableDescriptor {
        TableDescriptor {
            layout: self.layout,
            applied: self.applied,
            dropped_by: self.dropped_by,
            next_row_id: self.next_row_id,
            pages: self.pages,
            groups: self.groups,
            marks: self.marks,
            indexes: (self.indexes.into_iter())
                .map(FormerIndexDefinition::upgraded)
                .collect(),
            fills: self.fills,
        }
    }
}

impl PackedGroup {
    fn of(group: &GroupMeta) -> Self {
        let (mut id_lengths, mut id_gaps) = (Vec::new(), Vec::new());
        let mut next_id = 0;
        let starts = group.row_ids.iter().map(|run| run.start);
        for (run, len) in group.row_ids.iter().zip(lengths(starts, group.rows)) {
            push(&mut id_lengths, len);
            push(&mut id_gaps, run.first.wrapping_sub(next_id));
            next_id = run.first.wrapping_add(len);
        }
        let mut created_lengths = Vec::new();
        for len in lengths(group.created.iter().map(|run| run.start), group.rows) {
            push(&mut created_lengths, len);
        }
        let (mut delete_gaps, mut next) = (Vec::new(), 0);
        for position in &group.deletes.positions {
            push(&mut delete_gaps, u64::from(position.wrapping_sub(next)));
            next = position.wrapping_add(1);
        }
        Self {
            rows: group.rows,
            id_lengths,
            id_gaps,
            created_lengths,
            created_by: group.created.iter().map(|run| run.created_by).collect(),
            delete_gaps,
            deleted_by: group.deletes.deleted_by.clone(),
            chunks: group.chunks.clone(),
        }
    }

    /// The description. [`GroupMeta::check`] judges what it says.
    fn unpack(self) -> Result<GroupMeta> {
        let (lengths, gaps) = (numbers(&self.id_lengths)?, numbers(&self.id_gaps)?);
        if lengths.len() != gaps.len() {
            return Err(damaged("runs of row ids without an id"));
        }
        let mut row_ids = Vec::with_capacity(lengths.len());
        let (mut start, mut next_id) = (0_u32, 0_u64);
        for (len, gap) in lengths.into_iter().zip(gaps) {
            let first = next_id.checked_add(gap);
            let first = first.ok_or_else(|| damaged("row ids overflow"))?;
            row_ids.push(IdRun { start, first });
            start = add(start, len)?;
            next_id = first.saturating_add(len);
        }
        let lengths = numbers(&self.created_lengths)?;
        if lengths.len() != self.created_by.len() {
            return Err(damaged("runs of rows without a creator"));
        }
        let mut created = Vec::with_capacity(lengths.len());
        let mut created_to = 0;
        for (len, created_by) in lengths.into_iter().zip(self.created_by) {
            created.push(CreatedRun {
                start: created_to,
                created_by,
            });
            created_to = add(created_to, len)?;
        }
        if created_to != self.rows || start != self.rows && !row_ids.is_empty() {
            return Err(damaged("the runs of a row group do not cover it"));
        }
        let mut positions = Vec::new();
        let mut next = 0;
        for gap in numbers(&self.delete_gaps)? {
            let position = add(next, gap)?;
            positions.push(position);
            next = add(position, 1)?;
        }
        Ok(GroupMeta {
            rows: self.rows,
            row_ids,
            created,
            deletes: DeleteMeta {
                positions,
                deleted_by: self.deleted_by,
            },
            chunks: self.chunks,
        })
    }
}

/// The lengths of runs of `rows` rows by their starts.
fn lengths(starts: impl Iterator<Item = u32> + Clone, rows: u32) -> impl Iterator<Item = u64> {
    let ends = starts.clone().skip(1).chain(std::iter::once(rows));
    starts
        .zip(ends)
        .map(|(start, end)| u64::from(end.wrapping_sub(start)))
}

fn add(position: u32, rows: u64) -> Result<u32> {
    let sum = u32::try_from(rows).ok();
    let sum = sum.and_then(|rows| position.checked_add(rows));
    sum.ok_or_else(|| damaged("a row group with too many rows"))
}

fn push(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn numbers(bytes: &[u8]) -> Result<Vec<u64>> {
    let mut out = Vec::with_capacity(bytes.len());
    let (mut number, mut shift) = (0_u64, 0_u32);
    for byte in bytes {
        let bits = u64::from(byte & 0x7f);
        if shift > 63 || bits << shift >> shift != bits {
            return Err(damaged("a number of more than 64 bits"));
        }
        number |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            out.push(number);
            (number, shift) = (0, 0);
        }
    }
    match shift {
        0 => Ok(out),
        _ => Err(damaged("a number that does not end")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A group of runs given by their lengths and what lies between them.
    fn group(runs: &[(u32, u64)], created: &[(u32, u64)], deletes: &[u32]) -> GroupMeta {
        let (mut start, mut next_id) = (0, 0);
        let mut row_ids = Vec::new();
        for (len, gap) in runs {
            let first = next_id + gap;
            row_ids.push(IdRun { start, first });
            start += len;
            next_id = first + u64::from(*len);
        }
        let rows = start;
        let created = created.iter().filter(|(start, _)| *start < rows);
        let created = created.map(|(start, created_by)| CreatedRun {
            start: *start,
            created_by: *created_by,
        });
        let positions: Vec<u32> = deletes.iter().copied().filter(|p| *p < rows).collect();
        GroupMeta {
            rows,
            row_ids,
            created: created.collect(),
            deletes: DeleteMeta {
                deleted_by: positions.iter().map(|p| u64::from(p % 3)).collect(),
                positions,
            },
            chunks: Vec::new(),
        }
    }

    proptest! {
        #[test]
        fn what_was_packed_comes_back(
            runs in prop::collection::vec((1_u32..300, prop_oneof![0_u64..3, 0_u64..1 << 40]), 1..50),
            created in prop::collection::btree_map(1_u32..9_000, 1_u64..1 << 50, 0..9),
            deletes in prop::collection::btree_set(0_u32..9_000, 0..60),
        ) {
            let created: Vec<(u32, u64)> = std::iter::once((0, 7)).chain(created).collect();
            let deletes: Vec<u32> = deletes.into_iter().collect();
            let meta = group(&runs, &created, &deletes);
            meta.check().unwrap();
            let bytes = seal_groups(std::slice::from_ref(&meta));
            prop_assert_eq!(unseal_groups(5, &bytes).unwrap(), vec![meta.clone()]);
            let former = seal(crate::descriptor::RecordKind { version: PLAIN_GROUPS, ..GROUPS }, &vec![meta.clone()]);
            prop_assert_eq!(unseal_groups(5, &former).unwrap(), vec![meta]);
        }

        #[test]
        fn any_lists_give_a_description_or_an_error(
            lists in prop::array::uniform4(prop::collection::vec(any::<u8>(), 0..12)),
            rows in 0_u32..9,
        ) {
            let [id_lengths, id_gaps, created_lengths, delete_gaps] = lists;
            let packed = PackedGroup {
                rows,
                created_by: vec![1; numbers(&created_lengths).map_or(0, |n| n.len())],
                deleted_by: vec![1; numbers(&delete_gaps).map_or(0, |n| n.len())],
                id_lengths,
                id_gaps,
                created_lengths,
                delete_gaps,
                chunks: Vec::new(),
            };
            if let Ok(meta) = packed.unpack() {
                let _ = meta.check();
            }
        }
    }

    #[test]
    fn a_scattered_row_takes_two_bytes() {
        let runs: Vec<(u32, u64)> = (0..30_000).map(|i| (1, 90 + i % 20)).collect();
        let meta = group(&runs, &[(0, 1)], &[]);
        assert!(stored_bytes(&meta) < 2 * 30_000, "{}", stored_bytes(&meta));
    }
}
