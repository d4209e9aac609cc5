//! ALTER TABLE, one change at a time.

use crate::{
    CheckDefinition, ColumnDefinition, ForeignKeyDefinition, KeyDefinition, LogicalPlan, RowCheck,
    SequenceDefinition, TableRef,
};
use llkv_result::ConstraintError;
use llkv_types::{FieldId, Scalar, SqlType, TableId};

/// A change of a table's definition, with all that it asks of the rows that there are.
#[derive(Debug, Clone)]
pub struct AlterTable {
    /// The table.
    pub table: TableId,
    /// Its name.
    pub table_name: String,
    /// What changes.
    pub action: AlterAction,
    /// All rows as they are to be written anew; absent where they stay as they are.
    pub rows: Option<LogicalPlan>,
    /// CHECK constraints over the columns of `rows`.
    pub checks: Vec<RowCheck>,
    /// Queries that must give no row, and the error where one does.
    pub violations: Vec<(LogicalPlan, ConstraintError)>,
    /// Views and triggers that go with the change, or whose text follows it.
    pub dependents: Vec<Dependent>,
}

/// What becomes of a view or trigger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dependent {
    /// Its identity.
    pub id: TableId,
    /// Its text from now on; it is dropped where absent.
    pub sql: Option<String>,
}

/// A change of a table's definition.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum AlterAction {
    /// ADD COLUMN.
    AddColumn {
        /// The column.
        column: ColumnDefinition,
        /// What the rows that there are hold in it, where they are not written anew.
        value: Scalar,
        /// A sequence of its own, which numbers those rows.
        sequence: Option<SequenceDefinition>,
    },
    /// DROP COLUMN.
    DropColumn {
        /// The column.
        field: FieldId,
        /// Names of the CHECK constraints that go with it.
        checks: Vec<String>,
        /// Other tables' foreign keys that refer to it go too.
        cascade: bool,
    },
    /// RENAME COLUMN.
    RenameColumn {
        /// The column.
        field: FieldId,
        /// Its name from now on.
        name: String,
        /// The table's texts with that name.
        texts: TableTexts,
    },
    /// RENAME TO.
    RenameTable {
        /// The table's name from now on.
        name: String,
        /// The table's texts with that name.
        texts: TableTexts,
    },
    /// RENAME TO of a view or an index.
    RenameObject {
        /// What it is.
        kind: llkv_result::ObjectKind,
        /// The object.
        object: TableRef,
        /// Its name from now on.
        name: String,
    },
    /// SET DEFAULT and DROP DEFAULT.
    SetDefault {
        /// The column.
        field: FieldId,
        /// SQL text.
        default_sql: Option<String>,
    },
    /// ADD GENERATED ... AS IDENTITY.
    AddIdentity {
        /// The column, which has neither NULLs nor a default.
        field: FieldId,
        /// Its default from now on, as SQL text: the next number of the sequence.
        default_sql: String,
        /// ALWAYS rather than BY DEFAULT.
        always: bool,
        /// What numbers it.
        sequence: SequenceDefinition,
    },
    /// SET NOT NULL and DROP NOT NULL.
    SetNullable {
        /// The column.
        field: FieldId,
        /// False for NOT NULL.
        nullable: bool,
    },
    /// SET DATA TYPE.
    SetType {
        /// The column.
        field: FieldId,
        /// Its type from now on.
        ty: SqlType,
        /// The type as written, where `ty` alone does not tell it.
        declared: Option<String>,
    },
    /// ADD CHECK.
    AddCheck(CheckDefinition),
    /// ADD PRIMARY KEY, ADD UNIQUE.
    AddKey(KeyDefinition),
    /// ADD FOREIGN KEY.
    AddForeignKey(ForeignKeyDefinition),
    /// DROP CONSTRAINT.
    DropConstraint {
        /// Its name.
        name: String,
        /// IF EXISTS.
        if_exists: bool,
        /// Foreign keys that rest on it go too.
        cascade: bool,
    },
    /// RENAME CONSTRAINT.
    RenameConstraint {
        /// Its name.
        name: String,
        /// Its name from now on.
        new_name: String,
    },
    /// Nothing: `IF EXISTS` without, `IF NOT EXISTS` with.
    Nothing,
}

/// The SQL texts of a table that name its columns.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableTexts {
    /// The CHECK constraints, in their order.
    pub checks: Vec<String>,
    /// The expressions of generated columns.
    pub generated: Vec<(FieldId, String)>,
}
