//! The logical tree: relations in, relations out, columns by id.

use crate::ExternalSource;
use arrow::array::RecordBatch;
use llkv_expr::{AggregateExpr, ColumnId, Expr, SortKey, WindowExpr};
use llkv_types::{FieldId, IndexId, SqlType, TableId};
use std::sync::{Arc, LazyLock};

/// A column that a node puts out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlanColumn {
    /// Unique within the statement.
    pub id: ColumnId,
    /// Name, for people and for the result's schema. Names need not be unique.
    pub name: Arc<str>,
    /// Type.
    pub ty: SqlType,
    /// False only where no NULL can be in it.
    pub nullable: bool,
}

/// A relational expression. Rows of a node have the columns of [`LogicalPlan::columns`], in that order.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum LogicalPlan {
    /// Rows of a table.
    Scan(Scan),
    /// Rows of a file or a system view.
    External(ExternalScan),
    /// Constant rows.
    Values(Values),
    /// Rows for which a predicate is true.
    Filter(Filter),
    /// Computed columns.
    Project(Project),
    /// Pairs of rows.
    Join(Join),
    /// For each row of one side, the rows of a side that refers to it. Gone after unnesting.
    Apply(Apply),
    /// Groups.
    Aggregate(Aggregate),
    /// Each row once.
    Distinct(Distinct),
    /// Order, with an optional bound on the rows kept.
    Sort(Sort),
    /// A slice of the rows.
    Limit(Limit),
    /// All rows of several inputs.
    UnionAll(UnionAll),
    /// EXCEPT and INTERSECT.
    SetOp(SetOp),
    /// Values of each row computed from rows near it.
    Window(Window),
    /// Each row once for each of several sets of keys.
    Expand(Expand),
    /// Each row once for each value of a series.
    Series(Series),
    /// WITH RECURSIVE.
    Recursive(Recursive),
    /// What the last round of a recursion gave, inside of its step.
    WorkingTable(WorkingTable),
    /// Rows that several places of the plan read.
    Shared(Shared),
}

/// Rows of a table that the statement's snapshot sees.
#[derive(Debug, Clone)]
pub struct Scan {
    /// The table.
    pub table: TableId,
    /// Its name, for people.
    pub table_name: String,
    /// Stored columns read, each with the id it has in this scan.
    pub columns: Vec<(FieldId, PlanColumn)>,
    /// Where present, the row id is put out as a last column of type UBIGINT.
    pub row_id: Option<PlanColumn>,
    /// Conjuncts pushed into the scan, over its columns; rows that fail them are not put out.
    /// They may refer to columns that only the scan reads: those are in `columns` too.
    pub predicates: Vec<Expr>,
    /// The index by which the rows are looked up; none for a scan of all of them.
    pub index: Option<IndexChoice>,
}

/// An index that the optimizer chose for a scan. The rows are the same without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IndexChoice {
    /// The index.
    pub id: IndexId,
    /// Its name, for people.
    pub name: String,
}

/// Rows of a file or a system view.
#[derive(Debug, Clone)]
pub struct ExternalScan {
    /// What is read.
    pub source: Arc<dyn ExternalSource>,
    /// Position in the source's schema, and the column it becomes.
    pub columns: Vec<(usize, PlanColumn)>,
}

/// Constant rows, already Arrow arrays. `SELECT 1` is a projection over one row of no columns.
#[derive(Debug, Clone)]
pub struct Values {
    /// Columns of the batches.
    pub columns: Vec<PlanColumn>,
    /// The rows. A batch without columns carries its row count.
    pub batches: Vec<RecordBatch>,
}

/// Rows for which a predicate is true.
#[derive(Debug, Clone)]
pub struct Filter {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// BOOLEAN; NULL counts as false.
    pub predicate: Expr,
}

/// One computed column.
#[derive(Debug, Clone)]
pub struct Projection {
    /// The column it becomes. A plain column passed through keeps its id.
    pub column: PlanColumn,
    /// Its value.
    pub expr: Expr,
}

/// Computed columns; nothing of the input is kept that is not among them.
#[derive(Debug, Clone)]
pub struct Project {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// The columns.
    pub projections: Vec<Projection>,
}

