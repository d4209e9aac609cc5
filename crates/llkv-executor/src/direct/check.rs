//! Which plans are run directly: what they are made of, and how much work they are.

use super::{MOST_STEPS, MOST_STEPS_OF_NODE, MOST_STEPS_OF_SUBQUERY, SmallTable};
use arrow::array::{Array, ArrayRef};
use arrow::datatypes::DataType;
use llkv_expr::{AggregateExpr, ColumnId, Expr, InList, SortKey, Volatility};
use llkv_plan::{
    Aggregate, Apply, ApplyKind, ColumnSet, Join, JoinKind, LogicalPlan, Projection, Scan, SetOp,
    UnionAll,
};
use llkv_result::Result;
use llkv_types::{SqlType, TableId};
use smallvec::SmallVec;
use std::sync::Arc;

/// Levels of nodes and expressions above which a plan is not run directly: each is a call.
const MOST_LEVELS: usize = 40;

/// Numbers of columns from which on a plan is not run directly: a row has a place for each.
const MOST_COLUMNS: u32 = 4_096;

/// Constants of an IN above which it is not evaluated row by row.
const MOST_CONSTANTS: usize = 64;

/// Constants of an IN that are compared in the time of a step.
const CONSTANTS_OF_STEP: usize = 4;

/// What a node of an expression costs that the kernels compute.
const KERNEL_STEPS: u64 = 100;

/// The tables of a plan, with their rows.
pub(super) type Tables = SmallVec<[(TableId, Arc<SmallTable>); 4]>;

type Reader<'r> = &'r mut dyn FnMut(TableId) -> Result<Option<Arc<SmallTable>>>;

/// A plan that is to be run directly.
pub(super) struct Checked {
    pub(super) tables: Tables,
    /// One above the greatest number of a column.
    pub(super) columns: usize,
    /// Columns that somebody reads.
    pub(super) read: ColumnSet,
}

/// Rows that a node puts out and work until it has, at most.
#[derive(Clone, Copy)]
struct Work {
    rows: u64,
    steps: u64,
}

struct Check<'r> {
    reader: Reader<'r>,
    tables: Tables,
    columns: u32,
    read: ColumnSet,
    subqueries: u64,
    /// Nodes of all expressions.
    expressions: u64,
}

impl Checked {
    pub(super) fn of(plan: &LogicalPlan, reader: Reader<'_>) -> Result<Option<Self>> {
        let mut check = Check {
            reader,
            tables: Tables::new(),
            columns: 0,
            read: ColumnSet::new(),
            subqueries: 0,
            expressions: 0,
        };
        let Some(work) = check.node(plan, 0)? else {
            return Ok(None);
        };
        let most_steps = MOST_STEPS
            + check.subqueries * MOST_STEPS_OF_SUBQUERY
            + check.expressions * MOST_STEPS_OF_NODE;
        if work.steps > most_steps || check.columns > MOST_COLUMNS {
            return Ok(None);
        }
        check.reads_columns_of(plan);
        Ok(Some(Self {
            tables: check.tables,
            columns: check.columns as usize,
            read: check.read,
        }))
    }
}

/// Types whose order and equality are known without the kernels.
pub(super) fn is_plain(ty: SqlType) -> bool {
    matches!(
        ty,
        SqlType::Null
            | SqlType::Boolean
            | SqlType::Int8
            | SqlType::Int16
            | SqlType::Int32
            | SqlType::Int64
            | SqlType::Float64
            | SqlType::Text
            | SqlType::Blob
            | SqlType::Date
            | SqlType::Time
            | SqlType::Timestamp
            | SqlType::TimestampTz
    )
}

