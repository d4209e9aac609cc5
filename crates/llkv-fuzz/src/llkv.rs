//! LLKV under test: one session in memory, its settings changed between statements.

use crate::Dialect;
use crate::value::{Outcome, Rows, Value};
use crate::watchdog::watched;
use llkv_result::{Error, SelectStream, StatementResult};
use llkv_sql::{EngineOptions, Session, SqlDialect, SqlEngine};
use llkv_types::Scalar;
use llkv_types::variant::Variant;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// A database in memory with one session.
pub(crate) struct Llkv {
    session: Session,
}

impl Llkv {
    pub(crate) fn new(dialect: Dialect) -> Result<Self, String> {
        let options = EngineOptions::with_dialect(match dialect {
            Dialect::Sqlite => SqlDialect::Sqlite,
            Dialect::Llkv => SqlDialect::Llkv,
        });
        let engine = SqlEngine::in_memory_with(options).map_err(|error| error.to_string())?;
        Ok(Self {
            session: engine.session(),
        })
    }

    /// Runs one statement. A panic is an outcome too: an error that no list accepts.
    pub(crate) fn run(&self, sql: &str) -> Outcome {
        let token = self.session.cancel_token();
        token.reset();
        let stop = move || token.cancel();
        let run = || catch_unwind(AssertUnwindSafe(|| self.execute(sql)));
        let (outcome, is_late) = watched(stop, run);
        let outcome = outcome.unwrap_or_else(|panic| {
            let text = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied());
            Outcome::Error(format!("panic: {}", text.unwrap_or("without a message")))
        });
        match &outcome {
            Outcome::Error(text) if is_late && text.contains("cancelled") => Outcome::Late,
            _ => outcome,
        }
    }

    fn execute(&self, sql: &str) -> Outcome {
        let result = self.session.execute(sql).and_then(|mut results| {
            Ok(match results.pop() {
                Some(StatementResult::Select(stream)) => Outcome::Rows(rows(stream)?),
                Some(StatementResult::CreateTable { .. }) | None => Outcome::Done,
                Some(other) => other
                    .rows_affected()
                    .map_or(Outcome::Done, Outcome::Changed),
            })
        });
        result.unwrap_or_else(|error| Outcome::Error(format!("{error} [{}]", error.sqlstate())))
    }
}

fn rows(stream: SelectStream) -> Result<Rows, Error> {
    let mut rows = Rows::new();
    for batch in stream {
        let batch = batch.map_err(Error::from_arrow)?;
        for row in 0..batch.num_rows() {
            let values = batch.columns().iter();
            let values = values.map(|column| Scalar::from_array(column.as_ref(), row).map(value));
            rows.push(values.collect::<Result<_, _>>()?);
        }
    }
    Ok(rows)
}

fn value(scalar: Scalar) -> Value {
    match scalar {
        Scalar::Null(_) => Value::Null,
        Scalar::Boolean(value) => Value::Integer(value.into()),
        Scalar::Int8(value) => Value::Integer(value.into()),
        Scalar::Int16(value) => Value::Integer(value.into()),
        Scalar::Int32(value) => Value::Integer(value.into()),
        Scalar::Int64(value) => Value::Integer(value),
        Scalar::Float64(value) => Value::Real(value),
        Scalar::Text(value) => Value::Text(value.as_ref().to_owned()),
        Scalar::Blob(value) => Value::Blob(value.to_vec()),
        Scalar::Variant(bytes) => match Variant::decode(&bytes) {
            Some(Variant::Integer(value)) => Value::Integer(value),
            Some(Variant::Real(value)) => Value::Real(value),
            Some(Variant::Text(value)) => Value::Text(value.to_owned()),
            Some(Variant::Blob(value)) => Value::Blob(value.to_vec()),
            None => Value::Other(format!("a damaged variant {bytes:?}")),
        },
        other => Value::Other(other.to_string()),
    }
}
