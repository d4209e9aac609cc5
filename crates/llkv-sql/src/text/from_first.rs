//! Queries that begin with FROM, and INSERT of VALUES in parentheses, as the parser library reads them.
//!
//! `FROM t WHERE a` gets the `SELECT *` that it stands for; where a SELECT follows, the library knows the form. `INSERT INTO t
//! (VALUES (1))` loses its parentheses, which the library takes for those of column names.

use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, TokenWithSpan};

/// What may stand right before a query.
const BEFORE_QUERY: [Keyword; 7] = [
    Keyword::AS,
    Keyword::UNION,
    Keyword::EXCEPT,
    Keyword::INTERSECT,
    Keyword::ALL,
    Keyword::EXPLAIN,
    Keyword::ANALYZE,
];

/// The tokens with what they stand for.
pub(super) fn with_select(tokens: Vec<TokenWithSpan>) -> Vec<TokenWithSpan> {
    let words = Words::of(&tokens);
    let mut selects = Vec::new();
    let mut gone = Vec::new();
    for n in 0..words.places.len() {
        match words.keyword(n) {
            Some(Keyword::FROM) if words.begins_query(n) && !words.has_select(n) => {
                selects.extend(words.places.get(n).copied());
            }
            Some(Keyword::VALUES) => {
                gone.extend(words.parentheses_of_insert(n).into_iter().flatten())
            }
            _ => {}
        }
    }
    if selects.is_empty() && gone.is_empty() {
        return tokens;
    }
    let mut out = Vec::with_capacity(tokens.len() + 2 * selects.len());
    for (at, token) in tokens.into_iter().enumerate() {
        if selects.contains(&at) {
            for inserted in [Token::make_keyword("SELECT"), Token::Mul] {
                out.push(TokenWithSpan {
                    token: inserted,
                    span: token.span,
                });
            }
        }
        if !gone.contains(&at) {
            out.push(token);
        }
    }
    out
}

/// The tokens that are no blanks.
struct Words<'t> {
    tokens: &'t [TokenWithSpan],
    places: Vec<usize>,
}

impl<'t> Words<'t> {
    fn of(tokens: &'t [TokenWithSpan]) -> Self {
        let places = tokens.iter().enumerate();
        let places = places.filter(|(_, t)| !matches!(t.token, Token::Whitespace(_)));
        let places = places.map(|(at, _)| at).collect();
        Self { tokens, places }
    }

