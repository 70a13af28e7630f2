//! The page of an ended run: `page.json`, and `report.html`, which is the page with that document inside.

mod numbers;

pub(super) use numbers::{assert_same, embedded, page};
