//! Visiting and rewriting expression trees.

use crate::{ColumnId, Expr, InList, Volatility};

impl Expr {
    /// Calls `f` on each direct operand.
    pub fn for_each_child<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        match self {
            Self::Column { .. } | Self::Literal(_) | Self::Parameter { .. } => {}
            Self::Unary { expr, .. } | Self::Cast { expr, .. } => f(expr),
            Self::Binary { left, right, .. } => {
                f(left);
                f(right);
            }
            Self::And(parts) | Self::Or(parts) => parts.iter().for_each(f),
            Self::Case {
                branches,
                otherwise,
                ..
            } => {
                for (condition, result) in branches {
                    f(condition);
                    f(result);
                }
                if let Some(otherwise) = otherwise {
                    f(otherwise);
                }
            }
            Self::InList { expr, list, .. } => {
                f(expr);
                if let InList::Exprs(items) = list {
                    items.iter().for_each(f);
                }
            }
            Self::Like { expr, pattern, .. } => {
                f(expr);
                f(pattern);
            }
            Self::Function { args, .. } => args.iter().for_each(f),
        }
    }

    /// Calls `f` on each direct operand, for change in place.
    pub fn for_each_child_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match self {
            Self::Column { .. } | Self::Literal(_) | Self::Parameter { .. } => {}
            Self::Unary { expr, .. } | Self::Cast { expr, .. } => f(expr),
            Self::Binary { left, right, .. } => {
                f(left);
                f(right);
            }
            Self::And(parts) | Self::Or(parts) => parts.iter_mut().for_each(f),
            Self::Case {
                branches,
                otherwise,
                ..
            } => {
                for (condition, result) in branches {
                    f(condition);
                    f(result);
                }
                if let Some(otherwise) = otherwise {
                    f(otherwise);
                }
            }
            Self::InList { expr, list, .. } => {
                f(expr);
                if let InList::Exprs(items) = list {
                    items.iter_mut().for_each(f);
                }
            }
            Self::Like { expr, pattern, .. } => {
                f(expr);
                f(pattern);
            }
            Self::Function { args, .. } => args.iter_mut().for_each(f),
        }
    }

    /// Calls `f` on the expression and everything below it, parents first.
    pub fn visit<'a>(&'a self, f: &mut dyn FnMut(&'a Expr)) {
        f(self);
        self.for_each_child(&mut |child| child.visit(f));
    }

    /// Rewrites the tree, operands first: `f` gets each node after its operands were rewritten.
    #[must_use]
    pub fn transform_up(mut self, f: &mut dyn FnMut(Expr) -> Expr) -> Expr {
        self.for_each_child_mut(&mut |child| {
            let taken = std::mem::replace(child, Expr::boolean(false));
            *child = taken.transform_up(f);
        });
        f(self)
    }

    /// Replaces each column by what `f` gives for it.
    #[must_use]
    pub fn map_columns(self, f: &mut dyn FnMut(ColumnId) -> Option<Expr>) -> Expr {
        self.transform_up(&mut |expr| match expr {
            Expr::Column { id, ty } => f(id).unwrap_or(Expr::Column { id, ty }),
            other => other,
        })
    }

    /// The columns that the expression reads, each as often as it stands there.
    pub fn columns(&self) -> impl Iterator<Item = ColumnId> + use<> {
        let mut ids = Vec::new();
        self.visit(&mut |expr| {
            if let Expr::Column { id, .. } = expr {
                ids.push(*id);
            }
        });
        ids.into_iter()
    }

    /// True where evaluating it again may give another value, in the same row.
    #[must_use]
    pub fn is_volatile(&self) -> bool {
        let is_own = matches!(
            self,
            Expr::Function { function, .. } if function.volatility == Volatility::Volatile
        );
        let mut volatile = is_own;
        if !is_own {
            self.for_each_child(&mut |child| volatile = volatile || child.is_volatile());
        }
        volatile
    }

    /// True where the value depends on neither a row nor the time: constants, parameters excepted.
    #[must_use]
    pub fn is_constant(&self) -> bool {
        let mut constant = true;
        self.visit(&mut |expr| match expr {
            Expr::Column { .. } | Expr::Parameter { .. } => constant = false,
            Expr::Function { function, .. } if function.volatility != Volatility::Immutable => {
                constant = false;
            }
            _ => {}
        });
        constant
    }
}
