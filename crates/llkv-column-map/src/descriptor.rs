//! The stored descriptor of a table: its layout, its row groups without their values, its delete marks.

use crate::bytes::{ByteReader, ByteWriter, damaged, damaged_key, newer};
use crate::index::IndexDefinition;
use crate::marks::Mark;
use crate::stats::Stats;
use bitcode::{Decode, DecodeOwned, Encode};
use llkv_result::Result;
use llkv_types::{FieldId, RowId, SqlType, TxnId};
use xxhash_rust::xxh3::xxh3_64;

/// Where a chunk lies: part of the value of a key. The chunks of small groups share one value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct ChunkRef {
    pub(crate) key: u64,
    pub(crate) offset: u32,
    pub(crate) len: u32,
}

/// A chunk without its values.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) struct ChunkMeta {
    pub(crate) field: FieldId,
    pub(crate) place: ChunkRef,
    pub(crate) encoding: u8,
    pub(crate) stats: Stats,
    pub(crate) distinct_estimate: u32,
}

/// Consecutive row ids: those of the rows from `start` up to the next run are `first..`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct IdRun {
    pub(crate) start: u32,
    pub(crate) first: RowId,
}

/// Consecutive rows, from `start` up to the next run, that one commit created.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub(crate) struct CreatedRun {
    pub(crate) start: u32,
    pub(crate) created_by: TxnId,
}

/// Deleted rows of a group: positions, ascending, and the commits that deleted them.
#[derive(Debug, Clone, PartialEq, Eq, Default, Encode, Decode)]
pub(crate) struct DeleteMeta {
    pub(crate) positions: Vec<u32>,
    pub(crate) deleted_by: Vec<TxnId>,
}

/// A row group without its values. It is stored as a [`PackedGroup`](crate::packed_group::PackedGroup).
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) struct GroupMeta {
    pub(crate) rows: u32,
    /// Ascending, one run where no row was ever dropped.
    pub(crate) row_ids: Vec<IdRun>,
    pub(crate) created: Vec<CreatedRun>,
    pub(crate) deletes: DeleteMeta,
    pub(crate) chunks: Vec<ChunkMeta>,
}

/// What a checkpoint stores of a table.
#[derive(Debug, Clone, PartialEq, Encode, Decode)]
pub(crate) struct TableDescriptor<I = IndexDefinition> {
    pub(crate) layout: Vec<(FieldId, SqlType)>,
    /// Every commit up to this is in the descriptor.
    pub(crate) applied: TxnId,
    /// The commit that dropped the table; it is kept while snapshots from before may look at it.
    pub(crate) dropped_by: Option<TxnId>,
    pub(crate) next_row_id: RowId,
    /// Keys of the pages that describe most row groups.
    pub(crate) pages: Vec<u64>,
    /// The row groups that fill no page yet.
    pub(crate) groups: Vec<GroupMeta>,
    /// Delete marks that are too few to be folded into their groups.
    pub(crate) marks: Vec<Mark>,
    /// The indexes; what they hold is described under a key of its own.
    pub(crate) indexes: Vec<I>,
    /// What rows hold that lack a column: a chunk of one row each. NULL where a column is not named.
    pub(crate) fills: Vec<(FieldId, Vec<u8>)>,
}

/// What a checkpoint stores of the store.
#[derive(Debug, Clone, PartialEq, Default, Encode, Decode)]
pub(crate) struct StoreHeader {
    /// The last commit that checkpoints have folded in.
    pub(crate) applied: TxnId,
    /// Keys that nothing refers to any more but readers of the process that wrote this.
    pub(crate) retired: Vec<u64>,
    /// Tables that were dropped but that snapshots from before might still look at.
    pub(crate) dropped: Vec<u32>,
    /// Tables with dead rows that some snapshot saw, or that were too many for one checkpoint.
    pub(crate) garbage: Vec<u32>,
}

const ENVELOPE_BYTES: usize = 20;

/// A kind of stored record. Its version counts up when the type behind it changes, or a type within that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RecordKind {
    /// The record begins with it.
    pub(crate) magic: [u8; 4],
    pub(crate) version: u16,
    /// What an error calls it.
    pub(crate) name: &'static str,
}

/// A [`TableDescriptor`].
pub(crate) const TABLE: RecordKind = RecordKind {
    magic: *b"LLKT",
    version: 4,
    name: "the descriptor of a table",
};
/// A list of [`GroupMeta`], in a page of a descriptor or in the journal.
pub(crate) const GROUPS: RecordKind = RecordKind {
    magic: *b"LLKG",
    version: 2,
    name: "a description of row groups",
};
/// A [`StoreHeader`].
pub(crate) const STORE: RecordKind = RecordKind {
    magic: *b"LLKS",
    version: 1,
    name: "the header of the store",
};

