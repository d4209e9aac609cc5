//! Damaged, foreign, locked and read-only files: an error that says what and where, or the right
//! answer; never a wrong answer, and not a byte changed.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test stops at the first surprise"
)]

mod common;

use common::{puts, value};
use llkv_result::{Error, StorageError};
use llkv_storage::disk::sim::SimDisk;
use llkv_storage::{Blob, FilePager, FilePagerOptions, Pager, ReadMode};
use llkv_types::PhysicalKey;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

const PATH: &str = "damaged.llkv";
const LOG: &str = "damaged.llkv-wal";

type Contents = BTreeMap<u64, Vec<u8>>;

fn options(read_mode: ReadMode) -> FilePagerOptions {
    FilePagerOptions {
        log_bytes: 128 << 10,
        read_mode,
        background_checkpoint: false,
        ..FilePagerOptions::default()
    }
}

/// A cleanly closed database with values of all sizes, freed space and a manifest of two levels.
fn sample() -> (SimDisk, Contents) {
    let disk = SimDisk::new(1);
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options(ReadMode::Pool)).unwrap();
    let mut contents = Contents::new();
    for key in 0..60_u64 {
        let key = key * 11;
        let len = [0, 100, 500, 513, 4000, 9000, 70_000][key as usize % 7];
        pager.commit(puts(&[(key, &value(key, len))])).unwrap();
        contents.insert(key, value(key, len));
        if key % 5 == 0 {
            pager.checkpoint().unwrap();
            pager.commit(common::frees(&[key])).unwrap();
            contents.remove(&key);
        }
    }
    pager.close().unwrap();
    (disk, contents)
}

/// Opens for reading and reads everything; the errors must name the file. Damage may hide values,
/// never change them, and reading changes nothing.
fn read_all(disk: &SimDisk, contents: &Contents, what: &str) -> Result<(), Error> {
    let before = disk.contents(Path::new(PATH));
    for mode in [ReadMode::Map, ReadMode::Pool] {
        let result = read_in_mode(disk, contents, mode, what);
        assert_eq!(
            disk.contents(Path::new(PATH)),
            before,
            "{what}: the file was changed"
        );
        if let Err(error) = &result {
            assert!(error.to_string().contains(PATH), "{what}: {error}");
        }
        result?;
    }
    Ok(())
}

fn read_in_mode(
    disk: &SimDisk,
    contents: &Contents,
    mode: ReadMode,
    what: &str,
) -> Result<(), Error> {
    let disk = Arc::new(disk.clone().with_maps());
    let pager = FilePager::open_read_only_on(disk, PATH, options(mode))?;
    let keys = pager.keys_in(PhysicalKey(0)..PhysicalKey(u64::MAX))?;
    assert!(
        keys.iter().map(|k| k.0).eq(contents.keys().copied()),
        "{what}: other keys"
    );
    let mut first_error = None;
    for (key, bytes) in contents {
        match pager.batch_get(&[PhysicalKey(*key)]) {
            Ok(found) => assert_eq!(
                found[0].as_ref().map(Blob::as_slice),
                Some(bytes.as_slice()),
                "{what}: key {key}"
            ),
            Err(error) => {
                let named = matches!(
                    &error,
                    Error::Storage(StorageError::Corrupt { key: Some(k), offset, .. })
                        if k == key && *offset > 0
                );
                assert!(named, "{what}: {error}");
                first_error = Some(error);
            }
        }
    }
    first_error.map_or(Ok(()), Err)
}

#[test]
fn a_flipped_bit_in_every_block_is_an_error_or_harmless() {
    let (disk, contents) = sample();
    read_all(&disk, &contents, "undamaged").unwrap();
    let len = disk.contents(Path::new(PATH)).unwrap().len() as u64;
    let mut errors = 0;
    for block in 0..len.div_ceil(4096) {
        for at in [0, 1 + block * 37 % 4000] {
            let bit = ((block * 4096 + at).min(len - 1)) * 8 + block % 8;
            let copy = disk.fork(block);
            assert!(copy.flip_bit(Path::new(PATH), bit));
            errors += u64::from(read_all(&copy, &contents, &format!("bit {bit}")).is_err());
        }
    }
    assert!(errors > len / 4096 / 2, "only {errors} flips were noticed");
}

