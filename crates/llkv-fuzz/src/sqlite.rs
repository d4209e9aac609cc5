//! SQLite, the reference for everything that its dialect can say.

use crate::value::{Outcome, Rows, Value};
use crate::watchdog::watched;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, Statement, ffi};
use std::ffi::c_int;

/// A database in memory with one connection.
pub(crate) struct Sqlite {
    connection: Connection,
}

impl Sqlite {
    pub(crate) fn new() -> Result<Self, String> {
        let connection = Connection::open_in_memory().map_err(|error| error.to_string())?;
        write_reals_with_15_digits(&connection)?;
        Ok(Self { connection })
    }

    /// Runs one statement.
    pub(crate) fn run(&self, sql: &str) -> Outcome {
        let handle = self.connection.get_interrupt_handle();
        let (outcome, is_late) = watched(move || handle.interrupt(), || self.execute(sql));
        match outcome {
            Ok(outcome) => outcome,
            Err(_) if is_late => Outcome::Late,
            Err(error) => Outcome::Error(error.to_string()),
        }
    }

    fn execute(&self, sql: &str) -> Result<Outcome, rusqlite::Error> {
        let mut statement = self.connection.prepare(sql)?;
        if statement.column_count() > 0 {
            return Ok(Outcome::Rows(rows(&mut statement)?));
        }
        let changed = statement.execute([])?;
        // The count of any other statement is that of the last one that changed rows.
        Ok(if changes_rows(sql) {
            Outcome::Changed(changed as u64)
        } else {
            Outcome::Done
        })
    }
}

/// Reals become texts of 15 significant digits, as in every SQLite before this setting came with 17 for its default.
#[allow(unsafe_code)]
fn write_reals_with_15_digits(connection: &Connection) -> Result<(), String> {
    const DIGITS: c_int = 15;
    // SAFETY: the handle is that of a connection which is open; this setting takes a number and where the number that holds
    // afterwards is put, which may be nowhere.
    let code = unsafe {
        let handle = connection.handle();
        let nowhere = std::ptr::null_mut::<c_int>();
        ffi::sqlite3_db_config(handle, ffi::SQLITE_DBCONFIG_FP_DIGITS, DIGITS, nowhere)
    };
    match code {
        ffi::SQLITE_OK => Ok(()),
        code => Err(format!(
            "SQLite refuses to write reals with {DIGITS} digits: {code}"
        )),
    }
}

fn changes_rows(sql: &str) -> bool {
    ["INSERT", "UPDATE", "DELETE", "REPLACE"]
        .iter()
        .any(|word| sql.starts_with(word))
}

fn rows(statement: &mut Statement<'_>) -> Result<Rows, rusqlite::Error> {
    let width = statement.column_count();
    let mut found = Rows::new();
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let values = (0..width).map(|index| row.get_ref(index).map(value));
        found.push(values.collect::<Result<_, _>>()?);
    }
    Ok(found)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(value) => Value::Integer(value),
        ValueRef::Real(value) => Value::Real(value),
        ValueRef::Text(bytes) => Value::Text(String::from_utf8_lossy(bytes).into_owned()),
        ValueRef::Blob(bytes) => Value::Blob(bytes.to_vec()),
    }
}
