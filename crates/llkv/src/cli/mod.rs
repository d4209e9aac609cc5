//! What the program does, from its arguments to its exit status.

mod args;
mod dot;
mod dump;
mod interrupt;
mod output;
mod profile;
mod repl;
mod schema;
mod script;
mod shell;
mod tour;

use args::{Args, Command};
use arrow::array::AsArray;
use clap::Parser;
use llkv::{Connection, Database, EngineOptions, Error, SqlDialect};
use output::write_out;
use shell::Shell;
use std::io::IsTerminal;
use std::path::Path;
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
            tell(&format!("error: {message}"));
            ExitCode::FAILURE
        }
    }
}

/// A line for the user that is no result. A closed stderr is no reason to stop, and where nobody reads the results any more, that
/// is no news.
pub(crate) fn tell(message: &str) {
    use std::io::Write;
    if output::reader_is_gone() {
        return;
    }
    let _ = writeln!(std::io::stderr(), "{message}");
}

fn dispatch(args: Args) -> Result<(), Stop> {
    match &args.command {
        Some(Command::Tour(tour)) => return tour::run(tour),
        Some(Command::Check { database }) => return check(database),
        Some(Command::Profile(arguments)) => return profile::run(arguments),
        Some(Command::Dump { database }) => {
            return dump::run(&mut open_to_read(database)?, output::Stdout);
        }
        Some(Command::Backup { database, target }) => return back_up(database, target),
        None => {}
    }
    let database = open(&args)?;
    let mut shell = Shell::new(&database, args.format())?;
    let scripted = !args.commands.is_empty() || args.file.is_some();
    if let Some(path) = &args.file {
        script::run_file(&mut shell, path)?;
    }
    for command in &args.commands {
        script::run(&mut shell, None, command.as_bytes())?;
    }
    if scripted {
        return Ok(());
    }
    if std::io::stdin().is_terminal() {
        repl::run(&mut shell, database.connect()?)
    } else {
        script::run(&mut shell, Some("stdin"), std::io::stdin().lock())
    }
}

fn open_to_read(path: &Path) -> Result<Connection, Stop> {
    let options = EngineOptions {
        read_only: true,
        ..EngineOptions::default()
    };
    Ok(Database::open_with(path, options)?.connect()?)
}

/// `llkv check`: a line for each finding.
fn check(path: &Path) -> Result<(), Stop> {
    let mut findings = 0;
    for batch in open_to_read(path)?.query("PRAGMA integrity_check")? {
        let batch = batch.map_err(Error::from_arrow)?;
        for line in batch.column(0).as_string_view().iter().flatten() {
            write_out(&format!("{line}\n"))?;
            findings += usize::from(line != "ok");
        }
    }
    match findings {
        0 => Ok(()),
        1 => Err(Stop::Error("one finding".into())),
        n => Err(Stop::Error(format!("{n} findings"))),
    }
}

/// `llkv backup`: a file that was not closed is copied with what its log holds.
fn back_up(path: &Path, target: &Path) -> Result<(), Stop> {
    let target = target.to_string_lossy().replace('\'', "''");
    open_to_read(path)?.run(&format!("BACKUP TO '{target}'"))?;
    Ok(())
}

fn open(args: &Args) -> Result<Database, Stop> {
    let mut options = EngineOptions {
        dialect: args.dialect.unwrap_or(SqlDialect::Llkv),
        read_only: args.readonly,
        ..EngineOptions::default()
    };
    options.runtime.file.lock_timeout_ms = args.lock_timeout_ms;
    Ok(match args.database.as_deref() {
        None => Database::in_memory_with(options)?,
        Some(path) if path.as_os_str() == ":memory:" => Database::in_memory_with(options)?,
        Some(path) => Database::open_with(path, options)?,
    })
}
