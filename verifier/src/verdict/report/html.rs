//! `report.html`: one self-contained file, no script, no network; for a screen, a phone, a printer.

use super::link::pieces;
use super::pictures::{Bar, Pictures, Waterfall};
use super::{charts, duration, grouped, known, parts, percent, text, timeline};
use crate::record::TraceLink;
use crate::verdict::cluster::Cluster;
use crate::verdict::outcome::{Check, Judgement, Stage, Verdict};
use anyhow::Result;
use maud::{DOCTYPE, Markup, PreEscaped, html};

const STYLE: &str = include_str!("report.css");

/// The page; trace ids lead to where the link says.
pub(super) fn to_html(
    verdict: &Verdict,
    pictures: &Pictures,
    link: Option<&TraceLink>,
) -> Result<String> {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (verdict.outcome.word()) " · " (verdict.run.id) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                (head(verdict, link))
                main {
                    @if let Some(saturation) = &verdict.saturation { (section("Search", set(&parts::probes(saturation)))) }
                    (section("Stages", stages(verdict)))
                    @if let Some(cluster) = &verdict.cluster { (section("Cluster", of_cluster(pictures, cluster)?)) }
                    (section("Tasks, replicas, load workers", parts_of_stages(verdict)))
                    (section("Latency", html! {
                        (figure("Response time from the intended start, by stage (logarithmic). A bar is missing where the samples do not support the percentile.", &charts::latency_by_stage(&verdict.stages)?))
                        (figure("Response time over percentiles, as far as the number of samples supports them.", &charts::spectrum(pictures)?))
                    }))
                    (section("Where the time went", attribution(verdict)?))
                    (section("Throughput", figure("Answers (blue) and failures (red) per second.", &charts::throughput(pictures)?)))
                    (section("Traces", traces(verdict, link)))
                    (section("HTTP outcome × span status", errors(verdict, link)))
                    @if !pictures.waterfalls.is_empty() { (section("Single traces", waterfalls(pictures, link))) }
                    (section("Checks", checks(&verdict.checks, link)))
                    (section("Limits of this run", limits(verdict)))
                }
            }
        }
    };
    Ok(page.into_string())
}

fn section(title: &str, content: Markup) -> Markup {
    html! { section { h2 { (title) } (content) } }
}

fn figure(caption: &str, svg: &str) -> Markup {
    html! { figure { (PreEscaped(svg)) figcaption { (caption) } } }
}

fn badge(outcome: Judgement) -> Markup {
    html! { span class={ "badge " (outcome.word().to_lowercase()) } { (outcome.word()) } }
}

/// The text, with its trace ids as links.
fn linked(text: &str, link: Option<&TraceLink>) -> Markup {
    html! { @for piece in pieces(text, link) {
        @match piece.address {
            Some(address) => a href=(address) { (piece.text) },
            None => (piece.text),
        }
    } }
}

fn head(verdict: &Verdict, link: Option<&TraceLink>) -> Markup {
    let run = &verdict.run;
    html! {
        header {
            h1 { (badge(verdict.outcome)) " " (run.id) }
            ul.reasons {
                @for reason in &verdict.reasons { li { (linked(reason, link)) } }
                @for warning in &verdict.warnings { li { "Warning: " (linked(warning, link)) } }
            }
            dl {
                div { dt { "Plan" } dd { (run.plan) @if let Some(seed) = run.seed { ", seed " (seed) } } }
                div { dt { "Begun" } dd { (run.started) } }
                div { dt { "Target" } dd { (run.target.as_deref().unwrap_or("unknown")) } }
                div { dt { "Load from" } dd { (run.host) } }
                div { dt { "Verifier" } dd { (run.verifier_version) } }
            }
        }
    }
}

fn stages(verdict: &Verdict) -> Markup {
    html! {
        div.scroll { table {
            thead { tr {
                th { "stage" } th.n { "req/s" } th.n { "p50" } th.n { "p90" } th.n { "p99" } th.n { "p99.9" } th.n { "max" }
                th.n { "service p99" } th.n { "planned" } th.n { "failed" } th.n { "coverage" }
            } }
            tbody { @for stage in &verdict.stages { tr {
                td.stage { (stage.name) }
                td.n { (parts::achieved(stage)) }
                td.n { (known(stage.latency_ms.p50)) }
                td.n { (known(stage.latency_ms.p90)) }
                td.n { (known(stage.latency_ms.p99)) }
                td.n { (known(stage.latency_ms.p999)) }
                td.n { (known(stage.latency_ms.max)) }
                td.n { (known(stage.service_time_ms.p99)) }
                td.n { (grouped(stage.exchanges.planned)) }
                td.n { (grouped(stage.exchanges.planned - stage.exchanges.ok)) }
                td.n { (percent(stage.traces.coverage)) }
            } } }
        } }
    }
}

