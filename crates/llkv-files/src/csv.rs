//! Delimited text: the schema is found out on a sample, then lines stream, those of several parts side by side.

pub(crate) mod quoted;
mod split;

use crate::convert::{sql_schema, to_schema};
use crate::error::{io, malformed};
use crate::format::delimiter_of;
use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_csv::ReaderBuilder;
use arrow_csv::reader::Format;
use llkv_plan::{BatchIterator, ExternalSource, FileOptions};
use llkv_result::{Error, Result};
use llkv_types::SqlType;
use quoted::{MarkedReader, unmarked};
use split::{Marks, PART_BYTES, Parts};
use std::collections::HashSet;
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// Rows on which types are found out: what DuckDB samples, too.
const SAMPLE_ROWS: usize = 20_480;

/// What is said of a value that is not of the type which the rows before it seem to have.
const FIRST_ROWS_DECIDE: &str = "; the first rows decide on types, `types` of read_csv gives others, and `all_varchar` text to all";

/// Separators that are looked for where nothing tells which one it is.
const DELIMITERS: [u8; 4] = [b',', b';', b'|', b'\t'];

/// Bytes in which they are looked for.
const SNIFFED_BYTES: u64 = 1 << 16;

/// Bytes that one read asks of the file.
const READ_BYTES: usize = 1 << 20;

/// A CSV file.
#[derive(Debug)]
pub(crate) struct CsvSource {
    path: PathBuf,
    options: FileOptions,
    has_header: bool,
    /// What the parser reads: every column in a type that it knows.
    file_schema: SchemaRef,
    /// What the source gives.
    schema: SchemaRef,
    parts: Parts,
}

impl CsvSource {
    pub(crate) fn open(path: &Path, options: &FileOptions) -> Result<Self> {
        let mut file = File::open(path).map_err(|e| io(path, "open", &e))?;
        let mut options = options.clone();
        if options.columns.is_none() && options.delimiter.is_none() {
            options.delimiter = likely_delimiter(path, &mut file, &options)?;
        }
        let options = &options;
        let has_header = match options.header {
            Some(told) => told,
            None => looks_like_header(path, &mut file, options)?,
        };
        let (file_schema, schema) = match &options.columns {
            Some(given) => (Arc::new(parser_schema(given)), Arc::clone(given)),
            None => {
                let found = infer(path, &mut file, options, has_header)?;
                let named = match has_header {
                    true => distinct(&found),
                    false => numbered(&found),
                };
                let zoned = with_zones(path, &mut file, options, has_header, &named)?;
                let typed = with_types(path, &zoned, options)?;
                let schema = sql_schema(path, &typed)?;
                (Arc::new(parser_schema(&schema)), schema)
            }
        };
        let bytes = file.metadata().map_err(|e| io(path, "read", &e))?.len();
        let marks = Marks {
            delimiter: delimiter_of(path, options),
            quote: options.quote.unwrap_or(b'"'),
            escape: options
                .escape
                .filter(|escape| Some(*escape) != options.quote.or(Some(b'"'))),
        };
        Ok(Self {
            parts: Parts::new(path.into(), bytes, marks, PART_BYTES),
            path: path.into(),
            options: options.clone(),
            has_header,
            file_schema,
            schema,
        })
    }
}

/// What separates the values of a file that does not tell: of the usual separators the one that stands equally often in each of the
/// first lines, a comma before the others. None where the name tells, or none does.
fn likely_delimiter(path: &Path, file: &mut File, options: &FileOptions) -> Result<Option<u8>> {
    if delimiter_of(path, options) != b',' {
        return Ok(None);
    }
    let mut sample = Vec::new();
    file.rewind().map_err(|e| io(path, "read", &e))?;
    let mut beginning = Read::by_ref(file).take(SNIFFED_BYTES);
    beginning
        .read_to_end(&mut sample)
        .map_err(|e| io(path, "read", &e))?;
    let is_whole = (sample.len() as u64) < SNIFFED_BYTES;
    let quote = options.quote.unwrap_or(b'"');
    let counts = DELIMITERS.map(|delimiter| count_per_line(&sample, is_whole, delimiter, quote));
    let found = DELIMITERS.into_iter().zip(counts);
    let found = found.filter_map(|(delimiter, count)| Some((delimiter, count.filter(|n| *n > 0)?)));
    let best = found.max_by_key(|(delimiter, count)| (*delimiter == b',', *count));
    Ok(best.map(|(delimiter, _)| delimiter))
}

