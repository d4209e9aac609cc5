//! What can go wrong while expressions and operators run.

/// A failure of evaluating an expression on values.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum EvalError {
    /// Division or remainder by zero.
    #[error("division by zero")]
    DivisionByZero,
    /// A result does not fit its type.
    #[error("{operation} is out of range for type {ty}")]
    OutOfRange {
        /// The operation, with its operands where known (`9223372036854775807 + 1`).
        operation: String,
        /// The type that cannot hold the result.
        ty: String,
    },
    /// A sequence has no number left.
    #[error("sequence \"{sequence}\" has reached its end ({bound})")]
    SequenceEnd {
        /// The sequence.
        sequence: String,
        /// Its last number.
        bound: i64,
    },
    /// The session has taken no number of a sequence.
    #[error("sequence \"{sequence}\" has given no number in this session")]
    SequenceUnused {
        /// The sequence.
        sequence: String,
    },
    /// A value cannot be converted.
    #[error("cannot convert {value} from {from} to {to}")]
    InvalidCast {
        /// The value as text.
        value: String,
        /// Source type.
        from: String,
        /// Target type.
        to: String,
    },
    /// A value is not of the type of the column that it should go into.
    #[error("column \"{column}\" of table \"{table}\" is {ty} and cannot hold {value}")]
    ColumnType {
        /// The table.
        table: String,
        /// The column.
        column: String,
        /// Its type.
        ty: String,
        /// The value as text.
        value: String,
    },
    /// A function got an argument outside its domain.
    #[error("invalid argument for {function}: {detail}")]
    InvalidArgument {
        /// The function.
        function: &'static str,
        /// What is wrong with the argument.
        detail: String,
    },
    /// The program of a trigger called RAISE.
    #[error("{message}")]
    Raised {
        /// What becomes of the statement and its transaction.
        action: RaiseAction,
        /// The words of the call.
        message: String,
    },
    /// The distance of a window frame's bound is NULL or negative.
    #[error("frame {bound} offset must not be {}", if *is_null { "null" } else { "negative" })]
    FrameOffset {
        /// `starting` or `ending`.
        bound: &'static str,
        /// NULL; else negative.
        is_null: bool,
    },
    /// A number of buckets or of a row that is less than one.
    #[error("argument of {function} must be greater than zero")]
    WindowArgument {
        /// `ntile` or `nth_value`.
        function: &'static str,
    },
}

/// What RAISE does besides ending the program of its trigger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum RaiseAction {
    /// The change of the row is left out, and the statement goes on with the next one.
    Ignore,
    /// The statement fails and leaves no trace.
    Abort,
    /// The statement fails; what it did before stays.
    Fail,
    /// The statement fails and its transaction is rolled back.
    Rollback,
}

impl EvalError {
    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::DivisionByZero => "22012",
            Self::OutOfRange { .. } => "22003",
            Self::SequenceEnd { .. } => "2200H",
            Self::SequenceUnused { .. } => "55000",
            Self::InvalidCast { .. } | Self::ColumnType { .. } => "22P02",
            Self::InvalidArgument { .. } => "22023",
            Self::Raised { .. } => "P0001",
            Self::FrameOffset { is_null: true, .. } => "22004",
            Self::FrameOffset { is_null: false, .. } => "22013",
            Self::WindowArgument { function: "ntile" } => "22014",
            Self::WindowArgument { .. } => "22016",
        }
    }
}

/// A failure of running a plan.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ExecError {
    /// The statement was interrupted.
    #[error("the statement was cancelled")]
    Cancelled,
    /// The statement took longer than its session allows.
    #[error("the statement was cancelled after {limit_ms} ms, the statement_timeout")]
    Timeout {
        /// The setting.
        limit_ms: u64,
    },
    /// An operator needs more memory than the engine's budget.
    #[error("{operator} needs {needed_bytes} bytes, over the memory limit of {limit_bytes}")]
    MemoryLimit {
        /// The operator.
        operator: &'static str,
        /// Bytes it would hold.
        needed_bytes: u64,
        /// The budget.
        limit_bytes: u64,
    },
    /// An operator needs more room in temporary files than it may take.
    #[error(
        "{operator} needs {needed_bytes} bytes of temporary files, over the limit of {limit_bytes}"
    )]
    TempLimit {
        /// The operator.
        operator: &'static str,
        /// Bytes that all temporary files would take.
        needed_bytes: u64,
        /// The limit.
        limit_bytes: u64,
    },
    /// A temporary file cannot be made, written or read.
    #[error("a temporary file of {operator} in \"{directory}\" failed: {detail}")]
    TempFile {
        /// The operator.
        operator: &'static str,
        /// Where the file is.
        directory: String,
        /// True where the disk is full.
        is_full: bool,
        /// What the system says.
        detail: String,
    },
    /// A scalar subquery gave more than one row.
    #[error("a subquery used as an expression returned more than one row")]
    TooManyRows,
    /// MERGE met a row of its target with several rows of its source that change it.
    #[error(
        "MERGE cannot affect the same target row more than once: a row of \"{table}\" matches several of the source"
    )]
    MergedTwice {
        /// The target.
        table: String,
    },
    /// Triggers set off triggers, and these others.
    #[error("triggers are nested more than {limit} deep")]
    TriggerDepth {
        /// How deep they may be.
        limit: usize,
    },
    /// The consumer of a result went away, or a worker thread ended without a result.
    #[error("the execution of {operator} ended early")]
    Disconnected {
        /// The operator.
        operator: &'static str,
    },
}

impl ExecError {
    pub(crate) fn sqlstate(&self) -> &'static str {
        match self {
            Self::Cancelled | Self::Timeout { .. } => "57014",
            Self::MemoryLimit { .. } => "53200",
            Self::TempLimit { .. } | Self::TempFile { is_full: true, .. } => "53100",
            Self::TempFile { .. } => "58030",
            Self::TooManyRows | Self::MergedTwice { .. } => "21000",
            Self::TriggerDepth { .. } => "54001",
            Self::Disconnected { .. } => "XX000",
        }
    }
}
