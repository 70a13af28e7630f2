//! Takes exchange rows as load workers hand them over; prints nanoseconds of CPU a row of everything that the recorder
//! does with them: the file, the count of due traces, the running figures.
//!
//! `cargo bench -p verifier --bench recorder -- [MILLION_ROWS]` (default 10).

use verifier::record::{Clock, Exchange, Outcome, Recording, RunFolder, RunKey};
use verifier::run::traces::expected;

/// As a worker hands them over.
const ROWS: u64 = 1024;

fn main() -> anyhow::Result<()> {
    // Cargo itself adds `--bench`.
    let millions = std::env::args()
        .skip(1)
        .find_map(|arg| arg.parse::<u64>().ok())
        .unwrap_or(10);
    let folder = tempfile::tempdir()?;
    let folder = RunFolder::create(&folder.path().join("run"))?;
    let plan = verifier::plan::Plan::named("quick")?;
    let key = RunKey::from_seed(1);
    let recording = Recording::start(&folder, Clock::start(), key, &expected(&plan))?;
    let recorder = recording.recorder();
    let chunks = millions * 1_000_000 / ROWS;
    let mut random = 1;
    let made: Vec<Vec<Exchange>> = (0..64).map(|_| rows(&mut random)).collect();
    let begun_ns = Clock::process_cpu_ns();
    for chunk in 0..chunks {
        let mut rows = made[chunk as usize % made.len()].clone();
        for (n, row) in (0..).zip(&mut rows) {
            row.seq = chunk * ROWS + n;
        }
        recorder.exchanges(rows);
    }
    recorder.flush();
    let cpu_ns = Clock::process_cpu_ns() - begun_ns;
    recording.stop()?;
    println!(
        "{:.1} ns of CPU a row",
        cpu_ns as f64 / (chunks * ROWS) as f64
    );
    Ok(())
}

/// Response times from a tenth of a millisecond to tens of them, most of them short; one in a hundred is an error.
fn rows(random: &mut u64) -> Vec<Exchange> {
    let row = |n: u64| {
        *random ^= *random << 13;
        *random ^= *random >> 7;
        *random ^= *random << 17;
        let intended_ns = 1_000_000_000 + n * 10_000;
        let took_ns = (100_000 * (1 + *random % 8)) << (random.leading_zeros() % 8);
        let error = n.is_multiple_of(100);
        Exchange {
            seq: 0,
            intended_ns,
            sent_ns: intended_ns + *random % 20_000,
            connected_ns: 0,
            first_byte_ns: intended_ns + took_ns - 1000,
            done_ns: intended_ns + took_ns,
            connection: 1,
            bytes: 200,
            stage: 0,
            status: if error { 503 } else { 200 },
            outcome: if error {
                Outcome::HttpError
            } else {
                Outcome::Ok
            },
            task: 0,
        }
    };
    (0..ROWS).map(row).collect()
}
