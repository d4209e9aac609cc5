//! VALUES: rows of literals become Arrow arrays here, once, column by column.

use super::Binder;
use super::frame::{Clause, Frame};
use super::literals::{array_of, convert};
use super::predicates::literal_array;
use super::scope::Scope;
use super::subquery::apply_all;
use arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use arrow::datatypes::{Field, Schema};
use llkv_expr::Expr;
use llkv_plan::{
    ColumnInfo, LogicalPlan, PlanColumn, Project, Projection, TableInfo, UnionAll, Values,
};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};
use sqlparser::ast;
use std::sync::Arc;

/// A row of VALUES that is no row of constants: its expressions, and its subqueries.
type LiveRow = (Vec<Expr>, Vec<super::frame::PendingApply>);

/// A column of a table that a value goes into.
#[derive(Debug, Clone, Copy)]
pub(super) struct Target<'t> {
    pub(super) table: &'t TableInfo,
    pub(super) column: &'t ColumnInfo,
}

impl<'t> Target<'t> {
    pub(super) const fn new(table: &'t TableInfo, column: &'t ColumnInfo) -> Self {
        Self { table, column }
    }

    const fn ty(&self) -> SqlType {
        self.column.ty
    }
}

fn target_at<'t>(into: Option<&[Target<'t>]>, position: usize) -> Option<Target<'t>> {
    into.and_then(|into| into.get(position).copied())
}

fn are_literals(row: &[ast::Expr]) -> bool {
    row.iter().all(|expr| matches!(expr, ast::Expr::Value(_)))
}

