//! What stands in quotes is no NULL, though it reads like one: `""` is an empty text, as PostgreSQL writes and reads it.
//!
//! The parser (`csv-core`) does not tell which values stood in quotes. So a value in quotes that reads like NULL gets a mark on the
//! way into the parser, and the texts that come out lose it; on the way out of the writer it is the other way round. A file of one
//! column is left as it is: there `""` has to be NULL, for an empty line is no row.

use super::split::{Marks, State};
use arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, StringViewArray};
use arrow::datatypes::DataType;
use arrow::error::ArrowError;
use memchr::memmem::find_iter;
use memchr::{memchr, memchr_iter, memchr2, memrchr};
use std::io::{self, BufRead, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// What is put before a value that stood in quotes: a noncharacter, which no text of any use begins with.
const MARK: &str = "\u{10fffe}";

/// The bytes of a file with marks.
pub(super) struct MarkedReader<R> {
    input: R,
    marks: Marks,
    /// A value in quotes that reads like NULL, with its quotes.
    pattern: Vec<u8>,
    /// Which columns are of text.
    is_text: Vec<bool>,
    state: State,
    /// The column of the next byte, and the byte before it.
    column: usize,
    before: u8,
    /// Bytes that are read, but wait for more.
    waiting: Vec<u8>,
    out: Vec<u8>,
    at: usize,
    /// Bytes of the input without a quote, which are handed on as they are.
    direct: usize,
    /// A mark was set.
    has_marks: Arc<AtomicBool>,
}

impl<R: BufRead> MarkedReader<R> {
    pub(super) fn new(input: R, marks: Marks, null: Option<&str>, is_text: Vec<bool>) -> Self {
        let quote = [marks.quote];
        let null = null.unwrap_or_default().as_bytes();
        Self {
            input,
            marks,
            pattern: [&quote, null, &quote].concat(),
            is_text,
            state: State::Plain,
            column: 0,
            before: b'\n',
            waiting: Vec::new(),
            out: Vec::new(),
            at: 0,
            direct: 0,
            has_marks: Arc::default(),
        }
    }

    /// Whether marks were set so far.
    pub(super) fn has_marks(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.has_marks)
    }

    /// Goes on with the next bytes; false at the end.
    fn refill(&mut self) -> io::Result<bool> {
        self.out.clear();
        self.at = 0;
        let read = self.input.fill_buf()?;
        let (count, is_end) = (read.len(), read.is_empty());
        let is_plain = self.state == State::Plain && self.waiting.is_empty();
        if is_plain && memchr(self.marks.quote, read).is_none() {
            self.column = column_behind(self.column, read, self.marks.delimiter);
            self.before = read.last().copied().unwrap_or(self.before);
            self.direct = count;
            return Ok(false);
        }
        let mut bytes = std::mem::take(&mut self.waiting);
        bytes.extend_from_slice(read);
        self.input.consume(count);
        if is_end && matches!(self.state, State::Quoted | State::Escaped) {
            let message = "the file ends within quotes";
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        if is_end && bytes.is_empty() {
            return Ok(false);
        }
        let mut rest = bytes.as_slice();
        while let Some(passed) = self.step(rest, is_end) {
            rest = rest.get(passed..).unwrap_or_default();
        }
        self.waiting = rest.to_vec();
        Ok(true)
    }

    /// Takes the first of some bytes; none where there are none, or more are needed.
    fn step(&mut self, rest: &[u8], is_end: bool) -> Option<usize> {
        let first = *rest.first()?;
        let quote = self.marks.quote;
        let passed = match self.state {
            State::Plain if first == quote => {
                let starts = [self.marks.delimiter, b'\n', b'\r'].contains(&self.before);
                match self.is_null_in_quotes(rest, is_end) {
                    None if starts => return None,
                    Some(true) if starts => {
                        self.has_marks.store(true, Ordering::Relaxed);
                        self.out.push(quote);
                        self.out.extend_from_slice(MARK.as_bytes());
                        let closed = self.pattern.get(1..).unwrap_or_default();
                        self.out.extend_from_slice(closed);
                        self.before = quote;
                        return Some(self.pattern.len());
                    }
                    _ => {}
                }
                if starts {
                    self.state = State::Quoted;
                }
                1
            }
            State::Plain => memchr(quote, rest).unwrap_or(rest.len()),
            State::Quoted => {
                let escape = self.marks.escape.unwrap_or(quote);
                let mark = memchr2(quote, escape, rest);
                match mark.and_then(|at| rest.get(at)) {
                    None => {}
                    Some(mark) if *mark == quote => self.state = State::Closing,
                    Some(_) => self.state = State::Escaped,
                }
                mark.map_or(rest.len(), |at| at + 1)
            }
            State::Closing if first != quote => {
                self.state = State::Plain;
                self.before = quote;
                return Some(0);
            }
            State::Closing | State::Escaped => {
                self.state = State::Quoted;
                1
            }
        };
        let done = rest.get(..passed).unwrap_or_default();
        if self.state == State::Plain && first != quote {
            self.column = column_behind(self.column, done, self.marks.delimiter);
        }
        self.before = done.last().copied().unwrap_or(self.before);
        self.out.extend_from_slice(done);
        Some(passed)
    }

    /// Whether a value of text that reads like NULL begins here, and ends with its quotes; none where that is not known yet.
    fn is_null_in_quotes(&self, rest: &[u8], is_end: bool) -> Option<bool> {
        if self.is_text.get(self.column) != Some(&true) {
            return Some(false);
        }
        let length = self.pattern.len();
        let (value, behind) = rest.split_at_checked(length).unwrap_or((rest, &[]));
        if !self.pattern.starts_with(value) {
            return Some(false);
        }
        match behind.first() {
            Some(next) => Some([self.marks.delimiter, b'\n', b'\r'].contains(next)),
            None => is_end.then_some(value.len() == length),
        }
    }
}

impl<R: BufRead> BufRead for MarkedReader<R> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        while self.direct == 0 && self.at >= self.out.len() && self.refill()? {}
        if self.direct > 0 {
            return self.input.fill_buf();
        }
        Ok(self.out.get(self.at..).unwrap_or_default())
    }

    fn consume(&mut self, count: usize) {
        if self.direct > 0 {
            self.input.consume(count);
            self.direct -= count;
        } else {
            self.at += count;
        }
    }
}

