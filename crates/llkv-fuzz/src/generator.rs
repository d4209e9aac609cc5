//! What generators share: the tables so far, the columns in sight, fresh names.

mod aggregates;
mod collations;
mod conditions;
mod dml;
mod expressions;
mod from;
mod literals;
mod partitions;
mod queries;
mod schema;
mod steps;

use crate::Dialect;
use crate::case::Case;
use crate::choices::{Choices, Span};

/// The type that a column or an expression has throughout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ty {
    Integer,
    /// A double that is a small number of quarters, so that sums do not depend on their order.
    Real,
    Text,
    /// An average: a double with all its digits, which is shown and never computed with.
    Average,
    /// SQLite's dialect: a value of any type in each row.
    Any,
    /// LLKV's dialect.
    Boolean,
    /// LLKV's dialect.
    Date,
    /// LLKV's dialect: DECIMAL(12, 2).
    Decimal,
}

/// A column that an expression may name.
#[derive(Debug, Clone)]
struct Column {
    /// As it is written, with the alias of its table.
    sql: String,
    ty: Ty,
    /// An aggregate is no column for a subquery.
    is_aggregate: bool,
    /// It is a table's own, so that its affinity is beyond doubt.
    is_stored: bool,
}

/// A table, view or common table expression that a query may read.
#[derive(Debug, Clone)]
struct Relation {
    name: String,
    columns: Vec<(String, Ty)>,
    kind: RelationKind,
    /// So many rows that two of it do not belong in one FROM.
    is_large: bool,
}

/// What a relation is.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RelationKind {
    /// Columns that no two rows may share, and columns that may not be NULL.
    Table {
        key: Option<usize>,
        not_null: Vec<bool>,
    },
    View,
    Common,
}

/// Makes one case out of decisions.
pub(crate) struct Generator<'c> {
    choices: &'c mut Choices,
    dialect: Dialect,
    relations: Vec<Relation>,
    /// Columns in sight, the innermost query's last.
    scopes: Vec<Vec<Column>>,
    names: u32,
    /// Levels of queries that are still allowed inside the present one.
    query_depth: usize,
    in_transaction: bool,
    /// Comparisons may meet values of two types.
    mixes_types: bool,
    /// SQLite's dialect: columns and expressions have collations. Which of several equal texts stands for them is
    /// open then.
    collates: bool,
    /// The query that is being made is that of a statement, and its rows are only shown.
    is_shown: bool,
    case: Case,
}

impl<'c> Generator<'c> {
    fn new(choices: &'c mut Choices, dialect: Dialect) -> Self {
        Self {
            choices,
            dialect,
            relations: Vec::new(),
            scopes: Vec::new(),
            names: 0,
            query_depth: 0,
            in_transaction: false,
            mixes_types: dialect == Dialect::Sqlite,
            collates: false,
            is_shown: false,
            case: Case::new(dialect),
        }
    }

    fn is_sqlite(&self) -> bool {
        self.dialect == Dialect::Sqlite
    }

    /// A name that nothing has yet.
    fn fresh(&mut self, prefix: &str) -> String {
        let name = format!("{prefix}{}", self.names);
        self.names += 1;
        name
    }

    /// Makes something several times, each time with its decision to go on, so that one can be taken out of
    /// the middle: it ends at `most`, and once in `ends` times before.
    fn repeat(&mut self, most: usize, ends: u64, mut make: impl FnMut(&mut Self, usize)) {
        for number in 0..most {
            let goes_on = self.part(|this| {
                let goes_on = this.choices.below(ends) != 0;
                if goes_on {
                    make(this, number);
                }
                goes_on
            });
            if !goes_on {
                return;
            }
        }
    }

    /// Makes a part whose decisions belong together.
    fn part<T>(&mut self, make: impl FnOnce(&mut Self) -> T) -> T {
        let start = self.choices.begin();
        let made = make(self);
        self.choices.end(start);
        made
    }
}

/// The case of a seed.
pub(crate) fn seeded(seed: u64, dialect: Dialect) -> (Case, Vec<u64>, Vec<Span>) {
    generate(Choices::seeded(seed), dialect)
}

/// The case of a list of decisions; the list comes back without what was not asked for.
pub(crate) fn replayed(list: Vec<u64>, dialect: Dialect) -> (Case, Vec<u64>, Vec<Span>) {
    generate(Choices::replayed(list), dialect)
}

fn generate(mut choices: Choices, dialect: Dialect) -> (Case, Vec<u64>, Vec<Span>) {
    let mut generator = Generator::new(&mut choices, dialect);
    generator.schema();
    generator.steps();
    let case = generator.case;
    let (list, spans) = choices.into_parts();
    (case, list, spans)
}
