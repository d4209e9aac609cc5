//! The conformance suite: what every pager must do, whatever it keeps its bytes in.

use super::{blob, frees, get, keys, puts, value};
use llkv_storage::{Blob, BoxedPager, CommitId, WriteBatch};
use llkv_types::{CancelToken, PhysicalKey};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Something that makes empty pagers and, where values survive a handle, reopens them.
pub trait Harness {
    fn fresh(&mut self) -> BoxedPager;
    /// Closes the pager and opens the same database again; the pager itself where there is no file.
    fn reopen(&mut self, pager: BoxedPager) -> BoxedPager;
}

/// Runs every case.
pub fn run(harness: &mut dyn Harness) {
    empty_has_nothing(harness);
    puts_replace_and_frees_forget(harness);
    sizes_around_every_threshold(harness);
    commit_ids_count_from_one(harness);
    keys_are_never_handed_out_twice(harness);
    pins_see_their_moment(harness);
    blobs_outlive_their_keys(harness);
    early_writes_are_invisible_until_put(harness);
    one_early_blob_under_two_keys(harness);
    far_apart_keys(harness);
    group_commit_from_threads(harness);
    checkpoint_beside_readers_and_writers(harness);
    random_scripts_agree_with_a_map(harness);
}

fn empty_has_nothing(harness: &mut dyn Harness) {
    let pager = harness.fresh();
    assert_eq!(get(&*pager, 0), None);
    assert_eq!(get(&*pager, u64::MAX), None);
    assert!(keys(&*pager, 0, u64::MAX).is_empty());
    assert!(pager.batch_get(&[]).unwrap().is_empty());
    pager.sync(CommitId(0)).unwrap();
    pager.checkpoint().unwrap();
    assert_eq!(pager.stats().key_count, 0);
    let pager = harness.reopen(pager);
    assert!(keys(&*pager, 0, u64::MAX).is_empty());
}

fn puts_replace_and_frees_forget(harness: &mut dyn Harness) {
    let pager = harness.fresh();
    pager
        .commit(puts(&[(1, b"a"), (2, b"b"), (1, b"c")]))
        .unwrap();
    assert_eq!(get(&*pager, 1).unwrap(), b"c", "the last put of a key wins");
    pager.commit(frees(&[2, 2, 77])).unwrap();
    assert_eq!(get(&*pager, 2), None);
    let both = WriteBatch {
        frees: vec![PhysicalKey(1)],
        ..puts(&[(1, b"d"), (3, b"e")])
    };
    pager.commit(both).unwrap();
    let mut pager = pager;
    for _ in 0..2 {
        assert_eq!(get(&*pager, 1).unwrap(), b"d", "frees go before puts");
        assert_eq!(keys(&*pager, 0, 100), [1, 3]);
        assert_eq!(keys(&*pager, 2, 3), [0_u64; 0]);
        assert_eq!(keys(&*pager, 3, 2), [0_u64; 0]);
        assert_eq!(pager.stats().key_count, 2);
        pager = harness.reopen(pager);
    }
}

fn sizes_around_every_threshold(harness: &mut dyn Harness) {
    let mut pager = harness.fresh();
    let mut sizes = vec![0_usize, 1, 63, 64, 65];
    for edge in [472, 512, 1024, 4096, 8192, 65_536, 131_072] {
        sizes.extend([edge - 1, edge, edge + 1]);
    }
    sizes.push(3_000_001);
    for (key, len) in sizes.iter().enumerate() {
        let batch = WriteBatch {
            puts: vec![(PhysicalKey(key as u64), blob(key as u64, *len))],
            frees: Vec::new(),
        };
        pager.commit(batch).unwrap();
    }
    for round in 0..3 {
        for (key, len) in sizes.iter().enumerate() {
            let found = pager.batch_get(&[PhysicalKey(key as u64)]).unwrap();
            let found = found[0].as_ref().unwrap();
            assert_eq!(
                found.as_slice(),
                value(key as u64, *len),
                "round {round}, {len} bytes"
            );
            if *len > 0 {
                assert_eq!(found.as_slice().as_ptr().align_offset(64), 0);
            }
        }
        match round {
            0 => pager.checkpoint().unwrap(),
            _ => pager = harness.reopen(pager),
        }
    }
}

