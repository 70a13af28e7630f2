//! The shards' journals as one, in the order of time.

use super::part::Part;
use super::readings::{self, Readings};
use super::shift_ns;
use super::sums::{self, Seconds};
use crate::record::{Dictionary, Entry, Host, Journal, Observation, RunFolder, ShardJoined, Table};
use anyhow::{Context, Result};
use std::collections::BTreeMap;

/// Every text of every shard. A shard's own numbers give way to these.
pub(super) fn dictionary(parts: &[Part]) -> Dictionary {
    let mut dictionary = Dictionary::default();
    for observation in parts.iter().flat_map(Part::observations) {
        if let Observation::Dictionary { table, text, .. } = observation {
            dictionary.intern(*table, text);
        }
    }
    dictionary
}

/// Writes the journal of the whole; `spans` are how many each shard received.
pub(super) fn write(
    parts: &[Part],
    origin_unix_ns: u64,
    dictionary: &Dictionary,
    spans: &[u64],
    folder: &RunFolder,
) -> Result<()> {
    let mut entries = on_one_clock(parts, origin_unix_ns);
    let end_ns = entries.iter().map(|(_, entry)| entry.at_ns).max();
    let end_ns = end_ns.unwrap_or(0);
    let mut readings = Readings::default();
    let watcher = parts.iter().position(watched_the_cluster);
    entries.retain(|(shard, entry)| {
        let again =
            watcher.is_some_and(|watcher| watcher != *shard) && entry.observation.of_cluster();
        !again && readings.take(*shard, entry)
    });
    let first = beginning(parts, origin_unix_ns, dictionary, spans, folder)?;
    let together = stages(parts, &entries)
        .into_iter()
        .chain(drains(&entries))
        .chain(seconds(parts, &entries));
    let mut middle: Vec<Entry> = entries
        .iter()
        .filter(|(_, entry)| kept(&entry.observation))
        .map(|(_, entry)| entry.clone())
        .chain(together)
        .collect();
    middle.sort_by_key(|entry| entry.at_ns);
    let last = sums::client_spans(parts).into_iter();
    let last = last.chain(
        sums::receivers(parts)
            .into_iter()
            .map(Observation::Receiver),
    );
    let last = last.chain([Observation::RunEnded]);
    let journal = Journal::create(&folder.journal())?;
    let at = |at_ns: u64| move |observation| Entry { at_ns, observation };
    let all = first.into_iter().map(at(0));
    let all = all.chain(middle).chain(last.map(at(end_ns)));
    all.into_iter().try_for_each(|entry| journal.write(&entry))
}

/// Every shard's entries on the run's clock, in the order of time; of equal ones, in the order of the shards.
fn on_one_clock(parts: &[Part], origin_unix_ns: u64) -> Vec<(usize, Entry)> {
    let mut entries = Vec::new();
    let mut first_worker = 0;
    for (shard, part) in parts.iter().enumerate() {
        let shift_ns = shift_ns(part, origin_unix_ns);
        for entry in &part.journal {
            let mut observation = entry.observation.clone();
            match &mut observation {
                Observation::Worker { worker, .. } => *worker += first_worker,
                Observation::CollectorBooks(books) => {
                    books.place = readings::place(parts, part, &books.place);
                }
                Observation::FaultDone(fault) | Observation::FaultUndone(fault) => {
                    fault.asked_ns += shift_ns;
                }
                Observation::RunError { error } | Observation::TargetFailed { error } => {
                    *error = format!("shard {}: {error}", part.shard);
                }
                _ => {}
            }
            let at_ns = entry.at_ns + shift_ns;
            entries.push((shard, Entry { at_ns, observation }));
        }
        first_worker += workers(part);
    }
    entries.sort_by_key(|(_, entry)| entry.at_ns);
    entries
}

fn watched_the_cluster(part: &Part) -> bool {
    part.observations()
        .any(|o| matches!(o, Observation::ClusterWatched(_)))
}

