//! One session and the transaction that it is in, as the history will have it.

use crate::history::{Element, Key, Op, Outcome, Txn};
use crate::lists;
use crate::simulated::{Chance, Failure, failure, run};
use llkv_result::Result;
use llkv_sql::Session;
use std::sync::atomic::{AtomicU64, Ordering};

/// Moments of real time, and elements and operations that were handed out, for all threads.
#[derive(Debug, Default)]
pub struct Clock {
    moment: AtomicU64,
    element: AtomicU64,
    operation: AtomicU64,
}

impl Clock {
    pub fn now(&self) -> u64 {
        self.moment.fetch_add(1, Ordering::SeqCst)
    }

    fn element(&self) -> Element {
        1 + self.element.fetch_add(1, Ordering::Relaxed)
    }

    pub fn operations(&self) -> u64 {
        self.operation.load(Ordering::Relaxed)
    }
}

/// What the connection was about to do when the disk failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskFailed;

pub struct Connection<'a> {
    session: Session,
    clock: &'a Clock,
    open: Option<Open>,
    /// What has ended; the end of those that wait for the disk is not settled yet.
    ended: Vec<Txn>,
    unsettled: Option<Txn>,
    undone: Vec<Element>,
    pub conflicts: u64,
}

struct Open {
    txn: Txn,
    /// Operations that it will have.
    planned: u64,
    /// Operations before the savepoint.
    savepoint: Option<usize>,
}

impl<'a> Connection<'a> {
    pub fn new(session: Session, clock: &'a Clock) -> Self {
        Self {
            session,
            clock,
            open: None,
            ended: Vec::new(),
            unsettled: None,
            undone: Vec::new(),
            conflicts: 0,
        }
    }

    pub fn is_idle(&self) -> bool {
        self.open.is_none()
    }

    /// Runs a statement that belongs to no transaction of the history.
    pub fn maintain(&self, statement: &str) -> Result<(), DiskFailed> {
        match run(&self.session, statement) {
            Ok(_) => Ok(()),
            Err(error) => {
                assert_eq!(failure(&error), Failure::Disk, "{statement}: {error}");
                Err(DiskFailed)
            }
        }
    }

    /// The next thing that this session does.
    pub fn step(&mut self, chance: &mut Chance) -> Result<(), DiskFailed> {
        let Some(open) = &self.open else {
            return self.begin(chance);
        };
        if open.txn.ops.len() as u64 >= open.planned {
            let end = if chance.percent(85) {
                "COMMIT"
            } else {
                "ROLLBACK"
            };
            return self.end(end);
        }
        match (open.savepoint, chance.below(20)) {
            (None, 0) => self.set_savepoint(),
            (Some(_), 0..4) => self.go_back(),
            _ => self.operate(chance),
        }
    }

    fn begin(&mut self, chance: &mut Chance) -> Result<(), DiskFailed> {
        let txn = Txn {
            ops: Vec::new(),
            outcome: Outcome::Unknown,
            began: self.clock.now(),
            ended: u64::MAX,
        };
        let open = |planned| Open {
            txn,
            planned,
            savepoint: None,
        };
        if chance.percent(20) {
            // One statement, without BEGIN.
            self.open = Some(open(1));
            return self.operate(chance);
        }
        self.open = Some(open(1 + chance.below(6)));
        run(&self.session, "BEGIN").unwrap();
        Ok(())
    }

    fn operate(&mut self, chance: &mut Chance) -> Result<(), DiskFailed> {
        let number = self.clock.operation.fetch_add(1, Ordering::Relaxed);
        let key = lists::choose(chance, number);
        let done = match chance.percent(50) {
            true => lists::read(&self.session, chance, key).map(|list| Op::Read(key, list)),
            false => self.append(chance, key),
        };
        let is_alone = !self.session.in_transaction();
        match done {
            Ok(op) => {
                self.open.as_mut().unwrap().txn.ops.push(op);
                if is_alone {
                    self.close(Outcome::Committed);
                }
                Ok(())
            }
            Err(error) => match failure(&error) {
                Failure::Disk => {
                    self.fail(is_alone);
                    Err(DiskFailed)
                }
                Failure::Conflict | Failure::Constraint => {
                    self.conflicts += 1;
                    if !is_alone {
                        run(&self.session, "ROLLBACK").unwrap();
                    }
                    self.close(Outcome::Aborted);
                    Ok(())
                }
            },
        }
    }