/// The run on one axis, the scale-ups and the incidents.
fn of_cluster(pictures: &Pictures, cluster: &Cluster) -> Result<Markup> {
    Ok(html! {
        @if let Some(svg) = timeline::chart(pictures, cluster)? {
            (figure("One axis: replicas, CPU against the HPA's target, latency, failures. Grey lines: a stage begins; red lines: a replica ended; orange lines: another fault.", &svg))
        }
        @for table in parts::of_cluster(cluster) { (set(&table)) }
    })
}

/// Each stage's tables of its parts.
fn parts_of_stages(verdict: &Verdict) -> Markup {
    html! { @for stage in &verdict.stages {
        @let tables = parts::tables(stage);
        @if !tables.is_empty() { h3 { (stage.name) } }
        @for table in tables { (set(&table)) }
    } }
}

fn set(table: &parts::Table) -> Markup {
    html! { div.scroll { table {
        thead { tr { @for (column, name) in table.head.iter().enumerate() {
            @if column == 0 { th { (name) } } @else { th.n { (name) } }
        } } }
        tbody { @for row in &table.rows { tr { @for (column, cell) in row.iter().enumerate() {
            @if column == 0 { td.stage { (cell) } } @else { td.n { (cell) } }
        } } } }
    } } }
}

fn attribution(verdict: &Verdict) -> Result<Markup> {
    let chart = charts::attribution(&verdict.stages)?;
    Ok(html! {
        @match chart {
            None => p { "Unknown: fewer than 1000 complete traces in every stage." },
            Some(svg) => (figure("Mean latency of the median's band (45th to 55th percentile) and of the slowest hundredth, by part. The parts add up to the latency.", &svg)),
        }
        @for stage in &verdict.stages { @if let Some(cause) = text::cause(stage) { p { (cause) "." } } }
        div.scroll { table {
            thead { tr { th { "stage" } th { "span" } th.n { "n" } th.n { "p50" } th.n { "p90" } th.n { "p99" } th.n { "max" } } }
            tbody { @for stage in &verdict.stages { @for (name, d) in &stage.spans_ms { tr {
                td.stage { (stage.name) } td { (name) } td.n { (grouped(d.n)) }
                td.n { (known(d.p50)) } td.n { (known(d.p90)) } td.n { (known(d.p99)) } td.n { (known(d.max)) }
            } } } }
        } }
    })
}

fn traces(verdict: &Verdict, link: Option<&TraceLink>) -> Markup {
    let sum = |of: fn(&Stage) -> u64| verdict.stages.iter().map(of).sum::<u64>();
    let planned = sum(|s| s.exchanges.planned);
    let funnel = [
        ("planned", planned),
        ("sent", sum(|s| s.exchanges.sent)),
        ("answered", sum(|s| s.exchanges.ok + s.exchanges.http_error)),
        (
            "any span arrived",
            sum(|s| s.traces.complete + s.traces.incomplete),
        ),
        ("trace complete", sum(|s| s.traces.complete)),
    ];
    let examples = || {
        verdict
            .stages
            .iter()
            .flat_map(|s| s.traces.examples.iter().map(move |e| (&s.name, e)))
    };
    let r = &verdict.receiver;
    html! {
        div.funnel { @for (name, count) in funnel { div {
            span { (name) }
            div.bar style={ "width:" (format!("{:.3}", 100.0 * count as f64 / planned.max(1) as f64)) "%" } {}
            b { (grouped(count)) }
        } } }
        div.scroll { table {
            thead { tr { th { "stage" } th.n { "due" } th.n { "complete" } th.n { "incomplete" } th.n { "missing" } th.n { "orphans" } th.n { "duplicate spans" } th.n { "late" } } }
            tbody { @for s in &verdict.stages { tr {
                td.stage { (s.name) } td.n { (grouped(s.traces.expected)) } td.n { (grouped(s.traces.complete)) } td.n { (grouped(s.traces.incomplete)) }
                td.n { (grouped(s.traces.missing)) } td.n { (grouped(s.traces.orphan)) } td.n { (grouped(s.traces.duplicate)) } td.n { (grouped(s.traces.late)) }
            } } }
        } }
        p {
            "The receiver took " (grouped(r.spans)) " spans of this run in " (grouped(r.requests)) " export requests; "
            (grouped(r.foreign_spans)) " spans of other traces, " (grouped(r.malformed_spans)) " malformed, "
            (grouped(r.refused_requests)) " requests refused."
        }
        (books(verdict))
        @if examples().next().is_some() {
            ul { @for (stage, example) in examples() { li { (stage) ": " code { (linked(example, link)) } } } }
        }
    }
}

