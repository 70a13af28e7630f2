//! A run that never took place: rows and a journal, to be spoilt by a test and then written as real files.

use std::fs;
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;
use verifier::plan::Plan;
use verifier::record::{
    Asked, Dictionary, Entry, Exchange, Host, Journal, Observation, Outcome, Receiver, RowWriter,
    RunFolder, RunKey, Span, Table,
};
use verifier::verdict::{Verdict, judge_and_report, read_verdict, to_json};

pub(super) const MS: u64 = 1_000_000;
pub(super) const ORIGIN: u64 = 1_700_000_000_000_000_000;
pub(super) const ROOT: &str = "POST /predict";
pub(super) const PREPARATION: &str = "data_preparation";
pub(super) const INFERENCE: &str = "model_inference";

/// A run in memory.
pub(super) struct Run {
    pub(super) plan: Plan,
    pub(super) key: RunKey,
    pub(super) dictionary: Dictionary,
    pub(super) exchanges: Vec<Exchange>,
    pub(super) spans: Vec<Span>,
    pub(super) journal: Vec<Entry>,
    pub(super) origin_unix_ns: u64,
}

/// A run on disk.
pub(super) struct OnDisk {
    pub(super) folder: RunFolder,
    _temporary: TempDir,
}

impl Run {
    /// One open stage of `n` requests, one a millisecond, all ok, with all traces.
    pub(super) fn of(n: u64) -> Run {
        Run::of_stages(&[("steady", n)])
    }

    /// The same, stage after stage.
    pub(super) fn of_stages(stages: &[(&str, u64)]) -> Run {
        let toml: String = stages
            .iter()
            .map(|(name, n)| {
                format!(
                    "[[stage]]\nname = '{name}'\nkind = 'rate'\nrate = 1000\nduration = '{n}ms'\n"
                )
            })
            .collect();
        let plan = Plan::parse(&format!("name = 'made'\nseed = 7\n{toml}"), "made").unwrap();
        let mut run = Run {
            plan,
            key: RunKey::from_seed(7),
            dictionary: Dictionary::default(),
            exchanges: Vec::new(),
            spans: Vec::new(),
            journal: Vec::new(),
            origin_unix_ns: ORIGIN,
        };
        for span in run.plan.traces.spans.clone() {
            run.number(Table::SpanName, &span.name);
        }
        run.number(Table::Source, "pod-0");
        run.number(Table::Detail, "");
        run.fill(stages);
        run
    }

    /// The number of a text, new or known.
    pub(super) fn number(&mut self, table: Table, text: &str) -> u16 {
        self.dictionary.intern(table, text).0
    }

    fn fill(&mut self, stages: &[(&str, u64)]) {
        let mut start_ns = 1000 * MS;
        self.note(
            0,
            Observation::TargetReady {
                url: "http://127.0.0.1:8080".into(),
                otlp_grpc: None,
                otlp_http: None,
                pids: vec![42],
            },
        );
        for (index, (_, n)) in stages.iter().enumerate() {
            let stage = u16::try_from(index).unwrap();
            self.note(start_ns, Observation::StageStarted { stage });
            for i in 0..*n {
                self.exchange(stage, start_ns + i * MS);
            }
            start_ns += n * MS + 100 * MS;
            self.note(start_ns, worker(stage, *n));
            self.note(start_ns, Observation::StageEnded { stage, planned: *n });
        }
        let expected = self.exchanges.len() as u64;
        let books = Receiver {
            requests: expected / 100 + 1,
            spans: self.spans.len() as u64,
            ..Receiver::default()
        };
        let complete = expected;
        self.note(start_ns, Observation::DrainStarted { expected, complete });
        self.note(start_ns, Observation::Receiver(books));
        self.note(start_ns, Observation::DrainEnded { expected, complete });
        self.note(start_ns, Observation::RunEnded);
    }

    /// Adds a line to the journal's end.
    pub(super) fn note(&mut self, at_ns: u64, observation: Observation) {
        self.journal.push(Entry { at_ns, observation });
    }

    /// Adds a line before the journal's last.
    pub(super) fn note_before_end(&mut self, observation: Observation) {
        let last = self.journal.len() - 1;
        let at_ns = self.journal[last].at_ns;
        self.journal.insert(last, Entry { at_ns, observation });
    }

    /// One more exchange, ok, with its trace. It takes 1 to 2 ms: 10 µs lag, 90 µs each way on the
    /// network, and in the server 100 µs, 500 µs, and 200 µs and more of other work.
    pub(super) fn exchange(&mut self, stage: u16, intended_ns: u64) {
        let seq = self.exchanges.len() as u64;
        let sent_ns = intended_ns + 10_000;
        let server_ns = 800_000 + seq * 37 % 100 * 10_000;
        let done_ns = sent_ns + server_ns + 180_000;
        self.exchanges.push(Exchange {
            seq,
            intended_ns,
            sent_ns,
            connected_ns: 0,
            first_byte_ns: done_ns - 1000,
            done_ns,
            connection: u32::try_from(seq % 10).unwrap(),
            bytes: 150,
            stage,
            status: 200,
            outcome: Outcome::Ok,
            task: 0,
        });
        let start = ORIGIN + sent_ns + 90_000;
        let client = u64::from_be_bytes(self.key.client_span_id(seq));
        for (place, parent, start_unix_ns, duration_ns) in [
            (0_u16, client, start, server_ns),
            (1, seq * 16 + 1, start + 50_000, 100_000),
            (2, seq * 16 + 1, start + 200_000, 500_000),
        ] {
            self.spans.push(Span {
                seq,
                span_id: seq * 16 + 1 + u64::from(place),
                parent_span_id: parent,
                start_unix_ns,
                end_unix_ns: start_unix_ns + duration_ns,
                arrived_ns: done_ns + 200 * MS,
                name: place,
                source: 0,
                detail: 0,
                http_status: if place == 0 { 200 } else { 0 },
                kind: if place == 0 { 2 } else { 1 },
                status: 0,
            });
        }
    }
}

