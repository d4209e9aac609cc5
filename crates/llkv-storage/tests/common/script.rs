//! Random scripts over a simulated disk, and what must be found after its power was cut.

use super::value;
use llkv_storage::disk::sim::SimDisk;
use llkv_storage::{
    Blob, CommitId, FilePager, FilePagerOptions, Pager, PlantedBug, ReadMode, WriteBatch,
};
use llkv_types::{CancelToken, PhysicalKey};
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::collections::BTreeMap;
use std::sync::Arc;

pub const PATH: &str = "cut.llkv";

pub fn options(planted_bug: Option<PlantedBug>) -> FilePagerOptions {
    FilePagerOptions {
        log_bytes: 128 << 10,
        read_mode: ReadMode::Pool,
        pool_bytes: 64 << 10,
        background_checkpoint: false,
        // Small files are packed too.
        pack_bytes: 16 << 10,
        planted_bug,
        ..FilePagerOptions::default()
    }
}

type Contents = BTreeMap<u64, Arc<Vec<u8>>>;

/// What a disk went through, told in its own operations: which commits may be there, which must be.
#[derive(Clone)]
pub struct History {
    /// The contents after each commit; the first entry is before any.
    states: Vec<Contents>,
    /// (operations when it was begun, its number), ascending.
    begun: Vec<(u64, usize)>,
    /// (operations when it was acknowledged, its number), ascending.
    acknowledged: Vec<(u64, usize)>,
}

impl History {
    pub fn new() -> Self {
        Self {
            states: vec![Contents::new()],
            begun: Vec::new(),
            acknowledged: Vec::new(),
        }
    }

    fn latest(list: &[(u64, usize)], operations: u64) -> usize {
        let known = list.partition_point(|(at, _)| *at <= operations);
        list[..known]
            .iter()
            .map(|(_, number)| *number)
            .max()
            .unwrap_or(0)
    }

    /// The history as it was when the disk had done `operations`: an unacknowledged end is open.
    fn window(&self, operations: u64) -> (usize, usize) {
        (
            Self::latest(&self.acknowledged, operations),
            Self::latest(&self.begun, operations),
        )
    }

    /// What was found is what happened: all other ends of the story are forgotten, and what was
    /// found counts as acknowledged.
    fn settle(&mut self, found: usize) {
        self.states.truncate(found + 1);
        self.begun = vec![(0, found)];
        self.acknowledged = vec![(0, found)];
    }
}

fn random_len(random: &mut SmallRng) -> usize {
    match random.random_range(0..100) {
        0..45 => random.random_range(0..300),
        45..80 => random.random_range(300..2500),
        80..96 => random.random_range(2500..9000),
        _ => random.random_range(66_000..90_000),
    }
}

/// What kind of commits a script makes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Style {
    /// Of all sizes.
    Mixed,
    /// Of one log sector or two, often unsynced: what a disk leaves of them looks like a log.
    Short,
}

/// Runs `steps` random steps and notes in `history` what they did. An error ends the script.
pub fn run(
    disk: &SimDisk,
    pager: &FilePager,
    history: &mut History,
    seed: u64,
    (style, steps): (Style, usize),
) -> llkv_result::Result<()> {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut held: Vec<(Blob, Vec<u8>)> = Vec::new();
    for _ in 0..steps {
        let step = match style {
            Style::Mixed => random.random_range(0..100),
            Style::Short => 0,
        };
        match step {
            0..70 => commit(disk, pager, history, &mut random, style)?,
            70..77 => {
                match random.random_range(0..4) {
                    0 => pager.compact(&CancelToken::new())?,
                    _ => pager.checkpoint()?,
                }
                let all = history.states.len() - 1;
                history.acknowledged.push((disk.operations(), all));
            }
            77..82 => {
                // Space that nothing will refer to: free again, at once or after a cut.
                drop(pager.write_early(&value(random.random(), 10_000))?);
            }
            82..90 => {
                let found = pager.batch_get(&[PhysicalKey(random.random_range(0..24))])?;
                held.extend(found.into_iter().flatten().map(|b| {
                    let bytes = b.as_slice().to_vec();
                    (b, bytes)
                }));
            }
            90..95 => drop(held.pop()),
            _ => {
                let last = pager.stats().last_commit;
                pager.sync(last)?;
                history
                    .acknowledged
                    .push((disk.operations(), last.0 as usize));
            }
        }
        for (blob, bytes) in &held {
            assert_eq!(blob.as_slice(), bytes, "a held blob changed");
        }
    }
    Ok(())
}

