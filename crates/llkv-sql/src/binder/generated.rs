//! Columns whose values come from an expression over the others of their row.

use super::Binder;
use super::frame::{Clause, Frame};
use super::scope::Scope;
use crate::SqlDialect;
use crate::text::parse_expression;
use llkv_expr::Expr;
use llkv_plan::{
    ColumnInfo, GeneratedColumn, LogicalPlan, PlanColumn, Project, Projection, TableDefinition,
    TableInfo,
};
use llkv_result::{CatalogError, Result};
use sqlparser::ast;

impl Binder<'_> {
    /// The expressions are bound once when the table is created, so that a mistake shows then.
    pub(super) fn verify_generated(
        &mut self,
        table: &TableDefinition,
        scope: &Scope,
    ) -> Result<()> {
        for column in &table.columns {
            let Some(GeneratedColumn::Expression(sql)) = &column.generated else {
                continue;
            };
            if column.default_sql.is_some() {
                return super::invalid(format!(
                    "column \"{}\" has a default and an expression",
                    column.name
                ));
            }
            for other in &table.columns {
                let is_generated = matches!(other.generated, Some(GeneratedColumn::Expression(_)));
                let dialect = self.dialect;
                let uses = parse_expression(sql, dialect, |expr| {
                    Ok(super::alter_texts::mentions(expr, &other.name))
                })?;
                if is_generated && uses {
                    return Err(CatalogError::InvalidTable {
                        message: format!(
                            "the expression of \"{}\" uses the generated column \"{}\"",
                            column.name, other.name
                        ),
                    }
                    .into());
                }
            }
            let dialect = self.dialect;
            let bound = self.bind_generated(sql, dialect, scope)?;
            if !bound_is_fixed(&bound) {
                return Err(CatalogError::InvalidTable {
                    message: format!("the expression of \"{}\" is not immutable", column.name),
                }
                .into());
            }
            if bound.ty() != column.ty && !llkv_compute::coercion::can_cast(bound.ty(), column.ty) {
                return super::invalid(format!(
                    "the expression of \"{}\" is {}, the column {}",
                    column.name,
                    bound.ty(),
                    column.ty
                ));
            }
        }
        Ok(())
    }

    fn bind_generated(&mut self, sql: &str, dialect: SqlDialect, scope: &Scope) -> Result<Expr> {
        parse_expression(sql, dialect, |expr| {
            self.of_catalog(dialect, |binder| {
                let frame = Frame::new(scope.clone(), LogicalPlan::one_row(), Clause::Row);
                binder.frames.push(frame);
                let bound = binder.bind_expr(expr)?;
                match binder.frames.last().is_some_and(|f| !f.pending.is_empty()) {
                    true => super::unsupported("a subquery in a generated column"),
                    false => Ok(bound),
                }
            })
        })
    }

    /// Rows of a table (its columns in their order, behind `skipped` others) with the values of generated
    /// columns computed.
    pub(super) fn with_generated(
        &mut self,
        plan: LogicalPlan,
        info: &TableInfo,
        skipped: usize,
    ) -> Result<LogicalPlan> {
        if !has_generated(info) {
            return Ok(plan);
        }
        let columns = plan.columns();
        let own = columns.get(skipped..).unwrap_or_default();
        let computed = self.generated_values(info, own)?;
        let mut projections = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let value = at
                .checked_sub(skipped)
                .and_then(|at| computed.get(at)?.clone());
            projections.push(match value {
                Some(expr) => Projection {
                    column: self.new_column(column.name.clone(), column.ty, true),
                    expr,
                },
                None => Projection {
                    expr: Expr::column(column.id, column.ty),
                    column: column.clone(),
                },
            });
        }
        Ok(LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        }))
    }

    /// In SQLite a NULL for the column of AUTOINCREMENT stands for the next number.
    pub(super) fn with_identity(
        &mut self,
        plan: LogicalPlan,
        info: &TableInfo,
    ) -> Result<LogicalPlan> {
        let is_identity = |column: &ColumnInfo| {
            matches!(column.generated, Some(GeneratedColumn::Identity { .. }))
        };
        let sqlite = SqlDialect::Sqlite.name();
        if info.dialect != sqlite || !info.columns.iter().any(is_identity) {
            return Ok(plan);
        }
        let columns = plan.columns();
        let mut projections = Vec::with_capacity(columns.len());
        for (at, column) in columns.iter().enumerate() {
            let given = Expr::column(column.id, column.ty);
            projections.push(match info.columns.get(at).is_some_and(is_identity) {
                true => Projection {
                    column: self.new_column(column.name.clone(), column.ty, true),
                    expr: Expr::Case {
                        branches: vec![(
                            Expr::unary(llkv_expr::UnaryOp::IsNull, given.clone()),
                            self.default_of(info, at)?,
                        )],
                        otherwise: Some(Box::new(given)),
                        ty: column.ty,
                    },
                },
                false => Projection {
                    expr: given,
                    column: column.clone(),
                },
            });
        }
        Ok(LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        }))
    }

    /// The same for rows that are projections already: generated columns are computed of what the others are.
    pub(super) fn fill_generated(
        &mut self,
        projections: &mut [Projection],
        info: &TableInfo,
    ) -> Result<()> {
        if !has_generated(info) {
            return Ok(());
        }
        let columns: Vec<PlanColumn> = projections.iter().map(|p| p.column.clone()).collect();
        let computed = self.generated_values(info, &columns)?;
        let known: Vec<(llkv_expr::ColumnId, Expr)> = projections
            .iter()
            .map(|p| (p.column.id, p.expr.clone()))
            .collect();
        for (projection, value) in projections.iter_mut().zip(computed) {
            if let Some(value) = value {
                let column = &projection.column;
                projection.column = self.new_column(column.name.clone(), column.ty, true);
                projection.expr = value.map_columns(&mut |id| {
                    let mut known = known.iter();
                    known
                        .find(|(column, _)| *column == id)
                        .map(|(_, expr)| expr.clone())
                });
            }
        }
        Ok(())
    }

    /// For each column of a row its expression, where it has one.
    fn generated_values(
        &mut self,
        info: &TableInfo,
        columns: &[PlanColumn],
    ) -> Result<Vec<Option<Expr>>> {
        let dialect: SqlDialect = info.dialect.parse()?;
        let named = columns
            .iter()
            .zip(&info.columns)
            .map(|(column, own)| PlanColumn {
                name: own.name.clone(),
                ..column.clone()
            });
        let named: Vec<PlanColumn> = named.collect();
        self.note_columns(&named, info);
        let scope = Scope::of_relation(Some(&info.name), named);
        let mut values = Vec::with_capacity(info.columns.len());
        for column in &info.columns {
            values.push(match &column.generated {
                Some(GeneratedColumn::Expression(sql)) => {
                    let bound = self.bind_generated(sql, dialect, &scope)?;
                    Some(self.assign(bound, column.ty)?)
                }
                _ => None,
            });
        }
        Ok(values)
    }

    /// The generated columns of a table whose key gets numbers as its rows come, over the columns of these.
    pub(super) fn generated_with_key(
        &mut self,
        info: &TableInfo,
        columns: &[PlanColumn],
    ) -> Result<Vec<(usize, Expr)>> {
        if self.numbered_key(info).is_none() || !has_generated(info) {
            return Ok(Vec::new());
        }
        let values = self.generated_values(info, columns)?.into_iter();
        let values = values.enumerate();
        Ok(values
            .filter_map(|(at, value)| Some((at, value?)))
            .collect())
    }

    /// Refuses values that an INSERT gives columns which have their own.
    pub(super) fn refuse_given(
        &self,
        insert: &ast::Insert,
        info: &TableInfo,
        positions: &[usize],
    ) -> Result<()> {
        let Some(query) = &insert.source else {
            return Ok(());
        };
        for (at, position) in positions.iter().enumerate() {
            let Some(column) = info.columns.get(*position) else {
                continue;
            };
            if column.generated.is_none() {
                continue;
            }
            match query.body.as_ref() {
                ast::SetExpr::Values(values) => {
                    for expr in values.rows.iter().filter_map(|row| row.content.get(at)) {
                        self.refuse_generated(column, Given::Expr(expr))?;
                    }
                }
                _ => self.refuse_generated(column, Given::Rows)?,
            }
        }
        Ok(())
    }

    /// Refuses a value for a column that has its own; DEFAULT is none.
    pub(super) fn refuse_generated(&self, column: &ColumnInfo, given: Given<'_>) -> Result<()> {
        let always = match column.generated {
            Some(GeneratedColumn::Expression(_)) => true,
            Some(GeneratedColumn::Identity { always }) => always,
            None => false,
        };
        let is_default = match given {
            Given::Expr(expr) => is_default(expr),
            Given::Rows => false,
        };
        match always && !is_default {
            true => Err(CatalogError::GeneratedAlways {
                column: column.name.to_string(),
            }
            .into()),
            false => Ok(()),
        }
    }
}

/// What a statement gives a column.
pub(super) enum Given<'a> {
    Expr(&'a ast::Expr),
    Rows,
}

/// `DEFAULT`
pub(super) fn is_default(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Identifier(name)
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("DEFAULT"))
}

fn has_generated(info: &TableInfo) -> bool {
    info.columns.iter().any(ColumnInfo::is_computed)
}

/// True for an expression that gives the same value again for the same row.
fn bound_is_fixed(expr: &Expr) -> bool {
    if let Expr::Function { function, .. } = expr
        && function.volatility != llkv_expr::Volatility::Immutable
    {
        return false;
    }
    let mut fixed = true;
    expr.for_each_child(&mut |child| fixed = fixed && bound_is_fixed(child));
    fixed
}
