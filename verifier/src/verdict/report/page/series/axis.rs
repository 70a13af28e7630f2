//! The rows of the series: which seconds of the run each stands for.

use crate::record::Observation;
use crate::verdict::align::Timeline;
use crate::verdict::cluster::ScalePoint;

const SECOND_NS: u64 = 1_000_000_000;
/// Rows at most: two hours with a row a second; a longer run has coarser rows.
pub(super) const MOST_ROWS: u64 = 7_200;
/// No run is longer: a damaged row that says so must not stretch the axis.
const LONGEST_SECONDS: u64 = 7 * 24 * 3600;

/// Equal steps from a first second on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Axis {
    first: u64,
    step: u64,
    rows: usize,
}

impl Axis {
    /// From the first second in which anything was seen to the last; `None` where nothing was.
    pub(super) fn of(timeline: &Timeline<'_>, scale: &[ScalePoint]) -> Option<Axis> {
        let ends = timeline.recorded.exchanges.iter();
        let ends = ends.map(|exchange| exchange.done_ns / SECOND_NS);
        let figures = timeline.recorded.journal.iter().filter_map(|entry| {
            let counts = matches!(entry.observation, Observation::Second(_));
            counts.then_some(entry.at_ns / SECOND_NS)
        });
        let scale = scale.iter().map(|point| point.at_seconds.max(0.0) as u64);
        let (mut first, mut last) = (u64::MAX, 0);
        for second in ends.chain(figures).chain(scale) {
            let second = second.min(LONGEST_SECONDS);
            (first, last) = (first.min(second), last.max(second));
        }
        (first <= last).then(|| Axis::between(first, last))
    }

    /// From this second to that, both included.
    fn between(first: u64, last: u64) -> Axis {
        let seconds = last - first + 1;
        let step = seconds.div_ceil(MOST_ROWS);
        let rows = usize::try_from(seconds.div_ceil(step)).unwrap_or(1);
        Axis { first, step, rows }
    }

    /// How many rows there are, at least one.
    pub(super) fn rows(&self) -> usize {
        self.rows
    }

    /// Seconds that a row stands for.
    pub(super) fn step(&self) -> u64 {
        self.step
    }

    /// The first second of each row.
    pub(super) fn seconds(&self) -> impl Iterator<Item = u64> {
        let (first, step) = (self.first, self.step);
        (0..self.rows as u64).map(move |row| first + row * step)
    }

    /// The row of a moment on the run's clock; the nearest, where it lies outside.
    pub(super) fn row_ns(&self, at_ns: u64) -> usize {
        let row = (at_ns / SECOND_NS).saturating_sub(self.first) / self.step;
        usize::try_from(row).map_or(self.rows - 1, |row| row.min(self.rows - 1))
    }

    /// What held at each row's end, of values that hold from their moment (seconds) until the next; `None` before the first.
    pub(super) fn steps<T: Copy>(&self, points: impl Iterator<Item = (f64, T)>) -> Vec<Option<T>> {
        let mut points = points.peekable();
        let mut held = None;
        let row = |second: u64| {
            while let Some((_, value)) = points.next_if(|(at, _)| *at < (second + self.step) as f64)
            {
                held = Some(value);
            }
            held
        };
        self.seconds().map(row).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_run_has_coarser_rows() {
        let day = Axis::between(100, 100 + 86_399);
        assert_eq!((day.step(), day.rows()), (12, 7_200));
        assert_eq!(day.seconds().last(), Some(100 + 86_400 - 12));
        assert_eq!(day.row_ns(0), 0);
        assert_eq!(day.row_ns(u64::MAX), 7_199);
        assert_eq!(day.row_ns(112 * SECOND_NS), 1);
        let two_hours = Axis::between(0, 7_199);
        assert_eq!((two_hours.step(), two_hours.rows()), (1, 7_200));
        assert_eq!(Axis::between(5, 5).rows(), 1);
    }

    #[test]
    fn steps_hold_until_the_next() {
        let axis = Axis::between(1, 4);
        let points = [(1.5, 1), (1.9, 2), (4.0, 3)];
        assert_eq!(
            axis.steps(points.into_iter()),
            [Some(2), Some(2), Some(2), Some(3)]
        );
        assert_eq!(axis.steps([(3.0, 7)].into_iter())[..2], [None, None]);
    }
}
