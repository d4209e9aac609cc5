//! Checkpoints: when one is due, and the thread that does it.

use crate::RuntimeOptions;
use llkv_column_map::{ColumnStore, TableChange};
use llkv_result::Result;
use llkv_transaction::TxnIdManager;
use llkv_types::{CancelToken, Horizon};
use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;

/// What was committed since the last checkpoint, and the thread of the running one. No thread exists
/// while none is due.
#[derive(Debug)]
pub(crate) struct Maintenance {
    due: Arc<Due>,
    checkpoint_rows: u64,
    checkpoint_commits: u64,
    in_background: bool,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// What a commit leaves for a checkpoint to do.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Work {
    /// Rows that came or went.
    pub(crate) rows: u64,
    /// Row groups came that no index of their table lists yet: whoever looks up a key reads them.
    pub(crate) is_unlisted: bool,
}

impl Work {
    pub(crate) fn of(changes: &[TableChange], is_unlisted: bool) -> Self {
        let rows = changes.iter().map(|change| match change {
            TableChange::Append { batch, .. } => batch.num_rows() as u64,
            TableChange::AppendStaged { groups, .. } => {
                groups.iter().map(|group| group.rows() as u64).sum()
            }
            TableChange::Delete { row_ids, .. } => row_ids.len() as u64,
            TableChange::DeleteSet { rows, .. } => rows.len(),
            _ => 1,
        });
        Self {
            rows: rows.sum(),
            is_unlisted,
        }
    }
}

#[derive(Debug, Default)]
struct Due {
    rows: AtomicU64,
    commits: AtomicU64,
    is_running: AtomicBool,
}

impl Maintenance {
    pub(crate) fn new(options: &RuntimeOptions) -> Self {
        Self {
            due: Arc::default(),
            checkpoint_rows: options.checkpoint_rows.max(1),
            checkpoint_commits: options.checkpoint_commits.max(1),
            in_background: options.background_checkpoint,
            thread: Mutex::default(),
        }
    }

    /// Counts a commit, and begins a checkpoint where one is due.
    pub(crate) fn after_commit(
        &self,
        work: Work,
        store: &Arc<ColumnStore>,
        transactions: &Arc<TxnIdManager>,
    ) {
        let rows = self.due.rows.fetch_add(work.rows, Ordering::Relaxed) + work.rows;
        let commits = self.due.commits.fetch_add(1, Ordering::Relaxed) + 1;
        let is_much = rows >= self.checkpoint_rows || commits >= self.checkpoint_commits;
        if !is_much && !work.is_unlisted {
            return;
        }
        if self.due.is_running.swap(true, Ordering::AcqRel) {
            return;
        }
        if !self.in_background {
            background(&self.due, store, transactions);
            return;
        }
        let (due, store) = (Arc::clone(&self.due), Arc::clone(store));
        let transactions = Arc::clone(transactions);
        let builder = std::thread::Builder::new().name("llkv-checkpoint".into());
        let spawned = builder.spawn(move || background(&due, &store, &transactions));
        match spawned {
            Ok(thread) => *self.thread.lock() = Some(thread),
            Err(error) => {
                tracing::warn!(%error, "no thread for a checkpoint");
                self.due.is_running.store(false, Ordering::Release);
            }
        }
    }

    /// A checkpoint on the thread of a caller who waits for it.
    pub(crate) fn checkpoint(
        &self,
        store: &ColumnStore,
        horizon: Horizon,
        cancel: &CancelToken,
    ) -> Result<()> {
        run(&self.due, || store.tidy(horizon, cancel))
    }

    /// True when commits wait for a checkpoint.
    pub(crate) fn is_due_at_close(&self) -> bool {
        self.due.commits.load(Ordering::Relaxed) > 0
    }

    /// Waits for the running checkpoint.
    pub(crate) fn join(&self) {
        let thread = self.thread.lock().take();
        if let Some(thread) = thread
            && thread.join().is_err()
        {
            tracing::warn!("the checkpoint thread panicked");
        }
    }
}

/// A checkpoint that nobody waits for: its failure is no failure of the commit before it.
fn background(due: &Due, store: &ColumnStore, transactions: &TxnIdManager) {
    if let Err(error) = run(due, || store.checkpoint(transactions.horizon())) {
        tracing::warn!(%error, "a checkpoint in the background failed");
    }
    due.is_running.store(false, Ordering::Release);
}

fn run(due: &Due, checkpoint: impl FnOnce() -> Result<()>) -> Result<()> {
    // What is committed meanwhile waits for the next one; another thread may be at this very point.
    let rows = due.rows.swap(0, Ordering::Relaxed);
    let commits = due.commits.swap(0, Ordering::Relaxed);
    let done = checkpoint();
    if done.is_err() {
        due.rows.fetch_add(rows, Ordering::Relaxed);
        due.commits.fetch_add(commits, Ordering::Relaxed);
    }
    done
}
