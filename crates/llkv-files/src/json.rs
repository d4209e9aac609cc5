//! Newline-delimited JSON: one object a line, parsed by `simd-json`.

use crate::convert::to_schema;
use crate::error::{io, malformed};
use arrow::array::{
    ArrayRef, BooleanBuilder, Float64Builder, Int64Builder, RecordBatch, RecordBatchOptions,
    StringViewBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use llkv_plan::{BatchIterator, ExternalSource, FileOptions};
use llkv_result::Result;
use simd_json::BorrowedValue;
use simd_json::prelude::{ValueAsObject, Writable};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Lines on which columns and types are found out.
const SAMPLE_ROWS: usize = 20_480;

/// Longest line: a file without line ends must not be read into memory whole.
const MAX_LINE_BYTES: usize = 64 << 20;

/// A file of JSON objects, one a line.
#[derive(Debug)]
pub(crate) struct JsonSource {
    path: PathBuf,
    /// Types in which values are gathered: BOOLEAN, BIGINT, DOUBLE or text.
    gathered: SchemaRef,
    /// What the source gives.
    schema: SchemaRef,
}

impl JsonSource {
    pub(crate) fn open(path: &Path, options: &FileOptions) -> Result<Self> {
        let schema = match &options.columns {
            Some(given) => Arc::clone(given),
            None => infer(path)?,
        };
        let gathered = schema
            .fields()
            .iter()
            .map(|field| {
                let read_as = match field.data_type() {
                    own @ (DataType::Boolean | DataType::Int64 | DataType::Float64) => own.clone(),
                    _ => DataType::Utf8View,
                };
                Field::new(field.name(), read_as, true)
            })
            .collect::<Vec<_>>();
        Ok(Self {
            path: path.into(),
            gathered: Arc::new(Schema::new(gathered)),
            schema,
        })
    }
}

/// Lines with their numbers; empty ones are passed over.
struct Lines {
    path: PathBuf,
    reader: BufReader<File>,
    line: Vec<u8>,
    number: u64,
}

impl Lines {
    fn open(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(|e| io(path, "open", &e))?;
        let reader = BufReader::with_capacity(1 << 20, file);
        Ok(Self {
            path: path.into(),
            reader,
            line: Vec::new(),
            number: 0,
        })
    }

    /// Reads on to the next line that holds something, into `self.line`.
    fn advance(&mut self) -> Result<bool> {
        loop {
            self.line.clear();
            self.number += 1;
            let limit = MAX_LINE_BYTES as u64 + 1;
            let read = std::io::Read::take(&mut self.reader, limit)
                .read_until(b'\n', &mut self.line)
                .map_err(|e| io(&self.path, "read", &e))?;
            if read == 0 {
                return Ok(false);
            }
            if read > MAX_LINE_BYTES {
                let detail = format!("a line is longer than {MAX_LINE_BYTES} bytes");
                return Err(malformed(&self.path, Some(self.number), detail));
            }
            if !self.line.iter().all(u8::is_ascii_whitespace) {
                return Ok(true);
            }
        }
    }

    /// The object on the current line.
    fn parse(&mut self) -> Result<BorrowedValue<'_>> {
        let (path, number) = (&self.path, self.number);
        let value = simd_json::to_borrowed_value(&mut self.line)
            .map_err(|e| malformed(path, Some(number), e))?;
        if value.as_object().is_none() {
            let detail = "not a JSON object; the file must hold one object a line";
            return Err(malformed(path, Some(number), detail));
        }
        Ok(value)
    }
}

/// The narrowest of the gathered types that holds both.
fn common(a: Option<DataType>, b: DataType) -> DataType {
    match (a, b) {
        (None, b) => b,
        (Some(a), b) if a == b => a,
        (Some(DataType::Int64), DataType::Float64) | (Some(DataType::Float64), DataType::Int64) => {
            DataType::Float64
        }
        _ => DataType::Utf8View,
    }
}

fn type_of(value: &BorrowedValue<'_>) -> Option<DataType> {
    use simd_json::StaticNode;
    Some(match value {
        BorrowedValue::Static(StaticNode::Null) => return None,
        BorrowedValue::Static(StaticNode::Bool(_)) => DataType::Boolean,
        BorrowedValue::Static(StaticNode::I64(_)) => DataType::Int64,
        BorrowedValue::Static(StaticNode::U64(v)) if i64::try_from(*v).is_ok() => DataType::Int64,
        BorrowedValue::Static(StaticNode::U64(_)) => DataType::Utf8View,
        BorrowedValue::Static(StaticNode::F64(_)) => DataType::Float64,
        _ => DataType::Utf8View,
    })
}

fn infer(path: &Path) -> Result<SchemaRef> {
    let mut lines = Lines::open(path)?;
    let mut columns: Vec<(String, Option<DataType>)> = Vec::new();
    for _ in 0..SAMPLE_ROWS {
        if !lines.advance()? {
            break;
        }
        let value = lines.parse()?;
        for (name, value) in value.as_object().into_iter().flat_map(|o| o.iter()) {
            let at = columns
                .iter()
                .position(|(known, _)| known == name)
                .unwrap_or_else(|| {
                    columns.push((name.to_string(), None));
                    columns.len() - 1
                });
            if let (Some(found), Some(column)) = (type_of(value), columns.get_mut(at)) {
                column.1 = Some(common(column.1.take(), found));
            }
        }
    }
    let fields: Vec<Field> = columns
        .into_iter()
        .map(|(name, ty)| Field::new(name, ty.unwrap_or(DataType::Utf8View), true))
        .collect();
    Ok(Arc::new(Schema::new(fields)))
}

