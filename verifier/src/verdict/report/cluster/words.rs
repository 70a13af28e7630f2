//! Moments, pods and tables in the words that the three reports share.

use crate::verdict::cluster::{Cluster, Effect, EventLine, Moment, Pod, Why};
use crate::verdict::outcome::Verdict;
use crate::verdict::report::text;
use std::fmt::Write;

/// Seconds to the millisecond, as `verdict.json` has them to more.
pub(super) fn seconds(seconds: f64) -> String {
    format!("{seconds:.3} s")
}

/// `12.000 to 12.840 s`, or `12.345 s` where the bounds are one.
pub(super) fn moment(moment: &Moment) -> String {
    let (from, to) = (moment.earliest_seconds, moment.latest_seconds);
    match to - from < 0.0005 {
        true => seconds(to),
        false => format!("{from:.3} to {}", seconds(to)),
    }
}

pub(super) fn known(at: Option<&Moment>) -> String {
    at.map_or_else(|| "-".to_owned(), moment)
}

pub(super) fn known_seconds(at: Option<f64>) -> String {
    at.map_or_else(|| "-".to_owned(), seconds)
}

pub(super) fn why(why: &Why) -> String {
    match why {
        Why::AtStart => "there at the start".to_owned(),
        Why::ScaleUp => "scale-up".to_owned(),
        Why::Replaces(whom) => format!("replaces {whom}"),
        Why::Rollout => "rollout".to_owned(),
        Why::Unknown => "cannot tell".to_owned(),
    }
}

pub(super) fn effect(effect: &Effect) -> String {
    let word = match effect.seen.as_str() {
        "none_seen" => "no effect that users saw",
        "seen" => "users saw it",
        _ => "cannot tell whether users saw it",
    };
    format!("{word}: {}", effect.evidence)
}

/// What stands above each report.
pub(super) fn head(out: &mut String, title: &str, verdict: &Verdict, cluster: &Cluster) {
    let run = &verdict.run;
    let _ = writeln!(out, "{title}\n{}\n", "=".repeat(title.chars().count()));
    let _ = writeln!(
        out,
        "Run {}, plan {}, begun {}: {}",
        run.id,
        run.plan,
        run.started,
        verdict.outcome.word()
    );
    if !cluster.server.is_empty() {
        let _ = writeln!(
            out,
            "Cluster {}, {}, namespace {}",
            cluster.server, cluster.version, cluster.namespace
        );
    }
    let _ = writeln!(
        out,
        "Moments are seconds on the run's clock. The API's times are whole seconds, so that what rests on them has two bounds."
    );
    if cluster.clock_ahead_seconds != 0.0 {
        let _ = writeln!(
            out,
            "The API server's clock is {:.3} s ahead of it, which is taken off.",
            cluster.clock_ahead_seconds
        );
    }
    for gap in &cluster.gaps {
        let to = gap.to_seconds.map_or_else(|| "the end".to_owned(), seconds);
        let _ = writeln!(
            out,
            "Not seen from {} to {to}: {} ({})",
            seconds(gap.from_seconds),
            gap.of,
            gap.error
        );
    }
}

pub(super) fn section(out: &mut String, title: &str) {
    let _ = writeln!(out, "\n{title}\n{}", "-".repeat(title.chars().count()));
}

/// A table with a head, or the words for an empty one.
pub(super) fn table(out: &mut String, head: &[&str], rows: Vec<Vec<String>>, none: &str) {
    if rows.is_empty() {
        let _ = writeln!(out, "{none}");
        return;
    }
    let head = head.iter().map(|&name| name.to_owned()).collect();
    text::table(out, &[vec![head], rows].concat());
}

/// As `kubectl get pods -o wide` has them, with what they served.
pub(super) fn pods<'p>(out: &mut String, pods: impl Iterator<Item = &'p Pod>) {
    let rows = pods.map(|pod| {
        let usage = pod.usage.as_ref();
        let figure = |value: Option<f64>| {
            value.map_or_else(|| "-".to_owned(), |value| format!("{value:.1}"))
        };
        vec![
            pod.name.clone(),
            why(&pod.why),
            pod.node.clone().unwrap_or_else(|| "-".to_owned()),
            known(pod.created.as_ref()),
            known(pod.ready.as_ref()),
            known(pod.gone.as_ref()),
            pod.restarts.to_string(),
            pod.ended.clone().unwrap_or_else(|| "-".to_owned()),
            pod.requests.to_string(),
            figure(usage.map(|usage| usage.cpu_milli_mean)),
            figure(usage.map(|usage| usage.cpu_milli_most)),
            figure(usage.map(|usage| usage.memory_mib_most)),
        ]
    });
    let head = [
        "pod",
        "why it is there",
        "node",
        "created",
        "ready",
        "gone",
        "restarts",
        "container ended",
        "requests",
        "CPU mean (m)",
        "CPU most (m)",
        "memory most (MiB)",
    ];
    table(out, &head, rows.collect(), "no pod was seen");
}

/// Events whose object or reason the filter takes.
pub(super) fn events(out: &mut String, cluster: &Cluster, of: impl Fn(&EventLine) -> bool) {
    let rows = cluster
        .event_lines
        .iter()
        .filter(|event| of(event))
        .map(|event| {
            vec![
                seconds(event.at_seconds),
                event.level.clone(),
                event.reason.clone(),
                event.object.clone(),
                event.count.to_string(),
                event.message.replace('\n', " "),
            ]
        });
    table(
        out,
        &[
            "heard of at",
            "level",
            "reason",
            "object",
            "count",
            "message",
        ],
        rows.collect(),
        "none",
    );
}
