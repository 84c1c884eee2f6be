//! Who talks to whom: processes in the middle, connections between them as arcs on the left, listeners and peers outside
//! on the right.

use std::collections::{BTreeMap, HashMap};

use super::{Drawing, Shape, WIDTH, fit, tenth};

/// What is to be drawn.
#[derive(Clone, Debug, Default)]
pub(crate) struct Graph {
    /// The processes with sockets, in the order in which they stand: pid and label.
    pub(crate) processes: Vec<(u32, String)>,
    /// Their sockets.
    pub(crate) sockets: Vec<GraphSocket>,
}

/// A socket, or one end of a connection inside the checkpoint.
#[derive(Clone, Debug, Default)]
pub(crate) struct GraphSocket {
    /// The process that has it.
    pub(crate) pid: u32,
    /// Number of the connection inside, where the other end is in the checkpoint too: of both ends the same.
    pub(crate) pair: Option<(u32, u32)>,
    /// The process with the other end.
    pub(crate) peer: Option<u32>,
    /// Whether it waits for connections.
    pub(crate) listens: bool,
    /// What it is about: an address to listen at, a peer; the same text is the same place.
    pub(crate) place: String,
    /// Bytes received and not read, and bytes on their way.
    pub(crate) bytes: u64,
}

/// Processes and places that are drawn at most; the rest is told.
const MOST: usize = 60;

const ROW: f64 = 34.0;
const TOP: f64 = 26.0;
const BOX: f64 = 24.0;
const LEFT: f64 = 190.0;
const BOX_WIDTH: f64 = 250.0;
const RIGHT: f64 = 660.0;
const PLACE_WIDTH: f64 = WIDTH - RIGHT - 2.0;

/// Several sockets between the same two.
#[derive(Clone, Debug, Default)]
struct Bundle {
    sockets: usize,
    bytes: u64,
}

impl Bundle {
    fn add(&mut self, bytes: u64) {
        self.sockets = self.sockets.saturating_add(1);
        self.bytes = self.bytes.saturating_add(bytes);
    }

    fn class(&self, kind: &str) -> String {
        let busy = if self.bytes > 0 { " busy" } else { "" };
        format!("edge {kind}{busy}")
    }

    fn words(&self) -> String {
        let sockets = if self.sockets == 1 { "" } else { "s" };
        match self.bytes {
            0 => format!("{} connection{sockets}", self.sockets),
            bytes => format!("{} connection{sockets}, {bytes} bytes in flight", self.sockets),
        }
    }
}

/// Draws the graph; `None` when there is nothing in it. The number tells how many processes and places were left out.
pub(crate) fn sockets(graph: &Graph) -> Option<(Drawing, usize)> {
    let shown = graph.processes.len().min(MOST);
    let rows: HashMap<u32, usize> =
        graph.processes.iter().take(MOST).enumerate().map(|(row, (pid, _))| (*pid, row)).collect();
    let mut arcs: BTreeMap<(usize, usize), Bundle> = BTreeMap::new();
    let mut ends: HashMap<(u32, u32), usize> = HashMap::new();
    let mut own: BTreeMap<usize, Bundle> = BTreeMap::new();
    let mut places: Vec<(&str, bool)> = Vec::new();
    let mut place_rows: HashMap<(&str, bool), usize> = HashMap::new();
    let mut left_out = graph.processes.len().saturating_sub(MOST);
    let mut lines: BTreeMap<(usize, usize), Bundle> = BTreeMap::new();
    for socket in &graph.sockets {
        let Some(row) = rows.get(&socket.pid).copied() else { continue };
        if let Some((pair, peer)) = socket.pair.zip(socket.peer) {
            let Some(other) = rows.get(&peer).copied() else { continue };
            let bundle = if row == other {
                own.entry(row).or_default()
            } else {
                arcs.entry((row.min(other), row.max(other))).or_default()
            };
            // The other end of the same connection adds its bytes and is not counted again.
            let seen = ends.entry(pair).or_default();
            *seen = seen.saturating_add(1);
            bundle.bytes = bundle.bytes.saturating_add(socket.bytes);
            if *seen == 1 {
                bundle.sockets = bundle.sockets.saturating_add(1);
            }
            continue;
        }
        let key = (socket.place.as_str(), socket.listens);
        let place = match place_rows.get(&key) {
            Some(place) => *place,
            None if places.len() < MOST => {
                places.push(key);
                place_rows.insert(key, places.len().saturating_sub(1));
                places.len().saturating_sub(1)
            }
            None => {
                left_out = left_out.saturating_add(1);
                continue;
            }
        };
        lines.entry((row, place)).or_default().add(socket.bytes);
    }
    if shown == 0 {
        return None;
    }
    let height = TOP + ROW * shown.max(places.len()) as f64 + 4.0;
    let mut shapes = headings(!arcs.is_empty(), !places.is_empty());
    for ((from, to), bundle) in &arcs {
        shapes.push(arc(*from, *to, bundle));
    }
    for ((row, place), bundle) in &lines {
        let listens = places.get(*place).is_some_and(|(_, listens)| *listens);
        let (y, to) = (middle(*row), middle(*place));
        let (x, end) = (LEFT + BOX_WIDTH, RIGHT);
        let bend = tenth((x + end) / 2.0);
        let d = format!("M{x} {y}C{bend} {y} {bend} {to} {end} {to}");
        let class = bundle.class(if listens { "listens" } else { "talks" });
        shapes.push(Shape::Path { d, class, title: Some(bundle.words()) });
    }
    for (row, (pid, label)) in graph.processes.iter().take(MOST).enumerate() {
        let y = top(row);
        shapes.push(
            Shape::rect(LEFT, y, BOX_WIDTH, BOX, "node").titled(format!("process {pid}: {label}")),
        );
        let pairs = own.get(&row).map(|own| format!(" · {} with itself", own.sockets));
        let pairs = pairs.unwrap_or_default();
        let room = BOX_WIDTH - 14.0 - pairs.chars().count() as f64 * super::LETTER;
        let text = fit(&format!("{pid} {label}"), room);
        shapes.push(Shape::text(LEFT + 8.0, y + 16.0, "on-node", format!("{text}{pairs}")));
    }
    for (row, (place, listens)) in places.iter().enumerate() {
        let class = if *listens { "node listener" } else { "node peer" };
        shapes.push(Shape::rect(RIGHT, top(row), PLACE_WIDTH, BOX, class).titled(*place));
        let text = fit(place, PLACE_WIDTH - 14.0);
        shapes.push(Shape::text(RIGHT + 8.0, top(row) + 16.0, "on-node", text));
    }
    let label = format!(
        "{shown} processes with sockets, {} places they talk to or listen at",
        places.len()
    );
    Some((Drawing { width: WIDTH, height, label, shapes }, left_out))
}

