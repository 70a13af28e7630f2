//! One event of either API in, what is kept of it out.

use super::super::reading::{count, micro_unix_ns, text, unix_ns};
use crate::record::cluster::Event;
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::api::{core, events};
use kube::ResourceExt;

/// Of `events.k8s.io/v1`.
pub(super) fn of_events(event: &events::v1::Event) -> Event {
    let series = event.series.as_ref();
    let source = event
        .deprecated_source
        .as_ref()
        .and_then(|s| s.component.as_ref());
    let last = series
        .and_then(|series| micro_unix_ns(Some(&series.last_observed_time)))
        .or_else(|| unix_ns(event.deprecated_last_timestamp.as_ref()))
        .or_else(|| micro_unix_ns(event.event_time.as_ref()))
        .or_else(|| unix_ns(event.metadata.creation_timestamp.as_ref()));
    let times = series.map(|series| series.count).or(event.deprecated_count);
    Event {
        uid: event.uid().unwrap_or_default(),
        level: text(event.type_.as_ref()),
        reason: text(event.reason.as_ref()),
        message: text(event.note.as_ref()),
        from: from(event.reporting_controller.as_ref(), source),
        last_unix_ns: last,
        count: count(times).max(1),
        ..about(event.regarding.as_ref())
    }
}

/// Of core/v1.
pub(super) fn of_core(event: &core::v1::Event) -> Event {
    let series = event.series.as_ref();
    let source = event.source.as_ref().and_then(|s| s.component.as_ref());
    let last = series
        .and_then(|series| micro_unix_ns(series.last_observed_time.as_ref()))
        .or_else(|| unix_ns(event.last_timestamp.as_ref()))
        .or_else(|| micro_unix_ns(event.event_time.as_ref()))
        .or_else(|| unix_ns(event.metadata.creation_timestamp.as_ref()));
    let times = series.and_then(|series| series.count).or(event.count);
    Event {
        uid: event.uid().unwrap_or_default(),
        level: text(event.type_.as_ref()),
        reason: text(event.reason.as_ref()),
        message: text(event.message.as_ref()),
        from: from(event.reporting_component.as_ref(), source),
        last_unix_ns: last,
        count: count(times).max(1),
        ..about(Some(&event.involved_object))
    }
}

/// Who says it, in the newer field or in the older.
fn from(controller: Option<&String>, source: Option<&String>) -> String {
    let named = controller.filter(|name| !name.is_empty());
    text(named.or(source))
}

fn about(object: Option<&ObjectReference>) -> Event {
    Event {
        object_kind: text(object.and_then(|object| object.kind.as_ref())),
        object: text(object.and_then(|object| object.name.as_ref())),
        object_uid: text(object.and_then(|object| object.uid.as_ref())),
        ..Event::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{from_value, json};

    /// The same event of an older controller, as each of the two APIs gives it.
    #[test]
    fn both_apis_give_the_same() {
        let about = json!({ "kind": "HorizontalPodAutoscaler", "name": "iris-prediction-api-hpa", "uid": "h", "namespace": "iris" });
        let newer = of_events(&from_value(json!({
            "metadata": { "name": "e", "uid": "e-1" }, "eventTime": null,
            "type": "Normal", "reason": "SuccessfulRescale", "note": "New size: 4; reason: cpu resource utilization",
            "regarding": about, "deprecatedCount": 3, "deprecatedSource": { "component": "horizontal-pod-autoscaler" },
            "reportingController": "", "deprecatedFirstTimestamp": "2026-11-29T01:02:01Z", "deprecatedLastTimestamp": "2026-11-29T01:02:03Z"
        })).unwrap());
        let older = of_core(&from_value(json!({
            "metadata": { "name": "e", "uid": "e-1" },
            "type": "Normal", "reason": "SuccessfulRescale", "message": "New size: 4; reason: cpu resource utilization",
            "involvedObject": about, "count": 3, "source": { "component": "horizontal-pod-autoscaler" },
            "firstTimestamp": "2026-11-29T01:02:01Z", "lastTimestamp": "2026-11-29T01:02:03Z"
        })).unwrap());
        assert_eq!(newer, older);
        assert_eq!(
            (newer.count, newer.from.as_str()),
            (3, "horizontal-pod-autoscaler")
        );
        assert_eq!(newer.last_unix_ns, Some(1_795_914_123_000_000_000));
        assert_eq!(
            (newer.object_kind.as_str(), newer.object_uid.as_str()),
            ("HorizontalPodAutoscaler", "h")
        );
    }

    #[test]
    fn a_series_counts_on() {
        let event = of_events(&from_value(json!({
            "metadata": { "name": "e", "uid": "e-2" }, "eventTime": "2026-11-29T01:02:03.500000Z",
            "series": { "count": 7, "lastObservedTime": "2026-11-29T01:03:03.250000Z" },
            "type": "Warning", "reason": "FailedScheduling", "note": "0/1 nodes are available: 1 Insufficient cpu.",
            "regarding": { "kind": "Pod", "name": "p", "uid": "p-1" }, "reportingController": "default-scheduler"
        })).unwrap());
        assert_eq!((event.count, event.level.as_str()), (7, "Warning"));
        assert_eq!(event.last_unix_ns, Some(1_795_914_183_250_000_000));
        let once = of_events(&from_value(json!({
            "metadata": { "name": "e", "uid": "e-3" }, "eventTime": "2026-11-29T01:02:03.5Z", "reason": "Scheduled"
        })).unwrap());
        assert_eq!(
            (once.count, once.last_unix_ns),
            (1, Some(1_795_914_123_500_000_000))
        );
    }
}
