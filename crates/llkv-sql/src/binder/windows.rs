//! Window calls: `f(...) OVER (...)`. A call becomes a column of its frame, as an aggregate does; the nodes that
//! compute the columns stand above the groups.

use super::Binder;
use super::equality::same;
use super::frame::{Clause, PendingApply};
use super::output::text_of_call;
use llkv_expr::{ColumnId, Expr, SortKey, WindowCall, WindowExpr, WindowFrame, WindowFunction};
use llkv_plan::{ApplyKind, LogicalPlan, PlanColumn, Window};
use llkv_result::Result;
use llkv_types::SqlType;
use sqlparser::ast::{
    self, DuplicateTreatment, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
    NullTreatment,
};

/// A window call with the window that it stands over.
#[derive(Debug)]
pub(super) struct WindowDraft {
    pub(super) column: PlanColumn,
    pub(super) partition_by: Vec<Expr>,
    pub(super) order_by: Vec<SortKey>,
    pub(super) call: WindowCall,
    pub(super) frame: WindowFrame,
}

impl WindowDraft {
    /// Calls `f` with each expression, for change in place; stops at the first error.
    pub(super) fn try_for_each_expr_mut(
        &mut self,
        f: &mut dyn FnMut(&mut Expr) -> Result<()>,
    ) -> Result<()> {
        for expr in &mut self.partition_by {
            f(expr)?;
        }
        for key in &mut self.order_by {
            f(&mut key.expr)?;
        }
        let mut expr = self.take_expr();
        let mut result = Ok(());
        expr.for_each_expr_mut(&mut |expr| {
            if result.is_ok() {
                result = f(expr);
            }
        });
        self.call = expr.call;
        self.frame = expr.frame;
        result
    }

    fn take_expr(&mut self) -> WindowExpr {
        let nothing = WindowCall::Function {
            function: WindowFunction::RowNumber,
            args: vec![],
            ignore_nulls: false,
            ty: SqlType::Int64,
        };
        WindowExpr {
            call: std::mem::replace(&mut self.call, nothing),
            peer_keys: self.order_by.len(),
            frame: std::mem::replace(&mut self.frame, WindowFrame::running()),
        }
    }

    /// The same call over the same window?
    fn is_same(&self, other: &Self) -> bool {
        self.call == other.call
            && self.frame == other.frame
            && self.partition_by == other.partition_by
            && self.order_by == other.order_by
    }
}

/// The window function of a name.
pub(super) fn function_named(name: &str) -> Option<WindowFunction> {
    WindowFunction::ALL
        .into_iter()
        .find(|function| function.name() == name)
}

