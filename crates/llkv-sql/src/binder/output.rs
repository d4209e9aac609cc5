//! Names of result columns.

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
        other => text_of_node(other).into(),
    }
}

/// The text of a node, cut where it becomes too long to read.
pub(super) fn text_of_node(node: &impl fmt::Display) -> String {
    let mut text = Cut(String::new());
    // The only error is that the text was cut.
    let _ = write!(text, "{node}");
    text.0
}

struct Cut(String);

impl Write for Cut {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let room = LONGEST_NAME_BYTES.saturating_sub(self.0.len());
        if part.len() <= room {
            self.0.push_str(part);
            return Ok(());
        }
        let mut end = room;
        while !part.is_char_boundary(end) {
            end -= 1;
        }
        self.0.push_str(&part[..end]);
        self.0.push_str("...");
        Err(fmt::Error)
    }
}