fn headings(arcs: bool, places: bool) -> Vec<Shape> {
    let mut shapes = vec![Shape::text(LEFT, 14.0, "head", "Processes")];
    if arcs {
        shapes.push(Shape::text(4.0, 14.0, "head", "Between processes"));
    }
    if places {
        shapes.push(Shape::text(RIGHT, 14.0, "head", "Listening at, and talking to"));
    }
    shapes
}

/// Two processes of the checkpoint that talk to each other: the further apart, the wider the arc.
fn arc(from: usize, to: usize, bundle: &Bundle) -> Shape {
    let (y, to_y) = (middle(from), middle(to));
    let steps = to.saturating_sub(from) as f64;
    let bulge = tenth(LEFT - (30.0 + 26.0 * steps).min(LEFT - 6.0));
    let d = format!("M{LEFT} {y}C{bulge} {y} {bulge} {to_y} {LEFT} {to_y}");
    Shape::Path { d, class: bundle.class("pair"), title: Some(bundle.words()) }
}

fn top(row: usize) -> f64 {
    TOP + ROW * row as f64
}

fn middle(row: usize) -> f64 {
    top(row) + BOX / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(drawing: &Drawing) -> Vec<(&str, &str)> {
        let path = |shape: &'_ Shape| match shape {
            Shape::Path { class, title, .. } => Some((class.clone(), title.clone())),
            _ => None,
        };
        drawing
            .shapes
            .iter()
            .filter(|shape| path(shape).is_some())
            .filter_map(|shape| match shape {
                Shape::Path { class, title, .. } => Some((class.as_str(), title.as_deref()?)),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn connections_are_told_once_with_the_bytes_of_both_ends() {
        let end = |pid, peer, bytes| GraphSocket {
            pid,
            pair: Some((10, 11)),
            peer: Some(peer),
            bytes,
            ..GraphSocket::default()
        };
        let listener = |pid| GraphSocket {
            pid,
            listens: true,
            place: "tcp *:80".into(),
            ..GraphSocket::default()
        };
        let graph = Graph {
            processes: vec![(1, "nginx".into()), (7, "worker".into())],
            sockets: vec![end(1, 7, 5), end(7, 1, 2), listener(1), listener(7)],
        };
        let (drawing, left_out) = sockets(&graph).expect("a drawing");
        assert_eq!(left_out, 0);
        assert_eq!(
            paths(&drawing),
            [
                ("edge pair busy", "1 connection, 7 bytes in flight"),
                ("edge listens", "1 connection"),
                ("edge listens", "1 connection"),
            ]
        );
    }

    #[test]
    fn crowds_are_cut_and_counted() {
        let graph = Graph {
            processes: (0..500).map(|pid| (pid, "p".to_owned())).collect(),
            sockets: (0..500)
                .map(|n| GraphSocket {
                    pid: n % 50,
                    place: n.to_string(),
                    ..GraphSocket::default()
                })
                .collect(),
        };
        let (drawing, left_out) = sockets(&graph).expect("a drawing");
        assert_eq!(left_out, 440 + 440);
        for shape in &drawing.shapes {
            if let Shape::Rect { x, y, width, height, .. } = shape {
                assert!(x + width <= WIDTH && y + height <= drawing.height);
            }
        }
        assert_eq!(sockets(&Graph::default()), None);
    }
}