    fn token(&self, n: usize) -> Option<&'t Token> {
        self.tokens.get(*self.places.get(n)?).map(|t| &t.token)
    }

    /// A word without quotes, if it is one that the grammar knows.
    fn keyword(&self, n: usize) -> Option<Keyword> {
        match self.token(n)? {
            Token::Word(word) if word.quote_style.is_none() => Some(word.keyword),
            _ => None,
        }
    }

    /// The words before `n` within the same parentheses and statement, the last first.
    fn before(&self, n: usize) -> impl Iterator<Item = usize> {
        let mut depth = 0usize;
        (0..n)
            .rev()
            .map_while(move |at| {
                match self.token(at)? {
                    Token::SemiColon => return None,
                    Token::RParen => depth += 1,
                    Token::LParen if depth == 0 => return None,
                    Token::LParen => depth -= 1,
                    _ if depth == 0 => return Some(Some(at)),
                    _ => {}
                }
                Some(None)
            })
            .flatten()
    }

    /// Whether a query begins with the FROM at `n`.
    fn begins_query(&self, n: usize) -> bool {
        let Some(last) = n.checked_sub(1) else {
            return true;
        };
        match self.token(last) {
            Some(Token::SemiColon) | None => return true,
            // `trim(FROM x)` is a call.
            Some(Token::LParen) => {
                return last.checked_sub(1).and_then(|at| self.keyword(at)) != Some(Keyword::TRIM);
            }
            _ => {}
        }
        if self
            .keyword(last)
            .is_some_and(|word| BEFORE_QUERY.contains(&word))
        {
            // `SELECT ALL FROM t`, and `SELECT a AS FROM t`, where a name is missing.
            let is_select = |at: usize| self.keyword(at) == Some(Keyword::SELECT);
            return match self.keyword(last) {
                Some(Keyword::ALL) => !last.checked_sub(1).is_some_and(is_select),
                Some(Keyword::AS) => !self.before(n).any(is_select),
                _ => true,
            };
        }
        // Behind WITH, or in an INSERT that has no other rows.
        let mut first = None;
        for at in self.before(n) {
            let word = self.keyword(at);
            if matches!(
                word,
                Some(
                    Keyword::SELECT
                        | Keyword::VALUES
                        | Keyword::SET
                        | Keyword::DEFAULT
                        | Keyword::DELETE
                        | Keyword::UPDATE
                        | Keyword::FROM
                )
            ) {
                return false;
            }
            first = word;
        }
        let is_after_list = matches!(self.token(last), Some(Token::RParen));
        first == Some(Keyword::INSERT) || first == Some(Keyword::WITH) && is_after_list
    }

    /// Whether a SELECT follows the FROM at `n` in its query.
    fn has_select(&self, n: usize) -> bool {
        let mut depth = 0usize;
        for at in n + 1..self.places.len() {
            match self.token(at) {
                Some(Token::LParen) => depth += 1,
                Some(Token::RParen) if depth == 0 => return false,
                Some(Token::RParen) => depth -= 1,
                Some(Token::SemiColon) => return false,
                _ if depth > 0 => {}
                _ => match self.keyword(at) {
                    Some(Keyword::SELECT) => return true,
                    Some(Keyword::UNION | Keyword::EXCEPT | Keyword::INTERSECT) => return false,
                    _ => {}
                },
            }
        }
        false
    }

    /// The places of the parentheses around the VALUES at `n`, where they stand behind the table of an INSERT.
    fn parentheses_of_insert(&self, n: usize) -> Option<[usize; 2]> {
        let open = n.checked_sub(1)?;
        if self.token(open) != Some(&Token::LParen) {
            return None;
        }
        let mut names = open.checked_sub(1)?;
        while self.keyword(names)? != Keyword::INTO {
            names = names.checked_sub(1)?;
            if matches!(self.token(names), Some(Token::Period)) {
                names = names.checked_sub(1)?;
            }
        }
        let mut depth = 0usize;
        let close = (n..self.places.len()).find(|at| match self.token(*at) {
            Some(Token::LParen) => {
                depth += 1;
                false
            }
            Some(Token::RParen) if depth == 0 => true,
            Some(Token::RParen) => {
                depth -= 1;
                false
            }
            _ => false,
        })?;
        Some([*self.places.get(open)?, *self.places.get(close)?])
    }
}

#[cfg(test)]
mod tests {
    use crate::SqlDialect;
    use crate::text::{parse_statement, printed};

    #[test]
    fn queries_that_begin_with_from_get_a_select() {
        for (text, read) in [
            ("FROM t WHERE a = 1", "SELECT * FROM t WHERE a = 1"),
            (
                "SELECT * FROM (FROM t WHERE a > 1) AS x",
                "SELECT * FROM (SELECT * FROM t WHERE a > 1) AS x",
            ),
            (
                "FROM a UNION ALL FROM b WHERE c = 'x'",
                "SELECT * FROM a UNION ALL SELECT * FROM b WHERE c = 'x'",
            ),
            (
                "WITH x AS (FROM t) FROM x ORDER BY 1",
                "WITH x AS (SELECT * FROM t) SELECT * FROM x ORDER BY 1",
            ),
            ("INSERT INTO t FROM u", "INSERT INTO t SELECT * FROM u"),
            (
                "INSERT INTO s.t (a) FROM u WHERE b",
                "INSERT INTO s.t (a) SELECT * FROM u WHERE b",
            ),
            (
                "INSERT INTO s.t (VALUES (1), ((2))) RETURNING a",
                "INSERT INTO s.t VALUES (1), ((2)) RETURNING a",
            ),
        ] {
            assert_eq!(printed(text), read, "{text}");
        }
        for text in [
            "SELECT count(*) FROM t",
            "WITH x AS (SELECT 1) SELECT (2) FROM x",
            "WITH x AS (SELECT 1) DELETE FROM t",
            "SELECT EXTRACT(YEAR FROM d) FROM t",
            "SELECT a IS DISTINCT FROM b FROM t",
        ] {
            assert_eq!(printed(text), text);
        }
        assert_eq!(
            printed("CREATE VIEW v AS FROM t WHERE a"),
            "CREATE VIEW v AS SELECT * FROM t WHERE a"
        );
        let error = parse_statement("SELECT a AS FROM t", SqlDialect::Llkv, |_| Ok(()));
        assert!(!error.unwrap_err().to_string().contains("SELECT"));
    }
}
