//! What the catalog stores of a table or a view, and the bytes it stores it in.

use crate::meta_former::{
    IndexMetaV1, IndexMetaV2, TableMetaV1, TableMetaV2, TableMetaV3, TableMetaV4, ViewMetaV1,
};
use bitcode::{Decode, Encode};
use llkv_column_map::IndexDefinition;
use llkv_result::{CatalogError, Error, Result, StorageError};
use llkv_types::{
    Collation, Column, FieldId, IndexId, SqlType, TableId, TableSchema, TriggerEvent, TriggerTime,
};
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
    /// Where its values come from, if not from statements alone.
    pub generated: Option<Generated>,
    /// The type as written, where `ty` does not say it: NUMERIC in SQLite's dialect.
    pub declared: Option<String>,
    /// How its texts compare.
    pub collation: Collation,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum Generated {
    /// `GENERATED ALWAYS AS (expression)`: SQL text over the other columns; computed when a row is
    /// written.
    Expression(String),
    /// An identity column: its default is the next value of a sequence that goes with it.
    Identity {
        /// `GENERATED ALWAYS`: a value that a statement gives is refused.
        always: bool,
    },
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
    /// The number of its index in the table; never reused.
    pub index: u32,
    /// How their texts compare, column by column; empty where all compare by their bytes.
    pub collations: Vec<Collation>,
}

impl KeyMeta {
    /// Its index in the column store.
    #[must_use]
    pub fn index_id(&self) -> IndexId {
        IndexId(self.index)
    }
}

/// A FOREIGN KEY constraint.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ForeignKeyMeta {
    /// Name, given or made.
    pub name: String,
    /// Its columns.
    pub fields: Vec<FieldId>,
    /// The table that they refer to.
    pub parent: TableId,
    /// Columns of that table, which have a PRIMARY KEY or UNIQUE constraint.
    pub parent_fields: Vec<FieldId>,
    /// What becomes of rows whose parent goes.
    pub on_delete: ReferentialAction,
    /// What becomes of rows whose parent gets another key.
    pub on_update: ReferentialAction,
    /// It may be checked at the end of the transaction.
    pub deferrable: bool,
    /// It is, unless a transaction says otherwise.
    pub initially_deferred: bool,
}

/// What becomes of rows whose parent goes or gets another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
pub enum ReferentialAction {
    /// The statement, or the transaction of a deferred constraint, fails if any is left at its end.
    #[default]
    NoAction,
    /// The statement fails.
    Restrict,
    /// They go too, or get the new key.
    Cascade,
    /// Their columns become NULL.
    SetNull,
    /// Their columns get their defaults.
    SetDefault,
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
    /// Dialect of the defaults and CHECKs.
    pub dialect: String,
    /// FOREIGN KEY.
    pub foreign_keys: Vec<ForeignKeyMeta>,
    /// The number of the index that the next key to be added gets.
    pub next_index: u32,
    /// Its schema; [`MAIN_SCHEMA`] for the one that is always there.
    pub schema: TableId,
}

/// The schema that is always there.
pub const MAIN_SCHEMA: TableId = TableId(0);

/// In the place of a schema, for the names of schemas.
pub const SCHEMAS: TableId = TableId(u32::MAX);

/// A schema.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SchemaMeta {
    /// Identity, from the same numbers as tables.
    pub id: TableId,
    /// Name as created.
    pub name: String,
}

/// A sequence.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct SequenceMeta {
    /// Identity, from the same numbers as tables.
    pub id: TableId,
    /// Name as created.
    pub name: String,
    /// Its schema.
    pub schema: TableId,
    /// The first number.
    pub start: i64,
    /// What is added for the next one; below 0 for a sequence that counts down.
    pub increment: i64,
    /// The lowest number.
    pub min: i64,
    /// The highest number.
    pub max: i64,
    /// It begins anew at its end.
    pub cycle: bool,
    /// The column that it belongs to, and goes with.
    pub owner: Option<(TableId, FieldId)>,
    /// Numbers up to this one may have been given; none has where it is absent.
    pub last: Option<i64>,
}

/// A column of an index.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct IndexColumnMeta {
    /// The column.
    pub field: FieldId,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST or NULLS LAST, where said.
    pub nulls_first: Option<bool>,
    /// How its texts compare.
    pub collation: Collation,
}

