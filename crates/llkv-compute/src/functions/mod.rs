//! The scalar functions: a registry of values, a file per family.
//!
//! A function is a [`ScalarFunction`] in its family's list. `coalesce`, `ifnull` and `if` evaluate only the
//! arguments they need: the evaluator has nodes of its own for them.

mod args;
mod conditional;
mod datetime;
mod datetime_make;
mod datetime_parts;
mod math;
mod misc;
mod numeric;
mod printf;
mod raise;
mod regexp;
mod search;
mod strftime;
mod string;
mod string_build;
mod variant;

use llkv_expr::ScalarFunction;

/// All functions, family by family.
static FAMILIES: &[&[ScalarFunction]] = &[
    numeric::FUNCTIONS,
    math::FUNCTIONS,
    string::FUNCTIONS,
    string_build::FUNCTIONS,
    search::FUNCTIONS,
    regexp::FUNCTIONS,
    conditional::FUNCTIONS,
    datetime::FUNCTIONS,
    datetime_parts::FUNCTIONS,
    datetime_make::FUNCTIONS,
    misc::FUNCTIONS,
];

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

/// Every function.
pub fn all() -> impl Iterator<Item = &'static ScalarFunction> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The function of a name or alias, in any case.
///
/// ```
/// let upper = llkv_compute::functions::lookup("UCASE").unwrap();
/// assert_eq!(upper.name, "upper");
/// ```
#[must_use]
pub fn lookup(name: &str) -> Option<&'static ScalarFunction> {
    let name = name.to_ascii_lowercase();
    all().find(|function| function.name == name || function.aliases.contains(&name.as_str()))
}
