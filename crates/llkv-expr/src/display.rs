//! Expressions as text, for EXPLAIN and error messages.

use crate::{BinaryOp, ColumnId, Expr, InList, LikeCase, UnaryOp};
use arrow::array::Array;
use llkv_types::{Scalar, SqlType};
use std::fmt;

impl fmt::Display for ColumnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

impl fmt::Display for BinaryOp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Modulo => "%",
            Self::BitAnd => "&",
            Self::BitOr => "|",
            Self::BitXor => "^",
            Self::ShiftLeft => "<<",
            Self::ShiftRight => ">>",
            Self::Concat => "||",
            Self::Eq => "=",
            Self::NotEq => "<>",
            Self::Lt => "<",
            Self::LtEq => "<=",
            Self::Gt => ">",
            Self::GtEq => ">=",
            Self::IsDistinctFrom => "IS DISTINCT FROM",
            Self::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
        })
    }
}

/// An operand: in parentheses where it is an operation itself.
struct Operand<'a>(&'a Expr);

impl fmt::Display for Operand<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Expr::Binary { .. }
            | Expr::And(_)
            | Expr::Or(_)
            | Expr::Unary { .. }
            | Expr::InList { .. }
            | Expr::Like { .. } => write!(f, "({})", self.0),
            other => write!(f, "{other}"),
        }
    }
}

fn joined(f: &mut fmt::Formatter<'_>, parts: &[Expr], word: &str) -> fmt::Result {
    for (i, part) in parts.iter().enumerate() {
        write!(f, "{}{}", if i == 0 { "" } else { word }, Operand(part))?;
    }
    Ok(())
}

fn literal(f: &mut fmt::Formatter<'_>, scalar: &Scalar) -> fmt::Result {
    match scalar {
        Scalar::Text(text) => write!(f, "'{}'", text.replace('\'', "''")),
        Scalar::Date(_) | Scalar::Timestamp(_) | Scalar::TimestampTz(_) | Scalar::Interval(_) => {
            write!(f, "{} '{scalar}'", scalar.sql_type())
        }
        other => write!(f, "{other}"),
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Column { id, .. } => id.fmt(f),
            Self::Literal(scalar) => literal(f, scalar),
            Self::Parameter { index, .. } => write!(f, "${}", index + 1),
            Self::Unary { op, expr } => match op {
                UnaryOp::Negate => write!(f, "-{}", Operand(expr)),
                UnaryOp::Not => write!(f, "NOT {}", Operand(expr)),
                UnaryOp::BitNot => write!(f, "~{}", Operand(expr)),
                UnaryOp::IsNull => write!(f, "{} IS NULL", Operand(expr)),
                UnaryOp::IsNotNull => write!(f, "{} IS NOT NULL", Operand(expr)),
                UnaryOp::IsTrue => write!(f, "{} IS TRUE", Operand(expr)),
                UnaryOp::IsNotTrue => write!(f, "{} IS NOT TRUE", Operand(expr)),
                UnaryOp::IsFalse => write!(f, "{} IS FALSE", Operand(expr)),
                UnaryOp::IsNotFalse => write!(f, "{} IS NOT FALSE", Operand(expr)),
            },
            Self::Binary {
                op, left, right, ..
            } => {
                write!(f, "{} {op} {}", Operand(left), Operand(right))
            }
            Self::And(parts) => joined(f, parts, " AND "),
            Self::Or(parts) => joined(f, parts, " OR "),
            Self::Cast { expr, ty, mode } => {
                let word = if mode.is_try() { "TRY_CAST" } else { "CAST" };
                write!(f, "{word}({expr} AS {ty})")
            }
            Self::Case {
                branches,
                otherwise,
                ..
            } => {
                f.write_str("CASE")?;
                for (condition, result) in branches {
                    write!(f, " WHEN {condition} THEN {result}")?;
                }
                if let Some(otherwise) = otherwise {
                    write!(f, " ELSE {otherwise}")?;
                }
                f.write_str(" END")
            }
            Self::InList {
                expr,
                list,
                negated,
            } => {
                let not = if *negated { "NOT " } else { "" };
                write!(f, "{} {not}IN (", Operand(expr))?;
                match list {
                    InList::Exprs(items) => joined(f, items, ", ")?,
                    InList::Values(values) => in_values(f, values.as_ref())?,
                }
                f.write_str(")")
            }
            Self::Like {
                expr,
                pattern,
                escape,
                case,
                negated,
            } => {
                let not = if *negated { "NOT " } else { "" };
                let like = match case {
                    LikeCase::Matters => "LIKE",
                    LikeCase::Ignored | LikeCase::IgnoredInAscii => "ILIKE",
                };
                write!(f, "{} {not}{like} {}", Operand(expr), Operand(pattern))?;
                escape.map_or(Ok(()), |c| write!(f, " ESCAPE '{c}'"))
            }
            Self::Function { function, args, .. } => {
                write!(f, "{}(", function.name)?;
                for (i, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(")")
            }
        }
    }
}

/// The first values of a list; a list of a million is not for reading.
fn in_values(f: &mut fmt::Formatter<'_>, values: &dyn Array) -> fmt::Result {
    const SHOWN: usize = 8;
    for row in 0..values.len().min(SHOWN) {
        let scalar = Scalar::from_array(values, row).unwrap_or(Scalar::Null(SqlType::Null));
        f.write_str(if row == 0 { "" } else { ", " })?;
        literal(f, &scalar)?;
    }
    match values.len().checked_sub(SHOWN) {
        Some(more) if more > 0 => write!(f, ", ... {more} more"),
        _ => Ok(()),
    }
}
