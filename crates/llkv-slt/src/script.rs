//! What a sqllogictest file says, as a tree of records and directives.

use std::ops::Range;
use std::path::PathBuf;
use std::time::Duration;

/// A file, read.
#[derive(Debug, Clone, PartialEq)]
pub struct Script {
    /// Where it came from.
    pub path: PathBuf,
    /// Records and directives, in order.
    pub nodes: Vec<Node>,
}

/// A record or a directive, with the conditions that stand before it.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// Line of the record's head, from one.
    pub line: usize,
    /// `skipif` and `onlyif` lines: all must let it pass.
    pub conditions: Vec<Condition>,
    /// What it is.
    pub kind: NodeKind,
}

/// `skipif` or `onlyif`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Condition {
    /// True for `skipif`.
    pub skip: bool,
    /// What is looked at.
    pub test: ConditionTest,
}

/// What a condition looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConditionTest {
    /// The name of the database.
    Name(String),
    /// A loop variable compared with a value: numbers as numbers, else as text.
    Variable {
        /// The variable's name.
        name: String,
        /// The comparison.
        operator: Comparison,
        /// The right-hand side.
        value: String,
    },
}

/// A comparison of a condition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

/// A record or a directive.
#[derive(Debug, Clone, PartialEq)]
pub enum NodeKind {
    /// `statement ok|error|maybe`
    Statement(StatementRecord),
    /// `query`
    Query(QueryRecord),
    /// `loop`, `foreach`, `concurrentloop`, `concurrentforeach`
    Loop(LoopDirective),
    /// `hash-threshold N`
    HashThreshold(usize),
    /// `halt`: the rest of the file is not run.
    Halt,
    /// `load [path] [readonly]`: opens another database in place of the present one.
    Load {
        /// The file, or the memory.
        path: Option<String>,
        /// Opened for reading only.
        read_only: bool,
    },
    /// `restart`: closes and opens the database again.
    Restart,
    /// `reconnect`: a new default connection.
    Reconnect,
    /// `require NAME [ARGUMENT ...]`: the rest of the file is skipped where it is not provided.
    Require(Vec<String>),
    /// `require-env NAME [VALUE]`
    RequireEnv {
        /// The environment variable.
        name: String,
        /// The value it must have; any when absent.
        value: Option<String>,
    },
    /// `test-env NAME VALUE`: a variable with a default.
    TestEnv {
        /// The variable.
        name: String,
        /// Its value where the environment sets none.
        value: String,
    },
    /// `mode skip`, `mode unskip`
    Skip(bool),
    /// `sleep N unit`
    Sleep(Duration),
    /// `reset label NAME`: forgets the label's result.
    ResetLabel(String),
    /// A directive that is known and does nothing here (`tags`, `mode output_hash` ...).
    Ignored,
    /// A directive that is known and not offered: the rest of the file is skipped.
    Unsupported(String),
}

/// What a statement must do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// Succeed.
    Ok,
    /// Fail.
    Error,
    /// Either.
    Maybe,
}

/// A `statement` record.
#[derive(Debug, Clone, PartialEq)]
pub struct StatementRecord {
    /// What it must do.
    pub expectation: Expectation,
    /// The connection it runs on, the default one when absent.
    pub connection: Option<String>,
    /// The SQL text; may hold several statements.
    pub sql: String,
    /// Text that the error must contain, or a `<REGEX>:` it must match.
    pub error: Option<String>,
    /// Lines of [`Self::error`] in the file, from zero.
    pub error_lines: Range<usize>,
}

/// How a result is ordered before it is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum SortMode {
    /// As it came.
    #[default]
    None,
    /// Rows as texts.
    Rows,
    /// Values as texts, wherever they stood.
    Values,
}

/// A `query` record.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryRecord {
    /// A letter for each column.
    pub types: String,
    /// How the result is ordered before it is compared.
    pub sort: SortMode,
    /// The connection it runs on, the default one when absent.
    pub connection: Option<String>,
    /// Results under one label must agree.
    pub label: Option<String>,
    /// The SQL text.
    pub sql: String,
    /// The lines after `----`; none when there is no such line, and then the query only has to run.
    pub expected: Option<Vec<String>>,
    /// Lines of [`Self::expected`] in the file, from zero; empty at the place where it would stand.
    pub expected_lines: Range<usize>,
    /// There is a `----`.
    pub has_dashes: bool,
}

/// A loop over records.
#[derive(Debug, Clone, PartialEq)]
pub struct LoopDirective {
    /// What it runs over.
    pub source: LoopSource,
    /// Each iteration on a thread and a connection of its own.
    pub concurrent: bool,
    /// The records.
    pub body: Vec<Node>,
}

/// What a loop runs over; texts may name outer variables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LoopSource {
    /// `loop VAR START END`: END is not part of it.
    Range {
        /// The variable.
        variable: String,
        /// The first value.
        start: String,
        /// The first value that is no longer part.
        end: String,
    },
    /// `foreach VAR[,VAR ...] VALUE ...`
    Each {
        /// The variables; with more than one, each value is as many parts between commas.
        variables: Vec<String>,
        /// Values and named collections such as `<numeric>`.
        values: Vec<String>,
    },
}

impl Script {
    /// Records (statements and queries) as written, each counted once however often a loop runs it.
    #[must_use]
    pub fn record_count(&self) -> usize {
        count(&self.nodes)
    }

    /// True when the file closes and opens its database itself.
    #[must_use]
    pub fn has_restart(&self) -> bool {
        any(&self.nodes, &|kind| matches!(kind, NodeKind::Restart))
    }

    /// True when the file says which database it opens.
    #[must_use]
    pub fn has_load(&self) -> bool {
        any(&self.nodes, &|kind| matches!(kind, NodeKind::Load { .. }))
    }
}

fn count(nodes: &[Node]) -> usize {
    nodes
        .iter()
        .map(|node| match &node.kind {
            NodeKind::Statement(_) | NodeKind::Query(_) => 1,
            NodeKind::Loop(inner) => count(&inner.body),
            _ => 0,
        })
        .sum()
}

fn any(nodes: &[Node], test: &dyn Fn(&NodeKind) -> bool) -> bool {
    nodes.iter().any(|node| match &node.kind {
        NodeKind::Loop(inner) => any(&inner.body, test),
        kind => test(kind),
    })
}
