//! Window calls: values computed for each row from rows near it.

use crate::{AggregateExpr, Expr};
use llkv_types::SqlType;
use std::fmt;

/// The functions that exist as window functions only. Aggregates are window functions too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum WindowFunction {
    /// `row_number()`: 1, 2, 3 ... within the partition.
    RowNumber,
    /// `rank()`: the row number of the first peer.
    Rank,
    /// `dense_rank()`: the number of the peer group.
    DenseRank,
    /// `percent_rank()`: `(rank - 1) / (rows - 1)`, 0 in a partition of one row.
    PercentRank,
    /// `cume_dist()`: the part of the partition's rows up to the last peer.
    CumeDist,
    /// `ntile(n)`: the number of the row's bucket of `n` buckets of nearly equal size.
    Ntile,
    /// `lag(x, offset, default)`: x of the row `offset` rows before.
    Lag,
    /// `lead(x, offset, default)`: x of the row `offset` rows after.
    Lead,
    /// `first_value(x)`: x of the frame's first row.
    FirstValue,
    /// `last_value(x)`: x of the frame's last row.
    LastValue,
    /// `nth_value(x, n)`: x of the frame's n-th row.
    NthValue,
}

/// What the page of functions says of a window function.
#[derive(Debug, Clone, Copy)]
pub struct WindowDocumentation {
    /// How it is called.
    pub usage: &'static str,
    /// What it gives.
    pub description: &'static str,
    /// What may stand behind SELECT, and the values that it gives.
    pub example: (&'static str, &'static str),
}

impl WindowFunction {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::RowNumber,
        Self::Rank,
        Self::DenseRank,
        Self::PercentRank,
        Self::CumeDist,
        Self::Ntile,
        Self::Lag,
        Self::Lead,
        Self::FirstValue,
        Self::LastValue,
        Self::NthValue,
    ];

    /// Its SQL name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::RowNumber => "row_number",
            Self::Rank => "rank",
            Self::DenseRank => "dense_rank",
            Self::PercentRank => "percent_rank",
            Self::CumeDist => "cume_dist",
            Self::Ntile => "ntile",
            Self::Lag => "lag",
            Self::Lead => "lead",
            Self::FirstValue => "first_value",
            Self::LastValue => "last_value",
            Self::NthValue => "nth_value",
        }
    }

    /// How it is called, what it gives, and an example with its result.
    #[must_use]
    pub const fn documentation(self) -> WindowDocumentation {
        let (usage, description, example) = match self {
            Self::RowNumber => (
                "row_number() OVER (...)",
                "1, 2, 3 ... within the partition.",
                (
                    "row_number() OVER (ORDER BY x) FROM (VALUES (5), (5), (7)) t(x)",
                    "1, 2, 3",
                ),
            ),
            Self::Rank => (
                "rank() OVER (...)",
                "The row number of the first row that is equal in the order.",
                (
                    "rank() OVER (ORDER BY x) FROM (VALUES (5), (5), (7)) t(x)",
                    "1, 1, 3",
                ),
            ),
            Self::DenseRank => (
                "dense_rank() OVER (...)",
                "The rank, without gaps after equal rows.",
                (
                    "dense_rank() OVER (ORDER BY x) FROM (VALUES (5), (5), (7)) t(x)",
                    "1, 1, 2",
                ),
            ),
            Self::PercentRank => (
                "percent_rank() OVER (...)",
                "The rank as a part of the partition, from 0 to 1.",
                (
                    "percent_rank() OVER (ORDER BY x) FROM (VALUES (5), (6), (7)) t(x)",
                    "0.0, 0.5, 1.0",
                ),
            ),
            Self::CumeDist => (
                "cume_dist() OVER (...)",
                "The part of the partition's rows that are not behind the row.",
                (
                    "cume_dist() OVER (ORDER BY x) FROM (VALUES (5), (7)) t(x)",
                    "0.5, 1.0",
                ),
            ),
            Self::Ntile => (
                "ntile(n) OVER (...)",
                "The number of the row's bucket, of n buckets of nearly equal size.",
                (
                    "ntile(2) OVER (ORDER BY x) FROM (VALUES (5), (6), (7)) t(x)",
                    "1, 1, 2",
                ),
            ),
            Self::Lag => (
                "lag(x [, offset [, default]]) OVER (...)",
                "x of the row so many rows before: of the one before, where no offset is given.",
                (
                    "lag(x, 1, 0) OVER (ORDER BY x) FROM (VALUES (5), (6), (7)) t(x)",
                    "0, 5, 6",
                ),
            ),
            Self::Lead => (
                "lead(x [, offset [, default]]) OVER (...)",
                "x of the row so many rows after: of the next one, where no offset is given.",
                (
                    "lead(x, 1, 0) OVER (ORDER BY x) FROM (VALUES (5), (6), (7)) t(x)",
                    "6, 7, 0",
                ),
            ),
            Self::FirstValue => (
                "first_value(x) OVER (...)",
                "x of the frame's first row.",
                (
                    "first_value(x) OVER (ORDER BY x) FROM (VALUES (5), (7)) t(x)",
                    "5, 5",
                ),
            ),
            Self::LastValue => (
                "last_value(x) OVER (...)",
                "x of the frame's last row, which is the row itself and its equals where no frame is given.",
                (
                    "last_value(x) OVER (ORDER BY x) FROM (VALUES (5), (7)) t(x)",
                    "5, 7",
                ),
            ),
            Self::NthValue => (
                "nth_value(x, n) OVER (...)",
                "x of the frame's n-th row; NULL where it has fewer.",
                (
                    "nth_value(x, 2) OVER (ORDER BY x) FROM (VALUES (5), (7)) t(x)",
                    "NULL, 7",
                ),
            ),
        };
        WindowDocumentation {
            usage,
            description,
            example,
        }
    }

    /// The least and the greatest number of arguments.
    #[must_use]
    pub const fn arity(self) -> (usize, usize) {
        match self {
            Self::RowNumber | Self::Rank | Self::DenseRank | Self::PercentRank | Self::CumeDist => {
                (0, 0)
            }
            Self::Ntile | Self::FirstValue | Self::LastValue => (1, 1),
            Self::Lag | Self::Lead => (1, 3),
            Self::NthValue => (2, 2),
        }
    }

    /// True where the value depends on the frame; the others look at the whole partition.
    #[must_use]
    pub const fn uses_frame(self) -> bool {
        matches!(self, Self::FirstValue | Self::LastValue | Self::NthValue)
    }

    /// True for the functions that read values of other rows and may pass over NULLs.
    #[must_use]
    pub const fn takes_null_treatment(self) -> bool {
        matches!(
            self,
            Self::FirstValue | Self::LastValue | Self::NthValue | Self::Lag | Self::Lead
        )
    }
}

