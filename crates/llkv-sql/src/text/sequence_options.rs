//! Options of a sequence in any order: the library reads them in one.

use sqlparser::tokenizer::{Token, TokenWithSpan};

/// The order in which the library reads options; `None` for a word that begins none.
fn rank(word: &str) -> Option<usize> {
    let order = [
        "INCREMENT",
        "MINVALUE",
        "MAXVALUE",
        "START",
        "CACHE",
        "CYCLE",
        "OWNED",
    ];
    order
        .iter()
        .position(|known| known.eq_ignore_ascii_case(word))
}

fn word(token: Option<&TokenWithSpan>) -> Option<&str> {
    match &token?.token {
        Token::Word(word) if word.quote_style.is_none() => Some(&word.value),
        _ => None,
    }
}

fn is(token: Option<&TokenWithSpan>, text: &str) -> bool {
    word(token).is_some_and(|word| word.eq_ignore_ascii_case(text))
}

/// Puts the options of `CREATE SEQUENCE` and `AS IDENTITY (...)` into the order of the library.
pub(super) fn in_order(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let has_options = |token: &TokenWithSpan| {
        ["SEQUENCE", "IDENTITY"]
            .iter()
            .any(|text| is(Some(token), text))
    };
    if !tokens.iter().any(has_options) {
        return tokens;
    }
    let is_space = |token: &TokenWithSpan| matches!(token.token, Token::Whitespace(_));
    let places: Vec<usize> = (0..tokens.len())
        .filter(|at| tokens.get(*at).is_some_and(|token| !is_space(token)))
        .collect();
    let at = |place: usize| tokens.get(*places.get(place)?);
    let mut ranges = Vec::new();
    let creates = is(at(0), "CREATE") && (1..=2).any(|place| is(at(place), "SEQUENCE"));
    for place in 0..places.len() {
        let of_identity = is(at(place), "IDENTITY")
            && at(place + 1).is_some_and(|token| token.token == Token::LParen);
        let of_sequence = creates && is(at(place), "SEQUENCE");
        if !of_identity && !of_sequence {
            continue;
        }
        let from = if of_identity { place + 2 } else { place + 1 };
        let ends = |token: &TokenWithSpan| {
            matches!(token.token, Token::RParen | Token::SemiColon | Token::EOF)
        };
        let to = (from..places.len()).find(|place| at(*place).is_some_and(ends));
        if let (Some(from), Some(to)) = (
            places.get(from),
            places
                .get(to.unwrap_or(places.len()))
                .or(Some(&tokens.len())),
        ) {
            ranges.push(*from..*to);
        }
        if of_sequence {
            break;
        }
    }
    let mut tokens = tokens;
    for range in ranges {
        if let Some(options) = tokens.get_mut(range) {
            reorder(options);
        }
    }
    tokens
}

fn reorder(options: &mut [TokenWithSpan]) {
    // What stands before the first option, and each option with what belongs to it.
    let mut groups: Vec<(usize, Vec<TokenWithSpan>)> = vec![(0, Vec::new())];
    let mut after_no = false;
    for at in 0..options.len() {
        let Some(token) = options.get(at) else {
            continue;
        };
        let own = word(Some(token));
        let next = options.get(at + 1..).unwrap_or_default().iter();
        let next = next
            .clone()
            .find(|t| !matches!(t.token, Token::Whitespace(_)));
        let begins = match own {
            Some(no) if no.eq_ignore_ascii_case("NO") => word(next).and_then(rank),
            Some(own) if !after_no => rank(own),
            _ => None,
        };
        if let Some(rank) = begins {
            groups.push((rank + 1, Vec::new()));
        }
        if !matches!(token.token, Token::Whitespace(_)) {
            after_no = own.is_some_and(|own| own.eq_ignore_ascii_case("NO"));
        }
        if let Some((_, group)) = groups.last_mut() {
            group.push(token.clone());
        }
    }
    groups.sort_by_key(|(rank, _)| *rank);
    let ordered = groups.into_iter().flat_map(|(_, group)| group);
    for (slot, token) in options.iter_mut().zip(ordered) {
        *slot = token;
    }
}

#[cfg(test)]
mod tests {
    use super::in_order;
    use sqlparser::dialect::PostgreSqlDialect;
    use sqlparser::tokenizer::Tokenizer;

    fn ordered(text: &str) -> String {
        let dialect = PostgreSqlDialect {};
        let tokens = Tokenizer::new(&dialect, text).tokenize_with_location();
        let tokens = in_order(tokens.unwrap()).into_iter();
        let text: Vec<String> = tokens.map(|token| token.token.to_string()).collect();
        let text = text.concat();
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn options_come_into_order() {
        assert_eq!(
            ordered("CREATE SEQUENCE a.s NO CYCLE START 5 MINVALUE 1 INCREMENT BY -2 "),
            "CREATE SEQUENCE a.s INCREMENT BY -2 MINVALUE 1 START 5 NO CYCLE"
        );
        assert_eq!(
            ordered(
                "CREATE TABLE t (a INT GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 2 ), b INT)"
            ),
            "CREATE TABLE t (a INT GENERATED ALWAYS AS IDENTITY (INCREMENT 2 START 5 ), b INT)"
        );
        let other = "SELECT start, cache FROM sequence WHERE increment = 1";
        assert_eq!(ordered(other), other);
    }
}