/// How often a separator stands in each line outside of quotes; none where lines differ.
fn count_per_line(sample: &[u8], is_whole: bool, delimiter: u8, quote: u8) -> Option<usize> {
    let mut known = None;
    let (mut count, mut length, mut is_quoted) = (0, 0, false);
    let end = is_whole.then_some(b'\n');
    for byte in sample.iter().copied().chain(end) {
        match byte {
            b'\n' if !is_quoted => {
                if length > 0 && known.replace(count).is_some_and(|known| known != count) {
                    return None;
                }
                (count, length) = (0, 0);
                continue;
            }
            b'\r' => continue,
            byte if byte == quote => is_quoted = !is_quoted,
            byte if byte == delimiter && !is_quoted => count += 1,
            _ => {}
        }
        length += 1;
    }
    known
}

/// The columns with names that tell them apart: `a`, `a_1`, `a_2`, ...
fn distinct(schema: &Schema) -> Schema {
    let mut taken: HashSet<String> = HashSet::new();
    let fields = schema.fields().iter().map(|field| {
        let given = field.name();
        let mut names = std::iter::once(given.clone())
            .chain((1usize..).map(|number| format!("{given}_{number}")));
        let name = names.find(|name| taken.insert(name.to_lowercase()));
        field.as_ref().clone().with_name(name.unwrap_or_default())
    });
    Schema::new(fields.collect::<Vec<Field>>())
}

fn format(path: &Path, options: &FileOptions, has_header: bool) -> Format {
    let mut format = Format::default()
        .with_header(has_header)
        .with_delimiter(delimiter_of(path, options));
    if let Some(quote) = options.quote {
        format = format.with_quote(quote);
    }
    if let Some(escape) = options.escape {
        format = format.with_escape(escape);
    }
    if let Some(null) = options.null.as_deref().and_then(null_regex) {
        format = format.with_null_regex(null);
    }
    format
}

fn null_regex(text: &str) -> Option<regex::Regex> {
    regex::Regex::new(&format!("^{}$", regex::escape(text))).ok()
}

fn infer(path: &Path, file: &mut File, options: &FileOptions, has_header: bool) -> Result<Schema> {
    file.rewind().map_err(|e| io(path, "read", &e))?;
    let (schema, _) = format(path, options, has_header)
        .infer_schema(
            BufReader::with_capacity(READ_BYTES, &mut *file),
            Some(SAMPLE_ROWS),
        )
        .map_err(|e| malformed(path, None, e))?;
    // A column without a value in the sample has no type of its own.
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|f| match f.data_type() {
            DataType::Null => Field::new(f.name(), DataType::Utf8, true),
            other => Field::new(f.name(), other.clone(), true),
        })
        .collect();
    Ok(Schema::new(fields))
}

/// Columns of moments whose values tell their offset from UTC are of moments with a time zone.
fn with_zones(
    path: &Path,
    file: &mut File,
    options: &FileOptions,
    has_header: bool,
    schema: &Schema,
) -> Result<Schema> {
    let fields = schema.fields().iter().enumerate();
    let moments = fields.filter(|(_, field)| matches!(field.data_type(), DataType::Timestamp(..)));
    let moments: Vec<usize> = moments.map(|(at, _)| at).collect();
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    if moments.is_empty() {
        return Ok(schema.clone());
    }
    let as_text = |field: &Field| Field::new(field.name(), DataType::Utf8, true);
    let texts: Vec<Field> = fields.iter().map(as_text).collect();
    file.rewind().map_err(|e| io(path, "read", &e))?;
    let input = BufReader::with_capacity(READ_BYTES, &mut *file);
    let sample = ReaderBuilder::new(Arc::new(Schema::new(texts)))
        .with_format(format(path, options, has_header))
        .with_batch_size(SAMPLE_ROWS)
        .with_projection(moments.clone())
        .build_buffered(input)
        .map_err(|e| malformed(path, None, e))?
        .next()
        .transpose()
        .map_err(|e| malformed(path, None, e))?;
    for (column, at) in sample.iter().flat_map(RecordBatch::columns).zip(moments) {
        let texts = column.as_string::<i32>();
        if let Some(field) = fields
            .get_mut(at)
            .filter(|_| texts.iter().flatten().any(has_zone))
        {
            *field = field
                .clone()
                .with_data_type(SqlType::TimestampTz.to_arrow());
        }
    }
    Ok(Schema::new(fields))
}

