//! Group keys that come as codes of dictionaries: a combination of codes is looked up once, not each row.

use arrow::array::{Array, ArrayRef, AsArray, UInt32Array};
use arrow::compute::take;
use arrow::datatypes::{DataType, UInt32Type};
use llkv_result::Result;
use std::sync::Arc;

/// Combinations of codes above which rows are looked up one by one.
const MAX_COMBINATIONS: usize = 1 << 14;

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

/// The groups of combinations of codes, for the dictionaries of the last batch.
#[derive(Default)]
pub(super) struct CodedKeys {
    dictionaries: Vec<ArrayRef>,
    /// By combination.
    group_of: Vec<u32>,
    /// The combination of each row of the batch at hand.
    rows: Vec<u32>,
}

impl CodedKeys {
    /// Takes a batch's keys. False where not all are coded, or too many combinations are possible.
    pub(super) fn combine(&mut self, keys: &[ArrayRef]) -> bool {
        let columns = keys.iter().map(|key| key.as_dictionary_opt::<UInt32Type>());
        let Some(columns) = columns.collect::<Option<Vec<_>>>() else {
            return false;
        };
        let mut combinations = 1_usize;
        for column in &columns {
            combinations = combinations.saturating_mul(column.values().len() + 1);
        }
        if combinations > MAX_COMBINATIONS {
            return false;
        }
        let known = self.dictionaries.len() == columns.len()
            && self
                .dictionaries
                .iter()
                .zip(&columns)
                .all(|(d, c)| Arc::ptr_eq(d, c.values()));
        if !known {
            self.dictionaries = columns.iter().map(|c| Arc::clone(c.values())).collect();
            self.group_of.clear();
            self.group_of.resize(combinations, UNKNOWN);
        }
        self.rows.clear();
        for column in columns {
            let (codes, len) = (column.keys(), column.values().len() as u32);
            let first = self.rows.is_empty();
            if first {
                self.rows.resize(codes.len(), 0);
            }
            for (row, code) in self.rows.iter_mut().zip(codes.values()) {
                *row = *row * (len + 1) + code.min(&len);
            }
            // NULL comes after the last value; what stands in its place means nothing.
            if let Some(nulls) = codes.nulls().filter(|nulls| nulls.null_count() > 0) {
                for (index, row) in self.rows.iter_mut().enumerate() {
                    if nulls.is_null(index) {
                        *row += len - *row % (len + 1);
                    }
                }
            }
        }
        true
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
        let mut keys = Vec::with_capacity(self.dictionaries.len());
        let mut rest = combinations.to_vec();
        // The last column's codes are the lowest digits.
        for dictionary in self.dictionaries.iter().rev() {
            let len = dictionary.len() as u32;
            let codes: UInt32Array = rest
                .iter_mut()
                .map(|rest| {
                    let code = *rest % (len + 1);
                    *rest /= len + 1;
                    (code < len).then_some(code)
                })
                .collect();
            keys.push(take(dictionary, &codes, None)?);
        }
        keys.reverse();
        Ok(keys)
    }

    /// Takes the groups of combinations.
    pub(super) fn learn(&mut self, combinations: &[u32], groups: &[u32]) {
        for (combination, group) in combinations.iter().zip(groups) {
            if let Some(slot) = self.group_of.get_mut(*combination as usize) {
                *slot = *group;
            }
        }
    }

    /// The group of each row of the batch; false where a combination has none yet.
    pub(super) fn groups(&self, groups: &mut Vec<u32>) -> bool {
        let of = |row: &u32| self.group_of.get(*row as usize).copied().unwrap_or(UNKNOWN);
        groups.clear();
        groups.extend(self.rows.iter().map(of));
        !groups.contains(&UNKNOWN)
    }
}

#[cfg(test)]
mod tests {
    use crate::keys::GroupTable;
    use arrow::array::{ArrayRef, DictionaryArray, StringViewArray, UInt32Array};
    use arrow::datatypes::DataType;
    use proptest::prelude::*;
    use std::sync::Arc;

    fn dictionary(len: usize, salt: usize) -> ArrayRef {
        let words = (0..len).map(|i| format!("a word, the {}th", (i + salt) % 7));
        Arc::new(StringViewArray::from_iter_values(words))
    }

    proptest! {
        #[test]
        fn coded_keys_group_as_plain_ones(
            batches in prop::collection::vec(
                (1_usize..6, 0_usize..7, prop::collection::vec((prop::option::of(0_u32..6), prop::option::of(0_u32..6)), 1..40), any::<bool>()),
                1..6,
            ),
        ) {
            let types = [(DataType::Utf8View, true), (DataType::Utf8View, true)];
            let (mut coded, mut plain) = (GroupTable::new(&types).unwrap(), GroupTable::new(&types).unwrap());
            for (len, salt, rows, as_plain) in batches {
                let dictionaries = [dictionary(len, salt), dictionary(6, salt + 1)];
                let column = |codes: UInt32Array, values: &ArrayRef| -> ArrayRef {
                    Arc::new(DictionaryArray::try_new(codes, Arc::clone(values)).unwrap())
                };
                let keys = [
                    column(rows.iter().map(|r| r.0.map(|c| c % len as u32)).collect(), &dictionaries[0]),
                    column(rows.iter().map(|r| r.1).collect(), &dictionaries[1]),
                ];
                let decoded: Vec<ArrayRef> = keys.iter().map(|k| super::decoded(k).unwrap()).collect();
                let given = if as_plain { [Arc::clone(&keys[0]), Arc::clone(&decoded[1])] } else { keys };
                let (mut found, mut expected) = (Vec::new(), Vec::new());
                // Twice: known combinations are looked up, too.
                for _ in 0..2 {
                    coded.intern(&given, rows.len(), &mut found).unwrap();
                }
                plain.intern(&decoded, rows.len(), &mut expected).unwrap();
                prop_assert_eq!(&found, &expected);
            }
            prop_assert_eq!(coded.keys(0, coded.len()).unwrap(), plain.keys(0, plain.len()).unwrap());
        }
    }
}
