//! LLKV behind the runner's trait.

use crate::configuration::Configuration;
use crate::dialect::Dialect;
use crate::engine::{
    EngineError, EngineStatistics, OperatorTime, Outcome, SltConnection, SltDatabase, SltEngine,
    Target,
};
use arrow::array::RecordBatch;
use llkv_result::{Error, SelectStream, StatementResult};
use llkv_sql::{EngineOptions, Session, SqlDialect, SqlEngine};
use llkv_types::BATCH_ROWS;
use std::sync::{Arc, Mutex, PoisonError};

/// LLKV, as it is linked into this program.
#[derive(Debug, Clone, Copy, Default)]
pub struct LlkvEngine {
    configuration: Option<&'static Configuration>,
}

impl LlkvEngine {
    /// LLKV as another way to run it says.
    #[must_use]
    pub const fn with(configuration: &'static Configuration) -> Self {
        Self {
            configuration: Some(configuration),
        }
    }
}

impl SltEngine for LlkvEngine {
    fn name(&self) -> &str {
        "llkv"
    }

    fn open(&self, target: &Target, dialect: Dialect) -> Result<Box<dyn SltDatabase>, EngineError> {
        let mut options = EngineOptions::with_dialect(match dialect {
            Dialect::Llkv => SqlDialect::Llkv,
            Dialect::Sqlite => SqlDialect::Sqlite,
            Dialect::Duckdb => SqlDialect::DuckDb,
        });
        if let Some(configuration) = self.configuration {
            (configuration.options)(&mut options);
        }
        let engine = match target {
            Target::Memory => SqlEngine::in_memory_with(options),
            Target::File { path, read_only } => {
                options.read_only = *read_only;
                SqlEngine::open_with(path, options)
            }
        };
        Ok(Box::new(LlkvDatabase {
            engine: engine.map_err(|error| engine_error(&error))?,
            settings: self.configuration.map_or(&[], |own| own.settings),
            statistics: Arc::default(),
        }))
    }

    /// File formats that it reads and writes, and batches at least as long as a file wants them.
    fn provides(&self, requirement: &[&str]) -> bool {
        match requirement {
            ["parquet" | "json" | "core_functions"] => true,
            ["vector_size", size] => size.parse().is_ok_and(|size: usize| size <= BATCH_ROWS),
            _ => false,
        }
    }
}

struct LlkvDatabase {
    engine: SqlEngine,
    settings: &'static [(&'static str, &'static str)],
    statistics: Arc<Mutex<EngineStatistics>>,
}

impl SltDatabase for LlkvDatabase {
    fn connect(&self) -> Result<Box<dyn SltConnection>, EngineError> {
        let session = self.engine.session();
        for (name, value) in self.settings {
            let set = session.execute(&format!("SET {name} = '{value}'"));
            set.map_err(|error| engine_error(&error))?;
        }
        Ok(Box::new(LlkvConnection {
            session,
            statistics: self.statistics.clone(),
            ran_a_plan: false,
        }))
    }

    fn statistics(&self) -> Option<EngineStatistics> {
        let statistics = self.statistics.lock();
        Some(statistics.unwrap_or_else(PoisonError::into_inner).clone())
    }
}

struct LlkvConnection {
    session: Session,
    statistics: Arc<Mutex<EngineStatistics>>,
    /// The last text did, and its counts were not taken yet.
    ran_a_plan: bool,
}

impl SltConnection for LlkvConnection {
    fn run(&mut self, sql: &str) -> Result<Outcome, EngineError> {
        let results = self.session.execute(sql);
        let mut results = results.map_err(|error| engine_error(&error))?;
        let last = results.pop();
        // The session keeps the counts of its last plan: they are taken once, from what ran one.
        self.ran_a_plan = match &last {
            Some(StatementResult::CreateTable { rows, .. }) => *rows > 0,
            Some(StatementResult::Select(_)) => true,
            Some(other) => other.rows_affected().is_some(),
            None => false,
        };
        match last {
            Some(StatementResult::Select(stream)) => drain(stream),
            Some(other) => Ok(other
                .rows_affected()
                .map_or(Outcome::Done, Outcome::Changed)),
            None => Ok(Outcome::Done),
        }
    }

    fn note(&mut self) {
        if std::mem::take(&mut self.ran_a_plan) {
            self.note_statistics();
        }
    }
}

impl LlkvConnection {
    /// Adds what the operators of the last statement counted.
    fn note_statistics(&self) {
        let Some(plan) = self.session.last_statistics() else {
            return;
        };
        let mut counted = EngineStatistics::default();
        let mut pending = vec![&plan];
        while let Some(operator) = pending.pop() {
            pending.extend(&operator.inputs);
            if let Some(scan) = &operator.scan {
                counted.rows_scanned += scan.rows_scanned;
                counted.row_groups_read += scan.row_groups_read;
                counted.row_groups_pruned += scan.row_groups_pruned;
                counted.blocks_read += scan.blocks_read;
                counted.blocks_pruned += scan.blocks_pruned;
                counted.batches_scanned += operator.batches;
            }
        }
        counted.operators = plan
            .by_kind()
            .into_iter()
            .map(|sum| OperatorTime {
                name: sum.operator.to_owned(),
                rows: sum.rows,
                time_ns: u64::try_from(sum.time.as_nanos()).unwrap_or(u64::MAX),
            })
            .collect();
        let statistics = self.statistics.lock();
        statistics
            .unwrap_or_else(PoisonError::into_inner)
            .add(&counted);
    }
}

fn drain(stream: SelectStream) -> Result<Outcome, EngineError> {
    let schema = stream.schema();
    let batches: Result<Vec<RecordBatch>, _> = stream.collect();
    let batches = batches.map_err(|error| engine_error(&Error::from_arrow(error)))?;
    Ok(Outcome::Rows { schema, batches })
}

fn engine_error(error: &Error) -> EngineError {
    let sqlstate = error.sqlstate();
    EngineError {
        message: error.to_string(),
        sqlstate: Some(sqlstate.to_owned()),
        // Class XX: internal errors and damaged data. No file may expect those.
        internal: sqlstate.starts_with("XX"),
    }
}
