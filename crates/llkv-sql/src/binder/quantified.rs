//! `x < ANY (SELECT ...)`, `x >= ALL (SELECT ...)`: a comparison with the extremes of the subquery.
//!
//! `x < ANY (Q)` asks whether x is less than the greatest value of Q; where that is not true, NULLs decide
//! between NULL and FALSE. So the subquery becomes one row of four aggregates (how many rows, how many
//! values, the least, the greatest), which is joined to the rows around it like any other
//! subquery, and the answer is computed from x and that row. `x < ALL (Q)` is `NOT (x >= ANY (Q))`.

use super::Binder;
use super::predicates::negate;
use llkv_expr::{AggregateExpr, AggregateFunction, BinaryOp, Expr, UnaryOp};
use llkv_plan::{Aggregate, ApplyKind, LogicalPlan, PlanColumn};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;

impl Binder<'_> {
    /// `x op ANY (subquery)`, `x op ALL (subquery)`
    pub(super) fn bind_quantified(&mut self, node: &ast::Expr) -> Result<Expr> {
        let (left, op, right, all) = match node {
            ast::Expr::AnyOp {
                left,
                compare_op,
                right,
                ..
            } => (left, compare_op, right, false),
            ast::Expr::AllOp {
                left,
                compare_op,
                right,
            } => (left, compare_op, right, true),
            other => return self.unsupported("this comparison", other),
        };
        let ast::Expr::Subquery(query) = right.as_ref() else {
            return self.unsupported("ANY or ALL of a list", node);
        };
        let Some(op) = comparison(op) else {
            return self.invalid(format!("{op} with ANY or ALL is no comparison"), node);
        };
        match (op, all) {
            (BinaryOp::Eq, false) => self.bind_in_subquery(left, query, false, node),
            (BinaryOp::NotEq, true) => self.bind_in_subquery(left, query, true, node),
            (op, false) => self.bind_any(op, left, query, node),
            (op, true) => {
                let any = self.bind_any(opposite(op), left, query, node)?;
                Ok(negate(any, true))
            }
        }
    }

    fn bind_any(
        &mut self,
        op: BinaryOp,
        left: &ast::Expr,
        query: &ast::Query,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let left = self.bind_expr(left)?;
        let of_left = self.collated_last();
        let inner = self.bind_query(query)?;
        let columns = inner.columns();
        let [column] = columns.as_slice() else {
            return self.invalid(
                format!(
                    "ANY and ALL compare with one column, the subquery has {}",
                    columns.len()
                ),
                node,
            );
        };
        let nullable = column.nullable;
        let (left, right) = self.common(left, column, node)?;
        let collation = self.collation_between(of_left, self.collated_result(column.id));
        let left = self.collated(left, collation)?;
        let right = self.collated(right, collation)?;
        let extremes = self.extremes(inner, right);
        let left = self.once(left)?;
        let tests = self.decisive(op, &left, &extremes)?;
        self.apply(extremes.plan, ApplyKind::Cross, node)?;
        let mut unknown = vec![Expr::unary(UnaryOp::IsNull, left)];
        if nullable {
            let (values, rows) = (of(&extremes.values), of(&extremes.rows));
            unknown.push(Expr::compare(BinaryOp::Lt, values, rows));
        }
        let none = Expr::compare(
            BinaryOp::Eq,
            of(&extremes.rows),
            Expr::Literal(Scalar::Int64(0)),
        );
        Ok(Expr::Case {
            branches: vec![
                (none, Expr::boolean(false)),
                (any_of(tests), Expr::boolean(true)),
                (
                    any_of(unknown),
                    Expr::Literal(Scalar::Null(SqlType::Boolean)),
                ),
            ],
            otherwise: Some(Box::new(Expr::boolean(false))),
            ty: SqlType::Boolean,
        })
    }

    /// The comparisons of which one is true where `left op` some value of the subquery is.
    fn decisive(&mut self, op: BinaryOp, left: &Expr, extremes: &Extremes) -> Result<Vec<Expr>> {
        let (least, greatest) = (of(&extremes.least), of(&extremes.greatest));
        let against = match op {
            BinaryOp::Lt | BinaryOp::LtEq => vec![greatest],
            BinaryOp::Gt | BinaryOp::GtEq => vec![least],
            // Equal to all values is equal to both ends; different from one is different from an end.
            BinaryOp::Eq | BinaryOp::NotEq => vec![least, greatest],
            _ => return super::unsupported("this comparison with ANY or ALL"),
        };
        let mut tests = Vec::with_capacity(against.len());
        for end in against {
            tests.push(Expr::compare(op, self.copy_of(left)?, end));
        }
        Ok(tests)
    }

    /// One row about all values of `value` in the rows of `inner`.
    fn extremes(&mut self, inner: LogicalPlan, value: Expr) -> Extremes {
        let ty = value.ty();
        let rows = self.new_column("rows", SqlType::Int64, false);
        let values = self.new_column("values", SqlType::Int64, false);
        let least = self.new_column("least", ty, true);
        let greatest = self.new_column("greatest", ty, true);
        let call = |function, args, ty| AggregateExpr {
            function,
            args,
            distinct: false,
            filter: None,
            order_by: vec![],
            ty,
        };
        let over = || vec![value.clone()];
        use AggregateFunction as F;
        let aggregates = vec![
            (rows.clone(), call(F::CountStar, vec![], SqlType::Int64)),
            (values.clone(), call(F::Count, over(), SqlType::Int64)),
            (least.clone(), call(F::Min, over(), ty)),
            (greatest.clone(), call(F::Max, over(), ty)),
        ];
        let plan = LogicalPlan::Aggregate(Aggregate {
            input: Box::new(inner),
            groups: vec![],
            aggregates,
        });
        Extremes {
            plan,
            rows,
            values,
            least,
            greatest,
        }
    }
}

/// What is known of the values of a subquery.
struct Extremes {
    plan: LogicalPlan,
    rows: PlanColumn,
    values: PlanColumn,
    least: PlanColumn,
    greatest: PlanColumn,
}

fn of(column: &PlanColumn) -> Expr {
    Expr::column(column.id, column.ty)
}

fn any_of(mut tests: Vec<Expr>) -> Expr {
    match tests.len() {
        1 => tests.swap_remove(0),
        _ => Expr::Or(tests),
    }
}

fn comparison(op: &ast::BinaryOperator) -> Option<BinaryOp> {
    use ast::BinaryOperator as O;
    Some(match op {
        O::Eq => BinaryOp::Eq,
        O::NotEq => BinaryOp::NotEq,
        O::Lt => BinaryOp::Lt,
        O::LtEq => BinaryOp::LtEq,
        O::Gt => BinaryOp::Gt,
        O::GtEq => BinaryOp::GtEq,
        _ => return None,
    })
}

/// The comparison that is true where `op` is false.
const fn opposite(op: BinaryOp) -> BinaryOp {
    match op {
        BinaryOp::Eq => BinaryOp::NotEq,
        BinaryOp::NotEq => BinaryOp::Eq,
        BinaryOp::Lt => BinaryOp::GtEq,
        BinaryOp::LtEq => BinaryOp::Gt,
        BinaryOp::Gt => BinaryOp::LtEq,
        BinaryOp::GtEq => BinaryOp::Lt,
        other => other,
    }
}
