//! Writing record batches to files and streams.

use crate::convert::{text_schema, to_text_form};
use crate::csv::quoted::{marked, quoted};
use crate::error::{io, malformed};
use crate::format::{delimiter_of, format_of};
use crate::json_values::ValueEncoders;
use arrow::array::RecordBatch;
use arrow::datatypes::{Schema, SchemaRef};
use arrow_csv::writer::{Writer as CsvWriter, WriterBuilder as CsvBuilder};
use arrow_ipc::writer::FileWriter;
use arrow_json::writer::{LineDelimited, Writer as JsonWriter, WriterBuilder as JsonBuilder};
use llkv_plan::{FileFormat, FileOptions};
use llkv_result::{FileError, Result};
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, GzipLevel, ZstdLevel};
use parquet::file::properties::WriterProperties;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Takes record batches of one schema.
pub trait FileSink: Send {
    /// Appends a batch.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn write(&mut self, batch: &RecordBatch) -> Result<()>;

    /// Completes the file and gives the number of rows written. A sink dropped before that leaves
    /// no file behind.
    ///
    /// # Errors
    /// When the file cannot be written.
    fn finish(self: Box<Self>) -> Result<u64>;
}

/// Opens a file for writing. Until [`FileSink::finish`] the rows gather under a temporary name beside
/// it, so an existing file is replaced whole or not at all.
///
/// # Errors
/// When the file cannot be created or its format is unknown.
pub fn open_sink(
    path: &Path,
    options: &FileOptions,
    schema: SchemaRef,
) -> Result<Box<dyn FileSink>> {
    let format = format_of(path, options)?;
    let partial = Partial::create(path)?;
    let file = partial.file.try_clone().map_err(|e| io(path, "open", &e))?;
    let encoder = Encoder::new(path, BufWriter::new(file), format, options, &schema)?;
    Ok(Box::new(Sink {
        path: path.into(),
        encoder,
        partial: Some(partial),
        rows: 0,
    }))
}

/// Writes to any stream, a terminal's or a pipe's.
///
/// # Errors
/// When the schema holds a type that the format does not take.
pub fn stream_sink(
    writer: impl Write + Send + 'static,
    format: FileFormat,
    options: &FileOptions,
    schema: SchemaRef,
) -> Result<Box<dyn FileSink>> {
    let path = Path::new("output");
    let boxed: Box<dyn Write + Send> = Box::new(writer);
    let encoder = Encoder::new(path, boxed, format, options, &schema)?;
    Ok(Box::new(Sink {
        path: path.into(),
        encoder,
        partial: None,
        rows: 0,
    }))
}

struct Sink<W: Write + Send> {
    path: PathBuf,
    encoder: Encoder<W>,
    partial: Option<Partial>,
    rows: u64,
}

impl<W: Write + Send> FileSink for Sink<W> {
    fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.encoder.write(&self.path, batch)?;
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    fn finish(self: Box<Self>) -> Result<u64> {
        self.encoder.finish(&self.path)?;
        if let Some(partial) = self.partial {
            partial.publish()?;
        }
        Ok(self.rows)
    }
}

/// A file under a temporary name, removed unless it was published.
struct Partial {
    file: File,
    temporary: PathBuf,
    target: PathBuf,
    published: bool,
}

impl Partial {
    fn create(target: &Path) -> Result<Self> {
        let mut name = target.file_name().unwrap_or_default().to_os_string();
        name.push(format!(".partial-{}", std::process::id()));
        let temporary = target.with_file_name(name);
        let file = File::create(&temporary).map_err(|e| io(target, "write", &e))?;
        Ok(Self {
            file,
            temporary,
            target: target.into(),
            published: false,
        })
    }

    fn publish(mut self) -> Result<()> {
        self.file
            .sync_all()
            .map_err(|e| io(&self.target, "write", &e))?;
        std::fs::rename(&self.temporary, &self.target)
            .map_err(|e| io(&self.target, "write", &e))?;
        self.published = true;
        Ok(())
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.published {
            // Nothing to tell anybody: the statement that failed has its own error.
            let _ = std::fs::remove_file(&self.temporary);
        }
    }
}

/// The writer of a format.
enum Encoder<W: Write + Send> {
    Csv(Box<CsvEncoder<W>>),
    Json(Box<JsonWriter<W, LineDelimited>>, SchemaRef),
    Parquet(Box<ArrowWriter<W>>),
    Arrow(Box<FileWriter<W>>),
}

