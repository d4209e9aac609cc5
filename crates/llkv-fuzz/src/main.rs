//! Runs a campaign, or one seed again.

use clap::Parser;
use llkv_fuzz::{Campaign, Dialect};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// Differential and metamorphic tests of LLKV.
#[derive(Parser)]
struct Arguments {
    /// Whose SQL
    #[arg(long, value_enum, default_value_t = Dialect::Sqlite)]
    dialect: Dialect,
    /// The first seed; alone, nothing but its case is run
    #[arg(long)]
    seed: Option<u64>,
    /// Queries to run
    #[arg(long)]
    queries: Option<u64>,
    /// Seconds for making a failing case small
    #[arg(long, default_value_t = 20)]
    shrink_s: u64,
    /// Print the seed's case and run nothing
    #[arg(long)]
    show: bool,
    /// Go on after a failure until so many were found
    #[arg(long, default_value_t = 1)]
    failures: usize,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    // A panic is reported with its case.
    std::panic::set_hook(Box::new(|_| {}));
    let mut out = std::io::stdout().lock();
    let mut seed = arguments.seed.unwrap_or(0);
    let mut failures = 0;
    let started = Instant::now();
    let queries = match (arguments.queries, arguments.seed) {
        (Some(queries), _) => queries,
        (None, Some(_)) => 1,
        (None, None) => 20_000,
    };
    while failures < arguments.failures {
        let mut campaign = Campaign::new(arguments.dialect, seed, queries);
        if arguments.show {
            let _ = writeln!(out, "{}", campaign.script());
            return ExitCode::SUCCESS;
        }
        campaign.shrink_time = Duration::from_secs(arguments.shrink_s);
        if queries == 1 {
            campaign.threads = 1;
        }
        let text = match campaign.run() {
            Ok(checked) => {
                let seconds = started.elapsed().as_secs_f64();
                let _ = writeln!(out, "{checked:?} in {seconds:.1} s");
                break;
            }
            Err(failed) => {
                seed = failed.seed + 1;
                failures += 1;
                failed.to_string()
            }
        };
        // A closed standard output is no reason to stop.
        let _ = writeln!(out, "{text}\n");
    }
    match failures {
        0 => ExitCode::SUCCESS,
        _ => ExitCode::FAILURE,
    }
}
