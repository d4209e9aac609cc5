//! Looks for what snapshot isolation rules out, from nothing but what the sessions did and saw.
//!
//! The method is that of Elle (Kingsbury and Alvaro, "Elle: inferring isolation anomalies from experimental observations",
//! VLDB 2020): the longest read of a list is the order in which its elements were written, and from it follow the
//! dependencies between transactions. A history is one of snapshot isolation iff these, real time among them, have no cycle
//! in which every anti-dependency is followed by another kind (Cerone and Gotsman, "Analysing snapshot isolation", PODC 2016).

use crate::graph::{Edge, Graph, find_cycle};
use crate::history::{Element, History, Kept, Key, Op, Outcome, Txn};
use std::collections::{BTreeMap, HashMap, HashSet};

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Anomaly {
    /// An element that nobody appended to the list.
    Unknown,
    /// An element twice in one read.
    Duplicate,
    /// A transaction that does not see its own appends, or sees another's after its first read.
    Internal,
    /// G1a: an element of a transaction that was aborted, or that was taken back.
    AbortedRead,
    /// G1b: some of a transaction's elements, and not its last.
    IntermediateRead,
    /// Two reads, neither of which is the beginning of the other.
    IncompatibleOrder,
    /// A read that began after a commit and misses what it appended.
    Lost,
    /// Two transactions that read one state of a list, and both appended to it.
    LostUpdate,
    /// G0: a cycle of writes.
    WriteCycle,
    /// G1c: a cycle of writes and reads.
    CircularInformation,
    /// G-single: a cycle with one anti-dependency.
    SingleAntiDependency,
    /// A cycle with several anti-dependencies, no two of them in a row.
    SeparateAntiDependencies,
}

/// An anomaly, and where.
pub type Finding = (Anomaly, String);

/// Everything that is wrong with a history; of each kind of cycle one.
pub fn check(history: &History) -> Vec<Finding> {
    let mut checker = Checker::new(history);
    checker.look_at_reads();
    checker.order_lists();
    checker.look_for_lost_elements();
    checker.look_for_lost_updates();
    checker.look_for_cycles();
    checker.findings
}

/// A read, without what its transaction had appended itself.
struct Seen<'a> {
    reader: usize,
    key: Key,
    whole: &'a [Element],
    others: Vec<Element>,
}

struct Checker<'a> {
    history: &'a History,
    /// Who appended an element to what.
    writers: HashMap<Element, (usize, Key)>,
    /// The elements of a transaction, by list, in order.
    appended: HashMap<(usize, Key), Vec<Element>>,
    committed: Vec<bool>,
    seen: Vec<Seen<'a>>,
    /// Elements of lists in the order of their writing.
    orders: BTreeMap<Key, Vec<Element>>,
    /// Elements of committed transactions, of all lists.
    members: BTreeMap<Key, Vec<(usize, Element)>>,
    findings: Vec<Finding>,
}

impl<'a> Checker<'a> {
    fn new(history: &'a History) -> Self {
        let mut writers = HashMap::new();
        let mut appended: HashMap<_, Vec<_>> = HashMap::new();
        for (id, txn) in history.txns.iter().enumerate() {
            for op in &txn.ops {
                if let Op::Append(key, element) = op {
                    assert!(
                        writers.insert(*element, (id, *key)).is_none(),
                        "{element} is not unique"
                    );
                    appended.entry((id, *key)).or_default().push(*element);
                }
            }
        }
        let mut checker = Self {
            history,
            writers,
            appended,
            committed: Vec::new(),
            seen: Vec::new(),
            orders: BTreeMap::new(),
            members: BTreeMap::new(),
            findings: Vec::new(),
        };
        checker.settle_outcomes();
        for ((id, key), elements) in &checker.appended {
            if checker.committed[*id] {
                let members = checker.members.entry(*key).or_default();
                members.extend(elements.iter().map(|element| (*id, *element)));
            }
        }
        checker
    }

    /// A transaction of unknown outcome has committed iff somebody else has seen something of it.
    fn settle_outcomes(&mut self) {
        let mut seen: HashSet<usize> = HashSet::new();
        for (reader, txn) in self.history.txns.iter().enumerate() {
            for op in &txn.ops {
                if let Op::Read(_, elements) = op {
                    let writers = elements.iter().filter_map(|e| self.writers.get(e));
                    seen.extend(writers.map(|(id, _)| *id).filter(|id| *id != reader));
                }
            }
        }
        let txns = self.history.txns.iter().enumerate();
        let committed = txns.map(|(id, txn)| match txn.outcome {
            Outcome::Committed => true,
            Outcome::Aborted => false,
            Outcome::Unknown => seen.contains(&id),
        });
        self.committed = committed.collect();
    }

    fn find(&mut self, anomaly: Anomaly, what: String) {
        self.findings.push((anomaly, what));
    }