/// The kinds of join. Columns put out: left then right, except as told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum JoinKind {
    /// Pairs that match. Without conditions: the cross product.
    Inner,
    /// Every left row; NULLs where nothing matches.
    Left,
    /// Every right row.
    Right,
    /// Every row of both sides.
    Full,
    /// Left rows with a match. Columns of the left side only.
    Semi,
    /// Left rows without a match. Columns of the left side only.
    Anti,
    /// Left rows for which `x NOT IN (right side)` is true: none once the right side holds a
    /// NULL key (in the matching group), none for a NULL key unless the right side is empty.
    /// Columns of the left side only.
    NullAwareAnti,
    /// Every left row with one BOOLEAN more ([`Join::mark`]): does it match? With `null_aware_mark`
    /// the value is NULL where IN would be NULL. Columns of the left side and the mark.
    Mark,
    /// Like `Left`, but more than one match is an error: scalar subqueries.
    Single,
    /// Every left row once, with values over its matches ([`Join::aggregates`]); over no rows where there is none.
    /// Columns of the left side and the values.
    Group,
}

/// Pairs of rows.
#[derive(Debug, Clone)]
pub struct Join {
    /// Left input: the probe side, unless the optimizer says otherwise.
    pub left: Box<LogicalPlan>,
    /// Right input: the build side.
    pub right: Box<LogicalPlan>,
    /// Kind.
    pub kind: JoinKind,
    /// Equalities: an expression over the left and one over the right, of one type.
    pub on: Vec<(Expr, Expr)>,
    /// Equalities of `on` under which NULL equals NULL, one flag per pair (unnesting needs it).
    pub null_equal: Vec<bool>,
    /// What a pair must satisfy beyond `on`.
    pub filter: Option<Expr>,
    /// The BOOLEAN column of a [`JoinKind::Mark`] join.
    pub mark: Option<PlanColumn>,
    /// For mark joins: three-valued as IN is, on the *last* pair of `on` (the others correlate).
    pub null_aware_mark: bool,
    /// What a [`JoinKind::Group`] join computes of the matches of a left row: calls over right columns whose result does
    /// not depend on an order.
    pub aggregates: Vec<(PlanColumn, AggregateExpr)>,
    /// The left side is far smaller: its rows are gathered first, and their keys leave out rows of the right
    /// side before that is read. For kinds to which a right row without a match means nothing.
    pub left_first: bool,
}

/// What a subquery is to the row around it.
#[derive(Debug, Clone)]
pub enum ApplyKind {
    /// `LATERAL`: pairs.
    Cross,
    /// `LEFT JOIN LATERAL ... ON TRUE`
    Left,
    /// A scalar subquery: its one column joins the outer ones, NULL for no row. `at_most_one`: take the
    /// first row of several (SQLite) where true, else several are an error.
    Scalar {
        /// SQLite's reading.
        first_row: bool,
    },
    /// `EXISTS`: a BOOLEAN column is added, true or false.
    Exists {
        /// The column.
        mark: PlanColumn,
    },
    /// `x IN (subquery)`: a BOOLEAN column is added, three-valued.
    In {
        /// The column.
        mark: PlanColumn,
        /// Left side, over the outer columns; casts to the common type done.
        needle: Vec<Expr>,
        /// Right side, over the inner plan's columns.
        haystack: Vec<Expr>,
    },
}

/// A dependent join: the inner plan may use columns of the outer one ("free" columns).
#[derive(Debug, Clone)]
pub struct Apply {
    /// The rows around the subquery.
    pub outer: Box<LogicalPlan>,
    /// The subquery.
    pub inner: Box<LogicalPlan>,
    /// What it is to them.
    pub kind: ApplyKind,
}

/// Groups, and values over them. Columns: the group keys, then the aggregates.
#[derive(Debug, Clone)]
pub struct Aggregate {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// Keys; none means one group of all rows, which exists even for no row.
    pub groups: Vec<Projection>,
    /// Values.
    pub aggregates: Vec<(PlanColumn, AggregateExpr)>,
}

/// Each row once; NULLs are equal.
#[derive(Debug, Clone)]
pub struct Distinct {
    /// Input.
    pub input: Box<LogicalPlan>,
}

