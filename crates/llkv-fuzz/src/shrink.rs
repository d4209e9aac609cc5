//! Makes a failing case small: tries shorter and smaller lists of decisions, and keeps what still fails.
//!
//! The idea is Hypothesis's: MacIver and Donaldson, "Test-case reduction via test-case generation" (2020).

use crate::accepted::AcceptedList;
use crate::case::Case;
use crate::choices::Span;
use crate::oracle::{Failure, run};
use crate::{Dialect, generator};
use std::time::{Duration, Instant};

/// A failing case with the decisions that make it.
pub(crate) struct Shrunk {
    pub(crate) case: Case,
    pub(crate) failure: Failure,
    list: Vec<u64>,
    spans: Vec<Span>,
}

/// Makes it as small as the time allows.
pub(crate) fn shrink(
    seed: u64,
    dialect: Dialect,
    failure: Failure,
    accepted: &AcceptedList,
    time: Duration,
) -> Shrunk {
    let (case, list, spans) = generator::seeded(seed, dialect);
    let mut shrinker = Shrinker {
        best: Shrunk {
            case,
            failure,
            list,
            spans,
        },
        accepted,
        deadline: Instant::now() + time,
    };
    // What follows the failure has no part in it.
    loop {
        let before = shrinker.best.case.size();
        shrinker.shorten();
        shrinker.delete_spans();
        shrinker.lower();
        if shrinker.best.case.size() >= before || shrinker.is_late() {
            break;
        }
    }
    let last = shrinker.best.failure.step + 1;
    shrinker.best.case.steps.truncate(last);
    shrinker.drop_steps();
    shrinker.best
}

struct Shrinker<'a> {
    best: Shrunk,
    accepted: &'a AcceptedList,
    deadline: Instant,
}

impl Shrinker<'_> {
    fn is_late(&self) -> bool {
        Instant::now() >= self.deadline
    }

    /// Takes a list over when its case fails for the same reason and is smaller.
    fn try_list(&mut self, list: Vec<u64>) -> bool {
        if list == self.best.list {
            return false;
        }
        let (mut case, list, spans) = generator::replayed(list, self.best.case.dialect);
        if case.size() > self.best.case.size()
            || (case.size() == self.best.case.size() && list >= self.best.list)
        {
            return false;
        }
        let failure = match run(&case, self.accepted) {
            Err(failure) if failure.is_like(&self.best.failure) => failure,
            _ => return false,
        };
        case.steps.truncate(failure.step + 1);
        self.best = Shrunk {
            case,
            failure,
            list,
            spans,
        };
        true
    }

    /// Drops the end of the list: all decisions there become 0.
    fn shorten(&mut self) {
        let mut keep = self.best.list.len() / 2;
        while keep < self.best.list.len() && !self.is_late() {
            let list = self.best.list.iter().take(keep).copied().collect();
            if self.try_list(list) {
                keep = self.best.list.len() / 2;
                continue;
            }
            let step = (self.best.list.len() - keep).div_ceil(2);
            keep += step.max(1);
        }
    }

    /// Drops parts, or makes them as simple as can be, the long ones first.
    fn delete_spans(&mut self) {
        let mut tried = 0;
        while !self.is_late() {
            let mut spans = self.best.spans.clone();
            spans.sort_by_key(|span| (std::cmp::Reverse(span.end - span.start), span.start));
            let Some(span) = spans.get(tried).copied() else {
                return;
            };
            let list = &self.best.list;
            let without: Vec<u64> = list
                .iter()
                .enumerate()
                .filter(|(place, _)| !(span.start..span.end).contains(place))
                .map(|(_, value)| *value)
                .collect();
            let mut zeroed = list.clone();
            if let Some(part) = zeroed.get_mut(span.start..span.end) {
                part.fill(0);
            }
            // A part in the place of the whole: an operand for its operation.
            let inner: Vec<Span> = spans
                .iter()
                .filter(|inner| {
                    inner.start >= span.start && inner.end <= span.end && **inner != span
                })
                .take(4)
                .copied()
                .collect();
            let mut lists = vec![without, zeroed];
            for inner in inner {
                let mut hoisted: Vec<u64> = list.iter().take(span.start).copied().collect();
                hoisted.extend(list.get(inner.start..inner.end).unwrap_or_default());
                hoisted.extend(list.get(span.end..).unwrap_or_default());
                lists.push(hoisted);
            }
            if !lists.into_iter().any(|list| self.try_list(list)) {
                tried += 1;
            }
        }
    }

    /// Drops statements, whatever decisions they came from: no list makes the case that is left.
    fn drop_steps(&mut self) {
        let mut place = self.best.case.steps.len().saturating_sub(1);
        while place > 0 {
            place -= 1;
            let mut case = self.best.case.clone();
            case.steps.remove(place);
            if let Err(failure) = run(&case, self.accepted)
                && failure.is_like(&self.best.failure)
            {
                case.steps.truncate(failure.step + 1);
                place = place.min(case.steps.len().saturating_sub(1));
                self.best.case = case;
                self.best.failure = failure;
            }
        }
    }

    /// Lowers decisions one by one; with a count goes one thing that is counted.
    fn lower(&mut self) {
        let mut place = 0;
        while place < self.best.list.len() && !self.is_late() {
            let value = self.best.list.get(place).copied().unwrap_or(0);
            for lower in [0, value / 2, value.saturating_sub(1)] {
                if lower >= value {
                    continue;
                }
                let mut list = self.best.list.clone();
                if let Some(slot) = list.get_mut(place) {
                    *slot = lower;
                }
                if self.try_list(list.clone()) {
                    break;
                }
                // The same with the first part after it gone.
                let after = self.best.spans.iter().filter(|span| span.start > place);
                if let Some(span) = after
                    .min_by_key(|span| (span.start, std::cmp::Reverse(span.end)))
                    .copied()
                {
                    list.drain(span.start.min(list.len())..span.end.min(list.len()));
                    if self.try_list(list) {
                        break;
                    }
                }
            }
            place += 1;
        }
    }
}