#[test]
fn a_flipped_bit_in_any_byte_of_a_root_leaves_the_other() {
    let (disk, contents) = sample();
    for root in [0, 64 << 10] {
        for byte in 0..4096 {
            let copy = disk.fork(byte);
            assert!(copy.flip_bit(Path::new(PATH), (root + byte) * 8 + byte % 8));
            let what = format!("root at {root}, byte {byte}");
            read_in_mode(&copy, &contents, ReadMode::Pool, &what).unwrap();
        }
    }
}

#[test]
fn a_damaged_root_is_mended_by_the_next_writer() {
    let (disk, contents) = sample();
    for root in [0, 64 << 10_usize] {
        let mut bytes = disk.contents(Path::new(PATH)).unwrap();
        bytes[root..root + 4096].fill(0xa5);
        let copy = disk.fork(1);
        copy.set_contents(Path::new(PATH), &bytes);
        read_all(&copy, &contents, "one root is noise").unwrap();
        let disk = Arc::new(copy.clone());
        drop(FilePager::open_on(disk, PATH, options(ReadMode::Pool)).unwrap());
        let mended = copy.contents(Path::new(PATH)).unwrap();
        assert_eq!(mended[..4096], mended[64 << 10..][..4096]);
        read_all(&copy, &contents, "mended").unwrap();
    }
    let mut bytes = disk.contents(Path::new(PATH)).unwrap();
    for root in [0, 64 << 10_usize] {
        bytes[root + 100] ^= 1;
    }
    disk.set_contents(Path::new(PATH), &bytes);
    let error = refused_for_writing(&disk);
    assert!(
        matches!(error, Error::Storage(StorageError::Corrupt { .. })),
        "{error}"
    );
}

fn refused_for_writing(disk: &SimDisk) -> Error {
    let before = disk.contents(Path::new(PATH));
    let opened = FilePager::open_on(Arc::new(disk.clone()), PATH, options(ReadMode::Pool));
    let error = opened.map(drop).unwrap_err();
    assert_eq!(
        disk.contents(Path::new(PATH)),
        before,
        "refusing changed the file"
    );
    assert_eq!(disk.contents(Path::new(LOG)), None, "refusing left a log");
    error
}

#[test]
fn every_truncation_is_an_error_or_harmless() {
    let (disk, contents) = sample();
    let bytes = disk.contents(Path::new(PATH)).unwrap();
    let mut errors = 0;
    for step in 0..200 {
        let len = bytes.len() * step / 200;
        disk.set_contents(Path::new(PATH), &bytes[..len]);
        if let Err(error) = read_all(&disk, &contents, &format!("cut to {len}")) {
            errors += 1;
            if len > 0 {
                refused_for_writing(&disk);
            }
            assert_ne!(error.sqlstate(), "XX000", "{error}");
        }
    }
    assert!(
        errors > 190,
        "only {errors} of 200 truncations were noticed"
    );
}

/// After a crash the log is needed. Whatever bit of it flips, what is found is the contents after
/// one of the commits.
#[test]
fn a_flipped_bit_in_the_log_cuts_the_story_short() {
    let disk = SimDisk::new(5);
    let pager = FilePager::open_on(Arc::new(disk.clone()), PATH, options(ReadMode::Pool)).unwrap();
    let mut states = vec![Contents::new()];
    for number in 1..30_u64 {
        let mut contents = states.last().unwrap().clone();
        let (key, bytes) = (number % 7, value(number, (number * 97 % 3000) as usize));
        pager
            .commit(puts(&[(key, &bytes), (key + 10, &bytes)]))
            .unwrap();
        contents.extend([(key, bytes.clone()), (key + 10, bytes)]);
        states.push(contents);
    }
    let crashed = disk.fork(1);
    drop(pager);
    crashed.power_cut();
    for byte in (0..64 << 10).step_by(97) {
        let copy = crashed.fork(byte);
        assert!(copy.flip_bit(Path::new(LOG), byte * 8 + byte % 8));
        let log = copy.contents(Path::new(LOG));
        let disk = Arc::new(copy.clone());
        let pager = FilePager::open_read_only_on(disk, PATH, options(ReadMode::Pool)).unwrap();
        let found = pager.stats().last_commit.0 as usize;
        for (key, bytes) in &states[found] {
            assert_eq!(
                common::get(&pager, *key).as_ref(),
                Some(bytes),
                "byte {byte}"
            );
        }
        drop(pager);
        assert_eq!(
            copy.contents(Path::new(LOG)),
            log,
            "replay by a reader changed the log"
        );
    }
}

