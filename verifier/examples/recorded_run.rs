//! Writes a recorded run of N exchanges and 3N spans, so that judging can be measured without a run:
//! `recorded_run DIR N`, then `verifier judge DIR`. Rows are sealed as Parquet, as an ended run has them.

use anyhow::{Context, Result};
use std::path::Path;
use verifier::plan::Plan;
use verifier::record::{
    Entry, Exchange, Host, Journal, Observation, Outcome, RowWriter, RunFolder, RunKey, Span, Table,
};

const ORIGIN: u64 = 1_700_000_000_000_000_000;
const STAGES: u64 = 3;
/// Requests a second of the run's clock.
const RATE: u64 = 20_000;
/// Rows handed over at once.
const BATCH: u64 = 4096;

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let usage = "usage: recorded_run DIR N";
    let path = arguments.next().context(usage)?;
    let n: u64 = arguments.next().context(usage)?.parse().context(usage)?;
    let folder = RunFolder::create(Path::new(&path))?;
    let per_stage = n.div_ceil(STAGES);
    let stage_ns = per_stage * 1_000_000_000 / RATE;
    let stages: String = (0..STAGES)
        .map(|s| {
            let ms = (stage_ns / 1_000_000).max(1);
            format!(
                "[[stage]]\nname = 'stage-{s}'\nkind = 'rate'\nrate = {RATE}\nduration = '{ms}ms'\n"
            )
        })
        .collect();
    let plan = Plan::parse(
        &format!("name = 'recorded'\nseed = 1\n{stages}"),
        "recorded",
    )?;
    std::fs::write(folder.plan(), plan.to_toml()?)?;
    let key = RunKey::from_seed(1);
    let journal = Journal::create(&folder.journal())?;
    let note = |at_ns, observation| journal.write(&Entry { at_ns, observation });
    begin(&plan, key, note)?;
    let mut exchanges = RowWriter::create(&folder.exchange_rows())?;
    let mut spans = RowWriter::create(&folder.span_rows())?;
    let (mut exchange_rows, mut span_rows) = (Vec::new(), Vec::new());
    for seq in 0..n {
        let exchange = exchange(seq, per_stage);
        // Spans arrive behind their exchanges, and those of neighbours mixed.
        span_rows.extend(trace(key, &exchange));
        exchange_rows.push(exchange);
        if (seq + 1) % BATCH == 0 || seq + 1 == n {
            span_rows.sort_by_key(|span: &Span| span.arrived_ns);
            exchanges.append(&exchange_rows)?;
            spans.append(&span_rows)?;
            exchange_rows.clear();
            span_rows.clear();
        }
    }
    for stage in 0..STAGES {
        let planned = per_stage.min(n.saturating_sub(stage * per_stage));
        end_stage(stage, planned, stage_ns, note)?;
    }
    note(STAGES * stage_ns + 2_000_000_000, Observation::RunEnded)?;
    folder.seal()
}

fn begin(plan: &Plan, key: RunKey, note: impl Fn(u64, Observation) -> Result<()>) -> Result<()> {
    note(
        0,
        Observation::RunStarted {
            run_id: "recorded".into(),
            run_key: key.to_string(),
            origin_unix_ns: ORIGIN,
            verifier_version: env!("CARGO_PKG_VERSION").into(),
            host: Host::default(),
        },
    )?;
    let names = plan
        .traces
        .spans
        .iter()
        .map(|s| (Table::SpanName, s.name.clone()));
    let sources = (0..4).map(|pod| (Table::Source, format!("pod-{pod}")));
    let details = [
        (Table::Detail, String::new()),
        (Table::Detail, "ModelError".into()),
    ];
    let mut numbers = std::collections::HashMap::new();
    for (table, text) in names.chain(sources).chain(details) {
        let next = numbers.entry(table).or_insert(0);
        let number = *next;
        *next += 1;
        note(
            0,
            Observation::Dictionary {
                table,
                number,
                text,
            },
        )?;
    }
    Ok(())
}

fn end_stage(
    stage: u64,
    planned: u64,
    stage_ns: u64,
    note: impl Fn(u64, Observation) -> Result<()>,
) -> Result<()> {
    let start_ns = 1_000_000_000 + stage * stage_ns;
    let number = u16::try_from(stage)?;
    note(start_ns, Observation::StageStarted { stage: number })?;
    note(
        start_ns + stage_ns,
        Observation::Worker {
            stage: number,
            worker: 0,
            connections: 100,
            opened: 100,
            planned,
            wall_ns: stage_ns.max(1),
            cpu_ns: stage_ns / 2,
            lag_p50_ns: 5_000,
            lag_p99_ns: 80_000,
            lag_max_ns: 900_000,
            turn_ns: 0,
        },
    )?;
    note(
        start_ns + stage_ns,
        Observation::StageEnded {
            stage: number,
            planned,
        },
    )
}

/// Latency between 1 and 11 ms with a thin tail to 90 ms; one in ten thousand a 500.
fn exchange(seq: u64, per_stage: u64) -> Exchange {
    let random = seq.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let intended_ns = 1_000_000_000 + seq * 1_000_000_000 / RATE;
    let sent_ns = intended_ns + 5_000 + random % 20_000;
    let tail = if random.is_multiple_of(127) {
        80_000_000
    } else {
        0
    };
    let done_ns = sent_ns + 1_000_000 + random % 10_000_000 + tail;
    let failed = seq % 10_000 == 9_999;
    Exchange {
        seq,
        intended_ns,
        sent_ns,
        connected_ns: 0,
        first_byte_ns: done_ns - 1_000,
        done_ns,
        connection: (random % 100) as u32,
        bytes: 150,
        stage: (seq / per_stage) as u16,
        status: if failed { 500 } else { 200 },
        outcome: if failed {
            Outcome::HttpError
        } else {
            Outcome::Ok
        },
        task: 0,
    }
}

/// Its root, and two children that share four fifths of it.
fn trace(key: RunKey, exchange: &Exchange) -> [Span; 3] {
    let start = ORIGIN + exchange.sent_ns + 100_000;
    let length = exchange.done_ns - exchange.sent_ns - 200_000;
    let client = u64::from_be_bytes(key.client_span_id(exchange.seq));
    let id = |place: u64| (exchange.seq * 3 + place).wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let failed = exchange.status == 500;
    let span = |place: u64, from: u64, to: u64| Span {
        seq: exchange.seq,
        span_id: id(place),
        parent_span_id: if place == 0 { client } else { id(0) },
        start_unix_ns: start + from,
        end_unix_ns: start + to,
        arrived_ns: exchange.done_ns + 50_000_000 + place * 3_000_000,
        name: place as u16,
        source: (exchange.seq % 4) as u16,
        detail: u16::from(failed && place != 1),
        http_status: if place == 0 { exchange.status } else { 0 },
        kind: if place == 0 { 2 } else { 1 },
        status: if failed && place != 1 { 2 } else { 0 },
    };
    let fifth = length / 5;
    [
        span(0, 0, length),
        span(1, 0, fifth),
        span(2, fifth, 4 * fifth),
    ]
}