/// The column behind bytes without quotes that begin in a column.
fn column_behind(column: usize, plain: &[u8], delimiter: u8) -> usize {
    let count = |bytes| memchr_iter(delimiter, bytes).count();
    match memrchr(b'\n', plain) {
        Some(end) => count(plain.get(end..).unwrap_or_default()),
        None => column + count(plain),
    }
}

impl<R: BufRead> Read for MarkedReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.fill_buf()?.read(into)?;
        self.consume(read);
        Ok(read)
    }
}

/// The texts without marks.
///
/// # Errors
/// When Arrow refuses the batch.
pub(super) fn unmarked(batch: RecordBatch) -> Result<RecordBatch, ArrowError> {
    let columns = batch
        .columns()
        .iter()
        .map(|column| match column.data_type() {
            DataType::Utf8View => {
                let texts = column.as_string_view().iter();
                let texts =
                    texts.map(|text| text.map(|text| text.strip_prefix(MARK).unwrap_or(text)));
                Arc::new(texts.collect::<StringViewArray>()) as ArrayRef
            }
            _ => Arc::clone(column),
        });
    // There may be no columns, where rows are counted.
    let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
    RecordBatch::try_new_with_options(batch.schema(), columns.collect(), &options)
}

/// The texts with a mark before each that reads like NULL, if there is one.
///
/// # Errors
/// When Arrow refuses the batch.
pub(crate) fn marked(batch: &RecordBatch, null: &str) -> Result<Option<RecordBatch>, ArrowError> {
    if batch.num_columns() < 2 {
        return Ok(None);
    }
    let mut has_marks = false;
    let mut columns = batch.columns().to_vec();
    for column in &mut columns {
        // Texts; what is written as a text, as a blob is, never reads like NULL.
        let Some(texts) = column.as_string_view_opt() else {
            continue;
        };
        if !texts.iter().any(|text| text == Some(null)) {
            continue;
        }
        has_marks = true;
        let marked = format!("{MARK}{null}");
        let own = texts.iter().map(|text| match text {
            Some(text) if text == null => Some(marked.as_str()),
            text => text,
        });
        *column = Arc::new(own.collect::<StringViewArray>());
    }
    has_marks
        .then(|| RecordBatch::try_new(batch.schema(), columns))
        .transpose()
}

