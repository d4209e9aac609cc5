//! Times of several engines side by side.

use crate::step;
use llkv_slt::Summary;

/// Files whose ratio is shown at the end.
const WORST: usize = 20;

/// A file's seconds in the first engine and in another.
struct Pair<'a> {
    name: &'a str,
    first_s: f64,
    other_s: f64,
}

impl Pair<'_> {
    fn ratio(&self) -> f64 {
        self.other_s / self.first_s.max(1e-9)
    }
}

/// Prints each file's time in the databases, and the ratio of every other engine to the first.
pub(super) fn print(summaries: &[(&'static str, Summary)]) {
    let Some(((first_name, first), others)) = summaries.split_first() else {
        return;
    };
    if others.is_empty() {
        for time in first.times() {
            step::say(&format!("{:>9.3} s {}", time.database_s(), time.name));
        }
        return;
    }
    for (name, other) in others {
        let pairs = pairs(first, other);
        step::say(&format!("\nseconds in {first_name}, in {name}, ratio"));
        for pair in &pairs {
            say(pair);
        }
        print_sum(first_name, name, pairs);
    }
}

fn pairs<'a>(first: &'a Summary, other: &'a Summary) -> Vec<Pair<'a>> {
    let times = first.times().iter();
    let pairs = times.filter_map(|time| {
        let other = other.times().iter().find(|other| other.name == time.name)?;
        Some(Pair {
            name: &time.name,
            first_s: time.database_s(),
            other_s: other.database_s(),
        })
    });
    let mut pairs: Vec<Pair<'_>> = pairs.filter(|pair| pair.first_s > 0.0).collect();
    pairs.sort_by(|a, b| a.name.cmp(b.name));
    pairs
}

fn print_sum(first_name: &str, name: &str, mut pairs: Vec<Pair<'_>>) {
    if pairs.is_empty() {
        return;
    }
    let (first_s, other_s) = pairs.iter().fold((0.0, 0.0), |(first, other), pair| {
        (first + pair.first_s, other + pair.other_s)
    });
    let logarithms: f64 = pairs.iter().map(|pair| pair.ratio().ln()).sum();
    let mean = (logarithms / pairs.len() as f64).exp();
    let slower = pairs.iter().filter(|pair| pair.ratio() > 1.0).count();
    pairs.sort_by(|a, b| a.ratio().total_cmp(&b.ratio()));
    step::say(&format!("\nthe worst of {} files", pairs.len()));
    for pair in pairs.iter().skip(pairs.len().saturating_sub(WORST)) {
        say(pair);
    }
    step::say(&format!(
        "\nall files: {first_s:.2} s in {first_name}, {other_s:.2} s in {name}, {:.2} times as long; \
         geometric mean {mean:.2}; {slower} files slower",
        other_s / first_s.max(1e-9)
    ));
}

fn say(pair: &Pair<'_>) {
    let Pair {
        name,
        first_s,
        other_s,
    } = pair;
    step::say(&format!(
        "{first_s:>9.3} {other_s:>9.3} {:>7.2} {name}",
        pair.ratio()
    ));
}