impl Run {
    /// The received span of that name, of that request.
    pub(super) fn span(&mut self, seq: u64, name: &str) -> &mut Span {
        let number = self.dictionary.number(Table::SpanName, name).unwrap();
        self.spans
            .iter_mut()
            .find(|span| span.seq == seq && span.name == number)
            .unwrap()
    }

    /// Loses the span of that name in these requests' traces.
    pub(super) fn lose(&mut self, name: &str, of: impl Fn(u64) -> bool) {
        let number = self.dictionary.number(Table::SpanName, name).unwrap();
        self.spans
            .retain(|span| span.name != number || !of(span.seq));
    }

    /// Lets an exchange end otherwise, without an answer; its spans stay.
    pub(super) fn unanswered(&mut self, seq: usize, outcome: Outcome, after_ns: u64) {
        let exchange = &mut self.exchanges[seq];
        exchange.outcome = outcome;
        exchange.status = 0;
        exchange.first_byte_ns = 0;
        exchange.done_ns = exchange.intended_ns + after_ns;
        if !outcome.sent() {
            exchange.sent_ns = 0;
        }
    }

    /// Thresholds as they stand in a plan.
    pub(super) fn thresholds(&mut self, thresholds: &[&str]) {
        self.plan.thresholds = thresholds.iter().map(|t| t.parse().unwrap()).collect();
    }

    /// Writes it as a run does: row files, journal, plan.
    pub(super) fn write(&self) -> OnDisk {
        let temporary = TempDir::new().unwrap();
        OnDisk {
            folder: self.write_to(&temporary.path().join("run")),
            _temporary: temporary,
        }
    }

    /// The same to a folder of its own.
    pub(super) fn write_to(&self, path: &Path) -> RunFolder {
        let folder = RunFolder::create(path).unwrap();
        fs::write(folder.plan(), self.plan.to_toml().unwrap()).unwrap();
        let journal = Journal::create(&folder.journal()).unwrap();
        let started = Observation::RunStarted {
            run_id: "made-by-hand".into(),
            run_key: self.key.to_string(),
            origin_unix_ns: self.origin_unix_ns,
            verifier_version: "0.1.0".into(),
            host: Host {
                name: "desk".into(),
                kernel: "6.1".into(),
                cpus: 2,
            },
        };
        let texts = [Table::SpanName, Table::Source, Table::Detail]
            .into_iter()
            .flat_map(|table| (0..self.dictionary.len(table)).map(move |number| (table, number)))
            .map(|(table, number)| {
                let number = u16::try_from(number).unwrap();
                Observation::Dictionary {
                    table,
                    number,
                    text: self.dictionary.text(table, number).to_owned(),
                }
            });
        for observation in [started].into_iter().chain(texts) {
            let at_ns = 0;
            journal.write(&Entry { at_ns, observation }).unwrap();
        }
        for entry in &self.journal {
            journal.write(entry).unwrap();
        }
        let mut exchanges = RowWriter::create(&folder.exchange_rows()).unwrap();
        exchanges.append(&self.exchanges).unwrap();
        let mut spans = RowWriter::create(&folder.span_rows()).unwrap();
        spans.append(&self.spans).unwrap();
        folder
    }

    /// Writes it and judges it.
    pub(super) fn judge(&self) -> Verdict {
        self.write().judge()
    }
}

impl OnDisk {
    /// Judges it, and holds what must hold of every verdict: reports are written, the verdict reads
    /// back as it was, is of the published schema, and its counts add up.
    pub(super) fn judge(&self) -> Verdict {
        self.judge_asked(Asked::default())
    }

    /// The same, with what somebody asked of the reports.
    pub(super) fn judge_asked(&self, asked: Asked) -> Verdict {
        let verdict = judge_and_report(&self.folder, asked, None, |_, _| Ok(())).unwrap();
        assert_eq!(read_verdict(&self.folder).unwrap(), verdict);
        super::schema::assert_valid(&to_json(&verdict).unwrap());
        for stage in &verdict.stages {
            let (e, t) = (&stage.exchanges, &stage.traces);
            assert_eq!(e.planned, e.sent + e.connect_error + e.unsent);
            assert_eq!(e.sent, e.ok + e.http_error + e.timeout + e.reset);
            assert_eq!(t.expected, t.complete + t.incomplete + t.missing);
            assert_eq!(stage.latency_ms.n, e.sent);
        }
        super::page::assert_same(&self.folder, &verdict);
        verdict
    }

    /// The page of the run once it is judged.
    pub(super) fn page(&self) -> verifier::verdict::page::Page {
        super::page::page(&self.folder)
    }

    /// A file of the folder as text.
    pub(super) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.folder.path().join(name)).unwrap()
    }
}

/// A load worker in good health.
pub(super) fn worker(stage: u16, planned: u64) -> Observation {
    Observation::Worker {
        stage,
        worker: 0,
        connections: 10,
        opened: 10,
        planned,
        wall_ns: Duration::from_secs(1).as_nanos() as u64,
        cpu_ns: Duration::from_millis(200).as_nanos() as u64,
        lag_p50_ns: 5_000,
        lag_p99_ns: 10_000,
        lag_max_ns: 40_000,
        turn_ns: 0,
    }
}
