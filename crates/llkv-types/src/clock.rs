//! What time it is: by the machine, or by a seed.

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// The seam at which an engine learns of time. Nothing below reads the machine's clock for anything but statistics.
pub trait Clock: Debug + Send + Sync {
    /// Microseconds since 1970-01-01 UTC. It may be set, also back.
    fn utc_micros(&self) -> i64;

    /// Time since some moment; it never goes back.
    fn elapsed(&self) -> Duration;

    /// Returns when so much time has passed.
    fn sleep(&self, time: Duration);
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl SystemClock {
    /// The one that everybody shares who was given no other.
    #[must_use]
    pub fn shared() -> Arc<dyn Clock> {
        static SHARED: LazyLock<Arc<dyn Clock>> = LazyLock::new(|| Arc::new(SystemClock));
        Arc::clone(&SHARED)
    }
}

impl Clock for SystemClock {
    fn utc_micros(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
        })
    }

    fn elapsed(&self) -> Duration {
        static BEGAN: LazyLock<Instant> = LazyLock::new(Instant::now);
        BEGAN.elapsed()
    }

    fn sleep(&self, time: Duration) {
        std::thread::sleep(time);
    }
}

/// A clock for simulations: time passes when it is looked at or waited for, by steps that a seed determines. Clones are the same clock.
#[derive(Debug, Clone)]
pub struct SimClock {
    state: Arc<SimState>,
}

#[derive(Debug)]
struct SimState {
    /// How often it was looked at, mixed with the seed.
    random: AtomicU64,
    nanos: AtomicU64,
}

impl SimClock {
    /// Simulations begin at this moment, 2020-01-01 UTC, in microseconds.
    const BEGIN_MICROS: i64 = 1_577_836_800_000_000;
    /// A look at the clock takes less than this.
    const LOOK_NANOS: u64 = 2_000_000;

    /// A clock that goes as `seed` has it.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            state: Arc::new(SimState {
                random: AtomicU64::new(seed),
                nanos: AtomicU64::new(0),
            }),
        }
    }

    /// Lets time pass.
    pub fn advance(&self, time: Duration) {
        let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
        self.state.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    fn look(&self) -> u64 {
        // SplitMix64 (Steele, Lea and Flood, 2014).
        const STEP: u64 = 0x9e37_79b9_7f4a_7c15;
        let before = self.state.random.fetch_add(STEP, Ordering::Relaxed);
        let mut mixed = before.wrapping_add(STEP);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let passed = (mixed ^ (mixed >> 31)) % Self::LOOK_NANOS;
        self.state.nanos.fetch_add(passed, Ordering::Relaxed) + passed
    }
}

impl Clock for SimClock {
    fn utc_micros(&self) -> i64 {
        Self::BEGIN_MICROS.saturating_add(i64::try_from(self.look() / 1_000).unwrap_or(i64::MAX))
    }

    fn elapsed(&self) -> Duration {
        Duration::from_nanos(self.look())
    }

    fn sleep(&self, time: Duration) {
        self.advance(time);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_simulated_clock_goes_as_its_seed_has_it() {
        let looks = |seed| {
            let clock = SimClock::new(seed);
            let looks: Vec<Duration> = (0..100).map(|_| clock.elapsed()).collect();
            assert!(looks.is_sorted());
            clock.sleep(Duration::from_secs(3));
            assert!(clock.elapsed() >= looks[99] + Duration::from_secs(3));
            (looks, clock.utc_micros())
        };
        assert_eq!(looks(1), looks(1));
        assert_ne!(looks(1), looks(2));
    }

    #[test]
    fn the_machines_clock_goes_forward() {
        let (before, utc) = (SystemClock.elapsed(), SystemClock.utc_micros());
        SystemClock.sleep(Duration::from_millis(2));
        assert!(SystemClock.elapsed() >= before + Duration::from_millis(2));
        assert!(utc > SimClock::BEGIN_MICROS);
    }
}
