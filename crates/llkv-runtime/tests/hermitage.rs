//! The Hermitage scenarios: what snapshot isolation prevents, and the two anomalies that it allows, and that are prevented where
//! transactions are to be serializable.
//!
//! After Martin Kleppmann's collection of isolation tests; each starts with the rows (1, 10), (2, 20).

#![allow(clippy::unwrap_used)]

mod common;

use common::{create, delete, insert, select, update};
use llkv_plan::IsolationLevel;
use llkv_runtime::{RuntimeEngine, RuntimeOptions, RuntimeSession};

fn sessions() -> [RuntimeSession; 3] {
    let engine = RuntimeEngine::in_memory(RuntimeOptions::default()).unwrap();
    let mut setup = engine.session();
    create(&mut setup, "t", true).unwrap();
    insert(&mut setup, "t", &[(1, 10), (2, 20)]).unwrap();
    [(); 3].map(|()| engine.session())
}

/// Sets `v` of one row; the rows' values are known at each step, so an increment will do.
fn set(session: &mut RuntimeSession, k: i64, from: i64, to: i64) -> llkv_result::Result<u64> {
    update(session, "t", k..=k, (0, to - from))
}

fn all(session: &mut RuntimeSession) -> Vec<(i64, i64)> {
    select(session, "t").unwrap()
}

#[test]
fn g0_write_cycles_are_prevented() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    set(&mut a, 1, 10, 11).unwrap();
    let error = set(&mut b, 1, 10, 12).unwrap_err();
    assert!(
        error.is_retryable() && error.sqlstate() == "40001",
        "{error}"
    );
    assert!(error.to_string().contains("\"t\""), "{error}");
    set(&mut a, 2, 20, 21).unwrap();
    a.commit().unwrap();
    assert!(!b.commit().unwrap(), "a conflict aborts the transaction");
    assert_eq!(all(&mut a), [(1, 11), (2, 21)]);
}

#[test]
fn g1a_aborted_reads_are_prevented() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    set(&mut a, 1, 10, 101).unwrap();
    assert_eq!(all(&mut b), [(1, 10), (2, 20)]);
    a.rollback().unwrap();
    assert_eq!(all(&mut b), [(1, 10), (2, 20)]);
    b.commit().unwrap();
}

#[test]
fn g1b_intermediate_reads_are_prevented() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    set(&mut a, 1, 10, 101).unwrap();
    assert_eq!(all(&mut b), [(1, 10), (2, 20)]);
    set(&mut a, 1, 101, 11).unwrap();
    a.commit().unwrap();
    assert_eq!(all(&mut b), [(1, 10), (2, 20)]);
    b.commit().unwrap();
    assert_eq!(all(&mut b), [(1, 11), (2, 20)]);
}

#[test]
fn g1c_circular_information_flow_is_prevented() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    set(&mut a, 1, 10, 11).unwrap();
    set(&mut b, 2, 20, 22).unwrap();
    assert_eq!(all(&mut a), [(1, 11), (2, 20)]);
    assert_eq!(all(&mut b), [(1, 10), (2, 22)]);
    a.commit().unwrap();
    b.commit().unwrap();
}

#[test]
fn otv_an_observed_transaction_does_not_vanish() {
    let [mut a, mut b, mut c] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    set(&mut a, 1, 10, 11).unwrap();
    set(&mut a, 2, 20, 19).unwrap();
    assert!(set(&mut b, 1, 10, 12).is_err());
    a.commit().unwrap();
    c.begin(false).unwrap();
    assert_eq!(all(&mut c), [(1, 11), (2, 19)]);
    b.rollback().unwrap();
    assert_eq!(all(&mut c), [(1, 11), (2, 19)]);
    c.commit().unwrap();
}

#[test]
fn pmp_predicates_see_one_moment() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    assert!(all(&mut a).iter().all(|(_, v)| *v != 30));
    insert(&mut b, "t", &[(3, 30)]).unwrap();
    b.commit().unwrap();
    assert_eq!(all(&mut a), [(1, 10), (2, 20)]);
    a.commit().unwrap();
    assert_eq!(all(&mut a), [(1, 10), (2, 20), (3, 30)]);
}

#[test]
fn pmp_for_writes_is_a_conflict() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    update(&mut a, "t", 1..=2, (0, 10)).unwrap();
    assert!(delete(&mut b, "t", 2..=2).unwrap_err().is_retryable());
    a.commit().unwrap();
    b.rollback().unwrap();
    assert_eq!(all(&mut b), [(1, 20), (2, 30)]);
}

