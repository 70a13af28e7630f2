//! A command line that was typed, as it can be typed again.

use super::Cli;
use clap::parser::ValueSource;
use clap::{ArgMatches, CommandFactory};
use std::ffi::OsString;

/// What of `verifier run` says how much load, where to, what is printed: the rest is where it takes place.
const OF_ONE_RUN: [&str; 20] = [
    "plan",
    "connections",
    "users",
    "spawn_rate",
    "rate",
    "duration",
    "scale_time",
    "thresholds",
    "no_faults",
    "dry_run",
    "out",
    "seed",
    "shard",
    "shard_peers",
    "shard_wait",
    "headless",
    "keys_from_stdin",
    "web",
    "web_token",
    "json",
];

/// What the process that serves a page has of its own: not for the run that it starts.
const OF_THE_PAGE: [&str; 4] = ["out", "keys_from_stdin", "web", "web_token"];

/// What was typed for `verifier run`, as it can be typed again, but for what concerns the page and the run folder.
pub fn typed(run: &ArgMatches) -> Vec<OsString> {
    again(run, &OF_THE_PAGE)
}

/// Of what was typed for `verifier run`, that which holds for the next run, too: the target, the cluster, the traces.
pub fn surroundings(run: &ArgMatches) -> Vec<OsString> {
    again(run, &OF_ONE_RUN)
}

fn again(run: &ArgMatches, without: &[&str]) -> Vec<OsString> {
    let command = Cli::command();
    let command = command.find_subcommand("run");
    let arguments = command.into_iter().flat_map(clap::Command::get_arguments);
    let mut typed = Vec::new();
    for argument in arguments {
        let id = argument.get_id().as_str();
        let by_hand = run.try_contains_id(id).is_ok()
            && run.value_source(id) == Some(ValueSource::CommandLine);
        if !by_hand || without.contains(&id) {
            continue;
        }
        let values = run.get_raw(id).into_iter().flatten();
        match argument.get_long() {
            None => typed.extend(values.map(OsString::from)),
            Some(long) if argument.get_action().takes_values() => {
                typed.extend(values.map(|value| {
                    let mut flag = OsString::from(format!("--{long}="));
                    flag.push(value);
                    flag
                }));
            }
            Some(long) => typed.push(OsString::from(format!("--{long}"))),
        }
    }
    typed
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[test]
    fn a_run_is_typed_again() {
        let words = "verifier run wrk -u 10,20 -r 2 --host http://a --insecure --traces jaeger --traces tempo \
             --headless --web=0.0.0.0:1 --web-token secret --out somewhere --threshold p99<1s -d 5s";
        let matches = Cli::command().get_matches_from(words.split_whitespace());
        let (_, run) = matches.subcommand().unwrap();
        let mut typed = typed(run);
        assert_eq!(typed.remove(0), "wrk");
        typed.sort();
        assert_eq!(
            typed,
            [
                "--duration=5s",
                "--headless",
                "--insecure",
                "--spawn-rate=2",
                "--threshold=p99<1s",
                "--traces=jaeger",
                "--traces=tempo",
                "--url=http://a",
                "--users=10",
                "--users=20",
            ]
        );
        let mut kept = surroundings(run);
        kept.sort();
        assert_eq!(
            kept,
            [
                "--insecure",
                "--traces=jaeger",
                "--traces=tempo",
                "--url=http://a"
            ]
        );
        let again: Vec<OsString> = ["verifier", "run", "wrk"].map(OsString::from).into();
        assert!(Cli::try_parse_from([again, typed].concat()).is_ok());
    }
}
