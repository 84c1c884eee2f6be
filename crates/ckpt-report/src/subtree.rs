//! Which processes were asked for.

use std::collections::HashSet;

use ckpt_model::{Node, Processes};

/// The lines of the tree: all of it without pids, else each of those processes as a root with everything below it.
pub(crate) fn chosen(processes: &Processes, pids: &[u32]) -> Vec<Node> {
    if pids.is_empty() {
        return processes.forest.clone();
    }
    let wanted: HashSet<u32> = pids.iter().copied().collect();
    let mut base: Option<usize> = None;
    let mut nodes = Vec::new();
    for node in &processes.forest {
        if base.is_some_and(|base| node.depth <= base) {
            base = None;
        }
        let asked = processes.tasks.get(node.task).is_some_and(|task| wanted.contains(&task.pid.0));
        if base.is_none() && asked {
            base = Some(node.depth);
        }
        if let Some(base) = base {
            nodes.push(Node { depth: node.depth.saturating_sub(base), ..node.clone() });
        }
    }
    nodes
}

#[cfg(test)]
mod tests {
    use ckpt_model::{Pid, Task};

    use super::*;

    fn processes(shape: &[(u32, usize)]) -> Processes {
        let mut processes = Processes::default();
        for (index, (pid, depth)) in shape.iter().enumerate() {
            let mut task = Task::default();
            task.pid = Pid(*pid);
            processes.tasks.push(task);
            processes.forest.push(Node { task: index, depth: *depth, last: true });
        }
        processes
    }

    fn picked(pids: &[u32]) -> Vec<(usize, usize)> {
        let all = processes(&[(1, 0), (2, 1), (4, 2), (3, 1), (9, 0)]);
        chosen(&all, pids).iter().map(|node| (node.task, node.depth)).collect()
    }

    #[test]
    fn a_process_brings_its_descendants() {
        assert_eq!(picked(&[]).len(), 5);
        assert_eq!(picked(&[2]), [(1, 0), (2, 1)]);
        assert_eq!(picked(&[9, 4, 2]), [(1, 0), (2, 1), (4, 0)]);
        assert_eq!(picked(&[77]), []);
    }
}