impl Check<'_> {
    fn see(&mut self, id: ColumnId) {
        self.columns = self.columns.max(id.0.saturating_add(1));
    }

    /// Somebody reads all that a node puts out.
    fn reads_columns_of(&mut self, plan: &LogicalPlan) {
        plan.for_each_column(&mut |column| {
            self.read.insert(column.id);
        });
    }

    /// The work of a node and all below it; `None` where it is not run directly.
    fn node(&mut self, plan: &LogicalPlan, level: usize) -> Result<Option<Work>> {
        if level > MOST_LEVELS {
            return Ok(None);
        }
        let level = level + 1;
        match plan {
            LogicalPlan::Scan(node) => self.scan(node, level),
            LogicalPlan::Values(node) => {
                node.columns.iter().for_each(|c| self.see(c.id));
                let rows = node.batches.iter().map(|b| b.num_rows() as u64).sum();
                Ok(Some(Work::of(rows, rows)))
            }
            LogicalPlan::Filter(node) => {
                let test = self.expr(&node.predicate, level);
                self.above(&node.input, test.map(|test| test + 1), level)
            }
            LogicalPlan::Project(node) => {
                let steps = self.projections(&node.projections, level);
                self.above(&node.input, steps, level)
            }
            LogicalPlan::Limit(node) => {
                let input = self.node(&node.input, level)?;
                Ok(input.map(|work| Work {
                    rows: work.rows.min(node.fetch.unwrap_or(u64::MAX)),
                    ..work
                }))
            }
            LogicalPlan::Distinct(node) => {
                self.reads_columns_of(plan);
                self.above(&node.input, has_plain_columns(plan).then_some(4), level)
            }
            LogicalPlan::Sort(node) => {
                let keys = self.sort_keys(&node.keys, level);
                self.above(&node.input, keys.map(|keys| keys + 8), level)
            }
            LogicalPlan::Aggregate(node) => self.aggregate(node, level),
            LogicalPlan::Join(node) => self.join(node, level),
            LogicalPlan::Apply(node) => self.apply(node, level),
            LogicalPlan::UnionAll(node) => self.union_all(node, level),
            LogicalPlan::SetOp(node) => self.set_op(node, level),
            _ => Ok(None),
        }
    }

    /// The work of a node that takes so many steps for each row of its input; `None` for steps that it does not take.
    fn above(
        &mut self,
        input: &LogicalPlan,
        steps: Option<u64>,
        level: usize,
    ) -> Result<Option<Work>> {
        match steps {
            Some(steps) => Ok(self.node(input, level)?.map(|work| work.each(steps))),
            None => Ok(None),
        }
    }

    fn scan(&mut self, node: &Scan, level: usize) -> Result<Option<Work>> {
        let Some(rows) = self.table(node.table)? else {
            return Ok(None);
        };
        node.columns.iter().for_each(|(_, c)| self.see(c.id));
        node.row_id.iter().for_each(|c| self.see(c.id));
        let tests = self.exprs(&node.predicates, level);
        Ok(tests.map(|tests| Work::of(rows, rows * (tests + 1))))
    }

    fn aggregate(&mut self, node: &Aggregate, level: usize) -> Result<Option<Work>> {
        let keys = self.projections(&node.groups, level);
        let are_plain = node.groups.iter().all(|g| is_plain(g.column.ty));
        let calls = node.aggregates.iter();
        let calls: Option<u64> = calls.map(|(_, c)| self.call(c, level)).sum();
        node.aggregates.iter().for_each(|(c, _)| self.see(c.id));
        let steps = keys.zip(calls).filter(|_| are_plain);
        let steps = steps.map(|(keys, calls)| keys + calls + 4);
        let work = self.above(&node.input, steps, level)?;
        Ok(work.map(|work| Work {
            rows: if node.groups.is_empty() { 1 } else { work.rows },
            ..work
        }))
    }

    fn union_all(&mut self, node: &UnionAll, level: usize) -> Result<Option<Work>> {
        let mut sum = Work::of(0, 0);
        for input in &node.inputs {
            self.reads_columns_of(input);
            let Some(work) = self.node(input, level)? else {
                return Ok(None);
            };
            sum.rows = sum.rows.saturating_add(work.rows);
            sum.steps = sum.steps.saturating_add(work.each(1).steps);
        }
        node.columns.iter().for_each(|c| self.see(c.id));
        Ok(Some(sum))
    }

    fn set_op(&mut self, node: &SetOp, level: usize) -> Result<Option<Work>> {
        node.columns.iter().for_each(|c| self.see(c.id));
        if node.all || !node.columns.iter().all(|c| is_plain(c.ty)) {
            return Ok(None);
        }
        self.reads_columns_of(&node.left);
        self.reads_columns_of(&node.right);
        let left = self.node(&node.left, level)?;
        let right = self.node(&node.right, level)?;
        Ok(left.zip(right).map(|(left, right)| {
            let steps = left.each(4).steps.saturating_add(right.each(4).steps);
            Work::of(left.rows, steps)
        }))
    }

    /// The rows of a table that is small.
    fn table(&mut self, id: TableId) -> Result<Option<u64>> {
        if let Some((_, table)) = self.tables.iter().find(|(own, _)| *own == id) {
            return Ok(Some(table.len() as u64));
        }
        let Some(table) = (self.reader)(id)? else {
            return Ok(None);
        };
        let rows = table.len() as u64;
        self.tables.push((id, table));
        Ok(Some(rows))
    }

    fn projections(&mut self, projections: &[Projection], level: usize) -> Option<u64> {
        projections.iter().for_each(|p| self.see(p.column.id));
        projections
            .iter()
            .map(|p| Some(self.expr(&p.expr, level)? + 1))
            .sum()
    }

    fn join(&mut self, node: &Join, level: usize) -> Result<Option<Work>> {
        if !matches!(node.kind, JoinKind::Inner | JoinKind::Left) {
            return Ok(None);
        }
        let on = node.on.iter();
        let on: Option<u64> = on
            .map(|(l, r)| Some(self.expr(l, level)? + self.expr(r, level)? + 1))
            .sum();
        let filter: Option<u64> = node.filter.iter().map(|f| self.expr(f, level)).sum();
        let (Some(on), Some(filter)) = (on, filter) else {
            return Ok(None);
        };
        let (Some(left), Some(right)) = (
            self.node(&node.left, level)?,
            self.node(&node.right, level)?,
        ) else {
            return Ok(None);
        };
        let right = Work {
            rows: right.rows.max(u64::from(node.kind == JoinKind::Left)),
            ..right
        };
        Ok(Some(left.times(right).each(on + filter + 1)))
    }

    fn apply(&mut self, node: &Apply, level: usize) -> Result<Option<Work>> {
        let (Some(outer), Some(inner)) = (
            self.node(&node.outer, level)?,
            self.node(&node.inner, level)?,
        ) else {
            return Ok(None);
        };
        self.subqueries += 1;
        self.reads_columns_of(&node.inner);
        // What refers to nothing around it is run once.
        let inner_again = match node.inner.free_columns().is_empty() {
            true => Work::of(inner.rows, inner.rows),
            false => inner,
        };
        let all = outer.times(inner_again);
        let steps = all.steps.saturating_add(inner.steps);
        let (rows, steps) = match &node.kind {
            ApplyKind::Cross => (all.rows, steps),
            ApplyKind::Left => (all.rows.max(outer.rows), steps),
            ApplyKind::Scalar { .. } => (outer.rows, steps),
            ApplyKind::Exists { mark } => {
                self.see(mark.id);
                (outer.rows, steps)
            }
            ApplyKind::In {
                mark,
                needle,
                haystack,
            } => {
                self.see(mark.id);
                let pairs = needle.len() as u64;
                let Some(own) = self.exprs(needle.iter().chain(haystack), level) else {
                    return Ok(None);
                };
                let compared = Work::of(all.rows, steps).each(own + pairs);
                (outer.rows, compared.steps)
            }
        };
        Ok(Some(Work::of(rows, steps)))
    }

    fn sort_keys(&mut self, keys: &[SortKey], level: usize) -> Option<u64> {
        let keys = keys.iter();
        keys.map(|key| {
            let steps = self.expr(&key.expr, level)?;
            is_plain(key.expr.ty()).then_some(steps)
        })
        .sum()
    }

    fn call(&mut self, call: &AggregateExpr, level: usize) -> Option<u64> {
        if !call.order_by.is_empty() {
            return None;
        }
        Some(self.exprs(&call.args, level)? + self.exprs(&call.filter, level)? + 2)
    }

    fn exprs<'e>(&mut self, all: impl IntoIterator<Item = &'e Expr>, level: usize) -> Option<u64> {
        all.into_iter().map(|e| self.expr(e, level)).sum()
    }

    /// Steps of an expression for one row; `None` where it is not evaluated row by row.
    fn expr(&mut self, of: &Expr, level: usize) -> Option<u64> {
        let level = level + 1;
        self.expressions += 1;
        let own = match of {
            Expr::Column { id, .. } => {
                self.read.insert(*id);
                return Some(0);
            }
            Expr::Literal(_) => return Some(0),
            _ if level > MOST_LEVELS => return None,
            Expr::Parameter { .. } => return None,
            Expr::InList {
                list: InList::Values(values),
                ..
            } => match values.len() {
                count if count > MOST_CONSTANTS => return None,
                count if has_plain_constants(values) => 1 + (count / CONSTANTS_OF_STEP) as u64,
                _ => KERNEL_STEPS,
            },
            Expr::Function { function, .. } if function.volatility == Volatility::Volatile => {
                return None;
            }
            Expr::Function { function, ty, .. } => match function.name {
                "coalesce" | "ifnull" | "if" | "abs" => 1,
                "nullif" if *ty == SqlType::Int64 => 1,
                _ => KERNEL_STEPS,
            },
            Expr::Like { .. } => KERNEL_STEPS,
            Expr::Binary {
                op, left, right, ..
            } if op.is_comparison() => {
                // Where both carry their own type, neither is made to.
                if let (Some(left), Some(right)) = (plain_operand(left), plain_operand(right)) {
                    let (left, right) = (self.expr(left, level)?, self.expr(right, level)?);
                    return Some(left + right + 3);
                }
                match is_plain(left.ty()) {
                    true => 1,
                    false => KERNEL_STEPS,
                }
            }
            Expr::Cast { ty, .. } if !matches!(ty, SqlType::Int64 | SqlType::Float64) => {
                KERNEL_STEPS
            }
            _ if !is_plain(of.ty()) => KERNEL_STEPS,
            _ => 1,
        };
        match of {
            Expr::Unary { expr, .. } | Expr::Cast { expr, .. } => {
                return Some(own + self.expr(expr, level)?);
            }
            Expr::Binary { left, right, .. } => {
                return Some(own + self.expr(left, level)? + self.expr(right, level)?);
            }
            _ => {}
        }
        let mut sum = Some(own);
        of.for_each_child(&mut |child| {
            sum = sum.and_then(|sum| Some(sum + self.expr(child, level)?));
        });
        sum
    }
}

