//! Results on their way to the screen or a pipe.

use arrow::array::{Array, RecordBatch, RecordBatchReader};
use arrow::datatypes::Schema;
use clap::ValueEnum;
use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};
use llkv::files::stream_sink;
use llkv::plan::{FileFormat, FileOptions};
use llkv::{Error, Result, Scalar, SelectStream, SqlType};
use std::io::{self, BufWriter, Write};
use std::sync::atomic::{AtomicBool, Ordering};

/// Bytes that gather before a result that is not for people is written.
const STDOUT_BYTES: usize = 1 << 18;

/// How results are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table with borders, for people.
    Table,
    /// Comma-separated values with a header.
    Csv,
    /// One JSON object a line.
    Json,
    /// An Arrow IPC file on stdout.
    Arrow,
}

/// Prints all rows of a result; gives their number.
pub(crate) fn print(stream: SelectStream, format: Format, max_rows: usize) -> Result<u64> {
    match format {
        Format::Table => print_table(stream, max_rows),
        Format::Csv => print_stream(stream, FileFormat::Csv),
        Format::Json => print_stream(stream, FileFormat::Json),
        Format::Arrow => print_stream(stream, FileFormat::Arrow),
    }
}

fn print_stream(stream: SelectStream, format: FileFormat) -> Result<u64> {
    // The standard library's stdout passes every line on by itself.
    let stdout = BufWriter::with_capacity(STDOUT_BYTES, Stdout);
    let mut sink = stream_sink(stdout, format, &FileOptions::default(), stream.schema())?;
    for batch in stream {
        sink.write(&batch.map_err(Error::from_arrow)?)?;
    }
    sink.finish()
}

/// Prints up to `max_rows` rows (all for 0) and says how many there were.
fn print_table(stream: SelectStream, max_rows: usize) -> Result<u64> {
    let schema = stream.schema();
    let mut table = Table::new();
    table.load_preset(presets::UTF8_FULL_CONDENSED);
    table.set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(header(&schema));
    let mut rows: u64 = 0;
    let mut shown: usize = 0;
    for batch in stream {
        let batch = batch.map_err(Error::from_arrow)?;
        rows += batch.num_rows() as u64;
        let wanted = if max_rows == 0 {
            usize::MAX
        } else {
            max_rows - shown
        };
        for row in 0..batch.num_rows().min(wanted) {
            table.add_row(cells(&batch, row)?);
            shown += 1;
        }
    }
    let note = match (rows, rows > shown as u64) {
        (1, _) => "1 row".to_string(),
        (n, false) => format!("{n} rows"),
        (n, true) => format!("{n} rows, {shown} shown; .maxrows 0 shows all"),
    };
    write_out(&format!("{table}\n{note}\n"))?;
    Ok(rows)
}

/// The reader of stdout has gone away: `llkv ... | head`.
static READER_IS_GONE: AtomicBool = AtomicBool::new(false);

/// True when nobody reads what is printed any more.
pub(crate) fn reader_is_gone() -> bool {
    READER_IS_GONE.load(Ordering::Relaxed)
}

/// Standard output, which remembers that its reader has gone away.
pub(crate) struct Stdout;

impl Stdout {
    fn noted<T>(outcome: io::Result<T>) -> io::Result<T> {
        if let Err(error) = &outcome
            && error.kind() == io::ErrorKind::BrokenPipe
        {
            READER_IS_GONE.store(true, Ordering::Relaxed);
        }
        outcome
    }
}

impl Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Self::noted(io::stdout().write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        Self::noted(io::stdout().flush())
    }
}

/// Writes to stdout; a reader that has gone away is told as an error, not as a panic.
pub(crate) fn write_out(text: &str) -> Result<()> {
    Stdout
        .write_all(text.as_bytes())
        .and_then(|()| Stdout.flush())
        .map_err(|e| {
            llkv::FileError::Io {
                path: "stdout".into(),
                operation: "write",
                detail: e.to_string(),
            }
            .into()
        })
}

fn header(schema: &Schema) -> Vec<Cell> {
    schema
        .fields()
        .iter()
        .map(|field| Cell::new(without_controls(field.name().clone())))
        .collect()
}

fn cells(batch: &RecordBatch, row: usize) -> Result<Vec<Cell>> {
    batch
        .columns()
        .iter()
        .map(|column| {
            let text = if column.is_null(row) {
                "NULL".to_string()
            } else {
                Scalar::from_array(column.as_ref(), row)?.to_string()
            };
            let right = SqlType::from_arrow(column.data_type()).is_some_and(SqlType::is_numeric);
            let side = if right {
                CellAlignment::Right
            } else {
                CellAlignment::Left
            };
            Ok(Cell::new(without_controls(text)).set_alignment(side))
        })
        .collect()
}

/// A text that does nothing to a terminal: control characters but the ends of lines as they are escaped in SQL.
fn without_controls(text: String) -> String {
    let is_control = |c: char| c.is_control() && c != '\n';
    if !text.contains(is_control) {
        return text;
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            c if is_control(c) && c.is_ascii() => {
                shown.push_str(&format!("\\x{:02x}", u32::from(c)))
            }
            c if is_control(c) => shown.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => shown.push(c),
        }
    }
    shown
}
