//! Aggregate calls.

use super::Binder;
use super::collations::Collated;
use super::equality::same;
use super::frame::{Clause, Frame, PendingApply};
use super::output::text_of_call;
use llkv_expr::{AggregateExpr, AggregateFunction, ColumnId, Expr, SortKey};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast::{
    self, DuplicateTreatment, FunctionArgExpr, FunctionArgumentClause, FunctionArguments,
};

impl Binder<'_> {
    /// The aggregate that a call means: `min(a, b)` is none.
    pub(super) fn aggregate_named(
        &self,
        name: &str,
        args: &[&FunctionArgExpr],
    ) -> Option<AggregateFunction> {
        let function = llkv_compute::aggregate_in(self.dialect.functions(), name)?.function;
        let of_rows = matches!(function, AggregateFunction::Min | AggregateFunction::Max);
        (!of_rows || args.len() < 2).then_some(function)
    }

    pub(super) fn bind_aggregate(
        &mut self,
        function: AggregateFunction,
        name: &str,
        call: &ast::Function,
        args: &[&FunctionArgExpr],
    ) -> Result<Expr> {
        let clause = self.frames.last().map_or(Clause::Row, |frame| frame.clause);
        let outside = self.enter_aggregate();
        let bound = self.bind_aggregate_parts(function, name, call, args);
        let subqueries = self.leave_aggregate(clause, outside);
        let bound = bound?;
        let owner = self.owner_of(&bound);
        let clause = self
            .frames
            .get(owner)
            .map_or(Clause::Row, |frame| frame.clause);
        if !clause.takes_aggregates() {
            return self.grouping_error(
                format!("aggregate functions are not allowed in {}", clause.name()),
                call,
            );
        }
        let is_own = owner + 1 == self.frames.len();
        match self.frames.get_mut(owner) {
            Some(frame) if is_own => frame.row_pending.extend(subqueries),
            _ if subqueries.is_empty() => {}
            _ => return self.unsupported("a subquery in an aggregate of a query around", call),
        }
        self.add_aggregate(owner, bound, call)
    }

    /// The query that an aggregate is of: the innermost one of which it reads a column, as the standard has it. One that reads
    /// none is of the query in which it stands.
    fn owner_of(&self, call: &AggregateExpr) -> usize {
        let own = self.frames.len().saturating_sub(1);
        let keys = call.order_by.iter().map(|key| &key.expr);
        let exprs = call.args.iter().chain(&call.filter).chain(keys);
        let depth_of = |id: ColumnId| {
            let has = |frame: &Frame| frame.scope.columns.iter().any(|c| c.column.id == id);
            self.frames.iter().rposition(has).unwrap_or(own)
        };
        exprs
            .flat_map(Expr::columns)
            .map(depth_of)
            .max()
            .unwrap_or(own)
    }

    /// Subqueries met from here on see rows, not groups.
    fn enter_aggregate(&mut self) -> Vec<PendingApply> {
        match self.frames.last_mut() {
            Some(frame) => {
                frame.clause = Clause::Aggregate;
                std::mem::take(&mut frame.pending)
            }
            None => Vec::new(),
        }
    }

    /// Gives the subqueries that were met.
    fn leave_aggregate(&mut self, clause: Clause, outside: Vec<PendingApply>) -> Vec<PendingApply> {
        match self.frames.last_mut() {
            Some(frame) => {
                frame.clause = clause;
                std::mem::replace(&mut frame.pending, outside)
            }
            None => Vec::new(),
        }
    }

    pub(super) fn bind_aggregate_parts(
        &mut self,
        function: AggregateFunction,
        name: &str,
        call: &ast::Function,
        args: &[&FunctionArgExpr],
    ) -> Result<AggregateExpr> {
        let function = match (function, args) {
            (AggregateFunction::Count, [] | [FunctionArgExpr::Wildcard]) => {
                AggregateFunction::CountStar
            }
            _ => function,
        };
        let takes_group = matches!(
            function,
            AggregateFunction::StringAgg
                | AggregateFunction::QuantileCont
                | AggregateFunction::QuantileDisc
                | AggregateFunction::Mode
        );
        if !call.within_group.is_empty() && !takes_group {
            return self.invalid(format!("{name} takes no WITHIN GROUP"), call);
        }
        if self.dialect == crate::SqlDialect::DuckDb && matches!(name, "count_if" | "countif") {
            return self.bind_count_if(name, call, args);
        }
        let (counted, bound_args, collated) =
            self.bind_aggregate_arguments(function, name, call, args)?;
        let mut bound = bound_args;
        let (distinct, mut order_by) =
            self.apart_from_collations(|binder| binder.aggregate_clauses(name, call))?;
        if function == AggregateFunction::CountStar && distinct {
            return self.invalid("count(DISTINCT *) means nothing", call);
        }
        if function.takes_pairs() && distinct {
            return self.unsupported(format!("DISTINCT in {name}"), call);
        }
        match function {
            AggregateFunction::StringAgg => {
                self.bind_separator(name, distinct, call, &mut bound)?;
            }
            AggregateFunction::QuantileCont
            | AggregateFunction::QuantileDisc
            | AggregateFunction::Mode => {
                self.bind_ordered_set(function, name, call, &mut bound, &mut order_by)?;
            }
            _ => {}
        }
        let filter = match call.filter.as_deref() {
            None => None,
            Some(filter) => {
                let bound = self.apart_from_collations(|binder| binder.bind_expr(filter))?;
                Some(self.condition(bound, filter)?)
            }
        };
        let filter = match (counted, filter) {
            (Some(counted), Some(filter)) => Some(Expr::and([filter, counted])),
            (counted, filter) => counted.or(filter),
        };
        let is_listed = |key: &SortKey| bound.iter().any(|arg| same(arg, &key.expr));
        if distinct && !order_by.iter().all(is_listed) && self.dialect != crate::SqlDialect::Sqlite
        {
            return self.grouping_error(
                format!("{name}(DISTINCT ...) is ordered by its arguments alone"),
                call,
            );
        }
        let ty = self.aggregate_result(function, name, &mut bound, call)?;
        let function = match collated.iter().any(|collated| !collated.own().is_binary()) {
            true => {
                let args = bound.as_mut_slice();
                self.collate_aggregate((function, call), distinct, args, &collated, &mut order_by)?
            }
            false => function,
        };
        Ok(AggregateExpr {
            function,
            args: bound,
            distinct,
            filter,
            order_by,
            ty,
        })
    }

    /// DuckDB's `count_if(x)`: the sum of ones and zeros, which is NULL where nothing but NULL is counted.
    fn bind_count_if(
        &mut self,
        name: &str,
        call: &ast::Function,
        args: &[&FunctionArgExpr],
    ) -> Result<AggregateExpr> {
        let [FunctionArgExpr::Expr(condition)] = args else {
            return self.invalid(format!("{name} takes 1 argument"), call);
        };
        let bound = self.bind_expr(condition)?;
        let bound = self.condition(bound, condition)?.cast(SqlType::Int64);
        let (distinct, order_by) =
            self.apart_from_collations(|binder| binder.aggregate_clauses(name, call))?;
        let filter = match call.filter.as_deref() {
            None => None,
            Some(filter) => {
                let bound = self.apart_from_collations(|binder| binder.bind_expr(filter))?;
                Some(self.condition(bound, filter)?)
            }
        };
        Ok(AggregateExpr {
            function: AggregateFunction::Sum,
            args: vec![bound],
            distinct,
            filter,
            order_by,
            ty: SqlType::Int64,
        })
    }

    /// The arguments; of `count_if`, the condition of the rows that count instead.
    fn bind_aggregate_arguments(
        &mut self,
        function: AggregateFunction,
        name: &str,
        call: &ast::Function,
        args: &[&FunctionArgExpr],
    ) -> Result<(Option<Expr>, Vec<Expr>, Vec<Collated>)> {
        let mut bound = Vec::with_capacity(args.len());
        let mut collated = Vec::with_capacity(args.len());
        for arg in args {
            match arg {
                FunctionArgExpr::Wildcard if function == AggregateFunction::CountStar => {}
                FunctionArgExpr::Expr(expr) if function == AggregateFunction::CountStar => {
                    let condition = self.bind_expr(expr)?;
                    return Ok((Some(self.condition(condition, expr)?), vec![], vec![]));
                }
                FunctionArgExpr::Expr(expr) => {
                    let arg = self.bind_expr(expr)?;
                    collated.push(self.collated_last());
                    bound.push(self.aggregate_argument(function, arg));
                }
                _ => return self.invalid(format!("{name}(*) means nothing"), call),
            }
        }
        Ok((None, bound, collated))
    }

    /// The value whose quantile or mode is asked for, then the share, then whether the order is descending.
    fn bind_ordered_set(
        &mut self,
        function: AggregateFunction,
        name: &str,
        call: &ast::Function,
        args: &mut Vec<Expr>,
        order_by: &mut Vec<SortKey>,
    ) -> Result<()> {
        let entry = llkv_compute::aggregate_in(self.dialect.functions(), name);
        let mut descending = false;
        if !call.within_group.is_empty() {
            let (Some(key), true) = (order_by.pop(), order_by.is_empty()) else {
                return self.invalid(format!("{name} is of one value in order"), call);
            };
            descending = key.descending;
            let value = self.aggregate_argument(function, key.expr);
            args.insert(0, value);
        } else if let Some(key) = order_by.pop() {
            let is_value = args.first().is_some_and(|value| same(value, &key.expr));
            if !is_value || !order_by.is_empty() {
                return self.invalid(format!("{name} is ordered by its value alone"), call);
            }
            descending = key.descending;
        } else if entry.is_some_and(|entry| entry.ordered_set) {
            return self.invalid(
                format!("{name} is called as {name}(...) WITHIN GROUP (ORDER BY x)"),
                call,
            );
        }
        if entry.is_some_and(|entry| entry.name == "median") {
            args.push(Expr::Literal(Scalar::Float64(0.5)));
        }
        if function != AggregateFunction::Mode {
            let [_, share] = args.as_mut_slice() else {
                return self.invalid(format!("{name} takes a value and a share"), call);
            };
            let given = std::mem::replace(share, Expr::boolean(true));
            let given = self.coerce(given, SqlType::Float64);
            if !given.is_constant() {
                return self.invalid(format!("the share of {name} must be a constant"), call);
            }
            let value = llkv_compute::fold(&given)?;
            if let Scalar::Float64(value) = value
                && !(0.0..=1.0).contains(&value)
            {
                return self.invalid(
                    format!("the share of {name} is {value}, which is not from 0 to 1"),
                    call,
                );
            }
            *share = Expr::Literal(value);
        }
        if descending {
            args.push(Expr::boolean(true));
        }
        Ok(())
    }

    fn aggregate_argument(&mut self, function: AggregateFunction, arg: Expr) -> Expr {
        use AggregateFunction as A;
        let truth = matches!(function, A::BoolAnd | A::BoolOr);
        let number = matches!(function, A::Sum | A::Total | A::Avg);
        match arg.ty() {
            SqlType::Boolean if self.dialect.booleans_are_integers() && !truth => {
                arg.cast(SqlType::Int64)
            }
            SqlType::Text | SqlType::Blob if self.dialect.values_carry_types() && number => {
                self.as_variant(arg)
            }
            SqlType::Boolean if number && self.dialect == crate::SqlDialect::DuckDb => {
                arg.cast(SqlType::Int64)
            }
            // Of a parameter, the value will say.
            SqlType::Null if number && matches!(arg, Expr::Parameter { .. }) => {
                arg.cast(SqlType::Int64)
            }
            SqlType::Null if number => self.coerce(arg, SqlType::Int64),
            SqlType::Null if truth => self.coerce(arg, SqlType::Boolean),
            _ if function == A::StringAgg => self.text_of(arg),
            _ => self.settle(arg),
        }
    }

    /// DISTINCT and ORDER BY within the parentheses.
    fn aggregate_clauses(
        &mut self,
        name: &str,
        call: &ast::Function,
    ) -> Result<(bool, Vec<SortKey>)> {
        let FunctionArguments::List(list) = &call.args else {
            return Ok((false, vec![]));
        };
        let distinct = list.duplicate_treatment == Some(DuplicateTreatment::Distinct);
        let mut order_by = Vec::new();
        for clause in &list.clauses {
            match clause {
                FunctionArgumentClause::OrderBy(keys) => {
                    for key in keys {
                        let expr = self.bind_expr(&key.expr)?;
                        let collation = self.collated_last().own();
                        let expr = self.collated(expr, collation)?;
                        order_by.push(self.sort_key(expr, &key.options));
                    }
                }
                // Aggregates look over NULLs, but for count(*) and first, which RESPECT them.
                FunctionArgumentClause::IgnoreOrRespectNulls(ast::NullTreatment::RespectNulls) => {}
                other => return self.unsupported(format!("{other} in {name}"), call),
            }
        }
        for key in &call.within_group {
            let expr = self.bind_expr(&key.expr)?;
            order_by.push(self.sort_key(expr, &key.options));
        }
        Ok((distinct, order_by))
    }

    fn bind_separator(
        &mut self,
        name: &str,
        distinct: bool,
        call: &ast::Function,
        args: &mut Vec<Expr>,
    ) -> Result<()> {
        match args.len() {
            1 => args.push(Expr::Literal(Scalar::Text(",".into()))),
            2 if distinct && self.dialect == crate::SqlDialect::Sqlite => {
                return self.invalid("DISTINCT aggregates take one argument", call);
            }
            2 => {}
            _ => return self.invalid(format!("{name} takes a text and a separator"), call),
        }
        match args.get_mut(1) {
            Some(Expr::Literal(_) | Expr::Parameter { .. }) | None => {}
            Some(separator) if separator.is_constant() => {
                *separator = Expr::Literal(llkv_compute::fold(separator)?);
            }
            Some(_) => {
                return self.invalid(format!("the separator of {name} must be a constant"), call);
            }
        }
        Ok(())
    }

    fn aggregate_result(
        &mut self,
        function: AggregateFunction,
        name: &str,
        args: &mut [Expr],
        call: &ast::Function,
    ) -> Result<SqlType> {
        use AggregateFunction as A;
        let expected = match function {
            A::CountStar => 0,
            A::StringAgg | A::ArgMin | A::ArgMax => 2,
            pairs if pairs.takes_pairs() => 2,
            A::QuantileCont | A::QuantileDisc | A::Mode => args.len(),
            _ => 1,
        };
        if args.len() != expected {
            return self.invalid(
                format!(
                    "{name} takes {expected} argument{}",
                    if expected == 1 { "" } else { "s" }
                ),
                call,
            );
        }
        let types: Vec<SqlType> = args.iter().map(Expr::ty).collect();
        let Some((arg_types, ty)) = llkv_compute::aggregate_type(function, &types) else {
            let types: Vec<String> = types.iter().map(ToString::to_string).collect();
            return self.no_operator(format!("{name} does not take {}", types.join(", ")), call);
        };
        for (arg, arg_ty) in args.iter_mut().zip(arg_types) {
            let own = std::mem::replace(arg, Expr::boolean(true));
            *arg = self.coerce(own, arg_ty);
        }
        let wide_sum = function == AggregateFunction::Sum
            && types.first().is_some_and(|ty| ty.is_integer())
            && self.dialect.integers_are_wide();
        Ok(if wide_sum { SqlType::Int64 } else { ty })
    }

    /// The column of a call of a query: the same call twice is one column.
    fn add_aggregate(
        &mut self,
        owner: usize,
        call: AggregateExpr,
        node: &ast::Function,
    ) -> Result<Expr> {
        let known = self.frames.get(owner).and_then(|frame| {
            frame
                .aggregates
                .iter()
                .find(|(_, other)| same_call(other, &call))
                .map(|(column, _)| Expr::column(column.id, column.ty))
        });
        if let Some(column) = known {
            return Ok(column);
        }
        let nullable = !call.function.is_count() && call.function != AggregateFunction::Total;
        let column = self.new_column(text_of_call(node), call.ty, nullable);
        let expr = Expr::column(column.id, column.ty);
        match self.frames.get_mut(owner) {
            Some(frame) => frame.aggregates.push((column, call)),
            None => return self.invalid("an aggregate outside a query", node),
        }
        Ok(expr)
    }
}

fn same_call(a: &AggregateExpr, b: &AggregateExpr) -> bool {
    let filters = match (&a.filter, &b.filter) {
        (None, None) => true,
        (Some(a), Some(b)) => same(a, b),
        _ => false,
    };
    a.function == b.function
        && a.distinct == b.distinct
        && a.args.len() == b.args.len()
        && a.args.iter().zip(&b.args).all(|(a, b)| same(a, b))
        && filters
        && a.order_by.is_empty()
        && b.order_by.is_empty()
}
