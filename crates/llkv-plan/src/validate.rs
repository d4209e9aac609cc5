//! Is a plan sound? Checked after every rule in debug builds, and by tests.

use crate::column_set::ColumnSet;
use crate::{ApplyKind, JoinKind, LogicalPlan, PlanColumn};
use hashbrown::HashMap;
use llkv_expr::{ColumnId, Expr};
use llkv_result::{Error, Result};
use llkv_types::SqlType;

/// Checks that every column used is produced by an input, that no id is produced twice, that types
/// agree and that rows have the width that their consumers expect.
///
/// # Errors
/// [`Error::Internal`] that names the node and the column.
pub fn validate(plan: &LogicalPlan) -> Result<()> {
    let mut checker = Checker {
        types: HashMap::new(),
    };
    let outputs = checker.node(plan, &ColumnSet::new())?;
    let mut seen = 0;
    plan.for_each_column(&mut |_| seen += 1);
    if seen == outputs.len() {
        Ok(())
    } else {
        Err(Error::internal("the plan puts out one column twice"))
    }
}

struct Checker {
    /// Type of each column produced so far.
    types: HashMap<ColumnId, SqlType>,
}

impl Checker {
    fn define(&mut self, node: &str, column: &PlanColumn) -> Result<()> {
        match self.types.insert(column.id, column.ty) {
            None => Ok(()),
            Some(_) => Err(Error::internal(format!(
                "{node} produces {} ({}), which another node produces",
                column.id, column.name
            ))),
        }
    }

    /// A column defined anew, or passed through by a plain reference to itself.
    fn define_or_pass(&mut self, node: &str, column: &PlanColumn, expr: &Expr) -> Result<()> {
        if expr.ty() != column.ty {
            return Err(Error::internal(format!(
                "{node}: {} is {}, its expression {expr} is {}",
                column.id,
                column.ty,
                expr.ty()
            )));
        }
        match expr {
            Expr::Column { id, .. } if *id == column.id => Ok(()),
            _ => self.define(node, column),
        }
    }

    fn expr(&self, node: &str, expr: &Expr, scope: &ColumnSet) -> Result<()> {
        if let Expr::Column { id, ty } = expr {
            if !scope.contains(*id) {
                return Err(Error::internal(format!(
                    "{node} reads {id}, which none of its inputs produces"
                )));
            }
            if let Some(produced) = self.types.get(id).filter(|produced| *produced != ty) {
                return Err(Error::internal(format!(
                    "{node} reads {id} as {ty}, it is {produced}"
                )));
            }
        }
        let mut result = Ok(());
        expr.for_each_child(&mut |child| {
            if result.is_ok() {
                result = self.expr(node, child, scope);
            }
        });
        result
    }

    fn boolean(&self, node: &str, expr: &Expr, scope: &ColumnSet) -> Result<()> {
        if !matches!(expr.ty(), SqlType::Boolean | SqlType::Null) {
            return Err(Error::internal(format!("{node}: {expr} is not BOOLEAN")));
        }
        self.expr(node, expr, scope)
    }

