"""Feeds the exchanges of a run folder to real Locust's own statistics, and holds its tables against ours."""

import csv
import io
import json
import math
import sys
from pathlib import Path
from types import SimpleNamespace

import pandas
from locust import stats as locust_stats

folder = Path(sys.argv[1])
legacy = folder / "legacy"
journal = [json.loads(line) for line in (folder / "journal.jsonl").open()]
origin_ns = next(e["origin_unix_ns"] for e in journal if e["kind"] == "run_started")
starts = {e["stage"]: origin_ns + e["at_ns"] for e in journal if e["kind"] == "stage_started"}
stages = [s["name"] for s in json.loads((folder / "verdict.json").read_text())["stages"]]
exchanges = pandas.read_parquet(folder / "exchanges.parquet").sort_values("done_ns", kind="stable")

now = 0.0
locust_stats.time = SimpleNamespace(time=lambda: now)
locust_stats.STATS_NAME_WIDTH = 80


def error_of(row):
    if row.outcome == "http_error":
        return f"HTTPError('{row.status} Server Error: Internal Server Error for url: /predict')"
    return None


def fed(rows, start_ns, at_second=lambda stats: None):
    """Locust's statistics after these rows, with its clock at each row's end."""
    global now
    now = start_ns / 1e9
    stats = locust_stats.RequestStats()
    second = int(now) + 1
    for row in rows.itertuples():
        done_ns = origin_ns + row.done_ns
        while done_ns // 1_000_000_000 >= second:
            now = float(second)
            at_second(stats)
            second += 1
        now = done_ns / 1e9
        name = "/predict" if len(stages) == 1 else f"/predict [{stages[row.stage]}]"
        stats.log_request("POST", name, (done_ns - origin_ns - row.sent_ns) / 1e6, row.bytes)
        if error := error_of(row):
            stats.log_error("POST", name, error)
    now = float(second)
    at_second(stats)
    return stats


def written(write, stats):
    """What Locust's own CSV writer makes of the statistics."""
    environment = SimpleNamespace(stats=stats, runner=SimpleNamespace(user_count=0, exceptions={}))
    out = io.StringIO(newline="")
    write(locust_stats.StatsCSV(environment, locust_stats.PERCENTILES_TO_REPORT), csv.writer(out))
    return list(csv.reader(io.StringIO(out.getvalue(), newline="")))


def read(name):
    with (legacy / name).open(newline="") as file:
        return list(csv.reader(file))


def agree(what, ours, theirs, but=()):
    assert len(ours) == len(theirs), f"{what}: {len(ours)} rows, Locust has {len(theirs)}"
    for our_row, their_row in zip(ours, theirs):
        assert len(our_row) == len(their_row), f"{what}: {our_row} {their_row}"
        for column, (our, their) in enumerate(zip(our_row, their_row)):
            if our == their or column in but:
                continue
            assert math.isclose(float(our), float(their), rel_tol=1e-6), f"{what}, column {column}: {our_row} {their_row}"


history = []
environment = SimpleNamespace(runner=SimpleNamespace(user_count=0))


def keep_history(stats):
    environment.stats = stats
    writer = SimpleNamespace(
        environment=environment,
        full_history=False,
        _percentile_fields=lambda entry, use_current: locust_stats.StatsCSV._percentile_fields(fields, entry, use_current),
    )
    rows = SimpleNamespace(writerow=lambda cells: history.append([str(cell) for cell in cells]))
    locust_stats.StatsCSVFileWriter._stats_history_data_rows(writer, rows, now)


fields = locust_stats.StatsCSV(environment, locust_stats.PERCENTILES_TO_REPORT)
whole = fed(exchanges, min(starts.values()), keep_history)

# Our stages are runs of Locust's, one after the other: the rates of a stage are over that stage.
ours = read("locust_stats.csv")
theirs = written(locust_stats.StatsCSV.requests_csv, whole)
for at, row in enumerate(theirs[1:-1], 1):
    stage = next((i for i, name in enumerate(stages) if row[1].endswith(f"[{name}]")), 0)
    alone = fed(exchanges[exchanges.stage == stage], starts[stage])
    theirs[at] = written(locust_stats.StatsCSV.requests_csv, alone)[1]
agree("locust_stats.csv", ours, theirs)

by_name = lambda rows: rows[:1] + sorted(rows[1:])
agree(
    "locust_failures.csv",
    by_name(read("locust_failures.csv")),
    by_name(written(locust_stats.StatsCSV.failures_csv, whole)),
)
agree("locust_exceptions.csv", read("locust_exceptions.csv"), written(locust_stats.StatsCSV.exceptions_csv, whole))
agree("locust_stats_history.csv", read("locust_stats_history.csv")[1:], history, but=(1,))

console = (legacy / "locust_test_results.txt").read_text().splitlines()
summary = locust_stats.get_stats_summary(whole, current=False)
theirs = summary + [""] + locust_stats.get_percentile_stats_summary(whole) + [""]
theirs += locust_stats.get_error_report_summary(whole) if whole.errors else []
for our, their in zip(console[1:], theirs, strict=True):
    rates = our.rfind("|") if len(stages) > 1 and their in summary[2:-2] else len(our)
    assert our[:rates] == their[:rates], f"locust_test_results.txt:\n{our}\n{their}"

print(f"outputs: {folder.name}: Locust's own code makes the same tables of {len(exchanges)} exchanges, {len(history)} seconds")