/// Order.
#[derive(Debug, Clone)]
pub struct Sort {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// Keys, the first decides first. The sort is stable.
    pub keys: Vec<SortKey>,
    /// Keep only the first rows: top-k. Set by the optimizer; the Limit above stays.
    pub fetch: Option<u64>,
}

/// A slice of the rows.
#[derive(Debug, Clone)]
pub struct Limit {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// Rows left out at the start.
    pub skip: u64,
    /// Rows kept after that; all where absent.
    pub fetch: Option<u64>,
}

/// All rows of several inputs; column *i* of the output is column *i* of each input.
#[derive(Debug, Clone)]
pub struct UnionAll {
    /// Inputs, of equal types.
    pub inputs: Vec<LogicalPlan>,
    /// Columns of the output, with ids of their own.
    pub columns: Vec<PlanColumn>,
}

/// The set operations besides UNION.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SetOpKind {
    /// Rows of the left that the right has not.
    Except,
    /// Rows that both have.
    Intersect,
}

/// EXCEPT and INTERSECT; NULLs are equal.
#[derive(Debug, Clone)]
pub struct SetOp {
    /// Which.
    pub kind: SetOpKind,
    /// ALL: multisets.
    pub all: bool,
    /// Left input.
    pub left: Box<LogicalPlan>,
    /// Right input, of equal types.
    pub right: Box<LogicalPlan>,
    /// Columns of the output, with ids of their own.
    pub columns: Vec<PlanColumn>,
}

/// Values of each row computed from rows near it. Columns: the input's, then the functions'. Every row of the
/// input is put out once, in the order in which the functions were computed.
#[derive(Debug, Clone)]
pub struct Window {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// Rows of equal values are a partition; all rows where there is none.
    pub partition_by: Vec<Expr>,
    /// Order within a partition.
    pub order_by: Vec<SortKey>,
    /// What is computed.
    pub functions: Vec<(PlanColumn, WindowExpr)>,
    /// Nobody looks at rows of a partition beyond so many from its first one, in the order within it, equal ones among
    /// them aside: these may be left out. Only where every function is `row_number` or `rank` over the whole order.
    pub wanted: Option<u64>,
}

/// Each row once for each of several sets of keys: what stands below the groups of GROUPING SETS. Columns: the
/// input's, the keys', and the number of the set.
#[derive(Debug, Clone)]
pub struct Expand {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// Keys: NULL in the copies of a row for the sets that do not have them.
    pub keys: Vec<Projection>,
    /// For each set, which of the keys it has.
    pub sets: Vec<Vec<bool>>,
    /// BIGINT: the set that a copy is for, from 0.
    pub number: PlanColumn,
}

/// Each row once for each place of the series that its values begin and end: `generate_series` and `range`. As many as the
/// longest of them has; those that are shorter are NULL there. Columns: the input's, and those of the series.
#[derive(Debug, Clone)]
pub struct Series {
    /// Input.
    pub input: Box<LogicalPlan>,
    /// One at least.
    pub series: Vec<SeriesColumn>,
}

/// Values in steps: integers (all BIGINT), or moments (bounds of the column's type, an INTERVAL as the step). There are none
/// where a bound or the step is NULL.
#[derive(Debug, Clone)]
pub struct SeriesColumn {
    /// What they become.
    pub column: PlanColumn,
    /// The first.
    pub start: Expr,
    /// Where they end.
    pub stop: Expr,
    /// The difference of one and the next.
    pub step: Expr,
    /// True where the end is one of them.
    pub inclusive: bool,
}

impl SeriesColumn {
    /// The name of the function.
    #[must_use]
    pub const fn function(&self) -> &'static str {
        if self.inclusive {
            "generate_series"
        } else {
            "range"
        }
    }

    /// What the values are computed from.
    #[must_use]
    pub const fn exprs(&self) -> [&Expr; 3] {
        [&self.start, &self.stop, &self.step]
    }

    /// What the values are computed from, for change in place.
    pub const fn exprs_mut(&mut self) -> [&mut Expr; 3] {
        [&mut self.start, &mut self.stop, &mut self.step]
    }
}