    /// Checks a node whose subqueries may read `outer`; gives the columns that it puts out.
    fn node(&mut self, plan: &LogicalPlan, outer: &ColumnSet) -> Result<ColumnSet> {
        match plan {
            LogicalPlan::Scan(n) => {
                for column in n.columns.iter().map(|(_, c)| c).chain(&n.row_id) {
                    self.define("Scan", column)?;
                }
                let scope = plan.column_set();
                for predicate in &n.predicates {
                    self.boolean("Scan", predicate, &scope)?;
                }
            }
            LogicalPlan::External(n) => {
                for (_, column) in &n.columns {
                    self.define("External", column)?;
                }
            }
            LogicalPlan::Values(n) => {
                for column in &n.columns {
                    self.define("Values", column)?;
                }
                let wrong = n.batches.iter().any(|batch| {
                    let types = n.columns.iter().map(|c| c.ty.to_arrow());
                    batch.num_columns() != n.columns.len()
                        || types
                            .zip(batch.columns())
                            .any(|(ty, array)| ty != *array.data_type())
                });
                if wrong {
                    return Err(Error::internal("Values: a batch has other columns"));
                }
            }
            LogicalPlan::Filter(n) => {
                let scope = self.scope(&n.input, outer)?;
                self.boolean("Filter", &n.predicate, &scope)?;
            }
            LogicalPlan::Project(n) => {
                let scope = self.scope(&n.input, outer)?;
                for p in &n.projections {
                    self.expr("Project", &p.expr, &scope)?;
                    self.define_or_pass("Project", &p.column, &p.expr)?;
                }
            }
            LogicalPlan::Join(n) => self.join(n, outer)?,
            LogicalPlan::Apply(n) => self.apply(n, outer)?,
            LogicalPlan::Aggregate(n) => {
                let scope = self.scope(&n.input, outer)?;
                plan_exprs(plan, &mut |e| self.expr("Aggregate", e, &scope))?;
                for group in &n.groups {
                    self.define_or_pass("Aggregate", &group.column, &group.expr)?;
                }
                for (column, call) in &n.aggregates {
                    if column.ty != call.ty {
                        return Err(Error::internal(format!(
                            "Aggregate: {} is {}, {call} is {}",
                            column.id, column.ty, call.ty
                        )));
                    }
                    self.define("Aggregate", column)?;
                }
            }
            LogicalPlan::Distinct(n) => {
                self.node(&n.input, outer)?;
            }
            LogicalPlan::Sort(n) => {
                let scope = self.scope(&n.input, outer)?;
                for key in &n.keys {
                    self.expr("Sort", &key.expr, &scope)?;
                }
            }
            LogicalPlan::Limit(n) => {
                self.node(&n.input, outer)?;
            }
            LogicalPlan::Shared(n) => {
                self.node(&n.input, outer)?;
            }
            LogicalPlan::Window(n) => {
                let scope = self.scope(&n.input, outer)?;
                plan_exprs(plan, &mut |e| self.expr("Window", e, &scope))?;
                for (column, call) in &n.functions {
                    if column.ty != call.call.ty() {
                        return Err(Error::internal(format!(
                            "Window: {} is {}, {call} is {}",
                            column.id,
                            column.ty,
                            call.call.ty()
                        )));
                    }
                    if call.peer_keys > n.order_by.len() {
                        return Err(Error::internal("Window: peers by keys that are not there"));
                    }
                    self.define("Window", column)?;
                }
            }
            LogicalPlan::Expand(n) => {
                let scope = self.scope(&n.input, outer)?;
                for key in &n.keys {
                    self.expr("Expand", &key.expr, &scope)?;
                    self.define("Expand", &key.column)?;
                }
                if n.sets.iter().any(|set| set.len() != n.keys.len()) {
                    return Err(Error::internal("Expand: a set tells of each key"));
                }
                self.define("Expand", &n.number)?;
            }
            LogicalPlan::Series(n) => {
                let scope = self.scope(&n.input, outer)?;
                for series in &n.series {
                    for expr in series.exprs() {
                        self.expr("Series", expr, &scope)?;
                    }
                    self.define("Series", &series.column)?;
                }
            }
            LogicalPlan::Recursive(n) => {
                for input in [&n.base, &n.step] {
                    self.node(input, outer)?;
                    same_types("Recursive", input, &n.columns)?;
                }
                for column in &n.columns {
                    self.define("Recursive", column)?;
                }
            }
            LogicalPlan::WorkingTable(n) => {
                for column in &n.columns {
                    self.define("WorkingTable", column)?;
                }
            }
            LogicalPlan::UnionAll(n) => {
                for input in &n.inputs {
                    self.node(input, outer)?;
                    same_types("UnionAll", input, &n.columns)?;
                }
                for column in &n.columns {
                    self.define("UnionAll", column)?;
                }
            }
            LogicalPlan::SetOp(n) => {
                for input in [&n.left, &n.right] {
                    self.node(input, outer)?;
                    same_types("SetOp", input, &n.columns)?;
                }
                for column in &n.columns {
                    self.define("SetOp", column)?;
                }
            }
        }
        Ok(plan.column_set())
    }

