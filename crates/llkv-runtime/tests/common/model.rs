//! Snapshot isolation in a hundred lines: rows with identities, sets of keys, no storage.

#![allow(unreachable_pub, clippy::indexing_slicing)]

use super::Row;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::RangeInclusive;

type Uid = u64;

/// How a statement or a commit must end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Rows(u64),
    Selected(Vec<Row>),
    Done,
    RolledBack,
    Duplicate,
    Conflict,
    /// A conflict is allowed but not asked for: keys of a statement that was undone may count.
    DoneOrConflict,
    Refused,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    Error,
    Ignore,
    Replace,
}

/// What a transaction changed.
#[derive(Debug, Clone, Default)]
struct Changes {
    inserted: BTreeMap<Uid, Row>,
    deleted: BTreeSet<Uid>,
}

#[derive(Debug, Clone)]
struct Txn {
    snapshot: usize,
    base: BTreeMap<Uid, Row>,
    changes: Changes,
    savepoints: Vec<(u8, Changes)>,
    keys: BTreeSet<i64>,
    maybe_keys: BTreeSet<i64>,
    aborted: bool,
}

pub struct Model {
    with_key: bool,
    undo_statements: bool,
    committed: BTreeMap<Uid, Row>,
    /// The keys that each commit inserted.
    commits: Vec<BTreeSet<i64>>,
    sessions: Vec<Option<Txn>>,
    next_uid: Uid,
}

impl Txn {
    fn view(&self) -> BTreeMap<Uid, Row> {
        let mut view = self.base.clone();
        view.retain(|uid, _| !self.changes.deleted.contains(uid));
        view.extend(self.changes.inserted.iter().map(|(uid, row)| (*uid, *row)));
        view
    }
}

impl Model {
    pub fn new(sessions: usize, with_key: bool, undo_statements: bool) -> Self {
        Self {
            with_key,
            undo_statements,
            committed: BTreeMap::new(),
            commits: Vec::new(),
            sessions: vec![None; sessions],
            next_uid: 0,
        }
    }

    /// All sessions end, as when the database is closed.
    pub fn reopen(&mut self) {
        self.sessions.iter_mut().for_each(|session| *session = None);
    }

    fn fresh(&self) -> Txn {
        Txn {
            snapshot: self.commits.len(),
            base: self.committed.clone(),
            changes: Changes::default(),
            savepoints: Vec::new(),
            keys: BTreeSet::new(),
            maybe_keys: BTreeSet::new(),
            aborted: false,
        }
    }

    pub fn begin(&mut self, session: usize) -> Outcome {
        if self.sessions[session].is_some() {
            return Outcome::Refused;
        }
        self.sessions[session] = Some(self.fresh());
        Outcome::Done
    }

    pub fn rollback(&mut self, session: usize) -> Outcome {
        match self.sessions[session].take() {
            Some(_) => Outcome::Done,
            None => Outcome::Refused,
        }
    }

    pub fn commit(&mut self, session: usize) -> Outcome {
        match self.sessions[session].take() {
            None => Outcome::Refused,
            Some(txn) if txn.aborted => Outcome::RolledBack,
            Some(txn) => self.commit_txn(txn),
        }
    }

    fn commit_txn(&mut self, txn: Txn) -> Outcome {
        if txn.changes.inserted.is_empty() && txn.changes.deleted.is_empty() {
            let since: BTreeSet<i64> = self.commits[txn.snapshot..]
                .iter()
                .flatten()
                .copied()
                .collect();
            let maybe = !since.is_disjoint(&txn.keys) || !since.is_disjoint(&txn.maybe_keys);
            return if maybe {
                Outcome::DoneOrConflict
            } else {
                Outcome::Done
            };
        }
        let since: BTreeSet<i64> = self.commits[txn.snapshot..]
            .iter()
            .flatten()
            .copied()
            .collect();
        if !since.is_disjoint(&txn.keys) {
            return Outcome::Conflict;
        }
        assert!(
            since.is_disjoint(&txn.maybe_keys),
            "schedules with undone keys are told apart"
        );
        for uid in &txn.changes.deleted {
            self.committed.remove(uid);
        }
        self.committed.extend(txn.changes.inserted);
        self.commits.push(txn.keys);
        Outcome::Done
    }

    /// True when a commit now would meet keys of an undone statement: the outcome is not defined.
    pub fn is_undefined(&self, session: usize) -> bool {
        self.sessions[session].as_ref().is_some_and(|txn| {
            let mut since = self.commits[txn.snapshot..].iter().flatten();
            !txn.aborted && since.any(|key| txn.maybe_keys.contains(key))
        })
    }

    pub fn savepoint(&mut self, session: usize, name: u8) -> Outcome {
        match &mut self.sessions[session] {
            Some(txn) if !txn.aborted => {
                txn.savepoints.push((name, txn.changes.clone()));
                Outcome::Done
            }
            _ => Outcome::Refused,
        }
    }

    pub fn release(&mut self, session: usize, name: u8) -> Outcome {
        match &mut self.sessions[session] {
            Some(txn) if !txn.aborted => match txn.savepoints.iter().rposition(|s| s.0 == name) {
                Some(at) => {
                    txn.savepoints.truncate(at);
                    Outcome::Done
                }
                None => Outcome::Refused,
            },
            _ => Outcome::Refused,
        }
    }