/// What is computed.
#[derive(Debug, Clone, PartialEq)]
pub enum WindowCall {
    /// An aggregate over the rows of the frame.
    Aggregate(AggregateExpr),
    /// A function of [`WindowFunction`].
    Function {
        /// Which.
        function: WindowFunction,
        /// Arguments.
        args: Vec<Expr>,
        /// IGNORE NULLS: rows whose first argument is NULL are passed over.
        ignore_nulls: bool,
        /// Type of the result.
        ty: SqlType,
    },
}

impl WindowCall {
    /// Type of the result.
    #[must_use]
    pub const fn ty(&self) -> SqlType {
        match self {
            Self::Aggregate(call) => call.ty,
            Self::Function { ty, .. } => *ty,
        }
    }
}

/// What a bound of a frame counts in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameUnit {
    /// Rows.
    Rows,
    /// Distances of the only key of ORDER BY; CURRENT ROW means the row's peers.
    Range,
    /// Groups of peers.
    Groups,
}

impl FrameUnit {
    /// Its SQL name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rows => "ROWS",
            Self::Range => "RANGE",
            Self::Groups => "GROUPS",
        }
    }
}

/// How far a bound is from the current row.
#[derive(Debug, Clone, PartialEq)]
pub struct FrameOffset {
    /// The distance: BIGINT for ROWS and GROUPS; for RANGE as the key takes it.
    pub distance: Expr,
    /// For RANGE: the bound itself, which is the key with the distance added or subtracted, of the type of
    /// [`RangeKey::expr`].
    pub bound: Option<Expr>,
}

/// One end of a frame.
#[derive(Debug, Clone, PartialEq)]
pub enum FrameBound {
    /// The partition's first row, or its last for the frame's end.
    Unbounded,
    /// The current row, or its peers.
    CurrentRow,
    /// So far before it.
    Preceding(FrameOffset),
    /// So far after it.
    Following(FrameOffset),
}

/// Rows near the current one that the frame leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FrameExclusion {
    /// None.
    NoOthers,
    /// The current row.
    CurrentRow,
    /// The current row and its peers.
    Group,
    /// The current row's peers, but not itself.
    Ties,
}

/// What RANGE measures distances of.
#[derive(Debug, Clone, PartialEq)]
pub struct RangeKey {
    /// The key of ORDER BY, in a type that distances can be added to without loss.
    pub expr: Expr,
    /// DESC.
    pub descending: bool,
    /// NULLS FIRST.
    pub nulls_first: bool,
}