/// True for a moment with an offset behind the time: `2024-01-01 10:00:00+02`, `...Z`.
fn has_zone(moment: &str) -> bool {
    const TIME: usize = "2024-01-01 10:00".len();
    let behind = moment.get(TIME..).unwrap_or_default();
    behind.contains(['Z', 'z', '+', '-'])
}

/// The columns with the types that the options give them.
fn with_types(path: &Path, schema: &Schema, options: &FileOptions) -> Result<Schema> {
    let mut fields: Vec<Field> = schema.fields().iter().map(|f| f.as_ref().clone()).collect();
    if options.all_text {
        for field in &mut fields {
            field.set_data_type(SqlType::Text.to_arrow());
        }
    }
    for (name, ty) in &options.types {
        let mut named = fields.iter_mut();
        match named.find(|field| field.name().eq_ignore_ascii_case(name)) {
            Some(field) => field.set_data_type(ty.to_arrow()),
            None => {
                let detail = format!("it has no column \"{name}\" to give a type");
                return Err(malformed(path, None, detail));
            }
        }
    }
    Ok(Schema::new(fields))
}

/// A first line is a header when a column that holds typed values below it holds text there, or, in a
/// file of text alone, when its values are distinct and look like names.
fn looks_like_header(path: &Path, file: &mut File, options: &FileOptions) -> Result<bool> {
    let below = infer(path, file, options, true)?;
    let with_first = infer(path, file, options, false)?;
    if below.fields().is_empty() {
        return Ok(false);
    }
    let typed = below.fields().iter().zip(with_first.fields());
    if typed.clone().any(|(b, w)| b.data_type() != w.data_type()) {
        return Ok(typed
            .into_iter()
            .any(|(b, w)| b.data_type() != &DataType::Utf8 && w.data_type() == &DataType::Utf8));
    }
    if below
        .fields()
        .iter()
        .any(|f| f.data_type() != &DataType::Utf8)
    {
        return Ok(false);
    }
    let names: HashSet<&str> = below.fields().iter().map(|f| f.name().as_str()).collect();
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_alphabetic() || c == '_')
            && name
                .chars()
                .all(|c| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-' | '.'))
    };
    Ok(names.len() == below.fields().len() && names.iter().all(|n| is_name(n)))
}

/// Names for a file without a header: `column0`, `column1`, ...
fn numbered(schema: &Schema) -> Schema {
    let fields = schema.fields().iter().enumerate();
    Schema::new(
        fields
            .map(|(i, f)| Field::new(format!("column{i}"), f.data_type().clone(), true))
            .collect::<Vec<_>>(),
    )
}

/// The types that the CSV parser itself reads as INSERT reads their texts; others are read as text and cast. (It cuts digits of
/// decimals off, and moves timestamps by their offsets.)
fn parser_schema(schema: &Schema) -> Schema {
    let fields: Vec<Field> = schema
        .fields()
        .iter()
        .map(|field| {
            let read_as = match field.data_type() {
                known @ (DataType::Int8
                | DataType::Int16
                | DataType::Int32
                | DataType::Int64
                | DataType::UInt8
                | DataType::UInt16
                | DataType::UInt32
                | DataType::UInt64
                | DataType::Float32
                | DataType::Float64
                | DataType::Date32
                | DataType::Utf8View) => known.clone(),
                _ => DataType::Utf8,
            };
            Field::new(field.name(), read_as, true)
        })
        .collect();
    Schema::new(fields)
}

