//! GROUP BY with several sets of keys: ROLLUP, CUBE, GROUPING SETS, and what GROUPING() tells of them.

use super::frame::Clause;
use super::select::SelectItem;
use super::{Binder, too_complex};
use crate::binder::equality::same;
use crate::binder::output::text_of_node;
use llkv_expr::Expr;
use llkv_result::Result;
use llkv_types::SqlType;
use sqlparser::ast::{self, FunctionArgExpr};

/// Sets of keys that one GROUP BY may have.
const MAX_SETS: usize = 4_096;

/// Arguments of GROUPING: bits of an INTEGER.
const MAX_GROUPING_ARGS: usize = 31;

/// The keys of GROUP BY.
#[derive(Debug)]
pub(super) struct Groups {
    /// Each key once.
    pub(super) keys: Vec<Expr>,
    /// Sets of keys, by their number among `keys`. Plain keys are one set.
    pub(super) sets: Vec<Vec<usize>>,
}

impl Groups {
    /// One set of all keys.
    pub(super) fn plain(keys: Vec<Expr>) -> Self {
        Self {
            sets: vec![(0..keys.len()).collect()],
            keys,
        }
    }

    /// No keys: one group of all rows.
    pub(super) fn none() -> Self {
        Self::plain(vec![])
    }

    /// Every set together with every one of `others`.
    fn cross(&mut self, others: &[Vec<usize>]) -> Result<()> {
        if self.sets.len().saturating_mul(others.len()) > MAX_SETS {
            return Err(too_complex("the number of grouping sets", MAX_SETS));
        }
        let mut sets = Vec::with_capacity(self.sets.len() * others.len());
        for set in &self.sets {
            for other in others {
                sets.push(union(set, other));
            }
        }
        self.sets = sets;
        Ok(())
    }
}

fn union(a: &[usize], b: &[usize]) -> Vec<usize> {
    let mut all = a.to_vec();
    all.extend(b.iter().filter(|key| !a.contains(key)));
    all
}

