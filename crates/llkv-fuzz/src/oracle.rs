//! Runs a case and judges what it gives.

use crate::Dialect;
use crate::accepted::AcceptedList;
use crate::case::{Case, Step};
use crate::llkv::Llkv;
use crate::sqlite::Sqlite;
use crate::value::Outcome;
use std::fmt;

/// Settings that change how a query is run and never what it gives: name, setting, value.
const VARIANTS: [(&str, &str, &str); 5] = [
    ("by operators", "direct_execution", "off"),
    ("optimizer off", "optimizer", "off"),
    ("every index", "index_use", "always"),
    ("no index", "index_use", "never"),
    ("batches of 2 rows", "batch_size", "2"),
];

/// What was run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Checked {
    /// Queries that were judged by at least one oracle.
    pub queries: u64,
    /// Statements that changed rows or the schema.
    pub changes: u64,
    /// Queries for which both databases gave an error.
    pub errors: u64,
    /// Statements that were stopped for taking too long.
    pub late: u64,
    /// Outcomes that a line of the list of accepted differences excused.
    pub accepted: u64,
}

impl Checked {
    /// Adds another case's counts.
    pub const fn add(&mut self, other: Self) {
        self.queries += other.queries;
        self.changes += other.changes;
        self.errors += other.errors;
        self.late += other.late;
        self.accepted += other.accepted;
    }
}

/// A statement that did not give what it must.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    /// Which oracle says so.
    pub oracle: String,
    /// The place of the statement in its case.
    pub step: usize,
    /// What was expected, and of whom.
    pub expected: String,
    /// What LLKV gave.
    pub got: String,
}

impl Failure {
    /// True where both are about the same thing: the same oracle, and the same error where there is one.
    pub(crate) fn is_like(&self, other: &Self) -> bool {
        /// Characters of an error's text that tell it from another.
        const SHOWN: usize = 40;
        let start = |text: &str| -> String { text.chars().take(SHOWN).collect() };
        let is_error = |text: &str| text.starts_with("error");
        self.oracle == other.oracle
            && match (is_error(&self.got), is_error(&other.got)) {
                (true, true) => start(&self.got) == start(&other.got),
                (false, false) => is_error(&self.expected) == is_error(&other.expected),
                _ => false,
            }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            oracle,
            step,
            expected,
            got,
        } = self;
        write!(
            f,
            "statement {step}, oracle: {oracle}\nexpected: {expected}\ngot: {got}"
        )
    }
}

/// What follows a step.
enum Verdict {
    Go,
    /// The databases are no longer equal, as a line of the list allows.
    End,
}

/// Runs a case from its first statement to its last, or to the first that fails.
pub(crate) fn run(case: &Case, accepted: &AcceptedList) -> Result<Checked, Failure> {
    let broken = |error: String| Failure {
        oracle: "open".into(),
        step: 0,
        expected: "a database".into(),
        got: error,
    };
    let reference = match case.dialect {
        Dialect::Sqlite => Some(Sqlite::new().map_err(broken)?),
        Dialect::Llkv => None,
    };
    let mut judge = Judge {
        llkv: Llkv::new(case.dialect).map_err(broken)?,
        reference,
        accepted,
        checked: Checked::default(),
        collates: case.collates,
        step: 0,
    };
    if case.dialect == Dialect::Llkv {
        // An error does not end the transaction around it, so that the case can go on.
        judge.change("SET on_statement_error = 'undo'")?;
    }
    for (index, step) in case.steps.iter().enumerate() {
        judge.step = index;
        let verdict = match step {
            Step::Setup(sql) | Step::Change(sql) => judge.change(sql)?,
            Step::Compare { sql, is_ordered } => judge.compare(sql, *is_ordered)?,
            Step::Same {
                oracle,
                left,
                right,
            } => judge.same(oracle, left, right)?,
        };
        if matches!(verdict, Verdict::End) {
            break;
        }
    }
    Ok(judge.checked)
}

struct Judge<'a> {
    llkv: Llkv,
    reference: Option<Sqlite>,
    accepted: &'a AcceptedList,
    checked: Checked,
    collates: bool,
    step: usize,
}