/// Runs `open`, which must fail within 100 ms and leave the folder as it is.
fn refused(folder: &Path, what: &str, open: impl Fn() -> Result<(), Error>) -> Error {
    let before = listing(folder);
    // The best of several: others take the processor meanwhile.
    let mut best = Duration::MAX;
    let mut last = None;
    for _ in 0..20 {
        let start = Instant::now();
        last = open().err();
        best = best.min(start.elapsed());
        if best < Duration::from_millis(100) {
            break;
        }
    }
    assert!(best < Duration::from_millis(100), "{what}: took {best:?}");
    assert_eq!(listing(folder), before, "{what}: the folder was changed");
    last.expect(what)
}

fn listing(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let entries = std::fs::read_dir(folder).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    paths
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
        .collect()
}

fn open(path: &Path) -> Result<FilePager, Error> {
    FilePager::open(path, options(ReadMode::Map))
}

fn open_read_only(path: &Path) -> Result<FilePager, Error> {
    FilePager::open_read_only(path, options(ReadMode::Map))
}

fn make(path: &Path) {
    let pager = open(path).unwrap();
    pager
        .commit(puts(&[(1, b"one"), (2, &value(2, 100_000))]))
        .unwrap();
    pager.close().unwrap();
}

#[test]
fn a_second_opener_in_this_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.llkv");
    make(&path);
    let is_locked = |error: Error| matches!(error, Error::Storage(StorageError::Locked { .. }));

    let writer = open(&path).unwrap();
    writer.commit(puts(&[(3, b"three")])).unwrap();
    let second_writer = refused(folder.path(), "a second writer", || open(&path).map(drop));
    assert_eq!(
        second_writer.to_string(),
        format!(
            "{} is in use: one process may write to a database, or many may read it",
            path.display()
        )
    );
    assert!(is_locked(second_writer));
    let reader = || open_read_only(&path).map(drop);
    assert!(is_locked(refused(
        folder.path(),
        "a reader beside a writer",
        reader
    )));
    drop(writer);

    let first = open_read_only(&path).unwrap();
    let second = open_read_only(&path).unwrap();
    assert!(is_locked(refused(
        folder.path(),
        "a writer beside readers",
        || open(&path).map(drop)
    )));
    drop(first);
    assert_eq!(common::get(&second, 3).unwrap(), b"three");
    assert!(second.commit(puts(&[(4, b"four")])).is_err());
    drop(second);
    drop(open(&path).unwrap());
}

#[test]
fn an_opener_with_time_waits_for_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.llkv");
    make(&path);
    let within = |lock_timeout_ms| FilePagerOptions {
        lock_timeout_ms,
        ..FilePagerOptions::default()
    };
    let writer = open(&path).unwrap();
    let begun = Instant::now();
    let error = FilePager::open(&path, within(40)).unwrap_err();
    assert!(
        matches!(error, Error::Storage(StorageError::Locked { .. })),
        "{error}"
    );
    assert!(begun.elapsed() >= Duration::from_millis(40));
    std::thread::scope(|scope| {
        let waits = [false, true].map(|reads| {
            let (path, options) = (&path, within(600_000));
            scope.spawn(move || match reads {
                true => FilePager::open_read_only(path, options).map(drop),
                false => FilePager::open(path, options).map(drop),
            })
        });
        std::thread::sleep(Duration::from_millis(20));
        drop(writer);
        for waiting in waits {
            waiting.join().unwrap().unwrap();
        }
    });
}

