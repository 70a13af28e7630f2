//! The fault matrix, at saturation with 500 and 1000 connections: the real service, the real verifier,
//! and a collector in trouble between them. Complete, or exactly the loss that the service's books and
//! the verdict state, to the span. Minutes long: `just faults` builds what it needs and runs it.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests")]

mod gateway;
mod processes;

use gateway::{Gateway, Mood};
use processes::{Run, Service, Start, free_address};
use rustix::process::Signal;
use serde_json::Value;
use std::time::Duration;
use tempfile::TempDir;

/// Both sizes, each over one of the protocols.
const SIZES: [(u32, bool); 2] = [(500, true), (1000, false)];
const LOAD: Duration = Duration::from_secs(5);
const DRAIN: Duration = Duration::from_secs(60);

/// What the verdict and, in it, the service's own books say.
struct Figures {
    verdict: Value,
    answered: u64,
    refused: u64,
    missing_spans: u64,
    /// Spans that the processes' books call lost.
    lost: u64,
}

impl Figures {
    fn of(verdict: Value) -> Figures {
        let exchanges = &verdict["stages"][0]["exchanges"];
        let services = verdict["services"].as_array().unwrap();
        let lost = services
            .iter()
            .flat_map(|s| s["lost"].as_object().unwrap().values());
        let figures = Figures {
            answered: exchanges["ok"].as_u64().unwrap(),
            refused: exchanges["http_error"].as_u64().unwrap(),
            missing_spans: verdict["losses"]["missing_spans"].as_u64().unwrap(),
            lost: lost.map(|n| n.as_u64().unwrap()).sum(),
            verdict,
        };
        let summary = format!(
            "{}\n{}",
            figures.verdict["reasons"], figures.verdict["services"]
        );
        eprintln!("{summary}");
        assert!(figures.answered > 1000, "{summary}");
        assert_eq!(
            figures.place("unknown") + figures.place("never_made"),
            0,
            "{summary}"
        );
        figures
    }

    /// Spans lost in a place.
    fn place(&self, place: &str) -> u64 {
        let places = self.verdict["losses"]["places"].as_array().unwrap();
        let of_place = places.iter().filter(|loss| loss["place"] == place);
        of_place.map(|loss| loss["spans"].as_u64().unwrap()).sum()
    }

    /// Every request was answered, so that every loss in the books is one of the verdict's.
    fn agree_to_the_span(&self) {
        let exchanges = &self.verdict["stages"][0]["exchanges"];
        assert_eq!(
            exchanges["planned"],
            self.answered + self.refused,
            "{exchanges}"
        );
        assert_eq!(self.missing_spans, self.lost);
        assert_eq!(self.place("service"), self.lost);
        let refused: u64 = self.verdict["services"]
            .as_array()
            .unwrap()
            .iter()
            .map(|service| service["refused_requests"].as_u64().unwrap())
            .sum();
        assert_eq!(self.refused, refused);
    }

    /// No answered request lost a span. A refused one has a span of its own as far as the reserve reaches.
    fn accepted_are_complete(&self) {
        self.agree_to_the_span();
        assert!(
            self.lost <= self.refused,
            "{} lost, {} refused",
            self.lost,
            self.refused
        );
        let traces = &self.verdict["stages"][0]["traces"];
        assert_eq!(traces["incomplete"], 0, "{traces}");
        assert!(
            traces["missing"].as_u64().unwrap() <= self.refused,
            "{traces}"
        );
        let reasons = self.verdict["services"][0]["lost"].as_object().unwrap();
        assert!(
            reasons.keys().all(|reason| reason == "buffer_full"),
            "{reasons:?}"
        );
    }

    fn complete(&self) {
        self.agree_to_the_span();
        assert_eq!((self.missing_spans, self.refused), (0, 0));
        assert_eq!(self.verdict["stages"][0]["traces"]["coverage"], 1.0);
    }
}

/// What the README says that the service takes at most.
fn stated_mib(span_buffer_mib: u64, connections: u32) -> u64 {
    span_buffer_mib + 32 + u64::from(connections) * 32 / 1024
}

/// A service, its collector, and the load on it.
struct Case {
    folder: TempDir,
    gateway: Gateway,
    service: Service,
    receiver: [std::net::SocketAddr; 2],
    connections: u32,
    grpc: bool,
}

