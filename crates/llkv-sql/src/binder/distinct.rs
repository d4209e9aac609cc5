//! DISTINCT and DISTINCT ON: which rows of a SELECT list stand for others.

use super::Binder;
use super::collations::value_of_key;
use super::limit::Slice;
use super::select::SelectItem;
use super::subquery::keep;
use llkv_expr::{AggregateExpr, AggregateFunction, ColumnId, Expr, SortKey};
use llkv_plan::{Aggregate, LogicalPlan, PlanColumn, Project, Projection, Sort};
use llkv_result::Result;
use sqlparser::ast;

/// What the word behind SELECT asks for.
#[derive(Debug)]
pub(super) enum Distinction {
    /// All rows.
    None,
    /// Each row once.
    Rows,
    /// The first row, in the order of ORDER BY, of those that have these values in common.
    On(Vec<Expr>),
}

impl Distinction {
    /// The expressions of DISTINCT ON.
    pub(super) fn values_mut(&mut self) -> &mut [Expr] {
        match self {
            Self::On(values) => values,
            Self::None | Self::Rows => &mut [],
        }
    }
}

impl Binder<'_> {
    pub(super) fn bind_distinction(
        &mut self,
        distinct: Option<&ast::Distinct>,
        items: &[SelectItem],
    ) -> Result<Distinction> {
        Ok(match distinct {
            None | Some(ast::Distinct::All) => Distinction::None,
            Some(ast::Distinct::Distinct) => self.distinction_of_rows(items)?,
            Some(ast::Distinct::On(exprs)) => {
                let mut values = Vec::with_capacity(exprs.len());
                for expr in exprs {
                    values.push(self.bind_order_key(expr, items)?);
                }
                Distinction::On(values)
            }
        })
    }

    /// DISTINCT. Among texts with a collation, one stands for all that are equal to it.
    fn distinction_of_rows(&mut self, items: &[SelectItem]) -> Result<Distinction> {
        let mut has_collation = false;
        let mut values = Vec::with_capacity(items.len());
        for item in items {
            let key = self.collated(item.expr.clone(), item.collated.own())?;
            has_collation |= value_of_key(&key).is_some();
            values.push(key);
        }
        Ok(match has_collation {
            true => Distinction::On(values),
            false => Distinction::Rows,
        })
    }

    /// Groups by the values of ON; every other column is the first of its group in the order of `keys`.
    pub(super) fn plan_distinct_on(
        &mut self,
        plan: LogicalPlan,
        (mut projections, visible): (Vec<Projection>, usize),
        keys: Vec<SortKey>,
        on: Vec<Expr>,
        slice: Slice,
    ) -> LogicalPlan {
        let own = plan.column_set();
        let mut groups: Vec<PlanColumn> = Vec::with_capacity(on.len());
        for value in on {
            if !value.is_constant() {
                let column = self.project_hidden(value, "distinct on", &own, &mut projections);
                if groups.iter().all(|known| known.id != column.id) {
                    groups.push(column);
                }
            }
        }
        let columns: Vec<PlanColumn> = projections.iter().map(|p| p.column.clone()).collect();
        let is_group = |id: ColumnId| groups.iter().any(|group| group.id == id);
        let mut aggregates = Vec::with_capacity(columns.len());
        let mut outputs = Vec::with_capacity(columns.len());
        for column in &columns {
            if is_group(column.id) {
                outputs.push(column.clone());
                continue;
            }
            let first = self.new_column(column.name.clone(), column.ty, column.nullable);
            self.copy_collated(column.id, first.id);
            outputs.push(first.clone());
            aggregates.push((first, first_value(column, &keys)));
        }
        let output_of = |expr: &Expr| match expr {
            Expr::Column { id, .. } => columns.iter().zip(&outputs).find(|(c, _)| c.id == *id),
            _ => None,
        };
        let sorted: Vec<SortKey> = keys
            .iter()
            .map(|key| SortKey {
                expr: match output_of(&key.expr) {
                    Some((_, output)) => Expr::column(output.id, output.ty),
                    None => key.expr.clone(),
                },
                ..key.clone()
            })
            .collect();
        let mut plan = LogicalPlan::Project(Project {
            input: Box::new(plan),
            projections,
        });
        if groups.is_empty() {
            // All rows have nothing in common with nothing: there is one group, if there is a row.
            plan = sort(plan, keys);
            plan = Slice::first_row().on(plan);
            outputs = columns;
        } else {
            plan = LogicalPlan::Aggregate(Aggregate {
                input: Box::new(plan),
                groups: groups.into_iter().map(pass).collect(),
                aggregates,
            });
            plan = sort(plan, sorted);
        }
        outputs.truncate(visible);
        keep(slice.on(plan), outputs)
    }
}

fn sort(plan: LogicalPlan, keys: Vec<SortKey>) -> LogicalPlan {
    if keys.is_empty() {
        return plan;
    }
    LogicalPlan::Sort(Sort {
        input: Box::new(plan),
        keys,
        fetch: None,
    })
}

fn first_value(column: &PlanColumn, keys: &[SortKey]) -> AggregateExpr {
    AggregateExpr {
        function: AggregateFunction::First,
        args: vec![Expr::column(column.id, column.ty)],
        distinct: false,
        filter: None,
        order_by: keys.to_vec(),
        ty: column.ty,
    }
}

fn pass(column: PlanColumn) -> Projection {
    Projection {
        expr: Expr::column(column.id, column.ty),
        column,
    }
}
