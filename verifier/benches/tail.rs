//! Follows a run folder as the page does; prints nanoseconds of CPU an exchange, the catch-up of whoever opens the page in
//! the middle of a run, and what one second of an open page costs at 100 000 exchanges a second.
//!
//! `cargo bench -p verifier --bench tail -- [MILLION_EXCHANGES]` (default 6: a minute of them).

use std::hint::black_box;
use std::path::Path;
use verifier::plan::Plan;
use verifier::record::{Clock, Exchange, Outcome, Recording, RunFolder, RunKey};
use verifier::record::{Host, Observation};
use verifier::web::Following;

type Outcomes<T> = Result<T, Box<dyn std::error::Error>>;

/// As many as the load engine makes on a good machine.
const PER_SECOND: u64 = 100_000;
/// A run of half an hour, whose rows are all on the page.
const LONG_SECONDS: u64 = 1800;

fn main() -> Outcomes<()> {
    let millions = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse::<u64>().ok())
        .unwrap_or(6);
    let folder = tempfile::tempdir()?;
    let dense = folder.path().join("dense");
    record(&dense, millions * 1_000_000, PER_SECOND)?;
    let long = folder.path().join("long");
    record(&long, LONG_SECONDS * 100, 100)?;

    let exchanges = millions * 1_000_000;
    let mut least = u64::MAX;
    for _ in 0..3 {
        let mut following = Following::new(&dense);
        let cpu = Clock::thread_cpu_ns();
        following.catch_up();
        least = least.min(Clock::thread_cpu_ns() - cpu);
        black_box(following.event_bytes(0));
    }
    let each = least as f64 / exchanges as f64;
    println!(
        "read and folded            {each:>10.1} ns an exchange, {:.1} M a second to catch up",
        1e3 / each
    );

    let mut following = Following::new(&long);
    following.catch_up();
    let rows = usize::try_from(LONG_SECONDS)?;
    let whole = following.event_bytes(0);
    let (seconds, cpu) = (100, Clock::thread_cpu_ns());
    let mut bytes = 0;
    for _ in 0..seconds {
        bytes = black_box(following.event_bytes(rows));
    }
    let shown = (Clock::thread_cpu_ns() - cpu) as f64 / f64::from(seconds);
    println!(
        "shown, at {LONG_SECONDS} s of a run  {:>10.1} µs a time; {whole} bytes to whoever comes, then {bytes}",
        shown / 1e3
    );

    let open = each * PER_SECOND as f64 + shown * 4.0 / 3.0;
    println!(
        "an open page, {PER_SECOND} exchanges a second: {:.2} % of a CPU, {:.2} % of it to follow",
        open / 1e7,
        each * PER_SECOND as f64 / 1e7
    );
    Ok(())
}

/// A folder with so many exchanges, so many a second.
fn record(path: &Path, exchanges: u64, per_second: u64) -> Outcomes<()> {
    let folder = RunFolder::create(path)?;
    let plan = Plan::named("quick")?;
    std::fs::write(folder.plan(), plan.to_toml()?)?;
    let (clock, key) = (Clock::start(), RunKey::from_seed(1));
    let recording = Recording::start(&folder, clock, key, &[])?;
    let recorder = recording.recorder();
    recorder.observe(Observation::RunStarted {
        run_id: "bench".to_owned(),
        run_key: key.to_string(),
        // So long ago that every second of it is over.
        origin_unix_ns: clock.origin_unix_ns() - (exchanges / per_second + 1) * 1_000_000_000,
        verifier_version: String::new(),
        host: Host::default(),
    });
    recorder.observe(Observation::StageStarted { stage: 0 });
    for batch in 0..exchanges.div_ceil(1024) {
        let rows = batch * 1024..exchanges.min((batch + 1) * 1024);
        recorder.exchanges(rows.map(|seq| exchange(seq, per_second)).collect());
    }
    recording.stop()?;
    Ok(())
}

/// Latencies between 50 µs and 20 ms, one in a thousand failed.
fn exchange(seq: u64, per_second: u64) -> Exchange {
    let mixed = (seq ^ (seq >> 3)).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    let sent_ns = 1 + seq * 1_000_000_000 / per_second;
    let failed = seq % 1000 == 999;
    Exchange {
        seq,
        intended_ns: sent_ns.saturating_sub(mixed % 10_000),
        sent_ns,
        connected_ns: 0,
        first_byte_ns: sent_ns + 40_000,
        done_ns: sent_ns + 50_000 + mixed % 20_000_000,
        connection: 1,
        bytes: 295,
        stage: 0,
        status: if failed { 503 } else { 200 },
        outcome: if failed {
            Outcome::HttpError
        } else {
            Outcome::Ok
        },
        task: 0,
    }
}
