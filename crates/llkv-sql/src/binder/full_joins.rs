//! FULL, SEMI and ANTI JOIN whose ON asks a subquery about both sides.

use super::Binder;
use super::frame::PendingApply;
use super::from::{Rows, cross};
use super::predicates::negate;
use super::select::filter;
use super::subquery::{apply_all, keep};
use arrow::array::{ArrayRef, BooleanArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema};
use llkv_expr::{
    AggregateExpr, AggregateFunction, BinaryOp, Expr, UnaryOp, WindowCall, WindowExpr, WindowFrame,
    WindowFunction,
};
use llkv_plan::{
    Apply, ApplyKind, Join, JoinKind, LogicalPlan, PlanColumn, Project, Projection, Values, Window,
};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use std::sync::Arc;

impl Binder<'_> {
    /// SEMI and ANTI: rows of the left side for which the right one has a row, or none, that passes.
    pub(super) fn half_join_by_subquery(
        &mut self,
        left: Rows,
        right: Rows,
        is_anti: bool,
        (pending, predicate): (Vec<PendingApply>, Expr),
    ) -> Rows {
        let mark = self.new_column("exists", SqlType::Boolean, false);
        let test = negate(Expr::column(mark.id, mark.ty), is_anti);
        let columns = left.0.columns();
        let plan = LogicalPlan::Apply(Apply {
            outer: Box::new(left.0),
            inner: Box::new(filter(apply_all(right.0, pending), predicate)),
            kind: ApplyKind::Exists { mark },
        });
        (keep(filter(plan, test), columns), left.1)
    }

    /// FULL: all pairs are looked at, among them each row with nothing beside it. A pair that passes stays; a row with
    /// nothing beside it stays where none of its pairs passes.
    pub(super) fn full_join_by_subquery(
        &mut self,
        left: Rows,
        right: Rows,
        (pending, predicate): (Vec<PendingApply>, Expr),
    ) -> Result<Rows> {
        let (left, left_number) = self.with_nothing(left)?;
        let (right, right_number) = self.with_nothing(right)?;
        let (pairs, mut scope) = cross(left, right);
        scope.set_nullable();
        let is_there = |number: &PlanColumn| is_null(number, false);
        let passes = Expr::and([is_there(&left_number), is_there(&right_number), predicate]);
        let one = Expr::Literal(Scalar::Int64(1));
        let passing = self.new_column("passes", SqlType::Int64, true);
        let pairs = apply_all(pairs, pending);
        let pairs = with_column(
            pairs,
            &passing,
            Expr::Case {
                branches: vec![(passes, one)],
                otherwise: None,
                ty: SqlType::Int64,
            },
        );
        let (pairs, of_left) = self.counted(pairs, &passing, &left_number);
        let (pairs, of_right) = self.counted(pairs, &passing, &right_number);
        let alone = |own: &PlanColumn, other: &PlanColumn, count: &PlanColumn| {
            let none = Expr::Literal(Scalar::Int64(0));
            let count = Expr::column(count.id, count.ty);
            Expr::and([
                is_null(own, false),
                is_null(other, true),
                Expr::compare(BinaryOp::Eq, count, none),
            ])
        };
        let stays = Expr::Or(vec![
            is_null(&passing, false),
            alone(&left_number, &right_number, &of_left),
            alone(&right_number, &left_number, &of_right),
        ]);
        let columns = scope.columns.iter().map(|c| c.column.clone()).collect();
        Ok((keep(filter(pairs, stays), columns), scope))
    }

    /// The rows, numbered, and one of NULLs.
    fn with_nothing(&mut self, rows: Rows) -> Result<(Rows, PlanColumn)> {
        let number = self.new_column("number", SqlType::Int64, true);
        let numbered = LogicalPlan::Window(Window {
            input: Box::new(rows.0),
            partition_by: vec![],
            order_by: vec![],
            functions: vec![(
                number.clone(),
                WindowExpr {
                    call: WindowCall::Function {
                        function: WindowFunction::RowNumber,
                        args: vec![],
                        ignore_nulls: false,
                        ty: SqlType::Int64,
                    },
                    peer_keys: 0,
                    frame: WindowFrame::running(),
                },
            )],
            wanted: None,
        });
        let is_real = self.new_column("is_real", SqlType::Boolean, false);
        let flags: ArrayRef = Arc::new(BooleanArray::from(vec![true, false]));
        let field = Field::new("is_real", DataType::Boolean, false);
        let batch = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![flags])?;
        let flag = Expr::column(is_real.id, is_real.ty);
        let both = LogicalPlan::Join(Join {
            left: Box::new(LogicalPlan::Values(Values {
                columns: vec![is_real],
                batches: vec![batch],
            })),
            right: Box::new(numbered),
            kind: JoinKind::Left,
            on: vec![],
            null_equal: vec![],
            filter: Some(flag.clone()),
            mark: None,
            null_aware_mark: false,
            aggregates: Vec::new(),
            left_first: false,
        });
        // Without rows, that of NULLs would be there twice.
        let wanted = Expr::Or(vec![negate(flag, true), is_null(&number, false)]);
        Ok(((filter(both, wanted), rows.1), number))
    }

    /// With the number of values of `counted` among the rows that have one value of `by`.
    fn counted(
        &mut self,
        input: LogicalPlan,
        counted: &PlanColumn,
        by: &PlanColumn,
    ) -> (LogicalPlan, PlanColumn) {
        let count = self.new_column("count", SqlType::Int64, false);
        let call = AggregateExpr {
            function: AggregateFunction::Count,
            args: vec![Expr::column(counted.id, counted.ty)],
            distinct: false,
            filter: None,
            order_by: vec![],
            ty: SqlType::Int64,
        };
        let plan = LogicalPlan::Window(Window {
            input: Box::new(input),
            partition_by: vec![Expr::column(by.id, by.ty)],
            order_by: vec![],
            functions: vec![(
                count.clone(),
                WindowExpr {
                    call: WindowCall::Aggregate(call),
                    peer_keys: 0,
                    frame: WindowFrame::running(),
                },
            )],
            wanted: None,
        });
        (plan, count)
    }
}

fn is_null(column: &PlanColumn, is_null: bool) -> Expr {
    let op = match is_null {
        true => UnaryOp::IsNull,
        false => UnaryOp::IsNotNull,
    };
    Expr::unary(op, Expr::column(column.id, column.ty))
}

fn with_column(input: LogicalPlan, column: &PlanColumn, expr: Expr) -> LogicalPlan {
    let own = input.columns().into_iter();
    let mut projections: Vec<Projection> = own
        .map(|column| Projection {
            expr: Expr::column(column.id, column.ty),
            column,
        })
        .collect();
    projections.push(Projection {
        column: column.clone(),
        expr,
    });
    LogicalPlan::Project(Project {
        input: Box::new(input),
        projections,
    })
}
