//! EXCLUDE in window frames, which the parser library does not know.
//!
//! Its words are taken out of the tokens, and a mark takes their place as the last key of the window's ORDER BY:
//! a name that no one writes. The binder takes it off again, see [`exclusion_of`]. The mark is a name like any
//! other to the library, so that the syntax tree of a view may be printed and read again.

use sqlparser::ast;
use sqlparser::tokenizer::{Span, Token, TokenWithSpan, Word};

/// What the mark's name starts with.
const MARK: &str = "\u{1}exclude ";

/// What a frame leaves out, as written behind EXCLUDE.
const KINDS: [(&[&str], &str); 4] = [
    (&["CURRENT", "ROW"], "current row"),
    (&["GROUP"], "group"),
    (&["TIES"], "ties"),
    (&["NO", "OTHERS"], "no others"),
];

/// What the mark among the keys of a window's ORDER BY says, if this key is one.
pub(crate) fn exclusion_of(key: &ast::Expr) -> Option<&str> {
    match key {
        ast::Expr::Identifier(name) => name.value.strip_prefix(MARK),
        _ => None,
    }
}

/// The text of a call as it was written: with EXCLUDE in the place of its mark.
pub(crate) fn readable(text: String) -> String {
    let Some(at) = text.find(MARK) else {
        return text;
    };
    let (before, rest) = text.split_at(at);
    let mark = rest
        .strip_prefix(MARK)
        .and_then(|rest| rest.split_once('"'));
    let (Some(before), Some((kind, after))) = (before.strip_suffix('"'), mark) else {
        return text;
    };
    let before = before
        .strip_suffix(", ")
        .or_else(|| before.strip_suffix("ORDER BY "))
        .unwrap_or(before);
    let frame = after
        .split_once(')')
        .filter(|(_, rest)| !rest.contains(MARK));
    match frame {
        Some((frame, rest)) => {
            let blank = if before.ends_with(['(', ' ']) {
                ""
            } else {
                " "
            };
            let frame = frame.trim_start();
            format!(
                "{before}{blank}{frame} EXCLUDE {}){rest}",
                kind.to_uppercase()
            )
        }
        None => text,
    }
}

/// The tokens with marks in the place of EXCLUDE.
pub(super) fn with_marks(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    if !tokens.iter().any(|t| is_word(&t.token, "EXCLUDE")) {
        return tokens;
    }
    let words: Vec<usize> = (0..tokens.len())
        .filter(|at| !matches!(tokens.get(*at), Some(t) if matches!(t.token, Token::Whitespace(_))))
        .collect();
    let mut edits: Vec<Edit> = Vec::new();
    for n in 0..words.len() {
        edits.extend(edit_at(&tokens, &words, n));
    }
    let mut out = Vec::with_capacity(tokens.len() + edits.len() * 4);
    for (at, token) in tokens.into_iter().enumerate() {
        if let Some(edit) = edits.iter().find(|edit| edit.mark_at == at) {
            out.extend(edit.mark(token.span));
        }
        if !edits.iter().any(|edit| edit.gone.contains(&at)) {
            out.push(token);
        }
    }
    out
}

struct Edit {
    /// Tokens that go.
    gone: std::ops::Range<usize>,
    /// Before which token the mark is put.
    mark_at: usize,
    /// Is there an ORDER BY already?
    ordered: bool,
    kind: &'static str,
}

impl Edit {
    fn mark(&self, span: Span) -> impl Iterator<Item = TokenWithSpan> + use<> {
        let head = if self.ordered {
            vec![Token::Comma]
        } else {
            vec![Token::make_keyword("ORDER"), Token::make_keyword("BY")]
        };
        let name = Token::make_word(&format!("{MARK}{}", self.kind), Some('"'));
        head.into_iter()
            .chain([name])
            .map(move |token| TokenWithSpan { token, span })
    }
}

/// The edit for an EXCLUDE at the word `n`, if it is one that ends a frame.
fn edit_at(tokens: &[TokenWithSpan], words: &[usize], n: usize) -> Option<Edit> {
    let token = |n: usize| {
        words
            .get(n)
            .and_then(|at| tokens.get(*at))
            .map(|t| &t.token)
    };
    if !is_word(token(n)?, "EXCLUDE") {
        return None;
    }
    let before = token(n.checked_sub(1)?)?;
    if !["ROW", "PRECEDING", "FOLLOWING"]
        .iter()
        .any(|w| is_word(before, w))
    {
        return None;
    }
    let (names, kind) = KINDS.iter().find(|(names, _)| {
        let mut names = names.iter().enumerate();
        names.all(|(i, name)| token(n + 1 + i).is_some_and(|t| is_word(t, name)))
    })?;
    let last = n + names.len();
    if token(last + 1) != Some(&Token::RParen) {
        return None;
    }
    // Back to the parenthesis: the frame's unit, and ORDER BY before it.
    let (mut depth, mut unit, mut ordered) = (0usize, None, false);
    for back in (0..n).rev() {
        match token(back)? {
            Token::RParen => depth += 1,
            Token::LParen if depth == 0 => break,
            Token::LParen => depth -= 1,
            word if depth > 0 || !matches!(word, Token::Word(_)) => {}
            word if unit.is_none() => {
                let found = ["ROWS", "RANGE", "GROUPS"].iter().any(|w| is_word(word, w));
                unit = found.then_some(back);
            }
            word => {
                let by = token(back + 1).is_some_and(|t| is_word(t, "BY"));
                ordered |= by && is_word(word, "ORDER");
            }
        }
    }
    Some(Edit {
        gone: *words.get(n)?..words.get(last)? + 1,
        mark_at: *words.get(unit?)?,
        ordered,
        kind,
    })
}

fn is_word(token: &Token, text: &str) -> bool {
    matches!(token, Token::Word(Word { value, quote_style: None, .. })
        if value.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use crate::text::printed;

    #[test]
    fn frames_with_exclude_are_read_and_printed_again() {
        for (text, keys) in [
            ("ORDER BY a ROWS 1 PRECEDING EXCLUDE TIES", 2),
            (
                "PARTITION BY (SELECT 1 ORDER BY 1) GROUPS CURRENT ROW exclude  group",
                1,
            ),
            (
                "ORDER BY a RANGE BETWEEN 1 PRECEDING AND CURRENT ROW EXCLUDE NO OTHERS",
                2,
            ),
            ("ORDER BY exclude ROWS CURRENT ROW EXCLUDE CURRENT ROW", 2),
            ("ORDER BY exclude", 1),
        ] {
            let text = format!("SELECT count(*) OVER ({text}) FROM t");
            for text in [text.clone(), printed(&text)] {
                let printed = printed(&text);
                let window = printed.split("OVER").nth(1).unwrap();
                let order = window.rsplit("ORDER BY").next().unwrap();
                assert_eq!(order.matches(',').count() + 1, keys, "{printed}");
            }
        }
    }
}