impl Binder<'_> {
    /// `VALUES (..), (..)`. With `into`, the values go into these columns of a table, whose types they take.
    pub(super) fn bind_values(
        &mut self,
        values: &ast::Values,
        into: Option<&[Target<'_>]>,
    ) -> Result<LogicalPlan> {
        if let (Some(into), [row]) = (into, values.rows.as_slice())
            && let Some(row) = self.literal_row(&row.content, into)?
        {
            return Ok(LogicalPlan::Project(row));
        }
        let width = values.rows.first().map_or(0, |row| row.content.len());
        let mut columns: Vec<Vec<Expr>> = (0..width)
            .map(|_| Vec::with_capacity(values.rows.len()))
            .collect();
        let mut pending = Vec::with_capacity(1);
        let mut live = false;
        for row in &values.rows {
            if row.content.len() != width {
                return self.invalid(
                    format!(
                        "VALUES lists of different length: {width} and {}",
                        row.content.len()
                    ),
                    values,
                );
            }
            let (exprs, subqueries) = self.bind_row(&row.content)?;
            live |= !subqueries.is_empty();
            if live || !subqueries.is_empty() {
                pending.resize_with(columns.first().map_or(0, Vec::len), Vec::new);
                pending.push(subqueries);
            }
            for (column, expr) in columns.iter_mut().zip(exprs) {
                live |= !expr.is_constant();
                column.push(expr);
            }
        }
        let into = into.filter(|into| into.len() == columns.len());
        let types = match into {
            Some(into) => into.iter().map(Target::ty).collect(),
            None => self.column_types(&columns, values)?,
        };
        pending.resize_with(values.rows.len(), Vec::new);
        if live {
            return self.live_values(columns, &types, into, pending);
        }
        self.constant_values(columns, &types, into)
    }

    /// One row of literals on its way into a table: the literals, of the columns' types, which need no arrays. `None` for other
    /// values, and literals that are converted another way.
    fn literal_row(&mut self, row: &[ast::Expr], into: &[Target<'_>]) -> Result<Option<Project>> {
        if row.len() != into.len() || !are_literals(row) {
            return Ok(None);
        }
        let mut projections = Vec::with_capacity(into.len());
        for (literal, Target { column, .. }) in row.iter().zip(into) {
            let Expr::Literal(value) = self.bind_expr(literal)? else {
                return Ok(None);
            };
            let Some(value) = convert(&value, column.ty) else {
                return Ok(None);
            };
            projections.push(Projection {
                column: self.new_column(Arc::clone(&column.name), column.ty, true),
                expr: Expr::Literal(value),
            });
        }
        Ok(Some(Project {
            input: Box::new(LogicalPlan::one_row()),
            projections,
        }))
    }

    /// One row, in a frame of its own in which subqueries gather.
    fn bind_row(&mut self, row: &[ast::Expr]) -> Result<LiveRow> {
        if are_literals(row) {
            let exprs = row.iter().map(|expr| self.bind_expr(expr));
            return Ok((exprs.collect::<Result<_>>()?, vec![]));
        }
        let frame = Frame::new(Scope::default(), LogicalPlan::one_row(), Clause::Row);
        self.frames.push(frame);
        let exprs: Result<Vec<Expr>> = row.iter().map(|expr| self.bind_expr(expr)).collect();
        let pending = self.frames.pop().map(|frame| frame.pending);
        Ok((exprs?, pending.unwrap_or_default()))
    }

    fn column_types(&mut self, columns: &[Vec<Expr>], node: &ast::Values) -> Result<Vec<SqlType>> {
        let mut types = Vec::with_capacity(columns.len());
        for column in columns {
            let exprs: Vec<&Expr> = column.iter().collect();
            match self.unify(&exprs) {
                Some(SqlType::Null) | None if column.iter().all(|e| e.ty() == SqlType::Null) => {
                    types.push(SqlType::Null);
                }
                Some(ty) => types.push(ty),
                None => {
                    return self.mismatch("the values of a column have no common type", node);
                }
            }
        }
        Ok(types)
    }

    /// Constants: one batch.
    pub(super) fn constant_values(
        &mut self,
        columns: Vec<Vec<Expr>>,
        types: &[SqlType],
        into: Option<&[Target<'_>]>,
    ) -> Result<LogicalPlan> {
        let rows = columns.first().map_or(0, Vec::len);
        let mut arrays: Vec<ArrayRef> = Vec::with_capacity(columns.len());
        let mut plan_columns: Vec<PlanColumn> = Vec::with_capacity(columns.len());
        for (position, (column, ty)) in columns.into_iter().zip(types).enumerate() {
            let array = self.constant_array(*ty, column, target_at(into, position))?;
            let nullable = array.null_count() > 0;
            plan_columns.push(self.new_column(format!("column{}", position + 1), *ty, nullable));
            arrays.push(array);
        }
        let batch = batch_of(&plan_columns, arrays, rows)?;
        Ok(LogicalPlan::Values(Values {
            columns: plan_columns,
            batches: vec![batch],
        }))
    }

    /// One column of constants as an array: literals at once, the rest through the evaluator.
    pub(super) fn constant_array(
        &mut self,
        ty: SqlType,
        column: Vec<Expr>,
        into: Option<Target<'_>>,
    ) -> Result<ArrayRef> {
        if let Some(array) = literal_array(ty, &column) {
            return Ok(array);
        }
        let mut scalars: Vec<Scalar> = Vec::with_capacity(column.len());
        for expr in column {
            scalars.push(match self.assign_to(expr, ty, into)? {
                Expr::Literal(scalar) => scalar,
                other => llkv_compute::fold(&other)?,
            });
        }
        array_of(ty, scalars.iter()).ok_or_else(|| {
            llkv_result::Error::internal(format!("constants of a column are not all {ty}"))
        })
    }

    /// A value in another type.
    pub(super) fn assign(&mut self, expr: Expr, ty: SqlType) -> Result<Expr> {
        if self.dialect.values_carry_types() {
            return self.assign_variant(expr, ty, None);
        }
        Ok(self.coerce(expr, ty))
    }

    /// A value on its way into a column.
    pub(super) fn assign_into(&mut self, expr: Expr, into: Target<'_>) -> Result<Expr> {
        self.assign_to(expr, into.column.ty, Some(into))
    }

    fn assign_to(&mut self, expr: Expr, ty: SqlType, into: Option<Target<'_>>) -> Result<Expr> {
        match into {
            Some(_) if self.dialect.values_carry_types() => self.assign_variant(expr, ty, into),
            _ => self.assign(expr, ty),
        }
    }

    /// Rows with parameters, subqueries or functions of the time: a projection each.
    fn live_values(
        &mut self,
        columns: Vec<Vec<Expr>>,
        types: &[SqlType],
        into: Option<&[Target<'_>]>,
        pending: Vec<Vec<super::frame::PendingApply>>,
    ) -> Result<LogicalPlan> {
        let mut sources: Vec<std::vec::IntoIter<Expr>> =
            columns.into_iter().map(Vec::into_iter).collect();
        let mut inputs = Vec::with_capacity(pending.len());
        for subqueries in pending {
            let mut projections = Vec::with_capacity(types.len());
            for (position, (source, ty)) in sources.iter_mut().zip(types).enumerate() {
                let value = source.next().unwrap_or(Expr::Literal(Scalar::Null(*ty)));
                projections.push(Projection {
                    column: self.new_column(format!("column{}", position + 1), *ty, true),
                    expr: self.assign_to(value, *ty, target_at(into, position))?,
                });
            }
            inputs.push(LogicalPlan::Project(Project {
                input: Box::new(apply_all(LogicalPlan::one_row(), subqueries)),
                projections,
            }));
        }
        if inputs.len() == 1 {
            return Ok(inputs.swap_remove(0));
        }
        let columns = types
            .iter()
            .enumerate()
            .map(|(position, ty)| self.new_column(format!("column{}", position + 1), *ty, true))
            .collect();
        Ok(LogicalPlan::UnionAll(UnionAll { inputs, columns }))
    }
}

/// A batch with the columns' names and types.
pub(super) fn batch_of(
    columns: &[PlanColumn],
    arrays: Vec<ArrayRef>,
    rows: usize,
) -> Result<RecordBatch> {
    let fields: Vec<Field> = columns
        .iter()
        .map(|c| Field::new(&*c.name, c.ty.to_arrow(), c.nullable))
        .collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    Ok(RecordBatch::try_new_with_options(
        Arc::new(Schema::new(fields)),
        arrays,
        &options,
    )?)
}
