"""Runs `swarm.py`, which knows only Locust, against a real Locust and against `verifier web`, and holds the shapes of what
they answered against each other; then reads the verifier's CSV files as pandas does."""

import contextlib
import io
import json
import subprocess
import sys
import threading
import time
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas

locust, verifier, scratch = sys.argv[1], Path(sys.argv[2]).resolve(), Path(sys.argv[3])
swarm = Path(__file__).with_name("swarm.py")


class Answer(BaseHTTPRequestHandler):
    """Every fifth answer is an error."""

    count = 0
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        Answer.count += 1
        self.rfile.read(int(self.headers.get("content-length", 0)))
        self.send_response(500 if Answer.count % 5 == 0 else 200)
        self.send_header("content-length", "2")
        self.end_headers()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(b"ok")

    def handle(self):
        with contextlib.suppress(ConnectionError):
            super().handle()

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
threading.Thread(target=server.serve_forever, daemon=True).start()
host = f"http://127.0.0.1:{server.server_port}"
locustfile = scratch / "locustfile.py"
locustfile.write_text(
    "from locust import HttpUser, constant, task\n"
    "class Caller(HttpUser):\n"
    "    wait_time = constant(0.05)\n"
    "    @task\n"
    "    def predict(self):\n"
    "        self.client.post('/predict', json={})\n"
)


def free_port():
    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as taken:
        return taken.server_port


def shapes(command, port):
    """What the script found there."""
    process = subprocess.Popen(command, cwd=scratch, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    base = f"http://127.0.0.1:{port}"
    try:
        deadline = time.time() + 60
        while True:
            with contextlib.suppress(OSError):
                urllib.request.urlopen(f"{base}/stats/requests").read()
                break
            assert process.poll() is None and time.time() < deadline, process.communicate()[0]
            time.sleep(0.1)
        found = subprocess.run(
            [sys.executable, swarm, base, host], capture_output=True, text=True, timeout=300, check=False
        )
        assert found.returncode == 0, f"{command[0]}: {found.stdout}\n{found.stderr}"
        return json.loads(found.stdout), base, process
    except BaseException:
        process.kill()
        raise


def ended(process):
    process.terminate()
    process.communicate(timeout=60)


port = free_port()
theirs, _, process = shapes(
    [locust, "-f", str(locustfile), "--web-host", "127.0.0.1", "--web-port", str(port), "--csv", str(scratch / "endpoints"), "--csv-full-history"],
    port,
)
ended(process)
port = free_port()
surroundings = ["--otlp-grpc", "127.0.0.1:0", "--otlp-http", "127.0.0.1:0"]
ours, base, process = shapes([str(verifier), "web", "--listen", f"127.0.0.1:{port}", "--", *surroundings], port)
try:
    differ = [name for name in theirs if ours.get(name) != theirs[name]]
    for name in differ:
        print(f"{name}:\n  Locust {json.dumps(theirs[name])}\n  ours   {json.dumps(ours.get(name))}")
    assert not differ and ours.keys() == theirs.keys(), f"not as Locust answers: {differ}"

    def read(path):
        return pandas.read_csv(io.BytesIO(urllib.request.urlopen(f"{base}{path}").read()))

    table = read("/stats/requests/csv")
    total = table[table.Name == "Aggregated"].iloc[0]
    rows = table[table.Name != "Aggregated"]
    assert rows["Request Count"].sum() == total["Request Count"] > 0, table
    assert rows["Failure Count"].sum() == total["Failure Count"] > 0, table
    assert total["Min Response Time"] <= total["Average Response Time"] <= total["Max Response Time"], table
    failures = read("/stats/failures/csv")
    assert failures.Occurrences.sum() == total["Failure Count"], failures
    assert pandas.to_datetime(failures["Last Seen"]).notna().all(), failures
    history = read("/stats/requests_full_history/csv")
    assert history.Timestamp.is_monotonic_increasing and history["Total Request Count"].is_monotonic_increasing, history
    assert history.iloc[-1]["Total Request Count"] == total["Request Count"], history
finally:
    ended(process)
print(f"outputs: a script made for Locust finds the same at verifier web; pandas reads its tables of {total['Request Count']} requests")