/// Encodes a record behind magic, version, length and checksum: `bitcode` knows none of them.
pub(crate) fn seal<T: Encode>(kind: RecordKind, value: &T) -> Vec<u8> {
    let payload = bitcode::encode(value);
    let mut out = ByteWriter::with_capacity(ENVELOPE_BYTES + payload.len());
    out.raw(&kind.magic);
    out.u16(kind.version);
    out.u16(0);
    out.u32(payload.len() as u32);
    out.u64(xxh3_64(&payload));
    out.raw(&payload);
    out.into_vec()
}

/// Decodes what [`seal`] made.
///
/// # Errors
/// On a foreign magic or version, a wrong checksum, or a payload that does not decode;
/// [`StorageError::NewerRecord`](llkv_result::StorageError::NewerRecord) for a version that only later builds read.
pub(crate) fn unseal<T: DecodeOwned>(kind: RecordKind, key: u64, bytes: &[u8]) -> Result<T> {
    payload(kind, kind.version, key, bytes)?.decode()
}

/// The bytes in an envelope, which are what they were when they were written.
#[derive(Debug)]
pub(crate) struct Payload<'a> {
    kind: RecordKind,
    key: u64,
    /// Of the type that they encode.
    pub(crate) version: u16,
    bytes: &'a [u8],
}

/// Opens an envelope of a version that is read: from `oldest` up to that of the kind.
///
/// # Errors
/// As [`unseal`].
pub(crate) fn payload(
    kind: RecordKind,
    oldest: u16,
    key: u64,
    bytes: &[u8],
) -> Result<Payload<'_>> {
    let fail = |what: String| damaged_key(Some(key), format!("{}: {what}", kind.name));
    let mut input = ByteReader::new(bytes);
    let (found, version, _) = (input.raw(4)?, input.u16()?, input.u16()?);
    if found != kind.magic {
        return Err(fail("another record lies in its place".into()));
    }
    if version > kind.version {
        let (found, supported) = (u32::from(version), u32::from(kind.version));
        return Err(newer(Some(key), kind.name, found, supported));
    }
    if version < oldest {
        return Err(fail(format!("there is no version {version} of it")));
    }
    let len = input.u32()? as usize;
    let checksum = input.u64()?;
    let bytes = input.raw(len)?;
    if xxh3_64(bytes) != checksum {
        return Err(fail("its checksum is wrong".into()));
    }
    if !input.is_empty() {
        return Err(fail("bytes follow it".into()));
    }
    Ok(Payload {
        kind,
        key,
        version,
        bytes,
    })
}

impl Payload<'_> {
    /// The value.
    ///
    /// # Errors
    /// When the bytes encode none.
    pub(crate) fn decode<T: DecodeOwned>(&self) -> Result<T> {
        let value = bitcode::decode(self.bytes);
        value.map_err(|e| damaged_key(Some(self.key), format!("{}: {e}", self.kind.name)))
    }
}

impl GroupMeta {
    /// Checks what readers rely on.
    ///
    /// # Errors
    /// When counts contradict each other.
    pub(crate) fn check(&self) -> Result<()> {
        if self.rows == 0 {
            return Err(damaged("an empty row group"));
        }
        let mut created = self.created.iter().map(|run| run.start);
        let starts_ok = created.next() == Some(0)
            && self.created.is_sorted_by(|a, b| a.start < b.start)
            && created.next_back().is_none_or(|start| start < self.rows);
        if !starts_ok {
            return Err(damaged("the runs of created_by do not cover the row group"));
        }
        self.check_row_ids()?;
        if !self.chunks.is_sorted_by(|a, b| a.field < b.field) {
            return Err(damaged("the columns of a row group are out of order"));
        }
        let ascending = self.deletes.positions.is_sorted_by(|a, b| a < b);
        let inside = self.deletes.positions.last().is_none_or(|p| *p < self.rows);
        if !ascending || !inside || self.deletes.positions.len() != self.deletes.deleted_by.len() {
            return Err(damaged("the delete marks of a row group are out of order"));
        }
        Ok(())
    }

    fn check_row_ids(&self) -> Result<()> {
        let mut next_start = 0;
        let mut next_id = 0;
        for (index, run) in self.row_ids.iter().enumerate() {
            let end = self
                .row_ids
                .get(index + 1)
                .map_or(self.rows, |next| next.start);
            let len = end.checked_sub(run.start).filter(|len| *len > 0);
            let end_id = len.and_then(|len| run.first.checked_add(u64::from(len)));
            match end_id {
                Some(id) if run.start == next_start && run.first >= next_id => {
                    next_start = end;
                    next_id = id;
                }
                _ => return Err(damaged("runs of row ids are not ascending")),
            }
        }
        if next_start == self.rows {
            Ok(())
        } else {
            Err(damaged("the runs of row ids do not cover the row group"))
        }
    }
}
