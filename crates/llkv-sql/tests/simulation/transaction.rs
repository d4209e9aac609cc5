//! Snapshot isolation of the model: what a transaction sees, what is in its way, what its commit does.

use crate::model::{Alter, State, Uid};
use crate::statement::{Answer, Statement};
use std::collections::BTreeSet;

/// A transaction that runs.
#[derive(Debug, Clone)]
pub struct Transaction {
    /// What was committed when it began.
    base: State,
    pub sees: State,
    alters: Vec<(u64, Alter)>,
    savepoint: Option<(State, usize)>,
    /// Commits when it began.
    pub since: u64,
}

/// What the model says about a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub answer: Answer,
    /// It changes rows that another transaction has changed: it must not pass.
    pub must_conflict: bool,
}

impl Transaction {
    pub fn begin(committed: &State, commits: u64) -> Self {
        Self {
            base: committed.clone(),
            sees: committed.clone(),
            alters: Vec::new(),
            savepoint: None,
            since: commits,
        }
    }

    pub fn has_changes(&self) -> bool {
        self.sees != self.base || !self.alters.is_empty()
    }

    /// Committed versions that it has deleted; those of a table that it dropped went with the table.
    pub fn gone(&self) -> BTreeSet<(u64, Uid)> {
        let mut gone = self.base.rows_beyond(&self.sees);
        let tables = self.sees.table_ids();
        gone.retain(|(id, _)| tables.contains(id));
        gone
    }

    pub fn set_savepoint(&mut self) {
        self.savepoint = Some((self.sees.clone(), self.alters.len()));
    }

    /// False where there is no savepoint.
    pub fn go_back(&mut self) -> bool {
        let Some((state, alters)) = self.savepoint.take() else {
            return false;
        };
        self.sees = state;
        self.alters.truncate(alters);
        true
    }

    /// Runs a statement; `others` are the versions that transactions beside this one have deleted.
    pub fn run(
        &mut self,
        statement: &Statement,
        committed: &State,
        others: &BTreeSet<(u64, Uid)>,
        uids: &mut Uid,
    ) -> Verdict {
        let before = self.gone();
        let answer = self.sees.run(statement, uids);
        if answer == Answer::Refused {
            return Verdict {
                answer,
                must_conflict: false,
            };
        }
        let now_gone = self.gone();
        let (still, tables) = (committed.uids(), committed.table_ids());
        // Of a table that was dropped meanwhile, the commit finds out.
        let mut newly = now_gone
            .difference(&before)
            .filter(|(id, _)| tables.contains(id));
        let must_conflict = newly.any(|row| others.contains(row) || !still.contains(row));
        if let Statement::Alter { table, alter } = statement {
            let id = self.sees.tables[table].id;
            self.alters.push((id, alter.clone()));
        }
        Verdict {
            answer,
            must_conflict,
        }
    }

    /// The committed state after this transaction, or why it may not commit.
    pub fn commit(&self, committed: &State) -> Result<State, String> {
        let mut next = committed.clone();
        for (name, table) in &self.base.tables {
            if self.sees.tables.values().any(|t| t.id == table.id) {
                continue;
            }
            match next.tables.get(name) {
                Some(there) if there.id == table.id => drop(next.tables.remove(name)),
                _ => return Err(format!("{name} was dropped by two")),
            }
        }
        for (name, table) in &self.sees.tables {
            let base = self.base.tables.values().find(|t| t.id == table.id);
            let Some(base) = base else {
                if next.tables.insert(name.clone(), table.clone()).is_some() {
                    return Err(format!("{name} was created by two"));
                }
                continue;
            };
            let alters: Vec<&Alter> = self
                .alters
                .iter()
                .filter(|(id, _)| *id == table.id)
                .map(|(_, alter)| alter)
                .collect();
            if table.rows == base.rows && alters.is_empty() {
                continue;
            }
            let Some(there) = next.tables.get_mut(name).filter(|t| t.id == table.id) else {
                return Err(format!("{name} was dropped meanwhile"));
            };
            if there.columns != base.columns {
                return Err(format!("{name} was altered meanwhile"));
            }
            for uid in base.rows.keys().filter(|uid| !table.rows.contains_key(uid)) {
                if there.rows.remove(uid).is_none() {
                    return Err(format!("a row of {name} was changed by two"));
                }
            }
            alters.iter().for_each(|alter| there.alter(alter));
            if !there.has_all_columns() {
                return Err(format!("an index on a column of {name} came meanwhile"));
            }
            let new = table.rows.iter();
            let new = new.filter(|(uid, _)| !base.rows.contains_key(uid));
            there.rows.extend(new.map(|(uid, row)| (*uid, row.clone())));
        }
        next.check()?;
        Ok(next)
    }
}
