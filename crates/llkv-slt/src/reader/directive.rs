//! Directives: every line that is no record.

use super::{ReadError, error};
use crate::script::{Comparison, Condition, ConditionTest, LoopDirective, LoopSource, NodeKind};
use std::time::Duration;

/// Reads a directive other than conditions and loops.
pub(super) fn directive(
    line: usize,
    head: &str,
    arguments: &[&str],
) -> Result<NodeKind, ReadError> {
    let argument = |index: usize| {
        arguments
            .get(index)
            .copied()
            .ok_or_else(|| error(line, format!("`{head}` takes more words")))
    };
    Ok(match head {
        "hash-threshold" => NodeKind::HashThreshold(number(line, argument(0)?)?),
        "halt" => NodeKind::Halt,
        "load" => load(arguments),
        "restart" => NodeKind::Restart,
        "reconnect" => NodeKind::Reconnect,
        "require" => {
            argument(0)?;
            NodeKind::Require(arguments.iter().map(|&word| word.to_owned()).collect())
        }
        "require-env" => NodeKind::RequireEnv {
            name: argument(0)?.to_owned(),
            value: arguments.get(1).map(|&value| unquote(value).to_owned()),
        },
        "test-env" => NodeKind::TestEnv {
            name: argument(0)?.to_owned(),
            value: unquote(argument(1)?).to_owned(),
        },
        "mode" => mode(line, argument(0)?)?,
        "sleep" => NodeKind::Sleep(duration(line, argument(0)?, argument(1)?)?),
        "reset" if argument(0)? == "label" => NodeKind::ResetLabel(argument(1)?.to_owned()),
        "tags" => NodeKind::Ignored,
        "unzip" | "set" | "reset" | "continue" | "include" | "template" => {
            NodeKind::Unsupported(format!("{head} {}", arguments.join(" ")))
        }
        _ => return Err(error(line, format!("no directive `{head}`"))),
    })
}

/// Reads the condition behind `skipif` or `onlyif`.
pub(super) fn condition(
    line: usize,
    skip: bool,
    arguments: &[&str],
) -> Result<Condition, ReadError> {
    // The two-letter operators first: `<` is the beginning of `<=`.
    const OPERATORS: [(&str, Comparison); 7] = [
        ("<=", Comparison::LessOrEqual),
        (">=", Comparison::GreaterOrEqual),
        ("<>", Comparison::NotEqual),
        ("!=", Comparison::NotEqual),
        ("=", Comparison::Equal),
        ("<", Comparison::Less),
        (">", Comparison::Greater),
    ];
    let text = arguments.concat();
    if text.is_empty() {
        return Err(error(line, "a condition without a name"));
    }
    let test = OPERATORS.iter().find_map(|&(symbol, operator)| {
        let (name, value) = text.split_once(symbol)?;
        Some(ConditionTest::Variable {
            name: name.to_owned(),
            operator,
            value: value.to_owned(),
        })
    });
    Ok(Condition {
        skip,
        test: test.unwrap_or(ConditionTest::Name(text)),
    })
}

/// Reads a loop's first line; its body is empty yet.
pub(super) fn loop_head(
    line: usize,
    head: &str,
    arguments: &[&str],
) -> Result<LoopDirective, ReadError> {
    let source = match (head, arguments) {
        ("loop" | "concurrentloop", [variable, start, end]) => LoopSource::Range {
            variable: (*variable).to_owned(),
            start: (*start).to_owned(),
            end: (*end).to_owned(),
        },
        ("foreach" | "concurrentforeach", [variables, values @ ..]) if !values.is_empty() => {
            LoopSource::Each {
                variables: variables.split(',').map(str::to_owned).collect(),
                values: values.iter().map(|&value| value.to_owned()).collect(),
            }
        }
        ("loop" | "concurrentloop", _) => {
            return Err(error(
                line,
                format!("`{head}` takes a variable, a start and an end"),
            ));
        }
        _ => return Err(error(line, format!("`{head}` takes a variable and values"))),
    };
    Ok(LoopDirective {
        source,
        concurrent: head.starts_with("concurrent"),
        body: Vec::new(),
    })
}

fn load(arguments: &[&str]) -> NodeKind {
    let path = arguments.first().map(|path| path.trim_end_matches(';'));
    NodeKind::Load {
        path: path
            .filter(|path| !matches!(*path, "" | ":memory:"))
            .map(str::to_owned),
        read_only: arguments.get(1) == Some(&"readonly"),
    }
}

fn mode(line: usize, name: &str) -> Result<NodeKind, ReadError> {
    Ok(match name {
        "skip" => NodeKind::Skip(true),
        "unskip" => NodeKind::Skip(false),
        "output_hash" | "output_result" | "no_output" | "debug" => NodeKind::Ignored,
        _ => return Err(error(line, format!("no mode `{name}`"))),
    })
}

fn duration(line: usize, count: &str, unit: &str) -> Result<Duration, ReadError> {
    let count = number(line, count)? as u64;
    Ok(match unit.trim_end_matches('s') {
        "second" | "sec" => Duration::from_secs(count),
        "millisecond" | "milli" => Duration::from_millis(count),
        "microsecond" | "micro" => Duration::from_micros(count),
        "nanosecond" | "nano" => Duration::from_nanos(count),
        _ => return Err(error(line, format!("no unit of time `{unit}`"))),
    })
}

fn number(line: usize, text: &str) -> Result<usize, ReadError> {
    text.parse()
        .map_err(|_| error(line, format!("`{text}` is no number")))
}

fn unquote(text: &str) -> &str {
    let inner = text
        .strip_prefix('\'')
        .and_then(|rest| rest.strip_suffix('\''));
    inner.unwrap_or(text)
}