impl ExternalSource for CsvSource {
    fn name(&self) -> String {
        format!("csv '{}'", self.path.display())
    }

    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }

    fn partitions(&self) -> usize {
        self.parts.count()
    }

    fn read(
        &self,
        partition: usize,
        projection: &[usize],
        batch_rows: usize,
    ) -> Result<BatchIterator> {
        let failed = |e| io(&self.path, "read", &e);
        let (cut, end) = self.parts.bounds(partition).map_err(failed)?;
        let mut file = File::open(&self.path).map_err(|e| io(&self.path, "open", &e))?;
        if cut.offset > 0 {
            file.seek(SeekFrom::Start(cut.offset)).map_err(failed)?;
        }
        let bytes = end.map_or(u64::MAX, |end| end - cut.offset);
        let has_header = self.has_header && partition == 0;
        let input = BufReader::with_capacity(READ_BYTES, file.take(bytes));
        let fields = self.file_schema.fields().iter();
        let is_text = fields.map(|field| field.data_type() == &DataType::Utf8View);
        let is_text = match self.file_schema.fields().len() {
            1 => Vec::new(),
            _ => is_text.collect(),
        };
        let null = self.options.null.as_deref();
        let input = MarkedReader::new(input, self.parts.marks(), null, is_text);
        let place = Place {
            schema: Arc::clone(&self.file_schema),
            lines: cut.lines,
            has_header,
            is_inferred: self.options.columns.is_none() && !self.options.all_text,
        };
        let has_marks = input.has_marks();
        let reader = ReaderBuilder::new(Arc::clone(&self.file_schema))
            .with_format(format(&self.path, &self.options, has_header))
            .with_batch_size(batch_rows)
            .with_projection(projection.to_vec())
            .build_buffered(input)
            .map_err(|e| place.malformed(&self.path, &e))?;
        let target = Arc::new(self.schema.project(projection)?);
        let path = self.path.clone();
        let mut line = cut.lines + u64::from(has_header) + 1;
        Ok(Box::new(reader.map(move |batch| {
            let mut batch = batch.map_err(|e| place.malformed(&path, &e))?;
            let first_line = line;
            line += batch.num_rows() as u64;
            if has_marks.load(Ordering::Relaxed) {
                batch = unmarked(batch).map_err(|e| malformed(&path, None, e))?;
            }
            to_schema(&path, &batch, &target, Some(first_line))
        })))
    }
}

/// Where a part of a file begins.
struct Place {
    schema: SchemaRef,
    /// Lines before it.
    lines: u64,
    /// Its first line is the header.
    has_header: bool,
    /// The types of its columns are those that the first rows seem to have.
    is_inferred: bool,
}

impl Place {
    /// What the parser says of the part, with the lines of the file and the names of columns: it counts lines from the part's
    /// beginning, those of values without the header, and columns from zero.
    fn malformed(&self, path: &Path, error: &ArrowError) -> Error {
        const LINE: &str = " line ";
        const COLUMN: &str = " for column ";
        let detail = error.to_string();
        let mut of_value = false;
        let detail = with_number(&detail, COLUMN, |column| {
            of_value = true;
            let fields = self.schema.fields();
            let name = usize::try_from(column).ok().and_then(|at| fields.get(at));
            name.map_or_else(
                || column.to_string(),
                |field| format!("\"{}\"", field.name()),
            )
        });
        let header = u64::from(self.has_header && of_value);
        let detail = with_number(&detail, LINE, |line| {
            (line + self.lines + header).to_string()
        });
        let hint = match of_value && self.is_inferred {
            true => FIRST_ROWS_DECIDE,
            false => "",
        };
        malformed(path, None, format!("{detail}{hint}"))
    }
}

/// The text with the first number behind some words made into something else.
fn with_number(text: &str, words: &str, make: impl FnOnce(u64) -> String) -> String {
    let made = text.find(words).and_then(|at| {
        let (before, rest) = text.split_at_checked(at + words.len())?;
        let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
        let (number, behind) = rest.split_at_checked(digits)?;
        Some(format!("{before}{}{behind}", make(number.parse().ok()?)))
    });
    made.unwrap_or_else(|| text.to_owned())
}