/// Load workers of a shard; where none left its figures, it counts as one.
fn workers(part: &Part) -> u16 {
    let numbers = part.observations().filter_map(|o| match o {
        Observation::Worker { worker, .. } => Some(*worker),
        _ => None,
    });
    numbers.max().unwrap_or(0) + 1
}

/// What each shard says for itself alone. The rest is said once for all.
fn kept(observation: &Observation) -> bool {
    !matches!(
        observation,
        Observation::RunStarted { .. }
            | Observation::Shard(_)
            | Observation::ReportsAsked(_)
            | Observation::TargetReady { .. }
            | Observation::Dictionary { .. }
            | Observation::TraceSource { .. }
            | Observation::StageStarted { .. }
            | Observation::StageEnded { .. }
            | Observation::DrainStarted { .. }
            | Observation::DrainEnded { .. }
            | Observation::Second(_)
            | Observation::Receiver(_)
            | Observation::ClientSpansExported { .. }
            | Observation::RunEnded
            | Observation::Unknown
    )
}

/// What stands before everything else.
fn beginning(
    parts: &[Part],
    origin_unix_ns: u64,
    dictionary: &Dictionary,
    spans: &[u64],
    folder: &RunFolder,
) -> Result<Vec<Observation>> {
    let first = parts.first().context("there is no shard to join")?;
    let path = folder.path();
    let name = path.file_name().map(|name| name.to_string_lossy());
    let mut out = vec![Observation::RunStarted {
        run_id: name.map_or_else(|| path.display().to_string(), |name| name.into_owned()),
        run_key: first.key.to_string(),
        origin_unix_ns,
        verifier_version: first.version.clone(),
        host: host(parts),
    }];
    out.extend(joined(parts, origin_unix_ns, spans));
    let asked = parts.iter().flat_map(Part::observations);
    let asked = asked.filter(|o| matches!(o, Observation::ReportsAsked(_)));
    out.extend(asked.take(1).cloned());
    for table in [Table::SpanName, Table::Source, Table::Detail] {
        let numbers = 0..u16::try_from(dictionary.len(table)).unwrap_or(u16::MAX);
        out.extend(numbers.map(|number| Observation::Dictionary {
            table,
            number,
            text: dictionary.text(table, number).to_owned(),
        }));
    }
    for (number, name) in first.sources() {
        let place = places(parts, number);
        out.push(Observation::TraceSource {
            number,
            name,
            place,
        });
    }
    out.extend(target(parts));
    Ok(out)
}

/// The machines that generated the load, as one.
fn host(parts: &[Part]) -> Host {
    let hosts: BTreeMap<&str, &Host> = parts
        .iter()
        .map(|part| (part.host.name.as_str(), &part.host))
        .collect();
    Host {
        name: distinct(hosts.keys().copied()),
        kernel: distinct(hosts.values().map(|host| host.kernel.as_str())),
        cpus: hosts.values().map(|host| host.cpus).sum(),
    }
}

fn distinct<'a>(texts: impl Iterator<Item = &'a str>) -> String {
    let mut seen: Vec<&str> = Vec::new();
    for text in texts {
        if !seen.contains(&text) {
            seen.push(text);
        }
    }
    seen.join(", ")
}

fn joined(parts: &[Part], origin_unix_ns: u64, spans: &[u64]) -> Vec<Observation> {
    let mut first_worker = 0;
    let each = parts.iter().zip(spans).map(|(part, spans)| {
        let starts = part.journal.iter().filter_map(|entry| {
            let started = matches!(entry.observation, Observation::StageStarted { .. });
            started.then(|| entry.at_ns + shift_ns(part, origin_unix_ns))
        });
        let joined = ShardJoined {
            index: part.shard.index,
            count: part.shard.count,
            run_id: part.run_id.clone(),
            host: part.host.clone(),
            origin_unix_ns: part.origin_unix_ns,
            first_worker,
            workers: workers(part),
            stage_starts_ns: starts.collect(),
            spans: *spans,
        };
        first_worker += joined.workers;
        Observation::ShardJoined(joined)
    });
    each.collect()
}

