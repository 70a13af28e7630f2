"""Runs real Locust for a moment, and holds the heads and line ends of the files that it wrote against ours."""

import contextlib
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

locust, ours, scratch = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])


class Answer(BaseHTTPRequestHandler):
    """Every tenth answer is an error, so that there is an error report."""

    count = 0

    def do_POST(self):
        Answer.count += 1
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(500 if Answer.count % 10 == 0 else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        # At its end, Locust does not wait for what is in flight.
        with contextlib.suppress(BrokenPipeError):
            self.wfile.write(b"ok")

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
locustfile = scratch / "locustfile.py"
locustfile.write_text(
    "from locust import HttpUser, constant, task\n"
    "class Caller(HttpUser):\n"
    "    wait_time = constant(0.05)\n"
    "    @task\n"
    "    def predict(self):\n"
    "        self.client.post('/predict', json={})\n"
)
run = subprocess.run(
    [locust, "-f", locustfile, "--headless", "-u", "5", "-r", "5", "-t", "3s", "--csv", scratch / "locust"]
    + ["--host", f"http://127.0.0.1:{server.server_port}"],
    capture_output=True,
    text=True,
    timeout=120,
)
for kind in ("stats", "stats_history", "failures", "exceptions"):
    name = f"locust_{kind}.csv"
    theirs, our = ((folder / name).read_bytes().split(b"\n")[0] for folder in (scratch, ours))
    assert our == theirs, f"{name}: {our} is not Locust's {theirs}"

# The tables' heads and rules stand in what Locust printed, to the character.
printed = (run.stdout + run.stderr).splitlines()
table = [line for line in (ours / "locust_test_results.txt").read_text().splitlines() if line.startswith(("Type ", "-", "Response"))]
assert len(table) >= 7, table
missing = [line for line in table if line not in printed]
assert not missing, "\n".join(["Locust printed no such line:", *missing, *printed])
print(f"outputs: a run of Locust itself ({Answer.count} requests) writes the same heads, rules and line ends")
