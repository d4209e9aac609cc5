//! The search for the best join tree.
//!
//! Exact for a connected graph of moderate size: DPccp of Moerkotte and Neumann ("Analysis of Two
//! Existing and One New Dynamic Programming Algorithm", 2006) looks at each pair of connected,
//! linked sets once. Where these are too many for the work that the join is, greedy operator ordering (Fegaras 1998)
//! joins the two trees with the smallest result until one is left. Parts that nothing links are joined last.

use super::graph::Graph;
use hashbrown::HashMap;

/// Pairs of sets that the exact search looks at before it gives up, for any work and for a little.
const MOST_PAIRS: usize = 20_000;
const FEWEST_PAIRS: usize = 256;

/// Work that takes as long as a look at a pair: a search takes no longer than the joins would that greedy ordering finds.
const WORK_PER_PAIR: f64 = 32.0;

/// Work for one row of the build side, of the probe side and of the result, relative to each other.
const BUILD_COST: f64 = 1.5;
const PROBE_COST: f64 = 0.5;
const RESULT_COST: f64 = 1.0;

/// A join tree: the right side of a join is the build side.
#[derive(Debug, Clone)]
pub(super) enum Tree {
    /// A relation by its number.
    Relation(usize),
    /// A join.
    Join(Box<Tree>, Box<Tree>),
}

/// What is known of the best tree of a set.
#[derive(Clone, Copy)]
struct Best {
    rows: f64,
    cost: f64,
    /// The two sets that it joins, the probe side first; 0 for a relation.
    split: (u64, u64),
}

/// The best tree of all relations.
pub(super) fn best(graph: &Graph) -> Tree {
    let mut parts: Vec<Part> = Vec::new();
    let mut rest = full(graph.rows.len());
    while rest != 0 {
        let component = component(graph, rest & rest.wrapping_neg());
        rest &= !component;
        parts.push(connected(graph, component));
    }
    greedy(graph, parts)
        .map(|part| part.tree)
        .unwrap_or(Tree::Relation(0))
}

const fn full(relations: usize) -> u64 {
    if relations >= 64 {
        u64::MAX
    } else {
        (1 << relations) - 1
    }
}

/// The relations that are linked with a set, directly or through others.
fn component(graph: &Graph, mut set: u64) -> u64 {
    loop {
        let grown = set | graph.neighbourhood(set);
        if grown == set {
            return set;
        }
        set = grown;
    }
}

fn connected(graph: &Graph, set: u64) -> Part {
    let singles = bits(set).map(|at| Part {
        tree: Tree::Relation(at),
        set: 1 << at,
        rows: graph.rows.get(at).copied().unwrap_or(1.0),
        cost: 0.0,
    });
    let greedy = greedy(graph, singles.collect()).unwrap_or(Part {
        tree: Tree::Relation(0),
        set,
        rows: 1.0,
        cost: 0.0,
    });
    let worth = (greedy.cost / WORK_PER_PAIR) as usize;
    let mut exact = Exact {
        graph,
        best: HashMap::new(),
        pairs_left: worth.clamp(FEWEST_PAIRS, MOST_PAIRS),
    };
    if exact.search(set)
        && let (Some(tree), Some(found)) = (exact.tree(set), exact.best.get(&set))
    {
        return Part {
            tree,
            set,
            rows: found.rows,
            cost: found.cost,
        };
    }
    greedy
}

/// Positions of the bits of a set, ascending.
fn bits(set: u64) -> impl DoubleEndedIterator<Item = usize> {
    (0..64).filter(move |at| set & (1u64 << at) != 0)
}

/// The set of all numbers up to `at`.
const fn up_to(at: usize) -> u64 {
    full(at + 1)
}

struct Exact<'a> {
    graph: &'a Graph,
    best: HashMap<u64, Best>,
    pairs_left: usize,
}

impl Exact<'_> {
    /// Fills the table for all connected subsets; false where they are too many.
    fn search(&mut self, all: u64) -> bool {
        for at in bits(all) {
            let leaf = Best {
                rows: self.graph.rows.get(at).copied().unwrap_or(1.0),
                cost: 0.0,
                split: (0, 0),
            };
            self.best.insert(1 << at, leaf);
        }
        for at in bits(all).rev() {
            let set = 1 << at;
            if !self.complements(set) || !self.grow(set, up_to(at)) {
                return false;
            }
        }
        true
    }

    /// All connected sets that contain `set` and nothing more of `excluded`.
    fn grow(&mut self, set: u64, excluded: u64) -> bool {
        let near = self.graph.neighbourhood(set) & !excluded;
        let mut more = near & near.wrapping_neg();
        while more != 0 {
            if !self.complements(set | more) {
                return false;
            }
            more = more.wrapping_sub(near) & near;
        }
        let mut more = near & near.wrapping_neg();
        while more != 0 {
            if !self.grow(set | more, excluded | near) {
                return false;
            }
            more = more.wrapping_sub(near) & near;
        }
        true
    }

    /// All connected sets that are linked with `set`.
    fn complements(&mut self, set: u64) -> bool {
        let lowest = set.trailing_zeros() as usize;
        let excluded = up_to(lowest) | set;
        let near = self.graph.neighbourhood(set) & !excluded;
        for at in bits(near).rev() {
            let other = 1 << at;
            if !self.pair(set, other)
                || !self.grow_complement(set, other, excluded | (up_to(at) & near))
            {
                return false;
            }
        }
        true
    }

    fn grow_complement(&mut self, set: u64, other: u64, excluded: u64) -> bool {
        let near = self.graph.neighbourhood(other) & !excluded;
        let mut more = near & near.wrapping_neg();
        while more != 0 {
            if !self.pair(set, other | more) {
                return false;
            }
            more = more.wrapping_sub(near) & near;
        }
        let mut more = near & near.wrapping_neg();
        while more != 0 {
            if !self.grow_complement(set, other | more, excluded | near) {
                return false;
            }
            more = more.wrapping_sub(near) & near;
        }
        true
    }

    /// Considers the join of two sets; false once too many were considered.
    fn pair(&mut self, a: u64, b: u64) -> bool {
        let Some(left) = self.pairs_left.checked_sub(1) else {
            return false;
        };
        self.pairs_left = left;
        let (Some(x), Some(y)) = (self.best.get(&a).copied(), self.best.get(&b).copied()) else {
            return true;
        };
        let known = self.best.get(&(a | b)).copied();
        let joined = Joined::new(self.graph, (a, x.rows), (b, y.rows), known.map(|k| k.rows));
        let cost = x.cost + y.cost + joined.cost;
        if known.is_none_or(|k| cost < k.cost) {
            let split = if joined.swapped { (b, a) } else { (a, b) };
            let found = Best {
                rows: joined.rows,
                cost,
                split,
            };
            self.best.insert(a | b, found);
        }
        true
    }

    fn tree(&self, set: u64) -> Option<Tree> {
        let best = self.best.get(&set)?;
        Some(match best.split {
            (0, 0) => Tree::Relation(set.trailing_zeros() as usize),
            (probe, build) => Tree::Join(Box::new(self.tree(probe)?), Box::new(self.tree(build)?)),
        })
    }
}