    pub fn rollback_to(&mut self, session: usize, name: u8) -> Outcome {
        let Some(txn) = &mut self.sessions[session] else {
            return Outcome::Refused;
        };
        let Some(at) = txn.savepoints.iter().rposition(|s| s.0 == name) else {
            return Outcome::Refused;
        };
        txn.savepoints.truncate(at + 1);
        txn.changes = txn.savepoints[at].1.clone();
        txn.aborted = false;
        Outcome::Done
    }

    /// Runs a statement in the session's transaction, or in one of its own.
    fn statement(
        &mut self,
        session: usize,
        run: impl FnOnce(&mut Self, &mut Txn, usize) -> Outcome,
    ) -> Outcome {
        let Some(mut txn) = self.sessions[session].take() else {
            let mut txn = self.fresh();
            let outcome = run(self, &mut txn, session);
            return match (
                &outcome,
                matches!(outcome, Outcome::Rows(_) | Outcome::Selected(_)),
            ) {
                (_, false) => outcome,
                (_, true) => match self.commit_txn(txn) {
                    Outcome::Done => outcome,
                    failed => failed,
                },
            };
        };
        let outcome = if txn.aborted {
            Outcome::Refused
        } else {
            let before = txn.changes.clone();
            let outcome = run(self, &mut txn, session);
            match outcome {
                Outcome::Conflict => txn.aborted = true,
                Outcome::Duplicate if self.undo_statements => txn.changes = before,
                Outcome::Duplicate => txn.aborted = true,
                _ => {}
            }
            outcome
        };
        self.sessions[session] = Some(txn);
        outcome
    }

    pub fn select(&mut self, session: usize) -> Outcome {
        self.statement(session, |_, txn, _| {
            let mut rows: Vec<Row> = txn.view().into_values().collect();
            rows.sort_unstable();
            Outcome::Selected(rows)
        })
    }

    pub fn insert(&mut self, session: usize, rows: &[Row], on_conflict: OnConflict) -> Outcome {
        self.statement(session, |model, txn, me| {
            let mut kept: Vec<Row> = Vec::new();
            let mut replaced = BTreeSet::new();
            // Rows of the statement that later ones of it replaced; they count, as in SQLite.
            let mut outlived = 0;
            let view = txn.view();
            for row in rows {
                let existing = view
                    .iter()
                    .find(|(_, other)| other.0 == row.0)
                    .map(|(uid, _)| *uid);
                let before = kept.iter().position(|other| other.0 == row.0);
                if !model.with_key || (existing.is_none() && before.is_none()) {
                    kept.push(*row);
                    continue;
                }
                match on_conflict {
                    OnConflict::Error => return Outcome::Duplicate,
                    OnConflict::Ignore => {}
                    OnConflict::Replace => {
                        replaced.extend(existing);
                        if let Some(at) = before {
                            kept.remove(at);
                            outlived += 1;
                        }
                        kept.push(*row);
                    }
                }
            }
            if model.delete_rows(txn, me, &replaced) == Outcome::Conflict {
                return Outcome::Conflict;
            }
            model.insert_rows(txn, &kept);
            if model.with_key {
                txn.keys.extend(kept.iter().map(|row| row.0));
            }
            Outcome::Rows(kept.len() as u64 + outlived)
        })
    }

    fn insert_rows(&mut self, txn: &mut Txn, rows: &[Row]) {
        for row in rows {
            txn.changes.inserted.insert(self.next_uid, *row);
            self.next_uid += 1;
        }
    }

    fn delete_rows(&mut self, txn: &mut Txn, me: usize, rows: &BTreeSet<Uid>) -> Outcome {
        let of_others = |uid: &Uid| {
            self.sessions.iter().enumerate().any(|(session, other)| {
                session != me
                    && other
                        .as_ref()
                        .is_some_and(|o| o.changes.deleted.contains(uid))
            })
        };
        let committed: Vec<Uid> = rows
            .iter()
            .filter(|uid| txn.base.contains_key(uid))
            .copied()
            .collect();
        if committed
            .iter()
            .any(|uid| of_others(uid) || !self.committed.contains_key(uid))
        {
            return Outcome::Conflict;
        }
        txn.changes.deleted.extend(committed);
        txn.changes.inserted.retain(|uid, _| !rows.contains(uid));
        Outcome::Rows(rows.len() as u64)
    }

    fn within(txn: &Txn, keys: &RangeInclusive<i64>) -> BTreeMap<Uid, Row> {
        txn.view()
            .into_iter()
            .filter(|(_, row)| keys.contains(&row.0))
            .collect()
    }

    pub fn delete(&mut self, session: usize, keys: RangeInclusive<i64>) -> Outcome {
        self.statement(session, |model, txn, me| {
            let rows = Self::within(txn, &keys).into_keys().collect();
            model.delete_rows(txn, me, &rows)
        })
    }

    pub fn update(&mut self, session: usize, keys: RangeInclusive<i64>, by: Row) -> Outcome {
        self.statement(session, |model, txn, me| {
            let old = Self::within(txn, &keys);
            if model.delete_rows(txn, me, &old.keys().copied().collect()) == Outcome::Conflict {
                return Outcome::Conflict;
            }
            let new: Vec<Row> = old
                .values()
                .map(|row| (row.0 + by.0, row.1 + by.1))
                .collect();
            if model.with_key && by.0 != 0 {
                let view = txn.view();
                let taken = |row: &Row| view.values().any(|other| other.0 == row.0);
                if new.iter().any(taken) {
                    txn.maybe_keys.extend(new.iter().map(|row| row.0));
                    return Outcome::Duplicate;
                }
                txn.keys.extend(new.iter().map(|row| row.0));
            }
            model.insert_rows(txn, &new);
            Outcome::Rows(new.len() as u64)
        })
    }
}
