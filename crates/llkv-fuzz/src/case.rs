//! One case: statements, and what must hold of each.

use crate::Dialect;
use std::fmt;

/// A statement and its check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    /// Must succeed.
    Setup(String),
    /// Must do what the reference does, be it an error.
    Change(String),
    /// A query: the same rows from the reference and under all settings.
    Compare {
        sql: String,
        /// Their order counts.
        is_ordered: bool,
    },
    /// Two queries that give the same rows in some order.
    Same {
        oracle: &'static str,
        left: String,
        right: String,
    },
}

/// A case.
#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) dialect: Dialect,
    pub(crate) steps: Vec<Step>,
    /// Texts that differ may be equal: a query may show any of them.
    pub(crate) collates: bool,
}

impl Case {
    pub(crate) const fn new(dialect: Dialect) -> Self {
        Self {
            dialect,
            steps: Vec::new(),
            collates: false,
        }
    }

    pub(crate) fn setup(&mut self, sql: String) {
        self.steps.push(Step::Setup(sql));
    }

    pub(crate) fn change(&mut self, sql: String) {
        self.steps.push(Step::Change(sql));
    }

    pub(crate) fn compare(&mut self, sql: String, is_ordered: bool) {
        self.steps.push(Step::Compare { sql, is_ordered });
    }

    pub(crate) fn same(&mut self, oracle: &'static str, left: String, right: String) {
        self.steps.push(Step::Same {
            oracle,
            left,
            right,
        });
    }

    /// Bytes of all its statements: what the shrinker makes less.
    pub(crate) fn size(&self) -> usize {
        self.steps.iter().map(Step::size).sum()
    }
}

impl Step {
    fn size(&self) -> usize {
        match self {
            Self::Setup(sql) | Self::Change(sql) | Self::Compare { sql, .. } => sql.len(),
            Self::Same { left, right, .. } => left.len() + right.len(),
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Setup(sql) | Self::Change(sql) | Self::Compare { sql, .. } => write!(f, "{sql};"),
            Self::Same {
                oracle,
                left,
                right,
            } => write!(f, "{left}; -- {oracle}\n{right};"),
        }
    }
}
