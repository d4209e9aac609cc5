//! Where a delimited file may be cut into parts that threads parse side by side: where a record begins.
//!
//! A line end within quotes ends no record, and whether a place is within quotes depends on all before it. So the cuts
//! are found in the order of the file, each when its part is asked for: looking for quotes and line ends takes a small
//! part of the time that parsing takes. What opens and closes quotes is what the parser (`csv-core`) takes for it.

use memchr::{memchr, memchr_iter, memchr2};
use parking_lot::Mutex;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::PathBuf;

/// Bytes of a part, about: a row group's worth of most tables.
pub(super) const PART_BYTES: u64 = 8 << 20;

/// Bytes looked through at once.
const WINDOW_BYTES: usize = 256 << 10;

/// The place of a record's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    pub(super) offset: u64,
    /// Line ends before it that are not within quotes.
    pub(super) lines: u64,
}

/// What the parser takes for special.
#[derive(Debug, Clone, Copy)]
pub(super) struct Marks {
    pub(super) delimiter: u8,
    pub(super) quote: u8,
    pub(super) escape: Option<u8>,
}

/// The parts of a file.
#[derive(Debug)]
pub(super) struct Parts {
    path: PathBuf,
    marks: Marks,
    part_bytes: u64,
    count: usize,
    /// The beginnings of the first parts, in order.
    cuts: Mutex<Vec<Cut>>,
}

/// Where a look through a file stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Plain,
    Quoted,
    /// Behind a quote within quotes, which ends them unless another one follows.
    Closing,
    /// Behind an escape within quotes.
    Escaped,
}

impl Parts {
    pub(super) fn new(path: PathBuf, file_bytes: u64, marks: Marks, part_bytes: u64) -> Self {
        let count = file_bytes.div_ceil(part_bytes).max(1);
        Self {
            path,
            marks,
            part_bytes,
            count: usize::try_from(count).unwrap_or(usize::MAX),
            cuts: Mutex::new(vec![Cut {
                offset: 0,
                lines: 0,
            }]),
        }
    }

    pub(super) fn count(&self) -> usize {
        self.count
    }

    pub(super) const fn marks(&self) -> Marks {
        self.marks
    }

    /// Where a part begins, and the offset behind its last byte; none for the last part, which goes to the end. A part
    /// may be empty.
    pub(super) fn bounds(&self, part: usize) -> io::Result<(Cut, Option<u64>)> {
        let mut cuts = self.cuts.lock();
        let wanted = (part + 2).min(self.count);
        while cuts.len() < wanted {
            let Some(last) = cuts.last().copied() else {
                break;
            };
            let target = cuts.len() as u64 * self.part_bytes;
            cuts.push(self.first_from(last, target)?);
        }
        let cut = |at: usize| cuts.get(at).copied();
        let first = cut(part).ok_or_else(|| io::Error::other("no such part"))?;
        Ok((first, cut(part + 1).map(|next| next.offset)))
    }

    /// The first record that begins at `target` or behind it; the end of the file where none does.
    fn first_from(&self, cut: Cut, target: u64) -> io::Result<Cut> {
        if cut.offset >= target {
            return Ok(cut);
        }
        let mut file = File::open(&self.path)?;
        file.seek(SeekFrom::Start(cut.offset))?;
        let mut look = Look {
            marks: self.marks,
            state: State::Plain,
            before: b'\n',
            at: cut,
            target,
        };
        let mut window = vec![0; WINDOW_BYTES];
        loop {
            let bytes = file.read(&mut window)?;
            let window = window.get(..bytes).unwrap_or_default();
            if window.is_empty() || look.through(window) {
                return Ok(look.at);
            }
        }
    }
}

/// A look for the first record from `target` on.
struct Look {
    marks: Marks,
    state: State,
    /// The byte before the next one.
    before: u8,
    at: Cut,
    target: u64,
}

