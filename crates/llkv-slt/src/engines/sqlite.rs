//! SQLite behind the runner's trait: it proves the runner right on SQLite's own corpus.

use crate::dialect::Dialect;
use crate::engine::{EngineError, Outcome, SltConnection, SltDatabase, SltEngine, Target};
use arrow::array::{
    ArrayRef, BinaryBuilder, Float64Builder, Int64Builder, StringBuilder, UnionArray,
};
use arrow::array::{NullArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, UnionFields, UnionMode};
use rusqlite::fallible_iterator::FallibleIterator as _;
use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags, Statement};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// SQLite, as it is linked into this program.
#[derive(Debug, Clone, Copy, Default)]
pub struct SqliteEngine;

/// Makes databases in memory that several connections share: each has a name of its own.
static MEMORY_DATABASES: AtomicU64 = AtomicU64::new(0);

impl SltEngine for SqliteEngine {
    fn name(&self) -> &str {
        "sqlite"
    }

    fn open(
        &self,
        target: &Target,
        _dialect: Dialect,
    ) -> Result<Box<dyn SltDatabase>, EngineError> {
        let (path, flags) = match target {
            Target::Memory => {
                let number = MEMORY_DATABASES.fetch_add(1, Ordering::Relaxed);
                let name = format!("file:slt-{number}?mode=memory&cache=shared");
                (PathBuf::from(name), OpenFlags::default())
            }
            Target::File {
                path,
                read_only: false,
            } => (path.clone(), OpenFlags::default()),
            Target::File {
                path,
                read_only: true,
            } => (path.clone(), OpenFlags::SQLITE_OPEN_READ_ONLY),
        };
        let database = SqliteDatabase { path, flags };
        Ok(Box::new(database))
    }
}

struct SqliteDatabase {
    path: PathBuf,
    flags: OpenFlags,
}

impl SltDatabase for SqliteDatabase {
    fn connect(&self) -> Result<Box<dyn SltConnection>, EngineError> {
        let connection = Connection::open_with_flags(&self.path, self.flags).map_err(error)?;
        // The file's durability is not what is under test here.
        connection
            .execute_batch("PRAGMA synchronous = OFF")
            .map_err(error)?;
        Ok(Box::new(SqliteConnection { connection }))
    }
}

struct SqliteConnection {
    connection: Connection,
}

impl SltConnection for SqliteConnection {
    fn run(&mut self, sql: &str) -> Result<Outcome, EngineError> {
        let mut outcome = Outcome::Done;
        let mut batch = rusqlite::Batch::new(&self.connection, sql);
        while let Some(mut statement) = batch.next().map_err(error)? {
            outcome = if statement.column_count() == 0 {
                Outcome::Changed(statement.execute([]).map_err(error)? as u64)
            } else {
                rows(&mut statement)?
            };
        }
        Ok(outcome)
    }
}

fn error(error: rusqlite::Error) -> EngineError {
    let mut error = EngineError::new(error.to_string());
    if error.message == "integer overflow" {
        error.sqlstate = Some("22003".to_owned());
    }
    error
}

const NULL: i8 = 0;
const INTEGER: i8 = 1;
const REAL: i8 = 2;
const TEXT: i8 = 3;
const BLOB: i8 = 4;

/// A column in which every value has its own type.
struct DynamicColumn {
    types: Vec<i8>,
    offsets: Vec<i32>,
    counts: [i32; 5],
    integers: Int64Builder,
    reals: Float64Builder,
    texts: StringBuilder,
    blobs: BinaryBuilder,
}

impl DynamicColumn {
    /// Without room for values: most results are of few rows, and the time that making room takes would count as
    /// SQLite's.
    fn new() -> Self {
        Self {
            types: Vec::new(),
            offsets: Vec::new(),
            counts: [0; 5],
            integers: Int64Builder::with_capacity(0),
            reals: Float64Builder::with_capacity(0),
            texts: StringBuilder::with_capacity(0, 0),
            blobs: BinaryBuilder::with_capacity(0, 0),
        }
    }

    fn push(&mut self, value: ValueRef<'_>) {
        let kind = match value {
            ValueRef::Null => NULL,
            ValueRef::Integer(value) => {
                self.integers.append_value(value);
                INTEGER
            }
            ValueRef::Real(value) => {
                self.reals.append_value(value);
                REAL
            }
            ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
                Ok(text) => {
                    self.texts.append_value(text);
                    TEXT
                }
                Err(_) => {
                    self.blobs.append_value(bytes);
                    BLOB
                }
            },
            ValueRef::Blob(bytes) => {
                self.blobs.append_value(bytes);
                BLOB
            }
        };
        self.types.push(kind);
        if let Some(count) = self.counts.get_mut(kind as usize) {
            self.offsets.push(*count);
            *count += 1;
        }
    }

    fn fields() -> UnionFields {
        static FIELDS: LazyLock<UnionFields> = LazyLock::new(DynamicColumn::new_fields);
        FIELDS.clone()
    }

    fn new_fields() -> UnionFields {
        let types = [
            (NULL, DataType::Null),
            (INTEGER, DataType::Int64),
            (REAL, DataType::Float64),
            (TEXT, DataType::Utf8),
            (BLOB, DataType::Binary),
        ];
        let fields = types.map(|(id, data_type)| {
            let field = Field::new(data_type.to_string(), data_type, true);
            (id, Arc::new(field))
        });
        fields.into_iter().collect()
    }

    fn finish(mut self) -> Result<ArrayRef, EngineError> {
        let nulls = usize::try_from(self.counts[NULL as usize]).unwrap_or(0);
        let children: Vec<ArrayRef> = vec![
            Arc::new(NullArray::new(nulls)),
            Arc::new(self.integers.finish()),
            Arc::new(self.reals.finish()),
            Arc::new(self.texts.finish()),
            Arc::new(self.blobs.finish()),
        ];
        let union = UnionArray::try_new(
            Self::fields(),
            self.types.into(),
            Some(self.offsets.into()),
            children,
        );
        let union = union.map_err(|error| EngineError::new(error.to_string()))?;
        Ok(Arc::new(union))
    }
}

fn rows(statement: &mut Statement<'_>) -> Result<Outcome, EngineError> {
    let names: Vec<String> = statement
        .column_names()
        .into_iter()
        .map(str::to_owned)
        .collect();
    let mut columns: Vec<DynamicColumn> = names.iter().map(|_| DynamicColumn::new()).collect();
    let mut rows = statement.query([]).map_err(error)?;
    while let Some(row) = rows.next().map_err(error)? {
        for (index, column) in columns.iter_mut().enumerate() {
            column.push(row.get_ref(index).map_err(error)?);
        }
    }
    let data_type = DataType::Union(DynamicColumn::fields(), UnionMode::Dense);
    let fields = names
        .into_iter()
        .map(|name| Field::new(name, data_type.clone(), false));
    let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
    let arrays: Result<Vec<ArrayRef>, EngineError> =
        columns.into_iter().map(DynamicColumn::finish).collect();
    let batch = RecordBatch::try_new(schema.clone(), arrays?)
        .map_err(|error| EngineError::new(error.to_string()))?;
    Ok(Outcome::Rows {
        schema,
        batches: vec![batch],
    })
}