fn commit(
    disk: &SimDisk,
    pager: &FilePager,
    history: &mut History,
    random: &mut SmallRng,
    style: Style,
) -> llkv_result::Result<()> {
    let mut contents = history.states.last().cloned().unwrap_or_default();
    let mut batch = WriteBatch::default();
    for _ in 0..random.random_range(0..3) {
        let key = random.random_range(0..24);
        contents.remove(&key);
        batch.frees.push(PhysicalKey(key));
    }
    let (puts, synced) = match style {
        Style::Mixed => (random.random_range(1..5), random.random_range(0..4) > 0),
        Style::Short => (1, random.random_range(0..2) > 0),
    };
    for _ in 0..puts {
        let key = match random.random_range(0..10) {
            0 => random.random_range(1000..1100),
            _ => random.random_range(0..24),
        };
        let len = match style {
            Style::Mixed => random_len(random),
            Style::Short => random.random_range(100..600),
        };
        let bytes = Arc::new(value(random.random(), len));
        let blob = if bytes.len() > 5000 && random.random() {
            pager.write_early(&bytes)?
        } else {
            Blob::from_bytes(&bytes)
        };
        batch.puts.push((PhysicalKey(key), blob));
        contents.insert(key, bytes);
    }
    let number = history.states.len();
    history.begun.push((disk.operations(), number));
    history.states.push(contents);
    let id = match pager.log(batch) {
        Ok(id) => id,
        Err(error) => {
            // Refused: it must not be there, unless the outcome is said to be unknown.
            if !is_unknown(&error) {
                history.states.pop();
                history.begun.pop();
            }
            return Err(error);
        }
    };
    assert_eq!(id, CommitId(number as u64));
    if synced {
        pager.sync(id)?;
        history.acknowledged.push((disk.operations(), number));
    }
    Ok(())
}

pub fn is_unknown(error: &llkv_result::Error) -> bool {
    matches!(
        error,
        llkv_result::Error::Storage(llkv_result::StorageError::Poisoned { .. })
    )
}

/// Opens the disk and compares it with the history; tells in words what is wrong. Afterwards the
/// history is that of the disk.
pub fn check(
    disk: &SimDisk,
    history: &mut History,
    operations: u64,
    bug: Option<PlantedBug>,
) -> Result<FilePager, String> {
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options(bug))
        .map_err(|e| format!("it does not open: {e}"))?;
    let found = pager.stats().last_commit.0 as usize;
    let (must, may) = history.window(operations);
    if found < must || found > may {
        return Err(format!(
            "commit {found} is the last, expected {must}..={may}"
        ));
    }
    let expected = &history.states[found];
    compare(&pager, expected).map_err(|what| format!("after commit {found}: {what}"))?;
    pager
        .verify()
        .map_err(|e| format!("it does not verify: {e}"))?;
    history.settle(found);
    Ok(pager)
}

fn compare(pager: &FilePager, expected: &Contents) -> Result<(), String> {
    let keys = pager
        .keys_in(PhysicalKey(0)..PhysicalKey(u64::MAX))
        .map_err(|e| e.to_string())?;
    if !keys.iter().map(|k| k.0).eq(expected.keys().copied()) {
        return Err(format!("{} keys instead of {}", keys.len(), expected.len()));
    }
    let found = pager.batch_get(&keys).map_err(|e| e.to_string())?;
    for ((key, bytes), found) in expected.iter().zip(found) {
        if found.as_ref().map(Blob::as_slice) != Some(bytes.as_slice()) {
            return Err(format!("key {key} has another value"));
        }
    }
    Ok(())
}