/// What was written, with quotes around each value that has a mark in the place of the mark.
pub(crate) fn quoted(written: &[u8], null: &str, quote: u8) -> Vec<u8> {
    let mut out = Vec::with_capacity(written.len());
    let mut from = 0;
    for at in find_iter(written, MARK) {
        let before = written.get(from..at).unwrap_or_default();
        out.extend_from_slice(before);
        from = at + MARK.len();
        // The writer has set quotes where the value needs them anyhow.
        if before.last() != Some(&quote) {
            out.push(quote);
            out.extend_from_slice(null.as_bytes());
            out.push(quote);
            from += null.len();
        }
    }
    out.extend_from_slice(written.get(from..).unwrap_or_default());
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, null: Option<&str>, is_text: &[bool], window: usize) -> String {
        let marks = Marks {
            delimiter: b',',
            quote: b'"',
            escape: None,
        };
        let input = io::BufReader::with_capacity(window, text.as_bytes());
        let mut reader = MarkedReader::new(input, marks, null, is_text.to_vec());
        let mut out = String::new();
        reader.read_to_string(&mut out).unwrap();
        assert_eq!(
            reader.has_marks().load(Ordering::Relaxed),
            out.contains(MARK)
        );
        out.replace(MARK, "*")
    }

    #[test]
    fn quoted_values_like_null_get_a_mark_however_the_bytes_come() {
        for (text, null, expected) in [
            ("a,\"\"\n\"\",b\n", None, "a,\"*\"\n\"\",b\n"),
            ("a,\"\"", None, "a,\"*\""),
            ("a,\"\"\r\nb,\r\n", None, "a,\"*\"\r\nb,\r\n"),
            ("a,\"\"\"\"\n", None, "a,\"\"\"\"\n"),
            ("\"x,\n\",\"\"\n", None, "\"x,\n\",\"*\"\n"),
            ("a,6\"\"\n", None, "a,6\"\"\n"),
            (
                "a,\"N\"\nb,N\nc,\"NN\"\nd,\"\"\n",
                Some("N"),
                "a,\"*N\"\nb,N\nc,\"NN\"\nd,\"\"\n",
            ),
            (
                "\"a\"\"\",\"\"\n\"\",\"\"\n",
                None,
                "\"a\"\"\",\"*\"\n\"\",\"*\"\n",
            ),
        ] {
            for window in 1..12 {
                assert_eq!(
                    read(text, null, &[false, true], window),
                    expected,
                    "{text:?} {window}"
                );
            }
        }
    }

    #[test]
    fn marks_become_quotes() {
        let written = format!("a,{MARK}\n{MARK},b\n\"{MARK}x,y\",c\n");
        assert_eq!(
            quoted(written.as_bytes(), "", b'"'),
            b"a,\"\"\n\"\",b\n\"x,y\",c\n"
        );
        let written = format!("{MARK}N,b\n");
        assert_eq!(quoted(written.as_bytes(), "N", b'"'), b"\"N\",b\n");
    }
}
