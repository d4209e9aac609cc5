//! What the program does, from its arguments to its exit status.

mod args;
mod dot;
mod interrupt;
mod output;
mod repl;
mod schema;
mod shell;
mod tour;

use args::{Args, Command};
use clap::Parser;
use llkv::{Database, EngineOptions, SqlDialect};
use shell::{Outcome, Shell};
use std::io::{BufRead, BufReader, IsTerminal};
use std::process::ExitCode;

/// What ends the program early: already told to the user, or still to be told.
pub(crate) enum Stop {
    /// The message is on stderr.
    Reported,
    /// To be printed.
    Error(String),
}

impl<E: std::fmt::Display> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Error(error.to_string())
    }
}

/// Runs the program.
pub(crate) fn run() -> ExitCode {
    match dispatch(Args::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(Stop::Reported) => ExitCode::FAILURE,
        Err(Stop::Error(message)) => {
            tell(&format!("Error: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the user that is no result. A closed stderr is no reason to stop.
pub(crate) fn tell(message: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{message}");
}

fn dispatch(args: Args) -> Result<(), Stop> {
    if let Some(Command::Tour(tour)) = &args.command {
        return tour::run(tour);
    }
    let database = open(&args)?;
    let mut shell = Shell::new(&database, args.format())?;
    let scripted = !args.commands.is_empty() || args.file.is_some();
    if let Some(path) = &args.file {
        let file = std::fs::File::open(path)
            .map_err(|e| Stop::Error(format!("cannot open {}: {e}", path.display())))?;
        run_script(&mut shell, BufReader::new(file))?;
    }
    for command in &args.commands {
        run_script(&mut shell, command.as_bytes())?;
    }
    if scripted {
        return Ok(());
    }
    if std::io::stdin().is_terminal() {
        repl::run(&mut shell)
    } else {
        run_script(&mut shell, std::io::stdin().lock())
    }
}

fn open(args: &Args) -> Result<Database, Stop> {
    let options = EngineOptions {
        dialect: args.dialect.unwrap_or(SqlDialect::Llkv),
        read_only: args.readonly,
        ..EngineOptions::default()
    };
    Ok(match args.database.as_deref() {
        None => Database::in_memory_with(options)?,
        Some(path) if path.as_os_str() == ":memory:" => Database::in_memory_with(options)?,
        Some(path) => Database::open_with(path, options)?,
    })
}

/// Runs a script line by line, so that its length does not matter, up to its first error.
fn run_script(shell: &mut Shell, mut lines: impl BufRead) -> Result<(), Stop> {
    let mut line = String::new();
    loop {
        line.clear();
        if lines.read_line(&mut line)? == 0 {
            break;
        }
        if shell.feed(&line)? == Outcome::Quit {
            return Ok(());
        }
    }
    shell.finish().map(|_| ())
}
