"""A script as people have it for Locust: swarm, poll the statistics, stop, fetch the CSV files. It is run unchanged against
a real Locust and against `verifier web`; what either answers is printed as shapes, by name and type."""

import csv
import io
import json
import sys
import time

import requests

base, host = sys.argv[1:3]
session = requests.Session()


def kind(value):
    """Names and types, but no values; of a list the kinds of its elements."""
    if isinstance(value, dict):
        return {name: kind(inner) for name, inner in sorted(value.items())}
    if isinstance(value, list):
        return sorted({json.dumps(kind(inner)) for inner in value})
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return type(value).__name__
    return "number"


def until(what, found):
    deadline = time.time() + 60
    while time.time() < deadline:
        statistics = session.get(f"{base}/stats/requests").json()
        if found(statistics):
            return statistics
        time.sleep(0.2)
    raise SystemExit(f"waited a minute in vain: {what}: {statistics}")


def head(path):
    answer = session.get(f"{base}{path}")
    assert answer.status_code == 200, (path, answer.status_code, answer.text[:200])
    text = answer.content.decode()
    rows = list(csv.reader(io.StringIO(text, newline="")))
    assert all(len(row) == len(rows[0]) for row in rows), path
    assert text.count("\r\n") == text.count("\n") == len(rows), path
    return {
        "columns": rows[0],
        "last name": rows[-1][rows[0].index("Name")] if "Name" in rows[0] and len(rows) > 1 else None,
        "media type": answer.headers["content-type"].split(";")[0],
        "kept": answer.headers["content-disposition"].startswith("attachment;"),
    }


shapes = {"before": kind(until("the first answer", lambda statistics: statistics["state"] == "ready"))}
refused = session.post(f"{base}/swarm", data={"user_count": "many", "spawn_rate": 5})
shapes["refused"] = [refused.status_code, kind(refused.json()), refused.json()["message"]]
begun = session.post(f"{base}/swarm", data={"user_count": 5, "spawn_rate": 5, "host": host, "run_time": "1m"})
shapes["begun"] = [begun.status_code, begun.json()]
running = until(
    "users and failures",
    lambda now: now["state"] == "running"
    and now["user_count"] == 5
    and len(now["errors"]) > 0
    and now["current_rps"] > 0
    and now["current_response_time_percentiles"]["response_time_percentile_0.95"] is not None,
)
shapes["running"] = kind(running)
shapes["names"] = [(row["method"], row["name"]) for row in running["stats"]]
shapes["error"] = [row["error"].split("(")[0] for row in running["errors"]]
shapes["exceptions"] = kind(session.get(f"{base}/exceptions").json())
shapes["logs"] = kind(session.get(f"{base}/logs").json())
tasks = session.get(f"{base}/tasks").json()
# Classes and tasks have names of their own.
shapes["tasks"] = {view: [kind(inner["ratio"]) for inner in tasks[view].values()] for view in sorted(tasks)}
more = session.post(f"{base}/swarm", data={"user_count": 8, "spawn_rate": 10, "host": host})
shapes["more"] = [more.status_code, kind(more.json())]
until("more users", lambda now: now["user_count"] == 8)
shapes["requests csv"] = head("/stats/requests/csv")
shapes["failures csv"] = head("/stats/failures/csv")
shapes["exceptions csv"] = head("/exceptions/csv")
shapes["history csv"] = head("/stats/requests_full_history/csv")
stopped = session.post(f"{base}/stop")
shapes["stopped"] = [stopped.status_code, stopped.json()]
shapes["after"] = kind(until("the end", lambda now: now["state"] == "stopped" and now["user_count"] == 0))
shapes["requests csv after"] = head("/stats/requests/csv")
shapes["report"] = session.get(f"{base}/stats/report").headers["content-type"].split(";")[0]
reset = session.post(f"{base}/stats/reset")
shapes["reset"] = [reset.status_code, reset.text]
print(json.dumps(shapes, indent=1))
