//! The autoscaler as kubectl prints it, and what is kept of it.

use super::*;

fn hpa(json: serde_json::Value) -> Hpa {
    record(&serde_json::from_value(json).unwrap())
}

#[test]
fn an_autoscaler_at_its_limit() {
    let hpa = hpa(serde_json::json!({
        "apiVersion": "autoscaling/v2", "kind": "HorizontalPodAutoscaler",
        "metadata": { "name": "iris-prediction-api-hpa", "uid": "u", "namespace": "iris" },
        "spec": {
            "minReplicas": 2, "maxReplicas": 10,
            "scaleTargetRef": { "apiVersion": "apps/v1", "kind": "Deployment", "name": "iris-prediction-api" },
            "metrics": [
                { "type": "Resource", "resource": { "name": "memory", "target": { "type": "Utilization", "averageUtilization": 90 } } },
                { "type": "Resource", "resource": { "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 65 } } }
            ]
        },
        "status": {
            "currentReplicas": 9, "desiredReplicas": 10, "lastScaleTime": "2026-11-29T01:02:03Z",
            "currentMetrics": [
                { "type": "Resource", "resource": { "name": "memory", "current": { "averageUtilization": 12, "averageValue": "9" } } },
                { "type": "Resource", "resource": { "name": "cpu", "current": { "averageUtilization": 164, "averageValue": "410m" } } }
            ],
            "conditions": [{
                "type": "ScalingLimited", "status": "True", "reason": "TooManyReplicas",
                "message": "the desired replica count is more than the maximum replica count",
                "lastTransitionTime": "2026-11-29T01:02:18Z"
            }]
        }
    }));
    assert_eq!((hpa.min, hpa.max, hpa.current, hpa.desired), (2, 10, 9, 10));
    assert_eq!(
        (hpa.cpu_percent, hpa.target_cpu_percent),
        (Some(164), Some(65))
    );
    assert_eq!(hpa.last_scale_unix_ns, Some(1_795_914_123_000_000_000));
    let limited = &hpa.conditions[0];
    assert_eq!(
        (limited.name.as_str(), limited.status.as_str()),
        ("ScalingLimited", "True")
    );
    assert_eq!(limited.reason, "TooManyReplicas");
    assert_eq!(limited.since_unix_ns, Some(1_795_914_138_000_000_000));
}

#[test]
fn one_that_has_not_looked_yet() {
    let hpa = hpa(serde_json::json!({
        "metadata": { "name": "h" },
        "spec": {
            "maxReplicas": 3,
            "scaleTargetRef": { "kind": "Deployment", "name": "d" },
            "metrics": [{ "type": "ContainerResource", "containerResource": {
                "container": "d", "name": "cpu", "target": { "type": "Utilization", "averageUtilization": 50 } } }]
        }
    }));
    assert_eq!((hpa.min, hpa.max, hpa.current, hpa.desired), (1, 3, 0, 0));
    assert_eq!((hpa.cpu_percent, hpa.target_cpu_percent), (None, Some(50)));
    assert_eq!(hpa.conditions, []);
}