/// An index that a statement created.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct IndexMeta {
    /// Identity, from the same numbers as tables.
    pub id: TableId,
    /// Name as created.
    pub name: String,
    /// Its table.
    pub table: TableId,
    /// No two rows have one key, but for keys with a NULL.
    pub unique: bool,
    /// Columns of the key, the most significant first.
    pub columns: Vec<IndexColumnMeta>,
    /// The schema of its table.
    pub schema: TableId,
}

impl IndexMeta {
    /// Its identity in the column store.
    #[must_use]
    pub fn index_id(&self) -> IndexId {
        IndexId(self.id.0 | OWN_INDEX_BIT)
    }

    /// What the column store keeps.
    #[must_use]
    pub fn definition(&self) -> IndexDefinition {
        IndexDefinition {
            id: self.index_id(),
            fields: self.columns.iter().map(|column| column.field).collect(),
            collations: self.collations(),
        }
    }

    /// How the texts of its columns compare; empty where all compare by their bytes.
    #[must_use]
    pub fn collations(&self) -> Vec<Collation> {
        let columns = self.columns.iter();
        unless_binary(columns.map(|column| column.collation).collect())
    }
}

/// Collations as they are stored: none where texts compare by their bytes in all columns.
#[must_use]
pub fn unless_binary(collations: Vec<Collation>) -> Vec<Collation> {
    match collations.iter().all(|collation| collation.is_binary()) {
        true => Vec::new(),
        false => collations,
    }
}

/// Tells the ids of created indexes from those of constraints.
const OWN_INDEX_BIT: u32 = 1 << 31;

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
    /// Its schema.
    pub schema: TableId,
}

/// A trigger: its text, bound anew by the statements that it fires for.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct TriggerMeta {
    /// Identity, from the same numbers as tables.
    pub id: TableId,
    /// Name as created. Triggers have names of their own: a table may have the same.
    pub name: String,
    /// Its table or view.
    pub table: TableId,
    /// Before, after, or in the place of the change.
    pub time: TriggerTime,
    /// The change.
    pub event: TriggerEvent,
    /// The CREATE TRIGGER text.
    pub sql: String,
    /// Dialect of the text.
    pub dialect: String,
}

