//! Dictionary arrays whose codes are checked all at once.
//!
//! Arrow checks codes one by one, which takes longer than unpacking them.

// Arrow's constructor without checks is not a safe function.
#![allow(unsafe_code)]

use arrow::array::{Array, ArrayRef, DictionaryArray, UInt32Array};
use arrow::datatypes::UInt32Type;
use llkv_result::Result;
use std::sync::Arc;

/// Codes and what they mean.
///
/// # Errors
/// Where a code has no value.
pub(crate) fn coded_array(codes: UInt32Array, dictionary: &ArrayRef) -> Result<ArrayRef> {
    let highest = codes.values().iter().fold(0, |most, code| most.max(*code));
    let values = Arc::clone(dictionary);
    if codes.null_count() > 0 || highest as usize >= dictionary.len() {
        return Ok(Arc::new(DictionaryArray::try_new(codes, values)?));
    }
    // SAFETY: the only requirement is that every code which is not NULL is below the number of values: none is above
    // `highest`, which is.
    let array = unsafe { DictionaryArray::<UInt32Type>::new_unchecked(codes, values) };
    Ok(Arc::new(array))
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::StringViewArray;

    #[test]
    fn codes_without_a_value_are_refused() {
        let values: ArrayRef = Arc::new(StringViewArray::from(vec!["a", "b"]));
        let none = values.slice(0, 0);
        let array = |codes: Vec<Option<u32>>, values: &ArrayRef| {
            coded_array(UInt32Array::from(codes), values).map(|array| array.len())
        };
        assert_eq!(array(vec![Some(0), Some(1), Some(0)], &values).unwrap(), 3);
        assert_eq!(array(vec![Some(1), None], &values).unwrap(), 2);
        assert!(array(vec![Some(0), Some(2)], &values).is_err());
        assert!(array(vec![Some(2), None], &values).is_err());
        assert!(array(vec![Some(0)], &none).is_err());
        assert_eq!(array(vec![], &none).unwrap(), 0);
    }
}
