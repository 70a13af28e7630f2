"""Looks into the verdict of a run on the testbed's cluster: that it passed says little of whether it saw what took place.

looked_into.py PLAN FOLDER: exit code 1, and what does not hold, if something does not.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

STEPS = [
    "load_step", "metric_above_target", "desired_raised", "pod_created", "pod_scheduled",
    "container_started", "pod_ready", "endpoint_ready", "first_request_served", "thresholds_met_again",
]
REPORTS = ["hpa_scaling_report.txt", "pod_failure_report.txt", "success_operations_report.txt"]


def every_run(verdict, folder):
    """What holds of each of these runs."""
    cluster = verdict["cluster"]
    yield "the cluster was seen without a gap", cluster["gaps"] == []
    yield "every fault was done", all(fault["at_seconds"] is not None for fault in cluster["faults"])
    for name in REPORTS:
        yield f"{name} is there", (folder / name).stat().st_size > 1000
    for name in ("legacy/wrk_test_results.txt", "legacy/locust_test_results.txt", "opentelemetry_traces/trace_list.txt"):
        yield f"{name} is there", (folder / name).exists()
    for pod in cluster["pods"]:
        order = [pod[name] for name in ("created", "scheduled", "started", "ready", "endpoint", "first_served")]
        seen = [moment for moment in order if moment]
        pairs = zip(seen, seen[1:])
        in_order = all(a["earliest_seconds"] <= b["latest_seconds"] for a, b in pairs)
        yield f"{pod['name']} lived in order", in_order
    yield "requests by pod add up", sum(pod["requests"] for pod in cluster["pods"]) == sum(
        replica["requests"] for stage in verdict["stages"] for replica in stage["replicas"])


def scale_out(verdict):
    cluster = verdict["cluster"]
    ups = [up for up in cluster["scale_ups"] if up["stage"] == "up"]
    yield "the HPA raised the scale under load", bool(ups) and all(up["cause"] == "hpa" for up in ups)
    for up in ups:
        steps = {step["name"]: step["at"] for step in up["steps"]}
        yield "each step is named", list(steps) == STEPS
        # Thresholds that were never broken are not met again.
        missing = [name for name, at in steps.items() if at is None and name != "thresholds_met_again"]
        yield f"each step was seen, but {missing}", missing == []
        yield "the pods that came are counted", len(up["pods"]) == up["to"] - up["from"]
    most = max(point["ready"] for point in cluster["scale"])
    yield "several pods were ready", most >= 3
    yield "the scale fell again", cluster["scale"][-1]["desired"] == cluster["hpa"]["min"]
    yield "no pod that the scale let go is an incident", cluster["incidents"] == []
    yield "every trace is there", all(stage["traces"]["coverage"] == 1 for stage in verdict["stages"])
    came = [pod for pod in cluster["pods"] if pod["why"] == "scale_up"]
    yield "each pod that came served", bool(came) and all(pod["requests"] > 0 for pod in came)


def pod_loss(verdict):
    cluster = verdict["cluster"]
    incidents = {incident["name"]: incident for incident in cluster["incidents"]}
    yield "four incidents, all planned", set(incidents) == {
        "delete-one", "evict-one", "force-delete-one", "delete-all"}
    for name in ("delete-one", "evict-one"):
        yield f"{name} lost nothing", incidents[name]["requests_lost"] == incidents[name]["spans_lost"] == 0
    failed = sum(stage["exchanges"]["planned"] - stage["exchanges"]["ok"] for stage in verdict["stages"])
    yield "what was lost is what the client saw", sum(i["requests_lost"] for i in incidents.values()) == failed
    missing = sum(stage["traces"]["spans_missing"] for stage in verdict["stages"])
    yield "spans lost are those that are missing", sum(i["spans_lost"] for i in incidents.values()) == missing
    for name, incident in incidents.items():
        yield f"{name} was recovered from", incident["recovery_seconds"] is not None
        yield f"{name}: each victim has its replacement", (
            len(incident["victims"]) == len(incident["replacements"])
            and {victim["name"] for victim in incident["victims"]} == {r["of"] for r in incident["replacements"]})
    yield from as_the_cluster_says(cluster)


def as_the_cluster_says(cluster):
    """Pods that still live are asked of the API: the moment of their readiness lies between the two bounds, within a second."""
    asked = ["kubectl", "-n", cluster["namespace"], "get", "pods", "-l", "app=iris-prediction-api", "-o", "json"]
    pods = json.loads(subprocess.run(asked, check=True, capture_output=True).stdout)["items"]
    began = cluster["_origin_unix_seconds"]
    compared = 0
    for pod in pods:
        ready = [c for c in pod["status"]["conditions"] if c["type"] == "Ready" and c["status"] == "True"]
        known = [p for p in cluster["pods"] if p["uid"] == pod["metadata"]["uid"] and p["ready"]]
        if not ready or not known:
            continue
        at = seconds(ready[0]["lastTransitionTime"]) - began
        bounds = known[0]["ready"]
        compared += 1
        yield f"{pod['metadata']['name']} was ready when the cluster says", (
            bounds["earliest_seconds"] - 1 <= at <= bounds["latest_seconds"] + 1)
    yield "a pod was compared", compared > 0


def seconds(rfc3339):
    from datetime import datetime
    return datetime.fromisoformat(rfc3339.replace("Z", "+00:00")).timestamp()


def rolling_update(verdict):
    cluster = verdict["cluster"]
    failed = sum(stage["exchanges"]["planned"] - stage["exchanges"]["ok"] for stage in verdict["stages"])
    yield "no request failed", failed == 0
    yield "no span is missing", all(stage["traces"]["spans_missing"] == 0 for stage in verdict["stages"])
    yield "one rollout", cluster["deployment"]["rollouts"] == 1
    rolled = [pod for pod in cluster["pods"] if pod["why"] == "rollout"]
    yield "its pods served", len(rolled) >= 2 and all(pod["requests"] > 0 for pod in rolled)
    yield "every old pod is gone", all(pod["gone"] for pod in cluster["pods"] if pod["why"] == "at_start")


def beyond_capacity(verdict):
    cluster = verdict["cluster"]
    troubles = {trouble["reason"]: trouble for trouble in cluster["troubles"]}
    yield "pods for which there is no room are named", "Unschedulable" in troubles
    message = troubles.get("Unschedulable", {}).get("message", "")
    yield f"and why: {message!r}", re.search("Insufficient cpu", message) is not None
    yield "whoever raised the scale is named", any(up["cause"] == "scale-to-20" for up in cluster["scale_ups"])


def guide(verdict):
    yield "twelve stages and more were run", len(verdict["stages"]) >= 12
    names = {incident["name"] for incident in verdict["cluster"]["incidents"]}
    yield f"pods were lost: {names}", len(names) >= 2
    yield "every stage's books balance", all(
        check["outcome"] == "pass" for check in verdict["checks"] if check["name"] == "books_balance")


def without(what, verdict):
    """A run on whose way something was taken away: it says so, and is judged on the rest."""
    if what == "process":
        yield from without_process(verdict)
        return
    if what == "reason":
        yield from without_reason(verdict)
        return
    gaps = {gap["of"]: gap for gap in verdict["cluster"]["gaps"]}
    lost = {
        "api-server": {"pods", "Deployment", "EndpointSlices"},
        "metrics-server": {"PodMetrics"},
        "hpa": {"HorizontalPodAutoscaler"},
        "rights": {"HorizontalPodAutoscaler", "Deployment", "EndpointSlices", "events"},
        # A watch that is open goes on; what asks anew is refused.
        "token": {"PodMetrics"},
    }[what]
    yield f"what was not seen is told: {sorted(gaps)}", lost <= set(gaps)
    if what in ("hpa", "metrics-server", "rights"):
        yield "the pods were seen all the same", "pods" not in gaps and len(verdict["cluster"]["pods"]) >= 2
    if what == "api-server":
        lengths = [gap["to_seconds"] - gap["from_seconds"] for gap in gaps.values() if gap["to_seconds"]]
        yield f"every gap has its end: {lengths}", len(lengths) == len(gaps) and max(lengths) > 10
    for gap in gaps.values():
        yield f"why: {gap}", len(gap["error"]) > 10
    yield "the load was judged", verdict["outcome"] == "pass"


def without_process(verdict):
    """A container that was killed: an incident that nobody planned, counted as the client saw it."""
    incidents = verdict["cluster"]["incidents"]
    yield f"one incident: {incidents}", len(incidents) == 1
    incident = incidents[0]
    yield "nobody planned it, and it is named", incident["action"] is None and incident["name"] == "Error"
    yield "exit code 137", "137" in incident["victims"][0]["ended"]
    yield "its own pod is its replacement", incident["replacements"][0]["name"] == incident["victims"][0]["name"]
    yield "it was recovered from", incident["recovery_seconds"] is not None
    failed = sum(stage["exchanges"]["planned"] - stage["exchanges"]["ok"] for stage in verdict["stages"])
    yield f"{failed} requests lost", incident["requests_lost"] == failed
    missing = sum(stage["traces"]["spans_missing"] for stage in verdict["stages"])
    yield f"{missing} spans lost", incident["spans_lost"] == missing


def without_reason(verdict):
    """Pods that could not start: each named rightly, and no request failed."""
    reasons = {trouble["reason"] for trouble in verdict["cluster"]["troubles"]}
    images = {"ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull"}
    yield f"an image that is not there, in {reasons}", bool(images & reasons)
    yield f"a container that ends again and again, in {reasons}", "CrashLoopBackOff" in reasons
    yield "nobody noticed", verdict["outcome"] == "pass"


def main():
    plan, folder = sys.argv[1], Path(sys.argv[2])
    verdict = json.loads((folder / "verdict.json").read_text())
    with (folder / "journal.jsonl").open() as journal:
        started = next(line for line in map(json.loads, journal) if line["kind"] == "run_started")
    verdict["cluster"]["_origin_unix_seconds"] = started["origin_unix_ns"] / 1e9
    of_plan = {"scale-out": scale_out, "pod-loss": pod_loss, "rolling-update": rolling_update,
               "beyond-capacity": beyond_capacity, "guide": guide}
    if plan.startswith("without-"):
        told = list(without(plan.removeprefix("without-"), verdict))
    else:
        told = [*every_run(verdict, folder), *of_plan[plan](verdict)]
    wrong = [what for what, holds in told if not holds]
    for what in wrong:
        print(f"{plan}: it does not hold that {what}", file=sys.stderr)
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