/// The other process of the tests below: opens the file named by the environment and tells how it
/// went by its exit status. Without that variable it is not asked.
#[test]
fn other_process() {
    let Some(path) = std::env::var_os("LLKV_TEST_OTHER_PROCESS").map(PathBuf::from) else {
        return;
    };
    let reads = std::env::var_os("LLKV_TEST_READ_ONLY").is_some();
    let opened = || match reads {
        true => open_read_only(&path),
        false => open(&path),
    };
    let pager = opened();
    if matches!(&pager, Err(Error::Storage(StorageError::Locked { .. }))) {
        // Told at once; the best of several, because others take the processor meanwhile.
        let began = Instant::now();
        let is_quick = (0..20).any(|_| {
            let began = Instant::now();
            opened().is_err() && began.elapsed() < Duration::from_millis(100)
        });
        assert!(is_quick, "refused only after {:?}", began.elapsed());
    }
    let outcome = pager.and_then(|pager| {
        if reads {
            assert_eq!(common::get(&pager, 1).unwrap(), b"one");
            return Ok(());
        }
        pager.commit(puts(&[(9, b"nine")])).map(drop)
    });
    let code = match outcome {
        Ok(()) => 40,
        Err(Error::Storage(StorageError::Locked { .. })) => 41,
        Err(Error::Storage(StorageError::Io { source, .. }))
            if source.kind() == std::io::ErrorKind::PermissionDenied =>
        {
            42
        }
        Err(_) => 43,
    };
    std::process::exit(code);
}

/// Lets another process, of user nobody if `as_nobody`, open the file; gives its exit status.
fn in_another_process(program: &Path, path: &Path, read_only: bool, as_nobody: bool) -> i32 {
    let mut command = Command::new(program);
    command
        .args(["--exact", "other_process", "--quiet"])
        .env("LLKV_TEST_OTHER_PROCESS", path)
        .stdout(std::process::Stdio::null());
    if read_only {
        command.env("LLKV_TEST_READ_ONLY", "1");
    }
    if as_nobody {
        command.uid(65_534).gid(65_534);
    }
    command.status().unwrap().code().unwrap_or(-1)
}

#[test]
fn a_second_opener_in_another_process_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("held.llkv");
    make(&path);
    let program = std::env::current_exe().unwrap();
    let writer = open(&path).unwrap();
    writer.commit(puts(&[(3, b"three")])).unwrap();
    let before = listing(folder.path());
    assert_eq!(in_another_process(&program, &path, false, false), 41);
    assert_eq!(in_another_process(&program, &path, true, false), 41);
    assert_eq!(listing(folder.path()), before);
    drop(writer);
    let reader = open_read_only(&path).unwrap();
    assert_eq!(
        in_another_process(&program, &path, true, false),
        40,
        "readers share"
    );
    assert_eq!(in_another_process(&program, &path, false, false), 41);
    drop(reader);
    assert_eq!(in_another_process(&program, &path, false, false), 40);
}