impl Binder<'_> {
    /// The sets of the elements of GROUP BY, each of which is a key, or sets of keys.
    pub(super) fn bind_grouping(
        &mut self,
        exprs: &[ast::Expr],
        items: &[SelectItem],
    ) -> Result<Groups> {
        let mut groups = Groups::none();
        for expr in exprs {
            let sets = self.bind_element(expr, items, &mut groups.keys)?;
            groups.cross(&sets)?;
        }
        Ok(groups)
    }

    /// GROUP BY ... WITH ROLLUP, WITH CUBE: the words behind the list of keys.
    pub(super) fn bind_modified(
        &mut self,
        exprs: &[ast::Expr],
        modifier: &ast::GroupByWithModifier,
        items: &[SelectItem],
    ) -> Result<Groups> {
        let mut groups = Groups::none();
        let mut parts = Vec::with_capacity(exprs.len());
        for expr in exprs {
            parts.push(vec![self.bind_key(expr, items, &mut groups.keys)?]);
        }
        groups.sets = match modifier {
            ast::GroupByWithModifier::Rollup => rollup(&parts),
            ast::GroupByWithModifier::Cube => cube(&parts)?,
            other => return super::unsupported(format!("GROUP BY ... {other}")),
        };
        Ok(groups)
    }

    fn bind_element(
        &mut self,
        expr: &ast::Expr,
        items: &[SelectItem],
        keys: &mut Vec<Expr>,
    ) -> Result<Vec<Vec<usize>>> {
        use ast::Expr as E;
        Ok(match expr {
            E::Rollup(parts) => rollup(&self.bind_parts(parts, items, keys)?),
            E::Cube(parts) => cube(&self.bind_parts(parts, items, keys)?)?,
            E::GroupingSets(parts) => {
                let mut sets = Vec::with_capacity(parts.len());
                for part in parts {
                    match part.as_slice() {
                        [single] => sets.extend(self.bind_element(single, items, keys)?),
                        several => sets.push(self.bind_key_set(several, items, keys)?),
                    }
                    if sets.len() > MAX_SETS {
                        return Err(too_complex("the number of grouping sets", MAX_SETS));
                    }
                }
                sets
            }
            E::Tuple(several) => vec![self.bind_key_set(several, items, keys)?],
            // Within GROUPING SETS the parser takes them for calls.
            E::Function(call) if sets_of_call(call).is_some() => {
                let (is_cube, parts) = sets_of_call(call).unwrap_or_default();
                let mut bound = Vec::with_capacity(parts.len());
                for part in parts {
                    bound.push(match part {
                        E::Tuple(several) => self.bind_key_set(several, items, keys)?,
                        single => vec![self.bind_key(single, items, keys)?],
                    });
                }
                if is_cube {
                    cube(&bound)?
                } else {
                    rollup(&bound)
                }
            }
            single => vec![vec![self.bind_key(single, items, keys)?]],
        })
    }

    fn bind_parts(
        &mut self,
        parts: &[Vec<ast::Expr>],
        items: &[SelectItem],
        keys: &mut Vec<Expr>,
    ) -> Result<Vec<Vec<usize>>> {
        let mut bound = Vec::with_capacity(parts.len());
        for part in parts {
            bound.push(self.bind_key_set(part, items, keys)?);
        }
        Ok(bound)
    }

    fn bind_key_set(
        &mut self,
        exprs: &[ast::Expr],
        items: &[SelectItem],
        keys: &mut Vec<Expr>,
    ) -> Result<Vec<usize>> {
        let mut set = Vec::with_capacity(exprs.len());
        for expr in exprs {
            let key = self.bind_key(expr, items, keys)?;
            if !set.contains(&key) {
                set.push(key);
            }
        }
        Ok(set)
    }

    /// The number of a key among `keys`, to which it is added if it is new.
    fn bind_key(
        &mut self,
        expr: &ast::Expr,
        items: &[SelectItem],
        keys: &mut Vec<Expr>,
    ) -> Result<usize> {
        let bound = self.bind_group(expr, items)?;
        if self.mentions_aggregate(&bound) {
            return self.grouping_error("aggregate functions are not allowed in GROUP BY", expr);
        }
        self.refuse_windows("GROUP BY", Some(&bound), Some(expr))?;
        if let Some(known) = keys.iter().position(|known| same(known, &bound)) {
            return Ok(known);
        }
        keys.push(bound);
        Ok(keys.len() - 1)
    }

    /// `GROUPING(a, b)`: a bit for each argument, set where the row's group does not have it as a key. The keys
    /// are known only when all clauses are bound: until then it is a column without a value.
    pub(super) fn bind_grouping_call(
        &mut self,
        node: &ast::Function,
        args: &[&FunctionArgExpr],
    ) -> Result<Expr> {
        let clause = self.frames.last().map_or(Clause::Row, |frame| frame.clause);
        if !clause.takes_aggregates() {
            return self.grouping_error(
                format!("grouping operations are not allowed in {}", clause.name()),
                node,
            );
        }
        if args.is_empty() || args.len() > MAX_GROUPING_ARGS {
            return self.invalid(
                format!("GROUPING takes 1 to {MAX_GROUPING_ARGS} arguments"),
                node,
            );
        }
        let mut bound = Vec::with_capacity(args.len());
        for arg in args {
            match arg {
                FunctionArgExpr::Expr(expr) => bound.push(self.bind_expr(expr)?),
                _ => return self.invalid("GROUPING(*) means nothing", node),
            }
        }
        let column = self.new_column(text_of_node(node), SqlType::Int32, false);
        let value = Expr::column(column.id, column.ty);
        if let Some(frame) = self.frames.last_mut() {
            frame.groupings.push((column, bound));
        }
        Ok(value)
    }
}

/// `(a, b)`, `(a)`, `()` of `ROLLUP (a, b)`.
fn rollup(parts: &[Vec<usize>]) -> Vec<Vec<usize>> {
    let prefixes = (0..=parts.len()).rev();
    prefixes
        .map(|n| {
            let parts = parts.iter().take(n);
            parts.fold(vec![], |set, part| union(&set, part))
        })
        .collect()
}

/// All subsets, those with the first parts first.
fn cube(parts: &[Vec<usize>]) -> Result<Vec<Vec<usize>>> {
    let count = 1usize.checked_shl(parts.len() as u32).unwrap_or(usize::MAX);
    if count > MAX_SETS {
        return Err(too_complex("the number of grouping sets", MAX_SETS));
    }
    let subsets = (0..count).rev();
    Ok(subsets
        .map(|bits| {
            let chosen = parts.iter().rev().enumerate().rev();
            let chosen = chosen.filter(|(bit, _)| bits >> bit & 1 == 1);
            chosen.fold(vec![], |set, (_, part)| union(&set, part))
        })
        .collect())
}

/// The parts of `ROLLUP (...)` or `CUBE (...)` that was read as a call; true for CUBE.
fn sets_of_call(call: &ast::Function) -> Option<(bool, Vec<&ast::Expr>)> {
    let name = call.name.0.last().and_then(|part| part.as_ident())?;
    let is_cube = name.value.eq_ignore_ascii_case("cube");
    if !is_cube && !name.value.eq_ignore_ascii_case("rollup") {
        return None;
    }
    let ast::FunctionArguments::List(list) = &call.args else {
        return None;
    };
    let parts = list.args.iter().map(|arg| match arg {
        ast::FunctionArg::Unnamed(FunctionArgExpr::Expr(expr)) => Some(expr),
        _ => None,
    });
    Some((is_cube, parts.collect::<Option<_>>()?))
}
