//! Many groups as a source: each partition of the workers' groups is merged when it is read, so that what was merged is
//! used while it is near the processor, and its memory serves the next partition.

use super::AggregateSpec;
use super::local::{Partial, PartialGroups};
use crate::pipeline::{MorselReader, Source, slices};
use crate::run::Run;
use crate::spill::Spiller;
use llkv_result::{Error, Result};
use llkv_types::MemoryReservation;
use parking_lot::Mutex;
use std::sync::Arc;

/// The partitions as morsels, each read once.
pub(super) struct MergedSource {
    shared: Arc<Shared>,
    groups: u64,
}

struct Shared {
    run: Arc<Run>,
    spiller: Spiller,
    spec: Arc<AggregateSpec>,
    partitions: Vec<Mutex<Option<Vec<PartialGroups>>>>,
    /// For the groups of all partitions and what comes of merging them.
    _memory: MemoryReservation,
}

impl MergedSource {
    pub(super) fn new(
        run: &Arc<Run>,
        spiller: &Spiller,
        spec: &Arc<AggregateSpec>,
        partitions: Vec<Vec<PartialGroups>>,
        memory: MemoryReservation,
    ) -> Self {
        let groups = partitions.iter().flatten().map(|part| part.rows as u64);
        Self {
            groups: groups.sum(),
            shared: Arc::new(Shared {
                run: Arc::clone(run),
                spiller: spiller.clone(),
                spec: Arc::clone(spec),
                partitions: partitions
                    .into_iter()
                    .map(|parts| Mutex::new(Some(parts)))
                    .collect(),
                _memory: memory,
            }),
        }
    }
}

impl Source for MergedSource {
    fn morsels(&self) -> usize {
        self.shared.partitions.len()
    }

    fn estimated_rows(&self) -> u64 {
        self.groups
    }

    fn read(&self, morsel: usize) -> Result<MorselReader> {
        let partition = self.shared.partitions.get(morsel);
        let Some(parts) = partition.and_then(|parts| parts.lock().take()) else {
            return Err(Error::internal("a partition of groups is read twice"));
        };
        let partial = merge(
            &self.shared.run,
            &self.shared.spiller,
            &self.shared.spec,
            parts,
        )?;
        let (batch, _) = partial.finish(&self.shared.spec)?;
        let shared = Arc::clone(&self.shared);
        let batches = slices(batch, shared.run.batch_rows());
        // The reader holds on to the reservation.
        Ok(Box::new(batches.map(move |batch| {
            shared.run.check()?;
            Ok(batch)
        })))
    }
}

/// All groups of a partition.
pub(super) fn merge(
    run: &Run,
    spiller: &Spiller,
    spec: &AggregateSpec,
    parts: Vec<PartialGroups>,
) -> Result<Partial> {
    let mut merged = Partial::new(run, spiller, spec)?;
    merged.reserve(&parts);
    for part in parts {
        merged.merge_groups(&part)?;
    }
    Ok(merged)
}
