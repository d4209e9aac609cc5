//! Cutting a script into its statements, without parsing them.

/// An iterator over the statements of a script: see [`split_statements`].
#[derive(Debug, Clone)]
pub struct Statements<'a> {
    script: &'a str,
    position: usize,
}

/// The statements of a script with the byte at which each starts, in order: text between semicolons,
/// trimmed, without the semicolon; pieces that hold nothing but space and comments are left out.
/// Quotes, dollar quotes, comments (nested ones too) and the bodies of triggers are kept whole.
///
/// ```
/// let script = "SELECT ';'; -- done; \n INSERT INTO t VALUES (1);";
/// let texts: Vec<&str> = llkv_sql::split_statements(script).map(|(text, _)| text).collect();
/// assert_eq!(texts.len(), 2);
/// assert_eq!(texts[0], "SELECT ';'");
/// ```
#[must_use]
pub const fn split_statements(script: &str) -> Statements<'_> {
    Statements {
        script,
        position: 0,
    }
}

impl<'a> Statements<'a> {
    /// True where the script, up to its end, closes every quote and comment and its last statement
    /// ends in a semicolon: what a shell asks before it runs what was typed.
    #[must_use]
    pub fn is_complete(mut self) -> bool {
        loop {
            let piece = scan(self.script, self.position);
            if !piece.closed {
                return !piece.has_content;
            }
            self.position = piece.next;
        }
    }
}

impl<'a> Iterator for Statements<'a> {
    type Item = (&'a str, usize);

    fn next(&mut self) -> Option<Self::Item> {
        while self.position < self.script.len() {
            let start = self.position;
            let piece = scan(self.script, start);
            self.position = piece.next;
            if piece.has_content {
                let text = &self.script[start..piece.end];
                let lead = text.len() - text.trim_start().len();
                return Some((text.trim(), start + lead));
            }
        }
        None
    }
}

/// What one scan found.
struct Piece {
    /// End of the statement's text.
    end: usize,
    /// Where the next one starts.
    next: usize,
    /// Something besides space and comments.
    has_content: bool,
    /// It ended in a semicolon outside quotes.
    closed: bool,
}

fn scan(script: &str, start: usize) -> Piece {
    let bytes = script.as_bytes();
    // Most scripts are one statement without a semicolon: nothing in it matters then, but whether it is more
    // than a comment.
    let rest = bytes.get(start..).unwrap_or_default();
    let first = rest.iter().find(|byte| !byte.is_ascii_whitespace());
    if first.is_some_and(u8::is_ascii_alphabetic) && !rest.contains(&b';') {
        return Piece {
            end: bytes.len(),
            next: bytes.len(),
            has_content: true,
            closed: false,
        };
    }
    let mut at = start;
    let mut has_content = false;
    let mut body = TriggerBody::default();
    while let Some(&byte) = bytes.get(at) {
        let next = match byte {
            b';' if body.depth == 0 => {
                return Piece {
                    end: at,
                    next: at + 1,
                    has_content,
                    closed: true,
                };
            }
            b'-' if bytes.get(at + 1) == Some(&b'-') => Some(line_end(bytes, at)),
            b'/' if bytes.get(at + 1) == Some(&b'*') => comment_end(bytes, at),
            b'\'' | b'"' | b'`' => quote_end(bytes, at, byte),
            b'$' => Some(dollar_quote_end(script, at)),
            b if b.is_ascii_alphabetic() || b == b'_' => {
                let end = word_end(bytes, at);
                let word = &bytes[at..end];
                body.word(word);
                match bytes.get(end) {
                    Some(b'\'') if word.eq_ignore_ascii_case(b"e") => escaped_end(bytes, end),
                    _ => Some(end),
                }
            }
            _ => Some(at + 1),
        };
        let comment = matches!(
            (byte, bytes.get(at + 1)),
            (b'-', Some(b'-')) | (b'/', Some(b'*'))
        );
        has_content |= !comment && !byte.is_ascii_whitespace() && byte != b';';
        match next {
            Some(next) => at = next,
            None => {
                at = bytes.len();
                has_content = true;
            }
        }
    }
    Piece {
        end: bytes.len(),
        next: bytes.len(),
        has_content,
        closed: false,
    }
}

/// `CREATE TRIGGER ... BEGIN ...; END`: semicolons inside are the trigger's.
#[derive(Default)]
struct TriggerBody {
    words: usize,
    create: bool,
    trigger: bool,
    depth: usize,
}

impl TriggerBody {
    fn word(&mut self, word: &[u8]) {
        let is = |text: &str| word.eq_ignore_ascii_case(text.as_bytes());
        self.words += 1;
        match self.words {
            1 => self.create = is("CREATE"),
            2..=3 if self.create && is("TRIGGER") => self.trigger = true,
            _ => {}
        }
        if self.trigger {
            if is("BEGIN") || is("CASE") {
                self.depth += 1;
            } else if is("END") {
                self.depth = self.depth.saturating_sub(1);
            }
        }
    }
}

fn line_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|&b| b == b'\n')
        .map_or(bytes.len(), |n| at + n + 1)
}