impl TableMeta {
    /// The columns as a schema.
    #[must_use]
    pub fn columns_schema(&self) -> TableSchema {
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

    /// The indexes of its PRIMARY KEY and UNIQUE constraints.
    pub fn key_indexes(&self) -> impl Iterator<Item = IndexDefinition> {
        self.keys.iter().map(|key| IndexDefinition {
            id: key.index_id(),
            fields: key.fields.clone(),
            collations: key.collations.clone(),
        })
    }

    /// The columns as the column store lays them out.
    #[must_use]
    pub fn layout(&self) -> Vec<(FieldId, SqlType)> {
        self.columns.iter().map(|c| (c.field, c.ty)).collect()
    }
}

const MAGIC: [u8; 4] = *b"LKVC";
/// Of all records but those that are named below.
const VERSION: u8 = 1;
/// Of the records of views: since they have a schema.
pub(crate) const VIEW_VERSION: u8 = 2;
/// Of the records of indexes: 2 since they have a schema, 3 since their columns have a collation.
pub(crate) const INDEX_VERSION: u8 = 3;
/// Of the records of tables: 2 since they hold a dialect, 3 since they have foreign keys and a schema,
/// 4 since columns know how they were declared, 5 since columns and keys have collations.
const TABLE_VERSION: u8 = 5;
const HEADER_BYTES: usize = 4 + 1 + 8;

/// A catalog payload: magic, version, checksum, then the value as `bitcode` has it, which knows no
/// versions itself.
pub(crate) fn encode<T: Encode>(value: &T) -> Vec<u8> {
    encode_as(VERSION, value)
}

/// The payload of a table.
pub(crate) fn encode_table(table: &TableMeta) -> Vec<u8> {
    encode_as(TABLE_VERSION, table)
}

pub(crate) fn encode_as<T: Encode>(version: u8, value: &T) -> Vec<u8> {
    let body = bitcode::encode(value);
    let mut bytes = Vec::with_capacity(HEADER_BYTES + body.len());
    bytes.extend_from_slice(&MAGIC);
    bytes.push(version);
    bytes.extend_from_slice(&xxh3_64(&body).to_le_bytes());
    bytes.extend_from_slice(&body);
    bytes
}

/// Reads a payload back.
pub(crate) fn decode<T: for<'a> Decode<'a>>(bytes: &[u8]) -> Result<T> {
    match opened(bytes)? {
        (VERSION, body) => value(body),
        (version, _) => Err(unknown("a record of the catalog", version, VERSION)),
    }
}

/// Reads the payload of a view back, in whichever form it was written.
pub(crate) fn decode_view(bytes: &[u8]) -> Result<ViewMeta> {
    match opened(bytes)? {
        (VIEW_VERSION, body) => value(body),
        (1, body) => value(body).map(ViewMetaV1::upgraded),
        (version, _) => Err(unknown("the record of a view", version, VIEW_VERSION)),
    }
}

/// Reads the payload of an index back, in whichever form it was written.
pub(crate) fn decode_index(bytes: &[u8]) -> Result<IndexMeta> {
    match opened(bytes)? {
        (INDEX_VERSION, body) => value(body),
        (2, body) => value(body).map(IndexMetaV2::upgraded),
        (1, body) => value(body).map(IndexMetaV1::upgraded),
        (version, _) => Err(unknown("the record of an index", version, INDEX_VERSION)),
    }
}

/// Reads the payload of a table back, in whichever form it was written.
pub(crate) fn decode_table(bytes: &[u8]) -> Result<TableMeta> {
    match opened(bytes)? {
        (TABLE_VERSION, body) => value(body),
        (4, body) => value(body).map(TableMetaV4::upgraded),
        (3, body) => value(body).map(TableMetaV3::upgraded),
        (2, body) => value(body).map(TableMetaV2::upgraded),
        (1, body) => value(body).map(TableMetaV1::upgraded),
        (version, _) => Err(unknown("the record of a table", version, TABLE_VERSION)),
    }
}

/// The error for a version that is not read.
fn unknown(record: &'static str, version: u8, known: u8) -> Error {
    match version > known {
        true => newer(record, version.into(), known.into()),
        false => damaged(format!("{record} has version {version}")),
    }
}

fn value<T: for<'a> Decode<'a>>(body: &[u8]) -> Result<T> {
    bitcode::decode(body).map_err(|e| damaged(e.to_string()))
}

/// The version of a payload and the value's bytes, which are as they were written.
fn opened(bytes: &[u8]) -> Result<(u8, &[u8])> {
    let (header, body) = bytes
        .split_at_checked(HEADER_BYTES)
        .ok_or_else(|| damaged("a record is too short".into()))?;
    let [m0, m1, m2, m3, version, checksum @ ..] = header else {
        return Err(damaged("a record is too short".into()));
    };
    if [*m0, *m1, *m2, *m3] != MAGIC {
        return Err(damaged("a record does not start with its mark".into()));
    }
    if checksum != xxh3_64(body).to_le_bytes() {
        return Err(damaged("a record does not match its checksum".into()));
    }
    Ok((*version, body))
}

/// The error for what a later version of LLKV wrote.
pub(crate) fn newer(record: &'static str, found: u32, supported: u32) -> Error {
    let newer = StorageError::NewerRecord {
        path: "the catalog".into(),
        key: None,
        record,
        found,
        supported,
    };
    Error::Storage(newer)
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
            schema: MAIN_SCHEMA,
        }
    }

    #[test]
    fn a_record_comes_back() {
        assert_eq!(decode::<ViewMeta>(&encode(&view())).unwrap(), view());
    }

    #[test]
    fn a_record_of_a_later_version_is_told_from_damage() {
        let bytes = encode_as(VIEW_VERSION + 1, &view());
        let error = decode_view(&bytes).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("written by a later version of LLKV: the record of a view has version 3"),
            "{text}"
        );
        let error = decode_view(&encode_as(0, &view())).unwrap_err();
        assert!(
            matches!(error, Error::Catalog(CatalogError::Damaged { .. })),
            "{error}"
        );
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
