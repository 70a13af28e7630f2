//! A threshold: one line like `p99<250ms` that must hold in every stage, or `stress: p99<1s` in one.

use super::{format_duration, parse_duration};
use serde::{Deserialize, Serialize};
use std::str::FromStr;
use std::time::Duration;

/// One condition on one figure. Grammar: `[stage:] metric operator limit`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Threshold {
    /// As written; the name of its check.
    pub text: String,
    /// The only stage it speaks of; absent: every stage.
    pub stage: Option<String>,
    /// The figure.
    pub metric: Metric,
    /// The comparison: figure, operator, limit.
    pub operator: Operator,
    /// Milliseconds for durations, a share of 1 for rates, requests per second for throughput.
    pub limit: f64,
}

/// A figure of a stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Metric {
    /// Response time from the intended start: `p99` or `latency.p99`. Milliseconds.
    Latency(Statistic),
    /// Service time from the actual send: `service_time.p99`. Milliseconds.
    ServiceTime(Statistic),
    /// Duration of a span: `span(model_inference).p99`. Milliseconds.
    Span(String, Statistic),
    /// Share of planned exchanges that are not `ok`: `error_rate`.
    ErrorRate,
    /// Share of the traces due that are complete: `coverage`.
    Coverage,
    /// Exchanges ended per second: `requests_per_second`.
    RequestsPerSecond,
    /// Replicas that were ready and served less than a quarter of their fair share in the stage's second
    /// half: `starved_replicas`.
    StarvedReplicas,
    /// From the moment when the load asked for more to the first request that the last of a scale-up's pods served: the
    /// longest of the scale-ups: `scale_up`. Milliseconds.
    ScaleUp,
    /// From a fault that ends replicas to the moment when their replacements serve and the stage's thresholds hold
    /// again: the longest of the incidents: `recovery`. Milliseconds.
    Recovery,
}

/// A statistic of a distribution.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Statistic {
    /// The percentile, e.g. 0.999 as 999 per mille.
    Percentile {
        /// Per mille: 500, 900, 950, 990, 999.
        per_mille: u16,
    },
    /// Largest value.
    Max,
    /// Arithmetic mean.
    Mean,
}

/// How figure and limit are compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// `<`
    Less,
    /// `<=`
    LessOrEqual,
    /// `>`
    Greater,
    /// `>=`
    GreaterOrEqual,
    /// `==`
    Equal,
}

impl Operator {
    /// Whether `figure operator limit` is true.
    pub fn holds(self, figure: f64, limit: f64) -> bool {
        match self {
            Operator::Less => figure < limit,
            Operator::LessOrEqual => figure <= limit,
            Operator::Greater => figure > limit,
            Operator::GreaterOrEqual => figure >= limit,
            Operator::Equal => figure == limit,
        }
    }

    /// As written in a plan.
    pub fn symbol(self) -> &'static str {
        match self {
            Operator::Less => "<",
            Operator::LessOrEqual => "<=",
            Operator::Greater => ">",
            Operator::GreaterOrEqual => ">=",
            Operator::Equal => "==",
        }
    }
}

impl Metric {
    /// The metric is a duration: its limit has a unit.
    pub fn is_duration(&self) -> bool {
        matches!(
            self,
            Metric::Latency(_)
                | Metric::ServiceTime(_)
                | Metric::Span(..)
                | Metric::ScaleUp
                | Metric::Recovery
        )
    }

    /// It is a figure of the cluster's, over all stages or those of one.
    pub fn is_of_cluster(&self) -> bool {
        matches!(self, Metric::ScaleUp | Metric::Recovery)
    }
}

impl Threshold {
    /// The limit for a person, with its unit.
    pub fn limit_text(&self) -> String {
        if self.metric.is_duration() {
            format!(
                "{} {}",
                self.operator.symbol(),
                format_duration(Duration::from_nanos((self.limit * 1e6) as u64))
            )
        } else {
            format!("{} {}", self.operator.symbol(), self.limit)
        }
    }
}