fn comment_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut depth = 0usize;
    let mut at = at;
    while at + 1 < bytes.len() {
        match (bytes[at], bytes[at + 1]) {
            (b'/', b'*') => {
                depth += 1;
                at += 2;
            }
            (b'*', b'/') => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return Some(at);
                }
            }
            _ => at += 1,
        }
    }
    None
}

/// A doubled quote inside is part of the text; it reads as an end and a new start, which is the same.
fn quote_end(bytes: &[u8], at: usize, quote: u8) -> Option<usize> {
    bytes[at + 1..]
        .iter()
        .position(|&b| b == quote)
        .map(|n| at + n + 2)
}

/// The end of `E'...'`, where a backslash takes the next byte for what it is.
fn escaped_end(bytes: &[u8], at: usize) -> Option<usize> {
    let mut at = at + 1;
    loop {
        match bytes.get(at)? {
            b'\\' => at += 2,
            b'\'' => return Some(at + 1),
            _ => at += 1,
        }
    }
}

fn word_end(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .position(|b| !(b.is_ascii_alphanumeric() || *b == b'_' || *b == b'$' || *b >= 0x80))
        .map_or(bytes.len(), |n| at + n)
}

/// `$tag$ ... $tag$`; a lone `$1` is a parameter and one byte long here.
fn dollar_quote_end(script: &str, at: usize) -> usize {
    let rest = &script[at + 1..];
    let Some(close) = rest.find('$') else {
        return at + 1;
    };
    let tag = &rest[..close];
    let is_tag = !tag.starts_with(|c: char| c.is_ascii_digit())
        && tag.chars().all(|c| c.is_alphanumeric() || c == '_');
    if !is_tag {
        return at + 1;
    }
    let marker = &script[at..at + close + 2];
    let body = at + marker.len();
    script[body..]
        .find(marker)
        .map_or(script.len(), |n| body + n + marker.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(script: &str) -> Vec<&str> {
        split_statements(script).map(|(text, _)| text).collect()
    }

    #[test]
    fn semicolons_in_quotes_and_comments_do_not_split() {
        assert_eq!(texts("SELECT 1; SELECT 2"), ["SELECT 1", "SELECT 2"]);
        assert_eq!(texts("SELECT 'a;''b;' ;;"), ["SELECT 'a;''b;'"]);
        assert_eq!(
            texts(r"SELECT E'it\'s; one', 'b\'; SELECT e'\\'; SELECT typE'x'"),
            [
                r"SELECT E'it\'s; one', 'b\'",
                r"SELECT e'\\'",
                "SELECT typE'x'"
            ]
        );
        assert_eq!(texts("-- only; a comment\n;"), Vec::<&str>::new());
        assert_eq!(
            texts("/* a; /* b; */ */ SELECT 1;"),
            ["/* a; /* b; */ */ SELECT 1"]
        );
        assert_eq!(
            texts("SELECT $q$ ; $q$; SELECT $1"),
            ["SELECT $q$ ; $q$", "SELECT $1"]
        );
        assert_eq!(texts("SELECT \"x;y\"; SELECT `x;y`").len(), 2);
    }

    #[test]
    fn a_trigger_keeps_its_body() {
        let script = "CREATE TRIGGER tr AFTER INSERT ON t BEGIN \
                      UPDATE t SET a = CASE WHEN 1 THEN 2 END; DELETE FROM u; END; SELECT 1";
        assert_eq!(texts(script).len(), 2);
        assert_eq!(texts("BEGIN; SELECT 1; END;"), ["BEGIN", "SELECT 1", "END"]);
    }

    #[test]
    fn offsets_point_at_the_statement() {
        let script = "  SELECT 1 ;\n  SELECT 2";
        for (text, offset) in split_statements(script) {
            assert!(script[offset..].starts_with(text));
        }
    }

    #[test]
    fn a_shell_knows_when_to_ask_for_more() {
        assert!(split_statements("SELECT 1;").is_complete());
        assert!(split_statements("").is_complete());
        assert!(!split_statements("SELECT 1").is_complete());
        assert!(!split_statements("SELECT 'a;").is_complete());
        assert!(!split_statements("/* open;").is_complete());
    }
}
