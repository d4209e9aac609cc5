//! Errors for people: the message, the line of SQL, a caret below the offending text.

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet};
use llkv_result::Error;

/// Lines longer than this are cut around the place.
const WINDOW_BYTES: usize = 240;

/// The message of an error and, where its place in `sql` is known, that line with a caret under it.
///
/// ```
/// use llkv_result::{BindError, Error, Span};
///
/// let error = Error::from(BindError::Invalid { message: "no".into(), span: Some(Span::new(7, 10)) });
/// let shown = llkv_sql::render_error(&error, "SELECT abc");
/// assert!(shown.contains("^^^"));
/// ```
#[must_use]
pub fn render_error(error: &Error, sql: &str) -> String {
    render(error, sql, None)
}

/// As [`render_error`] for a statement of a script, which begins in line `line` (counted from 1) of the one that
/// is called `script`: lines are numbered as there, and an error without a place in the statement tells its line.
///
/// ```
/// use llkv_result::{Error, EvalError};
///
/// let error = Error::from(EvalError::DivisionByZero);
/// let shown = llkv_sql::render_script_error(&error, "SELECT 1 / 0", "load.sql", 7);
/// assert!(shown.ends_with("--> load.sql:7"));
/// ```
#[must_use]
pub fn render_script_error(error: &Error, sql: &str, script: &str, line: usize) -> String {
    render(error, sql, Some((script, line)))
}

fn render(error: &Error, sql: &str, script: Option<(&str, usize)>) -> String {
    let message = error.to_string();
    let title = Level::ERROR.primary_title(message.as_str());
    let Some(span) = error.span().filter(|span| span.start <= sql.len()) else {
        let Some((name, line)) = script else {
            return format!("error: {message}");
        };
        let report = [Group::with_title(title).element(Origin::path(name).line(line))];
        return Renderer::plain().render(&report);
    };
    let start = floor_boundary(sql, span.start);
    let end = floor_boundary(sql, span.end.clamp(start, sql.len()));
    let window_start = floor_boundary(sql, start.saturating_sub(WINDOW_BYTES));
    let window_end = floor_boundary(
        sql,
        (end.min(start + WINDOW_BYTES) + WINDOW_BYTES).min(sql.len()),
    );
    let line_start = sql[window_start..start]
        .rfind('\n')
        .map_or(window_start, |n| window_start + n + 1);
    let line_end = sql[start..window_end]
        .find('\n')
        .map_or(window_end, |n| start + n);
    let line_number = sql[..line_start].bytes().filter(|&b| b == b'\n').count();
    let local = start - line_start..end.clamp(start, line_end) - line_start;
    let first_line = script.map_or(1, |(_, line)| line);
    let snippet = Snippet::source(&sql[line_start..line_end])
        .path(script.map(|(name, _)| name))
        .line_start(first_line + line_number)
        .annotation(AnnotationKind::Primary.span(local));
    Renderer::plain().render(&[Group::with_title(title).element(snippet)])
}

fn floor_boundary(text: &str, at: usize) -> usize {
    let mut at = at.min(text.len());
    while !text.is_char_boundary(at) {
        at -= 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use llkv_result::{BindError, Span};

    fn error(start: usize, end: usize) -> Error {
        BindError::Invalid {
            message: "wrong".into(),
            span: Some(Span::new(start, end)),
        }
        .into()
    }

    #[test]
    fn any_span_renders() {
        let sql = "SELECT é\nFROM t";
        for start in 0..20 {
            for end in 0..20 {
                assert!(render_error(&error(start, end), sql).contains("wrong"));
            }
        }
    }

    #[test]
    fn the_caret_is_under_the_text_of_its_line() {
        let shown = render_error(&error(9, 13), "SELECT 1\nFROM t");
        assert!(shown.contains("2 | FROM t"), "{shown}");
        assert!(shown.contains("^^^^"), "{shown}");
    }

    #[test]
    fn lines_of_a_script_are_numbered_as_there() {
        let shown = render_script_error(&error(9, 13), "SELECT 1\nFROM t", "load.sql", 40);
        assert!(shown.contains("--> load.sql:41:1"), "{shown}");
        assert!(shown.contains("41 | FROM t"), "{shown}");
    }

    #[test]
    fn a_long_line_is_cut() {
        let sql = format!("SELECT {}x{}", "1, ".repeat(10_000), ", 1".repeat(10_000));
        let at = sql.find('x').unwrap();
        assert!(render_error(&error(at, at + 1), &sql).len() < 2_000);
    }
}
