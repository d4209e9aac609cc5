//! WITH RECURSIVE: a base and a step that reads the rows of the last round.

use super::cte::{WorkingEntry, refers_to};
use super::limit::Slice;
use super::{Binder, MAX_DEPTH, too_complex};
use llkv_expr::ColumnId;
use llkv_plan::{ApplyKind, JoinKind, LogicalPlan, PlanColumn, Recursive, UnionAll, WorkingTable};
use llkv_result::{BindError, Result};
use llkv_types::SqlType;
use sqlparser::ast::{self, SetExpr, SetOperator, SetQuantifier};
use std::rc::Rc;

/// Times that a step is bound until the types of its columns do not change any more.
const MAX_ROUNDS_OF_TYPES: usize = 4;

/// Digits after the point of decimals that a step computes, at least: those of the base alone would round.
const DECIMAL_SCALE: u8 = 6;

/// The parts of a recursive query.
struct Terms<'q> {
    base: &'q SetExpr,
    steps: Vec<&'q SetExpr>,
    distinct: bool,
}

impl Binder<'_> {
    /// A common table expression that refers to itself.
    pub(super) fn bind_recursive(&mut self, cte: &ast::Cte) -> Result<LogicalPlan> {
        let name = cte.alias.name.value.as_str();
        self.refuse_rare_query(&cte.query)?;
        let slice = self.recursive_slice(&cte.query)?;
        let levels = self.ctes.len();
        if let Some(with) = &cte.query.with {
            self.push_ctes(with)?;
        }
        let bound = self.bind_terms(cte, name);
        self.ctes.truncate(levels);
        Ok(slice.on(bound?))
    }

    fn bind_terms(&mut self, cte: &ast::Cte, name: &str) -> Result<LogicalPlan> {
        let terms = self.recursive_terms(&cte.query.body, name, cte)?;
        let base = self.bind_set_expr(terms.base)?;
        let base = self.named_columns(base, cte)?;
        let table = self.new_id().0;
        let mut columns = base.columns();
        for column in &mut columns {
            column.nullable = true;
        }
        for round in 0..MAX_ROUNDS_OF_TYPES {
            let working = Rc::new(WorkingEntry {
                name: name.to_owned(),
                table,
                columns: columns.clone(),
            });
            let step = self.bind_steps(&terms, &working, cte)?;
            let last = round + 1 == MAX_ROUNDS_OF_TYPES;
            let types =
                self.recursive_types(&working, &base.columns(), &step.columns(), cte, last)?;
            let same = columns.iter().zip(&types).all(|(c, ty)| c.ty == *ty);
            if same {
                if terms.distinct && self.are_collated(&columns) {
                    let what = "UNION of texts with a collation in a recursive query";
                    return self.unsupported(what, &cte.alias.name);
                }
                return Ok(self.recursion(working, base, step, terms.distinct));
            }
            for (column, ty) in columns.iter_mut().zip(types) {
                column.ty = ty;
            }
        }
        self.mismatch(
            format!("the columns of recursive query \"{name}\" have no types"),
            &cte.alias.name,
        )
    }

    fn recursion(
        &mut self,
        working: Rc<WorkingEntry>,
        base: LogicalPlan,
        step: LogicalPlan,
        distinct: bool,
    ) -> LogicalPlan {
        let types: Vec<SqlType> = working.columns.iter().map(|c| c.ty).collect();
        let base = self.cast_columns(base, &types);
        let step = self.cast_columns(step, &types);
        let columns = working.columns.iter();
        let columns = columns
            .map(|c| self.new_column(c.name.clone(), c.ty, true))
            .collect();
        let columns: Vec<PlanColumn> = columns;
        for (working, column) in working.columns.iter().zip(&columns) {
            self.note_recursive(working.id, column);
        }
        LogicalPlan::Recursive(Recursive {
            name: working.name.clone(),
            table: working.table,
            base: Box::new(base),
            step: Box::new(step),
            distinct,
            columns,
        })
    }

    /// A column of a recursion is what that of its first rows is, but for values of steps, which no table has converted.
    fn note_recursive(&mut self, first: ColumnId, column: &PlanColumn) {
        self.copy_collated(first, column.id);
        self.set_affinity(column.id, self.column_affinity(first));
        if column.ty == SqlType::Variant {
            self.unconverted.insert(column.id);
        }
    }

    /// The rows of the last round, as a relation of a step.
    pub(super) fn working_table(&mut self, working: &WorkingEntry) -> LogicalPlan {
        let columns = working.columns.iter().map(|c| {
            let column = self.new_column(c.name.clone(), c.ty, true);
            self.note_recursive(c.id, &column);
            column
        });
        LogicalPlan::WorkingTable(WorkingTable {
            name: working.name.clone(),
            table: working.table,
            columns: columns.collect(),
        })
    }

    /// LIMIT and OFFSET over a recursion, which SQLite has.
    fn recursive_slice(&mut self, query: &ast::Query) -> Result<Slice> {
        if query.order_by.is_some() {
            return self.unsupported("ORDER BY in a recursive query", query);
        }
        let limited = query.limit_clause.is_some() || query.fetch.is_some();
        if limited && !self.dialect.limits_recursion() {
            return self.unsupported("LIMIT in a recursive query", query);
        }
        self.bind_slice(query)
    }

    /// The terms of a chain of UNIONs, those that refer to the recursion at its end.
    fn recursive_terms<'q>(
        &self,
        body: &'q SetExpr,
        name: &str,
        cte: &ast::Cte,
    ) -> Result<Terms<'q>> {
        let mut spine = Vec::new();
        let mut node = body;
        let mut kind = None;
        let several = self.dialect.recursion_has_several_steps();
        while let SetExpr::SetOperation {
            left,
            op: SetOperator::Union,
            set_quantifier,
            right,
        } = node
        {
            let distinct = match set_quantifier {
                SetQuantifier::All => false,
                SetQuantifier::Distinct | SetQuantifier::None => true,
                _ => return self.unsupported("UNION BY NAME", node),
            };
            // The operation nearest to the end decides; what comes before the steps may have its own.
            if *kind.get_or_insert(distinct) != distinct || !refers_to(right.as_ref(), name) {
                break;
            }
            spine.push(right.as_ref());
            node = left;
            if !several || spine.len() > MAX_DEPTH {
                break;
            }
        }
        if spine.len() > MAX_DEPTH {
            return Err(too_complex("a chain of set operations", MAX_DEPTH));
        }
        let Some(distinct) = kind.filter(|_| !spine.is_empty()) else {
            return self.recursion_error(
                format!(
                    "recursive query \"{name}\" does not have the form non-recursive-term UNION [ALL] recursive-term"
                ),
                cte,
            );
        };
        if refers_to(node, name) {
            return self.recursion_error(
                format!(
                    "recursive reference to query \"{name}\" must not appear within its non-recursive term"
                ),
                cte,
            );
        }
        spine.reverse();
        Ok(Terms {
            base: node,
            steps: spine,
            distinct,
        })
    }

    fn bind_steps(
        &mut self,
        terms: &Terms<'_>,
        working: &Rc<WorkingEntry>,
        cte: &ast::Cte,
    ) -> Result<LogicalPlan> {
        let mut steps = Vec::with_capacity(terms.steps.len());
        for term in &terms.steps {
            let step = self.with_working(working, |binder| binder.bind_set_expr(term))?;
            if step.columns().len() != working.columns.len() {
                return self.invalid(
                    format!(
                        "each side of a set operation must have as many columns: {} and {}",
                        working.columns.len(),
                        step.columns().len()
                    ),
                    *term,
                );
            }
            if !self.dialect.recursion_is_free() {
                self.check_references(&step, working, cte)?;
            }
            steps.push(step);
        }
        match steps.len() {
            1 => Ok(steps.remove(0)),
            _ => {
                let columns = self.unify_inputs(&mut steps, &cte.query.body)?;
                Ok(LogicalPlan::UnionAll(UnionAll {
                    inputs: steps,
                    columns,
                }))
            }
        }
    }

    /// The types in which the rows of both sides meet. As in PostgreSQL, those of the base decide; decimals,
    /// whose types here tell how many digits they have, and values without a type are widened.
    fn recursive_types(
        &self,
        working: &WorkingEntry,
        base: &[PlanColumn],
        step: &[PlanColumn],
        cte: &ast::Cte,
        last: bool,
    ) -> Result<Vec<SqlType>> {
        let mut types = Vec::with_capacity(base.len());
        let sides = working.columns.iter().zip(base).zip(step);
        for (at, ((own, base), step)) in sides.enumerate() {
            let ty = if last {
                own.ty
            } else if self.dialect.values_carry_types() {
                self.unify_types([own.ty, step.ty])
            } else {
                match (own.ty, step.ty) {
                    (a, b) if a == b => a,
                    (a, SqlType::Null) => a,
                    (SqlType::Null, b) => b,
                    (SqlType::Decimal { scale, .. }, b)
                        if b.is_integer() || matches!(b, SqlType::Decimal { .. }) =>
                    {
                        let scale = match b {
                            SqlType::Decimal { scale: other, .. } if other > scale => {
                                other.max(DECIMAL_SCALE)
                            }
                            _ => scale,
                        };
                        SqlType::Decimal {
                            precision: SqlType::DECIMAL128_PRECISION,
                            scale: if own.ty == base.ty {
                                scale
                            } else {
                                own_scale(own.ty)
                            },
                        }
                    }
                    (a, b) if llkv_compute::coercion::common_type(a, b) == Some(a) => a,
                    (_, b) if self.dialect.recursion_is_free() => b,
                    (a, b) => {
                        return self.mismatch(
                            format!(
                                "recursive query \"{}\" column {} has type {a} in non-recursive term but type {b} overall",
                                working.name,
                                at + 1
                            ),
                            &cte.alias.name,
                        );
                    }
                }
            };
            types.push(match ty {
                SqlType::Null => SqlType::Text,
                ty => ty,
            });
        }
        Ok(types)
    }

    fn recursion_error<T>(&self, message: String, cte: &ast::Cte) -> Result<T> {
        Err(BindError::Recursion {
            message,
            span: self.span(&cte.alias.name),
        }
        .into())
    }

    /// A step must be right for each row of the last round by itself: it reads the working table once, and
    /// neither where its rows would have to be known as a whole nor where their absence counts.
    fn check_references(
        &self,
        step: &LogicalPlan,
        working: &WorkingEntry,
        cte: &ast::Cte,
    ) -> Result<()> {
        let mut found = References::default();
        found.walk(step, working.table, None);
        let name = &working.name;
        if let Some(place) = found.wrong {
            let message = match place {
                "an aggregate" => {
                    "aggregate functions are not allowed in a recursive query's recursive term"
                        .to_owned()
                }
                place => {
                    format!(
                        "recursive reference to query \"{name}\" must not appear within {place}"
                    )
                }
            };
            return self.recursion_error(message, cte);
        }
        if found.count > 1 {
            return self.recursion_error(
                format!("recursive reference to query \"{name}\" must not appear more than once"),
                cte,
            );
        }
        Ok(())
    }
}

