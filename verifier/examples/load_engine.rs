//! The load engine alone, as `bench/load` measures it: every request with its own traceparent, every row on
//! disk, no target and no receiver in the process. Prints requests, requests per second, CPU microseconds per
//! request of the whole process, and the generator's lag.

use anyhow::{Context, Result};
use tokio_util::sync::CancellationToken;
use verifier::plan::Plan;
use verifier::record::{Clock, Host, Observation, Outcome, Recording, RunFolder, RunKey};
use verifier::run::load::{self, Hand, Options, Target};

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [url, workers, stage] = arguments.as_slice() else {
        anyhow::bail!(
            "usage: load_engine URL WORKERS 'kind=\"connections\"\\nconnections=50\\nduration=\"5s\"'"
        );
    };
    let stage = stage.replace("\\n", "\n");
    let plan = Plan::parse(
        &format!("name = 'bench'\n[[stage]]\nname = 'bench'\n{stage}\n"),
        "argument",
    )?;
    let folder = tempfile::tempdir()?;
    let folder = RunFolder::create(folder.path())?;
    let key = RunKey::random()?;
    let recording = Recording::start(&folder, Clock::start(), key, &[])?;
    let recorder = recording.recorder();
    recorder.observe(Observation::RunStarted {
        run_id: "bench".into(),
        run_key: key.to_string(),
        origin_unix_ns: recorder.clock().origin_unix_ns(),
        verifier_version: String::new(),
        host: Host::default(),
    });
    let options = Options {
        workers: workers.parse().context("WORKERS is a number")?,
        seed: 1,
    };
    let target = Target::resolve(url)?;
    let before_ns = Clock::process_cpu_ns();
    load::run(
        &plan,
        &target,
        &options,
        &recorder,
        &CancellationToken::new(),
        &Hand::default(),
    )?;
    recording.stop()?;
    let cpu_ns = Clock::process_cpu_ns() - before_ns;
    let recorded = folder.read()?;
    let rows = &recorded.exchanges;
    let sent = rows.iter().filter(|row| row.outcome.sent()).count();
    let ok = rows.iter().filter(|row| row.outcome == Outcome::Ok).count();
    let begun = rows.iter().map(|row| row.intended_ns).min().unwrap_or(0);
    let ended = rows.iter().map(|row| row.done_ns).max().unwrap_or(0);
    println!(
        "planned {} ok {ok} rps {:.0} cpu_us {:.3}",
        rows.len(),
        sent as f64 * 1e9 / (ended - begun) as f64,
        cpu_ns as f64 / 1e3 / sent as f64,
    );
    let mut latency: Vec<u64> = rows.iter().map(|row| row.latency_ns()).collect();
    latency.sort_unstable();
    let quantile = |q: f64| latency[((latency.len() - 1) as f64 * q) as usize] as f64 / 1e3;
    println!(
        "latency us p50 {:.1} p99 {:.1} p99.9 {:.1} max {:.1}",
        quantile(0.5),
        quantile(0.99),
        quantile(0.999),
        quantile(1.0)
    );
    for entry in &recorded.journal {
        if let Observation::Worker {
            worker,
            opened,
            wall_ns,
            cpu_ns,
            lag_p50_ns,
            lag_p99_ns,
            lag_max_ns,
            turn_ns,
            ..
        } = entry.observation
        {
            println!(
                "worker {worker} opened {opened} cpu {:.0} % lag us p50 {:.1} p99 {:.1} max {:.1} turn {:.1}",
                cpu_ns as f64 / wall_ns as f64 * 100.0,
                lag_p50_ns as f64 / 1e3,
                lag_p99_ns as f64 / 1e3,
                lag_max_ns as f64 / 1e3,
                turn_ns as f64 / 1e3
            );
        }
    }
    Ok(())
}
