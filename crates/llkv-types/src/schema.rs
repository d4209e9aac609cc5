//! The schema of a table.

use crate::{FieldId, SqlType};
use arrow::datatypes::{Field, Schema, SchemaRef};
use std::sync::Arc;

/// A column of a table: its identity, its name, its type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Identity within the table; survives a rename.
    pub field: FieldId,
    /// Name as created; names are compared without regard to case.
    pub name: String,
    /// Type.
    pub ty: SqlType,
    /// False where NULL is refused.
    pub nullable: bool,
}

/// The columns of a table, in order.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct TableSchema {
    /// The columns, in the order of `SELECT *`.
    pub columns: Vec<Column>,
}

impl TableSchema {
    /// The position of a column by name, without regard to ASCII case.
    #[must_use]
    pub fn position(&self, name: &str) -> Option<usize> {
        self.columns
            .iter()
            .position(|c| c.name.eq_ignore_ascii_case(name))
    }

    /// The Arrow schema in which rows of the table travel.
    #[must_use]
    pub fn to_arrow(&self) -> SchemaRef {
        let fields: Vec<Field> = self
            .columns
            .iter()
            .map(|c| Field::new(&c.name, c.ty.to_arrow(), c.nullable))
            .collect();
        Arc::new(Schema::new(fields))
    }
}