fn places(parts: &[Part], source: u8) -> String {
    let all = parts.iter().flat_map(Part::observations);
    distinct(all.filter_map(|o| match o {
        Observation::TraceSource { number, place, .. } if *number == source => Some(place.as_str()),
        _ => None,
    }))
}

/// The target, as each shard reached it. Shards start no replicas: they load one target of somebody else's.
fn target(parts: &[Part]) -> Option<Observation> {
    let all = parts.iter().flat_map(Part::observations);
    let urls = distinct(all.filter_map(|o| match o {
        Observation::TargetReady { url, .. } => Some(url.as_str()),
        _ => None,
    }));
    (!urls.is_empty()).then_some(Observation::TargetReady {
        url: urls,
        otlp_grpc: None,
        otlp_http: None,
        pids: Vec::new(),
    })
}

/// A stage begins with the first shard and ends with the last; what was planned in it is the sum. It did not end
/// where it did not in one of them.
fn stages(parts: &[Part], entries: &[(usize, Entry)]) -> Vec<Entry> {
    let mut started: BTreeMap<u16, u64> = BTreeMap::new();
    let mut ended: BTreeMap<u16, (usize, u64, u64)> = BTreeMap::new();
    for (_, entry) in entries {
        match entry.observation {
            Observation::StageStarted { stage } => {
                started.entry(stage).or_insert(entry.at_ns);
            }
            Observation::StageEnded { stage, planned } => {
                let (shards, last_ns, sum) = ended.entry(stage).or_default();
                (*shards, *last_ns, *sum) = (*shards + 1, entry.at_ns, *sum + planned);
            }
            _ => {}
        }
    }
    let started = started.into_iter().map(|(stage, at_ns)| Entry {
        at_ns,
        observation: Observation::StageStarted { stage },
    });
    let by_all = ended.into_iter().filter(|(_, (n, _, _))| *n == parts.len());
    let ended = by_all.map(|(stage, (_, at_ns, planned))| Entry {
        at_ns,
        observation: Observation::StageEnded { stage, planned },
    });
    started.chain(ended).collect()
}

/// The drain begins and ends with the last shard's. A trace counts as complete where the shard that sent its request
/// received it whole: what other shards received is only known to the judge.
fn drains(entries: &[(usize, Entry)]) -> Vec<Entry> {
    let (mut started, mut ended) = (None, None);
    for (_, entry) in entries {
        let (sum, expected, complete) = match entry.observation {
            Observation::DrainStarted { expected, complete } => (&mut started, expected, complete),
            Observation::DrainEnded { expected, complete } => (&mut ended, expected, complete),
            _ => continue,
        };
        let (at_ns, all, whole) = sum.get_or_insert((0, 0, 0));
        (*at_ns, *all, *whole) = (entry.at_ns, *all + expected, *whole + complete);
    }
    let started = started.map(|(at_ns, expected, complete)| Entry {
        at_ns,
        observation: Observation::DrainStarted { expected, complete },
    });
    let ended = ended.map(|(at_ns, expected, complete)| Entry {
        at_ns,
        observation: Observation::DrainEnded { expected, complete },
    });
    started.into_iter().chain(ended).collect()
}

/// The running figures, second by second of the run's clock.
fn seconds(parts: &[Part], entries: &[(usize, Entry)]) -> Vec<Entry> {
    let said = entries.iter().filter_map(|(shard, entry)| {
        let second = match &entry.observation {
            Observation::Second(second) => second,
            _ => return None,
        };
        Some((entry.at_ns, *shard, second))
    });
    let said: Vec<_> = said.collect();
    let mut sums = Seconds::of(parts.len());
    let same = |a: &(u64, _, _), b: &(u64, _, _)| a.0 / 1_000_000_000 == b.0 / 1_000_000_000;
    let sums = said.chunk_by(same).map(|of_second| {
        let each: Vec<_> = of_second.iter().map(|(_, shard, s)| (*shard, *s)).collect();
        Entry {
            at_ns: of_second.last().map_or(0, |(at_ns, _, _)| *at_ns),
            observation: Observation::Second(sums.sum(&each)),
        }
    });
    sums.collect()
}
