//! Puts the workers' groups together.

use super::AggregateSpec;
use super::local::{Partial, PartialGroups};
use super::spilled::SpilledSource;
use crate::batch::Batch;
use crate::memory::MemoryReservation;
use crate::pipeline::{BufferedSource, Source, slices};
use crate::run::Run;
use crate::spill::Spiller;
use arrow::array::UInt32Array;
use llkv_compute::hash_columns;
use llkv_result::Result;
use parking_lot::Mutex;
use std::sync::Arc;

/// Groups up to which one thread merges them all: cheaper than partitioning.
const SERIAL_MERGE_GROUPS: usize = 1 << 14;

/// Bytes of groups above which as few as these are merged in partitions: their states are what takes time.
const SERIAL_MERGE_BYTES: u64 = 32 << 20;
const FEW_GROUPS: usize = 64;

/// Partitions of a parallel merge, a power of two.
const PARTITION_BITS: u32 = 4;

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
    let (batches, memory) = if in_partitions {
        merge_partitions(run, spiller, spec, locals)?
    } else {
        merge_all(run, spiller, spec, locals)?
    };
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

/// Cuts all groups into partitions by their hash and merges each on its own.
fn merge_partitions(
    run: &Run,
    spiller: &Spiller,
    spec: &AggregateSpec,
    locals: Vec<Partial>,
) -> Result<(Vec<Batch>, MemoryReservation)> {
    let mut memory = run.reserve(spiller.operator);
    let mut pieces = Vec::new();
    for mut local in locals {
        local.flush(spec)?;
        pieces.append(&mut local.flushed);
        memory.absorb(local.memory);
    }
    let rows: u64 = pieces.iter().map(|piece| piece.rows as u64).sum();
    let pieces: Vec<_> = pieces.into_iter().map(|p| Mutex::new(Some(p))).collect();
    let cut = run.for_each_part(pieces.len(), rows, |number| {
        let piece = pieces.get(number).and_then(|piece| piece.lock().take());
        piece.map_or(Ok(Vec::new()), |piece| partition(&piece))
    })?;
    let mut partitions: Vec<Vec<PartialGroups>> = Vec::new();
    partitions.resize_with(1 << PARTITION_BITS, Vec::new);
    for parts in cut {
        for (partition, part) in partitions.iter_mut().zip(parts) {
            partition.push(part);
        }
    }
    let partitions: Vec<_> = partitions
        .into_iter()
        .map(|p| Mutex::new(Some(p)))
        .collect();
    let merged = run.for_each_part(partitions.len(), rows, |number| {
        let parts = partitions.get(number).and_then(|parts| parts.lock().take());
        let mut merged = Partial::new(run, spiller, spec)?;
        for part in parts.unwrap_or_default() {
            merged.merge_groups(&part)?;
        }
        Ok(merged.finish(spec)?.0)
    })?;
    let bytes = merged.iter().map(Batch::memory_bytes).sum();
    spiller.settle(&mut memory, bytes)?;
    let batches = merged.into_iter();
    Ok((
        batches.flat_map(|b| slices(b, run.batch_rows())).collect(),
        memory,
    ))
}

/// The groups of each partition.
fn partition(groups: &PartialGroups) -> Result<Vec<PartialGroups>> {
    let mut hashes = Vec::new();
    hash_columns(&groups.keys, &mut hashes)?;
    let mut rows: Vec<Vec<u32>> = Vec::new();
    rows.resize_with(1 << PARTITION_BITS, Vec::new);
    for (row, hash) in hashes.iter().enumerate() {
        if let Some(rows) = rows.get_mut((hash >> (64 - PARTITION_BITS)) as usize) {
            rows.push(row as u32);
        }
    }
    let rows = rows.into_iter();
    rows.map(|rows| groups.take(&UInt32Array::from(rows)))
        .collect()
}
