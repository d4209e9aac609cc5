//! Values as parts of SQL text: literals and identifiers.

use super::args::{array, build_text, exactly, is_constant, signature, texts};
use arrow::array::ArrayRef;
use llkv_expr::{Dialects, FunctionArgs, ScalarFunction, Signature};
use llkv_result::Result;
use llkv_types::{Scalar, SqlType};

use SqlType::Text;

/// Words that are no names unless they stand in quotes.
const RESERVED: [&str; 95] = [
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "between",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_catalog",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "full",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "interval",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "values",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// A name as SQL text has it: in quotes unless it is a lower-case word that is not reserved.
#[must_use]
pub fn quoted_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 2);
    write_identifier(&mut out, name);
    out
}

/// Whether SQL text has a name as a word, whatever it stands for there.
#[must_use]
pub fn has_name(text: &str, name: &str) -> bool {
    let is_of_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
    let (text, name) = (text.to_lowercase(), name.to_lowercase());
    text.match_indices(&name).any(|(at, found)| {
        let (before, rest) = text.split_at(at);
        let behind = rest.strip_prefix(found);
        !before.ends_with(is_of_word) && !behind.is_some_and(|text| text.starts_with(is_of_word))
    })
}

/// Writes a name, in quotes where it needs them.
pub(super) fn write_identifier(out: &mut String, name: &str) {
    let plain = name
        .chars()
        .enumerate()
        .all(|(at, c)| c.is_ascii_lowercase() || c == '_' || (at > 0 && c.is_ascii_digit()));
    if plain && !name.is_empty() && RESERVED.binary_search(&name).is_err() {
        out.push_str(name);
        return;
    }
    out.push('"');
    out.push_str(&name.replace('"', "\"\""));
    out.push('"');
}

/// Writes a literal; one with backslashes in the form that takes them as escapes, as PostgreSQL does.
pub(super) fn write_literal(out: &mut String, text: &str) {
    let escaped = text.contains('\\');
    out.push_str(if escaped { "E'" } else { "'" });
    for c in text.chars() {
        match c {
            '\'' => out.push_str("''"),
            '\\' => out.push_str("\\\\"),
            c => out.push(c),
        }
    }
    out.push('\'');
}

/// One value of any type.
fn any(types: &[SqlType]) -> Option<Signature> {
    match types {
        [ty] => signature(&[*ty], Text),
        _ => None,
    }
}

fn quote_value(args: &FunctionArgs<'_>, null: Option<&str>) -> Result<ArrayRef> {
    build_text(args.rows, |row, out| {
        let row = if is_constant(args, 0) { 0 } else { row };
        match Scalar::from_array(array(args, 0)?.as_ref(), row)? {
            Scalar::Null(_) => match null {
                None => return Ok(None),
                Some(text) => out.push_str(text),
            },
            Scalar::Text(text) => write_literal(out, &text),
            other => write_literal(out, &other.to_string()),
        }
        Ok(Some(()))
    })
}

fn quote_ident(args: &FunctionArgs<'_>) -> Result<ArrayRef> {
    let x = texts(args, 0)?;
    build_text(args.rows, |row, out| {
        Ok(x.get(row).map(|name| write_identifier(out, name)))
    })
}

/// The family.
pub(super) static FUNCTIONS: &[ScalarFunction] = &[
    ScalarFunction::new(
        "quote_literal",
        "quote_literal(x)",
        "The value as a text literal of SQL.",
        ("quote_literal('it''s')", "'it''s'"),
        any,
        |args| quote_value(args, None),
    )
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "quote_nullable",
        "quote_nullable(x)",
        "The value as a text literal of SQL, or the word NULL.",
        ("quote_nullable(NULL)", "NULL"),
        any,
        |args| quote_value(args, Some("NULL")),
    )
    .taking_nulls()
    .only_in(Dialects::LLKV),
    ScalarFunction::new(
        "quote_ident",
        "quote_ident(name)",
        "The name as SQL takes it, in quotes where it needs them.",
        ("quote_ident('My table')", "\"My table\""),
        |types| exactly(types, &[Text], Text),
        quote_ident,
    )
    .only_in(Dialects::LLKV),
];

#[cfg(test)]
mod tests {
    use super::RESERVED;

    #[test]
    fn reserved_words_are_in_order() {
        assert!(RESERVED.is_sorted());
    }
}