impl Look {
    /// Looks through the next bytes; true where the record begins behind one of them.
    fn through(&mut self, window: &[u8]) -> bool {
        let mut rest = window;
        while let Some(first) = rest.first().copied() {
            let state = self.state;
            let passed = match state {
                State::Plain => {
                    let quote = memchr(self.marks.quote, rest);
                    let plain = rest.get(..quote.unwrap_or(rest.len())).unwrap_or_default();
                    if let Some(end) = self.line_end(plain) {
                        self.pass(plain.get(..=end).unwrap_or_default(), state);
                        return true;
                    }
                    let before = plain.last().copied().unwrap_or(self.before);
                    // Only at the beginning of a field a quote is more than a character.
                    if quote.is_some() && [self.marks.delimiter, b'\n', b'\r'].contains(&before) {
                        self.state = State::Quoted;
                    }
                    plain.len() + usize::from(quote.is_some())
                }
                State::Quoted => {
                    let escape = self.marks.escape.unwrap_or(self.marks.quote);
                    let mark = memchr2(self.marks.quote, escape, rest);
                    match mark.and_then(|at| rest.get(at)) {
                        None => {}
                        Some(mark) if *mark == self.marks.quote => self.state = State::Closing,
                        Some(_) => self.state = State::Escaped,
                    }
                    mark.map_or(rest.len(), |at| at + 1)
                }
                State::Closing if first != self.marks.quote => {
                    self.state = State::Plain;
                    0
                }
                State::Closing | State::Escaped => {
                    self.state = State::Quoted;
                    1
                }
            };
            let (done, behind) = rest.split_at(passed.min(rest.len()));
            self.pass(done, state);
            rest = behind;
        }
        false
    }

    /// The line end in plain bytes behind which the record begins.
    fn line_end(&self, plain: &[u8]) -> Option<usize> {
        let needed = self.target.saturating_sub(self.at.offset + 1);
        let needed = usize::try_from(needed).ok()?;
        let found = memchr(b'\n', plain.get(needed..)?)?;
        Some(needed + found)
    }

    fn pass(&mut self, done: &[u8], state: State) {
        if state == State::Plain {
            self.at.lines += memchr_iter(b'\n', done).count() as u64;
        }
        self.at.offset += done.len() as u64;
        self.before = done.last().copied().unwrap_or(self.before);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::datatypes::{DataType, Field, Schema};
    use arrow_csv::ReaderBuilder;
    use std::sync::Arc;

    /// The rows of some bytes of a file of two columns, as texts.
    fn rows(bytes: &[u8]) -> Vec<String> {
        let field = |name| Field::new(name, DataType::Utf8, true);
        let schema = Arc::new(Schema::new(vec![field("a"), field("b")]));
        let reader = ReaderBuilder::new(schema).build_buffered(bytes).unwrap();
        let batches = reader.map(|batch| batch.unwrap());
        let rows = batches.flat_map(|batch| {
            let row = |row| format!("{:?}", batch.slice(row, 1).columns());
            (0..batch.num_rows()).map(row).collect::<Vec<_>>()
        });
        rows.collect()
    }

    #[test]
    fn parts_of_any_size_hold_the_rows_of_the_file() {
        let lines = [
            "plain,text\n",
            "\"with, delimiter\",\"and\nline\nends\"\n",
            "\"quotes \"\" within\",\"\"\n",
            "6\" pipe,a \"word\" in the middle\n",
            "\"\"\"\",\"\n\"\"\n\"\r\n",
            "\"closed\"early,\"x\"\"\"\n",
            ",\n",
        ];
        let mut text = String::new();
        for number in 0..200 {
            text.push_str(lines[number * 7 % 11 % lines.len()]);
        }
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, &text).unwrap();
        let expected = rows(text.as_bytes());
        assert_eq!(expected.len(), 200);
        let marks = Marks {
            delimiter: b',',
            quote: b'"',
            escape: None,
        };
        for part_bytes in [1, 2, 3, 7, 20, 59, 1_000, 100_000] {
            let parts = Parts::new(path.clone(), text.len() as u64, marks, part_bytes);
            let mut found = Vec::new();
            for part in 0..parts.count() {
                let (cut, end) = parts.bounds(part).unwrap();
                let end = end.map_or(text.len(), |end| end as usize);
                assert_eq!(cut.lines, found.len() as u64);
                assert!(cut.offset >= (part as u64 * part_bytes).min(text.len() as u64));
                found.extend(rows(&text.as_bytes()[cut.offset as usize..end]));
            }
            assert_eq!(found, expected, "parts of {part_bytes} bytes");
        }
    }

    #[test]
    fn an_escaped_quote_closes_nothing() {
        let text = "\"a \\\" and\n b\",1\nc,2\n";
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("rows.csv");
        std::fs::write(&path, text).unwrap();
        let marks = Marks {
            delimiter: b',',
            quote: b'"',
            escape: Some(b'\\'),
        };
        let parts = Parts::new(path, text.len() as u64, marks, 2);
        let (second, _) = parts.bounds(1).unwrap();
        let record = Cut {
            offset: text.find("c,").unwrap() as u64,
            lines: 1,
        };
        assert_eq!(second, record);
    }
}