#[test]
fn p4_lost_updates_are_prevented() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    assert_eq!(all(&mut a), all(&mut b));
    set(&mut a, 1, 10, 11).unwrap();
    a.commit().unwrap();
    // The first updater is not active any more, and wins nevertheless.
    assert!(set(&mut b, 1, 10, 11).unwrap_err().is_retryable());
    b.rollback().unwrap();
    assert_eq!(all(&mut b), [(1, 11), (2, 20)]);
}

#[test]
fn g_single_read_skew_is_prevented() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    assert_eq!(all(&mut a).first(), Some(&(1, 10)));
    b.begin(false).unwrap();
    set(&mut b, 1, 10, 12).unwrap();
    set(&mut b, 2, 20, 18).unwrap();
    b.commit().unwrap();
    assert_eq!(all(&mut a), [(1, 10), (2, 20)]);
    // Nor may it write on the ground of what it read.
    assert!(delete(&mut a, "t", 2..=2).unwrap_err().is_retryable());
}

/// Write skew: both read both rows, each writes another one. Snapshot isolation allows it.
#[test]
fn g2_item_write_skew_is_allowed() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    assert_eq!(all(&mut a), all(&mut b));
    set(&mut a, 1, 10, 11).unwrap();
    set(&mut b, 2, 20, 21).unwrap();
    assert!(a.commit().unwrap() && b.commit().unwrap());
    assert_eq!(all(&mut a), [(1, 11), (2, 21)]);
}

/// The same with rows that a predicate did not find. Snapshot isolation allows it.
#[test]
fn g2_anti_dependency_cycles_are_allowed() {
    let [mut a, mut b, _] = sessions();
    a.begin(false).unwrap();
    b.begin(false).unwrap();
    assert!(all(&mut a).iter().all(|(_, v)| v % 3 != 0));
    assert!(all(&mut b).iter().all(|(_, v)| v % 3 != 0));
    insert(&mut a, "t", &[(3, 30)]).unwrap();
    insert(&mut b, "t", &[(4, 42)]).unwrap();
    assert!(a.commit().unwrap() && b.commit().unwrap());
    assert_eq!(all(&mut a).len(), 4);
}

#[test]
fn g2_item_write_skew_is_prevented_where_transactions_are_serializable() {
    let [mut a, mut b, _] = sessions();
    a.begin_at(IsolationLevel::Serializable, false).unwrap();
    b.begin_at(IsolationLevel::Serializable, false).unwrap();
    assert_eq!(all(&mut a), all(&mut b));
    set(&mut a, 1, 10, 11).unwrap();
    set(&mut b, 2, 20, 21).unwrap();
    assert!(a.commit().unwrap());
    assert!(b.commit().unwrap_err().is_retryable());
    assert_eq!(all(&mut a), [(1, 11), (2, 20)]);
}

#[test]
fn g2_anti_dependency_cycles_are_prevented_where_transactions_are_serializable() {
    let [mut a, mut b, _] = sessions();
    a.begin_at(IsolationLevel::Serializable, false).unwrap();
    b.begin_at(IsolationLevel::Serializable, false).unwrap();
    assert!(all(&mut a).iter().all(|(_, v)| v % 3 != 0));
    assert!(all(&mut b).iter().all(|(_, v)| v % 3 != 0));
    insert(&mut a, "t", &[(3, 30)]).unwrap();
    insert(&mut b, "t", &[(4, 42)]).unwrap();
    assert!(b.commit().unwrap());
    assert!(a.commit().unwrap_err().is_retryable());
    assert_eq!(all(&mut a).len(), 3);
}

/// A reader beside two writers sees what one order of them leaves (the read-only anomaly of Fekete, O'Neil and O'Neil).
#[test]
fn g2_a_reader_sees_an_order_of_serializable_transactions() {
    let [mut a, mut b, mut reader] = sessions();
    a.begin_at(IsolationLevel::Serializable, false).unwrap();
    assert_eq!(all(&mut a), [(1, 10), (2, 20)]);
    b.begin_at(IsolationLevel::Serializable, false).unwrap();
    set(&mut b, 2, 20, 25).unwrap();
    assert!(b.commit().unwrap());
    reader.begin_at(IsolationLevel::Serializable, true).unwrap();
    assert_eq!(all(&mut reader), [(1, 10), (2, 25)]);
    assert!(reader.commit().unwrap());
    // It has not seen what the reader has.
    set(&mut a, 1, 10, 0).unwrap();
    assert!(a.commit().unwrap_err().is_retryable());
}