fn commit_ids_count_from_one(harness: &mut dyn Harness) {
    let mut pager = harness.fresh();
    for expected in 1..=5 {
        assert_eq!(
            pager.log(puts(&[(expected, b"x")])).unwrap(),
            CommitId(expected)
        );
    }
    assert_eq!(
        pager.log(WriteBatch::default()).unwrap(),
        CommitId(6),
        "an empty batch counts too"
    );
    pager.sync(CommitId(6)).unwrap();
    let stats = pager.stats();
    assert_eq!(
        (stats.last_commit, stats.durable_commit),
        (CommitId(6), CommitId(6))
    );
    pager = harness.reopen(pager);
    assert_eq!(pager.commit(puts(&[(9, b"x")])).unwrap(), CommitId(7));
    pager.checkpoint().unwrap();
    pager = harness.reopen(pager);
    assert_eq!(pager.commit(puts(&[(9, b"y")])).unwrap(), CommitId(8));
}

fn keys_are_never_handed_out_twice(harness: &mut dyn Harness) {
    let pager = harness.fresh();
    let first = pager.alloc_many(10).unwrap();
    let second = pager.alloc_many(5).unwrap();
    assert_eq!(first.end, second.start);
    assert_eq!(second.end - second.start, 5);
    pager.commit(puts(&[(1000, b"x")])).unwrap();
    assert!(pager.alloc_many(1).unwrap().start > 1000);
    let next = pager.alloc_many(1).unwrap().start;
    pager.commit(puts(&[(next, b"x")])).unwrap();
    pager.commit(frees(&[next])).unwrap();
    let pager = harness.reopen(pager);
    assert!(
        pager.alloc_many(1).unwrap().start > next,
        "not even after the value was freed"
    );
    assert!(pager.alloc_many(usize::MAX).is_err());
    assert!(
        pager.alloc_many(1).is_ok(),
        "a refused request takes nothing"
    );
}

fn pins_see_their_moment(harness: &mut dyn Harness) {
    let pager = harness.fresh();
    let read = |pin: &dyn llkv_storage::Pin, key| {
        let found = pin.batch_get(&[PhysicalKey(key)]).unwrap();
        found[0].as_ref().map(|b| b.as_slice().to_vec())
    };
    let (one, two) = (value(1, 70_000), value(2, 70_000));
    pager
        .commit(puts(&[(1, &one), (2, b"small"), (3, b"freed later")]))
        .unwrap();
    let pin = pager.pin();
    assert_eq!(pin.commit_id(), CommitId(1));
    pager
        .commit(puts(&[(1, &two), (2, b"new"), (4, b"later")]))
        .unwrap();
    pager.commit(frees(&[3])).unwrap();
    for round in 0..6 {
        assert_eq!(read(&*pin, 1).unwrap(), one, "round {round}");
        assert_eq!(read(&*pin, 2).unwrap(), b"small");
        assert_eq!(read(&*pin, 3).unwrap(), b"freed later");
        assert_eq!(read(&*pin, 4), None);
        assert_eq!(get(&*pager, 1).unwrap(), two);
        assert_eq!(get(&*pager, 3), None);
        let all = PhysicalKey(0)..PhysicalKey(u64::MAX);
        let of_then = [1, 2, 3].map(PhysicalKey);
        assert_eq!(pin.keys_in(all).unwrap(), of_then);
        match round % 2 {
            0 => pager.checkpoint().unwrap(),
            _ => pager.compact(&CancelToken::new()).unwrap(),
        }
        for key in 10..20 {
            let batch = puts(&[(key, &value(round * 100 + key, 70_000))]);
            pager.commit(batch).unwrap();
        }
    }
}

fn blobs_outlive_their_keys(harness: &mut dyn Harness) {
    let pager = harness.fresh();
    let first = value(1, 100_000);
    pager.commit(puts(&[(1, &first)])).unwrap();
    pager.checkpoint().unwrap();
    let held: Blob = pager.batch_get(&[PhysicalKey(1)]).unwrap()[0]
        .clone()
        .unwrap();
    let buffer = held.buffer();
    drop(held);
    for round in 2..30 {
        pager.commit(puts(&[(1, &value(round, 100_000))])).unwrap();
        pager.checkpoint().unwrap();
        assert_eq!(
            buffer.as_slice(),
            first,
            "round {round}: overwritten under a reader"
        );
    }
    drop(pager);
    assert_eq!(buffer.as_slice(), first, "a buffer outlives its pager");
}

fn early_writes_are_invisible_until_put(harness: &mut dyn Harness) {
    let mut pager = harness.fresh();
    let bytes = value(5, 200_000);
    let early = pager.write_early(&bytes).unwrap();
    assert_eq!(early.as_slice(), bytes);
    assert!(keys(&*pager, 0, u64::MAX).is_empty());
    drop(pager.write_early(&value(6, 200_000)).unwrap());
    let tiny = pager.write_early(b"tiny").unwrap();
    pager.checkpoint().unwrap();
    let batch = WriteBatch {
        puts: vec![(PhysicalKey(1), early), (PhysicalKey(2), tiny)],
        frees: Vec::new(),
    };
    pager.commit(batch).unwrap();
    for _ in 0..2 {
        assert_eq!(get(&*pager, 1).unwrap(), bytes);
        assert_eq!(get(&*pager, 2).unwrap(), b"tiny");
        pager = harness.reopen(pager);
    }
}

