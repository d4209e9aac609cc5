//! Mistakes that engines of this kind have made, each once.

#![allow(clippy::unwrap_used)]

mod common;

use common::{create, delete, drop_table, info, insert, insert_or, query, rows_of, select, update};
use llkv_plan::{CatalogView, ConflictAction, PlanStatement};
use llkv_result::Error;
use llkv_runtime::{OnStatementError, RuntimeEngine, RuntimeOptions};
use llkv_storage::{BoxedPager, MemPager};
use std::sync::Arc;

fn engine() -> RuntimeEngine {
    RuntimeEngine::in_memory(RuntimeOptions::default()).unwrap()
}

fn open(pager: &BoxedPager) -> RuntimeEngine {
    RuntimeEngine::with_pager(Arc::clone(pager), RuntimeOptions::default()).unwrap()
}

/// Rolled-back rows came back after reopening, because the status of a transaction was not stored.
#[test]
fn rolled_back_rows_stay_away_after_reopening() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    {
        let mut session = open(&pager).session();
        create(&mut session, "t", true).unwrap();
        session.begin(false).unwrap();
        insert(&mut session, "t", &[(1, 1)]).unwrap();
        session.rollback().unwrap();
        insert(&mut session, "t", &[(2, 2)]).unwrap();
        session.begin(false).unwrap();
        insert(&mut session, "t", &[(3, 3)]).unwrap();
        // The session ends without a word.
    }
    assert_eq!(select(&mut open(&pager).session(), "t").unwrap(), [(2, 2)]);
}

/// A transaction id that was handed out again after a crash made rows of its first owner visible.
#[test]
fn commit_ids_go_on_after_reopening() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    let before = {
        let engine = open(&pager);
        let mut session = engine.session();
        create(&mut session, "t", false).unwrap();
        insert(&mut session, "t", &[(1, 1)]).unwrap();
        engine.last_committed()
    };
    let engine = open(&pager);
    assert_eq!(engine.last_committed(), before);
    insert(&mut engine.session(), "t", &[(2, 2)]).unwrap();
    assert_eq!(engine.last_committed(), before + 1);
}

/// The watermark was the largest committed id, so an older commit showed up in a running snapshot;
/// writes outside BEGIN were visible to every snapshot.
#[test]
fn a_snapshot_does_not_change_while_others_commit() {
    let engine = engine();
    let (mut reader, mut slow, mut quick) = (engine.session(), engine.session(), engine.session());
    create(&mut reader, "t", false).unwrap();
    slow.begin(false).unwrap();
    insert(&mut slow, "t", &[(1, 1)]).unwrap();
    insert(&mut quick, "t", &[(2, 2)]).unwrap();
    reader.begin(false).unwrap();
    assert_eq!(select(&mut reader, "t").unwrap(), [(2, 2)]);
    slow.commit().unwrap();
    insert(&mut quick, "t", &[(3, 3)]).unwrap();
    engine.checkpoint().unwrap();
    assert_eq!(select(&mut reader, "t").unwrap(), [(2, 2)]);
    reader.commit().unwrap();
    assert_eq!(select(&mut reader, "t").unwrap().len(), 3);
}

/// "duplicate key" on an UPDATE that keeps its key, or that moves all keys by one.
#[test]
fn an_update_may_keep_or_shift_its_keys() {
    let mut session = engine().session();
    create(&mut session, "t", true).unwrap();
    insert(&mut session, "t", &[(1, 1), (2, 2), (3, 3)]).unwrap();
    assert_eq!(update(&mut session, "t", 1..=3, (0, 5)).unwrap(), 3);
    assert_eq!(update(&mut session, "t", 1..=3, (1, 0)).unwrap(), 3);
    assert_eq!(select(&mut session, "t").unwrap(), [(2, 6), (3, 7), (4, 8)]);
    let error = update(&mut session, "t", 2..=2, (1, 0)).unwrap_err();
    assert_eq!(error.sqlstate(), "23505");
    assert_eq!(select(&mut session, "t").unwrap(), [(2, 6), (3, 7), (4, 8)]);
}

