//! What a person sees on the terminal while a run runs: one line that renews itself on a terminal,
//! a line every few seconds elsewhere. It only reads the recorder's running figures.

use crate::plan::{Plan, format_duration};
use crate::record::Recorder;
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Nanoseconds between two lines where no terminal renews them.
const LINE_EVERY_NS: u64 = 2_000_000_000;

/// Says something beside the progress line, which the next renewal puts below it.
pub fn say(line: &str) {
    let clear = if stderr().is_terminal() {
        "\r\x1b[K"
    } else {
        ""
    };
    eprintln!("{clear}verifier: {line}");
}

/// The progress line.
pub struct Progress {
    stages: Vec<String>,
    renew: bool,
    next_line_ns: u64,
}

impl Progress {
    /// Says what is about to happen.
    pub fn start(plan: &Plan, url: &str, headless: bool) -> Progress {
        let renew = stderr().is_terminal() && !headless;
        eprintln!(
            "verifier: plan {}, {} at {}",
            plan.name,
            load(plan),
            target(plan, url),
        );
        let stages = plan.stages.iter().map(|stage| stage.name.clone()).collect();
        Progress {
            stages,
            renew,
            next_line_ns: 0,
        }
    }

    /// Says for how long somebody else's load is watched.
    pub fn watch(length: Option<Duration>, headless: bool) -> Progress {
        let length = length.map_or_else(
            || "until Ctrl-C".to_owned(),
            |length| format!("for {}", format_duration(length)),
        );
        eprintln!("verifier: watching {length}");
        Progress {
            stages: Vec::new(),
            renew: stderr().is_terminal() && !headless,
            next_line_ns: 0,
        }
    }

    /// Renews the line with the number of spans that have come.
    pub fn spans(&mut self, recorder: &Recorder) {
        let spans = recorder.live().of_source[0].spans.load(Relaxed);
        let line = format!("{spans} spans so far{}", replicas(recorder));
        self.write(recorder.clock().now_ns(), &line);
    }

    /// Renews the line with the figures of the last second.
    pub fn show(&mut self, recorder: &Recorder) {
        let second = recorder.live().second();
        let named = self.stages.get(usize::from(second.stage));
        // A search has no stages beforehand.
        let stage = named.map_or_else(|| format!("probe-{:02}", second.stage + 1), String::clone);
        let line = format!(
            "{stage:<18} {:>8} req/s  p50 {:>8}  p99 {:>8}  failed {}  traces {}/{}{}",
            second.done,
            milliseconds(second.p50_ns),
            milliseconds(second.p99_ns),
            second.failed,
            recorder.live().traces_complete(),
            recorder.live().traces_expected.load(Relaxed),
            replicas(recorder),
        );
        if second.done > 0 {
            self.write(recorder.clock().now_ns(), &line);
        }
    }

    /// Renews the line while traces are awaited.
    pub fn drain(&mut self, recorder: &Recorder) {
        let live = recorder.live();
        let line = format!(
            "waiting for traces: {} of {} complete",
            live.traces_complete(),
            live.traces_expected.load(Relaxed),
        );
        self.write(recorder.clock().now_ns(), &line);
    }

    /// Renews the line while the cluster is watched on.
    pub fn settle(&mut self, recorder: &Recorder, left: Duration, ending: &[String]) {
        let mut line = match left.as_secs() {
            0 => "watching the cluster".to_owned(),
            left => format!("watching the cluster for {left} s more"),
        };
        if !ending.is_empty() {
            line = format!("{line}, and until the end of {}", ending.join(", "));
        }
        line += &replicas(recorder);
        self.write(recorder.clock().now_ns(), &line);
    }

    /// Leaves the line for good.
    pub fn end(&mut self) {
        if self.renew {
            eprint!("\r\x1b[K");
        }
    }

    fn write(&mut self, now_ns: u64, line: &str) {
        if self.renew {
            eprint!("\r\x1b[K{line}");
            // A terminal that went away must not end the run.
            let _ = stderr().flush();
        } else if now_ns >= self.next_line_ns {
            self.next_line_ns = now_ns + LINE_EVERY_NS;
            eprintln!("{line}");
        }
    }
}

/// Replicas ready of those that are wanted, where a cluster is watched.
fn replicas(recorder: &Recorder) -> String {
    match recorder.live().replicas() {
        (Some(desired), Some(ready)) => format!("  replicas {ready}/{desired}"),
        (None, Some(ready)) => format!("  replicas {ready}"),
        _ => String::new(),
    }
}

/// How much load it is.
fn load(plan: &Plan) -> String {
    match &plan.search {
        Some(search) => format!(
            "a search from {} req/s in probes of {}",
            search.start_rate,
            format_duration(search.probe)
        ),
        None => format!(
            "{} stages, {} of load",
            plan.stages.len(),
            format_duration(plan.duration())
        ),
    }
}

/// Where the load goes: the one request, or the tasks' names.
fn target(plan: &Plan, url: &str) -> String {
    if plan.tasks.is_empty() {
        return format!("{} {url}{}", plan.request.method, plan.request.path);
    }
    let names: Vec<&str> = plan.tasks.iter().map(|task| task.name.as_str()).collect();
    format!("{url}: {}", names.join(", "))
}

fn milliseconds(ns: u64) -> String {
    let ms = Duration::from_nanos(ns).as_secs_f64() * 1e3;
    if ms < 10.0 {
        format!("{ms:.2} ms")
    } else {
        format!("{ms:.0} ms")
    }
}