/// Values of one column on their way into an array.
enum Column {
    Boolean(BooleanBuilder),
    Int64(Int64Builder),
    Float64(Float64Builder),
    Text(StringViewBuilder),
}

impl Column {
    fn new(data_type: &DataType) -> Self {
        match data_type {
            DataType::Boolean => Self::Boolean(BooleanBuilder::new()),
            DataType::Int64 => Self::Int64(Int64Builder::new()),
            DataType::Float64 => Self::Float64(Float64Builder::new()),
            _ => Self::Text(StringViewBuilder::new()),
        }
    }

    /// Appends a value; false where it does not fit the column's type.
    fn append(&mut self, value: Option<&BorrowedValue<'_>>) -> bool {
        use simd_json::StaticNode;
        let value = match value {
            None | Some(BorrowedValue::Static(StaticNode::Null)) => None,
            some => some,
        };
        match (self, value) {
            (Self::Boolean(b), None) => b.append_null(),
            (Self::Int64(b), None) => b.append_null(),
            (Self::Float64(b), None) => b.append_null(),
            (Self::Text(b), None) => b.append_null(),
            (Self::Boolean(b), Some(BorrowedValue::Static(StaticNode::Bool(v)))) => {
                b.append_value(*v);
            }
            (Self::Int64(b), Some(BorrowedValue::Static(StaticNode::I64(v)))) => b.append_value(*v),
            (Self::Int64(b), Some(BorrowedValue::Static(StaticNode::U64(v)))) => {
                match i64::try_from(*v) {
                    Ok(v) => b.append_value(v),
                    Err(_) => return false,
                }
            }
            (Self::Float64(b), Some(BorrowedValue::Static(StaticNode::I64(v)))) => {
                b.append_value(*v as f64);
            }
            (Self::Float64(b), Some(BorrowedValue::Static(StaticNode::U64(v)))) => {
                b.append_value(*v as f64);
            }
            (Self::Float64(b), Some(BorrowedValue::Static(StaticNode::F64(v)))) => {
                b.append_value(*v);
            }
            (Self::Float64(b), Some(BorrowedValue::String(text))) => match text.parse::<f64>() {
                // As they are written: see `json_values`.
                Ok(v) if !v.is_finite() => b.append_value(v),
                _ => return false,
            },
            (Self::Text(b), Some(BorrowedValue::String(text))) => b.append_value(text),
            (Self::Text(b), Some(other)) => b.append_value(other.encode()),
            _ => return false,
        }
        true
    }

    fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Boolean(b) => Arc::new(b.finish()),
            Self::Int64(b) => Arc::new(b.finish()),
            Self::Float64(b) => Arc::new(b.finish()),
            Self::Text(b) => Arc::new(b.finish()),
        }
    }
}

/// Up to `batch_rows` lines as a batch; `None` at the end of the file.
fn next_batch(
    lines: &mut Lines,
    gathered: &SchemaRef,
    target: &SchemaRef,
    batch_rows: usize,
) -> Result<Option<RecordBatch>> {
    let mut columns: Vec<Column> = gathered
        .fields()
        .iter()
        .map(|f| Column::new(f.data_type()))
        .collect();
    let mut rows = 0;
    while rows < batch_rows.max(1) && lines.advance()? {
        let (path, number) = (lines.path.clone(), lines.number);
        let value = lines.parse()?;
        let object = value.as_object();
        for (column, field) in columns.iter_mut().zip(gathered.fields()) {
            let found = object.and_then(|o| o.get(field.name().as_str()));
            if !column.append(found) {
                let value = found.map(|v| v.encode()).unwrap_or_default();
                let detail = format!(
                    "{value} is no {} for \"{}\"",
                    field.data_type(),
                    field.name()
                );
                return Err(malformed(&path, Some(number), detail));
            }
        }
        rows += 1;
    }
    if rows == 0 {
        return Ok(None);
    }
    let arrays: Vec<ArrayRef> = columns.iter_mut().map(Column::finish).collect();
    let options = RecordBatchOptions::new().with_row_count(Some(rows));
    let batch = RecordBatch::try_new_with_options(Arc::clone(gathered), arrays, &options)?;
    to_schema(&lines.path, &batch, target, None).map(Some)
}

impl ExternalSource for JsonSource {
    fn name(&self) -> String {
        format!("json '{}'", self.path.display())
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn read(
        &self,
        _partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator> {
        let mut lines = Lines::open(&self.path)?;
        let gathered = Arc::new(self.gathered.project(projection)?);
        let target = Arc::new(self.schema.project(projection)?);
        let mut ended = false;
        Ok(Box::new(std::iter::from_fn(move || {
            if ended {
                return None;
            }
            let next = next_batch(&mut lines, &gathered, &target, batch_rows).transpose();
            ended = !matches!(next, Some(Ok(_)));
            next
        })))
    }
}
