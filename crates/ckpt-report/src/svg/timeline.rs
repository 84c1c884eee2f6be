//! Events in lanes over time: what the page shows without its script, and zooms with it.

use jiff::Timestamp;

use super::{Drawing, Shape, WIDTH, fit, tenth};

/// Events of one moment in one lane.
#[derive(Clone, Debug, Default)]
pub(crate) struct Dot {
    /// Which lane.
    pub(crate) lane: usize,
    /// Milliseconds since 1970.
    pub(crate) time: i64,
    /// Class of its colour.
    pub(crate) class: &'static str,
    /// How many events these are.
    pub(crate) count: usize,
    /// What is told when it is pointed at.
    pub(crate) title: String,
}

/// From when to when, milliseconds since 1970; never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub(crate) struct Window {
    pub(crate) from: i64,
    pub(crate) to: i64,
}

impl Window {
    /// A window with room at both sides. A moment becomes two minutes.
    pub(crate) fn around(first: i64, last: i64) -> Self {
        let (first, last) = (first.min(last), first.max(last));
        let room = last.saturating_sub(first).checked_div(40).unwrap_or(0).max(1000);
        let room = if first == last { 60_000 } else { room };
        Self { from: first.saturating_sub(room), to: last.saturating_add(room) }
    }

    fn has(self, time: i64) -> bool {
        self.from <= time && time <= self.to
    }

    fn place(self, time: i64) -> f64 {
        let length = self.to.saturating_sub(self.from).max(1) as f64;
        LEFT + (RIGHT - LEFT) * (time.saturating_sub(self.from) as f64 / length)
    }
}

/// Where lanes begin, after their names, and where they end. The page's script has the same numbers from the drawing.
pub(crate) const LEFT: f64 = 108.0;
pub(crate) const RIGHT: f64 = WIDTH - 12.0;

const LANE: f64 = 26.0;
const TOP: f64 = 26.0;

/// Steps between the lines of the axis, seconds.
const STEPS: [i64; 23] = [
    1,
    2,
    5,
    10,
    30,
    60,
    120,
    300,
    600,
    1800,
    3600,
    7200,
    21_600,
    43_200,
    86_400,
    172_800,
    604_800,
    2_592_000,
    7_776_000,
    31_536_000,
    157_680_000,
    1_576_800_000,
    15_768_000_000,
];

/// Draws lanes. Dots outside the window are there and hidden.
pub(crate) fn timeline(lanes: &[&str], dots: &[Dot], window: Window, label: String) -> Drawing {
    let height = TOP + LANE * lanes.len() as f64 + 6.0;
    let mut shapes = Vec::new();
    for (row, lane) in lanes.iter().enumerate() {
        let y = TOP + LANE * row as f64;
        let class = if row % 2 == 0 { "lane" } else { "lane odd" };
        shapes.push(Shape::rect(0.0, y, WIDTH, LANE, class));
        shapes.push(Shape::text(6.0, y + 17.0, "lane-name", fit(lane, LEFT - 10.0)));
    }
    for (x, text) in axis(window) {
        shapes.push(Shape::rect(x, TOP - 6.0, 0.8, height - TOP, "tick"));
        shapes.push(Shape::text(x + 3.0, TOP - 9.0, "tick-name", text));
    }
    for dot in dots.iter().filter(|dot| dot.lane < lanes.len()) {
        // Many at once are taller.
        let tall = (10.0 + 3.0 * (dot.count.max(1) as f64).log2()).min(LANE - 4.0);
        let hidden = !window.has(dot.time);
        let x = if hidden { LEFT } else { window.place(dot.time) };
        shapes.push(Shape::Mark {
            x: tenth(x),
            y: tenth(TOP + LANE * dot.lane as f64 + (LANE - tall) / 2.0),
            width: 4.0,
            height: tenth(tall),
            class: format!("mark {}", dot.class),
            title: dot.title.clone(),
            time: dot.time,
            hidden,
        });
    }
    Drawing { width: WIDTH, height, label, shapes }
}

/// Round times in the window, at most eight, with where they are.
fn axis(window: Window) -> Vec<(f64, String)> {
    let seconds = window.to.saturating_sub(window.from) / 1000;
    let step = STEPS.iter().copied().find(|step| seconds / step <= 7);
    let Some(step) = step else { return Vec::new() };
    let mut ticks = Vec::new();
    let mut second =
        window.from.div_euclid(1000).div_euclid(step).saturating_add(1).saturating_mul(step);
    while ticks.len() < 9 && second.saturating_mul(1000) <= window.to {
        let x = window.place(second.saturating_mul(1000));
        // The last one needs room for its text.
        if x < RIGHT - 60.0
            && let Ok(time) = Timestamp::from_second(second)
        {
            ticks.push((x, tick(&time.to_string(), step)));
        }
        second = second.saturating_add(step);
    }
    ticks
}

/// What changes from one line of the axis to the next: `00:09:42`, `11-23 00:09`, `2026-11-23`.
fn tick(time: &str, step: i64) -> String {
    let part = match step {
        0..60 => time.get(11..19),
        60..86_400 => time.get(5..16),
        _ => time.get(..10),
    };
    part.unwrap_or(time).replace('T', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_axis_is_round_and_sparse() {
        let start = 1_795_392_580_000;
        for length in [0, 1, 30, 4000, 90_000, 5_000_000, 400_000_000, 30_000_000_000] {
            let ticks = axis(Window::around(start, start + length * 1000));
            assert!((1..=8).contains(&ticks.len()), "{length}: {ticks:?}");
            assert!(ticks.windows(2).all(|two| two[0].0 + 40.0 < two[1].0), "{ticks:?}");
        }
        let ticks = axis(Window { from: start, to: start + 30_000 });
        assert_eq!(ticks.first().map(|(_, text)| text.as_str()), Some("00:09:45"));
        // What no calendar has is no reason to go on for ever.
        assert_eq!(axis(Window { from: i64::MIN, to: i64::MAX }), []);
    }

    #[test]
    fn dots_are_in_their_lanes_and_inside() {
        let dot =
            |lane, time| Dot { lane, time, class: "k-log", count: 1 << lane, title: String::new() };
        let dots = [dot(0, 1000), dot(1, 2000), dot(1, -5), dot(7, 1000)];
        let drawing = timeline(&["log", "ghost"], &dots, Window { from: 0, to: 4000 }, "l".into());
        let marks: Vec<(f64, bool)> = drawing
            .shapes
            .iter()
            .filter_map(|shape| match shape {
                Shape::Mark { x, y, height, hidden, .. } => {
                    assert!(y + height <= drawing.height);
                    Some((*x, *hidden))
                }
                _ => None,
            })
            .collect();
        assert_eq!(marks, [(328.0, false), (548.0, false), (108.0, true)]);
    }
}