fn one_early_blob_under_two_keys(harness: &mut dyn Harness) {
    let mut pager = harness.fresh();
    let bytes = value(5, 100_000);
    let early = pager.write_early(&bytes).unwrap();
    let batch = WriteBatch {
        puts: vec![(PhysicalKey(1), early.clone()), (PhysicalKey(2), early)],
        frees: Vec::new(),
    };
    pager.commit(batch).unwrap();
    // A value that was read may be stored again, under another key.
    let read = pager.batch_get(&[PhysicalKey(1)]).unwrap()[0]
        .clone()
        .unwrap();
    let again = WriteBatch {
        puts: vec![(PhysicalKey(3), read)],
        frees: vec![PhysicalKey(1)],
    };
    pager.commit(again).unwrap();
    pager.checkpoint().unwrap();
    pager.commit(puts(&[(4, &value(9, 100_000))])).unwrap();
    pager.checkpoint().unwrap();
    pager.commit(puts(&[(5, &value(10, 100_000))])).unwrap();
    for _ in 0..2 {
        assert_eq!(get(&*pager, 1), None);
        assert_eq!(get(&*pager, 2).unwrap(), bytes);
        assert_eq!(get(&*pager, 3).unwrap(), bytes);
        pager = harness.reopen(pager);
    }
}

fn far_apart_keys(harness: &mut dyn Harness) {
    let mut pager = harness.fresh();
    let far = [
        0,
        1,
        127,
        128,
        1 << 20,
        1 << 40,
        (1 << 63) + 5,
        u64::MAX - 1,
    ];
    for key in far {
        pager.commit(puts(&[(key, &key.to_le_bytes())])).unwrap();
    }
    for _ in 0..2 {
        for key in far {
            assert_eq!(get(&*pager, key).unwrap(), key.to_le_bytes());
            assert_eq!(get(&*pager, key ^ 2), None);
        }
        assert_eq!(keys(&*pager, 0, u64::MAX), far);
        assert_eq!(keys(&*pager, 128, 1 << 40), [128, 1 << 20]);
        pager = harness.reopen(pager);
    }
    pager.commit(frees(&far)).unwrap();
    assert!(keys(&*pager, 0, u64::MAX).is_empty());
    assert!(
        pager
            .commit(puts(&[(u64::MAX, b"the key space ends before")]))
            .is_err()
    );
}

fn group_commit_from_threads(harness: &mut dyn Harness) {
    let pager = harness.fresh();
    std::thread::scope(|scope| {
        for thread in 0..4_u64 {
            let pager = Arc::clone(&pager);
            scope.spawn(move || {
                let mut last = CommitId(0);
                for i in 0..50_u64 {
                    let key = thread * 1000 + i;
                    let id = pager.commit(puts(&[(key, &key.to_le_bytes())])).unwrap();
                    assert!(id > last && pager.stats().durable_commit >= id);
                    assert_eq!(get(&*pager, key).unwrap(), key.to_le_bytes());
                    last = id;
                }
            });
        }
    });
    assert_eq!(pager.stats().last_commit, CommitId(200));
    let pager = harness.reopen(pager);
    assert_eq!(pager.stats().key_count, 200);
    for key in [0, 49, 1000, 3049] {
        assert_eq!(get(&*pager, key).unwrap(), key.to_le_bytes());
    }
}

fn checkpoint_beside_readers_and_writers(harness: &mut dyn Harness) {
    let pager = harness.fresh();
    // Each commit writes the same tag under all keys: a reader's pin must see one tag only.
    let write = |tag: u64| WriteBatch {
        puts: (0..8)
            .map(|key| (PhysicalKey(key * 100), blob(tag, 5000)))
            .collect(),
        frees: Vec::new(),
    };
    pager.commit(write(0)).unwrap();
    let wanted: Vec<PhysicalKey> = (0..8).map(|key| PhysicalKey(key * 100)).collect();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for tag in 1..60 {
                pager.commit(write(tag)).unwrap();
            }
        });
        let checkpointer = scope.spawn(|| {
            for _ in 0..15 {
                pager.checkpoint().unwrap();
            }
        });
        while !writer.is_finished() || !checkpointer.is_finished() {
            let pin = pager.pin();
            let seen = pin.batch_get(&wanted).unwrap();
            let first = seen[0].as_ref().unwrap();
            assert_eq!(first.as_slice(), value(pin.commit_id().0 - 1, 5000));
            assert!(seen.iter().all(|b| b.as_ref() == Some(first)));
        }
    });
}

