//! Statements as the runtime dispatches them.

use crate::{
    AlterTable, FileOptions, LogicalPlan, PlanColumn, Projection, TableRef, TriggerDefinition,
    Triggers, ViewChange,
};
use llkv_expr::Expr;
use llkv_types::{Collation, DatabaseNumber, FieldId, SqlType, TableId};
use std::path::PathBuf;

/// How far a transaction is kept apart from those that run beside it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum IsolationLevel {
    /// It sees what was committed when it began, and of two that change a row the second fails: snapshot isolation.
    #[default]
    Snapshot,
    /// Besides, it commits only where what it has read is still so: transactions of this level that commit have done what they
    /// would have done one after the other, in the order of their commits.
    Serializable,
}

/// A bound statement.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum PlanStatement {
    /// SELECT, VALUES, SHOW, ...
    Query(LogicalPlan),
    /// INSERT and COPY FROM.
    Insert(Insert),
    /// UPDATE.
    Update(Update),
    /// DELETE.
    Delete(Delete),
    /// MERGE.
    Merge(Merge),
    /// TRUNCATE: all rows of some tables, those that refer to others among them first.
    Truncate(Vec<Delete>),
    /// INSERT, UPDATE or DELETE on a view with INSTEAD OF triggers.
    ChangeView(ViewChange),
    /// CREATE TABLE, with rows for CTAS.
    CreateTable {
        /// What is created.
        definition: TableDefinition,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// OR REPLACE.
        or_replace: bool,
        /// Rows, in the order of the definition's columns.
        source: Option<LogicalPlan>,
    },
    /// DROP TABLE.
    DropTable {
        /// Names.
        names: Vec<TableRef>,
        /// IF EXISTS.
        if_exists: bool,
        /// CASCADE: foreign keys that refer to it go too.
        cascade: bool,
        /// Views that go with them.
        views: Vec<TableRef>,
    },
    /// CREATE VIEW.
    CreateView {
        /// Name.
        name: TableRef,
        /// SELECT text.
        sql: String,
        /// Column names given.
        columns: Vec<String>,
        /// Dialect of the text.
        dialect: String,
        /// TEMPORARY: seen by its session alone, gone with it.
        temporary: bool,
        /// IF NOT EXISTS.
        if_not_exists: bool,
        /// OR REPLACE.
        or_replace: bool,
    },
    /// DROP VIEW.
    DropView {
        /// Names.
        names: Vec<TableRef>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// CREATE INDEX.
    CreateIndex {
        /// What is created.
        definition: IndexDefinition,
        /// IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// DROP INDEX.
    DropIndex {
        /// Names.
        names: Vec<TableRef>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// CREATE TRIGGER.
    CreateTrigger {
        /// What is created.
        definition: TriggerDefinition,
        /// IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// DROP TRIGGER.
    DropTrigger {
        /// Names.
        names: Vec<TableRef>,
        /// IF EXISTS.
        if_exists: bool,
    },
    /// ALTER TABLE.
    AlterTable(Box<AlterTable>),
    /// CREATE SCHEMA.
    CreateSchema {
        /// Name.
        name: String,
        /// IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// DROP SCHEMA.
    DropSchema {
        /// Names.
        names: Vec<TableRef>,
        /// IF EXISTS.
        if_exists: bool,
        /// CASCADE: what is in them goes too.
        cascade: bool,
    },
    /// CREATE SEQUENCE.
    CreateSequence {
        /// What is created.
        definition: SequenceDefinition,
        /// IF NOT EXISTS.
        if_not_exists: bool,
    },
    /// DROP SEQUENCE.
    DropSequence {
        /// Names, each with the columns whose defaults name the sequence.
        sequences: Vec<(TableRef, Vec<(TableId, FieldId)>)>,
        /// IF EXISTS.
        if_exists: bool,
        /// CASCADE: those defaults go too.
        cascade: bool,
    },
    /// SET CONSTRAINTS.
    SetConstraints {
        /// Their names, which several tables may have given; `None` for ALL.
        names: Option<Vec<TableRef>>,
        /// DEFERRED, not IMMEDIATE.
        deferred: bool,
    },
    /// REINDEX: of a table or an index, or of all.
    Reindex(Option<TableRef>),
    /// COPY ... TO.
    CopyTo {
        /// Rows.
        source: LogicalPlan,
        /// File.
        path: PathBuf,
        /// How.
        options: FileOptions,
    },
    /// EXPLAIN.
    Explain {
        /// What is explained.
        statement: Box<PlanStatement>,
        /// How.
        mode: ExplainMode,
        /// In what form.
        format: ExplainFormat,
    },
    /// BEGIN.
    Begin {
        /// READ ONLY.
        read_only: bool,
        /// ISOLATION LEVEL; the session's where nothing is said.
        isolation: Option<IsolationLevel>,
    },
    /// SET TRANSACTION: the same for a transaction that has just begun.
    SetTransaction {
        /// READ ONLY or READ WRITE.
        read_only: Option<bool>,
        /// ISOLATION LEVEL.
        isolation: Option<IsolationLevel>,
    },
    /// COMMIT.
    Commit,
    /// ROLLBACK.
    Rollback,
    /// SAVEPOINT.
    Savepoint(String),
    /// RELEASE SAVEPOINT.
    Release(String),
    /// ROLLBACK TO SAVEPOINT.
    RollbackTo(String),
    /// CHECKPOINT.
    Checkpoint,
    /// VACUUM.
    Vacuum,
    /// BACKUP TO a new file.
    Backup(PathBuf),
    /// The integrity check: what is wrong, or `ok`.
    IntegrityCheck,
    /// A number that an application keeps in the file, read or set.
    DatabaseNumber {
        /// Which one.
        number: DatabaseNumber,
        /// What it shall be; none to read it.
        value: Option<i32>,
    },
    /// SET; settings that concern the binder alone (`dialect`) do not come here.
    Set {
        /// Name, lower case.
        name: String,
        /// Value as text.
        value: String,
    },
    /// SHOW of a setting, and pragmas that read one.
    Show {
        /// Name of the setting, lower case.
        name: String,
        /// Name of the result's column.
        column: String,
        /// As a number, where the value is one (`on` is 1): what SQLite's pragmas give.
        as_number: bool,
    },
    /// SHOW ALL.
    ShowAll {
        /// Name, value and meaning of the settings that concern the binder alone.
        others: Vec<[String; 3]>,
    },
}

/// INSERT. Small VALUES lists and files are both plans.
#[derive(Debug, Clone)]
pub struct Insert {
    /// Target.
    pub table: TableId,
    /// Its name.
    pub table_name: String,
    /// Rows: all columns of the table in their order, cast, defaults filled in.
    pub source: LogicalPlan,
    /// CHECK constraints over the columns of `source`.
    pub checks: Vec<RowCheck>,
    /// What happens to a row whose key exists.
    pub on_conflict: ConflictAction,
    /// What happens instead under a named key, or instead of leaving a row out.
    pub upsert: Option<Upsert>,
    /// RETURNING.
    pub returning: Option<Returning>,
    /// The statement was COPY: counted as such.
    pub is_copy: bool,
    /// What its rows set off; absent for most tables.
    pub triggers: Option<Triggers>,
    /// Tables whose rows foreign keys may change in turn.
    pub cascades: Vec<CascadeTarget>,
    /// The key, a position in [`crate::TableInfo::keys`], whose column gets numbers in the place of NULLs: an
    /// INTEGER PRIMARY KEY of SQLite's dialect.
    pub numbered_key: Option<usize>,
    /// Generated columns, by position, and their values over the columns of `source`: computed once more where the key gets
    /// numbers.
    pub generated_with_key: Vec<(usize, Expr)>,
}

/// A table whose rows change in turn when rows that they refer to change.
#[derive(Debug, Clone)]
pub struct CascadeTarget {
    /// The table.
    pub table: TableId,
    /// All of its columns in their order.
    pub columns: Vec<PlanColumn>,
    /// Its CHECK constraints, over these.
    pub checks: Vec<RowCheck>,
    /// Its generated columns: the position of each, and its value over `columns`.
    pub generated: Vec<(usize, Projection)>,
    /// Defaults of its columns.
    pub defaults: Vec<(FieldId, Expr)>,
    /// What rows set off that go.
    pub on_delete: Option<Triggers>,
    /// What rows set off whose columns of a foreign key, by its name, get other values.
    pub on_change: Vec<(String, Triggers)>,
}

impl CascadeTarget {
    /// True where its rows set something off.
    #[must_use]
    pub fn fires(&self) -> bool {
        self.on_delete.is_some() || !self.on_change.is_empty()
    }
}

/// `ON CONFLICT (key) DO NOTHING`, `ON CONFLICT ... DO UPDATE`.
#[derive(Debug, Clone)]
pub struct Upsert {
    /// The keys that count, positions in [`crate::TableInfo::keys`]; a row in the way under another
    /// one is an error.
    pub keys: Vec<usize>,
    /// DO UPDATE; DO NOTHING where absent.
    pub update: Option<UpsertUpdate>,
    /// Rows are taken one after the other: one may meet another of the same statement, as in SQLite.
    /// Otherwise that is an error of DO UPDATE.
    pub in_order: bool,
}

/// What becomes of the row that is in the way.
#[derive(Debug, Clone)]
pub struct UpsertUpdate {
    /// Its columns: all of the table in their order.
    pub existing: Vec<PlanColumn>,
    /// WHERE, over `existing` and the columns of the source; where it is not true the row stays.
    pub filter: Option<Expr>,
    /// The row that takes its place: all columns of the table, over the same columns.
    pub columns: Vec<Projection>,
    /// CHECK constraints over `columns`.
    pub checks: Vec<RowCheck>,
    /// What computes `filter` (true where there is none) and `columns` where there are subqueries in them.
    pub query: Option<RowQuery>,
}

/// RETURNING: values over the rows that a statement wrote, or deleted.
#[derive(Debug, Clone)]
pub struct Returning {
    /// The columns of such a row: all of the table in their order.
    pub rows: Vec<PlanColumn>,
    /// What is given back of it.
    pub columns: Vec<Projection>,
    /// What computes them where there are subqueries in them.
    pub query: Option<RowQuery>,
}

/// A query over rows that are at hand: for expressions over the rows of a statement with subqueries in them.
#[derive(Debug, Clone)]
pub struct RowQuery {
    /// The columns of the rows, and behind them one that numbers the rows.
    pub rows: Vec<PlanColumn>,
    /// A plan over a [`crate::Values`] without batches that has these columns: it puts out the number of a row, then
    /// what is computed of it.
    pub plan: LogicalPlan,
    /// The subqueries see what the statement has done so far; else the tables as they were before it.
    pub sees_changes: bool,
}

/// UPDATE.
#[derive(Debug, Clone)]
pub struct Update {
    /// Target.
    pub table: TableId,
    /// Its name.
    pub table_name: String,
    /// Rows: first the row id (UBIGINT), then all columns of the table with their new values.
    pub source: LogicalPlan,
    /// Columns that the statement sets.
    pub changed: Vec<FieldId>,
    /// CHECK constraints over the columns of `source`.
    pub checks: Vec<RowCheck>,
    /// What happens to a changed row whose key exists. But for [`ConflictAction::Error`] rows change one
    /// after the other.
    pub on_conflict: ConflictAction,
    /// RETURNING, over the rows with their new values.
    pub returning: Option<Returning>,
    /// What its rows set off; absent for most tables.
    pub triggers: Option<Triggers>,
    /// Tables whose rows foreign keys may change in turn.
    pub cascades: Vec<CascadeTarget>,
}

/// DELETE.
#[derive(Debug, Clone)]
pub struct Delete {
    /// Target.
    pub table: TableId,
    /// Its name.
    pub table_name: String,
    /// Rows: first the row id (UBIGINT), then, for RETURNING, all columns of the table.
    pub source: LogicalPlan,
    /// RETURNING, over the rows as they were.
    pub returning: Option<Returning>,
    /// What its rows set off; absent for most tables.
    pub triggers: Option<Triggers>,
    /// Tables whose rows foreign keys may change in turn.
    pub cascades: Vec<CascadeTarget>,
}

/// MERGE.
#[derive(Debug, Clone)]
pub struct Merge {
    /// The target's name.
    pub table_name: String,
    /// Rows: first the number of the clause that takes it (INTEGER), then `rows`.
    pub source: LogicalPlan,
    /// What the clauses read: first the number of the target's row (UBIGINT), NULL where there is none.
    pub rows: Vec<PlanColumn>,
    /// The WHEN clauses: INSERT, UPDATE or DELETE, the source of which reads `rows` from VALUES that have none yet; `None`
    /// for DO NOTHING.
    pub arms: Vec<Option<PlanStatement>>,
}

/// A CHECK constraint bound to the rows that a statement writes.
#[derive(Debug, Clone)]
pub struct RowCheck {
    /// Name, or text.
    pub name: String,
    /// BOOLEAN; NULL passes.
    pub expr: Expr,
}

/// What INSERT does about a key that exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ConflictAction {
    /// The statement fails.
    #[default]
    Error,
    /// The row is left out: `ON CONFLICT DO NOTHING`.
    Ignore,
    /// The row is left out, whichever constraint refuses it: `OR IGNORE`.
    Skip,
    /// The existing row goes: `OR REPLACE`.
    Replace,
    /// The statement fails, and what it did before that row stays: `OR FAIL`.
    Fail,
    /// The statement fails, and the transaction is rolled back: `OR ROLLBACK`.
    Rollback,
}

/// The form of what EXPLAIN gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ExplainFormat {
    /// Lines for people, a row each.
    #[default]
    Text,
    /// One JSON text.
    Json,
}

/// How EXPLAIN explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ExplainMode {
    /// The optimized plan.
    Plan,
    /// The optimized plan as rows of `id`, `parent`, `notused` and `detail`, as SQLite gives it.
    QueryPlan,
    /// The plan as bound and after each rule that changed it.
    Rules,
    /// The statement is run; the plan with what each operator counted.
    Analyze,
}

/// A table to create.
#[derive(Debug, Clone, PartialEq)]
pub struct TableDefinition {
    /// Name.
    pub name: TableRef,
    /// Columns.
    pub columns: Vec<ColumnDefinition>,
    /// PRIMARY KEY and UNIQUE.
    pub keys: Vec<KeyDefinition>,
    /// CHECK.
    pub checks: Vec<CheckDefinition>,
    /// FOREIGN KEY.
    pub foreign_keys: Vec<ForeignKeyDefinition>,
    /// Sequences of its columns: the column's position, and what is created.
    pub sequences: Vec<(u32, SequenceDefinition)>,
    /// TEMPORARY: seen by its session alone, gone with it.
    pub temporary: bool,
    /// Dialect of the defaults and CHECKs.
    pub dialect: String,
}

/// A column to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ColumnDefinition {
    /// Name.
    pub name: String,
    /// Type.
    pub ty: SqlType,
    /// False for NOT NULL and primary keys.
    pub nullable: bool,
    /// Default as SQL text.
    pub default_sql: Option<String>,
    /// Where its values come from, if not from statements alone.
    pub generated: Option<GeneratedColumn>,
    /// The type as written, where `ty` does not say it: NUMERIC in SQLite's dialect.
    pub declared: Option<String>,
    /// How its texts compare.
    pub collation: Collation,
}

