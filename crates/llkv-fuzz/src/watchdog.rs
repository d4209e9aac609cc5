//! Stops statements that take too long: a cross product of everything says nothing about answers.

use std::sync::{Mutex, Once, PoisonError};
use std::time::{Duration, Instant};

/// Time that one statement may take.
const LIMIT: Duration = Duration::from_secs(2);
/// Time between two looks at the clock.
const TICK: Duration = Duration::from_millis(50);

/// A statement that is running.
struct Watched {
    id: u64,
    deadline: Instant,
    stop: Box<dyn Fn() + Send>,
}

/// The statements of all threads, and the id of the next.
static WATCHED: Mutex<(u64, Vec<Watched>)> = Mutex::new((0, Vec::new()));
static THREAD: Once = Once::new();

/// Runs a statement; `stop` is called when it takes too long. True where that happened.
pub(crate) fn watched<T>(stop: impl Fn() + Send + 'static, run: impl FnOnce() -> T) -> (T, bool) {
    THREAD.call_once(|| {
        std::thread::spawn(watch);
    });
    let started = Instant::now();
    let id = enter(Box::new(stop));
    let result = run();
    leave(id);
    (result, started.elapsed() >= LIMIT)
}

fn enter(stop: Box<dyn Fn() + Send>) -> u64 {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.0 += 1;
    let id = watched.0;
    watched.1.push(Watched {
        id,
        deadline: Instant::now() + LIMIT,
        stop,
    });
    id
}

fn leave(id: u64) {
    let mut watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
    watched.1.retain(|statement| statement.id != id);
}

fn watch() {
    loop {
        std::thread::sleep(TICK);
        let watched = WATCHED.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        for statement in watched
            .1
            .iter()
            .filter(|statement| statement.deadline <= now)
        {
            (statement.stop)();
        }
    }
}
