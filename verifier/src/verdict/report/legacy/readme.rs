//! `legacy/README.txt`: what the formats have no room to say.

/// The text.
pub(super) fn text() -> String {
    TEXT.to_owned()
}

const TEXT: &str = "\
Every time in these files is service time: from the actual send to the last byte of the answer, as the tools
whose formats they have count it. Latency from the intended start is in verdict.json and the reports. All is
computed from plan.toml, journal.jsonl, exchanges.parquet and spans.parquet beside this folder.

wrk_test_results.txt
    wrk --latency, one block a stage, under a line that names it. Answers that came within the stage, as wrk counts.
    Without wrk's hidden correction for coordinated omission. Req/Sec: answers of each tenth of a second, divided by
    the number of load threads. Socket errors: connect = connect_error, read = reset, timeout = timeout.
locust_test_results.txt, locust_stats.csv, locust_stats_history.csv, locust_failures.csv, locust_exceptions.csv
    Locust's console tables and --csv files. One row a stage; with several stages the name carries the stage, and
    the rates of its row count over that stage alone. A request that never got a connection has no response time.
    Percentiles rounded as Locust does (147 is 150). An exception can not happen: that file has its header alone.
    History: a row a second, cumulative percentiles, rates over Locust's sliding ten seconds.
NN-STAGE.hgrm
    HdrHistogram's percentiles, in milliseconds, 3 significant digits, of every request that was sent (failures included).
NN-STAGE.oha.json
    oha's JSON. Answers that came within the stage, whatever their status; those in flight at its end are its
    'aborted due to deadline'. DNSLookup was not recorded: null. rps: slots of 10 ms.
perf_analyzer_concurrency.csv, perf_analyzer_request_rate.csv
    perf_analyzer's sweep, microseconds, a row a stage, closed loops in the one, open loops in the other. Server
    Compute Input and Infer are the first two spans under the root; each span stands again in a column of its own name.
    Client Send is part of Network+Server Send/Recv; Server Queue and Server Compute Output are 0, for want of such spans.
    An empty cell: no span came.

Content sizes and transfer count whole answers, head and body.
";
