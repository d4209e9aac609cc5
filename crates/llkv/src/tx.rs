//! Work that is done as a whole or not at all, again where somebody else came first.

use crate::Connection;
use llkv_result::Result;
use std::ops::{Deref, DerefMut};
use std::time::Duration;

/// How often a transaction is begun at the most.
const ATTEMPTS: u32 = 16;
/// Before it is begun again it waits, twice as long each time up to the second figure.
const FIRST_PAUSE: Duration = Duration::from_micros(50);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// A running transaction: the connection within [`Connection::transaction`]. It ends with the closure.
pub struct Transaction<'c> {
    connection: &'c mut Connection,
}

impl Deref for Transaction<'_> {
    type Target = Connection;

    fn deref(&self) -> &Connection {
        self.connection
    }
}

impl DerefMut for Transaction<'_> {
    fn deref_mut(&mut self) -> &mut Connection {
        self.connection
    }
}

/// See [`Connection::transaction`].
pub(crate) fn run<T>(
    connection: &mut Connection,
    begin: &str,
    mut work: impl FnMut(&mut Transaction<'_>) -> Result<T>,
) -> Result<T> {
    let mut pause = FIRST_PAUSE;
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        match run_once(connection, begin, &mut work) {
            Err(error) if error.is_retryable() && left > 0 => {
                std::thread::sleep(pause);
                pause = (2 * pause).min(LONGEST_PAUSE);
            }
            result => return result,
        }
    }
}

fn run_once<T>(
    connection: &mut Connection,
    begin: &str,
    work: &mut impl FnMut(&mut Transaction<'_>) -> Result<T>,
) -> Result<T> {
    connection.execute(begin)?;
    let mut transaction = Transaction { connection };
    let result = work(&mut transaction)?;
    transaction.connection.commit()?;
    Ok(result)
}

impl Drop for Transaction<'_> {
    /// After an error or a panic of the work, or where it forgot to undo something itself.
    fn drop(&mut self) {
        if self.connection.in_transaction() {
            // It fails where there is nothing to roll back any more.
            let _ = self.connection.execute("ROLLBACK");
        }
    }
}
