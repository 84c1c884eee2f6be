//! The process tree: a forest that shows every task once, whatever the parents claim.

use std::collections::{HashMap, HashSet};

use criu_image::messages::PstreeEntry;

use crate::Pid;
use crate::task::{Mark, Task};

/// Most entries that are kept of pids that are in the tree already. Each is told with all that the images of the pid hold:
/// a tree that names one process a million times would be told a million times.
const MOST_COPIES: usize = 16;

/// Takes entries away whose pids are in the tree already, but for the first [`MOST_COPIES`]; gives how many it took.
pub(crate) fn drop_copies(entries: &mut Vec<PstreeEntry>) -> usize {
    let before = entries.len();
    let (mut seen, mut copies) = (HashSet::new(), 0_usize);
    entries.retain(|entry| {
        let is_copy = !seen.insert(entry.pid);
        copies = copies.saturating_add(is_copy.into());
        !is_copy || copies <= MOST_COPIES
    });
    before.saturating_sub(entries.len())
}

/// One line of the tree, in depth-first order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Index of the task in [`Processes::tasks`](crate::Processes::tasks).
    pub task: usize,
    /// Steps from its root.
    pub depth: usize,
    /// Whether it is the last child of its parent.
    pub last: bool,
}

/// Links tasks by parent and marks those whose parents make no sense: orphans and cycles become roots of their own.
///
/// Runs in time linear in the tasks and without recursion: a chain of a million parents is only a long list.
pub(crate) fn forest(tasks: &mut [Task]) -> Vec<Node> {
    let mut first: HashMap<Pid, usize> = HashMap::new();
    for (index, task) in tasks.iter_mut().enumerate() {
        if *first.entry(task.pid).or_insert(index) != index {
            task.marks.push(Mark::DuplicatePid);
        }
    }
    let mut children: Vec<Vec<usize>> = vec![Vec::new(); tasks.len()];
    let mut roots = Vec::new();
    for (index, task) in tasks.iter_mut().enumerate() {
        let Some(ppid) = task.ppid.filter(|ppid| *ppid != Pid(0)) else {
            roots.push(index);
            continue;
        };
        match first.get(&ppid) {
            Some(parent) if *parent != index => {
                if let Some(siblings) = children.get_mut(*parent) {
                    siblings.push(index);
                }
            }
            // Its own parent: a cycle of one, found below as unreached.
            Some(_) => {}
            None => {
                task.marks.push(Mark::Orphan);
                roots.push(index);
            }
        }
    }
    let mut walk = Walk { children, seen: vec![false; tasks.len()], nodes: Vec::new() };
    let last = roots.len();
    for (n, root) in roots.into_iter().enumerate() {
        walk.from(root, n.saturating_add(1) == last);
    }
    for (index, task) in tasks.iter_mut().enumerate() {
        if walk.seen.get(index) == Some(&false) {
            task.marks.push(Mark::Cycle);
            walk.from(index, true);
        }
    }
    walk.nodes
}

struct Walk {
    children: Vec<Vec<usize>>,
    seen: Vec<bool>,
    nodes: Vec<Node>,
}

impl Walk {
    fn from(&mut self, root: usize, last: bool) {
        let mut stack = vec![Node { task: root, depth: 0, last }];
        while let Some(node) = stack.pop() {
            match self.seen.get_mut(node.task) {
                Some(seen) if !*seen => *seen = true,
                _ => continue,
            }
            let children = self.children.get(node.task).map_or(&[][..], Vec::as_slice);
            let fresh: Vec<usize> = children
                .iter()
                .copied()
                .filter(|child| self.seen.get(*child) == Some(&false))
                .collect();
            let depth = node.depth.saturating_add(1);
            for (n, child) in fresh.iter().enumerate().rev() {
                let last = n.saturating_add(1) == fresh.len();
                stack.push(Node { task: *child, depth, last });
            }
            self.nodes.push(node);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tasks(pairs: &[(u32, u32)]) -> Vec<Task> {
        let task = |(pid, ppid): &(u32, u32)| Task {
            pid: Pid(*pid),
            ppid: Some(Pid(*ppid)),
            ..Task::default()
        };
        pairs.iter().map(task).collect()
    }

    fn shape(tasks: &mut [Task]) -> Vec<(u32, usize)> {
        forest(tasks).iter().map(|node| (tasks[node.task].pid.0, node.depth)).collect()
    }

    #[test]
    fn children_follow_their_parent() {
        let mut tasks = tasks(&[(1, 0), (2, 1), (3, 1), (4, 2)]);
        assert_eq!(shape(&mut tasks), [(1, 0), (2, 1), (4, 2), (3, 1)]);
    }

    #[test]
    fn nobody_is_lost() {
        let mut all = tasks(&[(1, 0), (9, 77), (2, 0), (5, 6), (6, 5), (7, 7), (8, 5), (1, 0)]);
        let shape = shape(&mut all);
        assert_eq!(shape, [(1, 0), (9, 0), (2, 0), (1, 0), (5, 0), (6, 1), (8, 1), (7, 0)]);
        assert_eq!(all[1].marks, [Mark::Orphan]);
        assert_eq!(all[3].marks, [Mark::Cycle]);
        assert_eq!(all[5].marks, [Mark::Cycle]);
        assert_eq!(all[7].marks, [Mark::DuplicatePid]);
    }

    #[test]
    fn a_long_chain_is_only_long() {
        let mut chain = tasks(&(1..=200_000).map(|pid| (pid, pid - 1)).collect::<Vec<_>>());
        assert_eq!(forest(&mut chain).last().map(|node| node.depth), Some(199_999));
    }
}