/// Deleting a row and inserting its key again, within one transaction and across a reopening.
#[test]
fn a_key_is_free_once_its_row_is_deleted() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    {
        let mut session = open(&pager).session();
        create(&mut session, "t", true).unwrap();
        insert(&mut session, "t", &[(1, 1), (2, 2)]).unwrap();
        session.begin(false).unwrap();
        delete(&mut session, "t", 1..=1).unwrap();
        insert(&mut session, "t", &[(1, 10)]).unwrap();
        let error = insert(&mut session, "t", &[(1, 11)]).unwrap_err();
        assert!(matches!(error, Error::Constraint(_)), "{error}");
        session.rollback().unwrap();
        delete(&mut session, "t", 2..=2).unwrap();
    }
    let engine = open(&pager);
    let mut session = engine.session();
    insert(&mut session, "t", &[(2, 20), (0, 0)]).unwrap();
    assert!(insert(&mut session, "t", &[(1, 11)]).is_err());
    engine.checkpoint().unwrap();
    assert!(insert(&mut session, "t", &[(2, 21)]).is_err());
    assert_eq!(
        select(&mut session, "t").unwrap(),
        [(0, 0), (1, 1), (2, 20)]
    );
}

#[test]
fn conflict_actions_work_row_by_row() {
    let mut session = engine().session();
    create(&mut session, "t", true).unwrap();
    insert(&mut session, "t", &[(1, 1)]).unwrap();
    let rows = [(1, 10), (2, 20), (2, 21)];
    assert_eq!(
        insert_or(&mut session, "t", &rows, ConflictAction::Ignore).unwrap(),
        1
    );
    assert_eq!(select(&mut session, "t").unwrap(), [(1, 1), (2, 20)]);
    let rows = [(1, 11), (3, 30), (3, 31)];
    assert_eq!(
        insert_or(&mut session, "t", &rows, ConflictAction::Replace).unwrap(),
        3
    );
    assert_eq!(
        select(&mut session, "t").unwrap(),
        [(1, 11), (2, 20), (3, 31)]
    );
}

/// A failed statement: PostgreSQL's meaning by default, SQLite's where it was asked for.
#[test]
fn a_failed_statement_aborts_or_is_undone() {
    let engine = engine();
    let mut session = engine.session();
    create(&mut session, "t", true).unwrap();
    session.begin(false).unwrap();
    insert(&mut session, "t", &[(1, 1)]).unwrap();
    assert!(insert(&mut session, "t", &[(2, 2), (1, 1)]).is_err());
    assert_eq!(select(&mut session, "t").unwrap_err().sqlstate(), "25P02");
    assert!(!session.commit().unwrap());
    assert_eq!(select(&mut session, "t").unwrap(), []);

    session.set_on_statement_error(OnStatementError::UndoStatement);
    session.begin(false).unwrap();
    insert(&mut session, "t", &[(1, 1)]).unwrap();
    assert!(insert(&mut session, "t", &[(2, 2), (1, 1)]).is_err());
    assert_eq!(select(&mut session, "t").unwrap(), [(1, 1)]);
    assert!(session.commit().unwrap());
    assert_eq!(select(&mut session, "t").unwrap(), [(1, 1)]);
}

#[test]
fn savepoints_nest() {
    let mut session = engine().session();
    create(&mut session, "t", true).unwrap();
    insert(&mut session, "t", &[(0, 0)]).unwrap();
    session.begin(false).unwrap();
    insert(&mut session, "t", &[(1, 1)]).unwrap();
    session.savepoint("a").unwrap();
    delete(&mut session, "t", 0..=1).unwrap();
    session.savepoint("b").unwrap();
    insert(&mut session, "t", &[(2, 2)]).unwrap();
    create(&mut session, "u", false).unwrap();
    session.rollback_to("b").unwrap();
    assert!(info(&session, "u").is_err());
    assert_eq!(select(&mut session, "t").unwrap(), []);
    session.rollback_to("a").unwrap();
    assert_eq!(session.rollback_to("b").unwrap_err().sqlstate(), "3B001");
    assert_eq!(select(&mut session, "t").unwrap(), [(0, 0), (1, 1)]);
    session.release("a").unwrap();
    session.commit().unwrap();
    assert_eq!(select(&mut session, "t").unwrap(), [(0, 0), (1, 1)]);
}