/// Where the values of a column come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GeneratedColumn {
    /// `GENERATED ALWAYS AS (expression)`: SQL text over the other columns.
    Expression(String),
    /// An identity column; its default is the next number of a sequence.
    Identity {
        /// GENERATED ALWAYS: a statement gives no value.
        always: bool,
    },
}

impl SequenceDefinition {
    /// The name of the sequence that numbers a column, unless that is taken.
    #[must_use]
    pub fn name_of(table: &str, column: &str) -> String {
        format!("{table}_{column}_seq")
    }
}

/// A sequence to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SequenceDefinition {
    /// Name.
    pub name: TableRef,
    /// The first number.
    pub start: i64,
    /// What is added for the next one.
    pub increment: i64,
    /// The lowest number.
    pub min: i64,
    /// The highest number.
    pub max: i64,
    /// It begins anew at its end.
    pub cycle: bool,
    /// TEMPORARY: seen by its session alone, gone with it.
    pub temporary: bool,
}

/// A PRIMARY KEY or UNIQUE constraint.
#[derive(Debug, Clone, PartialEq, Eq, bitcode::Encode, bitcode::Decode)]
pub struct KeyDefinition {
    /// Name, given or made.
    pub name: String,
    /// PRIMARY KEY.
    pub primary: bool,
    /// Positions of its columns in the table.
    pub columns: Vec<u32>,
    /// How their texts compare, column by column; empty where all compare by their bytes.
    pub collations: Vec<Collation>,
}

