//! The checker finds what was put into a history for it to find, and nothing in histories that are right.

use crate::checker::{Anomaly, check, is_serializable};
use crate::history::{Element, History, Kept, Key, Op, Outcome, Txn};
use crate::simulated::Chance;

const fn list(number: u32) -> Key {
    Key {
        kept: Kept::Text,
        number,
    }
}

const X: Key = list(1);
const Y: Key = list(2);
const Z: Key = list(3);
const SET: Key = Key {
    kept: Kept::Set,
    number: 4,
};

fn append(key: Key, element: Element) -> Op {
    Op::Append(key, element)
}

fn read(key: Key, elements: &[Element]) -> Op {
    Op::Read(key, elements.to_vec())
}

/// A committed transaction that runs beside all others.
fn beside(ops: Vec<Op>) -> Txn {
    Txn {
        ops,
        outcome: Outcome::Committed,
        began: 0,
        ended: u64::MAX,
    }
}

fn found(txns: Vec<Txn>) -> Vec<Anomaly> {
    found_with(txns, Vec::new())
}

fn found_with(txns: Vec<Txn>, undone: Vec<Element>) -> Vec<Anomaly> {
    let mut found: Vec<Anomaly> = check(&History { txns, undone })
        .into_iter()
        .map(|(anomaly, _)| anomaly)
        .collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn a_right_history_has_nothing() {
    let txns = vec![
        beside(vec![append(X, 1), append(Y, 2), append(SET, 3)]),
        beside(vec![
            read(X, &[1]),
            append(X, 4),
            read(X, &[1, 4]),
            append(X, 5),
        ]),
        beside(vec![read(X, &[1, 4, 5]), read(Y, &[2]), read(SET, &[3])]),
        beside(vec![read(X, &[]), read(SET, &[])]),
    ];
    assert_eq!(found(txns), []);
}

#[test]
fn elements_that_must_not_be_there() {
    let aborted = |ops| Txn {
        outcome: Outcome::Aborted,
        ..beside(ops)
    };
    assert_eq!(found(vec![beside(vec![read(X, &[7])])]), [Anomaly::Unknown]);
    let elsewhere = vec![beside(vec![append(Y, 1)]), beside(vec![read(X, &[1])])];
    assert_eq!(found(elsewhere), [Anomaly::Unknown]);
    let twice = vec![beside(vec![append(X, 1)]), beside(vec![read(X, &[1, 1])])];
    assert!(found(twice).contains(&Anomaly::Duplicate));
    for key in [X, SET] {
        let aborted = vec![aborted(vec![append(key, 1)]), beside(vec![read(key, &[1])])];
        assert_eq!(found(aborted), [Anomaly::AbortedRead]);
    }
    let taken_back = found_with(vec![beside(vec![read(X, &[1])])], vec![1]);
    assert_eq!(taken_back, [Anomaly::AbortedRead]);
}

#[test]
fn reads_that_contradict_their_own_transaction() {
    let forgets = vec![beside(vec![append(X, 1), read(X, &[])])];
    assert_eq!(found(forgets), [Anomaly::Internal]);
    let forgets = vec![beside(vec![append(SET, 1), read(SET, &[])])];
    assert_eq!(found(forgets), [Anomaly::Internal]);
    for key in [X, SET] {
        let changes = vec![
            beside(vec![append(key, 1)]),
            beside(vec![read(key, &[]), read(key, &[1])]),
        ];
        assert!(found(changes).contains(&Anomaly::Internal));
    }
}

#[test]
fn intermediate_reads() {
    for key in [X, SET] {
        let txns = vec![
            beside(vec![append(key, 1), append(key, 2)]),
            beside(vec![read(key, &[1])]),
            beside(vec![read(key, &[1, 2])]),
        ];
        assert!(found(txns).contains(&Anomaly::IntermediateRead));
    }
}

#[test]
fn orders_that_contradict_each_other() {
    let txns = vec![
        beside(vec![append(X, 1)]),
        beside(vec![append(X, 2)]),
        beside(vec![read(X, &[1, 2])]),
        beside(vec![read(X, &[2, 1])]),
    ];
    assert_eq!(found(txns), [Anomaly::IncompatibleOrder]);
}

#[test]
fn elements_that_are_gone() {
    for key in [X, SET] {
        let mut txns = vec![beside(vec![append(key, 1)]), beside(vec![read(key, &[])])];
        assert_eq!(found(txns.clone()), []);
        (txns[0].ended, txns[1].began) = (5, 6);
        assert!(found(txns).contains(&Anomaly::Lost));
    }
    // COMMIT did not tell, but another read has seen it.
    let mut txns = vec![
        beside(vec![append(X, 1), append(Y, 2)]),
        beside(vec![read(X, &[1])]),
        beside(vec![read(Y, &[])]),
    ];
    txns[0].outcome = Outcome::Unknown;
    (txns[0].ended, txns[2].began) = (5, 6);
    assert_eq!(found(txns.clone()), [Anomaly::Lost]);
    txns.remove(1);
    assert_eq!(found(txns), []);
}

#[test]
fn write_cycles() {
    let txns = vec![
        beside(vec![append(X, 1), append(Y, 2)]),
        beside(vec![append(X, 3), append(Y, 4)]),
        beside(vec![read(X, &[1, 3])]),
        beside(vec![read(Y, &[4, 2])]),
    ];
    assert!(found(txns).contains(&Anomaly::WriteCycle));
}

#[test]
fn circular_information() {
    let txns = vec![
        beside(vec![append(X, 1), read(Y, &[2])]),
        beside(vec![append(Y, 2), read(X, &[1])]),
    ];
    assert_eq!(found(txns), [Anomaly::CircularInformation]);
    let sets = vec![
        beside(vec![append(SET, 1), read(Y, &[2])]),
        beside(vec![append(Y, 2), read(SET, &[1])]),
    ];
    assert_eq!(found(sets), [Anomaly::CircularInformation]);
}

#[test]
fn a_read_that_sees_a_part_of_a_transaction() {
    for key in [Y, SET] {
        let txns = vec![
            beside(vec![append(X, 1), append(key, 2)]),
            beside(vec![read(X, &[1]), read(key, &[])]),
            beside(vec![read(key, &[2])]),
        ];
        assert_eq!(found(txns), [Anomaly::SingleAntiDependency]);
    }
}

#[test]
fn lost_updates() {
    let txns = vec![
        beside(vec![read(X, &[]), append(X, 1)]),
        beside(vec![read(X, &[]), append(X, 2)]),
        beside(vec![read(X, &[1, 2])]),
    ];
    assert_eq!(
        found(txns),
        [Anomaly::LostUpdate, Anomaly::SingleAntiDependency]
    );
}

/// Two readers that see two independent commits in different orders: a long fork.
#[test]
fn a_long_fork() {
    let txns = vec![
        beside(vec![append(X, 1)]),
        beside(vec![append(Y, 2)]),
        beside(vec![read(X, &[1]), read(Y, &[])]),
        beside(vec![read(X, &[]), read(Y, &[2])]),
        beside(vec![read(X, &[1]), read(Y, &[2])]),
    ];
    assert_eq!(found(txns), [Anomaly::SeparateAntiDependencies]);
}

/// A snapshot that is older than the transaction: its commit is not seen though it had ended.
#[test]
fn a_stale_snapshot() {
    let mut txns = vec![
        beside(vec![append(X, 1)]),
        beside(vec![append(Z, 5)]),
        beside(vec![read(X, &[]), append(Y, 2)]),
        beside(vec![read(X, &[1]), read(Y, &[2])]),
    ];
    assert_eq!(found(txns.clone()), []);
    (txns[0].ended, txns[1].began, txns[1].ended, txns[2].began) = (3, 4, 5, 6);
    assert_eq!(found(txns), [Anomaly::Lost, Anomaly::SingleAntiDependency]);
}

/// What snapshot isolation allows.
#[test]
fn write_skew_is_no_finding() {
    let txns = vec![
        beside(vec![read(X, &[]), read(Y, &[]), append(X, 1)]),
        beside(vec![read(X, &[]), read(Y, &[]), append(Y, 2)]),
        beside(vec![read(X, &[1]), read(Y, &[2])]),
    ];
    assert_eq!(found(txns.clone()), []);
    let undone = Vec::new();
    assert!(!is_serializable(&History { txns, undone }));
}

/// A serial history, and the same with one thing changed.
#[test]
fn a_change_anywhere_is_found() {
    let mut missed = Vec::new();
    for seed in 0..400 {
        let mut chance = Chance::new(seed);
        let mut history = serial(&mut chance);
        assert_eq!(check(&history), [], "seed {seed}");
        let what = spoil(&mut history, &mut chance);
        if check(&history).is_empty() {
            missed.push((seed, what));
        }
    }
    assert!(missed.is_empty(), "{missed:?}");
}

fn serial(chance: &mut Chance) -> History {
    let mut state: std::collections::HashMap<Key, Vec<Element>> = Default::default();
    let mut history = History::default();
    let mut element = 0;
    for number in 0..60 {
        let mut ops = Vec::new();
        for _ in 0..=chance.below(4) {
            let key = *chance.pick(&[X, Y, SET]);
            let list = state.entry(key).or_default();
            if chance.percent(50) {
                element += 1;
                list.push(element);
                ops.push(append(key, element));
            } else {
                ops.push(read(key, list));
            }
        }
        history.txns.push(Txn {
            ops,
            outcome: Outcome::Committed,
            began: number * 2,
            ended: number * 2 + 1,
        });
    }
    let all = [X, Y, SET].map(|key| read(key, state.get(&key).map_or(&[], Vec::as_slice)));
    history.txns.push(Txn {
        ops: all.to_vec(),
        outcome: Outcome::Committed,
        began: 1_000,
        ended: 1_001,
    });
    history
}

/// Changes one read, or how a transaction ended, or drops a write.
fn spoil(history: &mut History, chance: &mut Chance) -> &'static str {
    loop {
        let count = history.txns.len() as u64;
        let txn = &mut history.txns[chance.below(count) as usize];
        let at = chance.below(txn.ops.len() as u64) as usize;
        match (&mut txn.ops[at], chance.below(4)) {
            (Op::Read(_, list), 0) if !list.is_empty() => {
                list.pop();
                return "a read without its last element";
            }
            (Op::Read(_, list), 1) if !list.is_empty() => {
                list.remove(0);
                return "a read without its first element";
            }
            (Op::Read(key, list), 2) if list.len() > 1 && key.kept != Kept::Set => {
                let last = list.len() - 1;
                list.swap(0, last);
                return "a read in another order";
            }
            (Op::Append(..), 3) => {
                txn.outcome = Outcome::Aborted;
                return "a transaction that was aborted after all";
            }
            _ => {}
        }
    }
}