/// WITH RECURSIVE, evaluated by rounds: the rows of `base`, then those of `step` over the rows of the round
/// before, until a round gives none.
#[derive(Debug, Clone)]
pub struct Recursive {
    /// The name, for people.
    pub name: String,
    /// Number of the working table that `step` reads; unique within the statement.
    pub table: u32,
    /// The first rows.
    pub base: Box<LogicalPlan>,
    /// One round.
    pub step: Box<LogicalPlan>,
    /// UNION: a row that was there before is left out. Else UNION ALL.
    pub distinct: bool,
    /// Columns of the output, with ids of their own.
    pub columns: Vec<PlanColumn>,
}

/// The rows that the last round of a recursion gave.
#[derive(Debug, Clone)]
pub struct WorkingTable {
    /// The name, for people.
    pub name: String,
    /// Which: [`Recursive::table`] of a node around it.
    pub table: u32,
    /// All columns of the recursion, with ids of their own.
    pub columns: Vec<PlanColumn>,
}

/// Rows that are computed once and read at several places of the plan, each of which is such a node. Columns: the
/// input's.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Which rows; unique within the statement.
    pub number: u32,
    /// How many places read them, counted when the plan is finished.
    pub places: u32,
    /// What computes them. The inputs of all places are the same but for the ids of their columns.
    pub input: Box<LogicalPlan>,
}

impl LogicalPlan {
    /// One row of no columns: the input of a SELECT without FROM.
    #[must_use]
    pub fn one_row() -> Self {
        static ROW: LazyLock<Option<RecordBatch>> = LazyLock::new(|| {
            let schema = Arc::new(arrow::datatypes::Schema::empty());
            let options = arrow::array::RecordBatchOptions::new().with_row_count(Some(1));
            RecordBatch::try_new_with_options(schema, vec![], &options).ok()
        });
        Self::Values(Values {
            columns: vec![],
            batches: ROW.iter().cloned().collect(),
        })
    }

    /// No rows of no columns, which costs nothing: what stands in a place while its plan is elsewhere.
    #[must_use]
    pub const fn nothing() -> Self {
        Self::Values(Values {
            columns: Vec::new(),
            batches: Vec::new(),
        })
    }

    /// The columns of a row that the node puts out.
    #[must_use]
    pub fn columns(&self) -> Vec<PlanColumn> {
        match self {
            Self::Scan(scan) => scan
                .columns
                .iter()
                .map(|(_, c)| c.clone())
                .chain(scan.row_id.clone())
                .collect(),
            Self::External(scan) => scan.columns.iter().map(|(_, c)| c.clone()).collect(),
            Self::Values(values) => values.columns.clone(),
            Self::Filter(filter) => filter.input.columns(),
            Self::Project(project) => project
                .projections
                .iter()
                .map(|p| p.column.clone())
                .collect(),
            Self::Join(join) => join.columns(),
            Self::Apply(apply) => apply.columns(),
            Self::Aggregate(aggregate) => aggregate
                .groups
                .iter()
                .map(|g| g.column.clone())
                .chain(aggregate.aggregates.iter().map(|(c, _)| c.clone()))
                .collect(),
            Self::Distinct(distinct) => distinct.input.columns(),
            Self::Sort(sort) => sort.input.columns(),
            Self::Limit(limit) => limit.input.columns(),
            Self::UnionAll(union) => union.columns.clone(),
            Self::SetOp(set_op) => set_op.columns.clone(),
            Self::Window(window) => {
                let own = window.functions.iter().map(|(c, _)| c.clone());
                window.input.columns().into_iter().chain(own).collect()
            }
            Self::Expand(expand) => {
                let keys = expand.keys.iter().map(|key| key.column.clone());
                let own = keys.chain([expand.number.clone()]);
                expand.input.columns().into_iter().chain(own).collect()
            }
            Self::Series(series) => {
                let own = series.series.iter().map(|s| s.column.clone());
                series.input.columns().into_iter().chain(own).collect()
            }
            Self::Recursive(recursive) => recursive.columns.clone(),
            Self::WorkingTable(table) => table.columns.clone(),
            Self::Shared(shared) => shared.input.columns(),
        }
    }