impl<W: Write + Send> Encoder<W> {
    fn new(
        path: &Path,
        mut writer: W,
        format: FileFormat,
        options: &FileOptions,
        schema: &SchemaRef,
    ) -> Result<Self> {
        Ok(match format {
            FileFormat::Csv => {
                // The names are written at once, so that a result without rows still has them.
                if options.header.unwrap_or(true) {
                    write_header(path, &mut writer, options, schema)?;
                }
                Self::Csv(Box::new(CsvEncoder {
                    writer,
                    builder: csv_builder(path, options).with_header(false),
                    schema: text_schema(schema, false),
                    null: options.null.clone().unwrap_or_default(),
                    quote: options.quote.unwrap_or(b'"'),
                }))
            }
            FileFormat::Json => {
                let builder = JsonBuilder::new().with_explicit_nulls(true);
                let builder = builder.with_encoder_factory(Arc::new(ValueEncoders));
                Self::Json(Box::new(builder.build(writer)), text_schema(schema, true))
            }
            FileFormat::Parquet => {
                let properties = WriterProperties::builder()
                    .set_compression(compression(options)?)
                    .set_max_row_group_row_count(Some(llkv_types::ROW_GROUP_ROWS))
                    .build();
                let writer = ArrowWriter::try_new(writer, schema.clone(), Some(properties))
                    .map_err(|e| malformed(path, None, e))?;
                Self::Parquet(Box::new(writer))
            }
            FileFormat::Arrow => {
                let writer =
                    FileWriter::try_new(writer, schema).map_err(|e| malformed(path, None, e))?;
                Self::Arrow(Box::new(writer))
            }
        })
    }

    fn write(&mut self, path: &Path, batch: &RecordBatch) -> Result<()> {
        match self {
            Self::Csv(encoder) => encoder.write(path, batch),
            Self::Json(writer, schema) => writer
                .write(&to_text_form(batch, schema)?)
                .map_err(|e| malformed(path, None, e)),
            Self::Parquet(writer) => writer.write(batch).map_err(|e| malformed(path, None, e)),
            Self::Arrow(writer) => writer.write(batch).map_err(|e| malformed(path, None, e)),
        }
    }

    fn finish(self, path: &Path) -> Result<()> {
        let mut inner = match self {
            Self::Csv(encoder) => encoder.writer,
            Self::Json(mut writer, _) => {
                writer.finish().map_err(|e| malformed(path, None, e))?;
                writer.into_inner()
            }
            Self::Parquet(writer) => writer.into_inner().map_err(|e| malformed(path, None, e))?,
            Self::Arrow(writer) => writer.into_inner().map_err(|e| malformed(path, None, e))?,
        };
        inner.flush().map_err(|e| io(path, "write", &e))
    }
}

/// Writes records of delimited values.
struct CsvEncoder<W> {
    writer: W,
    builder: CsvBuilder,
    schema: SchemaRef,
    /// What NULL is written as.
    null: String,
    quote: u8,
}

impl<W: Write> CsvEncoder<W> {
    fn write(&mut self, path: &Path, batch: &RecordBatch) -> Result<()> {
        let failed = |e| malformed(path, None, e);
        let batch = to_text_form(batch, &self.schema)?;
        let marked = marked(&batch, &self.null).map_err(failed)?;
        let mut csv: CsvWriter<Vec<u8>> = self.builder.clone().build(Vec::new());
        csv.write(marked.as_ref().unwrap_or(&batch))
            .map_err(failed)?;
        let mut written = csv.into_inner();
        if marked.is_some() {
            written = quoted(&written, &self.null, self.quote);
        }
        self.writer
            .write_all(&written)
            .map_err(|e| io(path, "write", &e))
    }
}

fn csv_builder(path: &Path, options: &FileOptions) -> CsvBuilder {
    let mut builder = CsvBuilder::new().with_delimiter(delimiter_of(path, options));
    if let Some(quote) = options.quote {
        builder = builder.with_quote(quote);
    }
    if let Some(escape) = options.escape {
        builder = builder.with_escape(escape).with_double_quote(false);
    }
    if let Some(null) = &options.null {
        builder = builder.with_null(null.clone());
    }
    builder
}

fn write_header<W: Write>(
    path: &Path,
    writer: &mut W,
    options: &FileOptions,
    schema: &Schema,
) -> Result<()> {
    let mut header = csv_builder(path, options)
        .with_header(true)
        .build(Vec::new());
    header
        .write(&RecordBatch::new_empty(text_schema(schema, false)))
        .map_err(|e| malformed(path, None, e))?;
    writer
        .write_all(&header.into_inner())
        .map_err(|e| io(path, "write", &e))
}

fn compression(options: &FileOptions) -> Result<Compression> {
    let name = options.compression.as_deref().unwrap_or("zstd");
    Ok(match name.to_ascii_lowercase().as_str() {
        "zstd" => Compression::ZSTD(ZstdLevel::default()),
        "snappy" => Compression::SNAPPY,
        "lz4" => Compression::LZ4_RAW,
        "gzip" => Compression::GZIP(GzipLevel::default()),
        "none" | "uncompressed" => Compression::UNCOMPRESSED,
        _ => {
            return Err(FileError::UnknownCompression {
                compression: name.into(),
            }
            .into());
        }
    })
}