impl Binder<'_> {
    /// A window call in the innermost frame.
    pub(super) fn bind_window_call(
        &mut self,
        name: &str,
        node: &ast::Function,
        args: &[&FunctionArgExpr],
        over: &ast::WindowType,
    ) -> Result<Expr> {
        self.check_window_place(node)?;
        self.set_in_window(true);
        let draft = self.bind_window_parts(name, node, args, over);
        self.set_in_window(false);
        let draft = draft?;
        let Some(frame) = self.frames.last_mut() else {
            return self.windowing_error("a window function outside a query", node);
        };
        let known = frame.windows.iter().find(|known| known.is_same(&draft));
        let column = known.map_or(&draft.column, |known| &known.column);
        let value = Expr::column(column.id, column.ty);
        if known.is_none() {
            frame.windows.push(draft);
        }
        Ok(value)
    }

    fn set_in_window(&mut self, inside: bool) {
        if let Some(frame) = self.frames.last_mut() {
            frame.in_window = inside;
        }
    }

    fn check_window_place(&self, node: &ast::Function) -> Result<()> {
        let Some(frame) = self.frames.last() else {
            return self.windowing_error("a window function outside a query", node);
        };
        if frame.in_window {
            return self.windowing_error("window function calls cannot be nested", node);
        }
        match frame.clause {
            clause if clause.takes_windows() => Ok(()),
            Clause::Aggregate => self.grouping_error(
                "aggregate function calls cannot contain window function calls",
                node,
            ),
            clause => self.windowing_error(
                format!("window functions are not allowed in {}", clause.name()),
                node,
            ),
        }
    }

    /// An error where an expression of a clause that comes before windows names the value of one.
    pub(super) fn refuse_windows(
        &self,
        place: &str,
        expr: Option<&Expr>,
        node: Option<&ast::Expr>,
    ) -> Result<()> {
        let (Some(expr), Some(node), Some(frame)) = (expr, node, self.frames.last()) else {
            return Ok(());
        };
        if frame.mentions_window(expr) {
            return self
                .windowing_error(format!("window functions are not allowed in {place}"), node);
        }
        Ok(())
    }

    fn bind_window_parts(
        &mut self,
        name: &str,
        node: &ast::Function,
        args: &[&FunctionArgExpr],
        over: &ast::WindowType,
    ) -> Result<WindowDraft> {
        let call = match function_named(name) {
            Some(function) => self.bind_window_function(function, node, args)?,
            None => match self.aggregate_named(name, args) {
                Some(function) => {
                    self.refuse_in_aggregate(name, node)?;
                    WindowCall::Aggregate(self.bind_aggregate_parts(function, name, node, args)?)
                }
                None => {
                    return self.no_operator(
                        format!("{name} is no window function and no aggregate"),
                        node,
                    );
                }
            },
        };
        let (partition_by, order_by, frame) =
            self.apart_from_collations(|binder| binder.bind_window(over, node))?;
        let draft = WindowDraft {
            column: self.new_column(text_of_call(node), call.ty(), true),
            partition_by,
            order_by,
            call,
            frame,
        };
        let frame = self.frames.last();
        let nested = |expr: &Expr| frame.is_some_and(|frame| frame.mentions_window(expr));
        let mut exprs: Vec<&Expr> = draft.partition_by.iter().collect();
        exprs.extend(draft.order_by.iter().map(|key| &key.expr));
        let args = match &draft.call {
            WindowCall::Aggregate(call) => &call.args,
            WindowCall::Function { args, .. } => args,
        };
        exprs.extend(args);
        if exprs.into_iter().any(nested) {
            return self.windowing_error("window function calls cannot be nested", node);
        }
        Ok(draft)
    }

    /// What an aggregate may have within its parentheses, but not over a window.
    fn refuse_in_aggregate(&self, name: &str, node: &ast::Function) -> Result<()> {
        if null_treatment(node) == Some(NullTreatment::IgnoreNulls) {
            return self.unsupported(format!("IGNORE NULLS for {name}"), node);
        }
        let FunctionArguments::List(list) = &node.args else {
            return Ok(());
        };
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        if distinct && self.dialect != crate::SqlDialect::DuckDb {
            return self.unsupported("DISTINCT for window functions", node);
        }
        if has_own_order(node) {
            return self.unsupported("ORDER BY within an aggregate over a window", node);
        }
        Ok(())
    }

    fn bind_window_function(
        &mut self,
        function: WindowFunction,
        node: &ast::Function,
        args: &[&FunctionArgExpr],
    ) -> Result<WindowCall> {
        let name = function.name();
        if node.filter.is_some() {
            return self.unsupported("FILTER for window functions that are no aggregates", node);
        }
        if let FunctionArguments::List(list) = &node.args
            && list.duplicate_treatment == Some(DuplicateTreatment::Distinct)
        {
            return self.unsupported("DISTINCT for window functions", node);
        }
        if has_own_order(node) {
            return self.unsupported(format!("ORDER BY within {name}"), node);
        }
        let (least, most) = function.arity();
        if args.len() < least || args.len() > most {
            return self.no_operator(
                format!("{name} does not take {} arguments", args.len()),
                node,
            );
        }
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            match arg {
                FunctionArgExpr::Expr(expr) => {
                    let arg = self.bind_expr(expr)?;
                    bound.push(self.settle(arg));
                }
                _ => return self.invalid(format!("{name}(*) means nothing"), node),
            }
        }
        let ignore_nulls = null_treatment(node) == Some(NullTreatment::IgnoreNulls);
        if ignore_nulls && !function.takes_null_treatment() {
            return self.unsupported(format!("IGNORE NULLS for {name}"), node);
        }
        let ty = self.type_window_args(function, &mut bound, node)?;
        Ok(WindowCall::Function {
            function,
            args: bound,
            ignore_nulls,
            ty,
        })
    }

    /// Casts arguments to what the function takes; gives the type of the result.
    fn type_window_args(
        &mut self,
        function: WindowFunction,
        args: &mut [Expr],
        node: &ast::Function,
    ) -> Result<SqlType> {
        use WindowFunction as W;
        Ok(match function {
            W::RowNumber | W::Rank | W::DenseRank => SqlType::Int64,
            W::PercentRank | W::CumeDist => SqlType::Float64,
            W::Ntile => {
                self.integer_argument(function, args.first_mut(), node)?;
                SqlType::Int64
            }
            W::FirstValue | W::LastValue => self.value_argument(args.first_mut()),
            W::NthValue => {
                self.integer_argument(function, args.get_mut(1), node)?;
                self.value_argument(args.first_mut())
            }
            _ => {
                self.integer_argument(function, args.get_mut(1), node)?;
                let ty = self.value_argument(args.first_mut());
                let (Some(value), Some(default)) = (args.first(), args.get(2)) else {
                    return Ok(ty);
                };
                let Some(ty) = self.unify(&[value, default]) else {
                    return self.no_operator(
                        format!(
                            "{} does not take {} with a default of {}",
                            function.name(),
                            value.ty(),
                            default.ty()
                        ),
                        node,
                    );
                };
                for at in [0, 2] {
                    if let Some(arg) = args.get_mut(at) {
                        let own = std::mem::replace(arg, Expr::boolean(true));
                        *arg = self.coerce(own, ty);
                    }
                }
                ty
            }
        })
    }

    fn value_argument(&mut self, arg: Option<&mut Expr>) -> SqlType {
        let Some(arg) = arg else {
            return SqlType::Null;
        };
        if arg.ty() == SqlType::Null {
            let own = std::mem::replace(arg, Expr::boolean(true));
            *arg = self.coerce(own, SqlType::Text);
        }
        arg.ty()
    }

    fn integer_argument(
        &mut self,
        function: WindowFunction,
        arg: Option<&mut Expr>,
        node: &ast::Function,
    ) -> Result<()> {
        let Some(arg) = arg else {
            return Ok(());
        };
        let ty = arg.ty();
        let open = matches!(arg, Expr::Parameter { .. });
        if !open && !ty.is_integer() && ty != SqlType::Null && !self.dialect.text_is_a_number() {
            return self.no_operator(format!("{} does not take {ty}", function.name()), node);
        }
        let own = std::mem::replace(arg, Expr::boolean(true));
        *arg = match own {
            Expr::Parameter { index, .. } => {
                let ty = SqlType::Null;
                self.coerce(Expr::Parameter { index, ty }, SqlType::Int64)
            }
            own => self.coerce(own, SqlType::Int64),
        };
        Ok(())
    }
}