/// A FOREIGN KEY constraint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKeyDefinition {
    /// Name, given or made.
    pub name: String,
    /// Positions of its columns in the table.
    pub columns: Vec<u32>,
    /// The table that they refer to; none for the table itself.
    pub parent: Option<TableId>,
    /// Positions of that table's columns: those of one of its keys.
    pub parent_columns: Vec<u32>,
    /// ON DELETE.
    pub on_delete: ForeignKeyAction,
    /// ON UPDATE.
    pub on_update: ForeignKeyAction,
    /// DEFERRABLE.
    pub deferrable: bool,
    /// INITIALLY DEFERRED.
    pub initially_deferred: bool,
}

/// What becomes of rows whose parent goes or gets another key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum ForeignKeyAction {
    /// NO ACTION.
    #[default]
    NoAction,
    /// RESTRICT.
    Restrict,
    /// CASCADE.
    Cascade,
    /// SET NULL.
    SetNull,
    /// SET DEFAULT.
    SetDefault,
}

/// An index to create.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexDefinition {
    /// Name; made of the table's and the columns' where absent.
    pub name: Option<TableRef>,
    /// Its table.
    pub table: TableId,
    /// The table's name.
    pub table_name: String,
    /// UNIQUE.
    pub unique: bool,
    /// Columns of the key, the most significant first.
    pub columns: Vec<IndexColumn>,
}

/// A column of an index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexColumn {
    /// The column.
    pub field: FieldId,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST or NULLS LAST, where said.
    pub nulls_first: Option<bool>,
    /// How its texts compare.
    pub collation: Collation,
}

/// A CHECK constraint.
#[derive(Debug, Clone, PartialEq, Eq, bitcode::Encode, bitcode::Decode)]
pub struct CheckDefinition {
    /// Name, given or made.
    pub name: String,
    /// BOOLEAN expression as SQL text.
    pub sql: String,
}
