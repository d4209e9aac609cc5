//! Puts the workers' groups together.

use super::AggregateSpec;
use super::local::{FLUSH_BITS, Partial, PartialGroups};
use super::merged::{MergedSource, merge};
use super::spilled::SpilledSource;
use crate::batch::Batch;
use crate::pipeline::{BufferedSource, Source, slices};
use crate::run::Run;
use crate::spill::Spiller;
use llkv_result::Result;
use llkv_types::MemoryReservation;
use parking_lot::Mutex;
use std::sync::Arc;

/// Groups up to which one thread merges them all: cheaper than partitioning.
const SERIAL_MERGE_GROUPS: usize = 1 << 14;

/// Bits of the hash that tell the partition of groups which no worker has put aside.
const MERGE_BITS: u32 = 4;

/// Bytes of groups above which as few as these are merged in partitions: their states are what takes time.
const SERIAL_MERGE_BYTES: u64 = 32 << 20;
const FEW_GROUPS: usize = 64;

/// Groups from which on a partition is merged when it is read.
const STREAMED_GROUPS: u64 = 1 << 17;

/// The result of all workers.
pub(super) fn finish(
    run: &Arc<Run>,
    spiller: &Spiller,
    spec: &Arc<AggregateSpec>,
    mut locals: Vec<Partial>,
) -> Result<Arc<dyn Source>> {
    let flushed = locals.iter().any(|local| !local.flushed.is_empty());
    let groups: usize = locals.iter().map(Partial::len).sum();
    let bytes: u64 = locals.iter().map(Partial::size_bytes).sum();
    let are_few = groups <= FEW_GROUPS || bytes <= SERIAL_MERGE_BYTES;
    let small = groups <= SERIAL_MERGE_GROUPS && are_few;
    let small = small || locals.len() == 1 || spec.is_ungrouped() || !spec.is_direct();
    let in_partitions = flushed || !small;
    if in_partitions {
        // Merged groups stand beside those that are merged.
        let bytes = groups_bytes(&locals);
        if let Some(first) = locals.first_mut()
            && spiller.is_over(&mut first.memory, bytes)?
        {
            first.spill(spec)?;
        }
    }
    if locals.iter().any(Partial::is_spilled) {
        return Ok(Arc::new(SpilledSource::new(run, spiller, spec, locals)?));
    }
    if in_partitions {
        return merge_partitions(run, spiller, spec, locals);
    }
    let (batches, memory) = merge_all(run, spiller, spec, locals)?;
    let source = BufferedSource::new(batches, run.batch_rows(), Some(memory));
    Ok(Arc::new(source))
}

fn groups_bytes(locals: &[Partial]) -> u64 {
    locals.iter().map(|local| local.memory.bytes()).sum()
}

/// Merges all groups into the largest table.
fn merge_all(
    run: &Run,
    spiller: &Spiller,
    spec: &AggregateSpec,
    mut locals: Vec<Partial>,
) -> Result<(Vec<Batch>, MemoryReservation)> {
    locals.sort_by_key(Partial::len);
    let mut merged = match locals.pop() {
        Some(largest) => largest,
        None => Partial::new(run, spiller, spec)?,
    };
    for local in locals {
        merged.merge(local)?;
    }
    let (batch, mut memory) = merged.finish(spec)?;
    spiller.settle(&mut memory, batch.memory_bytes())?;
    Ok((slices(batch, run.batch_rows()).collect(), memory))
}

/// Merges each partition of the groups on its own: as it is read where there are many groups, else at once.
fn merge_partitions(
    run: &Arc<Run>,
    spiller: &Spiller,
    spec: &Arc<AggregateSpec>,
    locals: Vec<Partial>,
) -> Result<Arc<dyn Source>> {
    let mut memory = run.reserve(spiller.operator);
    // Few groups with large states are as much work as many.
    let bytes: u64 = locals.iter().map(Partial::size_bytes).sum();
    let worth = |groups| match bytes > SERIAL_MERGE_BYTES {
        true => u64::MAX,
        false => groups,
    };
    let fine = locals.iter().any(|local| !local.flushed.is_empty());
    let bits = if fine { FLUSH_BITS } else { MERGE_BITS };
    let locals: Vec<_> = locals.into_iter().map(|l| Mutex::new(Some(l))).collect();
    let groups = locals
        .iter()
        .flat_map(|local| local.lock().as_ref().map(Partial::len));
    let loose = groups.sum::<usize>() as u64;
    // What no worker has put aside yet is cut by as many threads.
    let locals = run.for_each_part(locals.len(), worth(loose), |number| {
        let local = locals.get(number).and_then(|local| local.lock().take());
        local.map_or(Ok(None), |mut local| {
            local.flush(bits)?;
            Ok(Some(local))
        })
    })?;
    let mut partitions: Vec<Vec<PartialGroups>> = Vec::new();
    partitions.resize_with(1 << bits, Vec::new);
    for local in locals.into_iter().flatten() {
        for parts in local.flushed {
            for (partition, part) in partitions.iter_mut().zip(parts) {
                partition.push(part);
            }
        }
        memory.absorb(local.memory);
    }
    let groups = partitions.iter().flatten().map(|part| part.rows as u64);
    let groups: u64 = groups.sum();
    if groups >= STREAMED_GROUPS {
        let source = MergedSource::new(run, spiller, spec, partitions, memory);
        return Ok(Arc::new(source));
    }
    let partitions: Vec<_> = partitions
        .into_iter()
        .map(|p| Mutex::new(Some(p)))
        .collect();
    let merged = run.for_each_part(partitions.len(), worth(groups), |number| {
        let parts = partitions.get(number).and_then(|parts| parts.lock().take());
        let merged = merge(run, spiller, spec, parts.unwrap_or_default())?;
        Ok(merged.finish(spec)?.0)
    })?;
    spiller.settle(&mut memory, merged.iter().map(Batch::memory_bytes).sum())?;
    let batches = merged.into_iter();
    let batches = batches.flat_map(|b| slices(b, run.batch_rows())).collect();
    let source = BufferedSource::new(batches, run.batch_rows(), Some(memory));
    Ok(Arc::new(source))
}
