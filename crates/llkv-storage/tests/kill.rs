//! `kill -9` of a real process with four writers and a loader: what it acknowledged is there.
//!
//! The child tells every acknowledged commit through a pipe; the parent kills it at a random moment,
//! reads the pipe to its end, opens the file and compares. The same file goes on to the next cycle.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{get, puts, value};
use llkv_storage::{FilePager, FilePagerOptions, Pager, WriteBatch};
use llkv_types::PhysicalKey;
use rand::rngs::SmallRng;
use rand::{Rng, SeedableRng};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

const WRITERS: u64 = 4;
/// The loader's name in acknowledgements.
const LOADER: u64 = 9;
const LOADED: u64 = 6;

fn open(path: &Path) -> FilePager {
    let options = FilePagerOptions {
        log_bytes: 512 << 10,
        ..FilePagerOptions::default()
    };
    FilePager::open(path, options).unwrap()
}

/// The keys of one writer, all written by each of its commits.
fn keys_of(writer: u64) -> [u64; 3] {
    [writer * 1000, writer * 1000 + 1, writer * 1000 + 300]
}

/// The number of the last commit that a writer's first key tells.
fn number_at(pager: &FilePager, key: u64) -> u64 {
    get(pager, key).map_or(0, |bytes| {
        u64::from_le_bytes(bytes[..8].try_into().unwrap())
    })
}

fn stamped(number: u64, key: u64, len: usize) -> Vec<u8> {
    let mut bytes = number.to_le_bytes().to_vec();
    bytes.extend(value(number ^ (key << 32), len));
    bytes
}

fn small_len(number: u64, key: u64) -> usize {
    ((number * 31 + key) % 3000) as usize
}

fn write_loop(pager: &FilePager, writer: u64) -> ! {
    let mut number = number_at(pager, keys_of(writer)[0]);
    loop {
        number += 1;
        let values = keys_of(writer).map(|key| (key, stamped(number, key, small_len(number, key))));
        let entries = values
            .each_ref()
            .map(|(key, bytes)| (*key, bytes.as_slice()));
        pager.commit(puts(&entries)).unwrap();
        acknowledge(writer, number);
    }
}

fn load_loop(pager: &FilePager) -> ! {
    let mut number = number_at(pager, LOADER * 1000);
    loop {
        number += 1;
        let mut batch = WriteBatch::default();
        for key in LOADER * 1000..LOADER * 1000 + LOADED {
            let early = pager.write_early(&stamped(number, key, 150_000)).unwrap();
            batch.puts.push((PhysicalKey(key), early));
        }
        pager.commit(batch).unwrap();
        acknowledge(LOADER, number);
    }
}

/// One line, written at once: the pipe takes it whole.
fn acknowledge(who: u64, number: u64) {
    let line = format!("ack {who} {number}\n");
    let mut out = std::io::stdout().lock();
    if out
        .write_all(line.as_bytes())
        .and_then(|()| out.flush())
        .is_err()
    {
        std::process::exit(0);
    }
}

/// The process that is killed. Without its variable in the environment it is not asked.
#[test]
fn child() {
    let Some(path) = std::env::var_os("LLKV_TEST_KILLED").map(PathBuf::from) else {
        return;
    };
    let pager = open(&path);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let pager = &pager;
            scope.spawn(move || write_loop(pager, writer));
        }
        load_loop(&pager)
    });
}

/// Runs the child for a while, counted from its start or from its first acknowledgement; gives the last acknowledged number of each writer.
fn run_and_kill(path: &Path, life: Duration, wait_for_first: bool) -> [u64; 10] {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("LLKV_TEST_KILLED", path)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let pipe = BufReader::new(child.stdout.take().unwrap());
    let (first, started) = std::sync::mpsc::channel();
    let reader = std::thread::spawn(move || {
        let mut last = [0; 10];
        for line in pipe.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
            // The test runner's own words share the line with the first acknowledgement.
            let Some((_, ack)) = line.rsplit_once("ack ") else {
                continue;
            };
            if let Some((who, number)) = ack.split_once(' ') {
                let who: usize = who.parse().unwrap();
                last[who] = number.parse().unwrap();
                let _ = first.send(());
            }
        }
        last
    });
    if wait_for_first {
        // However busy the machine is. An error means that it ended without a word.
        let _ = started.recv_timeout(Duration::from_secs(60));
    }
    std::thread::sleep(life);
    child.kill().unwrap();
    child.wait().unwrap();
    reader.join().unwrap()
}

/// Each writer's keys are of one commit, no earlier than the last acknowledged.
fn check(path: &Path, acknowledged: &[u64; 10], cycle: u64) -> u64 {
    let pager = open(path);
    pager.verify().unwrap();
    let mut total = 0;
    for writer in 0..WRITERS {
        let number = number_at(&pager, keys_of(writer)[0]);
        let acked = acknowledged[writer as usize];
        assert!(
            number >= acked,
            "cycle {cycle}: writer {writer} lost {acked}, has {number}"
        );
        for key in keys_of(writer).into_iter().filter(|_| number > 0) {
            let expected = stamped(number, key, small_len(number, key));
            assert_eq!(
                get(&pager, key).unwrap(),
                expected,
                "cycle {cycle}: key {key}"
            );
        }
        total += number;
    }
    let number = number_at(&pager, LOADER * 1000);
    assert!(
        number >= acknowledged[LOADER as usize],
        "cycle {cycle}: the loader lost a commit"
    );
    for key in (LOADER * 1000..LOADER * 1000 + LOADED).filter(|_| number > 0) {
        let found = get(&pager, key).unwrap();
        assert!(
            found == stamped(number, key, 150_000),
            "cycle {cycle}: key {key}"
        );
    }
    total + number
}

#[test]
fn what_was_acknowledged_survives_kill() {
    if std::env::var_os("LLKV_TEST_KILLED").is_some() {
        return;
    }
    let cycles = if common::long() { 5000 } else { 100 };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("killed.llkv");
    let mut random = SmallRng::seed_from_u64(42);
    let mut commits = 0;
    for cycle in 0..cycles {
        let life = Duration::from_millis(random.random_range(0..80));
        // Every fourth is killed while it opens the file, recovers, or has hardly begun.
        let acknowledged = run_and_kill(&path, life, cycle % 4 != 0);
        if path.exists() {
            commits = check(&path, &acknowledged, cycle);
        }
        assert!(path.exists() || acknowledged == [0; 10]);
    }
    assert!(
        commits > cycles,
        "{commits} commits in {cycles} cycles: the child hardly ran"
    );
    let size = std::fs::metadata(&path).unwrap().len();
    assert!(
        size < 40 << 20,
        "the file grew to {size} bytes: space is not reused"
    );
}
