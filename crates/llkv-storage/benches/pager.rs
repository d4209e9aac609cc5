//! What a pager costs: a batch into the log, a durable commit, a look-up, a bulk load.
//!
//! Run with `cargo bench -p llkv-storage --bench pager`. Set `TMPDIR` to a folder on the disk that
//! counts: on a memory file system a sync costs nothing.
#![allow(
    missing_docs,
    clippy::unwrap_used,
    reason = "a bench stops at the first surprise"
)]

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use llkv_storage::{Blob, FilePager, FilePagerOptions, MemPager, Pager, ReadMode, WriteBatch};
use llkv_types::PhysicalKey;
use std::hint::black_box;
use std::os::unix::fs::FileExt;
use std::sync::Arc;
use tempfile::TempDir;

fn open(read_mode: ReadMode) -> (TempDir, FilePager) {
    let folder = tempfile::tempdir().unwrap();
    let options = FilePagerOptions {
        read_mode,
        ..FilePagerOptions::default()
    };
    let pager = FilePager::open(folder.path().join("bench.llkv"), options).unwrap();
    (folder, pager)
}

fn small(key: u64) -> WriteBatch {
    WriteBatch {
        puts: vec![(PhysicalKey(key % 1000), Blob::from_bytes(&[key as u8; 100]))],
        frees: Vec::new(),
    }
}

fn preallocated() -> std::fs::File {
    let file = tempfile::tempfile().unwrap();
    file.write_all_at(&vec![1; 8 << 20], 0).unwrap();
    file.sync_all().unwrap();
    file
}

fn commits(c: &mut Criterion) {
    let mut group = c.benchmark_group("commit of 100 bytes");
    let (_folder, pager) = open(ReadMode::Map);
    let mut key = 0;
    group.bench_function("log, not synced", |b| {
        b.iter(|| {
            key += 1;
            pager.log(small(key)).unwrap()
        });
    });
    group.bench_function("durable", |b| {
        b.iter(|| {
            key += 1;
            pager.commit(small(key)).unwrap()
        });
    });
    // What the disk itself takes, at the same moment: the floor under a durable commit.
    let file = preallocated();
    let mut at = 0;
    group.bench_function("a bare write of 4 KiB and fdatasync in place", |b| {
        b.iter(|| {
            at = (at + 4096) % (8 << 20);
            file.write_all_at(&[key as u8; 4096], at).unwrap();
            file.sync_data().unwrap();
        });
    });
    let memory = MemPager::new();
    group.bench_function("memory", |b| {
        b.iter(|| {
            key += 1;
            memory.commit(small(key)).unwrap()
        });
    });
    group.finish();
}

fn group_commit(c: &mut Criterion) {
    let (_folder, pager) = open(ReadMode::Map);
    let pager = Arc::new(pager);
    let mut group = c.benchmark_group("group commit");
    for threads in [1_u64, 2, 4, 16] {
        group.throughput(Throughput::Elements(threads * 100));
        group.sample_size(10);
        group.bench_function(format!("{threads} threads, 100 commits each"), |b| {
            b.iter(|| {
                std::thread::scope(|scope| {
                    for thread in 0..threads {
                        let pager = &pager;
                        scope.spawn(move || {
                            for i in 0..100 {
                                pager.commit(small(thread * 100 + i)).unwrap();
                            }
                        });
                    }
                });
            });
        });
    }
    group.finish();
}

fn reads(c: &mut Criterion) {
    let mut group = c.benchmark_group("batch_get of one key, 64 KiB");
    for mode in [ReadMode::Map, ReadMode::Pool] {
        let (_folder, pager) = open(mode);
        for key in 0..500 {
            let batch = WriteBatch {
                puts: vec![(PhysicalKey(key), Blob::from(vec![key as u8; 64 << 10]))],
                frees: Vec::new(),
            };
            pager.log(batch).unwrap();
        }
        pager.checkpoint().unwrap();
        let mut key = 0;
        group.bench_function(format!("{mode:?}"), |b| {
            b.iter(|| {
                key = (key + 7) % 500;
                black_box(pager.batch_get(&[PhysicalKey(key)]).unwrap())
            });
        });
    }
    group.finish();
}

fn bulk(c: &mut Criterion) {
    const VALUE: usize = 1 << 20;
    let value = vec![7_u8; VALUE];
    let mut group = c.benchmark_group("bulk");
    group.sample_size(10);
    group.throughput(Throughput::Bytes(64 * VALUE as u64));
    group.bench_function("64 values of 1 MiB, early, one commit", |b| {
        b.iter_batched(
            || open(ReadMode::Map),
            |(folder, pager)| {
                let mut batch = WriteBatch::default();
                for key in 0..64 {
                    batch
                        .puts
                        .push((PhysicalKey(key), pager.write_early(&value).unwrap()));
                }
                pager.commit(batch).unwrap();
                (folder, pager)
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

fn open_large(c: &mut Criterion) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("large.llkv");
    let pager = FilePager::open(&path, FilePagerOptions::default()).unwrap();
    let value = vec![1_u8; 4000];
    for start in (0..100_000).step_by(1000) {
        let puts = (start..start + 1000).map(|key| (PhysicalKey(key), Blob::from_bytes(&value)));
        pager
            .log(WriteBatch {
                puts: puts.collect(),
                frees: Vec::new(),
            })
            .unwrap();
    }
    pager.close().unwrap();
    c.bench_function("open 100,000 keys, 400 MB, read one, close", |b| {
        b.iter(|| {
            let pager = FilePager::open(&path, FilePagerOptions::default()).unwrap();
            pager.batch_get(&[PhysicalKey(77_777)]).unwrap()
        });
    });
}

criterion_group!(benches, commits, group_commit, reads, bulk, open_large);
criterion_main!(benches);
