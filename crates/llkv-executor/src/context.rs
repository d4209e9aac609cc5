//! What a query runs in: tables, threads, memory, cancellation.

use crate::progress::ProgressHook;
use crate::spill::{SpillSpace, Spiller};
use llkv_result::Result;
use llkv_table::TableHandle;
use llkv_types::{BATCH_ROWS, CancelToken, MemoryBudget, TableId};
use std::sync::{Arc, OnceLock};

/// Tables as one transaction sees them.
pub trait TableProvider: Send + Sync {
    /// A handle of a table: the version that the transaction sees.
    ///
    /// # Errors
    /// When there is no such table, or it cannot be read.
    fn table(&self, id: TableId) -> Result<TableHandle>;
}

/// The provider of a query that reads no tables.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoTables;

impl TableProvider for NoTables {
    fn table(&self, id: TableId) -> Result<TableHandle> {
        Err(llkv_result::Error::internal(format!(
            "table {id} asked of a context without tables"
        )))
    }
}

/// Everything a query needs besides its plan. Cheap to clone.
#[derive(Clone)]
pub struct ExecutionContext {
    /// Where scans find their tables.
    pub tables: Arc<dyn TableProvider>,
    /// Threads that one pipeline may use, the caller's included; at least 1.
    pub threads: usize,
    /// Budget of the operators that hold rows.
    pub memory: Arc<MemoryBudget>,
    /// Where operators put what is over the budget.
    pub spill: Arc<SpillSpace>,
    /// Operators spill whatever they hold, however much memory there is: for tests.
    pub spill_always: bool,
    /// Bytes that each worker of an operator may hold although the budget is used up.
    pub spill_grant_bytes: u64,
    /// Stops the query from outside.
    pub cancel: CancelToken,
    /// Who wants to know how far the query has come.
    pub progress: Option<ProgressHook>,
    /// Rows of a batch, at most; at least 1.
    pub batch_rows: usize,
    /// Operators note when they took part, for pictures of a query: [`crate::OperatorSpan`].
    pub notes_spans: bool,
    /// Estimated rows of a pipeline's sources under which it runs on the caller's thread alone.
    pub parallel_threshold_rows: u64,
}

/// The number of threads that the machine runs at once, asked for once: the answer lies in files of the
/// control group, whose reading takes longer than a small statement.
#[must_use]
pub fn machine_threads() -> usize {
    static THREADS: OnceLock<usize> = OnceLock::new();
    *THREADS.get_or_init(|| std::thread::available_parallelism().map_or(1, usize::from))
}

impl ExecutionContext {
    /// Rows under which handing work to another thread costs more than it saves: waking a thread takes
    /// some 50 microseconds, in which one thread moves about this many rows through a simple pipeline.
    pub const PARALLEL_THRESHOLD_ROWS: u64 = 32_768;

    /// A context over `tables` with all threads of the machine and no memory limit.
    #[must_use]
    pub fn new(tables: Arc<dyn TableProvider>) -> Self {
        let spill = SpillSpace::new(std::env::temp_dir());
        Self::within(tables, MemoryBudget::unlimited(), spill)
    }

    /// A context over `tables` with all threads of the machine, within a budget of memory and a place for what is
    /// over it.
    #[must_use]
    pub fn within(
        tables: Arc<dyn TableProvider>,
        memory: Arc<MemoryBudget>,
        spill: Arc<SpillSpace>,
    ) -> Self {
        Self {
            tables,
            threads: machine_threads(),
            memory,
            spill,
            spill_always: false,
            spill_grant_bytes: Spiller::GRANT_BYTES,
            cancel: CancelToken::new(),
            progress: None,
            batch_rows: BATCH_ROWS,
            notes_spans: false,
            parallel_threshold_rows: Self::PARALLEL_THRESHOLD_ROWS,
        }
    }

    /// A context for plans that read no tables.
    #[must_use]
    pub fn without_tables() -> Self {
        Self::new(Arc::new(NoTables))
    }

    /// The same with another number of threads.
    #[must_use]
    pub fn with_threads(mut self, threads: usize) -> Self {
        self.threads = threads.max(1);
        self
    }

    /// The same with another batch size.
    #[must_use]
    pub fn with_batch_rows(mut self, batch_rows: usize) -> Self {
        self.batch_rows = batch_rows.max(1);
        self
    }

    /// The same with another memory budget.
    #[must_use]
    pub fn with_memory(mut self, memory: Arc<MemoryBudget>) -> Self {
        self.memory = memory;
        self
    }

    /// The same with another place for temporary files.
    #[must_use]
    pub fn with_spill(mut self, spill: Arc<SpillSpace>) -> Self {
        self.spill = spill;
        self
    }

    /// The same with operators that spill whatever they hold, or only what is over the budget.
    #[must_use]
    pub fn with_spill_always(mut self, always: bool) -> Self {
        self.spill_always = always;
        self
    }

    /// The same with operators that note when they took part, or do not.
    #[must_use]
    pub fn with_spans(mut self, notes_spans: bool) -> Self {
        self.notes_spans = notes_spans;
        self
    }

    /// The same with another number of bytes that each worker of an operator may hold over the budget.
    #[must_use]
    pub fn with_spill_grant_bytes(mut self, bytes: u64) -> Self {
        self.spill_grant_bytes = bytes;
        self
    }

    /// The same with another cancellation token.
    #[must_use]
    pub fn with_cancel(mut self, cancel: CancelToken) -> Self {
        self.cancel = cancel;
        self
    }

    /// The same with somebody who wants to know how far the query has come, or nobody.
    #[must_use]
    pub fn with_progress(mut self, progress: Option<ProgressHook>) -> Self {
        self.progress = progress;
        self
    }

    /// The same with another threshold for using more than one thread.
    #[must_use]
    pub fn with_parallel_threshold_rows(mut self, rows: u64) -> Self {
        self.parallel_threshold_rows = rows;
        self
    }
}

impl std::fmt::Debug for ExecutionContext {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExecutionContext")
            .field("threads", &self.threads)
            .field("memory", &self.memory)
            .field("spill", &self.spill)
            .field("spill_always", &self.spill_always)
            .field("spill_grant_bytes", &self.spill_grant_bytes)
            .field("batch_rows", &self.batch_rows)
            .field("notes_spans", &self.notes_spans)
            .field("parallel_threshold_rows", &self.parallel_threshold_rows)
            .finish_non_exhaustive()
    }
}
