//! How much two texts differ: distances and similarities.

use super::args::{build, exactly, invalid, texts};
use arrow::array::ArrayRef;
use arrow::datatypes::{ArrowPrimitiveType, Float64Type, Int64Type};
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::SqlType;
use std::collections::BTreeSet;

use SqlType::{Float64, Int64, Text};

/// Where the functions that SQLite lacks are known.
const OTHERS: Dialects = Dialects::LLKV.or(Dialects::DUCKDB);

/// The most characters of a text whose edit distance is computed: the time is that of their product.
const MAX_CHARACTERS: usize = 65_536;

fn to_integer(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Int64)
}

fn to_double(types: &[SqlType]) -> Option<Signature> {
    exactly(types, &[Text, Text], Float64)
}

/// A function of two texts, row by row.
fn compared<T: ArrowPrimitiveType>(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(&str, &str) -> Result<T::Native>,
) -> Result<ArrayRef> {
    let (x, y) = (texts(args, 0)?, texts(args, 1)?);
    build::<T>(args, |row| {
        let (Some(x), Some(y)) = (x.get(row), y.get(row)) else {
            return Ok(None);
        };
        if x.len().max(y.len()) > MAX_CHARACTERS {
            return Err(invalid(
                name,
                format!("a text longer than {MAX_CHARACTERS} bytes"),
            ));
        }
        Ok(Some(f(x, y)?))
    })
}

fn distance(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(&str, &str) -> Result<usize>,
) -> Result<ArrayRef> {
    compared::<Int64Type>(args, name, |x, y| Ok(f(x, y)? as i64))
}

fn similarity(
    args: &FunctionArgs<'_>,
    name: &'static str,
    f: impl Fn(&str, &str) -> Result<f64>,
) -> Result<ArrayRef> {
    compared::<Float64Type>(args, name, f)
}

fn hamming(x: &str, y: &str) -> Result<usize> {
    strsim::hamming(x, y).map_err(|_| invalid("hamming", "the texts are not of one length"))
}

/// The characters that both have among those that one has.
fn jaccard(x: &str, y: &str) -> Result<f64> {
    let (x, y): (BTreeSet<char>, BTreeSet<char>) = (x.chars().collect(), y.chars().collect());
    if x.is_empty() || y.is_empty() {
        return Err(invalid(
            "jaccard",
            "an empty text has no characters to share",
        ));
    }
    let shared = x.intersection(&y).count();
    Ok(shared as f64 / (x.len() + y.len() - shared) as f64)
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "levenshtein",
        "levenshtein(x, y)",
        "How many characters must be added, taken away or changed to make one text the other.",
        ("levenshtein('kitten', 'sitting')", "3"),
        to_integer,
        |args| distance(args, "levenshtein", |x, y| Ok(strsim::levenshtein(x, y))),
    )
    .also(&["editdist3"])
    .only_in(OTHERS),
    ScalarFunction::new(
        "damerau_levenshtein",
        "damerau_levenshtein(x, y)",
        "The edit distance in which two neighbours that change places count once.",
        ("damerau_levenshtein('ab', 'ba')", "1"),
        to_integer,
        |args| {
            distance(args, "damerau_levenshtein", |x, y| {
                Ok(strsim::damerau_levenshtein(x, y))
            })
        },
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "hamming",
        "hamming(x, y)",
        "In how many places two texts of one length differ.",
        ("hamming('karolin', 'kathrin')", "3"),
        to_integer,
        |args| distance(args, "hamming", hamming),
    )
    .also(&["mismatches"])
    .only_in(OTHERS),
    ScalarFunction::new(
        "jaccard",
        "jaccard(x, y)",
        "The share of the characters of two texts that stand in both.",
        ("jaccard('duck', 'luck')", "0.6"),
        to_double,
        |args| similarity(args, "jaccard", jaccard),
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "jaro_similarity",
        "jaro_similarity(x, y)",
        "Jaro's similarity, from 0 to 1.",
        ("jaro_similarity('duck', 'duck')", "1.0"),
        to_double,
        |args| similarity(args, "jaro_similarity", |x, y| Ok(strsim::jaro(x, y))),
    )
    .only_in(OTHERS),
    ScalarFunction::new(
        "jaro_winkler_similarity",
        "jaro_winkler_similarity(x, y)",
        "Jaro's similarity, greater for texts that begin alike.",
        ("jaro_winkler_similarity('duck', 'duck')", "1.0"),
        to_double,
        |args| {
            similarity(args, "jaro_winkler_similarity", |x, y| {
                Ok(strsim::jaro_winkler(x, y))
            })
        },
    )
    .only_in(OTHERS),
];
