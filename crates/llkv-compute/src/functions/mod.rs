//! The scalar functions: a registry of values, a file per family.
//!
//! A function is a [`ScalarFunction`] in its family's list. `coalesce`, `ifnull` and `if` evaluate only the
//! arguments they need: the evaluator has nodes of its own for them. Where a name means something else in a
//! dialect, that dialect's function stands in a later family and takes the place of the general one.

mod args;
mod bits;
mod collation;
mod conditional;
mod context;
mod datetime;
mod datetime_epoch;
mod datetime_interval;
mod datetime_make;
mod datetime_parts;
mod datetime_zone;
mod decimals;
mod digest;
mod duckdb;
mod encoding;
mod format;
mod integer;
mod math;
mod math_more;
mod misc;
mod number_template;
mod numeric;
mod printf;
mod quoting;
mod raise;
mod random;
mod regexp;
mod regexp_more;
mod search;
mod similarity;
mod sqlite_blob;
mod sqlite_date;
mod sqlite_datetime;
mod sqlite_math;
mod sqlite_modifier;
mod sqlite_text;
mod strftime;
mod string;
mod string_build;
mod string_more;
mod strptime;
mod template;
mod template_functions;
mod variant;

pub use collation::{collation_key, collation_of_key, test_of_keys};
pub use quoting::{has_name, quoted_name};

use foldhash::fast::FixedState;
use hashbrown::HashMap;
use llkv_expr::{Dialects, ScalarFunction};
use std::sync::LazyLock;

/// A family of functions.
#[derive(Debug)]
pub struct Family {
    /// The heading under which documentation lists it.
    pub title: &'static str,
    functions: &'static [ScalarFunction],
}

impl Family {
    const fn new(title: &'static str, functions: &'static [ScalarFunction]) -> Self {
        Self { title, functions }
    }

    /// Its functions.
    pub fn functions(&self) -> impl Iterator<Item = &'static ScalarFunction> + use<> {
        self.functions.iter()
    }
}

/// All functions, family by family; what stands later wins where a dialect has two of one name.
static FAMILIES: &[Family] = &[
    Family::new("Numbers", numeric::FUNCTIONS),
    Family::new("Whole numbers", integer::FUNCTIONS),
    Family::new("Bits", bits::FUNCTIONS),
    Family::new("Mathematics", math::FUNCTIONS),
    Family::new("Mathematics", math_more::FUNCTIONS),
    Family::new("Chance", random::FUNCTIONS),
    Family::new("Text", string::FUNCTIONS),
    Family::new("Text", string_build::FUNCTIONS),
    Family::new("Text", string_more::FUNCTIONS),
    Family::new("Text", search::FUNCTIONS),
    Family::new("Formatting and quoting", format::FUNCTIONS),
    Family::new("Formatting and quoting", quoting::FUNCTIONS),
    Family::new("Formatting and quoting", template_functions::FUNCTIONS),
    Family::new("Regular expressions", regexp::FUNCTIONS),
    Family::new("Regular expressions", regexp_more::FUNCTIONS),
    Family::new("Similarity", similarity::FUNCTIONS),
    Family::new("Digests and encodings", digest::FUNCTIONS),
    Family::new("Digests and encodings", encoding::FUNCTIONS),
    Family::new("Choices", conditional::FUNCTIONS),
    Family::new("Dates and times", datetime::FUNCTIONS),
    Family::new("Dates and times", datetime_make::FUNCTIONS),
    Family::new("Dates and times", strptime::FUNCTIONS),
    Family::new("Dates and times", datetime_interval::FUNCTIONS),
    Family::new("Dates and times", datetime_epoch::FUNCTIONS),
    Family::new("Dates and times", datetime_zone::FUNCTIONS),
    Family::new("Parts of dates and times", datetime_parts::FUNCTIONS),
    Family::new("Any value", misc::FUNCTIONS),
    Family::new("Session", context::FUNCTIONS),
    Family::new("DuckDB", duckdb::FUNCTIONS),
    Family::new("SQLite: dates and times", sqlite_datetime::FUNCTIONS),
    Family::new("SQLite: text and blobs", sqlite_text::FUNCTIONS),
    Family::new("SQLite: text and blobs", sqlite_blob::FUNCTIONS),
    Family::new("SQLite: mathematics", sqlite_math::FUNCTIONS),
];

type Names = HashMap<&'static str, &'static ScalarFunction, FixedState>;

/// What each name means, dialect by dialect.
static NAMES: LazyLock<[(Dialects, Names); 3]> = LazyLock::new(|| {
    Dialects::EACH.map(|(dialect, _)| {
        let mut names = Names::default();
        for function in all().filter(|f| f.dialects.contains(dialect)) {
            names.insert(function.name, function);
            names.extend(function.aliases.iter().map(|alias| (*alias, function)));
        }
        (dialect, names)
    })
});

/// A function that the binder writes for SQLite's values and that no text can name.
///
/// ```
/// assert!(llkv_compute::functions::of_variants("numeric_affinity").is_some());
/// assert!(llkv_compute::functions::lookup("numeric_affinity").is_none());
/// ```
#[must_use]
pub fn of_variants(name: &str) -> Option<&'static ScalarFunction> {
    variant::FUNCTIONS
        .iter()
        .find(|function| function.name == name)
}

/// `RAISE` of a trigger's program: the binder writes it there, and no other text can name it.
///
/// ```
/// assert_eq!(llkv_compute::functions::raise().name, "raise");
/// assert!(llkv_compute::functions::lookup("raise").is_none());
/// ```
#[must_use]
pub fn raise() -> &'static ScalarFunction {
    &raise::RAISE
}

/// The families, in the order of their lists.
pub fn families() -> impl Iterator<Item = &'static Family> {
    FAMILIES.iter()
}

/// Every function.
pub fn all() -> impl Iterator<Item = &'static ScalarFunction> {
    FAMILIES.iter().flat_map(|family| family.functions.iter())
}

/// What a name or alias, in any case, means in the default dialect.
///
/// ```
/// let upper = llkv_compute::functions::lookup("UCASE").unwrap();
/// assert_eq!(upper.name, "upper");
/// ```
#[must_use]
pub fn lookup(name: &str) -> Option<&'static ScalarFunction> {
    lookup_in(Dialects::LLKV, name)
}

/// What a name or alias, in any case, means in a dialect.
///
/// ```
/// use llkv_compute::functions::lookup_in;
/// use llkv_expr::Dialects;
///
/// assert!(lookup_in(Dialects::SQLITE, "randomblob").is_some());
/// assert!(lookup_in(Dialects::LLKV, "randomblob").is_none());
/// ```
#[must_use]
pub fn lookup_in(dialect: Dialects, name: &str) -> Option<&'static ScalarFunction> {
    let (_, names) = NAMES.iter().find(|(of, _)| *of == dialect)?;
    if name.bytes().any(|byte| byte.is_ascii_uppercase()) {
        names.get(name.to_ascii_lowercase().as_str()).copied()
    } else {
        names.get(name).copied()
    }
}