    /// Columns that expressions over `input` may read.
    fn scope(&mut self, input: &LogicalPlan, outer: &ColumnSet) -> Result<ColumnSet> {
        let mut scope = self.node(input, outer)?;
        scope.extend(outer);
        Ok(scope)
    }

    fn join(&mut self, n: &crate::Join, outer: &ColumnSet) -> Result<()> {
        let left = self.scope(&n.left, outer)?;
        let right = self.scope(&n.right, outer)?;
        for (l, r) in &n.on {
            self.expr("Join (left key)", l, &left)?;
            self.expr("Join (right key)", r, &right)?;
            if l.ty() != r.ty() {
                return Err(Error::internal(format!(
                    "Join: {l} is {}, {r} is {}",
                    l.ty(),
                    r.ty()
                )));
            }
        }
        if n.null_equal.len() != n.on.len() {
            return Err(Error::internal("Join: one null_equal flag per pair of on"));
        }
        if let Some(filter) = &n.filter {
            let mut both = left;
            both.extend(&right);
            self.boolean("Join", filter, &both)?;
        }
        if (n.kind == JoinKind::Mark) != n.mark.is_some() {
            return Err(Error::internal("Join: a mark goes with a mark join"));
        }
        if n.null_aware_mark && n.on.is_empty() {
            return Err(Error::internal("Join: a null-aware mark needs a key"));
        }
        if (n.kind == JoinKind::Group) == n.aggregates.is_empty() {
            return Err(Error::internal("Join: values go with a group join"));
        }
        for (_, call) in &n.aggregates {
            if !call.order_by.is_empty() {
                return Err(Error::internal("Join: a value has an order"));
            }
            for expr in call.args.iter().chain(&call.filter) {
                self.expr("Join (value)", expr, &right)?;
            }
        }
        n.own_columns().try_for_each(|c| self.define("Join", c))
    }

    fn apply(&mut self, n: &crate::Apply, outer: &ColumnSet) -> Result<()> {
        let around = self.scope(&n.outer, outer)?;
        let inner = self.scope(&n.inner, &around)?;
        match &n.kind {
            ApplyKind::In {
                mark,
                needle,
                haystack,
            } => {
                if needle.len() != haystack.len() || needle.is_empty() {
                    return Err(Error::internal("Apply: IN compares rows of other widths"));
                }
                for (l, r) in needle.iter().zip(haystack) {
                    self.expr("Apply", l, &around)?;
                    self.expr("Apply", r, &inner)?;
                    if l.ty() != r.ty() {
                        return Err(Error::internal(format!(
                            "Apply: {l} is {}, {r} is {}",
                            l.ty(),
                            r.ty()
                        )));
                    }
                }
                self.define("Apply", mark)
            }
            ApplyKind::Exists { mark } => self.define("Apply", mark),
            ApplyKind::Cross | ApplyKind::Left | ApplyKind::Scalar { .. } => Ok(()),
        }
    }
}

fn plan_exprs(plan: &LogicalPlan, f: &mut dyn FnMut(&Expr) -> Result<()>) -> Result<()> {
    let mut result = Ok(());
    plan.for_each_expr(&mut |e| {
        if result.is_ok() {
            result = f(e);
        }
    });
    result
}

fn same_types(node: &str, input: &LogicalPlan, columns: &[PlanColumn]) -> Result<()> {
    let mut at = 0;
    let mut fits = true;
    input.for_each_column(&mut |c| {
        fits &= columns.get(at).is_some_and(|expected| expected.ty == c.ty);
        at += 1;
    });
    if fits && at == columns.len() {
        Ok(())
    } else {
        Err(Error::internal(format!(
            "{node}: an input has columns of other number or types"
        )))
    }
}
