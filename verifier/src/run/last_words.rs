//! The last line of a service's log in, its span books out.

use crate::record::ServiceBooks;
use std::collections::BTreeMap;

/// A process's last books, from the line that it logs when it has ended well. `process` stands for one that does not name
/// itself there.
pub(super) fn books(log: &str, process: &str) -> Option<ServiceBooks> {
    #[derive(serde::Deserialize)]
    struct Line {
        books: String,
        #[serde(rename = "service.instance.id")]
        instance: Option<String>,
    }
    #[derive(serde::Deserialize)]
    struct Books {
        started: u64,
        recovered: u64,
        queued: u64,
        in_flight: u64,
        acknowledged: u64,
        lost: BTreeMap<String, u64>,
        left_on_disk: u64,
        refused_requests: u64,
    }
    let line = log
        .lines()
        .rev()
        .find_map(|line| serde_json::from_str::<Line>(line).ok())?;
    let books: Books = serde_json::from_str(&line.books).ok()?;
    Some(ServiceBooks {
        source: line.instance.unwrap_or_else(|| process.to_owned()),
        started: books.started,
        recovered: books.recovered,
        queued: books.queued + books.in_flight,
        acknowledged: books.acknowledged,
        lost: books.lost,
        left_on_disk: books.left_on_disk,
        refused_requests: books.refused_requests,
        last: true,
        ..ServiceBooks::default()
    })
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_last_words_are_the_last_that_were_said() {
        let line = |acknowledged: u64| {
            let books = format!(
                r#"{{"started":9,"recovered":0,"queued":1,"in_flight":2,"acknowledged":{acknowledged},"lost":{{"shutdown":1}},"left_on_disk":0,"refused_requests":4}}"#
            );
            serde_json::json!({ "message": "x", "books": books }).to_string()
        };
        let log = format!("{}\n{}\nShutdown is complete", line(1), line(5));
        let last = super::books(&log, "replica-0").unwrap();
        assert_eq!((last.acknowledged, last.queued, last.last), (5, 3, true));
        assert_eq!(
            super::books("{\"books\":\"no\"}\npanicked", "replica-0"),
            None
        );
    }
}