impl Work {
    const fn of(rows: u64, steps: u64) -> Self {
        Self { rows, steps }
    }

    /// With so many steps more for each row.
    fn each(self, steps: u64) -> Self {
        let more = self.rows.saturating_mul(steps);
        Self::of(self.rows, self.steps.saturating_add(more))
    }

    /// The other done for each row of this.
    fn times(self, other: Self) -> Self {
        let repeated = self.rows.saturating_mul(other.steps);
        Self::of(
            self.rows.saturating_mul(other.rows),
            self.steps.saturating_add(repeated),
        )
    }
}

/// The operand of a conversion to a value that carries its own type, which a comparison does without.
fn plain_operand(expr: &Expr) -> Option<&Expr> {
    match expr {
        Expr::Cast { expr, ty, .. } if *ty == SqlType::Variant && is_plain(expr.ty()) => Some(expr),
        _ => None,
    }
}

fn has_plain_constants(values: &ArrayRef) -> bool {
    matches!(
        values.data_type(),
        DataType::Int64 | DataType::Float64 | DataType::Utf8View
    )
}

fn has_plain_columns(plan: &LogicalPlan) -> bool {
    let mut are_plain = true;
    plan.for_each_column(&mut |column| are_plain &= is_plain(column.ty));
    are_plain
}
