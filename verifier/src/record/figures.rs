//! Running figures of exchanges: from rows to counts and distributions, for whoever watches; verdicts never use them.

use super::{Exchange, Outcome, Sketch};

/// HTTP statuses have three digits; what is beyond counts as the last.
const STATUSES: usize = 1000;

/// Figures of some exchanges of one stage.
#[derive(Clone, Debug)]
pub struct Figures {
    /// Index of the stage.
    pub stage: u16,
    outcomes: [u64; Outcome::ALL.len()],
    statuses: Box<[u64]>,
    /// Response times from the intended start, of those that were sent.
    pub latency: Sketch,
    /// Response times from the actual send, of the same.
    pub service_time: Sketch,
}

impl Default for Figures {
    fn default() -> Figures {
        Figures {
            stage: 0,
            outcomes: [0; Outcome::ALL.len()],
            statuses: vec![0; STATUSES].into_boxed_slice(),
            latency: Sketch::default(),
            service_time: Sketch::default(),
        }
    }
}

impl Figures {
    /// Takes a row in.
    pub fn count(&mut self, row: &Exchange) {
        self.outcomes[row.outcome as usize] += 1;
        self.statuses[usize::from(row.status).min(STATUSES - 1)] += 1;
        if row.outcome.sent() {
            self.latency.record(row.latency_ns());
            self.service_time.record(row.service_time_ns());
        }
    }

    /// Adds those of the same stage.
    pub fn add(&mut self, other: &Figures) {
        self.latency.add(&other.latency);
        self.service_time.add(&other.service_time);
        let counts = self.outcomes.iter_mut().chain(&mut self.statuses);
        for (count, more) in counts.zip(other.outcomes.iter().chain(&other.statuses)) {
            *count += more;
        }
    }

    /// Begins anew with another stage, or the same.
    pub fn clear(&mut self, stage: u16) {
        self.stage = stage;
        self.outcomes.fill(0);
        self.statuses.fill(0);
        self.latency.clear();
        self.service_time.clear();
    }

    /// Exchanges that ended.
    pub fn done(&self) -> u64 {
        self.outcomes.iter().sum()
    }

    /// Of those, not ok.
    pub fn failed(&self) -> u64 {
        self.done() - self.of(Outcome::Ok)
    }

    /// Of those, with this outcome.
    pub fn of(&self, outcome: Outcome) -> u64 {
        self.outcomes[outcome as usize]
    }

    /// How often each status came that is an error, in their order.
    pub fn errors(&self) -> impl Iterator<Item = (u16, u64)> {
        let statuses = (0_u16..).zip(&self.statuses);
        let statuses = statuses.filter(|(status, count)| *status >= 400 && **count > 0);
        statuses.map(|(status, count)| (status, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(outcome: Outcome, status: u16, sent_ns: u64) -> Exchange {
        Exchange {
            seq: 0,
            intended_ns: 1000,
            sent_ns,
            connected_ns: 0,
            first_byte_ns: 0,
            done_ns: 5000,
            connection: 0,
            bytes: 0,
            stage: 0,
            status,
            outcome,
            task: 0,
        }
    }

    #[test]
    fn figures_have_both_clocks_and_every_outcome() {
        let mut figures = Figures::default();
        let mut second = Figures::default();
        second.count(&row(Outcome::Ok, 200, 3000));
        second.count(&row(Outcome::HttpError, 503, 3000));
        figures.add(&second);
        second.clear(0);
        second.count(&row(Outcome::HttpError, 503, 4000));
        second.count(&row(Outcome::Unsent, 0, 0));
        figures.add(&second);
        assert_eq!((figures.done(), figures.failed()), (4, 3));
        assert_eq!(figures.of(Outcome::Unsent), 1);
        assert_eq!(figures.errors().collect::<Vec<_>>(), [(503, 2)]);
        assert_eq!(
            figures.latency.total(),
            3,
            "what was never sent has no time"
        );
        assert_eq!(figures.latency.longest_ns(), 4000);
        assert_eq!(figures.service_time.longest_ns(), 2000);
    }
}