impl Judge<'_> {
    fn fail<T>(&self, oracle: &str, expected: &Outcome, got: &Outcome) -> Result<T, Failure> {
        Err(Failure {
            oracle: oracle.to_owned(),
            step: self.step,
            expected: expected.to_string(),
            got: got.to_string(),
        })
    }

    /// Runs a statement here; a broken promise is a failure whatever the reference gives.
    fn run(&self, sql: &str) -> Result<Outcome, Failure> {
        let outcome = self.llkv.run(sql);
        match outcome.error() {
            // Class XX: a promise of the database to itself.
            Some(text) if text.starts_with("panic") || text.contains(" [XX") => {
                self.fail("no broken promise", &Outcome::Done, &outcome)
            }
            _ => Ok(outcome),
        }
    }

    fn change(&mut self, sql: &str) -> Result<Verdict, Failure> {
        self.checked.changes += 1;
        let got = self.run(sql)?.sorted();
        let Some(reference) = &self.reference else {
            // Class 23: a constraint does its work.
            let is_refused = |text: &str| text.contains(" [23") || self.accepted.llkv(&got, sql);
            if got.error().is_some_and(|text| !is_refused(text)) {
                return self.fail("no error", &Outcome::Done, &got);
            }
            return Ok(Verdict::Go);
        };
        let expected = reference.run(sql).sorted();
        self.agree(sql, &expected, &got)
    }

    /// Both gave the same, or an error both, or a difference that is on the list.
    fn agree(&mut self, sql: &str, expected: &Outcome, got: &Outcome) -> Result<Verdict, Failure> {
        if *expected == Outcome::Late || *got == Outcome::Late {
            self.checked.late += 1;
            return Ok(Verdict::End);
        }
        let is_same = match (expected.error(), got.error()) {
            (Some(_), Some(_)) => {
                self.checked.errors += 1;
                true
            }
            (None, None) => expected == got,
            (Some(_), None) if self.accepted.sqlite(expected, sql) => {
                self.checked.accepted += 1;
                return Ok(Verdict::End);
            }
            (None, Some(_)) if self.accepted.llkv(got, sql) => {
                self.checked.accepted += 1;
                return Ok(Verdict::End);
            }
            _ => false,
        };
        match is_same {
            true => Ok(Verdict::Go),
            false => self.fail("SQLite", expected, got),
        }
    }

    fn compare(&mut self, sql: &str, is_ordered: bool) -> Result<Verdict, Failure> {
        self.checked.queries += 1;
        // What tables hold is compared as it is.
        let is_folded = self.collates && !sql.starts_with("SELECT * FROM");
        let arrange = |outcome: Outcome| {
            let outcome = match is_folded {
                true => outcome.folded(),
                false => outcome,
            };
            match is_ordered {
                true => outcome,
                false => outcome.sorted(),
            }
        };
        let got = arrange(self.run(sql)?);
        match &self.reference {
            Some(reference) => {
                let expected = arrange(reference.run(sql));
                // A query changes nothing: the case goes on whatever the list says.
                self.agree(sql, &expected, &got)?;
            }
            None => {
                if got.error().is_some() && !self.accepted.llkv(&got, sql) {
                    return self.fail("no error", &Outcome::Done, &got);
                }
            }
        }
        if got.error().is_some() || got == Outcome::Late {
            return Ok(Verdict::Go);
        }
        for (name, setting, value) in VARIANTS {
            let set = self.run(&format!("SET {setting} = '{value}'"))?;
            if set.error().is_some() {
                return self.fail("a setting", &Outcome::Done, &set);
            }
            let other = arrange(self.run(sql)?);
            self.run(&format!("RESET {setting}"))?;
            if other == Outcome::Late {
                self.checked.late += 1;
                continue;
            }
            // What no result needs is computed all the same by operators (a subquery of a row that never comes), and may
            // overflow. None of these settings leaves a query to be run directly.
            let overflows = |text: &str| text.contains(" [22003]");
            if other.error().is_some_and(overflows) {
                self.checked.accepted += 1;
                continue;
            }
            if other != got && !self.accepted.llkv(&other, sql) {
                return self.fail(name, &got, &other);
            }
        }
        Ok(Verdict::Go)
    }

    fn same(&mut self, oracle: &str, left: &str, right: &str) -> Result<Verdict, Failure> {
        self.checked.queries += 1;
        let arrange = |outcome: Outcome| match self.collates {
            true => outcome.folded().sorted(),
            false => outcome.sorted(),
        };
        let first = arrange(self.run(left)?);
        let second = arrange(self.run(right)?);
        if first == Outcome::Late || second == Outcome::Late {
            self.checked.late += 1;
            return Ok(Verdict::Go);
        }
        if first.error().is_none() && second.error().is_none() {
            return match first == second {
                true => Ok(Verdict::Go),
                false => self.fail(oracle, &first, &second),
            };
        }
        for (sql, outcome) in [(left, &first), (right, &second)] {
            if outcome.error().is_none() || self.accepted.llkv(outcome, sql) {
                continue;
            }
            let expected = self.reference.as_ref().map(|reference| reference.run(sql));
            let is_error = expected
                .as_ref()
                .is_some_and(|expected| expected.error().is_some());
            if !is_error {
                return self.fail("no error", &expected.unwrap_or(Outcome::Done), outcome);
            }
            self.checked.errors += 1;
        }
        Ok(Verdict::Go)
    }
}
