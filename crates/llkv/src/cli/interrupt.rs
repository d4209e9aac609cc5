//! Ctrl-C: stops the running statement; pressed again, or with none running, ends the program.

use llkv::executor::CancelToken;
use std::sync::{Arc, Mutex, PoisonError};

/// Exit status of a program that was interrupted: 128 and the number of the signal.
const EXIT_STATUS: i32 = 130;

/// The statement that runs, if one does.
#[derive(Clone, Default)]
pub(crate) struct Interrupts {
    running: Arc<Mutex<Option<CancelToken>>>,
}

impl Interrupts {
    /// Takes the signal over. Once in a process; where it cannot be had the program ends at Ctrl-C,
    /// which loses nothing that was committed.
    pub(crate) fn install() -> Self {
        let interrupts = Self::default();
        let seen = interrupts.clone();
        let _ = ctrlc::set_handler(move || seen.pressed());
        interrupts
    }

    /// The handler, on a thread of its own.
    fn pressed(&self) {
        match self.running().as_ref() {
            Some(token) if !token.is_cancelled() => token.cancel(),
            // What is not committed is gone with the process, as after a crash; nothing else is.
            _ => std::process::exit(EXIT_STATUS),
        }
    }

    /// Runs `work` as the statement that Ctrl-C stops.
    pub(crate) fn during<R>(&self, token: CancelToken, work: impl FnOnce() -> R) -> R {
        token.reset();
        *self.running() = Some(token.clone());
        let result = work();
        *self.running() = None;
        token.reset();
        result
    }

    fn running(&self) -> std::sync::MutexGuard<'_, Option<CancelToken>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