/// What the target's processes say of their spans, and where the missing ones were lost.
fn books(verdict: &Verdict) -> Markup {
    let lost = |reasons: &std::collections::BTreeMap<String, u64>| {
        let each = reasons
            .iter()
            .map(|(why, n)| format!("{} {why}", grouped(*n)));
        each.collect::<Vec<_>>().join(", ")
    };
    html! {
        @for table in parts::way(verdict) { (set(&table)) }
        @if !verdict.services.is_empty() {
            div.scroll { table {
                thead { tr { th { "span books of" } th.n { "started" } th.n { "acknowledged" } th.n { "queued" } th.n { "left on disk" } th { "lost" } th.n { "requests refused" } } }
                tbody { @for s in &verdict.services { tr {
                    td.stage { (s.source) @if !s.last { " (ended before the run)" } }
                    td.n { (grouped(s.started + s.recovered)) } td.n { (grouped(s.acknowledged)) } td.n { (grouped(s.queued)) }
                    td.n { (grouped(s.left_on_disk)) } td { (lost(&s.lost)) } td.n { (grouped(s.refused_requests)) }
                } } }
            } }
        }
        @for source in verdict.sources.iter().filter(|source| source.losses.missing_spans > 0) {
            div.scroll { table {
                thead { tr { th { "missing spans" @if verdict.sources.len() > 1 { " in " (source.name) } } th.n { "how many" } th { "why" } } }
                tbody { @for loss in &source.losses.places { tr {
                    td.stage { (loss.place.words()) } td.n { (grouped(loss.spans)) } td { (loss.reason) }
                } } }
            } }
        }
    }
}

fn errors(verdict: &Verdict, link: Option<&TraceLink>) -> Markup {
    let columns = ["no_error", "error", "no_root_span"];
    html! {
        div.scroll { table {
            thead { tr { th { "stage" } th { "outcome" } @for c in columns { th.n { (c.replace('_', " ")) } } th { "example" } } }
            tbody { @for stage in &verdict.stages { @for (outcome, row) in &stage.error_spans.matrix { tr {
                td.stage { (stage.name) } td { (outcome) }
                @for c in columns { td.n { (grouped(row.get(c).map_or(0, |cell| cell.count))) } }
                td { code { (linked(row.values().last().and_then(|cell| cell.examples.first()).map_or("", String::as_str), link)) } }
            } } } }
        } }
        @for stage in &verdict.stages { @for span in &stage.error_spans.spans {
            p { (stage.name) ": " (grouped(span.count)) " error spans " b { (span.name) } " " code { (span.detail) } ", e.g. "
                code { (linked(span.examples.first().map_or("", String::as_str), link)) } }
        } }
        @if verdict.stages.iter().all(|s| s.error_spans.spans.is_empty()) { p { "No span ended with an error status." } }
    }
}

fn waterfalls(pictures: &Pictures, link: Option<&TraceLink>) -> Markup {
    html! { @for w in &pictures.waterfalls {
        div.waterfall {
            h3 { (w.why) " · " (w.title) " · " (duration(w.length_ns as f64 / 1e6)) }
            code { (linked(&w.trace_id, link)) }
            @for bar in &w.bars { (bar_row(w, bar)) }
        }
    } }
}

fn bar_row(w: &Waterfall, bar: &Bar) -> Markup {
    let share = |ns: f64| (100.0 * ns / w.length_ns as f64).clamp(0.0, 100.0);
    let (left, width) = (share(bar.start_ns as f64), share(bar.duration_ns as f64));
    let kind = if bar.error {
        "error"
    } else if bar.client {
        "client"
    } else {
        "span"
    };
    let style = format!("left:{left:.3}%;width:{:.3}%", width.min(100.0 - left));
    html! { div.row title=(bar.note) {
        span.name { (bar.name) }
        div.track { div class={ "mark " (kind) } style=(style) {} }
        span.n { (duration(bar.duration_ns as f64 / 1e6)) }
    } }
}

fn checks(checks: &[Check], link: Option<&TraceLink>) -> Markup {
    html! { div.scroll { table {
        thead { tr { th { "" } th { "stage" } th { "check" } th { "evidence" } } }
        tbody { @for check in checks { tr {
            td { (badge(check.outcome)) } td.stage { (check.stage.as_deref().unwrap_or("")) } td { (check.name) }
            td { @for line in &check.evidence { div { (linked(line, link)) } } }
        } } }
    } } }
}

fn limits(verdict: &Verdict) -> Markup {
    html! { ul {
        li { "One load generator on one machine: " (verdict.run.host) ". A target on the same machine shares its CPUs, and latencies are then higher than they would be apart." }
        li { "Percentiles are exact (nearest rank); one that fewer than two samples would exceed with 99 % confidence is n/a." }
        li { "Closed stages slow down with the target; their latencies say nothing about a load that does not wait." }
        @for stage in &verdict.stages { @if let Some(late) = text::seen_late(stage) { li { (late) "." } } }
        @for clock in &verdict.clocks {
            li {
                "Clock of " (clock.source) ": between " (duration(clock.least_ms)) " and " (duration(clock.greatest_ms)) " ahead of the verifier's"
                @if clock.contradictory { "; no constant offset explains all of its spans" } "."
            }
        }
    } }
}
