//! Dot commands: each a value with its name, its help and what it does.

use crate::cli::output::{Format, write_out};
use crate::cli::shell::{Outcome, Shell};
use crate::cli::{Stop, schema, script};
use clap::ValueEnum;
use std::path::Path;

/// A command of the shell itself.
struct DotCommand {
    name: &'static str,
    usage: &'static str,
    help: &'static str,
    run: fn(&mut Shell, &[&str]) -> Result<Outcome, Stop>,
}

/// All of them, in the order in which `.help` shows them.
const COMMANDS: &[DotCommand] = &[
    DotCommand {
        name: ".help",
        usage: ".help",
        help: "Show this list",
        run: help,
    },
    DotCommand {
        name: ".tables",
        usage: ".tables",
        help: "List tables and views",
        run: |shell, _| schema::tables(shell).map(|()| Outcome::Ready),
    },
    DotCommand {
        name: ".indexes",
        usage: ".indexes [TABLE]",
        help: "List indexes",
        run: |shell, args| schema::indexes(shell, args.first().copied()).map(|()| Outcome::Ready),
    },
    DotCommand {
        name: ".schema",
        usage: ".schema [TABLE]",
        help: "Show CREATE statements",
        run: |shell, args| schema::show(shell, args.first().copied()).map(|()| Outcome::Ready),
    },
    DotCommand {
        name: ".timer",
        usage: ".timer on|off",
        help: "Print the time of each statement",
        run: timer,
    },
    DotCommand {
        name: ".format",
        usage: ".format table|csv|json|arrow",
        help: "How results are printed",
        run: format,
    },
    DotCommand {
        name: ".maxrows",
        usage: ".maxrows N",
        help: "Rows of a table that are shown; 0 shows all",
        run: max_rows,
    },
    DotCommand {
        name: ".read",
        usage: ".read FILE",
        help: "Run a script",
        run: read,
    },
    DotCommand {
        name: ".quit",
        usage: ".quit",
        help: "Leave",
        run: |_, _| Ok(Outcome::Quit),
    },
    DotCommand {
        name: ".exit",
        usage: ".exit",
        help: "Leave",
        run: |_, _| Ok(Outcome::Quit),
    },
];

/// Names for completion.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    COMMANDS.iter().map(|c| c.name)
}

/// Runs a line that starts with a dot.
pub(crate) fn run(shell: &mut Shell, line: &str) -> Result<Outcome, Stop> {
    let words: Vec<&str> = line.trim_end_matches(';').split_whitespace().collect();
    let (name, args) = words.split_first().unwrap_or((&"", &[]));
    match COMMANDS.iter().find(|c| c.name == *name) {
        Some(command) => (command.run)(shell, args),
        None => Err(Stop::Error(format!(
            "unknown command {name}; .help lists the commands"
        ))),
    }
}

fn usage(name: &str) -> Stop {
    let usage = COMMANDS
        .iter()
        .find(|c| c.name == name)
        .map_or(name, |c| c.usage);
    Stop::Error(format!("usage: {usage}"))
}

fn help(_: &mut Shell, _: &[&str]) -> Result<Outcome, Stop> {
    let width = COMMANDS.iter().map(|c| c.usage.len()).max().unwrap_or(0);
    for command in COMMANDS {
        write_out(&format!("{:width$}  {}\n", command.usage, command.help))?;
    }
    Ok(Outcome::Ready)
}

fn timer(shell: &mut Shell, args: &[&str]) -> Result<Outcome, Stop> {
    shell.timer = match args {
        ["on"] => true,
        ["off"] => false,
        _ => return Err(usage(".timer")),
    };
    Ok(Outcome::Ready)
}

fn format(shell: &mut Shell, args: &[&str]) -> Result<Outcome, Stop> {
    let wanted = args
        .first()
        .and_then(|name| Format::from_str(name, true).ok());
    shell.format = wanted.ok_or_else(|| usage(".format"))?;
    Ok(Outcome::Ready)
}

fn max_rows(shell: &mut Shell, args: &[&str]) -> Result<Outcome, Stop> {
    let wanted = args.first().and_then(|n| n.parse().ok());
    shell.max_rows = wanted.ok_or_else(|| usage(".maxrows"))?;
    Ok(Outcome::Ready)
}

fn read(shell: &mut Shell, args: &[&str]) -> Result<Outcome, Stop> {
    let [path] = args else {
        return Err(usage(".read"));
    };
    script::run_file(shell, Path::new(path))?;
    Ok(Outcome::Ready)
}