    /// What is appended stands in the history before it is tried: a commit that fails may have happened.
    fn append(&mut self, chance: &mut Chance, key: Key) -> Result<Op> {
        let element = self.clock.element();
        let done = lists::append(&self.session, chance, key, element);
        if done.is_err() {
            let open = self.open.as_mut().unwrap();
            open.txn.ops.push(Op::Append(key, element));
        }
        done.map(|()| Op::Append(key, element))
    }

    fn end(&mut self, how: &str) -> Result<(), DiskFailed> {
        let ended = run(&self.session, how);
        let outcome = match (how, ended) {
            ("COMMIT", Ok(_)) => Outcome::Committed,
            (_, Ok(_)) => Outcome::Aborted,
            (_, Err(error)) => match failure(&error) {
                Failure::Disk => {
                    self.fail(true);
                    return Err(DiskFailed);
                }
                Failure::Conflict | Failure::Constraint => {
                    self.conflicts += 1;
                    Outcome::Aborted
                }
            },
        };
        self.close(outcome);
        Ok(())
    }

    fn set_savepoint(&mut self) -> Result<(), DiskFailed> {
        run(&self.session, "SAVEPOINT s").unwrap();
        let open = self.open.as_mut().unwrap();
        open.savepoint = Some(open.txn.ops.len());
        Ok(())
    }

    /// What was appended since must never be seen; what was read since may have been of it.
    fn go_back(&mut self) -> Result<(), DiskFailed> {
        run(&self.session, "ROLLBACK TO s; RELEASE s").unwrap();
        let open = self.open.as_mut().unwrap();
        let kept = open.savepoint.take().unwrap();
        for op in open.txn.ops.drain(kept..) {
            if let Op::Append(_, element) = op {
                self.undone.push(element);
            }
        }
        // It might go on for ever.
        open.planned -= 1;
        Ok(())
    }

    fn close(&mut self, outcome: Outcome) {
        let mut txn = self.open.take().unwrap().txn;
        (txn.outcome, txn.ended) = (outcome, self.clock.now());
        self.ended.push(txn);
    }

    /// The disk failed while this connection waited for it; it may have committed.
    fn fail(&mut self, may_have_committed: bool) {
        match may_have_committed {
            true => self.unsettled = self.open.take().map(|open| open.txn),
            false => self.close(Outcome::Aborted),
        }
    }

    /// Leaves the database, with what it did.
    pub fn end_session(mut self) -> Left<'a> {
        if self.open.is_some() {
            self.close(Outcome::Aborted);
        }
        Left {
            clock: self.clock,
            ended: self.ended,
            unsettled: self.unsettled,
            undone: self.undone,
        }
    }
}

/// What a connection leaves behind.
pub struct Left<'a> {
    clock: &'a Clock,
    ended: Vec<Txn>,
    unsettled: Option<Txn>,
    undone: Vec<Element>,
}

impl Left<'_> {
    /// The database is open again, which settles what was not.
    pub fn settle(mut self) -> (Vec<Txn>, Vec<Element>) {
        if let Some(mut txn) = self.unsettled.take() {
            txn.ended = self.clock.now();
            self.ended.push(txn);
        }
        (self.ended, self.undone)
    }
}

/// Reads all lists in one transaction.
pub fn read_all(session: &Session, clock: &Clock, keys: &[Key]) -> Txn {
    let mut chance = Chance::new(0);
    let began = clock.now();
    run(session, "BEGIN").unwrap();
    let ops = keys.iter().map(|key| {
        let list = lists::read(session, &mut chance, *key).unwrap();
        Op::Read(*key, list)
    });
    let ops = ops.collect();
    run(session, "COMMIT").unwrap();
    Txn {
        ops,
        outcome: Outcome::Committed,
        began,
        ended: clock.now(),
    }
}

/// The lists that a history has appended to.
pub fn keys_of(txns: &[Txn]) -> Vec<Key> {
    let ops = txns.iter().flat_map(|txn| &txn.ops);
    let mut keys: Vec<Key> = ops
        .map(|op| match op {
            Op::Append(key, _) | Op::Read(key, _) => *key,
        })
        .collect();
    keys.sort_unstable();
    keys.dedup();
    keys
}
