//! Where a node of the syntax tree stands.

use sqlparser::ast::{self, Spanned};
use sqlparser::tokenizer::{Span, TokenWithSpan};

/// A node that has a place in the text.
pub(super) trait Place {
    /// Its place; empty where the parser kept none.
    fn place(&self) -> Span;
}

macro_rules! spanned {
    ($($node:ty),* $(,)?) => {
        $(impl Place for $node {
            fn place(&self) -> Span {
                self.span()
            }
        })*
    };
}

spanned!(
    ast::Assignment,
    ast::Expr,
    ast::Function,
    ast::Join,
    ast::ObjectName,
    ast::Query,
    ast::SelectItem,
    ast::SetExpr,
    ast::Statement,
    ast::TableFactor,
    ast::TableObject,
    ast::TableWithJoins,
    ast::ValueWithSpan,
    ast::Values,
    ast::WildcardAdditionalOptions,
    ast::With,
);

impl Place for ast::Ident {
    fn place(&self) -> Span {
        self.span
    }
}

impl Place for TokenWithSpan {
    fn place(&self) -> Span {
        self.span
    }
}