fn own_scale(ty: SqlType) -> u8 {
    match ty {
        SqlType::Decimal { scale, .. } => scale,
        _ => 0,
    }
}

/// Where a step reads its working table.
#[derive(Default)]
struct References {
    count: usize,
    wrong: Option<&'static str>,
}

impl References {
    /// `inside`: what stands above that a working table must not be within.
    fn walk(&mut self, plan: &LogicalPlan, table: u32, inside: Option<&'static str>) {
        match plan {
            LogicalPlan::WorkingTable(n) if n.table == table => {
                self.count += 1;
                self.wrong = self.wrong.or(inside);
            }
            LogicalPlan::Join(n) => {
                let outer = Some("an outer join");
                let (left, right) = match n.kind {
                    JoinKind::Left => (inside, outer),
                    JoinKind::Right => (outer, inside),
                    JoinKind::Full => (outer, outer),
                    _ => (inside, inside),
                };
                self.walk(&n.left, table, inside.or(left));
                self.walk(&n.right, table, inside.or(right));
            }
            LogicalPlan::Apply(n) => {
                let within = match n.kind {
                    ApplyKind::Cross => None,
                    ApplyKind::Left => Some("an outer join"),
                    _ => Some("a subquery"),
                };
                self.walk(&n.outer, table, inside);
                self.walk(&n.inner, table, inside.or(within));
            }
            LogicalPlan::Aggregate(n) => {
                let within = (!n.aggregates.is_empty()).then_some("an aggregate");
                self.walk(&n.input, table, inside.or(within));
            }
            LogicalPlan::SetOp(n) => {
                let within = match n.kind {
                    llkv_plan::SetOpKind::Except => "EXCEPT",
                    llkv_plan::SetOpKind::Intersect => "INTERSECT",
                };
                self.walk(&n.left, table, inside.or(Some(within)));
                self.walk(&n.right, table, inside.or(Some(within)));
            }
            other => other.for_each_input(&mut |input| self.walk(input, table, inside)),
        }
    }
}
