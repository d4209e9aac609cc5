//! From an expression to its compiled form.
//!
//! A node whose operands are constants is evaluated here, once. Where that gives an error the node
//! stays as it is: the error belongs to the rows that reach it.

use super::eval::deep;
use super::frame::Frame;
use super::in_list::InSet;
use super::like::LikePattern;
use super::node::{CaseNode, DynamicLike, Node, Part};
use crate::arithmetic::is_total;
use crate::arrays::text;
use crate::cast::is_total_cast;
use crate::context::current_clock;
use crate::value::Value;
use arrow::array::Array;
use llkv_expr::{BinaryOp, ColumnId, Expr, InList, UnaryOp, Volatility};
use llkv_result::{Error, Result};
use llkv_types::{Scalar, SqlType};

/// Nanoseconds per row under which computing all rows of a CASE beats selecting.
const EAGER_CASE_COST: u32 = 24;

/// Where a column stands in the batches; `None` for one that they do not have.
pub(super) type Positions<'a> = &'a dyn Fn(ColumnId) -> Option<usize>;

/// Compiles an expression over batches in which the columns stand at `positions`.
pub(super) fn compile(expr: &Expr, positions: Positions<'_>) -> Result<Node> {
    deep(|| compile_level(expr, positions))
}

fn compile_level(expr: &Expr, positions: Positions<'_>) -> Result<Node> {
    match expr {
        Expr::Column { id, ty } => match positions(*id) {
            Some(position) => Ok(Node::Column { position, ty: *ty }),
            None => Err(Error::internal(format!(
                "column #{} is not among an expression's inputs",
                id.0
            ))),
        },
        Expr::Literal(scalar) => Ok(Node::Constant(scalar.to_array(1)?)),
        Expr::Parameter { index, .. } => Err(Error::internal(format!(
            "parameter ${} was not replaced before evaluation",
            index + 1
        ))),
        Expr::Unary { op, expr } => {
            let operand = Box::new(compile(expr, positions)?);
            Ok(folded(Node::Unary { op: *op, operand }))
        }
        Expr::Binary {
            op,
            left,
            right,
            ty,
        } => compile_binary(*op, (left, right), *ty, positions),
        Expr::And(parts) => compile_logic(parts, false, positions),
        Expr::Or(parts) => compile_logic(parts, true, positions),
        Expr::Cast { expr, ty, mode } => {
            let operand = Box::new(compile(expr, positions)?);
            Ok(folded(Node::Cast {
                operand,
                ty: *ty,
                mode: *mode,
                total: is_total_cast(expr.ty(), *ty, *mode),
            }))
        }
        Expr::Case {
            branches,
            otherwise,
            ty,
        } => compile_case(branches, otherwise.as_deref(), *ty, positions),
        Expr::InList {
            expr,
            list,
            negated,
        } => compile_in(expr, list, *negated, positions),
        Expr::Like { .. } => compile_like(expr, positions),
        Expr::Function { .. } => compile_function(expr, positions),
        other => Err(Error::internal(format!("no evaluation of {other}"))),
    }
}

fn compile_binary(
    op: BinaryOp,
    (left, right): (&Expr, &Expr),
    ty: SqlType,
    positions: Positions<'_>,
) -> Result<Node> {
    let inner = Box::new((op, compile(left, positions)?, compile(right, positions)?));
    Ok(folded(if op.is_comparison() {
        Node::Compare(inner)
    } else {
        let total = is_total(op, left.ty(), right.ty(), ty);
        Node::Binary { inner, ty, total }
    }))
}

fn compile_logic(parts: &[Expr], any: bool, positions: Positions<'_>) -> Result<Node> {
    let parts = parts.iter().map(|part| compile_part(part, positions));
    let parts = parts.collect::<Result<Vec<_>>>()?;
    Ok(folded(Node::Logic { parts, any }))
}

fn compile_part(expr: &Expr, positions: Positions<'_>) -> Result<Part> {
    let node = compile(expr, positions)?;
    Ok(Part {
        fallible: node.is_fallible(),
        cost: node.cost(),
        node,
    })
}

fn compile_case(
    branches: &[(Expr, Expr)],
    otherwise: Option<&Expr>,
    ty: SqlType,
    positions: Positions<'_>,
) -> Result<Node> {
    let branches = branches
        .iter()
        .map(|(when, then)| Ok((compile(when, positions)?, compile(then, positions)?)))
        .collect::<Result<Vec<_>>>()?;
    let otherwise = match otherwise {
        Some(expr) => compile(expr, positions)?,
        None => Node::Constant(Scalar::Null(ty).to_array(1)?),
    };
    Ok(folded(case(branches, otherwise, ty)))
}

fn case(branches: Vec<(Node, Node)>, otherwise: Node, ty: SqlType) -> Node {
    let cheap = |node: &Node| !node.is_fallible() && node.cost() <= EAGER_CASE_COST;
    let eager = branches.len() <= 4
        && cheap(&otherwise)
        && branches
            .iter()
            .all(|(when, then)| cheap(when) && cheap(then));
    Node::Case(Box::new(CaseNode {
        branches,
        otherwise,
        ty,
        eager,
    }))
}