    /// The direct inputs.
    #[must_use]
    pub fn inputs(&self) -> Vec<&LogicalPlan> {
        match self {
            Self::Scan(_) | Self::External(_) | Self::Values(_) | Self::WorkingTable(_) => vec![],
            Self::Filter(n) => vec![&n.input],
            Self::Project(n) => vec![&n.input],
            Self::Join(n) => vec![&n.left, &n.right],
            Self::Apply(n) => vec![&n.outer, &n.inner],
            Self::Aggregate(n) => vec![&n.input],
            Self::Distinct(n) => vec![&n.input],
            Self::Sort(n) => vec![&n.input],
            Self::Limit(n) => vec![&n.input],
            Self::UnionAll(n) => n.inputs.iter().collect(),
            Self::SetOp(n) => vec![&n.left, &n.right],
            Self::Window(n) => vec![&n.input],
            Self::Expand(n) => vec![&n.input],
            Self::Series(n) => vec![&n.input],
            Self::Recursive(n) => vec![&n.base, &n.step],
            Self::Shared(n) => vec![&n.input],
        }
    }

    /// The direct inputs, for change in place.
    pub fn inputs_mut(&mut self) -> Vec<&mut LogicalPlan> {
        match self {
            Self::Scan(_) | Self::External(_) | Self::Values(_) | Self::WorkingTable(_) => vec![],
            Self::Filter(n) => vec![&mut n.input],
            Self::Project(n) => vec![&mut n.input],
            Self::Join(n) => vec![&mut n.left, &mut n.right],
            Self::Apply(n) => vec![&mut n.outer, &mut n.inner],
            Self::Aggregate(n) => vec![&mut n.input],
            Self::Distinct(n) => vec![&mut n.input],
            Self::Sort(n) => vec![&mut n.input],
            Self::Limit(n) => vec![&mut n.input],
            Self::UnionAll(n) => n.inputs.iter_mut().collect(),
            Self::SetOp(n) => vec![&mut n.left, &mut n.right],
            Self::Window(n) => vec![&mut n.input],
            Self::Expand(n) => vec![&mut n.input],
            Self::Series(n) => vec![&mut n.input],
            Self::Recursive(n) => vec![&mut n.base, &mut n.step],
            Self::Shared(n) => vec![&mut n.input],
        }
    }
}

fn all_nullable(columns: Vec<PlanColumn>) -> impl Iterator<Item = PlanColumn> {
    columns.into_iter().map(|c| PlanColumn {
        nullable: true,
        ..c
    })
}

impl Join {
    /// The columns that the join makes: its mark, or its values.
    pub(crate) fn own_columns(&self) -> impl Iterator<Item = &PlanColumn> {
        self.mark
            .iter()
            .chain(self.aggregates.iter().map(|(c, _)| c))
    }

    fn columns(&self) -> Vec<PlanColumn> {
        let left = self.left.columns();
        match self.kind {
            JoinKind::Inner => left.into_iter().chain(self.right.columns()).collect(),
            JoinKind::Left | JoinKind::Single => left
                .into_iter()
                .chain(all_nullable(self.right.columns()))
                .collect(),
            JoinKind::Right => all_nullable(left).chain(self.right.columns()).collect(),
            JoinKind::Full => all_nullable(left)
                .chain(all_nullable(self.right.columns()))
                .collect(),
            JoinKind::Semi | JoinKind::Anti | JoinKind::NullAwareAnti => left,
            JoinKind::Mark => left.into_iter().chain(self.mark.clone()).collect(),
            JoinKind::Group => {
                let values = self.aggregates.iter().map(|(c, _)| c.clone());
                left.into_iter().chain(values).collect()
            }
        }
    }
}

impl Apply {
    fn columns(&self) -> Vec<PlanColumn> {
        let outer = self.outer.columns().into_iter();
        match &self.kind {
            ApplyKind::Cross => outer.chain(self.inner.columns()).collect(),
            ApplyKind::Left | ApplyKind::Scalar { .. } => {
                outer.chain(all_nullable(self.inner.columns())).collect()
            }
            ApplyKind::Exists { mark } | ApplyKind::In { mark, .. } => {
                outer.chain([mark.clone()]).collect()
            }
        }
    }
}