#[derive(Debug, Clone)]
enum Step {
    Commit(Vec<(u64, usize)>, Vec<u64>),
    Early(u64, usize),
    Checkpoint,
    Compact,
    Reopen,
    Pin,
    Unpin,
}

fn step() -> impl Strategy<Value = Step> {
    let key = prop_oneof![0..40_u64, 120..135_u64, Just(1 << 33)];
    let len = prop_oneof![4 => 0..600_usize, 2 => 600..10_000_usize, 1 => 60_000..140_000_usize];
    let batch = (
        prop::collection::vec((key.clone(), len.clone()), 0..5),
        prop::collection::vec(key.clone(), 0..4),
    );
    prop_oneof![
        10 => batch.prop_map(|(puts, frees)| Step::Commit(puts, frees)),
        2 => (key, len).prop_map(|(key, len)| Step::Early(key, len)),
        3 => Just(Step::Checkpoint),
        1 => Just(Step::Compact),
        1 => Just(Step::Reopen),
        2 => Just(Step::Pin),
        1 => Just(Step::Unpin),
    ]
}

type Model = BTreeMap<u64, Vec<u8>>;

fn random_scripts_agree_with_a_map(harness: &mut dyn Harness) {
    let config = Config {
        cases: if super::long() { 1000 } else { 40 },
        failure_persistence: None,
        max_shrink_iters: 200,
        ..Config::default()
    };
    let harness = std::cell::RefCell::new(harness);
    TestRunner::new(config)
        .run(&prop::collection::vec(step(), 1..40), |steps| {
            run_script(&mut **harness.borrow_mut(), steps);
            Ok(())
        })
        .unwrap();
}

fn run_script(harness: &mut dyn Harness, steps: Vec<Step>) {
    let mut pager = harness.fresh();
    let mut model = Model::new();
    let mut pins: Vec<(Box<dyn llkv_storage::Pin>, Model)> = Vec::new();
    for (number, step) in steps.into_iter().enumerate() {
        let tag = number as u64 * 100;
        match step {
            Step::Commit(entries, freed) => {
                let mut batch = frees(&freed);
                freed.iter().for_each(|key| drop(model.remove(key)));
                for (i, (key, len)) in entries.into_iter().enumerate() {
                    let bytes = value(tag + i as u64, len);
                    batch
                        .puts
                        .push((PhysicalKey(key), Blob::from_bytes(&bytes)));
                    model.insert(key, bytes);
                }
                pager.commit(batch).unwrap();
            }
            Step::Early(key, len) => {
                let bytes = value(tag, len);
                let early = pager.write_early(&bytes).unwrap();
                let batch = WriteBatch {
                    puts: vec![(PhysicalKey(key), early)],
                    frees: Vec::new(),
                };
                pager.commit(batch).unwrap();
                model.insert(key, bytes);
            }
            Step::Checkpoint => pager.checkpoint().unwrap(),
            Step::Compact => pager.compact(&CancelToken::new()).unwrap(),
            Step::Reopen => {
                pins.clear();
                pager = harness.reopen(pager);
            }
            Step::Pin => pins.push((pager.pin(), model.clone())),
            Step::Unpin => drop(pins.pop()),
        }
        let found = keys(&*pager, 0, u64::MAX);
        assert_eq!(found, model.keys().copied().collect::<Vec<_>>());
        pager.check(&CancelToken::new()).unwrap();
        for (pin, then) in &pins {
            let found = pin.keys_in(PhysicalKey(0)..PhysicalKey(u64::MAX)).unwrap();
            assert!(found.iter().map(|key| key.0).eq(then.keys().copied()));
            assert_agrees(then, &|wanted| pin.batch_get(wanted).unwrap());
        }
        assert_agrees(&model, &|wanted| pager.batch_get(wanted).unwrap());
    }
}

fn assert_agrees(model: &Model, read: &dyn Fn(&[PhysicalKey]) -> Vec<Option<Blob>>) {
    let universe: Vec<PhysicalKey> = (0..135).chain([1 << 33]).map(PhysicalKey).collect();
    for (key, found) in universe.iter().zip(read(&universe)) {
        assert_eq!(
            found.as_ref().map(Blob::as_slice),
            model.get(&key.0).map(Vec::as_slice),
            "key {key}"
        );
    }
}
