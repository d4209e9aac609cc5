//! What can go wrong with names, types, the catalog and constraints.

use crate::Span;
use std::fmt;

/// The kinds of object that a catalog holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ObjectKind {
    /// A base table.
    Table,
    /// A view.
    View,
    /// A column of a table.
    Column,
    /// An index.
    Index,
    /// A schema.
    Schema,
    /// A scalar or aggregate function.
    Function,
    /// A data type.
    Type,
    /// A constraint of a table.
    Constraint,
    /// A trigger.
    Trigger,
    /// A window that the WINDOW clause names.
    Window,
    /// A sequence.
    Sequence,
    /// A statement that PREPARE prepared.
    PreparedStatement,
}

impl fmt::Display for ObjectKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Column => "column",
            Self::Index => "index",
            Self::Schema => "schema",
            Self::Function => "function",
            Self::Type => "type",
            Self::Constraint => "constraint",
            Self::Trigger => "trigger",
            Self::Window => "window",
            Self::Sequence => "sequence",
            Self::PreparedStatement => "prepared statement",
        })
    }
}

/// A failure of turning SQL text into a statement: syntax, names, types.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BindError {
    /// The text is no SQL.
    #[error("syntax error: {message}")]
    Syntax {
        /// What was expected, or found.
        message: String,
        /// Where.
        span: Option<Span>,
    },
    /// A name resolves to nothing.
    #[error("{kind} \"{name}\" does not exist{}", hint.as_ref().map(|h| format!("; did you mean \"{h}\"?")).unwrap_or_default())]
    NotFound {
        /// What was looked for.
        kind: ObjectKind,
        /// The name as written.
        name: String,
        /// The nearest name that exists.
        hint: Option<String>,
        /// Where.
        span: Option<Span>,
    },
    /// A name resolves to more than one thing.
    #[error("{kind} reference \"{name}\" is ambiguous")]
    Ambiguous {
        /// What was looked for.
        kind: ObjectKind,
        /// The name as written.
        name: String,
        /// Where.
        span: Option<Span>,
    },
    /// Types do not fit an operator, function or target.
    #[error("{message}")]
    TypeMismatch {
        /// Which operator or function, and the types it got.
        message: String,
        /// Where.
        span: Option<Span>,
    },
    /// No operator or function takes operands of these types, or as many of them.
    #[error("{message}")]
    UndefinedFunction {
        /// Which, and what it was given.
        message: String,
        /// Where.
        span: Option<Span>,
    },
    /// The statement means nothing: an aggregate in WHERE, a wrong number of columns, ...
    #[error("{message}")]
    Invalid {
        /// What is wrong.
        message: String,
        /// Where.
        span: Option<Span>,
    },
    /// Groups and aggregates where they mean nothing: an aggregate in WHERE, a column outside GROUP BY.
    #[error("{message}")]
    Grouping {
        /// What is wrong.
        message: String,
        /// Where.
        span: Option<Span>,
    },
    /// Window functions and frames where they mean nothing: a window function in WHERE, a frame that ends
    /// before it starts.
    #[error("{message}")]
    Windowing {
        /// What is wrong.
        message: String,
        /// Where.
        span: Option<Span>,
    },
    /// A recursive query that rounds cannot evaluate: a reference to itself in an aggregate, in an outer
    /// join, in a subquery, twice.
    #[error("{message}")]
    Recursion {
        /// What is wrong.
        message: String,
        /// Where.
        span: Option<Span>,
    },
    /// The statement is over a limit: nesting, columns, parameters.
    #[error("{what} is over the limit of {limit}")]
    TooComplex {
        /// What is too large or too deep.
        what: String,
        /// The limit.
        limit: usize,
    },
    /// A parameter was not given a value, or too many values were given.
    #[error("the statement has {expected} parameters, {given} values were given")]
    ParameterCount {
        /// Parameters in the statement.
        expected: usize,
        /// Values bound.
        given: usize,
    },
    /// Options of a definition contradict one another.
    #[error("{message}")]
    InvalidOption {
        /// What is wrong.
        message: String,
    },
    /// Valid SQL that this version does not run.
    #[error("{feature} is not supported")]
    Unsupported {
        /// The feature, by its SQL name.
        feature: String,
        /// Where.
        span: Option<Span>,
    },
}

impl BindError {
    /// The place in the statement's text, where one is known.
    #[must_use]
    pub fn span(&self) -> Option<Span> {
        match self {
            Self::Syntax { span, .. }
            | Self::NotFound { span, .. }
            | Self::Ambiguous { span, .. }
            | Self::TypeMismatch { span, .. }
            | Self::UndefinedFunction { span, .. }
            | Self::Invalid { span, .. }
            | Self::Grouping { span, .. }
            | Self::Windowing { span, .. }
            | Self::Recursion { span, .. }
            | Self::Unsupported { span, .. } => *span,
            Self::TooComplex { .. } | Self::ParameterCount { .. } | Self::InvalidOption { .. } => {
                None
            }
        }
    }

    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::Syntax { .. } | Self::Invalid { .. } => "42601",
            Self::NotFound { kind, .. } => match kind {
                ObjectKind::Column => "42703",
                ObjectKind::Function => "42883",
                ObjectKind::Table | ObjectKind::View | ObjectKind::Sequence => "42P01",
                ObjectKind::PreparedStatement => "26000",
                ObjectKind::Schema => "3F000",
                _ => "42704",
            },
            Self::Ambiguous { .. } => "42702",
            Self::TypeMismatch { .. } => "42804",
            Self::UndefinedFunction { .. } => "42883",
            Self::TooComplex { .. } => "54001",
            Self::InvalidOption { .. } => "22023",
            Self::ParameterCount { .. } => "08P01",
            Self::Unsupported { .. } => "0A000",
            Self::Grouping { .. } => "42803",
            Self::Windowing { .. } => "42P20",
            Self::Recursion { .. } => "42P19",
        }
    }
}

