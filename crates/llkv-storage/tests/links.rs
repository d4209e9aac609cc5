//! A database that is opened by a symbolic link is the one that the link leads to, log and all.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use llkv_storage::{Blob, FilePager, FilePagerOptions, Pager, WriteBatch};
use llkv_types::PhysicalKey;
use std::os::unix::fs::symlink;

fn batch(key: u64) -> WriteBatch {
    WriteBatch {
        puts: vec![(PhysicalKey(key), Blob::from_bytes(&[7; 100]))],
        frees: Vec::new(),
    }
}

#[test]
fn the_log_lies_beside_the_file_that_a_link_leads_to() {
    let folder = tempfile::tempdir().unwrap();
    let (real, links) = (folder.path().join("real"), folder.path().join("links"));
    std::fs::create_dir(&real).unwrap();
    std::fs::create_dir(&links).unwrap();
    // The file is not there yet: it comes where the links lead to.
    symlink("../real/a.llkv", links.join("b.llkv")).unwrap();
    symlink("b.llkv", links.join("c.llkv")).unwrap();
    for (opened, key) in [
        (links.join("c.llkv"), 1),
        (real.join("a.llkv"), 2),
        (links.join("b.llkv"), 3),
    ] {
        let pager = FilePager::open(&opened, FilePagerOptions::default()).unwrap();
        pager.commit(batch(key)).unwrap();
        assert!(real.join("a.llkv-wal").exists(), "{opened:?}");
        assert_eq!(std::fs::read_dir(&links).unwrap().count(), 2, "{opened:?}");
        let keys = pager
            .pin()
            .keys_in(PhysicalKey(0)..PhysicalKey(99))
            .unwrap();
        assert_eq!(keys.len() as u64, key);
        pager.close().unwrap();
    }
    assert!(
        std::fs::symlink_metadata(links.join("b.llkv"))
            .unwrap()
            .is_symlink()
    );
}

#[test]
fn links_that_lead_round_and_round_are_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.llkv");
    symlink("a.llkv", &path).unwrap();
    let opened = FilePager::open(&path, FilePagerOptions::default());
    let message = opened.map(drop).unwrap_err().to_string();
    assert!(message.contains("symbolic links"), "{message}");
}