impl Case {
    fn start((connections, grpc): (u32, bool), args: &[&str]) -> Case {
        let folder = TempDir::new().unwrap();
        let receiver = [free_address(), free_address()];
        let gateway = Gateway::start(receiver[usize::from(!grpc)]);
        let service = Service::start(&Start {
            folder: &folder,
            collector: gateway.address,
            grpc,
            listen: None,
            args,
        });
        eprintln!(
            "{connections} connections, {}",
            if grpc { "gRPC" } else { "HTTP" }
        );
        Case {
            folder,
            gateway,
            service,
            receiver,
            connections,
            grpc,
        }
    }

    fn load(&self, load: Duration, drain: Duration) -> Run {
        let mut run = Run::start(
            &self.folder,
            self.service.address,
            self.receiver,
            self.connections,
            load,
            drain,
        );
        // Load flows.
        if !self.gateway.sees(20) {
            panic!("no exports come; verifier: {:?}", run.last_words());
        }
        run
    }

    /// A few seconds of load, with the mood in the midst of it for so many exports.
    fn with_mood(&self, mood: Mood, exports: u64) -> Figures {
        let run = self.load(LOAD, DRAIN);
        self.gateway.set(mood);
        self.gateway.wait_for(exports);
        self.gateway.set(Mood::Well);
        Figures::of(run.verdict())
    }

