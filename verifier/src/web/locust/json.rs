//! `/stats/requests`, field by field as Locust 2.47.0 has it (`locust/web.py`, `StatsEntry.to_dict`).

use super::figures::{ErrorRow, Figures, Row};
use super::words::{rounded_ms, state};
use serde_json::{Value, json};

/// The whole answer.
pub(super) fn requests(figures: &Figures) -> Value {
    let total = &figures.total;
    let rows = figures.rows.iter().chain([total]).map(stat);
    let [p50, p95] = figures.present_ms.map(|ms| ms.map(rounded_ms));
    let ratio = match total.requests {
        0 => 0.0,
        requests => total.failures as f64 / requests as f64,
    };
    json!({
        "stats": rows.collect::<Vec<Value>>(),
        "errors": figures.errors.iter().map(error).collect::<Vec<Value>>(),
        "current_rps": total.present_rates[0],
        "current_fail_per_sec": total.present_rates[1],
        "total_rps": total.total_rates[0],
        "total_fail_per_sec": total.total_rates[1],
        "fail_ratio": ratio,
        "current_response_time_percentiles": {
            "response_time_percentile_0.5": p50.unwrap_or(0),
            "response_time_percentile_0.95": p95.unwrap_or(0),
        },
        "state": state(figures.state, figures.spawning),
        "user_count": figures.user_count,
    })
}

fn stat(row: &Row) -> Value {
    let whole = |ms: Option<f64>| ms.map_or(0, |ms| ms.round() as u64);
    let percentile = |place: usize| row.percentiles_ms[place].map_or(0, rounded_ms);
    let method = (!row.method.is_empty()).then_some(&row.method);
    json!({
        "method": method.map_or("", |method| method),
        "name": row.name,
        "num_requests": row.requests,
        "num_failures": row.failures,
        "min_response_time": whole(row.least_ms),
        "max_response_time": whole(row.most_ms),
        "current_rps": row.present_rates[0],
        "current_fail_per_sec": row.present_rates[1],
        "avg_response_time": row.mean_ms.unwrap_or(0.0),
        "median_response_time": median(row),
        "total_rps": row.total_rates[0],
        "total_fail_per_sec": row.total_rates[1],
        "response_time_percentile_0.95": percentile(5),
        "response_time_percentile_0.99": percentile(7),
        "avg_content_length": row.content,
    })
}

/// The median's bucket, or the exact least or largest response time where it lies beyond.
pub(super) fn median(row: &Row) -> Value {
    let Some(median) = row.percentiles_ms[0] else {
        return json!(0);
    };
    let rounded = rounded_ms(median);
    match (row.least_ms, row.most_ms) {
        (_, Some(most)) if rounded as f64 > most => json!(most),
        (Some(least), _) if (rounded as f64) < least => json!(least),
        _ => json!(rounded),
    }
}

fn error(row: &ErrorRow) -> Value {
    json!({
        "method": row.method,
        "name": row.name,
        "error": row.error,
        "occurrences": row.occurrences,
        "first_seen": row.first_unix_seconds,
        "last_seen": row.last_unix_seconds,
    })
}
