//! How long a command takes to serve, and what it then holds: starts it, asks until it answers 200,
//! waits a second, ends it. Prints milliseconds from exec to the answer, and resident MiB.
//!
//! `first_answer 127.0.0.1:8080 /healthz COMMAND...`; the command listens on that address.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command},
    thread::sleep,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process};

/// Between two tries.
const PAUSE: Duration = Duration::from_micros(200);
/// What has not answered by then never will.
const PATIENCE: Duration = Duration::from_secs(60);
/// From the first answer until memory is read.
const IDLE: Duration = Duration::from_secs(1);

fn main() -> anyhow::Result<()> {
    let mut args = std::env::args().skip(1);
    let (Some(address), Some(path), Some(program)) = (args.next(), args.next(), args.next()) else {
        anyhow::bail!("usage: first_answer ADDRESS PATH COMMAND...");
    };
    let address = address.parse()?;
    let start = now();
    let mut child = Command::new(program).args(args).spawn()?;
    let measured = measure(&mut child, start, address, &path);
    if child.try_wait()?.is_none() {
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        child.wait()?;
    }
    let (milliseconds, mib) = measured?;
    println!("{milliseconds:.2} {mib:.1}");
    Ok(())
}

/// Milliseconds until the first 200, and resident MiB a while later.
fn measure(
    child: &mut Child,
    start: Instant,
    address: SocketAddr,
    path: &str,
) -> anyhow::Result<(f64, f64)> {
    while !answers(address, path).unwrap_or(false) {
        if let Some(status) = child.try_wait()? {
            anyhow::bail!("the command ended without an answer: {status}");
        }
        anyhow::ensure!(start.elapsed() < PATIENCE, "no answer in {PATIENCE:?}");
        sleep(PAUSE);
    }
    let milliseconds = start.elapsed().as_secs_f64() * 1e3;
    sleep(IDLE);
    Ok((milliseconds, resident_mib(child.id())?))
}

fn answers(address: SocketAddr, path: &str) -> io::Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(1)))?;
    // In one segment: several small ones would wait for each other's acknowledgement.
    let request = format!("GET {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes())?;
    let mut status = [0; 12];
    stream.read_exact(&mut status)?;
    Ok(&status == b"HTTP/1.1 200")
}

fn resident_mib(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.split_whitespace().next());
    let kib = kib.ok_or_else(|| anyhow::anyhow!("no VmRSS in /proc/{pid}/status"))?;
    Ok(kib.parse::<f64>()? / 1024.0)
}

#[allow(
    clippy::disallowed_methods,
    reason = "a stopwatch, of no service and no run"
)]
fn now() -> Instant {
    Instant::now()
}
