//! The reviewed list of differences from SQLite that are meant.
//!
//! A line of `accepted-differences.txt` is `SIDE | PART OF THE MESSAGE | PART OF THE STATEMENT | REASON`. The side
//! is whose error it is, `llkv` or `sqlite`, while the other gives a result; `*` fits everything.

use crate::value::Outcome;

const LIST: &str = include_str!("../accepted-differences.txt");

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Accepted {
    side: Side,
    message: &'static str,
    statement: &'static str,
}

/// Whose error it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Llkv,
    Sqlite,
}

/// The list.
#[derive(Debug)]
pub(crate) struct AcceptedList(Vec<Accepted>);

impl AcceptedList {
    /// Reads the list that this crate carries.
    ///
    /// # Errors
    /// The first line that is none of the list's.
    pub(crate) fn read() -> Result<Self, String> {
        let lines = LIST.lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let read = lines.map(|line| {
            read_line(line).ok_or_else(|| format!("accepted-differences.txt: `{line}`"))
        });
        read.collect::<Result<_, _>>().map(Self)
    }

    /// True where an error of LLKV is on the list.
    pub(crate) fn llkv(&self, outcome: &Outcome, sql: &str) -> bool {
        self.accepts(Side::Llkv, outcome, sql)
    }

    /// True where an error of SQLite is on the list.
    pub(crate) fn sqlite(&self, outcome: &Outcome, sql: &str) -> bool {
        self.accepts(Side::Sqlite, outcome, sql)
    }

    fn accepts(&self, side: Side, outcome: &Outcome, sql: &str) -> bool {
        let Some(message) = outcome.error() else {
            return false;
        };
        let fits = |part: &str, text: &str| part == "*" || text.contains(part);
        self.0.iter().any(|line| {
            line.side == side && fits(line.message, message) && fits(line.statement, sql)
        })
    }
}

fn read_line(line: &'static str) -> Option<Accepted> {
    let parts: Vec<&str> = line.split(" | ").map(str::trim).collect();
    let [side, message, statement, reason] = parts.as_slice() else {
        return None;
    };
    let side = match *side {
        "llkv" => Side::Llkv,
        "sqlite" => Side::Sqlite,
        _ => return None,
    };
    (!reason.is_empty()).then_some(Accepted {
        side,
        message,
        statement,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_well_formed() {
        AcceptedList::read().unwrap();
        assert_eq!(read_line("llkv | a | b |"), None, "a line has a reason");
        assert_eq!(read_line("duckdb | a | b | c"), None);
    }
}