/// The rows that a window call sees.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowFrame {
    /// What the bounds count in.
    pub unit: FrameUnit,
    /// First row.
    pub start: FrameBound,
    /// Last row.
    pub end: FrameBound,
    /// Rows left out.
    pub exclusion: FrameExclusion,
    /// Where a bound of a RANGE frame has a distance.
    pub range_key: Option<RangeKey>,
}

impl WindowFrame {
    /// `RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW`: the frame where none is given. Without ORDER BY
    /// all rows of the partition are peers.
    #[must_use]
    pub const fn running() -> Self {
        Self {
            unit: FrameUnit::Range,
            start: FrameBound::Unbounded,
            end: FrameBound::CurrentRow,
            exclusion: FrameExclusion::NoOthers,
            range_key: None,
        }
    }

    fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let bounds = [&self.start, &self.end].into_iter().flat_map(|b| match b {
            FrameBound::Preceding(offset) | FrameBound::Following(offset) => {
                vec![Some(&offset.distance), offset.bound.as_ref()]
            }
            FrameBound::Unbounded | FrameBound::CurrentRow => vec![],
        });
        let key = self.range_key.as_ref().map(|key| &key.expr);
        bounds.flatten().chain(key)
    }

    fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        for bound in [&mut self.start, &mut self.end] {
            if let FrameBound::Preceding(offset) | FrameBound::Following(offset) = bound {
                f(&mut offset.distance);
                offset.bound.iter_mut().for_each(&mut *f);
            }
        }
        self.range_key.iter_mut().for_each(|key| f(&mut key.expr));
    }
}

/// A call over a window whose partitions and order the node around it knows.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowExpr {
    /// What is computed.
    pub call: WindowCall,
    /// How many of the node's sort keys, from the first, make rows peers: a window that is ordered by fewer
    /// keys shares the sort of one that is ordered by more.
    pub peer_keys: usize,
    /// The rows seen.
    pub frame: WindowFrame,
}

impl WindowExpr {
    /// The expressions of the call and its frame.
    pub fn exprs(&self) -> impl Iterator<Item = &Expr> {
        let (args, aggregate) = match &self.call {
            WindowCall::Aggregate(call) => (&call.args, Some(call)),
            WindowCall::Function { args, .. } => (args, None),
        };
        let filter = aggregate.and_then(|call| call.filter.as_ref());
        let order = aggregate
            .into_iter()
            .flat_map(|call| call.order_by.iter().map(|key| &key.expr));
        args.iter()
            .chain(filter)
            .chain(order)
            .chain(self.frame.exprs())
    }

    /// Calls `f` with each expression of the call and its frame, for change in place.
    pub fn for_each_expr_mut(&mut self, f: &mut dyn FnMut(&mut Expr)) {
        match &mut self.call {
            WindowCall::Aggregate(call) => {
                call.args.iter_mut().for_each(&mut *f);
                call.filter.iter_mut().for_each(&mut *f);
                call.order_by.iter_mut().for_each(|key| f(&mut key.expr));
            }
            WindowCall::Function { args, .. } => args.iter_mut().for_each(&mut *f),
        }
        self.frame.for_each_expr_mut(f);
    }
}

impl fmt::Display for FrameExclusion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoOthers => "",
            Self::CurrentRow => " EXCLUDE CURRENT ROW",
            Self::Group => " EXCLUDE GROUP",
            Self::Ties => " EXCLUDE TIES",
        })
    }
}

impl fmt::Display for WindowFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bound = |bound: &FrameBound, unbounded: &str| match bound {
            FrameBound::Unbounded => format!("UNBOUNDED {unbounded}"),
            FrameBound::CurrentRow => "CURRENT ROW".into(),
            FrameBound::Preceding(offset) => format!("{} PRECEDING", offset.distance),
            FrameBound::Following(offset) => format!("{} FOLLOWING", offset.distance),
        };
        write!(
            f,
            "{} {} TO {}{}",
            self.unit.name(),
            bound(&self.start, "PRECEDING"),
            bound(&self.end, "FOLLOWING"),
            self.exclusion
        )
    }
}

impl fmt::Display for WindowCall {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Aggregate(call) => write!(f, "{call}"),
            Self::Function {
                function,
                args,
                ignore_nulls,
                ..
            } => {
                write!(f, "{}(", function.name())?;
                for (i, arg) in args.iter().enumerate() {
                    write!(f, "{}{arg}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str(if *ignore_nulls { ") IGNORE NULLS" } else { ")" })
            }
        }
    }
}

impl fmt::Display for WindowExpr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.call)?;
        let framed = match &self.call {
            WindowCall::Aggregate(_) => true,
            WindowCall::Function { function, .. } => function.uses_frame(),
        };
        if framed && self.frame != WindowFrame::running() {
            write!(f, " {}", self.frame)?;
        }
        Ok(())
    }
}
