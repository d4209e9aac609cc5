//! Names of result columns.

use crate::text::{exclusion_of, readable};
use sqlparser::ast;
use std::fmt::{self, Write};
use std::sync::Arc;

/// Longer names are cut: a column may be an IN list of a million elements.
const LONGEST_NAME_BYTES: usize = 120;

/// The name of an unnamed result column: the column's own name, or the text of the expression.
pub(super) fn name_of(expr: &ast::Expr) -> Arc<str> {
    match expr {
        ast::Expr::Identifier(name) => name.value.as_str().into(),
        ast::Expr::CompoundIdentifier(parts) => {
            parts.last().map_or("", |part| part.value.as_str()).into()
        }
        ast::Expr::Nested(inner) if !matches!(**inner, ast::Expr::Nested(_)) => name_of(inner),
        other => {
            let mut text = Cut::new();
            // The only error is that the text was cut.
            let _ = write_expr(&mut text, other);
            text.as_str().into()
        }
    }
}

/// Writes what `Display` writes. The nodes that most names are made of are written at once: names are made for every
/// statement, and the library's way takes several times as long.
fn write_expr(text: &mut Cut, expr: &ast::Expr) -> fmt::Result {
    match expr {
        ast::Expr::Identifier(name) if name.quote_style.is_none() => text.write_str(&name.value),
        ast::Expr::Value(ast::ValueWithSpan {
            value: ast::Value::Number(digits, false),
            ..
        }) => text.write_str(digits),
        ast::Expr::Nested(inner) => {
            text.write_str("(")?;
            write_expr(text, inner)?;
            text.write_str(")")
        }
        ast::Expr::UnaryOp {
            op:
                op @ (ast::UnaryOperator::Minus | ast::UnaryOperator::Plus | ast::UnaryOperator::Not),
            expr,
        } => {
            let sign = match op {
                ast::UnaryOperator::Minus => "-",
                ast::UnaryOperator::Plus => "+",
                _ => "NOT ",
            };
            text.write_str(sign)?;
            write_expr(text, expr)
        }
        ast::Expr::Cast {
            kind: ast::CastKind::Cast,
            expr,
            data_type,
            format: None,
        } => {
            text.write_str("CAST(")?;
            write_expr(text, expr)?;
            write!(text, " AS {data_type})")
        }
        ast::Expr::Function(call) => write_call(text, call),
        ast::Expr::BinaryOp { left, op, right } => {
            write_expr(text, left)?;
            match op {
                ast::BinaryOperator::Plus => text.write_str(" + ")?,
                ast::BinaryOperator::Minus => text.write_str(" - ")?,
                ast::BinaryOperator::Multiply => text.write_str(" * ")?,
                other => write!(text, " {other} ")?,
            }
            write_expr(text, right)
        }
        ast::Expr::Case {
            operand,
            conditions,
            else_result,
            ..
        } => write_case(text, operand.as_deref(), conditions, else_result.as_deref()),
        other => write!(text, "{other}"),
    }
}

/// Writes a call; one with more than arguments between its parentheses in the library's way.
fn write_call(text: &mut Cut, call: &ast::Function) -> fmt::Result {
    if let Some(ast::WindowType::WindowSpec(window)) = &call.over
        && let Some(key) = window.order_by.last()
        && exclusion_of(&key.expr).is_some()
    {
        return text.write_str(&readable(call.to_string()));
    }
    let list = match &call.args {
        ast::FunctionArguments::List(list)
            if list.clauses.is_empty()
                && call.filter.is_none()
                && call.over.is_none()
                && call.null_treatment.is_none()
                && call.within_group.is_empty()
                && matches!(call.parameters, ast::FunctionArguments::None)
                && !call.uses_odbc_syntax =>
        {
            list
        }
        _ => return write!(text, "{call}"),
    };
    match call.name.0.as_slice() {
        [ast::ObjectNamePart::Identifier(name)] if name.quote_style.is_none() => {
            text.write_str(&name.value)?;
        }
        _ => write!(text, "{}", call.name)?,
    }
    text.write_str("(")?;
    match list.duplicate_treatment {
        None => {}
        Some(ast::DuplicateTreatment::Distinct) => text.write_str("DISTINCT ")?,
        Some(ast::DuplicateTreatment::All) => text.write_str("ALL ")?,
    }
    for (at, arg) in list.args.iter().enumerate() {
        if at > 0 {
            text.write_str(", ")?;
        }
        match arg {
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Expr(expr)) => write_expr(text, expr)?,
            ast::FunctionArg::Unnamed(ast::FunctionArgExpr::Wildcard) => text.write_str("*")?,
            other => write!(text, "{other}")?,
        }
    }
    text.write_str(")")
}

