//! Temporary files for what does not fit the memory budget.
//!
//! An operator asks its [`Spiller`] whether what it holds has become too much; if so it writes sorted runs or
//! partitions as segments of a [`SpillFile`] and reads them back later. The [`SpillSpace`] of the engine
//! says where the files are and how much all of them may take.

mod codec;
mod file;
mod kept;
mod partition;
mod rows;
mod runs;
mod space;

pub(crate) use file::{Segment, SpillFile};
pub use kept::KeptRows;
pub(crate) use partition::{LAST_LEVEL, PartitionWriter, Partitioned};
pub(crate) use rows::RowBuffer;
pub(crate) use runs::{MergedSource, RunWriter, merge_to_fan_in, ordinal};
pub use space::{LocalDisk, SpillDisk, SpillSpace, SpillStorage};

use crate::batch::Batch;
use crate::context::ExecutionContext;
use crate::metrics::OperatorMetrics;
use crate::operators::OperatorInfo;
use crate::run::Run;
use llkv_result::{ExecError, Result};
use llkv_types::MemoryReservation;
use std::sync::Arc;

/// What an operator needs to know for spilling.
#[derive(Clone)]
pub(crate) struct Spiller {
    pub(crate) space: Arc<SpillSpace>,
    pub(crate) operator: &'static str,
    pub(crate) metrics: Arc<OperatorMetrics>,
    /// Spill whenever there is something to spill.
    always: bool,
    /// Bytes that a worker may hold whatever the budget says.
    grant_bytes: u64,
}

impl Spiller {
    /// Bytes that each worker of an operator may hold although the budget is used up: smaller pieces cost more
    /// in files than they save in memory.
    pub(crate) const GRANT_BYTES: u64 = 1 << 20;

    /// What is not larger is held whatever the budget says, where it cannot be spilled.
    const SMALL_BYTES: u64 = 64 << 10;

    /// Runs merged at once, each with a chunk of [`runs`] in memory.
    const FAN_IN: usize = 64;
    /// The same where everything is spilled, so that few runs take several passes too.
    const FAN_IN_ALWAYS: usize = 4;

    pub(crate) fn new(run: &Run, info: &OperatorInfo) -> Self {
        Self::within(&run.context, info.kind, Arc::clone(&info.metrics))
    }

    fn within(
        context: &ExecutionContext,
        operator: &'static str,
        metrics: Arc<OperatorMetrics>,
    ) -> Self {
        Self {
            space: Arc::clone(&context.spill),
            operator,
            metrics,
            always: context.spill_always,
            grant_bytes: context.spill_grant_bytes,
        }
    }

    /// The same on behalf of another operator.
    pub(crate) fn named(mut self, operator: &'static str) -> Self {
        self.operator = operator;
        self
    }

    /// Reserves `bytes` more. True where the budget has no room for them: the caller then gives up what it holds.
    ///
    /// # Errors
    /// `ExecError::MemoryLimit` where spilling is turned off.
    pub(crate) fn is_full(&self, memory: &mut MemoryReservation, bytes: u64) -> Result<bool> {
        let is_over = self.is_over(memory, bytes)?;
        Ok(is_over || (self.always && self.space.is_enabled()))
    }

    /// [`Self::is_full`] for data that was spilled already: it is not spilled again for the sake of it.
    pub(crate) fn is_over(&self, memory: &mut MemoryReservation, bytes: u64) -> Result<bool> {
        if !self.space.is_enabled() {
            memory.grow(bytes)?;
            return Ok(false);
        }
        let fits = memory.overdraw(bytes);
        Ok(!fits && memory.bytes() > self.grant_bytes)
    }

    /// [`Self::is_over`] for a partition of a level: at the last one, what is small is held whatever the budget says.
    pub(crate) fn must_cut(
        &self,
        memory: &mut MemoryReservation,
        bytes: u64,
        level: u32,
    ) -> Result<bool> {
        let is_over = self.is_over(memory, bytes)?;
        Ok(is_over && (level < LAST_LEVEL || memory.bytes() > Self::SMALL_BYTES))
    }

    /// Reserves exactly `bytes` for what is there already.
    ///
    /// # Errors
    /// As [`Self::is_full`].
    pub(crate) fn settle(&self, memory: &mut MemoryReservation, bytes: u64) -> Result<()> {
        match bytes.checked_sub(memory.bytes()) {
            Some(more) => self.is_over(memory, more).map(|_| ()),
            None => memory.resize(bytes),
        }
    }

    /// Reserves exactly `bytes` for what cannot be spilled.
    ///
    /// # Errors
    /// `ExecError::MemoryLimit` where the budget has no room for them.
    pub(crate) fn must_fit(&self, memory: &mut MemoryReservation, bytes: u64) -> Result<()> {
        self.settle(memory, bytes)?;
        if self.is_over(memory, 0)? && bytes > Self::SMALL_BYTES {
            return Err(self.too_large(memory));
        }
        Ok(())
    }

    /// What is held cannot be made smaller.
    pub(crate) fn too_large(&self, memory: &MemoryReservation) -> llkv_result::Error {
        ExecError::MemoryLimit {
            operator: self.operator,
            needed_bytes: memory.bytes(),
            limit_bytes: memory.limit_bytes(),
        }
        .into()
    }

    /// A batch to be kept: where memory is limited, without large buffers of which it needs little.
    pub(crate) fn slim(&self, memory: &MemoryReservation, batch: Batch) -> Result<Batch> {
        match memory.limit_bytes() {
            u64::MAX => Ok(batch),
            _ => codec::slim(batch),
        }
    }

    /// A new file.
    pub(crate) fn file(&self) -> Result<Arc<SpillFile>> {
        Ok(Arc::new(SpillFile::create(self.clone())?))
    }

    fn fan_in(&self) -> usize {
        if self.always {
            Self::FAN_IN_ALWAYS
        } else {
            Self::FAN_IN
        }
    }

    /// Bytes of a partition that are gathered before they are written.
    fn buffer_bytes(&self) -> u64 {
        if self.always { 0 } else { 32 << 10 }
    }
}

/// Rows of a segment that is read on its own: about 64 KiB of them.
pub(crate) fn chunk_rows(bytes: u64, rows: usize, batch_rows: usize) -> usize {
    const CHUNK_BYTES: u64 = 64 << 10;
    let row_bytes = (bytes / (rows as u64).max(1)).max(1);
    usize::try_from(CHUNK_BYTES / row_bytes)
        .unwrap_or(usize::MAX)
        .clamp(1, batch_rows)
}