/// The join of two sets.
struct Joined {
    rows: f64,
    cost: f64,
    /// The first set is the smaller one: it goes to the build side.
    swapped: bool,
}

impl Joined {
    /// `known`: rows of the union where another split gave them already, so that all splits agree.
    fn new(graph: &Graph, a: (u64, f64), b: (u64, f64), known: Option<f64>) -> Self {
        let (part, hashed) = graph.between(a, b);
        let rows = known.unwrap_or((a.1 * b.1 * part).max(1.0));
        let (build, probe) = if a.1 < b.1 { (a.1, b.1) } else { (b.1, a.1) };
        let work = if hashed {
            build * BUILD_COST + probe * PROBE_COST
        } else {
            build * probe
        };
        Self {
            rows,
            cost: work + rows * RESULT_COST,
            swapped: a.1 < b.1,
        }
    }
}

/// A finished tree of the greedy search.
struct Part {
    tree: Tree,
    set: u64,
    rows: f64,
    cost: f64,
}

/// Rank of each pair of parts: not linked, then rows.
type Ranks = HashMap<(usize, usize), (bool, f64)>;

/// Joins the two parts with the smallest result until one is left; linked parts first.
fn greedy(graph: &Graph, parts: Vec<Part>) -> Option<Part> {
    let mut parts: Vec<Option<Part>> = parts.into_iter().map(Some).collect();
    let mut ranks = Ranks::new();
    for b in 0..parts.len() {
        for a in 0..b {
            rank(graph, &parts, (a, b), false, &mut ranks);
        }
    }
    loop {
        // Parts that nothing links are looked at when no others are left, all of them each time: that is rare.
        let all = ranks.is_empty();
        if all {
            for b in 0..parts.len() {
                for a in 0..b {
                    rank(graph, &parts, (a, b), true, &mut ranks);
                }
            }
        }
        let least = ranks.iter().min_by(|(i, x), (j, y)| {
            let by_rank = x.0.cmp(&y.0).then(x.1.total_cmp(&y.1));
            by_rank.then_with(|| i.cmp(j))
        });
        let Some((&(a, b), _)) = least else {
            break;
        };
        ranks.retain(|&(x, y), _| !all && x != a && x != b && y != a && y != b);
        let taken = (
            parts.get_mut(a).and_then(Option::take),
            parts.get_mut(b).and_then(Option::take),
        );
        let (Some(x), Some(y)) = taken else {
            continue;
        };
        let joined = Joined::new(graph, (x.set, x.rows), (y.set, y.rows), None);
        let set = x.set | y.set;
        let cost = x.cost + y.cost + joined.cost;
        let (probe, build) = if joined.swapped { (y, x) } else { (x, y) };
        let part = Part {
            tree: Tree::Join(Box::new(probe.tree), Box::new(build.tree)),
            set,
            rows: joined.rows,
            cost,
        };
        if let Some(slot) = parts.get_mut(a) {
            *slot = Some(part);
        }
        if all {
            continue;
        }
        for other in (0..parts.len()).filter(|other| *other != a) {
            let pair = (a.min(other), a.max(other));
            rank(graph, &parts, pair, false, &mut ranks);
        }
    }
    parts.into_iter().flatten().next()
}

/// Adds the rank of a pair of parts: of one that nothing links where that is asked for.
fn rank(
    graph: &Graph,
    parts: &[Option<Part>],
    (a, b): (usize, usize),
    unlinked: bool,
    ranks: &mut Ranks,
) {
    let (Some(Some(x)), Some(Some(y))) = (parts.get(a), parts.get(b)) else {
        return;
    };
    let linked = graph.neighbourhood(x.set) & y.set != 0;
    if linked || unlinked {
        let (part, _) = graph.between((x.set, x.rows), (y.set, y.rows));
        ranks.insert((a, b), (!linked, (x.rows * y.rows * part).max(1.0)));
    }
}
