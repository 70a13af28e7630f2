"""Opens a run folder's Parquet files with pandas and DuckDB, and holds counts and p99 against verdict.json."""

import json
import math
import sys
from pathlib import Path

import duckdb
import pandas

folder = Path(sys.argv[1])
verdict = json.loads((folder / "verdict.json").read_text())
names = {i: stage["name"] for i, stage in enumerate(verdict["stages"])}
outcomes = ["ok", "http_error", "timeout", "connect_error", "reset", "unsent"]


def nearest_rank(values, p):
    """The verdict's definition of a percentile."""
    return values.sort_values().iloc[math.ceil(p * len(values)) - 1] / 1e6


def agree(what, found, stated):
    assert stated is None or found == stated, f"{what}: {found}, verdict.json has {stated}"


exchanges = pandas.read_parquet(folder / "exchanges.parquet")
spans = pandas.read_parquet(folder / "spans.parquet")
for index, rows in exchanges.groupby("stage"):
    stage = verdict["stages"][index]
    for outcome in outcomes:
        agree(f"pandas, {outcome}", int((rows.outcome == outcome).sum()), stage["exchanges"][outcome])
    sent = rows[~rows.outcome.isin(["connect_error", "unsent"])]
    agree("pandas, latency p99", nearest_rank(sent.done_ns - sent.intended_ns, 0.99), stage["latency_ms"]["p99"])
    agree("pandas, service time p99", nearest_rank(sent.done_ns - sent.sent_ns, 0.99), stage["service_time_ms"]["p99"])
    of_stage = spans[spans.seq.isin(rows.seq)]
    for name, stated in stage["spans_ms"].items():
        found = of_stage[of_stage.name == name]
        agree(f"pandas, {name}", len(found), stated["n"])
        agree(f"pandas, {name} p99", nearest_rank(found.end_unix_ns - found.start_unix_ns, 0.99), stated["p99"])

sql = duckdb.connect()
for table in ("exchanges", "spans"):
    sql.execute(f"CREATE VIEW {table} AS SELECT * FROM '{folder / (table + '.parquet')}'")
for index, outcome, count in sql.execute("SELECT stage, outcome, count(*) FROM exchanges GROUP BY ALL").fetchall():
    agree(f"DuckDB, {outcome}", count, verdict["stages"][index]["exchanges"][outcome])
p99 = "quantile_disc({}, 0.99) / 1e6"
for index, count, latency, service in sql.execute(
    f"SELECT stage, count(*), {p99.format('done_ns - intended_ns')}, {p99.format('done_ns - sent_ns')}"
    " FROM exchanges WHERE outcome NOT IN ('connect_error', 'unsent') GROUP BY stage"
).fetchall():
    stage = verdict["stages"][index]
    agree("DuckDB, sent", count, stage["exchanges"]["sent"])
    agree("DuckDB, latency p99", latency, stage["latency_ms"]["p99"])
    agree("DuckDB, service time p99", service, stage["service_time_ms"]["p99"])
for index, name, count, found in sql.execute(
    f"SELECT stage, name, count(*), {p99.format('end_unix_ns - start_unix_ns')}"
    " FROM spans JOIN exchanges USING (seq) GROUP BY stage, name"
).fetchall():
    stated = verdict["stages"][index]["spans_ms"][name]
    agree(f"DuckDB, {name}", count, stated["n"])
    agree(f"DuckDB, {name} p99", found, stated["p99"])
(traces,) = sql.execute("SELECT count(DISTINCT s.trace_id) FROM spans s JOIN exchanges e USING (seq, trace_id)").fetchone()
agree("DuckDB, traces", traces, sum(s["traces"]["complete"] + s["traces"]["incomplete"] for s in verdict["stages"]))

print(f"outputs: {folder.name}: pandas and DuckDB agree with verdict.json on {len(exchanges)} exchanges, {len(spans)} spans")
