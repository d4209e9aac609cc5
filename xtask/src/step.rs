//! What tasks are made of: commands, messages, the workspace's root.

use crate::reasons::Reasons;
use std::ffi::OsStr;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Stdio};

/// Nothing, or what went wrong in words.
pub(crate) type TaskResult = Result<(), String>;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(PathBuf::from).unwrap_or(own)
}

/// The folder where cargo puts what it builds.
///
/// # Errors
/// When cargo does not tell.
pub(crate) fn target_folder() -> Result<PathBuf, String> {
    let mut command = cargo_metadata::MetadataCommand::new();
    let metadata = command.current_dir(root()).no_deps().exec();
    let metadata = metadata.map_err(|error| format!("cargo metadata: {error}"))?;
    Ok(metadata.target_directory.into_std_path_buf())
}

/// Writes a file, and the folders above it.
///
/// # Errors
/// When that fails.
pub(crate) fn write(path: &std::path::Path, text: &str) -> TaskResult {
    let told = |error: std::io::Error| format!("{}: {error}", path.display());
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(told)?;
    }
    std::fs::write(path, text).map_err(told)
}

/// A line on standard output.
pub(crate) fn say(text: &str) {
    // A closed standard output is no reason to stop a check.
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// A line on standard error.
pub(crate) fn say_error(text: &str) {
    let _ = writeln!(std::io::stderr(), "error: {text}");
}

/// A cargo command in the workspace's root, without standard input.
pub(crate) fn cargo<S: AsRef<OsStr>>(arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .args(arguments)
        .current_dir(root())
        .stdin(Stdio::null());
    command
}

/// Runs a command to its end.
///
/// # Errors
/// When it cannot be started or does not succeed.
pub(crate) fn run(command: &mut Command) -> TaskResult {
    let name = command_text(command);
    let status = command
        .status()
        .map_err(|error| format!("`{name}` does not start: {error}"))?;
    succeeded(&name, status)
}

/// Runs a command to its end and passes on what it prints.
///
/// # Errors
/// As [`run`]; below the first line stands what the command printed about its failure ([`Reasons`]).
pub(crate) fn check(command: &mut Command) -> TaskResult {
    let name = command_text(command);
    let failed = |error: std::io::Error| format!("`{name}` does not start: {error}");
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(failed)?;
    let reasons = match (child.stdout.take(), child.stderr.take()) {
        (Some(output), Some(errors)) => {
            Reasons::copied(output, errors, std::io::stdout(), std::io::stderr())
        }
        _ => Reasons::default(),
    };
    let status = child.wait().map_err(failed)?;
    succeeded(&name, status).map_err(|message| format!("{message}\n{}", reasons.text()))
}

fn succeeded(name: &str, status: ExitStatus) -> TaskResult {
    if status.success() {
        Ok(())
    } else {
        Err(format!("`{name}` failed: {status}"))
    }
}

fn command_text(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(
        command
            .get_args()
            .map(|word| word.to_string_lossy().into_owned()),
    );
    words.join(" ")
}
