//! The journal: one redo record for each commit since the last checkpoint, under a key of its own.

mod batch;

use crate::bytes::{ByteReader, ByteWriter, damaged, newer};
use crate::commit::ReadyChange;
use crate::descriptor::{RecordKind, seal, unseal};
use crate::fill::Fill;
use crate::index::IndexDefinition;
use crate::packed_group::{seal_groups, unseal_groups};
use crate::row_group::Layout;
use llkv_result::{Error, Result};
use llkv_types::{FieldId, IndexId, RowId, SqlType, TableId, TxnId};
use roaring::RoaringTreemap;
use std::sync::Arc;
use xxhash_rust::xxh3::xxh3_64;

const MAGIC: u32 = u32::from_le_bytes(*b"LLKJ");
const VERSION: u16 = 4;
/// Versions that are read: the third and the fourth know one more kind of change each.
const READ_VERSIONS: std::ops::RangeInclusive<u16> = 2..=VERSION;
const HEADER_BYTES: usize = 32;
/// The columns of a table: a list of field ids and types.
const LAYOUT: RecordKind = RecordKind {
    magic: *b"LLKL",
    version: 1,
    name: "the layout of a table",
};
/// The collations of an index.
const COLLATIONS: RecordKind = RecordKind {
    magic: *b"LLKO",
    version: 1,
    name: "the collations of an index",
};

const CREATE: u8 = 1;
const DROP: u8 = 2;
const ALTER: u8 = 3;
const APPEND: u8 = 4;
const APPEND_GROUPS: u8 = 5;
const DELETE: u8 = 6;
const CREATE_INDEX: u8 = 7;
const DROP_INDEX: u8 = 8;
const DELETE_SET: u8 = 9;
const CREATE_COLLATED_INDEX: u8 = 10;

/// Encodes the record of a commit.
///
/// ```text
/// magic "LLKJ" | version u16 | changes u16 | commit id u64 | length u64 | xxh3-64 of what follows u64
/// each change: tag u8 | table u32 | its fields; batches as laid out in `batch`
/// ```
///
/// # Errors
/// When a batch does not fit its layout.
pub(crate) fn encode(
    commit_id: TxnId,
    changes: &[ReadyChange],
    layout_of: impl Fn(TableId) -> Option<Arc<Layout>>,
) -> Result<Vec<u8>> {
    let mut out = ByteWriter::with_capacity(256);
    out.u32(MAGIC);
    out.u16(VERSION);
    out.u16(u16::try_from(changes.len()).map_err(|_| damaged("too many changes in a commit"))?);
    out.u64(commit_id);
    out.u64(0);
    out.u64(0);
    // Layouts that earlier changes of the same record have set.
    let mut layouts: Vec<(TableId, Arc<Layout>)> = Vec::new();
    for change in changes {
        let layout = match layouts.iter().rev().find(|(id, _)| *id == change.table()) {
            Some((_, layout)) => Some(Arc::clone(layout)),
            None => layout_of(change.table()),
        };
        encode_change(&mut out, change, layout.as_deref())?;
        if let ReadyChange::Create { table, columns } | ReadyChange::Alter { table, columns, .. } =
            change
        {
            layouts.push((*table, columns.as_slice().into()));
        }
    }
    let payload = out.as_slice().get(HEADER_BYTES..).unwrap_or_default();
    let (len, checksum) = (payload.len() as u64, xxh3_64(payload));
    out.patch_u64(16, len);
    out.patch_u64(24, checksum);
    Ok(out.into_vec())
}

fn encode_change(
    out: &mut ByteWriter,
    change: &ReadyChange,
    layout: Option<&Layout>,
) -> Result<()> {
    let tag = match change {
        ReadyChange::Create { .. } => CREATE,
        ReadyChange::Drop { .. } => DROP,
        ReadyChange::Alter { .. } => ALTER,
        ReadyChange::Append { .. } => APPEND,
        ReadyChange::AppendGroups { .. } => APPEND_GROUPS,
        ReadyChange::Delete { .. } => DELETE,
        ReadyChange::CreateIndex { index, .. } => match index.collations.is_empty() {
            true => CREATE_INDEX,
            false => CREATE_COLLATED_INDEX,
        },
        ReadyChange::DropIndex { .. } => DROP_INDEX,
        ReadyChange::DeleteSet { .. } => DELETE_SET,
    };
    out.u8(tag);
    out.u32(change.table().0);
    match change {
        ReadyChange::Drop { .. } => {}
        ReadyChange::Create { columns, .. } => out.prefixed(&seal(LAYOUT, columns)),
        ReadyChange::Alter { columns, fills, .. } => {
            out.prefixed(&seal(LAYOUT, columns));
            out.u32(fills.len() as u32);
            for (field, fill) in fills {
                out.u32(field.0);
                out.prefixed(fill.bytes());
            }
        }
        ReadyChange::Append {
            first_row_id,
            batch,
            ..
        } => {
            out.u64(*first_row_id);
            let layout = layout.ok_or_else(|| damaged("an append without a table"))?;
            batch::write(out, batch, layout)?;
        }
        ReadyChange::AppendGroups { groups, .. } => out.prefixed(&seal_groups(groups)),
        ReadyChange::CreateIndex { index, .. } => {
            out.u32(index.id.0);
            out.u32(index.fields.len() as u32);
            for field in &index.fields {
                out.u32(field.0);
            }
            if !index.collations.is_empty() {
                out.prefixed(&seal(COLLATIONS, &index.collations));
            }
        }
        ReadyChange::DropIndex { index, .. } => out.u32(index.0),
        ReadyChange::Delete { row_ids, .. } => {
            out.u32(row_ids.len() as u32);
            for row_id in row_ids {
                out.u64(*row_id);
            }
        }
        ReadyChange::DeleteSet { rows, .. } => {
            let mut bytes = Vec::with_capacity(rows.serialized_size());
            let written = rows.serialize_into(&mut bytes);
            written.map_err(|e| Error::internal(format!("a set of row ids: {e}")))?;
            out.prefixed(&bytes);
        }
    }
    Ok(())
}

