//! Runs files in processes of their own, so that a panic, an abort or a hang in one stops no other.
//!
//! A worker is the same program, started by a command that the caller gives and that ends in
//! [`serve`]. Jobs go in on its standard input and reports come out on its standard output, each as
//! a length of four bytes (little endian) and a bitcode value.

use crate::engine::SltEngine;
use crate::job::Job;
use crate::report::FileReport;
use crossbeam_channel::{Receiver, RecvTimeoutError};
use std::fs::File;
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::Duration;

/// The environment variable that tells a worker where to note the line it is at.
const PROGRESS_VARIABLE: &str = "LLKV_SLT_PROGRESS";
/// Time that a worker has on top of a file's own limit, which it looks at between records only.
const GRACE: Duration = Duration::from_secs(5);
/// A report above this length is no report.
const MAX_FRAME_BYTES: usize = 1 << 30;

/// Serves jobs until standard input ends: the main function of a worker.
///
/// # Errors
/// When standard input or output fails.
pub fn serve(engine: &dyn SltEngine) -> io::Result<()> {
    let progress = std::env::var_os(PROGRESS_VARIABLE).and_then(|path| File::create(path).ok());
    let note = |line: usize| {
        if let Some(file) = &progress {
            // Where it cannot be noted, only the message about a crash gets poorer.
            let _ = write_line(file, line as u64);
        }
    };
    let mut input = io::stdin().lock();
    let mut output = io::stdout().lock();
    while let Some(frame) = read_frame(&mut input)? {
        let job: Job = bitcode::decode(&frame).map_err(io::Error::other)?;
        note(0);
        let report = run_guarded(engine, &job, &note);
        write_frame(&mut output, &bitcode::encode(&report))?;
    }
    Ok(())
}

/// Runs a job on a thread with the usual stack of two MiB; a panic becomes a failure.
pub(crate) fn run_guarded(
    engine: &dyn SltEngine,
    job: &Job,
    progress: &(dyn Fn(usize) + Sync),
) -> FileReport {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("slt-file".to_owned())
            .stack_size(2 << 20)
            .spawn_scoped(scope, || job.run(engine, progress));
        match thread.map(|thread| thread.join()) {
            Ok(Ok(report)) => report,
            Ok(Err(panic)) => {
                let text = panic
                    .downcast_ref::<String>()
                    .map(String::as_str)
                    .or_else(|| panic.downcast_ref::<&str>().copied())
                    .unwrap_or("no message");
                FileReport::of_failure(0, format!("the database panicked: {text}"))
            }
            Err(error) => FileReport::of_failure(0, format!("no thread: {error}")),
        }
    })
}

#[cfg(unix)]
fn write_line(file: &File, line: u64) -> io::Result<()> {
    use std::os::unix::fs::FileExt as _;
    file.write_all_at(&line.to_le_bytes(), 0)
}

#[cfg(not(unix))]
fn write_line(mut file: &File, line: u64) -> io::Result<()> {
    use std::io::Seek as _;
    file.seek(io::SeekFrom::Start(0))?;
    file.write_all(&line.to_le_bytes())
}

fn write_frame(output: &mut impl Write, frame: &[u8]) -> io::Result<()> {
    let length = u32::try_from(frame.len()).map_err(io::Error::other)?;
    output.write_all(&length.to_le_bytes())?;
    output.write_all(frame)?;
    output.flush()
}

/// The next frame; none at the end of the input.
fn read_frame(input: &mut impl Read) -> io::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        other => other?,
    }
    let length = u32::from_le_bytes(length) as usize;
    if length > MAX_FRAME_BYTES {
        return Err(io::Error::other("a frame of impossible length"));
    }
    let mut frame = vec![0; length];
    input.read_exact(&mut frame)?;
    Ok(Some(frame))
}

/// A worker process, seen from its parent.
pub(crate) struct Worker {
    child: Child,
    input: ChildStdin,
    reports: Receiver<Vec<u8>>,
    progress: PathBuf,
    errors: PathBuf,
}

impl Worker {
    /// Starts a worker that keeps its notes in `folder` under `name`.
    pub(crate) fn start(mut command: Command, folder: &Path, name: &str) -> io::Result<Self> {
        let progress = folder.join(format!("{name}.progress"));
        let errors = folder.join(format!("{name}.errors"));
        let mut child = command
            .env(PROGRESS_VARIABLE, &progress)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&errors)?)
            .spawn()?;
        let missing = || io::Error::other("the worker has no standard input or output");
        let input = child.stdin.take().ok_or_else(missing)?;
        let mut output = child.stdout.take().ok_or_else(missing)?;
        let (sender, reports) = crossbeam_channel::unbounded();
        std::thread::spawn(move || {
            while let Ok(Some(frame)) = read_frame(&mut output) {
                if sender.send(frame).is_err() {
                    return;
                }
            }
        });
        Ok(Self {
            child,
            input,
            reports,
            progress,
            errors,
        })
    }

    /// Runs a job. On an error the worker is no longer fit for use; the report says what happened.
    pub(crate) fn run(&mut self, job: &Job) -> Result<FileReport, FileReport> {
        // A failed write shows as a closed channel below.
        let _ = write_frame(&mut self.input, &bitcode::encode(job));
        let limit = Duration::from_millis(job.timeout_ms) + GRACE;
        match self.reports.recv_timeout(limit) {
            Ok(frame) => bitcode::decode(&frame)
                .map_err(|error| FileReport::of_failure(0, format!("no report: {error}"))),
            Err(RecvTimeoutError::Timeout) => {
                let limit = Duration::from_millis(job.timeout_ms).as_secs_f64();
                let message = format!("this statement did not end within the file's {limit} s");
                Err(FileReport::of_failure(self.line(), message))
            }
            Err(RecvTimeoutError::Disconnected) => Err(self.obituary()),
        }
    }

    /// The line that the worker last noted.
    fn line(&self) -> u64 {
        let bytes = std::fs::read(&self.progress).unwrap_or_default();
        let bytes = <[u8; 8]>::try_from(bytes.as_slice());
        bytes.map(u64::from_le_bytes).unwrap_or(0)
    }

    /// How the worker ended, with the end of what it wrote to standard error.
    fn obituary(&mut self) -> FileReport {
        const SHOWN_BYTES: usize = 2_000;
        let status = match self.child.wait() {
            Ok(status) => status.to_string(),
            Err(error) => error.to_string(),
        };
        let errors = std::fs::read(&self.errors).unwrap_or_default();
        let tail = errors.get(errors.len().saturating_sub(SHOWN_BYTES)..);
        let tail = String::from_utf8_lossy(tail.unwrap_or_default())
            .trim()
            .to_owned();
        FileReport::of_failure(
            self.line(),
            format!("the process died at this record: {status}\n{tail}"),
        )
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_come_back() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, b"abc").unwrap();
        write_frame(&mut bytes, b"").unwrap();
        let mut input = bytes.as_slice();
        assert_eq!(read_frame(&mut input).unwrap().unwrap(), b"abc");
        assert_eq!(read_frame(&mut input).unwrap().unwrap(), b"");
        assert!(read_frame(&mut input).unwrap().is_none());
        assert!(read_frame(&mut [255u8; 4].as_slice()).is_err());
    }
}
