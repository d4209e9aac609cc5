//! The scalar functions: a registry of values, a file per family.

use llkv_expr::ScalarFunction;

mod numeric;

/// All functions, family by family.
static FAMILIES: &[&[ScalarFunction]] = &[numeric::FUNCTIONS];

/// Every function.
pub fn all() -> impl Iterator<Item = &'static ScalarFunction> {
    FAMILIES.iter().flat_map(|family| family.iter())
}

/// The function of a name or alias, in any case.
#[must_use]
pub fn lookup(name: &str) -> Option<&'static ScalarFunction> {
    let name = name.to_ascii_lowercase();
    all().find(|function| function.name == name || function.aliases.contains(&name.as_str()))
}