fn write_case(
    text: &mut Cut,
    operand: Option<&ast::Expr>,
    conditions: &[ast::CaseWhen],
    otherwise: Option<&ast::Expr>,
) -> fmt::Result {
    text.write_str("CASE")?;
    if let Some(operand) = operand {
        text.write_str(" ")?;
        write_expr(text, operand)?;
    }
    for when in conditions {
        text.write_str(" WHEN ")?;
        write_expr(text, &when.condition)?;
        text.write_str(" THEN ")?;
        write_expr(text, &when.result)?;
    }
    if let Some(otherwise) = otherwise {
        text.write_str(" ELSE ")?;
        write_expr(text, otherwise)?;
    }
    text.write_str(" END")
}

/// The text of a call, cut where it becomes too long to read.
pub(super) fn text_of_call(call: &ast::Function) -> Arc<str> {
    let mut text = Cut::new();
    // The only error is that the text was cut.
    let _ = write_call(&mut text, call);
    text.as_str().into()
}

/// The text of a node, cut where it becomes too long to read.
pub(super) fn text_of_node(node: &impl fmt::Display) -> String {
    let mut text = Cut::new();
    // The only error is that the text was cut.
    let _ = write!(text, "{node}");
    text.as_str().to_owned()
}

/// What stands in the place of the rest of a name that was cut.
const ELLIPSIS: &str = "...";

/// A text up to where it is cut, without an allocation until it is whole.
struct Cut {
    bytes: [u8; LONGEST_NAME_BYTES + ELLIPSIS.len()],
    len: usize,
}

impl Cut {
    const fn new() -> Self {
        Self {
            bytes: [0; LONGEST_NAME_BYTES + ELLIPSIS.len()],
            len: 0,
        }
    }

    fn as_str(&self) -> &str {
        let written = self.bytes.get(..self.len).unwrap_or_default();
        std::str::from_utf8(written).unwrap_or_default()
    }

    #[inline]
    fn push(&mut self, part: &str) -> fmt::Result {
        let end = self.len + part.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(fmt::Error)?;
        room.copy_from_slice(part.as_bytes());
        self.len = end;
        Ok(())
    }
}

impl Write for Cut {
    #[inline]
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = LONGEST_NAME_BYTES.saturating_sub(self.len);
        if part.len() <= room {
            return self.push(part);
        }
        self.push(&part[..part.floor_char_boundary(room)])?;
        self.push(ELLIPSIS)?;
        Err(fmt::Error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlparser::dialect::SQLiteDialect;
    use sqlparser::parser::Parser;

    #[test]
    fn names_are_what_display_writes() {
        for text in [
            "a + b * 2 - (c / d) % 3 || e",
            "CASE a + 1 WHEN b THEN 111 WHEN c THEN 222 ELSE 555 END",
            "CASE WHEN a < b AND c THEN 'x' END = \"q\" & 1",
            "- a + abs(b) * t.c",
            "- + 45 * - (+ a) / ~ b",
            "- count(*) + sum(DISTINCT - a) - max(ALL b, \"c\") * s.f() / g(x => 1)",
            "CAST(- a AS INTEGER) + CAST(b AS VARCHAR(3)) + NOT c AND NOT (d = 'it''s')",
            "count(*) FILTER (WHERE a) + sum(b) OVER (ORDER BY c) + total(d)",
            "a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + a + ab",
        ] {
            let mut parser = Parser::new(&SQLiteDialect {}).try_with_sql(text).unwrap();
            let expr = parser.parse_expr().unwrap();
            assert_eq!(*name_of(&expr), *text_of_node(&expr), "{text}");
        }
    }
}
