//! Sessions on threads of their own: nothing is lost, nothing is seen in part.

#![allow(clippy::unwrap_used)]

mod common;

use common::{create, insert, select, update};
use llkv_runtime::{RuntimeEngine, RuntimeOptions};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

fn small_checkpoints() -> RuntimeOptions {
    let mut options = RuntimeOptions::default();
    // Checkpoints run all the time beside the writers.
    (options.checkpoint_rows, options.checkpoint_commits) = (64, 16);
    options
}

fn increment_with_retry(engine: &RuntimeEngine, key: i64, times: usize) {
    let mut session = engine.session();
    for _ in 0..times {
        loop {
            let done = update(&mut session, "t", key..=key, (0, 1));
            match done {
                Ok(rows) => {
                    assert_eq!(rows, 1);
                    break;
                }
                Err(error) => assert!(error.is_retryable(), "{error}"),
            }
            thread::yield_now();
        }
    }
}

fn count_together(engine: &RuntimeEngine) {
    const THREADS: usize = 8;
    const TIMES: usize = 60;
    let mut session = engine.session();
    create(&mut session, "t", true).unwrap();
    insert(&mut session, "t", &[(0, 0), (1, 0)]).unwrap();
    thread::scope(|scope| {
        for thread in 0..THREADS {
            scope.spawn(move || increment_with_retry(engine, (thread % 2) as i64, TIMES));
        }
    });
    let each = (THREADS / 2 * TIMES) as i64;
    assert_eq!(select(&mut session, "t").unwrap(), [(0, each), (1, each)]);
    assert!(engine.verify().unwrap().is_empty());
}

#[test]
fn increments_of_eight_threads_are_all_kept() {
    let engine = RuntimeEngine::in_memory(small_checkpoints()).unwrap();
    count_together(&engine);
}

#[test]
fn increments_survive_reopening_the_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counters.llkv");
    let engine = RuntimeEngine::open(&path, small_checkpoints()).unwrap();
    count_together(&engine);
    let before = select(&mut engine.session(), "t").unwrap();
    engine.close().unwrap();
    let engine = RuntimeEngine::open(&path, RuntimeOptions::default()).unwrap();
    assert_eq!(select(&mut engine.session(), "t").unwrap(), before);
}

/// Writers move an amount between two rows; readers must find the same sum whenever they look.
#[test]
fn readers_see_whole_transactions() {
    let engine = RuntimeEngine::in_memory(small_checkpoints()).unwrap();
    let mut session = engine.session();
    create(&mut session, "t", false).unwrap();
    insert(&mut session, "t", &[(0, 500), (1, 500), (2, 500)]).unwrap();
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let (engine, stop) = (&engine, &stop);
        let writers: Vec<_> = (0..2i64)
            .map(|writer| {
                scope.spawn(move || {
                    let mut session = engine.session();
                    for step in 0..80 {
                        let (from, to) = ((step + writer) % 3, (step + writer + 1) % 3);
                        session.begin(false).unwrap();
                        let moved = update(&mut session, "t", from..=from, (0, -7))
                            .and_then(|_| update(&mut session, "t", to..=to, (0, 7)))
                            .and_then(|_| session.commit());
                        if session.in_transaction() {
                            assert!(moved.unwrap_err().is_retryable());
                            session.rollback().unwrap();
                        }
                    }
                })
            })
            .collect();
        scope.spawn(move || {
            let mut session = engine.session();
            while !stop.load(Ordering::Relaxed) {
                let rows = select(&mut session, "t").unwrap();
                assert_eq!(rows.len(), 3, "{rows:?}");
                assert_eq!(rows.iter().map(|r| r.1).sum::<i64>(), 1_500, "{rows:?}");
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        stop.store(true, Ordering::Relaxed);
    });
}

/// Two transactions insert one key at the same time: one of them commits.
#[test]
fn a_key_is_inserted_once() {
    let engine = RuntimeEngine::in_memory(RuntimeOptions::default()).unwrap();
    create(&mut engine.session(), "t", true).unwrap();
    thread::scope(|scope| {
        for thread in 0..4i64 {
            let engine = &engine;
            scope.spawn(move || {
                let mut session = engine.session();
                for key in 0..100 {
                    if let Err(error) = insert(&mut session, "t", &[(key, thread)]) {
                        let duplicate = error.sqlstate() == "23505";
                        assert!(duplicate || error.is_retryable(), "{error}");
                    }
                }
            });
        }
    });
    let keys: Vec<i64> = select(&mut engine.session(), "t")
        .unwrap()
        .iter()
        .map(|r| r.0)
        .collect();
    let expected: Vec<i64> = (0..100).collect();
    assert_eq!(keys, expected);
}