/// A stream reads what it began with, whatever happens to the table meanwhile.
#[test]
fn a_stream_outlives_commits_checkpoints_and_the_table() {
    let engine = engine();
    let (mut reader, mut writer) = (engine.session(), engine.session());
    create(&mut writer, "t", false).unwrap();
    insert(&mut writer, "t", &[(1, 1), (2, 2)]).unwrap();
    engine.checkpoint().unwrap();
    let stream = query(&mut reader, "t").unwrap();
    delete(&mut writer, "t", 1..=1).unwrap();
    engine.checkpoint().unwrap();
    drop_table(&mut writer, "t").unwrap();
    engine.checkpoint().unwrap();
    assert_eq!(rows_of(stream).unwrap(), [(1, 1), (2, 2)]);
}

#[test]
fn the_catalog_is_transactional() {
    let pager: BoxedPager = Arc::new(MemPager::new());
    {
        let engine = open(&pager);
        let (mut a, mut b) = (engine.session(), engine.session());
        a.begin(false).unwrap();
        create(&mut a, "t", false).unwrap();
        insert(&mut a, "t", &[(1, 1)]).unwrap();
        assert!(info(&b, "t").is_err(), "not committed yet");
        create(&mut b, "t", false).unwrap();
        assert!(
            a.commit().unwrap_err().is_retryable(),
            "the name was taken meanwhile"
        );
        // A table that is dropped under a writer, and one that two drop.
        a.begin(false).unwrap();
        insert(&mut a, "t", &[(2, 2)]).unwrap();
        drop_table(&mut b, "t").unwrap();
        assert!(a.commit().unwrap_err().is_retryable());
        create(&mut b, "t", true).unwrap();
        a.begin(false).unwrap();
        drop_table(&mut a, "t").unwrap();
        assert!(drop_table(&mut b, "t").unwrap_err().is_retryable());
        a.rollback().unwrap();
        insert(&mut b, "t", &[(3, 3)]).unwrap();
    }
    let engine = open(&pager);
    let mut session = engine.session();
    assert_eq!(select(&mut session, "t").unwrap(), [(3, 3)]);
    // The id of a dropped table is never used again, not even after a checkpoint and a reopening.
    let dropped = info(&session, "t").unwrap().id;
    drop_table(&mut session, "t").unwrap();
    engine.checkpoint().unwrap();
    drop((session, engine));
    let mut session = open(&pager).session();
    create(&mut session, "t", false).unwrap();
    assert!(info(&session, "t").unwrap().id > dropped);
}

#[test]
fn a_read_only_transaction_writes_nothing() {
    let mut session = engine().session();
    create(&mut session, "t", false).unwrap();
    session.begin(true).unwrap();
    assert_eq!(
        insert(&mut session, "t", &[(1, 1)]).unwrap_err().sqlstate(),
        "25006"
    );
    session.rollback().unwrap();
    assert!(matches!(
        session.execute(PlanStatement::Commit).unwrap_err(),
        Error::Transaction(llkv_result::TransactionError::NotActive)
    ));
}

#[test]
fn a_read_only_file_is_read_and_not_written() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("shop.llkv");
    {
        let engine = RuntimeEngine::open(&path, RuntimeOptions::default()).unwrap();
        let mut session = engine.session();
        create(&mut session, "t", true).unwrap();
        insert(&mut session, "t", &[(1, 1)]).unwrap();
        let second = RuntimeEngine::open(&path, RuntimeOptions::default());
        assert_eq!(second.unwrap_err().sqlstate(), "55006");
        drop(session);
        engine.close().unwrap();
    }
    let before = std::fs::read(&path).unwrap();
    {
        let engine = RuntimeEngine::open_read_only(&path, RuntimeOptions::default()).unwrap();
        let mut session = engine.session();
        assert_eq!(select(&mut session, "t").unwrap(), [(1, 1)]);
        assert_eq!(
            insert(&mut session, "t", &[(2, 2)]).unwrap_err().sqlstate(),
            "25006"
        );
        assert!(session.catalog_view().names().contains(&"t".to_owned()));
    }
    assert!(
        before == std::fs::read(&path).unwrap(),
        "not a byte changed"
    );
}
