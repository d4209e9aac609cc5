//! What the catalog stores of a table or a view, and the bytes it stores it in.

use bitcode::{Decode, Encode};
use llkv_result::{CatalogError, Error, Result};
use llkv_types::{Column, FieldId, SqlType, TableId, TableSchema};
use xxhash_rust::xxh3::xxh3_64;

/// A column.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ColMeta {
    /// Identity within the table; never reused.
    pub field: FieldId,
    /// Name as created.
    pub name: String,
    /// Type.
    pub ty: SqlType,
    /// False for NOT NULL.
    pub nullable: bool,
    /// SQL text of the default, bound where it is used.
    pub default_sql: Option<String>,
}

/// A PRIMARY KEY or UNIQUE constraint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct KeyMeta {
    /// Name, given or made.
    pub name: String,
    /// PRIMARY KEY.
    pub primary: bool,
    /// Its columns.
    pub fields: Vec<FieldId>,
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct CheckMeta {
    /// Name, given or made.
    pub name: String,
    /// BOOLEAN expression as SQL text, bound where rows are written.
    pub sql: String,
}

/// A table.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TableMeta {
    /// Identity; never reused.
    pub id: TableId,
    /// Name as created.
    pub name: String,
    /// Columns in order.
    pub columns: Vec<ColMeta>,
    /// PRIMARY KEY and UNIQUE.
    pub keys: Vec<KeyMeta>,
    /// CHECK.
    pub checks: Vec<CheckMeta>,
    /// The field id that the next column to be added gets.
    pub next_field: u32,
}

/// A view: its text, bound anew at each use.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ViewMeta {
    /// Identity, from the same numbers as tables.
    pub id: TableId,
    /// Name as created.
    pub name: String,
    /// SELECT text.
    pub sql: String,
    /// Names of its columns, where the definition gave them.
    pub columns: Vec<String>,
    /// Dialect of the text.
    pub dialect: String,
}

impl TableMeta {
    /// The columns as a schema.
    #[must_use]
    pub fn schema(&self) -> TableSchema {
        let columns = self.columns.iter().map(|c| Column {
            field: c.field,
            name: c.name.clone(),
            ty: c.ty,
            nullable: c.nullable,
        });
        TableSchema {
            columns: columns.collect(),
        }
    }

    /// The columns as the column store lays them out.
    #[must_use]
    pub fn layout(&self) -> Vec<(FieldId, SqlType)> {
        self.columns.iter().map(|c| (c.field, c.ty)).collect()
    }
}

const MAGIC: [u8; 4] = *b"LKVC";
const VERSION: u8 = 1;
const HEADER_BYTES: usize = 4 + 1 + 8;

/// A catalog payload: magic, version, checksum, then the value as `bitcode` has it, which knows no
/// versions itself.
pub(crate) fn encode<T: Encode>(value: &T) -> Vec<u8> {
    let body = bitcode::encode(value);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.push(VERSION);
    bytes.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Reads a payload back.
pub(crate) fn decode<T: for<'a> Decode<'a>>(bytes: &[u8]) -> Result<T> {
    let (header, body) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| damaged("a record is too short".into()))?;
    let [m0, m1, m2, m3, version, checksum @ ..] = header else {
        return Err(damaged("a record is too short".into()));
    };
    if [*m0, *m1, *m2, *m3] != MAGIC {
        return Err(damaged("a record does not start with its mark".into()));
    }
    if *version != VERSION {
        return Err(damaged(format!("a record has version {version}")));
    }
    if checksum != xxh3_64(body).to_le_bytes() {
        return Err(damaged("a record does not match its checksum".into()));
    }
    bitcode::decode(body).map_err(|e| damaged(e.to_string()))
}

pub(crate) fn damaged(detail: String) -> Error {
    Error::Catalog(CatalogError::Damaged { detail })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn view() -> ViewMeta {
        ViewMeta {
            id: TableId(3),
            name: "v".into(),
            sql: "SELECT 1".into(),
            columns: vec!["a".into()],
            dialect: "llkv".into(),
        }
    }

    #[test]
    fn a_record_comes_back() {
        assert_eq!(decode::<ViewMeta>(&encode(&view())).unwrap(), view());
    }

    proptest! {
        #[test]
        fn a_changed_record_is_an_error(at in 0usize..64, bit in 0u8..8) {
            let mut bytes = encode(&view());
            let at = at % bytes.len();
            bytes[at] ^= 1 << bit;
            prop_assert!(decode::<ViewMeta>(&bytes).is_err());
        }
    }
}
