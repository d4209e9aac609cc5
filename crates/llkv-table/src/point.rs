//! Rows by one whole key of a unique index: prepared once, looked up many times.

use crate::TableHandle;
use crate::own_places::{KeyColumns, OwnFound};
use arrow::array::{Array, ArrayRef};
use llkv_column_map::{IndexAccess, IntegerKey, KeyEncoder, KeyRange, PointRequest, PointRows};
use llkv_result::Result;
use llkv_types::{FieldId, IndexId, Scalar, SqlType};
use smallvec::SmallVec;

/// A look-up by one key, without its values.
#[derive(Debug)]
pub struct PointLookup {
    index: IndexId,
    /// Its columns, and their types.
    key: Vec<FieldId>,
    types: Vec<SqlType>,
    encoder: Encoder,
    columns: Vec<FieldId>,
}

#[derive(Debug)]
enum Encoder {
    Integer(SqlType),
    Rows(KeyEncoder),
}

impl PointLookup {
    /// A look-up by all columns of an index, given with their types, of some columns. `None` where the types
    /// have no keys.
    ///
    /// # Errors
    /// None for types that columns have.
    pub fn new(
        index: IndexId,
        key: &[(FieldId, SqlType)],
        columns: Vec<FieldId>,
    ) -> Result<Option<Self>> {
        let (key, key_types): (Vec<FieldId>, Vec<SqlType>) = key.iter().copied().unzip();
        let is_key = |ty: &SqlType| *ty != SqlType::Interval && KeyEncoder::supports(*ty);
        if key_types.is_empty() || !key_types.iter().all(is_key) {
            return Ok(None);
        }
        let encoder = match key_types.as_slice() {
            [ty] if IntegerKey::supports(*ty) => Encoder::Integer(*ty),
            types => Encoder::Rows(KeyEncoder::new(types.iter().copied())?),
        };
        Ok(Some(Self {
            index,
            key,
            types: key_types,
            encoder,
            columns,
        }))
    }

    /// The index that is looked into.
    #[must_use]
    pub fn index(&self) -> IndexId {
        self.index
    }

    /// The rows with a key: a value for each of its columns, of their types. A NULL finds none. `None` where
    /// a scan has to find them: the transaction has so many rows of its own that they are stored already, or the index does not
    /// know all rows.
    ///
    /// # Errors
    /// When the store fails.
    pub fn find(&self, handle: &TableHandle, key: &[Scalar]) -> Result<Option<PointRows>> {
        let Some((version, snapshot)) = &handle.committed else {
            return Ok(None);
        };
        let encoded = self.encode(key)?;
        let ranges = encoded.iter().map(|key| KeyRange::with_prefix(key));
        let found = version.look_up(&PointRequest {
            access: &IndexAccess {
                index: self.index,
                ranges: ranges.collect(),
                whole_keys: true,
            },
            snapshot: *snapshot,
            without: (!handle.own_deletes.is_empty()).then_some(&*handle.own_deletes),
            fields: &self.columns,
        })?;
        match (found, encoded) {
            // Of the rows that are seen no two have one key.
            (Some(found), Some(key)) if found.row_ids.is_empty() => {
                self.or_own(found, handle, &key)
            }
            (found, _) => Ok(found),
        }
    }

    /// The transaction's own row with a key, or what was found without it: nothing.
    fn or_own(
        &self,
        nothing: PointRows,
        handle: &TableHandle,
        key: &[u8],
    ) -> Result<Option<PointRows>> {
        if handle.own_groups.is_some() {
            return Ok(None);
        }
        if handle.own_batches.is_empty() {
            return Ok(Some(nothing));
        }
        let columns = KeyColumns {
            index: self.index,
            fields: &self.key,
            each_key: &|columns, each| self.each_key(columns, each),
        };
        let place = match handle.own_places.find(handle, columns, key)? {
            OwnFound::Row(place) => place,
            OwnFound::Nothing => return Ok(Some(nothing)),
            OwnFound::Unknown => return Ok(None),
        };
        let columns = self.columns.iter();
        let columns = columns.map(|field| place.value(handle.position(*field)?));
        Ok(Some(PointRows {
            columns: columns.collect::<Result<_>>()?,
            row_ids: vec![place.row_id],
        }))
    }

    /// Calls `each` with rows of the key's columns and the bytes of their keys.
    fn each_key(&self, columns: &[ArrayRef], each: &mut dyn FnMut(usize, &[u8])) -> Result<()> {
        let keys = KeyEncoder::new(self.types.iter().copied())?.encode(columns)?;
        for (row, key) in keys.iter().enumerate() {
            if columns.iter().all(|column| column.is_valid(row)) {
                each(row, key.data());
            }
        }
        Ok(())
    }

    /// The key as bytes; `None` with a NULL in it.
    fn encode(&self, key: &[Scalar]) -> Result<Option<SmallVec<[u8; 16]>>> {
        if key.iter().any(Scalar::is_null) {
            return Ok(None);
        }
        if let (Encoder::Integer(ty), [value]) = (&self.encoder, key) {
            let key = value.as_integer().and_then(|v| IntegerKey::new(*ty, v));
            return Ok(key.map(|key| key.as_bytes().into()));
        }
        let columns = key.iter().map(|value| value.to_array(1));
        let columns: Vec<ArrayRef> = columns.collect::<Result<_>>()?;
        let Encoder::Rows(encoder) = &self.encoder else {
            return Ok(None);
        };
        debug_assert!(columns.iter().all(|column| column.null_count() == 0));
        let rows = encoder.encode(&columns)?;
        Ok(rows.iter().next().map(|row| row.data().into()))
    }
}