/// Whether a call has an order within its parentheses, or a WITHIN GROUP behind them.
pub(super) fn has_own_order(node: &ast::Function) -> bool {
    let is_ordered = match &node.args {
        FunctionArguments::List(list) => {
            let mut clauses = list.clauses.iter();
            clauses.any(|clause| matches!(clause, FunctionArgumentClause::OrderBy(_)))
        }
        _ => false,
    };
    is_ordered || !node.within_group.is_empty()
}

/// What a call says of NULLs, within its parentheses or behind them.
pub(super) fn null_treatment(node: &ast::Function) -> Option<NullTreatment> {
    let inside = match &node.args {
        FunctionArguments::List(list) => list.clauses.iter().find_map(|clause| match clause {
            FunctionArgumentClause::IgnoreOrRespectNulls(treatment) => Some(*treatment),
            _ => None,
        }),
        _ => None,
    };
    inside.or(node.null_treatment)
}

/// The waiting subqueries that come before the windows, and those that read the value of a window or of another
/// such subquery.
pub(super) fn around_windows(
    pending: Vec<PendingApply>,
    windows: &[WindowDraft],
) -> (Vec<PendingApply>, Vec<PendingApply>) {
    let mut late: Vec<ColumnId> = windows.iter().map(|w| w.column.id).collect();
    if late.is_empty() {
        return (pending, Vec::new());
    }
    let (mut below, mut above) = (Vec::new(), Vec::new());
    for apply in pending {
        let mut reads = apply.inner.free_columns();
        if let ApplyKind::In { needle, .. } = &apply.kind {
            needle.iter().for_each(|expr| reads.insert_expr(expr));
        }
        if late.iter().any(|id| reads.contains(*id)) {
            late.extend(apply.values());
            above.push(apply);
        } else {
            below.push(apply);
        }
    }
    (below, above)
}

/// Window nodes on top of the plan: calls over one partition share a node where the order of one begins with that
/// of the other.
pub(super) fn plan_windows(plan: LogicalPlan, mut drafts: Vec<WindowDraft>) -> LogicalPlan {
    let mut order: Vec<usize> = (0..drafts.len()).collect();
    order.sort_by_key(|at| std::cmp::Reverse(drafts.get(*at).map_or(0, |d| d.order_by.len())));
    let mut nodes: Vec<Window> = Vec::new();
    for at in order {
        let Some(draft) = drafts.get_mut(at) else {
            continue;
        };
        let expr = draft.take_expr();
        let shared = nodes.iter_mut().find(|node| {
            same_set(&node.partition_by, &draft.partition_by)
                && starts_with(&node.order_by, &draft.order_by)
        });
        let function = (draft.column.clone(), expr);
        match shared {
            Some(node) => node.functions.push(function),
            None => nodes.push(Window {
                input: Box::new(LogicalPlan::one_row()),
                partition_by: std::mem::take(&mut draft.partition_by),
                order_by: std::mem::take(&mut draft.order_by),
                functions: vec![function],
                wanted: None,
            }),
        }
    }
    nodes.into_iter().fold(plan, |input, node| {
        LogicalPlan::Window(Window {
            input: Box::new(input),
            ..node
        })
    })
}

fn same_set(a: &[Expr], b: &[Expr]) -> bool {
    let within = |some: &[Expr], others: &[Expr]| {
        some.iter()
            .all(|x| others.iter().any(|other| same(x, other)))
    };
    within(a, b) && within(b, a)
}

fn starts_with(long: &[SortKey], short: &[SortKey]) -> bool {
    long.len() >= short.len()
        && long.iter().zip(short).all(|(a, b)| {
            a.descending == b.descending && a.nulls_first == b.nulls_first && same(&a.expr, &b.expr)
        })
}