    fn txn(&self, id: usize) -> &'a Txn {
        &self.history.txns[id]
    }

    /// Each read by itself, and against the same transaction's others.
    fn look_at_reads(&mut self) {
        for (id, txn) in self.history.txns.iter().enumerate() {
            let mut own: HashMap<Key, Vec<Element>> = HashMap::new();
            let mut first: HashMap<Key, Vec<Element>> = HashMap::new();
            for op in &txn.ops {
                match op {
                    Op::Append(key, element) => own.entry(*key).or_default().push(*element),
                    Op::Read(key, whole) => {
                        let own = own.get(key).map_or(&[][..], Vec::as_slice);
                        let others = self.look_at_read(id, *key, whole, own);
                        let before = first.entry(*key).or_insert_with(|| others.clone());
                        if *before != others {
                            let what = format!("{id} read {key:?} as {before:?}, then {others:?}");
                            self.find(Anomaly::Internal, what);
                        }
                        self.seen.push(Seen {
                            reader: id,
                            key: *key,
                            whole,
                            others,
                        });
                    }
                }
            }
        }
    }

    /// Gives back what is of others.
    fn look_at_read(
        &mut self,
        reader: usize,
        key: Key,
        whole: &[Element],
        own: &[Element],
    ) -> Vec<Element> {
        let others: Vec<Element> = match key.kept {
            Kept::Set => whole.iter().filter(|e| !own.contains(e)).copied().collect(),
            _ => whole[..whole.len().saturating_sub(own.len())].to_vec(),
        };
        let sees_own = match key.kept {
            Kept::Set => own.iter().all(|e| whole.contains(e)),
            _ => whole.ends_with(own),
        };
        if !sees_own {
            let what = format!("{reader} appended {own:?} to {key:?} and read {whole:?}");
            self.find(Anomaly::Internal, what);
        }
        let different: HashSet<&Element> = whole.iter().collect();
        if different.len() != whole.len() {
            self.find(
                Anomaly::Duplicate,
                format!("{reader} read {whole:?} of {key:?}"),
            );
        }
        let mut writers: Vec<usize> = Vec::new();
        for element in &others {
            let known = self.writers.get(element).copied();
            match known.filter(|(_, of)| *of == key) {
                None if self.history.undone.contains(element) => {
                    self.find(
                        Anomaly::AbortedRead,
                        format!("{reader} read {element} of {key:?}, taken back"),
                    );
                }
                None => self.find(
                    Anomaly::Unknown,
                    format!("{reader} read {element} of {key:?}"),
                ),
                Some((writer, _)) if !self.committed[writer] => {
                    self.find(
                        Anomaly::AbortedRead,
                        format!("{reader} read {element} of {key:?} by {writer}"),
                    );
                }
                Some((writer, _)) => writers.push(writer),
            }
        }
        writers.dedup();
        for writer in writers.into_iter().filter(|writer| *writer != reader) {
            let all = &self.appended[&(writer, key)];
            if let Some(missing) = all.iter().find(|element| !others.contains(element)) {
                let what = format!(
                    "{reader} read {others:?} of {key:?}, where {writer} has {missing} too"
                );
                self.find(Anomaly::IntermediateRead, what);
            }
        }
        others
    }

    /// The longest read of each list is its order, and all others begin it.
    fn order_lists(&mut self) {
        for seen in self.seen.iter().filter(|seen| seen.key.kept != Kept::Set) {
            let known = match self.committed[seen.reader] {
                true => seen.whole,
                false => &seen.others,
            };
            let order = self.orders.entry(seen.key).or_default();
            let (short, long) = match known.len() > order.len() {
                true => (order.as_slice(), known),
                false => (known, order.as_slice()),
            };
            if !long.starts_with(short) {
                let what = format!("{:?} was read as {short:?} and as {long:?}", seen.key);
                self.findings.push((Anomaly::IncompatibleOrder, what));
            } else if known.len() > order.len() {
                *order = known.to_vec();
            }
        }
    }

    fn look_for_lost_elements(&mut self) {
        let txns = &self.history.txns;
        for seen in &self.seen {
            let began = txns[seen.reader].began;
            let members = self.members.get(&seen.key).into_iter().flatten();
            let before = members.filter(|(writer, _)| txns[*writer].ended < began);
            for (writer, element) in before.filter(|(_, element)| !seen.others.contains(element)) {
                let what = format!(
                    "{} began after {writer} had ended, and has no {element} in {:?} of {:?}",
                    seen.reader, seen.others, seen.key
                );
                self.findings.push((Anomaly::Lost, what));
            }
        }
    }

    fn look_for_lost_updates(&mut self) {
        let mut readers: HashMap<(Key, usize), HashSet<usize>> = HashMap::new();
        for seen in self.seen.iter().filter(|seen| seen.key.kept != Kept::Set) {
            let appended = self.appended.contains_key(&(seen.reader, seen.key));
            if appended && self.committed[seen.reader] {
                let state = (seen.key, seen.others.len());
                readers.entry(state).or_default().insert(seen.reader);
            }
        }
        for ((key, len), readers) in readers.into_iter().filter(|(_, readers)| readers.len() > 1) {
            let what =
                format!("{readers:?} read {len} elements of {key:?}, and all appended to it");
            self.find(Anomaly::LostUpdate, what);
        }
    }

    fn look_for_cycles(&mut self) {
        let graph = self.dependencies();
        let only = |kinds: &[Edge]| -> Graph {
            let of = |edges: &Vec<(usize, Edge)>| {
                let edges = edges.iter().filter(|(_, edge)| kinds.contains(edge));
                edges.copied().collect()
            };
            graph.iter().map(of).collect()
        };
        let writes = only(&[Edge::WriteWrite, Edge::RealTime]);
        let information = only(&[Edge::WriteWrite, Edge::WriteRead, Edge::RealTime]);
        if let Some(cycle) = find_cycle(&writes) {
            self.find(Anomaly::WriteCycle, format!("{cycle:?}"));
        }
        if let Some(cycle) = find_cycle(&information) {
            self.find(Anomaly::CircularInformation, format!("{cycle:?}"));
        }
        if let Some(cycle) = find_cycle(&without_two_in_a_row(&graph)) {
            let of_reads = cycle.iter().filter(|(_, edge)| *edge == Edge::ReadWrite);
            let anomaly = match of_reads.count() {
                0 => return,
                1 => Anomaly::SingleAntiDependency,
                _ => Anomaly::SeparateAntiDependencies,
            };
            let cycle: Vec<_> = cycle.iter().map(|(node, edge)| (node / 2, edge)).collect();
            self.find(anomaly, format!("{cycle:?}"));
        }
    }

    /// Which committed transaction must come before which.
    pub fn dependencies(&self) -> Graph {
        let mut graph: Graph = vec![Vec::new(); self.history.txns.len()];
        let mut add = |from: usize, to: usize, edge: Edge| {
            if from != to && self.committed[from] && self.committed[to] {
                graph[from].push((to, edge));
            }
        };
        let writer = |element: &Element| self.writers.get(element).map(|(id, _)| *id);
        for order in self.orders.values() {
            for pair in order.windows(2) {
                if let (Some(one), Some(two)) = (writer(&pair[0]), writer(&pair[1])) {
                    add(one, two, Edge::WriteWrite);
                }
            }
        }
        for seen in &self.seen {
            if seen.key.kept == Kept::Set {
                for (writer, element) in self.members.get(&seen.key).into_iter().flatten() {
                    match seen.others.contains(element) {
                        true => add(*writer, seen.reader, Edge::WriteRead),
                        false => add(seen.reader, *writer, Edge::ReadWrite),
                    }
                }
                continue;
            }
            if let Some(last) = seen.others.last().and_then(writer) {
                add(last, seen.reader, Edge::WriteRead);
            }
            let order = self.orders.get(&seen.key);
            let next = order.and_then(|order| order.get(seen.others.len()));
            if let Some(next) = next.and_then(writer) {
                add(seen.reader, next, Edge::ReadWrite);
            }
        }
        self.real_time(&mut add);
        graph.iter_mut().for_each(|edges| {
            edges.sort_unstable();
            edges.dedup();
        });
        graph
    }

    /// From each transaction to those that began after its end, as far as no third one lies between the two.
    fn real_time(&self, add: &mut impl FnMut(usize, usize, Edge)) {
        let committed = (0..self.history.txns.len()).filter(|id| self.committed[*id]);
        let moments = committed.flat_map(|id| {
            let txn = self.txn(id);
            [(txn.began, true, id), (txn.ended, false, id)]
        });
        let mut moments: Vec<(u64, bool, usize)> = moments.collect();
        moments.sort_unstable();
        // The ended transactions that no later ended one follows, and those that each running one follows.
        let mut last: HashSet<usize> = HashSet::new();
        let mut follows: HashMap<usize, Vec<usize>> = HashMap::new();
        for (_, begins, id) in moments {
            if begins {
                last.iter()
                    .for_each(|before| add(*before, id, Edge::RealTime));
                follows.insert(id, last.iter().copied().collect());
            } else {
                for before in follows.remove(&id).into_iter().flatten() {
                    last.remove(&before);
                }
                last.insert(id);
            }
        }
    }
}

/// Each node twice: come to by an anti-dependency, after which there may not be another, or otherwise.
fn without_two_in_a_row(graph: &Graph) -> Graph {
    let mut product: Graph = vec![Vec::new(); graph.len() * 2];
    for (from, edges) in graph.iter().enumerate() {
        for &(to, edge) in edges {
            if edge == Edge::ReadWrite {
                product[from * 2].push((to * 2 + 1, edge));
            } else {
                product[from * 2].push((to * 2, edge));
                product[from * 2 + 1].push((to * 2, edge));
            }
        }
    }
    product
}

/// Cycles of any kind, two anti-dependencies in a row among them: what a serializable history has none of, and snapshot
/// isolation allows.
pub fn is_serializable(history: &History) -> bool {
    let mut checker = Checker::new(history);
    checker.look_at_reads();
    checker.order_lists();
    find_cycle(&checker.dependencies()).is_none()
}