/// Decodes a record; `layout_of` gives the layout of a table that was created before.
///
/// # Errors
/// When the bytes contradict their structure, checksum or key.
pub(crate) fn decode(
    key: u64,
    bytes: &[u8],
    mut layout_of: impl FnMut(TableId) -> Result<Arc<Layout>>,
) -> Result<(TxnId, Vec<ReadyChange>)> {
    let mut input = ByteReader::new(bytes);
    let (magic, version) = (input.u32()?, input.u16()?);
    if magic == MAGIC && version > VERSION {
        let (found, supported) = (u32::from(version), u32::from(VERSION));
        return Err(newer(Some(key), "a journal record", found, supported));
    }
    if magic != MAGIC || !READ_VERSIONS.contains(&version) {
        return Err(damaged(format!(
            "the value of key {key} is no journal record"
        )));
    }
    let count = input.u16()?;
    let commit_id = input.u64()?;
    let len = usize::try_from(input.u64()?).map_err(|_| damaged("a journal record's length"))?;
    let checksum = input.u64()?;
    let payload = input.raw(len)?;
    if xxh3_64(payload) != checksum {
        return Err(damaged("a journal record's checksum is wrong"));
    }
    let mut input = ByteReader::new(payload);
    let mut changes = Vec::new();
    // Layouts that earlier changes of the same record have set.
    let mut layouts: Vec<(TableId, Arc<Layout>)> = Vec::new();
    for _ in 0..count {
        let change = decode_change(&mut input, key, |table| {
            match layouts.iter().rev().find(|(id, _)| *id == table) {
                Some((_, layout)) => Ok(Arc::clone(layout)),
                None => layout_of(table),
            }
        })?;
        if let ReadyChange::Create { table, columns } | ReadyChange::Alter { table, columns, .. } =
            &change
        {
            layouts.push((*table, columns.as_slice().into()));
        }
        changes.push(change);
    }
    if !input.is_empty() {
        return Err(damaged("bytes follow the last change of a journal record"));
    }
    Ok((commit_id, changes))
}

fn decode_fills(input: &mut ByteReader<'_>, columns: &Layout) -> Result<Vec<(FieldId, Arc<Fill>)>> {
    let mut fills = Vec::new();
    for _ in 0..input.u32()? {
        let field = FieldId(input.u32()?);
        let ty = columns.iter().find(|(known, _)| *known == field);
        let (_, ty) = ty.ok_or_else(|| damaged("a value for a column that is not there"))?;
        fills.push((field, Arc::new(Fill::open(*ty, input.prefixed()?)?)));
    }
    Ok(fills)
}

fn decode_change(
    input: &mut ByteReader<'_>,
    key: u64,
    layout_of: impl FnOnce(TableId) -> Result<Arc<Layout>>,
) -> Result<ReadyChange> {
    let tag = input.u8()?;
    let table = TableId(input.u32()?);
    Ok(match tag {
        CREATE | ALTER => {
            let columns: Vec<(FieldId, SqlType)> = unseal(LAYOUT, key, input.prefixed()?)?;
            match tag {
                CREATE => ReadyChange::Create { table, columns },
                _ => ReadyChange::Alter {
                    table,
                    fills: decode_fills(input, &columns)?,
                    columns,
                },
            }
        }
        DROP => ReadyChange::Drop { table },
        APPEND => {
            let first_row_id: RowId = input.u64()?;
            let layout = layout_of(table)?;
            ReadyChange::Append {
                table,
                first_row_id,
                batch: batch::read(input, &layout)?,
            }
        }
        APPEND_GROUPS => {
            let groups = unseal_groups(key, input.prefixed()?)?;
            ReadyChange::AppendGroups { table, groups }
        }
        CREATE_INDEX | CREATE_COLLATED_INDEX => {
            let id = IndexId(input.u32()?);
            let count = input.u32()? as usize;
            let bytes = input.raw(count.saturating_mul(4))?;
            let (fields, _) = bytes.as_chunks::<4>();
            let fields = fields.iter().map(|f| FieldId(u32::from_le_bytes(*f)));
            let fields = fields.collect();
            let collations = match tag {
                CREATE_INDEX => Vec::new(),
                _ => unseal(COLLATIONS, key, input.prefixed()?)?,
            };
            ReadyChange::CreateIndex {
                table,
                index: IndexDefinition {
                    id,
                    fields,
                    collations,
                },
            }
        }
        DROP_INDEX => ReadyChange::DropIndex {
            table,
            index: IndexId(input.u32()?),
        },
        DELETE => {
            let count = input.u32()? as usize;
            let bytes = input.raw(count.saturating_mul(8))?;
            let (ids, _) = bytes.as_chunks::<8>();
            ReadyChange::Delete {
                table,
                row_ids: ids.iter().map(|id| u64::from_le_bytes(*id)).collect(),
            }
        }
        DELETE_SET => {
            let mut bytes = input.prefixed()?;
            let rows = RoaringTreemap::deserialize_from(&mut bytes);
            let rows = rows.map_err(|e| damaged(format!("a set of row ids: {e}")))?;
            if !bytes.is_empty() {
                return Err(damaged("bytes follow a set of row ids"));
            }
            ReadyChange::DeleteSet {
                table,
                rows: Arc::new(rows),
            }
        }
        tag => return Err(damaged(format!("a change of kind {tag} in the journal"))),
    })
}
