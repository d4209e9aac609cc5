//! `cargo xtask bench`: runs the criterion benches of the crates.

use crate::step::{self, TaskResult};

#[derive(clap::Args)]
pub(crate) struct Arguments {
    /// Only this crate
    #[arg(short, long)]
    package: Option<String>,
    /// Handed on to criterion: a filter and its options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    rest: Vec<String>,
}

pub(crate) fn run(arguments: &Arguments) -> TaskResult {
    let mut command = step::cargo(["bench", "--benches"]);
    match &arguments.package {
        Some(package) => command.args(["--package", package]),
        None => command.arg("--workspace"),
    };
    if !arguments.rest.is_empty() {
        command.arg("--").args(&arguments.rest);
    }
    step::run(&mut command)
}
