//! Transactions larger than a row group: encoded early, read and changed before the commit.

#![allow(clippy::unwrap_used)]

mod common;

use common::{Row, create, delete, insert, select, update};
use llkv_runtime::{RuntimeEngine, RuntimeOptions, RuntimeSession};
use llkv_storage::{BoxedPager, MemPager};
use llkv_types::ROW_GROUP_ROWS;
use std::sync::Arc;

const GROUP: i64 = ROW_GROUP_ROWS as i64;

fn load(session: &mut RuntimeSession, keys: impl Iterator<Item = i64>) {
    let rows: Vec<Row> = keys.map(|k| (k, k * 2)).collect();
    for batch in rows.chunks(8_192) {
        insert(session, "t", batch).unwrap();
    }
}

fn open(pager: &BoxedPager) -> RuntimeEngine {
    RuntimeEngine::with_pager(Arc::clone(pager), RuntimeOptions::default()).unwrap()
}

#[test]
fn own_row_groups_are_seen_changed_and_taken_back() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    let mut expected: Vec<Row> = (0..GROUP + 5_000).map(|k| (k, k * 2)).collect();
    {
        let engine = open(&pager);
        let mut session = engine.session();
        create(&mut session, "t", true).unwrap();
        session.begin(false).unwrap();
        load(&mut session, 0..GROUP + 5_000);
        assert_eq!(select(&mut session, "t").unwrap(), expected);
        session.savepoint("s").unwrap();
        load(&mut session, GROUP + 5_000..2 * GROUP + 100);
        assert_eq!(
            delete(&mut session, "t", 10..=GROUP + 9).unwrap() as i64,
            GROUP
        );
        session.rollback_to("s").unwrap();
        assert_eq!(select(&mut session, "t").unwrap(), expected);
        // Rows of a written group and loose ones, deleted and changed.
        assert_eq!(delete(&mut session, "t", 100..=199).unwrap(), 100);
        assert_eq!(
            update(&mut session, "t", GROUP - 5..=GROUP + 4, (0, 1)).unwrap(),
            10
        );
        let duplicate = insert(&mut session, "t", &[(50, 0)]).unwrap_err();
        assert_eq!(duplicate.sqlstate(), "23505");
        session.rollback_to("s").unwrap();
        assert_eq!(delete(&mut session, "t", 100..=199).unwrap(), 100);
        insert(&mut session, "t", &[(150, 1)]).unwrap();
        assert_eq!(
            update(&mut session, "t", GROUP - 5..=GROUP + 4, (0, 1)).unwrap(),
            10
        );
        assert!(session.commit().unwrap());
        expected.retain(|(k, _)| !(100..200).contains(k));
        expected.push((150, 1));
        for row in &mut expected {
            row.1 += i64::from((GROUP - 5..GROUP + 5).contains(&row.0));
        }
        expected.sort_unstable();
        assert_eq!(select(&mut session, "t").unwrap(), expected);
    }
    let engine = open(&pager);
    assert_eq!(select(&mut engine.session(), "t").unwrap(), expected);
    assert!(engine.verify().unwrap().is_empty());
}

/// More keys than are remembered one by one, in no order: duplicates are found all the same.
#[test]
fn keys_in_descending_order_are_unique_too() {
    let engine = RuntimeEngine::in_memory(RuntimeOptions::default()).unwrap();
    let (mut session, mut other) = (engine.session(), engine.session());
    create(&mut session, "t", true).unwrap();
    other.begin(false).unwrap();
    insert(&mut other, "t", &[(77, 0)]).unwrap();
    session.begin(false).unwrap();
    load(&mut session, (0..GROUP + 1_000).rev());
    session.savepoint("s").unwrap();
    assert_eq!(
        insert(&mut session, "t", &[(-1, 0), (GROUP, 0)])
            .unwrap_err()
            .sqlstate(),
        "23505"
    );
    session.rollback_to("s").unwrap();
    insert(&mut session, "t", &[(-1, 0)]).unwrap();
    assert!(session.commit().unwrap());
    assert_eq!(
        select(&mut session, "t").unwrap().len() as i64,
        GROUP + 1_001
    );
    assert!(
        other.commit().unwrap_err().is_retryable(),
        "the key came meanwhile"
    );
}
