//! Books that are added up: receivers', client spans', the figures of a second.

use super::part::Part;
use crate::record::{Observation, Receiver, Second};

/// Examples kept of anything.
const EXAMPLES: usize = 5;

/// The last books of each source of traces, all shards' together.
pub(super) fn receivers(parts: &[Part]) -> Vec<Receiver> {
    let sources = parts.first().map(Part::sources).unwrap_or_default();
    let sum = |source: u8| {
        let mut sum = Receiver {
            source,
            ..Receiver::default()
        };
        for part in parts {
            let of_source = part.observations().filter_map(|o| match o {
                Observation::Receiver(books) if books.source == source => Some(books),
                _ => None,
            });
            if let Some(books) = of_source.last() {
                add(&mut sum, books, part);
            }
        }
        sum
    };
    sources.into_iter().map(|(number, _)| sum(number)).collect()
}

fn add(sum: &mut Receiver, books: &Receiver, part: &Part) {
    sum.failed_reads += books.failed_reads;
    sum.requests += books.requests;
    sum.bytes += books.bytes;
    sum.spans += books.spans;
    sum.foreign_spans += books.foreign_spans;
    sum.malformed_spans += books.malformed_spans;
    sum.refused_requests += books.refused_requests;
    some(&mut sum.foreign_examples, &books.foreign_examples);
    some(&mut sum.refused_examples, &books.refused_examples);
    let said = |why: &String| format!("shard {}: {why}", part.shard);
    sum.incomplete.extend(books.incomplete.iter().map(said));
    sum.lost.extend(books.lost.iter().map(said));
}

fn some(examples: &mut Vec<String>, more: &[String]) {
    for example in more {
        if examples.len() < EXAMPLES && !examples.contains(example) {
            examples.push(example.clone());
        }
    }
}

/// What became of all shards' client spans; `None` where none were exported.
pub(super) fn client_spans(parts: &[Part]) -> Option<Observation> {
    let mut all: Option<(String, u64, u64, Option<String>)> = None;
    for observation in parts.iter().flat_map(Part::observations) {
        if let Observation::ClientSpansExported {
            url,
            sent,
            lost,
            error,
        } = observation
        {
            let all = all.get_or_insert_with(|| (url.clone(), 0, 0, None));
            (all.1, all.2) = (all.1 + sent, all.2 + lost);
            all.3 = all.3.take().or_else(|| error.clone());
        }
    }
    let (url, sent, lost, error) = all?;
    Some(Observation::ClientSpansExported {
        url,
        sent,
        lost,
        error,
    })
}

/// What the shards said of one second, and how far each had come.
#[derive(Debug)]
pub(super) struct Seconds {
    so_far: Vec<Second>,
}

impl Seconds {
    pub(super) fn of(shards: usize) -> Seconds {
        Seconds {
            so_far: vec![Second::default(); shards],
        }
    }

    /// Counts are added up. A percentile of all can not be had from those of each: the greatest is given, than which
    /// it is no greater.
    pub(super) fn sum(&mut self, of_second: &[(usize, &Second)]) -> Second {
        let mut sum = Second::default();
        for (shard, second) in of_second {
            self.so_far[*shard] = (*second).clone();
            sum.stage = sum.stage.max(second.stage);
            sum.done += second.done;
            sum.failed += second.failed;
            sum.p50_ns = sum.p50_ns.max(second.p50_ns);
            sum.p99_ns = sum.p99_ns.max(second.p99_ns);
        }
        for so_far in &self.so_far {
            sum.spans += so_far.spans;
            sum.traces_expected += so_far.traces_expected;
            sum.traces_complete += so_far.traces_complete;
        }
        sum
    }
}
