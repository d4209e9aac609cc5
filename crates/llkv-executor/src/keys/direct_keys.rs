//! Groups of keys that have few combinations: each combination is a place in an array, so that a row is neither hashed nor
//! compared. Texts take part as codes of dictionaries, other columns as integers above the least of them.
//!
//! The array stands before a table that knows all groups. A combination that has no group yet is looked up there once, and
//! the array may be thrown away at any time.

mod digits;

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt32Type};
use digits::Digits;
pub(super) use digits::Span;
use llkv_result::Result;
use std::sync::Arc;

/// Combinations that always get an array where texts come as codes, and ...
const FEW_COMBINATIONS: usize = 1 << 14;
/// ... the most that ever do.
const MAX_COMBINATIONS: usize = 1 << 20;
/// In between, so many for each group and row.
const COMBINATIONS_PER_ROW: usize = 4;

/// Where groups begin more often than once in so many rows, the array is of little use: the table is asked for those anyway.
const ROWS_PER_NEW_GROUP: usize = 8;

/// Batches that are looked up otherwise after one in which many groups began, or whose keys have too many combinations;
/// twice as many the next time, up to the second number.
const FIRST_PAUSE: u32 = 8;
const LONGEST_PAUSE: u32 = 128;

/// A combination that no row has had yet, and one that is just being looked up.
const UNKNOWN: u32 = u32::MAX;
const PENDING: u32 = u32::MAX - 1;

/// Whether a column comes as codes.
pub(super) fn is_coded(column: &ArrayRef) -> bool {
    matches!(column.data_type(), DataType::Dictionary(..))
}

/// A column's values, whatever its form.
pub(super) fn decoded(column: &ArrayRef) -> Result<ArrayRef> {
    match column.as_dictionary_opt::<UInt32Type>() {
        Some(coded) => Ok(take(coded.values(), coded.keys(), None)?),
        None => Ok(Arc::clone(column)),
    }
}

/// Whether keys of a type can be digits when they do not come as codes.
pub(crate) fn has_digits(data_type: &DataType) -> bool {
    digits::int_bytes(data_type).is_some()
}

/// The groups of combinations of keys.
#[derive(Default)]
pub(super) struct DirectKeys {
    columns: Vec<Digits>,
    /// What the digits of each column stand for, and what a digit counts.
    spans: Vec<Span>,
    strides: Vec<u32>,
    /// By combination.
    group_of: Vec<u32>,
    /// The combination of each row of the batch at hand.
    rows: Vec<u32>,
    /// Batches for which there is no looking here, ...
    pause: u32,
    /// ... and how many the next time.
    next_pause: u32,
}

impl DirectKeys {
    /// Forgets the groups, which get new numbers, but not what the keys were like.
    pub(super) fn clear(&mut self) {
        self.group_of.fill(UNKNOWN);
    }

    pub(super) fn size_bytes(&self) -> usize {
        let columns = self.columns.iter().map(Digits::size_bytes).sum::<usize>();
        columns + (self.group_of.capacity() + self.rows.capacity()) * size_of::<u32>()
    }

    /// Bytes that the array may grow by for so many rows, of which none has a group.
    pub(super) fn growth_bytes(&self, rows: usize, groups: usize) -> usize {
        let most = limit(rows, groups).saturating_sub(self.group_of.len());
        match self.columns.is_empty() {
            true => 0,
            false => most * size_of::<u32>(),
        }
    }

    /// Finds the combination of each row. False where there is none: the keys have too many, or no digits.
    pub(super) fn place(&mut self, keys: &[ArrayRef], rows: usize, groups: usize) -> Result<bool> {
        let coded = keys.iter().any(is_coded);
        if !coded && self.pause > 0 {
            // Keys that ascend are elsewhere afterwards: an array for both places would be large and mostly empty.
            self.forget();
            self.pause -= 1;
            return Ok(false);
        }
        if keys.is_empty() || rows == 0 || !self.takes(keys)? {
            return Ok(false);
        }
        let least = if coded { FEW_COMBINATIONS } else { 0 };
        if !self.cover(keys, limit(rows, groups).max(least))? {
            self.forget();
            self.rest();
            return Ok(false);
        }
        self.rows.clear();
        self.rows.resize(rows, 0);
        let places = self.spans.iter().zip(&self.strides);
        for ((digits, key), (span, stride)) in self.columns.iter().zip(keys).zip(places) {
            digits.add(key, *span, *stride, &mut self.rows);
        }
        Ok(true)
    }

    /// The batch's combinations that have no group yet, in the order of their first rows.
    pub(super) fn take_new(&mut self) -> Vec<u32> {
        let mut new = Vec::new();
        for combination in &self.rows {
            if let Some(group) = self.group_of.get_mut(*combination as usize)
                && *group == UNKNOWN
            {
                *group = PENDING;
                new.push(*combination);
            }
        }
        new
    }

    /// The keys of combinations, plain.
    pub(super) fn keys_of(&self, combinations: &[u32]) -> Result<Vec<ArrayRef>> {
        let mut rest = combinations.to_vec();
        let columns = self.columns.iter().zip(&self.spans);
        let keys = columns.map(|(digits, span)| {
            let size = span.size() as u32;
            let digit = rest.iter_mut().map(|rest| {
                let digit = *rest % size;
                *rest /= size;
                digit
            });
            digits.values(*span, &digit.collect::<Vec<u32>>())
        });
        keys.collect()
    }

