# Every verb a person needs; CI calls these and nothing else. `just` alone lists them.

default:
    @just --list

# The main job: load, traces, verdict, on this machine alone
run *ARGS:
    cargo run --release -p verifier -- run {{ARGS}}

# Every test; no network and no tool but cargo. Those of the real parts are skipped, and say so, without `just testbed`
test:
    cargo test --workspace

# Installs the real parts for tests and up-local, pinned, into a cache: our collector, Jaeger; needs Go
testbed:
    testbed/install

# Service, collector and Jaeger on this machine; `verifier`: the collector sends to a verifier, too; `durable`: queues on disk
up-local *ARGS:
    testbed/local up {{ARGS}}

# Ends what up-local has started
down-local:
    testbed/local down

# The fault matrix at saturation: collectors in trouble, signals, books and verdict to the span; about ten minutes
faults *ARGS:
    cargo build --release -p iris-prediction-api -p verifier --bins
    cargo test -p verifier --test faults -- --ignored --test-threads 1 {{ARGS}}

# Format, lints, documentation
check:
    cargo fmt --all --check
    cargo clippy --workspace --all-targets -- -D warnings
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --no-deps

# Advisories, licences, sources; needs cargo-deny and, for advisories, the network
deny *ARGS="bans licenses sources":
    cargo deny check {{ARGS}}

# Throughput of the verifier beside wrk, and the service's CPU per request traced and untraced, interleaved
bench *ARGS:
    bench/run {{ARGS}}

# The load engine alone beside wrk: CPU per request of the generator, closed and open loop, interleaved
bench-load:
    bench/load

# The files in a run's legacy/ and its Parquet, read by real Locust, pandas and DuckDB; needs Python with venv and pip
outputs:
    testbed/legacy-outputs

# Instructions per request, held against bench/instructions.txt; needs valgrind
instructions *ARGS:
    bench/instructions {{ARGS}}

# Trace ingest: the receiver's CPU per span, over real sockets and in memory, beside prost with a hash map
bench-ingest *ARGS:
    cargo bench --quiet -p verifier --bench ingest -- {{ARGS}}

# The page: CPU of its tail per exchange, how fast it catches up, and what it sends each second of a long run
bench-tail *ARGS:
    cargo bench --quiet -p verifier --bench tail -- {{ARGS}}

# What an open page costs a run at saturation, interleaved; then its memory over so many minutes; needs Node with npm
bench-page *ARGS:
    bench/page {{ARGS}}

# The service beside its peers: CPU per request, throughput, p99, RSS, start, traces complete; interleaved
bench-service *ARGS:
    bench/service {{ARGS}}

# The parser of answers, fuzzed for so many seconds; prints its seed
fuzz-answers SECONDS="60":
    FUZZ_SECONDS={{SECONDS}} cargo test -p verifier --test it -- --ignored --exact load::answers::for_as_long_as_told --nocapture

# Latencies and counts beside what the server itself noted, a freeze, and wrk; about two minutes
truth *ARGS:
    cargo build --release -p verifier --bins
    cargo test -p verifier --test truth -- --ignored --test-threads 1 --nocapture {{ARGS}}

# Memory of the verifier at 1000 connections for so many seconds: it must not grow
soak SECONDS="30":
    bench/soak {{SECONDS}}

# The images and docker-compose.yaml on a real Docker, a run against them, a stop under load; needs Docker, or root to start one
docker-test:
    testbed/docker

# A real Kubernetes of one node on this machine, for tests; needs root, and Go the first time (half an hour on two cores)
cluster-up:
    testbed/kubernetes/up

# The verifier's tests on that cluster, and the service deployed, scaled, broken and updated there; a quarter of an hour
cluster-test *ARGS:
    cargo build --release -p iris-prediction-api -p verifier --bins
    testbed/kubernetes/load-images
    eval "$(testbed/kubernetes/env)" && IRIS_CLUSTER_REQUIRED=1 cargo test -p verifier --test kubernetes -- --test-threads 1
    testbed/kubernetes/acceptance {{ARGS}}

# Ends the cluster and everything in it
cluster-down:
    testbed/kubernetes/down

# k8s/ without a cluster: rendered, valid, true to the rules, each rule seen to fail; needs kubectl, Python with venv and pip
manifests:
    testbed/manifests

# The page's modules: types, lints, what lets them be joined into report.html; needs Node with npm
page-check:
    testbed/chromium packages
    cd verifier/page && npm run --silent check

# The page in a real Chromium: on made-up documents, and on this verifier with a run from its form to its report; five minutes
page-test *ARGS:
    testbed/chromium
    cargo build --release -p iris-prediction-api -p verifier --bins
    cd verifier/page && VERIFIER="{{justfile_directory()}}/target/release/verifier" npx playwright test {{ARGS}}

# The page alone, on made-up documents: a run that grows, at http://127.0.0.1:8090
page-dev *ARGS="pod-loss":
    testbed/chromium packages
    node verifier/page/dev-server.mjs {{ARGS}}

# Pictures of each tab and of the report, light, dark and at a phone, of a real run, into docs/images
screenshots:
    testbed/chromium
    cargo build --release -p iris-prediction-api -p verifier --bins
    VERIFIER="{{justfile_directory()}}/target/release/verifier" node verifier/page/tests/screenshots.mjs

# Puts the chart library anew into verifier/page/vendor, as package.json names it; needs npm
page-vendor:
    verifier/page/vendor.sh
