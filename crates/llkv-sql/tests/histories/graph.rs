//! Dependencies between transactions, and cycles in them.

use std::collections::VecDeque;

/// How one transaction must come before another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Edge {
    /// The other appended right after it.
    WriteWrite,
    /// The other read what it appended.
    WriteRead,
    /// It did not see what the other appended.
    ReadWrite,
    /// It had ended when the other began.
    RealTime,
}

/// Edges by the node that they leave.
pub type Graph = Vec<Vec<(usize, Edge)>>;

/// A shortest cycle through some node of the first component that has one: nodes with the edge that leaves each.
pub fn find_cycle(graph: &Graph) -> Option<Vec<(usize, Edge)>> {
    let component = components(graph).into_iter().find(|c| c.len() > 1)?;
    let mut inside = vec![false; graph.len()];
    for node in &component {
        inside[*node] = true;
    }
    let cycles = component.iter().take(20);
    let cycles = cycles.filter_map(|start| shortest_from(graph, &inside, *start));
    cycles.min_by_key(Vec::len)
}

/// The shortest way from a node back to itself.
fn shortest_from(graph: &Graph, inside: &[bool], start: usize) -> Option<Vec<(usize, Edge)>> {
    let mut came_from: Vec<Option<(usize, Edge)>> = vec![None; graph.len()];
    let mut queue = VecDeque::from([start]);
    while let Some(node) = queue.pop_front() {
        for &(next, edge) in graph[node].iter().filter(|(next, _)| inside[*next]) {
            if next == start {
                let mut cycle = vec![(node, edge)];
                let mut at = node;
                while let Some(before) = came_from[at].filter(|_| at != start) {
                    cycle.push(before);
                    at = before.0;
                }
                cycle.reverse();
                return Some(cycle);
            }
            if came_from[next].is_none() {
                came_from[next] = Some((node, edge));
                queue.push_back(next);
            }
        }
    }
    None
}

/// Strongly connected components (Tarjan, "Depth-first search and linear graph algorithms", 1972), without recursion.
pub fn components(graph: &Graph) -> Vec<Vec<usize>> {
    const NEW: usize = usize::MAX;
    let mut found = Vec::new();
    let mut index = vec![NEW; graph.len()];
    let mut low = vec![0; graph.len()];
    let mut on_stack = vec![false; graph.len()];
    let (mut stack, mut next_index) = (Vec::new(), 0);
    for root in 0..graph.len() {
        if index[root] != NEW {
            continue;
        }
        // A node, and how many of its edges were followed.
        let mut path = vec![(root, 0)];
        while let Some((node, followed)) = path.last_mut() {
            let node = *node;
            if *followed == 0 {
                index[node] = next_index;
                low[node] = next_index;
                next_index += 1;
                stack.push(node);
                on_stack[node] = true;
            }
            let target = graph[node].get(*followed).map(|(target, _)| *target);
            *followed += 1;
            match target {
                Some(target) if index[target] == NEW => path.push((target, 0)),
                Some(target) if on_stack[target] => low[node] = low[node].min(index[target]),
                Some(_) => {}
                None => {
                    path.pop();
                    if let Some((parent, _)) = path.last() {
                        low[*parent] = low[*parent].min(low[node]);
                    }
                    if low[node] == index[node] {
                        let from = stack.iter().rposition(|n| *n == node).unwrap();
                        let component = stack.split_off(from);
                        component.iter().for_each(|n| on_stack[*n] = false);
                        found.push(component);
                    }
                }
            }
        }
    }
    found
}

#[test]
fn components_are_those_of_reachability() {
    let mut chance = crate::simulated::Chance::new(7);
    for nodes in 1..40_usize {
        let mut graph: Graph = vec![Vec::new(); nodes];
        for _ in 0..nodes + nodes / 3 {
            let [from, to] = [(); 2].map(|()| chance.below(nodes as u64) as usize);
            graph[from].push((to, Edge::RealTime));
        }
        let mut reaches = vec![vec![false; nodes]; nodes];
        for (from, edges) in graph.iter().enumerate() {
            edges.iter().for_each(|(to, _)| reaches[from][*to] = true);
        }
        for (by, from, to) in
            (0..nodes.pow(3)).map(|n| (n / nodes.pow(2), n / nodes % nodes, n % nodes))
        {
            reaches[from][to] |= reaches[from][by] && reaches[by][to];
        }
        let found = components(&graph);
        assert_eq!(found.iter().map(Vec::len).sum::<usize>(), nodes);
        for component in &found {
            for (a, b) in component.iter().zip(component.iter().skip(1)) {
                assert!(reaches[*a][*b] && reaches[*b][*a]);
            }
            let outside = (0..nodes).filter(|node| !component.contains(node));
            for node in outside {
                assert!(!(reaches[node][component[0]] && reaches[component[0]][node]));
            }
        }
    }
}