/// IN over expressions is a disjunction of equalities; over constants, a set.
fn compile_in(expr: &Expr, list: &InList, negated: bool, positions: Positions<'_>) -> Result<Node> {
    let items = match list {
        InList::Values(values) => {
            let operand = Box::new(compile(expr, positions)?);
            let set = InSet::new(values)?;
            return Ok(folded(Node::InSet {
                operand,
                set,
                negated,
            }));
        }
        InList::Exprs(items) => items,
    };
    let constants = items
        .iter()
        .map(Expr::as_literal)
        .collect::<Option<Vec<_>>>();
    if let Some(values) = constants.and_then(|c| super::in_list::constants(&c, expr.ty())) {
        return compile_in(expr, &InList::Values(values), negated, positions);
    }
    let equalities: Vec<_> = items
        .iter()
        .map(|item| Expr::compare(BinaryOp::Eq, expr.clone(), item.clone()))
        .collect();
    let any = match equalities.as_slice() {
        [] => Node::Constant(Scalar::Boolean(false).to_array(1)?),
        [only] => compile(only, positions)?,
        several => compile_logic(several, true, positions)?,
    };
    Ok(if negated {
        folded(Node::Unary {
            op: UnaryOp::Not,
            operand: Box::new(any),
        })
    } else {
        any
    })
}

fn compile_like(expr: &Expr, positions: Positions<'_>) -> Result<Node> {
    let Expr::Like {
        expr,
        pattern,
        escape,
        case,
        negated,
    } = expr
    else {
        return Err(Error::internal("not a LIKE"));
    };
    let (operand, pattern) = (compile(expr, positions)?, compile(pattern, positions)?);
    if let Node::Constant(array) = &pattern
        && let Ok(constant) = text(array.as_ref())
        && constant.is_valid(0)
        && let Ok(parsed) = LikePattern::parse(constant.value(0), *escape, *case)
    {
        return Ok(folded(Node::Like {
            operand: Box::new(operand),
            pattern: Box::new(parsed),
            negated: *negated,
        }));
    }
    Ok(folded(Node::DynamicLike(Box::new(DynamicLike {
        operand,
        pattern,
        escape: *escape,
        case: *case,
        negated: *negated,
    }))))
}

/// Functions that must not evaluate all their arguments have nodes of their own.
fn compile_function(expr: &Expr, positions: Positions<'_>) -> Result<Node> {
    let Expr::Function { function, args, ty } = expr else {
        return Err(Error::internal("not a function"));
    };
    let args = args.iter().map(|arg| compile(arg, positions));
    let mut args = args.collect::<Result<Vec<_>>>()?;
    match function.name {
        "coalesce" | "ifnull" => Ok(folded(Node::Coalesce {
            operands: args,
            ty: *ty,
        })),
        "if" if args.len() == 3 => {
            let (Some(otherwise), Some(then), Some(when)) = (args.pop(), args.pop(), args.pop())
            else {
                return Err(Error::internal("if() has three arguments"));
            };
            Ok(folded(case(vec![(when, then)], otherwise, *ty)))
        }
        _ => {
            // What is stable has one value in all of the statement, for which this is compiled.
            let constant = function.volatility != Volatility::Volatile;
            let node = Node::Function {
                function,
                args,
                ty: *ty,
                clock: match constant {
                    true => None,
                    false => current_clock(),
                },
            };
            Ok(if constant { folded(node) } else { node })
        }
    }
}

/// The value of a node whose operands are constants, else the node.
fn folded(node: Node) -> Node {
    if !node.has_constant_operands() {
        return node;
    }
    match node.eval(&Frame::batch(&[], 1)) {
        Ok(Value::Constant(array)) => Node::Constant(array),
        _ => node,
    }
}

impl Node {
    fn is_constant(&self) -> bool {
        matches!(self, Self::Constant(_))
    }

    fn has_constant_operands(&self) -> bool {
        match self {
            Self::Column { .. } | Self::Constant(_) => false,
            Self::Unary { operand, .. }
            | Self::Cast { operand, .. }
            | Self::InSet { operand, .. }
            | Self::Like { operand, .. } => operand.is_constant(),
            Self::Compare(inner) | Self::Binary { inner, .. } => {
                inner.1.is_constant() && inner.2.is_constant()
            }
            Self::Logic { parts, .. } => parts.iter().all(|part| part.node.is_constant()),
            Self::Case(case) => {
                case.otherwise.is_constant()
                    && case
                        .branches
                        .iter()
                        .all(|(when, then)| when.is_constant() && then.is_constant())
            }
            Self::Coalesce { operands, .. } => operands.iter().all(Self::is_constant),
            Self::DynamicLike(like) => like.operand.is_constant() && like.pattern.is_constant(),
            Self::Function { args, .. } => args.iter().all(Self::is_constant),
        }
    }
}
