//! Texts that an error or a value must contain or match.

use crate::engine::EngineError;
use regex::RegexBuilder;

/// Compares with `<REGEX>:pattern` or `<!REGEX>:pattern`, which must match the whole text (a point
/// matches line feeds too). None when `expected` is neither. A pattern that does not compile
/// matches nothing, not even when negated.
pub(crate) fn matches_regex(got: &str, expected: &str) -> Option<bool> {
    let (pattern, wanted) = match expected.strip_prefix("<REGEX>:") {
        Some(pattern) => (pattern, true),
        None => (expected.strip_prefix("<!REGEX>:")?, false),
    };
    let regex = RegexBuilder::new(&format!("^(?:{pattern})$"))
        .dot_matches_new_line(true)
        .build();
    Some(regex.is_ok_and(|regex| regex.is_match(got) == wanted))
}

/// True when an error is the one a record expects: a pattern, `SQLSTATE 12345`, or a part of its text.
pub(crate) fn error_matches(error: &EngineError, expected: &str) -> bool {
    if let Some(verdict) = matches_regex(&error.message, expected) {
        return verdict;
    }
    if let Some(state) = expected.strip_prefix("SQLSTATE ") {
        return error.sqlstate.as_deref() == Some(state.trim());
    }
    error.message.contains(expected)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_match_the_whole_text() {
        assert_eq!(matches_regex("abc", "<REGEX>:b"), Some(false));
        assert_eq!(matches_regex("abc", "<REGEX>:.*b.*"), Some(true));
        assert_eq!(matches_regex("a\nbc", "<REGEX>:a.*c"), Some(true));
        assert_eq!(matches_regex("abc", "<!REGEX>:b"), Some(true));
        assert_eq!(matches_regex("a|b", "<REGEX>:a|b"), Some(false));
        assert_eq!(matches_regex("abc", "abc"), None);
    }

    #[test]
    fn a_broken_pattern_matches_nothing() {
        assert_eq!(matches_regex("abc", "<REGEX>:("), Some(false));
        assert_eq!(matches_regex("abc", "<!REGEX>:("), Some(false));
    }

    #[test]
    fn errors_by_text_and_by_state() {
        let mut error = EngineError::new("division by zero in row 3");
        error.sqlstate = Some("22012".to_owned());
        assert!(error_matches(&error, "by zero"));
        assert!(!error_matches(&error, "By zero"));
        assert!(error_matches(&error, "SQLSTATE 22012"));
        assert!(!error_matches(&error, "SQLSTATE 22003"));
    }
}
