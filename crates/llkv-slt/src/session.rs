//! The connections of a file to its database, and what state they are in.

use crate::dialect::Dialect;
use crate::engine::{
    EngineError, EngineStatistics, Outcome, SltConnection, SltDatabase, SltEngine, Target,
};
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The name of the connection that records without one run on.
const DEFAULT: &str = "";

/// A database with named connections, opened when they are first used.
pub(crate) struct Session<'e> {
    engine: &'e dyn SltEngine,
    dialect: Dialect,
    target: Target,
    database: Option<Arc<dyn SltDatabase>>,
    connections: HashMap<String, OpenConnection>,
    /// Statistics of databases that this session has closed.
    past: Option<EngineStatistics>,
    /// A connection holds a setting, a temporary table ...: closing it would lose that.
    has_state: bool,
}

struct OpenConnection {
    connection: Box<dyn SltConnection>,
    in_transaction: bool,
}

impl<'e> Session<'e> {
    /// Nothing is opened yet.
    pub(crate) fn new(engine: &'e dyn SltEngine, dialect: Dialect, target: Target) -> Self {
        Self {
            engine,
            dialect,
            target,
            database: None,
            connections: HashMap::new(),
            past: None,
            has_state: false,
        }
    }

    /// Connections of its own to the same database, for another thread.
    pub(crate) fn beside(&mut self) -> Result<Self, EngineError> {
        let database = self.open()?;
        Ok(Self {
            database: Some(database),
            ..Self::new(self.engine, self.dialect, self.target.clone())
        })
    }

    fn open(&mut self) -> Result<Arc<dyn SltDatabase>, EngineError> {
        if let Some(database) = &self.database {
            return Ok(database.clone());
        }
        let database: Arc<dyn SltDatabase> =
            Arc::from(self.engine.open(&self.target, self.dialect)?);
        self.database = Some(database.clone());
        Ok(database)
    }

    /// Runs a text on a connection and gives its time in the database.
    pub(crate) fn run(
        &mut self,
        connection: Option<&str>,
        sql: &str,
    ) -> (Result<Outcome, EngineError>, Duration) {
        let name = connection.unwrap_or(DEFAULT);
        if !self.connections.contains_key(name)
            && let Err(error) = self.connect(name)
        {
            return (Err(error), Duration::ZERO);
        }
        let Some(open) = self.connections.get_mut(name) else {
            return (
                Err(EngineError::new("the connection is gone")),
                Duration::ZERO,
            );
        };
        let started = Instant::now();
        let outcome = open.connection.run(sql);
        let time = started.elapsed();
        open.connection.note();
        // A text that failed may have got as far as BEGIN; COMMIT may have failed and ended it.
        for change in transaction_changes(sql) {
            match change {
                Change::Begin => open.in_transaction = true,
                Change::End => open.in_transaction = false,
                Change::State => self.has_state = true,
            }
        }
        (outcome, time)
    }

    fn connect(&mut self, name: &str) -> Result<(), EngineError> {
        let connection = self.open()?.connect()?;
        let open = OpenConnection {
            connection,
            in_transaction: false,
        };
        self.connections.insert(name.to_owned(), open);
        Ok(())
    }

    /// Opens the database now rather than at the first statement.
    pub(crate) fn start(&mut self) -> Result<(), EngineError> {
        self.connect(DEFAULT)
    }

    /// Closes the default connection; the next statement gets a new one.
    pub(crate) fn reconnect(&mut self) {
        self.connections.remove(DEFAULT);
    }

    /// Closes everything; the next statement opens the database again, or another one.
    pub(crate) fn close(&mut self, next: Option<Target>) {
        self.connections.clear();
        if let Some(statistics) = self.database.take().and_then(|open| open.statistics()) {
            self.past.get_or_insert_default().add(&statistics);
        }
        self.has_state = false;
        if let Some(target) = next {
            self.target = target;
        }
    }

    /// True when closing and opening again changes nothing that a record can see.
    pub(crate) fn can_reopen(&self) -> bool {
        let writable_file = matches!(
            self.target,
            Target::File {
                read_only: false,
                ..
            }
        );
        let idle = self.connections.values().all(|open| !open.in_transaction);
        writable_file && idle && !self.has_state && self.database.is_some()
    }

    /// What all databases of this session counted; closes the present one.
    pub(crate) fn finish(mut self) -> Option<EngineStatistics> {
        self.close(None);
        self.past
    }
}

/// What a statement does to its connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Begin,
    End,
    /// It leaves something behind that lives as long as the connection.
    State,
}

/// The changes that a text's statements bring, told by their first words. Texts between quotes may
/// hold a semicolon and be taken for statements: that errs on the side of not reopening, or finds a
/// transaction ended whose connection the file goes on using, which the database then reports.
fn transaction_changes(sql: &str) -> impl Iterator<Item = Change> + '_ {
    // The END of a trigger's body ends no transaction.
    let sql = if creates_trigger(sql) { "" } else { sql };
    sql.split(';').filter_map(|statement| {
        let mut words = statement.split_whitespace().map(str::to_ascii_lowercase);
        let first = words.next()?;
        match first.as_str() {
            "begin" | "start" => Some(Change::Begin),
            "rollback" => {
                let savepoint = words.any(|word| word == "to");
                (!savepoint).then_some(Change::End)
            }
            "commit" | "end" | "abort" => Some(Change::End),
            // In SQLite's dialect a savepoint begins a transaction where there is none.
            "savepoint" => Some(Change::State),
            "set" | "pragma" | "prepare" | "attach" | "use" | "reset" => Some(Change::State),
            "create" => words
                .take(3)
                .any(|word| word == "temp" || word == "temporary")
                .then_some(Change::State),
            _ => None,
        }
    })
}

fn creates_trigger(sql: &str) -> bool {
    let mut words = sql.split_whitespace().take(6);
    words
        .next()
        .is_some_and(|word| word.eq_ignore_ascii_case("create"))
        && words.any(|word| word.eq_ignore_ascii_case("trigger"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changes(sql: &str) -> Vec<Change> {
        transaction_changes(sql).collect()
    }

    #[test]
    fn first_words_tell_what_a_statement_does() {
        assert_eq!(
            changes("BEGIN TRANSACTION; INSERT INTO t VALUES (1)"),
            [Change::Begin]
        );
        assert_eq!(changes("begin;commit;"), [Change::Begin, Change::End]);
        assert_eq!(changes("ROLLBACK TO SAVEPOINT a"), []);
        assert_eq!(changes("rollback"), [Change::End]);
        assert_eq!(
            changes("CREATE OR REPLACE TEMP TABLE t (a INT)"),
            [Change::State]
        );
        assert_eq!(changes("CREATE TABLE t (a INT)"), []);
        assert_eq!(changes("SAVEPOINT a"), [Change::State]);
        let trigger = "CREATE TRIGGER a AFTER INSERT ON t BEGIN DELETE FROM u; END";
        assert_eq!(changes(trigger), []);
        assert_eq!(changes("SELECT 1"), []);
    }
}
