//! The page of an ended run: `page.json`, and `report.html`, which is the page with that document inside.

mod bounds;
mod content;
mod numbers;
mod series;
mod texts;
mod two_runs;

pub(super) use numbers::{assert_same, embedded, page};