    fn restart(&mut self, args: &[&str]) {
        let start = Start {
            folder: &self.folder,
            collector: self.gateway.address,
            grpc: self.grpc,
            listen: Some(self.service.address),
            args,
        };
        self.service = Service::start(&start);
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_healthy_collector() {
    for size in SIZES {
        Case::start(size, &[]).with_mood(Mood::Well, 50).complete();
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_slow_collector_sheds_requests_and_loses_no_trace() {
    for size in SIZES {
        let case = Case::start(size, &["--span-buffer", "4MiB"]);
        let figures = case.with_mood(Mood::Slow(Duration::from_millis(300)), 20);
        figures.accepted_are_complete();
        assert!(figures.refused > 0, "it was not slow enough to matter");
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_collector_that_refuses_for_now() {
    let moods = [
        Mood::Unavailable,
        Mood::Exhausted { retry_info: false },
        Mood::Exhausted { retry_info: true },
    ];
    for mood in moods {
        for size in SIZES {
            Case::start(size, &[])
                .with_mood(mood, 4)
                .accepted_are_complete();
        }
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_collector_that_rejects_some_spans_for_good() {
    for size in SIZES {
        let case = Case::start(size, &[]);
        let figures = case.with_mood(Mood::RejectsAll, 5);
        figures.agree_to_the_span();
        assert!(figures.lost > 0);
        assert_eq!(figures.lost, case.gateway.rejected());
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn connections_that_break_in_mid_export_or_before_the_answer() {
    for size in SIZES {
        Case::start(size, &[])
            .with_mood(Mood::Resets, 10)
            .accepted_are_complete();
        let figures = Case::start(size, &[]).with_mood(Mood::LosesAnswers, 5);
        figures.accepted_are_complete();
        let duplicates = &figures.verdict["stages"][0]["traces"]["duplicate"];
        assert!(
            duplicates.as_u64().unwrap() > 0,
            "what came twice is counted"
        );
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_collector_that_is_restarted() {
    for size in SIZES {
        let mut case = Case::start(size, &[]);
        let run = case.load(LOAD, DRAIN);
        for _ in 0..3 {
            case.gateway
                .away(|| std::thread::sleep(Duration::from_millis(300)));
            case.gateway.wait_for(10);
        }
        Figures::of(run.verdict()).accepted_are_complete();
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_collector_that_is_down_for_thirty_seconds() {
    for size in SIZES {
        let mut case = Case::start(size, &[]);
        let run = case.load(Duration::from_secs(36), DRAIN);
        case.gateway
            .away(|| std::thread::sleep(Duration::from_secs(30)));
        Figures::of(run.verdict()).accepted_are_complete();
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn thirty_seconds_down_with_a_spill_directory() {
    for size in SIZES {
        let spill = TempDir::new().unwrap();
        let directory = spill.path().to_str().unwrap();
        let args = ["--span-spill", directory, "--span-spill-limit", "8GiB"];
        let mut case = Case::start(size, &args);
        let run = case.load(Duration::from_secs(36), DRAIN * 2);
        case.gateway
            .away(|| std::thread::sleep(Duration::from_secs(30)));
        Figures::of(run.verdict()).complete();
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_collector_that_was_never_there() {
    for (connections, grpc) in SIZES {
        let folder = TempDir::new().unwrap();
        let nobody = free_address();
        let start = Start {
            folder: &folder,
            collector: nobody,
            grpc,
            listen: None,
            args: &["--span-buffer", "64MiB"],
        };
        let service = Service::start(&start);
        let receiver = [free_address(), free_address()];
        let load = Duration::from_secs(12);
        let run = Run::start(
            &folder,
            service.address,
            receiver,
            connections,
            load,
            Duration::from_secs(1),
        );
        let verdict = run.verdict();
        let peak = service.peak_memory_mib();
        let figures = Figures::of(verdict);
        // Most of it after the first seconds, in which requests wait for the collector.
        assert!(figures.answered > 20 * figures.refused, "it serves");
        let due = 3 * figures.answered + figures.refused;
        assert_eq!(figures.missing_spans, due, "no span came");
        assert_eq!(figures.place("service"), due);
        eprintln!("peak memory {peak} MiB, with 64 MiB for spans");
        assert!(peak <= stated_mib(64, connections), "{peak} MiB");
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn a_collector_that_leaves_for_good() {
    for size in SIZES {
        let args = ["--span-buffer", "16MiB", "--collector-patience", "2s"];
        let mut case = Case::start(size, &args);
        let run = case.load(Duration::from_secs(15), Duration::from_secs(1));
        let mut verdict = None;
        case.gateway.away(|| verdict = Some(run.verdict()));
        let figures = Figures::of(verdict.unwrap());
        assert!(figures.answered > 20 * figures.refused, "it serves");
        assert!(figures.missing_spans > 0);
        assert_eq!(figures.place("service"), figures.missing_spans);
        let peak = case.service.peak_memory_mib();
        assert!(peak <= stated_mib(16, case.connections), "{peak} MiB");
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn sigterm_under_load() {
    for size in SIZES {
        let mut case = Case::start(size, &[]);
        let run = case.load(LOAD, DRAIN);
        case.service.signal(Signal::TERM);
        case.service.ended();
        let figures = Figures::of(run.verdict());
        assert_eq!(figures.missing_spans, 0, "what was answered has its trace");
        assert_eq!(figures.verdict["stages"][0]["traces"]["coverage"], 1.0);
    }
}

#[test]
#[ignore = "minutes: just faults"]
fn sigkill_under_load_with_and_without_a_spill_directory() {
    for size in SIZES {
        let lost = [false, true].map(|spills| killed(size, spills));
        eprintln!(
            "lost by SIGKILL: {} spans without a spill directory, {} with",
            lost[0], lost[1]
        );
        assert!(lost[1] * 5 < lost[0], "{lost:?}");
    }
}

/// Spans lost when the service is killed with about a second of spans undelivered, and comes back.
fn killed(size: (u32, bool), spills: bool) -> u64 {
    let spill = TempDir::new().unwrap();
    let with = ["--span-spill", spill.path().to_str().unwrap()];
    let args = if spills { &with[..] } else { &[] };
    let mut case = Case::start(size, args);
    let run = case.load(LOAD, Duration::from_secs(8));
    case.gateway.set(Mood::Unavailable);
    case.gateway.wait_for(6);
    case.service.signal(Signal::KILL);
    case.service.ended();
    case.gateway.set(Mood::Well);
    case.restart(args);
    let figures = Figures::of(run.verdict());
    // With a spill directory it depends on the moment whether anything was in memory alone.
    assert!(
        spills || figures.missing_spans > 0,
        "killed with spans in memory"
    );
    assert_eq!(figures.place("ended_process"), figures.missing_spans);
    let recovered = figures.verdict["services"][1]["recovered"]
        .as_u64()
        .unwrap();
    assert_eq!(recovered > 0, spills);
    figures.missing_spans
}