    /// Takes the groups of combinations, so many of which were `begun` just now.
    pub(super) fn learn(&mut self, combinations: &[u32], groups: &[u32], begun: usize) {
        for (combination, group) in combinations.iter().zip(groups) {
            if let Some(slot) = self.group_of.get_mut(*combination as usize) {
                *slot = *group;
            }
        }
        if begun * ROWS_PER_NEW_GROUP > self.rows.len() {
            self.rest();
        }
    }

    /// The group of each row of the batch; false where a combination has none yet.
    pub(super) fn groups(&self, groups: &mut Vec<u32>) -> bool {
        groups.clear();
        groups.resize(self.rows.len(), 0);
        let mut highest = 0;
        for (group, row) in groups.iter_mut().zip(&self.rows) {
            let known = self.group_of.get(*row as usize);
            *group = known.copied().unwrap_or(UNKNOWN);
            highest = highest.max(*group);
        }
        highest < PENDING
    }

    fn rest(&mut self) {
        self.pause = self.next_pause.max(FIRST_PAUSE);
        self.next_pause = (self.pause * 2).min(LONGEST_PAUSE);
    }

    fn forget(&mut self) {
        self.columns.clear();
        self.spans.clear();
        self.group_of = Vec::new();
    }

    /// Whether all keys have digits; those of the last batch serve again where the columns have the same form.
    fn takes(&mut self, keys: &[ArrayRef]) -> Result<bool> {
        let known = self.columns.len() == keys.len();
        if known && self.columns.iter().zip(keys).all(|(d, k)| d.fits(k)) {
            return Ok(true);
        }
        self.forget();
        for key in keys {
            match Digits::new(key)? {
                Some(digits) => self.columns.push(digits),
                None => {
                    self.columns.clear();
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Makes sure that every key of a batch has its place. False where that takes too large an array.
    fn cover(&mut self, keys: &[ArrayRef], limit: usize) -> Result<bool> {
        let mut crowded = false;
        for (digits, key) in self.columns.iter_mut().zip(keys) {
            crowded |= digits.note(key)?;
        }
        if crowded {
            self.spans.clear();
        }
        let columns = self.columns.iter().zip(keys);
        let wanted: Vec<Span> = columns.map(|(digits, key)| digits.span(key)).collect();
        let known = self.spans.len() == wanted.len();
        if known && self.spans.iter().zip(&wanted).all(|(s, w)| s.holds(*w)) {
            return Ok(true);
        }
        if known {
            let pairs = || self.spans.iter().zip(&wanted);
            let roomy: Vec<Span> = pairs().map(|(s, w)| s.grown(*w)).collect();
            let exact: Vec<Span> = pairs().map(|(s, w)| s.union(*w)).collect();
            for spans in [roomy, exact] {
                if let Some(size) = combinations(&spans, limit) {
                    self.move_to(spans, size);
                    return Ok(true);
                }
            }
        }
        if let Some(size) = combinations(&wanted, limit) {
            self.begin(wanted, size);
            return Ok(true);
        }
        // Texts of earlier dictionaries may be what takes the place.
        let mut fewer = false;
        for (digits, key) in self.columns.iter_mut().zip(keys) {
            fewer |= digits.begin_anew(key)?;
        }
        let columns = self.columns.iter().zip(keys);
        let wanted: Vec<Span> = columns.map(|(digits, key)| digits.span(key)).collect();
        match combinations(&wanted, limit) {
            Some(size) if fewer => self.begin(wanted, size),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// An array without any group.
    fn begin(&mut self, spans: Vec<Span>, size: usize) {
        self.strides = strides(&spans);
        self.spans = spans;
        self.group_of.clear();
        self.group_of.resize(size, UNKNOWN);
    }

    /// A larger array with the groups of this one.
    fn move_to(&mut self, spans: Vec<Span>, size: usize) {
        let (before, groups) = (
            std::mem::take(&mut self.spans),
            std::mem::take(&mut self.group_of),
        );
        self.begin(spans, size);
        for (combination, group) in groups.into_iter().enumerate() {
            if group == UNKNOWN {
                continue;
            }
            let (mut rest, mut place) = (combination, 0);
            let spans = before.iter().zip(&self.spans);
            for ((old, new), stride) in spans.zip(&self.strides) {
                let digit = rest % old.size();
                rest /= old.size();
                place += new.moved(*old, digit) * *stride as usize;
            }
            if let Some(slot) = self.group_of.get_mut(place) {
                *slot = group;
            }
        }
    }
}

/// The most combinations for so many rows beside so many groups.
fn limit(rows: usize, groups: usize) -> usize {
    (COMBINATIONS_PER_ROW * (rows + groups)).min(MAX_COMBINATIONS)
}

/// How many combinations there are, unless they are too many.
fn combinations(spans: &[Span], limit: usize) -> Option<usize> {
    let sizes = spans.iter().map(|span| span.size());
    let all = sizes.fold(1, usize::saturating_mul);
    (all <= limit).then_some(all)
}

/// What a digit of each column counts.
fn strides(spans: &[Span]) -> Vec<u32> {
    let mut stride = 1;
    let next = |span: &Span| {
        let this = stride as u32;
        stride = span.size().saturating_mul(stride);
        this
    };
    spans.iter().map(next).collect()
}

#[cfg(test)]
mod tests;