/// A failure of a change to the catalog.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CatalogError {
    /// The name is taken.
    #[error("{kind} \"{name}\" already exists")]
    AlreadyExists {
        /// What exists.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// No object has the name.
    #[error("{kind} \"{name}\" does not exist")]
    NotFound {
        /// What was looked for.
        kind: ObjectKind,
        /// Its name.
        name: String,
    },
    /// Other objects depend on the one that was to be dropped or changed.
    #[error("cannot change {kind} \"{name}\": {dependent} depends on it")]
    InUse {
        /// What was to be changed.
        kind: ObjectKind,
        /// Its name.
        name: String,
        /// What depends on it.
        dependent: String,
    },
    /// The definition contradicts itself.
    #[error("{message}")]
    InvalidTable {
        /// What is wrong.
        message: String,
    },
    /// A value for a column that has its own.
    #[error("column \"{column}\" gets its values from its definition alone")]
    GeneratedAlways {
        /// The column.
        column: String,
    },
    /// A foreign key refers to columns that are no key.
    #[error("{message}")]
    InvalidForeignKey {
        /// What is wrong.
        message: String,
    },
    /// SET CONSTRAINTS names a constraint that holds after each statement.
    #[error("constraint \"{constraint}\" is not deferrable")]
    NotDeferrable {
        /// Its name.
        constraint: String,
    },
    /// A table is to be altered while keys of it wait for the end of the transaction.
    #[error(
        "table \"{table}\" cannot be altered: foreign keys wait for the end of the transaction; SET CONSTRAINTS ALL IMMEDIATE looks at them now"
    )]
    ForeignKeysPending {
        /// The table.
        table: String,
    },
    /// A stored catalog record cannot be read.
    #[error("the catalog is damaged: {detail}")]
    Damaged {
        /// What does not fit.
        detail: String,
    },
}

impl CatalogError {
    /// The error of an object that stays as it is because another depends on it.
    #[must_use]
    pub fn in_use(
        kind: ObjectKind,
        name: impl Into<String>,
        dependent: impl Into<String>,
    ) -> crate::Error {
        let in_use = Self::InUse {
            kind,
            name: name.into(),
            dependent: dependent.into(),
        };
        in_use.into()
    }

    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::AlreadyExists { kind, .. } => match kind {
                ObjectKind::Column => "42701",
                ObjectKind::Schema => "42P06",
                ObjectKind::Table | ObjectKind::View | ObjectKind::Index | ObjectKind::Sequence => {
                    "42P07"
                }
                _ => "42710",
            },
            Self::NotFound { kind, .. } => match kind {
                ObjectKind::Table | ObjectKind::View | ObjectKind::Sequence => "42P01",
                ObjectKind::Schema => "3F000",
                ObjectKind::Column => "42703",
                _ => "42704",
            },
            Self::InUse { .. } => "2BP01",
            Self::InvalidTable { .. } => "42P16",
            Self::InvalidForeignKey { .. } => "42830",
            Self::GeneratedAlways { .. } => "428C9",
            Self::NotDeferrable { .. } => "42809",
            Self::ForeignKeysPending { .. } => "55006",
            Self::Damaged { .. } => "XX001",
        }
    }
}

/// A row that a constraint refuses. The statement that brought it leaves no trace.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConstraintError {
    /// NULL in a NOT NULL column.
    #[error(
        "null value in column \"{column}\" of table \"{table}\" violates its NOT NULL constraint"
    )]
    NotNull {
        /// The table.
        table: String,
        /// The column.
        column: String,
    },
    /// A second row with the same key.
    #[error("duplicate key {key} in table \"{table}\" violates {constraint}")]
    Unique {
        /// The table.
        table: String,
        /// `PRIMARY KEY (id)` or `UNIQUE (a, b)`.
        constraint: String,
        /// The key as text.
        key: String,
    },
    /// A CHECK expression is false.
    #[error("a row of table \"{table}\" violates the check constraint {constraint}")]
    Check {
        /// The table.
        table: String,
        /// Its name or text.
        constraint: String,
    },
    /// One INSERT would change a row more than once.
    #[error(
        "ON CONFLICT DO UPDATE would change a row of table \"{table}\" twice: two of the rows to \
         insert have the same key"
    )]
    ChangedTwice {
        /// The table.
        table: String,
    },
    /// There is no number left for a row that came without a key.
    #[error("the numbers for new rows of table \"{table}\" are used up")]
    KeysUsedUp {
        /// The table.
        table: String,
    },
    /// A referenced row does not exist, or a referencing one still does.
    #[error("a row of table \"{table}\" violates the foreign key {constraint}")]
    ForeignKey {
        /// The table.
        table: String,
        /// Its name or text.
        constraint: String,
    },
}

impl ConstraintError {
    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::NotNull { .. } => "23502",
            Self::Unique { .. } => "23505",
            Self::Check { .. } => "23514",
            Self::ChangedTwice { .. } => "21000",
            Self::KeysUsedUp { .. } => "2200H",
            Self::ForeignKey { .. } => "23503",
        }
    }
}
