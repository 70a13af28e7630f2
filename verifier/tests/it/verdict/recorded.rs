//! A run folder made by hand: real files, through the same writers that a run uses.

use tempfile::TempDir;
use verifier::plan::Plan;
use verifier::record::{
    Entry, Exchange, Host, Journal, Observation, Outcome, Receiver, RowWriter, RunFolder, RunKey,
    Span, Table,
};
use verifier::verdict::{Verdict, judge_folder, to_json, write_reports};

/// Unix time at zero of the run's clock.
pub const ORIGIN: u64 = 1_700_000_000_000_000_000;
pub const MS: u64 = 1_000_000;
pub const NAMES: [&str; 3] = ["POST /predict", "data_preparation", "model_inference"];

/// What a run saw; every field may be changed before it is written.
pub struct Recorded {
    pub plan: String,
    pub names: Vec<String>,
    pub details: Vec<String>,
    pub exchanges: Vec<Exchange>,
    pub spans: Vec<Span>,
    /// Observations after the dictionary and the run's start.
    pub observations: Vec<Observation>,
    pub folder: TempDir,
}

pub fn key() -> RunKey {
    RunKey::from_seed(5)
}

pub fn trace_id(seq: u64) -> String {
    verifier::record::run_key::hex(&key().trace_id(seq))
}

/// One stage of two seconds with `n` answered exchanges, one a millisecond, each with its whole trace.
pub fn whole(n: u64) -> Recorded {
    let mut recorded = Recorded {
        plan: "name = 'made'\nseed = 5\nthresholds = ['error_rate==0', 'coverage==1', 'p50<1s']\n\
               [[stage]]\nname = 'one'\nkind = 'connections'\nconnections = 4\nduration = '2s'\n"
            .into(),
        names: NAMES.map(str::to_owned).into(),
        details: vec![String::new(), "boom".into()],
        exchanges: Vec::new(),
        spans: Vec::new(),
        observations: vec![
            Observation::StageStarted { stage: 0 },
            worker(MS / 100, 0.2),
            Observation::StageEnded {
                stage: 0,
                planned: n,
            },
            Observation::Receiver(Receiver {
                requests: 1,
                spans: 3 * n,
                ..Receiver::default()
            }),
            Observation::RunEnded,
        ],
        folder: TempDir::new().unwrap(),
    };
    for seq in 0..n {
        recorded.exchanges.push(exchange(seq));
        recorded.spans.extend(trace(seq));
    }
    recorded
}

pub fn worker(lag_p99_ns: u64, cpu: f64) -> Observation {
    Observation::Worker {
        stage: 0,
        worker: 0,
        connections: 4,
        opened: 4,
        planned: 0,
        wall_ns: 2_000 * MS,
        cpu_ns: (cpu * 2e9) as u64,
        lag_p50_ns: 0,
        lag_p99_ns,
        lag_max_ns: lag_p99_ns,
    }
}

/// Intended at `seq` milliseconds, 10 µs of lag, and an answer after 1 to 2 ms.
pub fn exchange(seq: u64) -> Exchange {
    let intended_ns = seq * MS + 1;
    let done_ns = intended_ns + MS + (seq * 7919 % 1000) * 1000;
    Exchange {
        seq,
        intended_ns,
        sent_ns: intended_ns + 10_000,
        connected_ns: 0,
        first_byte_ns: done_ns - 1000,
        done_ns,
        connection: (seq % 4) as u32,
        bytes: 200,
        stage: 0,
        status: 200,
        outcome: Outcome::Ok,
    }
}

/// The three spans of the exchange, inside it: 600, 200 and 100 µs long.
pub fn trace(seq: u64) -> [Span; 3] {
    let from = ORIGIN + exchange(seq).sent_ns + 100_000;
    let root = seq * 8 + 1;
    let client = u64::from_be_bytes(key().client_span_id(seq));
    let span = |name: u16, span_id, parent_span_id, start: u64, duration: u64, kind| Span {
        seq,
        span_id,
        parent_span_id,
        start_unix_ns: from + start,
        end_unix_ns: from + start + duration,
        arrived_ns: exchange(seq).done_ns + MS,
        name,
        source: 0,
        detail: 0,
        http_status: if name == 0 { 200 } else { 0 },
        kind,
        status: 0,
    };
    [
        span(0, root, client, 0, 600_000, 2),
        span(1, root + 1, root, 100_000, 200_000, 1),
        span(2, root + 2, root, 350_000, 100_000, 1),
    ]
}

impl Recorded {
    pub fn write(&self) -> RunFolder {
        let path = self.folder.path().join("run");
        let _ = std::fs::remove_dir_all(&path);
        let folder = RunFolder::create(&path).unwrap();
        let plan = Plan::parse(&self.plan, "made").unwrap();
        std::fs::write(folder.plan(), plan.to_toml().unwrap()).unwrap();
        let journal = Journal::create(&folder.journal()).unwrap();
        let mut observations = vec![Observation::RunStarted {
            run_id: "made".into(),
            run_key: key().to_string(),
            origin_unix_ns: ORIGIN,
            verifier_version: "0.0.0".into(),
            host: Host {
                name: "here".into(),
                kernel: "6".into(),
                cpus: 2,
            },
        }];
        let texts = [
            (Table::SpanName, &self.names[..]),
            (Table::Source, &["replica-0".to_owned()]),
            (Table::Detail, &self.details),
        ];
        for (table, texts) in texts {
            for (number, text) in texts.iter().enumerate() {
                observations.push(Observation::Dictionary {
                    table,
                    number: number as u16,
                    text: text.clone(),
                });
            }
        }
        observations.extend(self.observations.iter().cloned());
        for observation in observations {
            journal
                .write(&Entry {
                    at_ns: 0,
                    observation,
                })
                .unwrap();
        }
        RowWriter::create(&folder.exchange_rows())
            .unwrap()
            .append(&self.exchanges)
            .unwrap();
        RowWriter::create(&folder.span_rows())
            .unwrap()
            .append(&self.spans)
            .unwrap();
        folder
    }

    /// Writes, judges and reports; the verdict must fit its schema.
    pub fn judge(&self) -> Verdict {
        judge(&self.write())
    }
}

pub fn judge(folder: &RunFolder) -> Verdict {
    let judged = judge_folder(folder).unwrap();
    write_reports(folder, &judged).unwrap();
    super::assert_fits_schema(&serde_json::from_str(&to_json(&judged.verdict).unwrap()).unwrap());
    judged.verdict
}