#[test]
fn a_read_only_file_or_folder_is_refused_to_writers_and_serves_readers() {
    let folder = tempfile::tempdir().unwrap();
    let inner = folder.path().join("inner");
    std::fs::create_dir(&inner).unwrap();
    let path = inner.join("fixed.llkv");
    make(&path);
    // Permissions do not bind root, so the other process is nobody then, with a program it can reach.
    let as_nobody = rustix::process::getuid().is_root();
    let program = folder.path().join("program");
    std::fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let set = |path: &Path, mode| {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set(folder.path(), 0o755);
    set(&program, 0o755);
    let run = |read_only| in_another_process(&program, &path, read_only, as_nobody);

    set(&path, 0o444);
    set(&inner, 0o777);
    let before = listing(&inner);
    assert_eq!(run(false), 42, "a file without permission to write");
    assert_eq!(run(true), 40);
    set(&path, 0o666);
    set(&inner, 0o555);
    assert_eq!(run(false), 42, "a folder that takes no log");
    assert_eq!(run(true), 40);
    assert_eq!(listing(&inner), before);
    set(&inner, 0o777);
    assert_eq!(run(false), 40);
}

#[test]
fn a_newer_format_is_refused() {
    let (disk, _) = sample();
    let mut bytes = disk.contents(Path::new(PATH)).unwrap();
    for root in [0, 64 << 10_usize] {
        let slot = &mut bytes[root..root + 4096];
        slot[8..12].copy_from_slice(&3_u32.to_le_bytes());
        slot[12..16].copy_from_slice(&2_u32.to_le_bytes());
        let checksum = xxhash_rust::xxh3::xxh3_64(&slot[..4088]);
        slot[4088..].copy_from_slice(&checksum.to_le_bytes());
    }
    disk.set_contents(Path::new(PATH), &bytes);
    let error = refused_for_writing(&disk);
    assert!(
        matches!(
            error,
            Error::Storage(StorageError::NewerFormat {
                found: 2,
                supported: 1,
                ..
            })
        ),
        "{error}"
    );
    assert!(read_all(&disk, &Contents::new(), "newer").is_err());
}

#[test]
fn what_is_no_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.llkv");
    let samples: [(&str, Vec<u8>); 5] = [
        ("a short text", b"hello".to_vec()),
        ("one byte", vec![0]),
        ("a long text", b"id,name\n1,a\n".repeat(50_000)),
        ("zeros", vec![0; 200_000]),
        ("noise", value(1, 300_000)),
    ];
    for (what, bytes) in samples {
        std::fs::write(&path, bytes).unwrap();
        for read_only in [true, false] {
            let error = refused(folder.path(), what, || {
                if read_only {
                    open_read_only(&path).map(drop)
                } else {
                    open(&path).map(drop)
                }
            });
            let told = matches!(error, Error::Storage(StorageError::NotADatabase { .. }));
            assert!(told, "{what}: {error}");
        }
    }
    let error = refused(folder.path(), "a folder", || open(folder.path()).map(drop));
    assert!(
        matches!(error, Error::Storage(StorageError::Io { .. })),
        "{error}"
    );
    let missing = folder.path().join("missing.llkv");
    let error = refused(folder.path(), "no file", || {
        open_read_only(&missing).map(drop)
    });
    assert!(
        matches!(error, Error::Storage(StorageError::Io { .. })),
        "{error}"
    );
}

#[test]
fn an_empty_file_becomes_a_database() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("touched.llkv");
    std::fs::write(&path, b"").unwrap();
    make(&path);
    assert_eq!(common::get(&open(&path).unwrap(), 1).unwrap(), b"one");
}

/// A blob may outlive its pager. The next one, in this process, opens and does not write under it;
/// another process is kept away.
#[test]
fn a_blob_of_a_closed_pager_stays_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lent.llkv");
    make(&path);
    let pager = open(&path).unwrap();
    let read = |pager: &FilePager| {
        pager.batch_get(&[PhysicalKey(2)]).unwrap()[0]
            .clone()
            .unwrap()
    };
    let current = read(&pager);
    pager.commit(puts(&[(5, &value(5, 200_000))])).unwrap();
    let freed = pager.batch_get(&[PhysicalKey(5)]).unwrap()[0]
        .clone()
        .unwrap();
    pager.commit(common::frees(&[5])).unwrap();
    pager.close().unwrap();
    for round in 0..20 {
        let pager = open(&path).unwrap();
        for key in 10..20 {
            pager
                .commit(puts(&[(key, &value(round * 100 + key, 90_000))]))
                .unwrap();
        }
        pager.commit(puts(&[(2, &value(round, 100_000))])).unwrap();
        pager.checkpoint().unwrap();
        pager.verify().unwrap();
        assert_eq!(current.as_slice(), value(2, 100_000), "round {round}");
        assert_eq!(freed.as_slice(), value(5, 200_000), "round {round}");
        pager.close().unwrap();
    }
    let program = std::env::current_exe().unwrap();
    assert_eq!(in_another_process(&program, &path, false, false), 41);
    let size = || std::fs::metadata(&path).unwrap().len();
    let before = size();
    drop((current, freed));
    let pager = open(&path).unwrap();
    pager
        .commit(common::frees(&[10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 2]))
        .unwrap();
    pager.close().unwrap();
    assert!(size() < before / 3, "{} of {before} bytes are left", size());
    assert_eq!(in_another_process(&program, &path, false, false), 40);
}
