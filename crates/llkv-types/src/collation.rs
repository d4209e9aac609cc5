//! Collations: which texts are equal, and in what order they stand.

use crate::variant::{self, Variant, VariantBuilder};
use arrow::array::{Array, ArrayRef, AsArray, StringViewArray, StringViewBuilder};
use arrow::datatypes::DataType;
use bitcode::{Decode, Encode};
use llkv_result::Result;
use std::borrow::Cow;
use std::sync::Arc;

/// How texts compare: by the bytes of another text, the key, that each collation makes of one.
///
/// ```
/// use llkv_types::Collation;
///
/// assert_eq!(Collation::NoCase.key("Ärger"), "Ärger");
/// assert_eq!(Collation::NoCase.key("ABC"), Collation::NoCase.key("abc"));
/// assert_eq!(Collation::Lower.key("Ärger"), "ärger");
/// assert_eq!(Collation::RightTrim.key("a  "), "a");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Encode, Decode)]
pub enum Collation {
    /// By their own bytes.
    #[default]
    Binary,
    /// Without regard to the case of ASCII letters: SQLite's NOCASE.
    NoCase,
    /// Without regard to spaces at their end: SQLite's RTRIM.
    RightTrim,
    /// Without regard to the case of any letter: DuckDB's NOCASE.
    Lower,
}

impl Collation {
    /// True where texts compare by their bytes.
    #[must_use]
    pub fn is_binary(self) -> bool {
        self == Self::Binary
    }

    /// The text by whose bytes a text compares.
    #[must_use]
    pub fn key(self, text: &str) -> Cow<'_, str> {
        match self {
            Self::Binary => Cow::Borrowed(text),
            Self::NoCase if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
                Cow::Owned(text.to_ascii_lowercase())
            }
            Self::NoCase => Cow::Borrowed(text),
            Self::RightTrim => Cow::Borrowed(text.trim_end_matches(' ')),
            Self::Lower => Cow::Owned(text.to_lowercase()),
        }
    }

    /// The keys of the texts of a column, also where values carry their own type. Values of other types stay as
    /// they are.
    ///
    /// # Errors
    /// When bytes stand for no value.
    pub fn keys(self, values: &ArrayRef) -> Result<ArrayRef> {
        if self.is_binary() {
            return Ok(Arc::clone(values));
        }
        Ok(match values.data_type() {
            DataType::Utf8View => Arc::new(self.keys_of_texts(values.as_string_view())),
            // Of two codes with one key, both stand for it.
            DataType::Dictionary(..) => match values.as_any_dictionary_opt() {
                Some(coded) => coded.with_values(self.keys(coded.values())?),
                None => Arc::clone(values),
            },
            DataType::Struct(_) => self.keys_of_variants(values)?,
            _ => Arc::clone(values),
        })
    }

    fn keys_of_texts(self, texts: &StringViewArray) -> StringViewArray {
        let mut keys = StringViewBuilder::with_capacity(texts.len());
        for text in texts {
            keys.append_option(text.map(|text| self.key(text)));
        }
        keys.finish()
    }

    fn keys_of_variants(self, values: &ArrayRef) -> Result<ArrayRef> {
        let values = variant::encoded(values.as_ref())?;
        let mut keys = VariantBuilder::with_capacity(values.len());
        for row in 0..values.len() {
            match variant::value(&values, row)? {
                Some(Variant::Text(text)) => keys.append(Some(Variant::Text(&self.key(text))))?,
                other => keys.append(other)?,
            }
        }
        keys.finish()
    }

    /// Its name in the dialects that know it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Binary => "BINARY",
            Self::NoCase | Self::Lower => "NOCASE",
            Self::RightTrim => "RTRIM",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_have_the_keys_of_their_collation() {
        let texts: ArrayRef = Arc::new(StringViewArray::from(vec![
            Some("Ab  "),
            None,
            Some("\u{c4}B"),
            Some(" \t"),
        ]));
        let keys = |collation: Collation| {
            let keys = collation.keys(&texts).unwrap();
            let keys: Vec<Option<String>> = keys
                .as_string_view()
                .iter()
                .map(|key| key.map(str::to_owned))
                .collect();
            keys
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(
            keys(Collation::NoCase),
            [some("ab  "), None, some("\u{c4}b"), some(" \t")]
        );
        assert_eq!(
            keys(Collation::RightTrim),
            [some("Ab"), None, some("\u{c4}B"), some(" \t")]
        );
        assert_eq!(
            keys(Collation::Lower),
            [some("ab  "), None, some("\u{e4}b"), some(" \t")]
        );
        assert!(Arc::ptr_eq(
            &Collation::Binary.keys(&texts).unwrap(),
            &texts
        ));
    }

    #[test]
    fn only_texts_among_values_of_several_types_change() {
        let mut values = VariantBuilder::with_capacity(4);
        let given = [
            Some(Variant::Text("ABC")),
            Some(Variant::Integer(7)),
            None,
            Some(Variant::Blob(b"ABC")),
        ];
        for value in given {
            values.append(value).unwrap();
        }
        let keys = Collation::NoCase.keys(&values.finish().unwrap()).unwrap();
        let keys = variant::encoded(keys.as_ref()).unwrap();
        let key = |row| variant::value(&keys, row).unwrap();
        assert_eq!(key(0), Some(Variant::Text("abc")));
        assert_eq!([key(1), key(2), key(3)], [given[1], given[2], given[3]]);
    }
}
