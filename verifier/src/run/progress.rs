//! What a person sees on the terminal while a run runs: the panel; where there can be none, one line that renews itself
//! on a terminal, a line every few seconds elsewhere. It only reads the recorder's running figures.

use super::Keys;
use super::panel::{Panel, Phase};
use super::setup::Setup;
use super::terminal;
use crate::plan::{Plan, format_duration};
use crate::record::Recorder;
use std::io::{IsTerminal, Write, stderr};
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

/// Nanoseconds between two lines where no terminal renews them.
const LINE_EVERY_NS: u64 = 2_000_000_000;

/// The progress of a run.
pub struct Progress {
    panel: Option<Panel>,
    /// Where keys come from.
    keys: Keys,
    stages: Vec<String>,
    renew: bool,
    next_line_ns: u64,
}

impl Progress {
    /// Says what is about to happen.
    pub fn start(plan: &Plan, url: &str, setup: &Setup) -> Progress {
        let target = target(plan, url);
        terminal::say(&format!("plan {}, {} at {target}", plan.name, load(plan)));
        let typed = setup.keys == Keys::None && terminal::has_keys();
        let panel = setup.panel.then(|| Panel::open(plan, target, typed));
        let panel = panel.and_then(Result::ok);
        let keys = match typed && panel.is_some() {
            true => Keys::Terminal,
            false => setup.keys,
        };
        let stages = plan.stages.iter().map(|stage| stage.name.clone()).collect();
        Progress {
            panel,
            keys,
            stages,
            renew: renews(setup.headless),
            next_line_ns: 0,
        }
    }

    /// Where keys come from.
    pub fn keys(&self) -> Keys {
        self.keys
    }

    /// Says for how long somebody else's load is watched.
    pub fn watch(length: Option<Duration>, headless: bool) -> Progress {
        let length = length.map_or_else(
            || "until Ctrl-C".to_owned(),
            |length| format!("for {}", format_duration(length)),
        );
        terminal::say(&format!("watching {length}"));
        Progress {
            panel: None,
            keys: Keys::None,
            stages: Vec::new(),
            renew: renews(headless),
            next_line_ns: 0,
        }
    }

    /// Renews the line with the number of spans that have come.
    pub fn spans(&mut self, recorder: &Recorder) {
        if self.on_panel(recorder, || Phase::Drain) {
            return;
        }
        let spans = recorder.live().of_source[0].spans.load(Relaxed);
        let line = format!("{spans} spans so far{}", replicas(recorder));
        self.write(recorder.clock().now_ns(), &line);
    }

    /// Renews the line with the figures of the last second.
    pub fn show(&mut self, recorder: &Recorder) {
        if self.on_panel(recorder, || Phase::Load) {
            return;
        }
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

    /// Shows on the panel that faults are undone; there is nothing to count for a line.
    pub fn faults(&mut self, recorder: &Recorder) {
        self.on_panel(recorder, || Phase::Faults);
    }

    /// Renews the line while traces are awaited.
    pub fn drain(&mut self, recorder: &Recorder) {
        if self.on_panel(recorder, || Phase::Drain) {
            return;
        }
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
        if self.on_panel(recorder, || Phase::Settle(left, ending.to_vec())) {
            return;
        }
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
        if self.renew && self.panel.is_none() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }

    /// Shows it on the panel, if there is one. A terminal that went away has none any more.
    fn on_panel(&mut self, recorder: &Recorder, phase: impl FnOnce() -> Phase) -> bool {
        let panel = self.panel.as_mut();
        let shown = panel.is_some_and(|panel| panel.show(recorder, phase()));
        if !shown {
            self.panel = None;
        }
        shown
    }

    fn write(&mut self, now_ns: u64, line: &str) {
        // A terminal that went away must not end the run.
        if self.renew {
            let _ = write!(stderr(), "\r\x1b[K{line}");
        } else if now_ns >= self.next_line_ns {
            self.next_line_ns = now_ns + LINE_EVERY_NS;
            let _ = writeln!(stderr(), "{line}");
        }
    }
}

/// The line is renewed in its place.
fn renews(headless: bool) -> bool {
    stderr().is_terminal() && !headless && !terminal::is_dumb()
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
