//! Calls with a grammar of their own: `EXTRACT(part FROM x)`, `OVERLAY(x PLACING y FROM 1)`, ...

use super::Binder;
use crate::SqlDialect;
use llkv_expr::{Expr, UnaryOp};
use llkv_result::Result;
use llkv_types::Scalar;
use sqlparser::ast;

impl Binder<'_> {
    /// EXTRACT, SUBSTRING, POSITION, OVERLAY, TRIM, CEIL, FLOOR, SIMILAR TO: calls with a grammar of their own.
    pub(super) fn bind_special_call(&mut self, node: &ast::Expr) -> Option<Result<Expr>> {
        use ast::Expr as E;
        Some(match node {
            E::Extract { field, expr, .. } => self.bind_extract(&field.to_string(), expr, node),
            E::Substring {
                expr,
                substring_from,
                substring_for,
                ..
            } => {
                let from = substring_from.as_deref();
                if let (Some(pattern), None) = (from, substring_for)
                    && is_text_literal(pattern)
                    && self.function("regexp_part").is_some()
                {
                    return Some(self.bind_call(
                        "regexp_part",
                        [Some(expr.as_ref()), from, None],
                        node,
                    ));
                }
                let first = ast::Expr::Value(ast::Value::Number("1".into(), false).into());
                let from = from.or(substring_for.as_deref().map(|_| &first));
                self.bind_call(
                    "substr",
                    [Some(expr.as_ref()), from, substring_for.as_deref()],
                    node,
                )
            }
            E::Position { expr, r#in } => self.bind_call(
                "strpos",
                [Some(r#in.as_ref()), Some(expr.as_ref()), None],
                node,
            ),
            E::Ceil {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => self.bind_call("ceil", [Some(expr.as_ref()), None, None], node),
            E::Floor {
                expr,
                field: ast::CeilFloorKind::DateTimeField(ast::DateTimeField::NoDateTime),
            } => self.bind_call("floor", [Some(expr.as_ref()), None, None], node),
            E::Trim {
                trim_where,
                trim_what,
                expr,
                trim_characters,
            } => {
                let what = trim_what.as_deref().or_else(|| {
                    trim_characters
                        .as_ref()
                        .and_then(|characters| characters.first())
                });
                if trim_characters
                    .as_ref()
                    .is_some_and(|given| given.len() > 1)
                {
                    return Some(
                        self.invalid("trim takes a text and the characters to take off", node),
                    );
                }
                let name = match trim_where {
                    None | Some(ast::TrimWhereField::Both) => "trim",
                    Some(ast::TrimWhereField::Leading) => "ltrim",
                    Some(ast::TrimWhereField::Trailing) => "rtrim",
                };
                self.bind_call(name, [Some(expr.as_ref()), what, None], node)
            }
            _ => return self.bind_placed_call(node),
        })
    }

    /// OVERLAY, AT TIME ZONE, SIMILAR TO, RLIKE: what stands between keywords, as the arguments of a call.
    fn bind_placed_call(&mut self, node: &ast::Expr) -> Option<Result<Expr>> {
        use ast::Expr as E;
        Some(match node {
            E::Overlay {
                expr,
                overlay_what,
                overlay_from,
                overlay_for,
            } => {
                let args = [Some(expr.as_ref()), Some(overlay_what), Some(overlay_from)];
                self.bind_call_of(
                    "overlay",
                    args.into_iter().chain([overlay_for.as_deref()]),
                    node,
                )
            }
            E::AtTimeZone {
                timestamp,
                time_zone,
            } => {
                let args = [Some(time_zone.as_ref()), Some(timestamp.as_ref()), None];
                self.bind_call("timezone", args, node)
            }
            E::SimilarTo {
                negated,
                expr,
                pattern,
                escape_char,
            } => self.bind_similar(*negated, expr, pattern, escape_char.as_deref(), node),
            E::RLike {
                negated,
                expr,
                pattern,
                ..
            } => {
                let args = [Some(expr.as_ref()), Some(pattern.as_ref()), None];
                let call = self.bind_call("regexp_matches", args, node);
                call.map(|call| negate(call, *negated))
            }
            _ => return None,
        })
    }

    /// `x [NOT] SIMILAR TO pattern [ESCAPE c]`
    fn bind_similar(
        &mut self,
        negated: bool,
        expr: &ast::Expr,
        pattern: &ast::Expr,
        escape: Option<&ast::Expr>,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let mut args = vec![self.bind_expr(expr)?, self.bind_expr(pattern)?];
        if let Some(escape) = escape {
            args.push(self.bind_expr(escape)?);
        }
        // In DuckDB it is another spelling of a regular expression that matches all of the text.
        let name = match self.dialect {
            crate::SqlDialect::DuckDb => "regexp_full_match",
            _ => "similar_to",
        };
        Ok(negate(self.call(name, args, node)?, negated))
    }

    fn bind_call(
        &mut self,
        name: &str,
        args: [Option<&ast::Expr>; 3],
        node: &ast::Expr,
    ) -> Result<Expr> {
        self.bind_call_of(name, args.into_iter(), node)
    }

    fn bind_call_of<'e>(
        &mut self,
        name: &str,
        args: impl Iterator<Item = Option<&'e ast::Expr>>,
        node: &ast::Expr,
    ) -> Result<Expr> {
        let args = args
            .flatten()
            .map(|arg| self.bind_expr(arg))
            .collect::<Result<Vec<Expr>>>()?;
        self.call(name, args, node)
    }

    fn bind_extract(&mut self, field: &str, expr: &ast::Expr, node: &ast::Expr) -> Result<Expr> {
        let field = field.trim_matches(['\'', '"']).to_ascii_lowercase();
        let value = self.bind_expr(expr)?;
        // A part that has a function of its own is a whole number there, which in PostgreSQL it is not.
        let has_fraction = ["second", "seconds", "millisecond", "milliseconds", "julian"];
        let is_whole = self.dialect != SqlDialect::Llkv || !has_fraction.contains(&field.as_str());
        if is_whole && self.function(&field).is_some() {
            return self.call(&field, vec![value], node);
        }
        self.call(
            "date_part",
            vec![Expr::Literal(Scalar::Text(field.into())), value],
            node,
        )
    }
}

fn negate(expr: Expr, negated: bool) -> Expr {
    if negated {
        Expr::unary(UnaryOp::Not, expr)
    } else {
        expr
    }
}

/// A pattern, not a position: `substring(x FROM 'pattern')`.
fn is_text_literal(expr: &ast::Expr) -> bool {
    matches!(expr, ast::Expr::Value(value)
        if matches!(value.value, ast::Value::SingleQuotedString(_) | ast::Value::EscapedStringLiteral(_)))
}
