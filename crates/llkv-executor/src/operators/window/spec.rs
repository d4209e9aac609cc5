//! What a window computes, with positions in the place of columns.

use super::super::sort::SortedRows;
use super::call::{Call, Frame};
use crate::batch::Batch;
use crate::keys::SortKeys;
use crate::resolve::Column;
use crate::run::Run;
use arrow::array::ArrayRef;
use arrow_row::Rows;
use llkv_compute::window::{Frames, RowRuns};
use llkv_expr::{SortKey, WindowExpr, WindowFrame};
use llkv_result::Result;
use std::sync::Arc;

/// The keys, frames and calls of a window over rows of known columns.
pub(crate) struct WindowSpec {
    /// Partition, then order; none where all rows are one partition without an order.
    pub(super) sort: Option<Arc<SortKeys>>,
    partition: Option<SortKeys>,
    /// Keys of the partition, which are the first ones of `sort`.
    pub(super) partition_keys: usize,
    /// Different numbers of keys that make peers, with the keys; none for those without an order.
    peers: Vec<(usize, Option<SortKeys>)>,
    /// Different frames.
    frames: Vec<Frame>,
    calls: Vec<Call>,
}

impl WindowSpec {
    /// The keys of the partition, the order within, and calls over rows with these columns.
    pub(crate) fn new(
        partition: Vec<SortKey>,
        order: &[SortKey],
        calls: &[WindowExpr],
        columns: &[Column],
    ) -> Result<Self> {
        let keys = |keys: &[SortKey]| match keys {
            [] => Ok(None),
            keys => SortKeys::new(keys, columns).map(Some),
        };
        let all: Vec<SortKey> = partition.iter().chain(order).cloned().collect();
        let mut spec = Self {
            sort: keys(&all)?.map(Arc::new),
            partition: keys(&partition)?,
            partition_keys: partition.len(),
            peers: Vec::new(),
            frames: Vec::new(),
            calls: Vec::new(),
        };
        let mut known: Vec<(usize, &WindowFrame)> = Vec::new();
        for expr in calls {
            let peers = match spec.peers.iter().position(|(n, _)| *n == expr.peer_keys) {
                Some(at) => at,
                None => {
                    let prefix = order.get(..expr.peer_keys).unwrap_or(order);
                    spec.peers.push((expr.peer_keys, keys(prefix)?));
                    spec.peers.len() - 1
                }
            };
            let frame = match known.iter().position(|f| *f == (peers, &expr.frame)) {
                Some(at) => at,
                None => {
                    known.push((peers, &expr.frame));
                    spec.frames.push(Frame::new(&expr.frame, columns)?);
                    spec.frames.len() - 1
                }
            };
            spec.calls
                .push(Call::new(&expr.call, peers, frame, columns)?);
        }
        Ok(spec)
    }

    /// Bytes that computing holds for each row besides the row: results, frames, states.
    pub(super) fn bytes_per_row(&self) -> u64 {
        (self.calls.len() * 48 + self.frames.len() * 8 + self.peers.len() * 8) as u64
    }

    /// Where the partitions of sorted rows start.
    pub(super) fn partition_starts(&self, run: &Run, sorted: &SortedRows) -> Result<Vec<u32>> {
        let Some(keys) = &self.partition else {
            return Ok(vec![0]);
        };
        if let Some(starts) = &sorted.starts {
            return Ok(starts.clone());
        }
        let rows = sorted.order.len();
        let encoded = run.for_each_part(sorted.runs.len(), rows as u64, |number| {
            sorted
                .runs
                .get(number)
                .map(|batch| keys.encode(batch))
                .transpose()
        })?;
        let encoded: Vec<Rows> = encoded.into_iter().flatten().collect();
        let key = |position: usize| {
            let (number, row) = sorted.order.get(position)?;
            Some(encoded.get(*number as usize)?.row(*row as usize))
        };
        const PART_ROWS: usize = 65_536;
        let parts = run.for_each_part(rows.div_ceil(PART_ROWS), rows as u64, |part| {
            let range = part * PART_ROWS..((part + 1) * PART_ROWS).min(rows);
            let starts = range.filter(|row| *row == 0 || key(*row) != key(*row - 1));
            Ok(starts.map(|row| row as u32).collect::<Vec<u32>>())
        })?;
        Ok(parts.concat())
    }

    /// The keys of partitions of rows that are sorted, none where all are one.
    pub(super) fn keys_of_partitions(&self, batch: &Batch) -> Result<Option<Rows>> {
        let keys = self.partition.as_ref();
        keys.map(|keys| keys.encode(batch)).transpose()
    }

    /// The partitions of rows that are sorted, the first of which starts one.
    pub(super) fn partitions(&self, batch: &Batch) -> Result<RowRuns> {
        let first = RowRuns::new((0..batch.rows).map(|row| row == 0));
        Ok(match self.keys_of_partitions(batch)? {
            Some(keys) => peers_of(&keys, &first),
            None => first,
        })
    }

    fn uses_peers(&self, call: &Call) -> bool {
        let frame = self.frames.get(call.frame).filter(|_| call.uses_frame());
        call.ranks_peers() || frame.is_some_and(Frame::uses_peers)
    }

    /// The values of all calls for whole partitions in their order.
    pub(super) fn compute(
        &self,
        batch: &Batch,
        partitions: &RowRuns,
        check: &dyn Fn() -> Result<()>,
    ) -> Result<Vec<ArrayRef>> {
        let mut peers = Vec::with_capacity(self.peers.len());
        for (number, (_, keys)) in self.peers.iter().enumerate() {
            // Where nobody asks who is equal, nobody looks.
            let is_used = self
                .calls
                .iter()
                .any(|call| call.peers == number && self.uses_peers(call));
            peers.push(match keys {
                Some(keys) if is_used => peers_of(&keys.encode(batch)?, partitions),
                _ => partitions.clone(),
            });
        }
        // Frames are made where the first call that looks at them comes.
        let mut frames: Vec<Option<Frames>> = self.frames.iter().map(|_| None).collect();
        let mut values = Vec::with_capacity(self.calls.len());
        for call in &self.calls {
            check()?;
            let peers = peers.get(call.peers).unwrap_or(partitions);
            if let (true, Some(frame), Some(slot)) = (
                call.uses_frame(),
                self.frames.get(call.frame),
                frames.get_mut(call.frame),
            ) && slot.is_none()
            {
                *slot = Some(frame.evaluate(batch, partitions, peers)?);
            }
            let frames = frames.get(call.frame).and_then(Option::as_ref);
            values.push(call.evaluate(batch, (partitions, peers), frames, check)?);
        }
        Ok(values)
    }
}

/// Neighbours of one partition with equal keys.
fn peers_of(keys: &Rows, partitions: &RowRuns) -> RowRuns {
    let starts = partitions.starts();
    let mut last = None;
    RowRuns::new(starts.zip(keys.iter()).map(|(is_start, key)| {
        let changed = last.is_none_or(|last| last != key);
        last = Some(key);
        is_start || changed
    }))
}
