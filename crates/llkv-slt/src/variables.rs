//! Variables of a file: loop variables, folders and the environment, put into its texts.

use std::borrow::Cow;

/// Names and values; the innermost loop's last.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    entries: Vec<(String, String)>,
}

impl Variables {
    /// No variables.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a variable, which hides an outer one of its name.
    pub fn push(&mut self, name: impl Into<String>, value: impl Into<String>) {
        self.entries.push((name.into(), value.into()));
    }

    /// Takes the last `count` variables away.
    pub fn pop(&mut self, count: usize) {
        let keep = self.entries.len().saturating_sub(count);
        self.entries.truncate(keep);
    }

    /// The value of a variable.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        let entry = self.entries.iter().rev().find(|(own, _)| own == name);
        entry.map(|(_, value)| value.as_str())
    }

    /// Puts values in the place of `${name}`, `{name}` and `__TEST_DIR__`. Braces around anything that
    /// is no variable stay as they are: they are SQL.
    #[must_use]
    pub fn expand<'a>(&self, text: &'a str) -> Cow<'a, str> {
        const OLD_TEST_DIR: &str = "__TEST_DIR__";
        let text = match self.get("TEST_DIR") {
            Some(folder) if text.contains(OLD_TEST_DIR) => {
                Cow::Owned(text.replace(OLD_TEST_DIR, folder))
            }
            _ => Cow::Borrowed(text),
        };
        if !text.contains('{') {
            return text;
        }
        Cow::Owned(self.expand_braces(&text))
    }

    fn expand_braces(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut rest = text;
        while let Some((before, after)) = rest.split_once('{') {
            let name = after.split_once('}').map(|(name, _)| name);
            match name.and_then(|name| Some((name, self.get(name)?))) {
                Some((name, value)) => {
                    out.push_str(before.strip_suffix('$').unwrap_or(before));
                    out.push_str(value);
                    rest = after.get(name.len() + 1..).unwrap_or_default();
                }
                None => {
                    out.push_str(before);
                    out.push('{');
                    rest = after;
                }
            }
        }
        out.push_str(rest);
        out
    }
}

/// The values of a `foreach`: named collections written out, `!value` taking values away again.
#[must_use]
pub fn foreach_values(words: &[String]) -> Vec<String> {
    let mut values: Vec<String> = Vec::new();
    for word in words {
        match (collection(word), word.strip_prefix('!')) {
            (Some(members), _) => values.extend(members.into_iter().map(str::to_owned)),
            (None, Some(excluded)) => match collection(excluded) {
                Some(members) => values.retain(|value| !members.contains(&value.as_str())),
                None => values.retain(|value| value != excluded),
            },
            (None, None) => values.push(word.clone()),
        }
    }
    values
}

/// The types behind a name such as `<numeric>`.
fn collection(name: &str) -> Option<Vec<&'static str>> {
    const SIGNED: [&str; 5] = ["tinyint", "smallint", "integer", "bigint", "hugeint"];
    const UNSIGNED: [&str; 5] = ["utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"];
    const FLOATS: [&str; 2] = ["float", "double"];
    const OTHERS: [&str; 3] = ["bool", "interval", "varchar"];
    const COMPRESSIONS: [&str; 11] = [
        "none",
        "uncompressed",
        "rle",
        "bitpacking",
        "dictionary",
        "fsst",
        "alp",
        "alprd",
        "dict_fsst",
        "roaring",
        "zstd",
    ];
    let parts: &[&[&'static str]] = match name.to_ascii_lowercase().as_str() {
        "<signed>" => &[&SIGNED],
        "<unsigned>" => &[&UNSIGNED],
        "<integral>" => &[&SIGNED, &UNSIGNED],
        "<numeric>" => &[&SIGNED, &UNSIGNED, &FLOATS],
        "<alltypes>" => &[&SIGNED, &UNSIGNED, &FLOATS, &OTHERS],
        "<compression>" => &[&COMPRESSIONS],
        _ => return None,
    };
    Some(parts.concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables() -> Variables {
        let mut variables = Variables::new();
        variables.push("TEST_DIR", "/scratch");
        variables.push("i", "1");
        variables
    }

    #[test]
    fn both_forms_are_replaced_and_other_braces_stay() {
        let of = |text: &str| variables().expand(text).into_owned();
        assert_eq!(
            of("SELECT ${i}, {i}, {j}, {'i': 1}"),
            "SELECT 1, 1, {j}, {'i': 1}"
        );
        assert_eq!(of("{TEST_DIR}/a __TEST_DIR__/b"), "/scratch/a /scratch/b");
        assert_eq!(of("{{i}"), "{1");
        assert_eq!(of("unclosed {i"), "unclosed {i");
        assert_eq!(of("$1 costs $"), "$1 costs $");
    }

    #[test]
    fn the_innermost_wins() {
        let mut variables = variables();
        variables.push("i", "2");
        assert_eq!(variables.expand("{i}"), "2");
        variables.pop(1);
        assert_eq!(variables.expand("{i}"), "1");
    }

    #[test]
    fn collections_and_exclusions() {
        let of = |words: &[&str]| {
            let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
            foreach_values(&words)
        };
        assert_eq!(of(&["a", "b"]), ["a", "b"]);
        assert_eq!(of(&["<numeric>"]).len(), 12);
        assert_eq!(of(&["<integral>", "!<unsigned>", "!tinyint"]).len(), 4);
        assert_eq!(of(&["<unknown>"]), ["<unknown>"]);
    }
}
