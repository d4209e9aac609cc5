//! `generate_series` and `range`: relations in FROM, and in the llkv dialect values of the SELECT list, of which each makes rows.

use super::Binder;
use super::frame::{Clause, Frame};
use super::from::Rows;
use super::scope::Scope;
use super::subquery::keep;
use crate::SqlDialect;
use llkv_expr::Expr;
use llkv_plan::{LogicalPlan, Series, SeriesColumn};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::{self, FunctionArg, FunctionArgExpr, TableAlias, TableFactor, Visit, Visitor};
use std::ops::ControlFlow;

/// True for the name of a series' function, in lower case.
pub(super) fn is_series(function: &str) -> bool {
    matches!(function, "range" | "generate_series")
}

/// True for a series in FROM that is more than constants: it may refer to the relations before it.
pub(super) fn refers_to_others(relation: &TableFactor) -> bool {
    struct Names;
    impl Visitor for Names {
        type Break = ();

        fn pre_visit_expr(&mut self, expr: &ast::Expr) -> ControlFlow<()> {
            use ast::Expr as E;
            match expr {
                E::Identifier(_)
                | E::CompoundIdentifier(_)
                | E::Subquery(_)
                | E::Exists { .. }
                | E::InSubquery { .. } => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        }
    }
    let TableFactor::Table {
        name,
        args: Some(args),
        ..
    } = relation
    else {
        return false;
    };
    let function = name.0.last().and_then(|part| part.as_ident());
    function.is_some_and(|name| is_series(&name.value.to_ascii_lowercase()))
        && args.args.visit(&mut Names).is_break()
}

impl Binder<'_> {
    /// `generate_series(1, 3)` among values: a column of rows that come from one.
    pub(super) fn bind_series_value(
        &mut self,
        function: &str,
        args: &[&FunctionArgExpr],
        node: &ast::Function,
    ) -> Result<Expr> {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let FunctionArgExpr::Expr(expr) = arg else {
                return self.invalid(format!("{function} takes one to three integers"), node);
            };
            values.push(expr);
        }
        let place = self
            .frames
            .last()
            .map(|frame| (frame.clause, frame.in_window));
        if place != Some((Clause::Select, false)) {
            return self.unsupported(
                format!("{function} outside of FROM and the SELECT list"),
                node,
            );
        }
        let series = self.series_of(function, &values, node)?;
        let column = series.column.clone();
        if let Some(frame) = self.frames.last_mut() {
            frame.series.push(series);
        }
        Ok(Expr::column(column.id, column.ty))
    }

    /// The rows of a query once for each value of the series of its SELECT list.
    pub(super) fn plan_series(
        &mut self,
        input: LogicalPlan,
        mut series: Vec<SeriesColumn>,
    ) -> LogicalPlan {
        if series.is_empty() {
            return input;
        }
        let is_padded = series.len() > 1;
        for column in &mut series {
            column.column.nullable = is_padded;
        }
        LogicalPlan::Series(Series {
            input: Box::new(input),
            series,
        })
    }

    /// `FROM generate_series(1, 3)`
    pub(super) fn bind_series_rows(
        &mut self,
        function: &str,
        args: &[FunctionArg],
        node: &ast::ObjectName,
        alias: Option<&TableAlias>,
    ) -> Result<Rows> {
        let mut values = Vec::with_capacity(args.len());
        for arg in args {
            let FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) = arg else {
                return self.invalid(format!("{function} takes one to three integers"), node);
            };
            values.push(expr);
        }
        let frame = Frame::new(Scope::default(), LogicalPlan::one_row(), Clause::Row);
        self.frames.push(frame);
        let series = self.series_of(function, &values, node);
        let Some(mut frame) = self.frames.pop() else {
            return super::invalid("a series without its row");
        };
        let series = series?;
        frame.flush();
        let column = series.column.clone();
        let rows = self.plan_series(frame.take_plan(), vec![series]);
        self.series_rows(keep(rows, vec![column]), alias, function)
    }

    fn series_of(
        &mut self,
        function: &str,
        args: &[&ast::Expr],
        node: &impl super::place::Place,
    ) -> Result<SeriesColumn> {
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            let expr = self.bind_expr(arg)?;
            if self
                .frames
                .last()
                .is_some_and(|frame| frame.mentions_series(&expr))
            {
                return self.unsupported(format!("{function} within {function}"), *arg);
            }
            bound.push(match expr.is_constant() {
                true => Expr::Literal(llkv_compute::fold(&expr)?),
                false => expr,
            });
        }
        let number = |value| Expr::Literal(Scalar::Int64(value));
        let count = bound.len();
        let mut bound = bound.into_iter();
        let (start, stop, step) = match (count, bound.next(), bound.next(), bound.next()) {
            (1, Some(stop), None, None) => (number(0), stop, number(1)),
            (2, Some(start), Some(stop), None) => (start, stop, number(1)),
            (3, Some(start), Some(stop), Some(step)) => (start, stop, step),
            _ => return self.invalid(format!("{function} takes one to three integers"), node),
        };
        let ty = self.series_type(function, [&start, &stop, &step], node)?;
        let step_ty = match ty {
            SqlType::Int64 => SqlType::Int64,
            _ => SqlType::Interval,
        };
        Ok(SeriesColumn {
            column: self.new_column(function, ty, false),
            start: self.bound_of_series(start, ty)?,
            stop: self.bound_of_series(stop, ty)?,
            step: self.bound_of_series(step, step_ty)?,
            inclusive: function == "generate_series",
        })
    }

    fn bound_of_series(&mut self, expr: Expr, ty: SqlType) -> Result<Expr> {
        let cast = self.coerce(expr, ty);
        match cast.is_constant() {
            true => Ok(Expr::Literal(llkv_compute::fold(&cast)?)),
            false => Ok(cast),
        }
    }

    /// BIGINT, or the moments that the bounds become: of a time zone where one of them is.
    fn series_type(
        &self,
        function: &str,
        [start, stop, step]: [&Expr; 3],
        node: &impl super::place::Place,
    ) -> Result<SqlType> {
        let is_moment = |ty| {
            matches!(
                ty,
                SqlType::Date | SqlType::Timestamp | SqlType::TimestampTz
            )
        };
        let (from, to) = (start.ty(), stop.ty());
        let steps = step.ty();
        if steps == SqlType::Interval || is_moment(from) {
            let may_be = |ty| is_moment(ty) || matches!(ty, SqlType::Text | SqlType::Null);
            if !may_be(from)
                || !may_be(to)
                || !matches!(steps, SqlType::Interval | SqlType::Text | SqlType::Null)
            {
                return self.invalid(
                    format!("{function} takes two moments and an interval"),
                    node,
                );
            }
            return Ok(
                match from == SqlType::TimestampTz || to == SqlType::TimestampTz {
                    true => SqlType::TimestampTz,
                    false => SqlType::Timestamp,
                },
            );
        }
        for ty in [from, to, steps] {
            if !(ty.is_integer() || matches!(ty, SqlType::Text | SqlType::Null | SqlType::Variant))
            {
                return self.invalid(format!("{function} takes integers, not {ty}"), node);
            }
        }
        Ok(SqlType::Int64)
    }

    /// `range(3) t` names the relation, and in PostgreSQL's way its one column too. In SQLite that of `generate_series` is `value`.
    fn series_rows(
        &mut self,
        plan: LogicalPlan,
        alias: Option<&TableAlias>,
        function: &str,
    ) -> Result<Rows> {
        let (plan, mut scope) = self.named_rows(plan, alias, Some(function))?;
        let is_named = alias.is_some_and(|alias| !alias.columns.is_empty());
        let name = match (self.dialect, alias) {
            _ if is_named || function != "generate_series" => None,
            (SqlDialect::Llkv, Some(alias)) => Some(alias.name.value.as_str()),
            (SqlDialect::Sqlite, _) => Some("value"),
            _ => None,
        };
        if let (Some(name), Some(column)) = (name, scope.columns.first_mut()) {
            column.column.name = name.into();
        }
        Ok((plan, scope))
    }
}
