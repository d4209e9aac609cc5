//! Records of tables as earlier versions wrote them.

use crate::{
    CheckMeta, ColMeta, ForeignKeyMeta, Generated, IndexColumnMeta, IndexMeta, KeyMeta,
    MAIN_SCHEMA, TableMeta, ViewMeta,
};
use bitcode::{Decode, Encode};
use llkv_types::{Collation, FieldId, SqlType, TableId};

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct ColMetaV1 {
    pub(crate) field: FieldId,
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) default_sql: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct ColMetaV2 {
    pub(crate) field: FieldId,
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) default_sql: Option<String>,
    pub(crate) generated: Option<Generated>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct ColMetaV3 {
    pub(crate) field: FieldId,
    pub(crate) name: String,
    pub(crate) ty: SqlType,
    pub(crate) nullable: bool,
    pub(crate) default_sql: Option<String>,
    pub(crate) generated: Option<Generated>,
    pub(crate) declared: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct KeyMetaV2 {
    pub(crate) name: String,
    pub(crate) primary: bool,
    pub(crate) fields: Vec<FieldId>,
    pub(crate) index: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct IndexColumnMetaV1 {
    pub(crate) field: FieldId,
    pub(crate) descending: bool,
    pub(crate) nulls_first: Option<bool>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct KeyMetaV1 {
    pub(crate) name: String,
    pub(crate) primary: bool,
    pub(crate) fields: Vec<FieldId>,
}

/// Its texts were read in the dialect of whoever read them.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TableMetaV1 {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) columns: Vec<ColMetaV1>,
    pub(crate) keys: Vec<KeyMetaV1>,
    pub(crate) checks: Vec<CheckMeta>,
    pub(crate) next_field: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TableMetaV2 {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) columns: Vec<ColMetaV1>,
    pub(crate) keys: Vec<KeyMetaV1>,
    pub(crate) checks: Vec<CheckMeta>,
    pub(crate) next_field: u32,
    pub(crate) dialect: String,
}

/// Its columns have the type that they are held in alone.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TableMetaV3 {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) columns: Vec<ColMetaV2>,
    pub(crate) keys: Vec<KeyMetaV2>,
    pub(crate) checks: Vec<CheckMeta>,
    pub(crate) next_field: u32,
    pub(crate) dialect: String,
    pub(crate) foreign_keys: Vec<ForeignKeyMeta>,
    pub(crate) next_index: u32,
    pub(crate) schema: TableId,
}

/// All of its texts compare by their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct TableMetaV4 {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) columns: Vec<ColMetaV3>,
    pub(crate) keys: Vec<KeyMetaV2>,
    pub(crate) checks: Vec<CheckMeta>,
    pub(crate) next_field: u32,
    pub(crate) dialect: String,
    pub(crate) foreign_keys: Vec<ForeignKeyMeta>,
    pub(crate) next_index: u32,
    pub(crate) schema: TableId,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct ViewMetaV1 {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) sql: String,
    pub(crate) columns: Vec<String>,
    pub(crate) dialect: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct IndexMetaV1 {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) table: TableId,
    pub(crate) unique: bool,
    pub(crate) columns: Vec<IndexColumnMetaV1>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub(crate) struct IndexMetaV2 {
    pub(crate) id: TableId,
    pub(crate) name: String,
    pub(crate) table: TableId,
    pub(crate) unique: bool,
    pub(crate) columns: Vec<IndexColumnMetaV1>,
    pub(crate) schema: TableId,
}

impl ViewMetaV1 {
    pub(crate) fn upgraded(self) -> ViewMeta {
        ViewMeta {
            id: self.id,
            name: self.name,
            sql: self.sql,
            columns: self.columns,
            dialect: self.dialect,
            schema: MAIN_SCHEMA,
        }
    }
}

impl IndexMetaV1 {
    pub(crate) fn upgraded(self) -> IndexMeta {
        IndexMetaV2 {
            id: self.id,
            name: self.name,
            table: self.table,
            unique: self.unique,
            columns: self.columns,
            schema: MAIN_SCHEMA,
        }
        .upgraded()
    }
}

impl IndexMetaV2 {
    pub(crate) fn upgraded(self) -> IndexMeta {
        let columns = self.columns.into_iter().map(|column| IndexColumnMeta {
            field: column.field,
            descending: column.descending,
            nulls_first: column.nulls_first,
            collation: Collation::Binary,
        });
        IndexMeta {
            id: self.id,
            name: self.name,
            table: self.table,
            unique: self.unique,
            columns: columns.collect(),
            schema: self.schema,
        }
    }
}

/// The dialect of texts that were stored without one.
const FIRST_DIALECT: &str = "llkv";

impl TableMetaV1 {
    pub(crate) fn upgraded(self) -> TableMeta {
        TableMetaV2 {
            id: self.id,
            name: self.name,
            columns: self.columns,
            keys: self.keys,
            checks: self.checks,
            next_field: self.next_field,
            dialect: FIRST_DIALECT.into(),
        }
        .upgraded()
    }
}

impl TableMetaV2 {
    pub(crate) fn upgraded(self) -> TableMeta {
        let columns = self.columns.into_iter().map(|column| ColMetaV2 {
            field: column.field,
            name: column.name,
            ty: column.ty,
            nullable: column.nullable,
            default_sql: column.default_sql,
            generated: None,
        });
        // Keys were numbered by their places.
        let keys = (0..).zip(self.keys).map(|(index, key)| KeyMetaV2 {
            name: key.name,
            primary: key.primary,
            fields: key.fields,
            index,
        });
        let keys: Vec<KeyMetaV2> = keys.collect();
        TableMetaV3 {
            id: self.id,
            name: self.name,
            columns: columns.collect(),
            next_index: keys.len() as u32,
            keys,
            checks: self.checks,
            next_field: self.next_field,
            dialect: self.dialect,
            foreign_keys: Vec::new(),
            schema: MAIN_SCHEMA,
        }
        .upgraded()
    }
}

impl TableMetaV3 {
    pub(crate) fn upgraded(self) -> TableMeta {
        let columns = self.columns.into_iter().map(|column| ColMetaV3 {
            field: column.field,
            name: column.name,
            ty: column.ty,
            nullable: column.nullable,
            default_sql: column.default_sql,
            generated: column.generated,
            declared: None,
        });
        TableMetaV4 {
            id: self.id,
            name: self.name,
            columns: columns.collect(),
            keys: self.keys,
            checks: self.checks,
            next_field: self.next_field,
            dialect: self.dialect,
            foreign_keys: self.foreign_keys,
            next_index: self.next_index,
            schema: self.schema,
        }
        .upgraded()
    }
}

impl TableMetaV4 {
    pub(crate) fn upgraded(self) -> TableMeta {
        let columns = self.columns.into_iter().map(|column| ColMeta {
            field: column.field,
            name: column.name,
            ty: column.ty,
            nullable: column.nullable,
            default_sql: column.default_sql,
            generated: column.generated,
            declared: column.declared,
            collation: Collation::Binary,
        });
        let keys = self.keys.into_iter().map(|key| KeyMeta {
            name: key.name,
            primary: key.primary,
            fields: key.fields,
            index: key.index,
            collations: Vec::new(),
        });
        TableMeta {
            id: self.id,
            name: self.name,
            columns: columns.collect(),
            keys: keys.collect(),
            checks: self.checks,
            next_field: self.next_field,
            dialect: self.dialect,
            foreign_keys: self.foreign_keys,
            next_index: self.next_index,
            schema: self.schema,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::meta::{decode, decode_index, decode_table, encode_as, encode_table};

    #[test]
    fn tables_of_earlier_versions_are_read() {
        let first = TableMetaV1 {
            id: TableId(7),
            name: "t".into(),
            columns: vec![ColMetaV1 {
                field: FieldId(0),
                name: "a".into(),
                ty: SqlType::Int64,
                nullable: false,
                default_sql: Some("1 + 1".into()),
            }],
            keys: vec![KeyMetaV1 {
                name: "k".into(),
                primary: true,
                fields: vec![FieldId(0)],
            }],
            checks: vec![CheckMeta {
                name: "c".into(),
                sql: "a > 0".into(),
            }],
            next_field: 1,
        };
        let read = decode_table(&encode_as(1, &first)).unwrap();
        assert_eq!(read.dialect, "llkv");
        assert_eq!(read.columns[0].default_sql.as_deref(), Some("1 + 1"));
        assert_eq!(read.checks, first.checks);
        assert_eq!((read.keys[0].index, read.next_index), (0, 1));
        let third = TableMetaV3 {
            id: TableId(8),
            name: "u".into(),
            columns: vec![ColMetaV2 {
                field: FieldId(3),
                name: "price".into(),
                ty: SqlType::Float64,
                nullable: true,
                default_sql: None,
                generated: Some(Generated::Expression("1.5".into())),
            }],
            keys: vec![KeyMetaV2 {
                name: "k".into(),
                primary: true,
                fields: vec![FieldId(3)],
                index: 8,
            }],
            checks: vec![],
            next_field: 4,
            dialect: "sqlite".into(),
            foreign_keys: vec![],
            next_index: 9,
            schema: TableId(2),
        };
        let upgraded = decode_table(&encode_as(3, &third)).unwrap();
        let price = ColMeta {
            field: FieldId(3),
            name: "price".into(),
            ty: SqlType::Float64,
            nullable: true,
            default_sql: None,
            generated: Some(Generated::Expression("1.5".into())),
            declared: None,
            collation: Collation::Binary,
        };
        assert_eq!(upgraded.columns, [price]);
        assert_eq!(upgraded.keys[0].index, 8);
        assert!(upgraded.keys[0].collations.is_empty());
        assert_eq!((upgraded.next_index, upgraded.schema), (9, TableId(2)));
        assert_eq!(upgraded.dialect, "sqlite");
        let fourth = TableMetaV4 {
            id: TableId(9),
            name: "v".into(),
            columns: vec![ColMetaV3 {
                field: FieldId(0),
                name: "n".into(),
                ty: SqlType::Variant,
                nullable: true,
                default_sql: None,
                generated: None,
                declared: Some("NUMERIC".into()),
            }],
            keys: vec![],
            checks: vec![],
            next_field: 1,
            dialect: "sqlite".into(),
            foreign_keys: vec![],
            next_index: 0,
            schema: MAIN_SCHEMA,
        };
        let upgraded = decode_table(&encode_as(4, &fourth)).unwrap();
        assert_eq!(upgraded.columns[0].declared.as_deref(), Some("NUMERIC"));
        assert!(upgraded.columns[0].collation.is_binary());
        let second = IndexMetaV2 {
            id: TableId(3),
            name: "i".into(),
            table: TableId(9),
            unique: true,
            columns: vec![IndexColumnMetaV1 {
                field: FieldId(0),
                descending: true,
                nulls_first: None,
            }],
            schema: TableId(4),
        };
        let upgraded = decode_index(&encode_as(2, &second)).unwrap();
        assert!(upgraded.columns[0].descending && upgraded.collations().is_empty());
        assert_eq!(upgraded.schema, TableId(4));
        let again = TableMeta {
            dialect: "duckdb".into(),
            ..read
        };
        assert_eq!(decode_table(&encode_table(&again)).unwrap(), again);
        assert!(decode::<ViewMeta>(&encode_table(&again)).is_err());
    }
}
