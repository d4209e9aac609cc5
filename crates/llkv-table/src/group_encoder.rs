//! Row groups of a transaction that are being encoded and written while it goes on.

use arrow::array::RecordBatch;
use llkv_column_map::{ColumnStore, Lifetime, StagedRowGroup};
use llkv_result::{Error, Result};
use llkv_types::{FieldId, RowId, SqlType};
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

/// Row groups on their way, oldest first. Their plain rows stay with the transaction until they arrive, so
/// it sees them all the time.
#[derive(Debug, Default)]
pub(crate) struct GroupEncoder {
    in_flight: VecDeque<InFlight>,
}

#[derive(Debug)]
struct InFlight {
    first_row_id: RowId,
    group: Receiver<Result<StagedRowGroup>>,
}

impl GroupEncoder {
    /// Begins to encode rows of a table on another thread.
    pub(crate) fn start(
        &mut self,
        store: &Arc<ColumnStore>,
        layout: Vec<(FieldId, SqlType)>,
        first_row_id: RowId,
        rows: Vec<RecordBatch>,
        lifetime: Lifetime,
    ) {
        let (sender, group) = sync_channel(1);
        let store = Arc::clone(store);
        rayon::spawn(move || {
            // Nobody listens when the transaction was rolled back: the group's space is free again.
            let _ = sender.send(store.stage_row_group(&layout, &rows, lifetime));
        });
        self.in_flight.push_back(InFlight {
            first_row_id,
            group,
        });
    }

    /// The oldest group, with the id of its first row, once it has arrived; waits for it while more than
    /// `at_most` are on their way. Call until there is none.
    ///
    /// # Errors
    /// When it could not be written.
    pub(crate) fn next_arrived(
        &mut self,
        at_most: usize,
    ) -> Result<Option<(RowId, StagedRowGroup)>> {
        let must_wait = self.in_flight.len() > at_most;
        let Some(oldest) = self.in_flight.front() else {
            return Ok(None);
        };
        let lost = || Error::internal("a row group was lost while it was encoded");
        let arrived = if must_wait {
            oldest.group.recv().map_err(|_| lost())
        } else {
            match oldest.group.try_recv() {
                Ok(arrived) => Ok(arrived),
                Err(TryRecvError::Empty) => return Ok(None),
                Err(TryRecvError::Disconnected) => Err(lost()),
            }
        };
        let first_row_id = oldest.first_row_id;
        self.in_flight.pop_front();
        Ok(Some((first_row_id, arrived??)))
    }
}