const METRICS: &str = "p50, p90, p95, p99, p99.9, max, mean (of latency), service_time.p99, span(NAME).p99, error_rate, coverage, requests_per_second, starved_replicas, scale_up, recovery";

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Threshold, String> {
        let text = text.trim();
        let complain = |why: &str| format!("threshold {text:?}: {why}");
        let at = text
            .rfind(['<', '>', '='])
            .ok_or_else(|| complain("no comparison: write e.g. p99<250ms"))?;
        let limit_text = text[at + 1..].trim();
        let left = text[..=at].trim_end_matches(['<', '>', '=', ' ']);
        let operator = match text[left.len()..=at].trim() {
            "<" => Operator::Less,
            "<=" => Operator::LessOrEqual,
            ">" => Operator::Greater,
            ">=" => Operator::GreaterOrEqual,
            "==" | "=" => Operator::Equal,
            other => return Err(complain(&format!("{other:?} is none of < <= > >= =="))),
        };
        // A span's name may hold a colon, a stage's may not.
        let (stage, metric) = match left.find(':') {
            Some(colon) if !left[..colon].contains('(') => (
                Some(left[..colon].trim().to_owned()),
                left[colon + 1..].trim(),
            ),
            _ => (None, left.trim()),
        };
        let metric = parse_metric(metric)
            .ok_or_else(|| complain(&format!("{metric:?} is none of {METRICS}")))?;
        let limit = if metric.is_duration() {
            if limit_text.parse::<f64>().is_ok() {
                return Err(complain(&format!(
                    "the limit needs a unit: {limit_text}ms or {limit_text}s"
                )));
            }
            parse_duration(limit_text)
                .map_err(|e| complain(&e.to_string()))?
                .as_secs_f64()
                * 1e3
        } else {
            let (number, scale) = limit_text
                .strip_suffix('%')
                .map_or((limit_text, 1.0), |n| (n, 100.0));
            match number.trim().parse::<f64>() {
                Ok(n) if n.is_finite() && n >= 0.0 => n / scale,
                _ => return Err(complain(&format!("{limit_text:?} is not a number"))),
            }
        };
        Ok(Threshold {
            text: text.to_owned(),
            stage,
            metric,
            operator,
            limit,
        })
    }
}

fn parse_metric(text: &str) -> Option<Metric> {
    match text {
        "error_rate" => return Some(Metric::ErrorRate),
        "coverage" => return Some(Metric::Coverage),
        "requests_per_second" | "rps" => return Some(Metric::RequestsPerSecond),
        "scale_up" => return Some(Metric::ScaleUp),
        "recovery" => return Some(Metric::Recovery),
        "starved_replicas" => return Some(Metric::StarvedReplicas),
        _ => {}
    }
    if let Some(rest) = text.strip_prefix("span(") {
        let (name, statistic) = rest.rsplit_once(").")?;
        return Some(Metric::Span(name.to_owned(), parse_statistic(statistic)?));
    }
    if let Some(statistic) = text.strip_prefix("service_time.") {
        return Some(Metric::ServiceTime(parse_statistic(statistic)?));
    }
    parse_statistic(text.strip_prefix("latency.").unwrap_or(text)).map(Metric::Latency)
}

fn parse_statistic(text: &str) -> Option<Statistic> {
    let percentile = |per_mille| Some(Statistic::Percentile { per_mille });
    match text.trim() {
        "p50" | "med" | "median" | "p(50)" => percentile(500),
        "p90" | "p(90)" => percentile(900),
        "p95" | "p(95)" => percentile(950),
        "p99" | "p(99)" => percentile(990),
        "p99.9" | "p999" | "p(99.9)" => percentile(999),
        "max" => Some(Statistic::Max),
        "mean" | "avg" => Some(Statistic::Mean),
        _ => None,
    }
}

impl TryFrom<String> for Threshold {
    type Error = String;
    fn try_from(text: String) -> Result<Threshold, String> {
        text.parse()
    }
}

impl From<Threshold> for String {
    fn from(threshold: Threshold) -> String {
        threshold.text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_write() {
        let p99 = Statistic::Percentile { per_mille: 990 };
        for (text, stage, metric, operator, limit) in [
            (
                "p99<250ms",
                None,
                Metric::Latency(p99),
                Operator::Less,
                250.0,
            ),
            (
                "p(99) <= 1s",
                None,
                Metric::Latency(p99),
                Operator::LessOrEqual,
                1000.0,
            ),
            (
                "stress: service_time.p99<2s",
                Some("stress"),
                Metric::ServiceTime(p99),
                Operator::Less,
                2000.0,
            ),
            (
                "span(GET /a:b).max<5ms",
                None,
                Metric::Span("GET /a:b".into(), Statistic::Max),
                Operator::Less,
                5.0,
            ),
            (
                "error_rate<1%",
                None,
                Metric::ErrorRate,
                Operator::Less,
                0.01,
            ),
            ("coverage==1", None, Metric::Coverage, Operator::Equal, 1.0),
            (
                "rps>=1000",
                None,
                Metric::RequestsPerSecond,
                Operator::GreaterOrEqual,
                1000.0,
            ),
        ] {
            let t: Threshold = text.parse().unwrap();
            assert_eq!(
                (t.stage.as_deref(), t.metric, t.operator, t.limit),
                (stage, metric, operator, limit),
                "{text}"
            );
        }
        for text in [
            "",
            "p99",
            "p99<",
            "p99<250",
            "p42<1s",
            "p99<>1s",
            "error_rate<-1",
            "coverage==x",
            "span(x)<1s",
        ] {
            assert!(text.parse::<Threshold>().is_err(), "{text}");
        }
    }
}
