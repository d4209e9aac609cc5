//! Command-line arguments.

use crate::cli::output::Format;
use clap::{Parser, Subcommand};
use llkv::SqlDialect;
use std::path::PathBuf;

/// LLKV: an embedded SQL database that keeps Apache Arrow columns in one crash-safe file.
#[derive(Debug, Parser)]
#[command(
    name = "llkv",
    version,
    args_conflicts_with_subcommands = true,
    after_help = "Examples:\n  llkv shop.llkv                       open or create a database, type SQL\n  \
                  llkv shop.llkv -c \"SELECT 1\"         run a statement\n  \
                  llkv shop.llkv < script.sql          run a script, stop at its first error\n  \
                  llkv -c \"SELECT * FROM 'a.parquet'\"  ask a file, keep nothing\n  \
                  llkv profile shop.llkv -c \"SELECT 1\" --html p.html\n  \
                  llkv tour                            generate TPC-H data, load and query it"
)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,

    /// Database file, opened or created; `:memory:` or nothing keeps it in memory.
    pub(crate) database: Option<PathBuf>,

    /// Run SQL or a dot command and exit. May be given more than once.
    #[arg(
        short = 'c',
        long = "command",
        value_name = "SQL",
        allow_hyphen_values = true
    )]
    pub(crate) commands: Vec<String>,

    /// Run a script and exit.
    #[arg(short = 'f', long = "file", value_name = "SCRIPT")]
    pub(crate) file: Option<PathBuf>,

    /// How results are printed: a table on a terminal or not.
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,

    /// Open the file for reading only; nothing in it is changed.
    #[arg(long)]
    pub(crate) readonly: bool,

    /// Wait so many milliseconds while another process has the file, before giving up.
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) lock_timeout_ms: u64,

    /// Dialect of the SQL: llkv (PostgreSQL's meanings), sqlite, duckdb.
    #[arg(long, value_parser = dialect)]
    pub(crate) dialect: Option<SqlDialect>,
}

impl Args {
    pub(crate) fn format(&self) -> Format {
        self.format
    }
}

fn dialect(name: &str) -> Result<SqlDialect, String> {
    SqlDialect::ALL
        .into_iter()
        .find(|d| d.name() == name)
        .ok_or_else(|| "one of llkv, sqlite, duckdb is expected".to_string())
}

/// What the program does besides opening a database.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Generate TPC-H data, load it, and show what the database does with it.
    Tour(TourArgs),
    /// Read everything in a database and tell what is wrong; exit status 1 when something is.
    Check {
        /// Database file; it is not changed.
        database: PathBuf,
    },
    /// Run a query and draw where its time went: one page of HTML that needs nothing else.
    Profile(ProfileArgs),
    /// Print a database as the SQL script that makes it again.
    Dump {
        /// Database file; it is not changed.
        database: PathBuf,
    },
    /// Copy a database to a new file.
    Backup {
        /// Database file; it is not changed.
        database: PathBuf,
        /// The copy; it must not exist.
        target: PathBuf,
    },
}

/// Arguments of the profile.
#[derive(Debug, clap::Args)]
pub(crate) struct ProfileArgs {
    /// Database file; `:memory:` for queries of files.
    pub(crate) database: PathBuf,

    /// The query; of several statements, the last one is drawn.
    #[arg(short = 'c', long = "command", value_name = "SQL")]
    pub(crate) sql: String,

    /// The page; one that is there is overwritten.
    #[arg(long, value_name = "FILE")]
    pub(crate) html: PathBuf,

    /// Dialect of the SQL: llkv (PostgreSQL's meanings), sqlite, duckdb.
    #[arg(long, value_parser = dialect)]
    pub(crate) dialect: Option<SqlDialect>,
}

/// Arguments of the tour.
#[derive(Debug, clap::Args)]
pub(crate) struct TourArgs {
    /// Database file of the tour; kept, and opened as it is the next time.
    #[arg(default_value = "tour.llkv")]
    pub(crate) database: PathBuf,

    /// TPC-H scale factor: 0.1 is about 100 MB of text.
    #[arg(long, default_value_t = 0.1, value_parser = scale)]
    pub(crate) scale: f64,
}

fn scale(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(scale) if scale > 0.0 && scale <= 1000.0 => Ok(scale),
        _ => Err("a number above 0 and up to 1000 is expected".to_string()),
    }
}
