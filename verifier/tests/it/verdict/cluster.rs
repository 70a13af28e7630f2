//! Verdicts on runs on a cluster that never took place: scale-ups, incidents, troubles, and the three text reports.

use super::builder::{MS, ORIGIN, Run};
use verifier::plan::Plan;
use verifier::record::cluster::{
    ClusterSeen, Deployment, Endpoint, Endpoints, Event, FaultDone, Hit, Hpa, Pod, ReplicaSet,
    Terminated, WatchState, Watched, Why,
};
use verifier::record::{Entry, Observation, Outcome, Table};
use verifier::verdict::cluster::{Cluster, Moment, Why as Reason};
use verifier::verdict::{Judgement, Verdict};

const S: u64 = 1000 * MS;

/// A run on a cluster: one stage from 1 s to 1 s + `n` ms, one pod at first.
struct OnCluster {
    run: Run,
}

fn unix(at_ns: u64) -> Option<u64> {
    Some(ORIGIN + at_ns / S * S)
}

fn pod(name: &str, owner: &str) -> Pod {
    Pod {
        uid: format!("uid-{name}"),
        name: name.into(),
        owner: owner.into(),
        phase: "Running".into(),
        node: Some("node-1".into()),
        ..Pod::default()
    }
}

impl OnCluster {
    fn of(n: u64) -> OnCluster {
        let mut run = Run::of(n);
        run.plan.cluster = Some(verifier::plan::Cluster::default());
        let mut cluster = OnCluster { run };
        cluster.see(
            0,
            Observation::ClusterWatched(ClusterSeen {
                server: "https://10.0.0.1:6443".into(),
                version: "v1.35.4".into(),
                namespace: "iris".into(),
            }),
        );
        cluster.scale(0, "rs-1", "1", 1);
        let old = Pod {
            created_unix_ns: Some(ORIGIN - 100 * S),
            scheduled_unix_ns: Some(ORIGIN - 100 * S),
            started_unix_ns: Some(ORIGIN - 99 * S),
            ready_since_unix_ns: Some(ORIGIN - 98 * S),
            ready: true,
            ..pod("pod-0", "rs-1")
        };
        cluster.see(0, Observation::Pod(Box::new(old)));
        cluster.endpoints(0, &["pod-0"]);
        cluster
    }

    /// A line of the journal in its place in time.
    fn see(&mut self, at_ns: u64, observation: Observation) {
        let journal = &mut self.run.journal;
        let place = journal.partition_point(|entry| entry.at_ns <= at_ns);
        journal.insert(place, Entry { at_ns, observation });
    }

    fn scale(&mut self, at_ns: u64, set: &str, revision: &str, desired: u32) {
        self.see(
            at_ns,
            Observation::Deployment(Deployment {
                name: "iris-prediction-api".into(),
                desired,
                revision: revision.into(),
                ..Deployment::default()
            }),
        );
        self.set(at_ns, set, revision, desired);
    }

    fn set(&mut self, at_ns: u64, set: &str, revision: &str, desired: u32) {
        self.see(
            at_ns,
            Observation::ReplicaSet(ReplicaSet {
                uid: set.into(),
                name: set.into(),
                owner: "iris-prediction-api".into(),
                revision: revision.into(),
                desired,
                ..ReplicaSet::default()
            }),
        );
    }

    fn hpa(&mut self, at_ns: u64, cpu_percent: i64, desired: u32, scaled_ns: Option<u64>) {
        self.see(
            at_ns,
            Observation::Hpa(Hpa {
                name: "iris-prediction-api-hpa".into(),
                min: 1,
                max: 3,
                desired,
                cpu_percent: Some(cpu_percent),
                target_cpu_percent: Some(60),
                last_scale_unix_ns: scaled_ns.and_then(unix),
                ..Hpa::default()
            }),
        );
    }

    fn endpoints(&mut self, at_ns: u64, ready: &[&str]) {
        let endpoint = |name: &&str| Endpoint {
            pod: format!("uid-{name}"),
            ready: true,
            serving: true,
            terminating: false,
        };
        self.see(
            at_ns,
            Observation::Endpoints(Endpoints {
                slice: "slice-1".into(),
                deleted: false,
                endpoints: ready.iter().map(endpoint).collect(),
            }),
        );
    }

    /// A pod that comes at `at_ns`, runs 1 s later, and is ready 2 s later.
    fn comes(&mut self, at_ns: u64, name: &str, owner: &str) {
        let mut seen = Pod {
            created_unix_ns: unix(at_ns),
            phase: "Pending".into(),
            ..pod(name, owner)
        };
        self.see(at_ns, Observation::Pod(Box::new(seen.clone())));
        seen.scheduled_unix_ns = unix(at_ns);
        self.see(at_ns + 100 * MS, Observation::Pod(Box::new(seen.clone())));
        seen.phase = "Running".into();
        seen.started_unix_ns = unix(at_ns + S);
        self.see(
            at_ns + S + 100 * MS,
            Observation::Pod(Box::new(seen.clone())),
        );
        seen.ready = true;
        seen.ready_since_unix_ns = unix(at_ns + 2 * S);
        self.see(at_ns + 2 * S + 100 * MS, Observation::Pod(Box::new(seen)));
    }

    /// A pod that goes: deleted with that grace, gone after `after_ns`.
    fn goes(&mut self, at_ns: u64, name: &str, owner: &str, grace: u64, after_ns: u64) {
        let seen = Pod {
            ready: false,
            created_unix_ns: Some(ORIGIN - 100 * S),
            deletion_unix_ns: unix(at_ns + grace * S),
            grace_seconds: Some(grace.cast_signed()),
            ..pod(name, owner)
        };
        self.see(at_ns, Observation::Pod(Box::new(seen.clone())));
        let gone = Pod {
            deleted: true,
            ..seen
        };
        self.see(at_ns + after_ns, Observation::Pod(Box::new(gone)));
    }

    /// From then on every second request is served by that pod.
    fn serves(&mut self, from_ns: u64, name: &str) {
        let source = self.run.number(Table::Source, name);
        let late = |seq: &u64| self.run.exchanges[*seq as usize].sent_ns >= from_ns;
        let seqs: Vec<u64> = (0..self.run.exchanges.len() as u64).filter(late).collect();
        for span in &mut self.run.spans {
            if span.seq % 2 == 0 && seqs.contains(&span.seq) {
                span.source = source;
            }
        }
    }

    fn fault(&mut self, at_ns: u64, name: &str, victim: &str) {
        self.see(
            at_ns + 20 * MS,
            Observation::FaultDone(FaultDone {
                fault: name.into(),
                asked_ns: at_ns,
                objects: vec![Hit {
                    name: victim.into(),
                    uid: format!("uid-{victim}"),
                    what: "deleted".into(),
                }],
                errors: Vec::new(),
            }),
        );
    }

    fn plan_fault(&mut self, name: &str, action: &str) {
        let text = self.run.plan.to_toml().unwrap();
        let text = format!("{text}\n[[fault]]\nname = '{name}'\naction = '{action}'\n");
        self.run.plan = Plan::parse(&text, "made").unwrap();
    }

    fn judge(&self) -> (Verdict, Cluster) {
        let verdict = self.run.judge();
        let cluster = verdict.cluster.clone().unwrap();
        (verdict, cluster)
    }
}

fn seconds(moment: Option<Moment>) -> (f64, f64) {
    let moment = moment.unwrap();
    (moment.earliest_seconds, moment.latest_seconds)
}

/// 1 -> 2 at 3.2 s, because of a load that began at 1 s; the second pod serves from 7 s on.
fn scaled_up() -> OnCluster {
    let mut on = OnCluster::of(9000);
    on.hpa(500 * MS, 10, 1, None);
    on.hpa(3100 * MS, 180, 2, Some(3100 * MS));
    on.scale(3200 * MS, "rs-1", "1", 2);
    on.comes(3300 * MS, "pod-1", "rs-1");
    on.endpoints(5500 * MS, &["pod-0", "pod-1"]);
    on.serves(7 * S, "pod-1");
    on
}

#[test]
fn a_scale_up_has_every_step_to_the_first_request_served() {
    let (_, cluster) = scaled_up().judge();
    let [up] = cluster.scale_ups.as_slice() else {
        panic!("{:?}", cluster.scale_ups);
    };
    assert_eq!((up.cause.as_str(), up.from, up.to), ("hpa", 1, 2));
    assert_eq!(up.pods, ["pod-1"]);
    let steps: Vec<(&str, Option<(f64, f64)>)> = { up.steps.iter() }
        .map(|step| {
            (
                step.name.as_str(),
                step.at.map(|at| (at.earliest_seconds, at.latest_seconds)),
            )
        })
        .collect();
    assert_eq!(steps[0], ("load_step", Some((1.0, 1.0))));
    assert_eq!(steps[1], ("metric_above_target", Some((1.0, 3.1))));
    assert_eq!(steps[2], ("desired_raised", Some((3.0, 3.2))));
    assert_eq!(steps[3], ("pod_created", Some((3.0, 3.3))));
    assert_eq!(steps[4], ("pod_scheduled", Some((3.0, 3.4))));
    assert_eq!(steps[5], ("container_started", Some((4.0, 4.4))));
    assert_eq!(steps[6], ("pod_ready", Some((5.0, 5.4))));
    assert_eq!(steps[7], ("endpoint_ready", Some((5.0, 5.5))));
    let (name, Some((sent, done))) = steps[8] else {
        panic!("{steps:?}");
    };
    assert_eq!(name, "first_request_served");
    assert!(
        (7.0..7.002).contains(&sent) && done > sent && done < 7.01,
        "{sent} {done}"
    );
    let (least, most) = seconds(up.seconds);
    assert!(
        (6.0..6.01).contains(&least) && most >= least,
        "{least} {most}"
    );
    assert_eq!(up.effect.seen, "none_seen");
    assert_eq!(cluster.pods[1].why, Reason::ScaleUp);
    assert_eq!(cluster.pods[0].why, Reason::AtStart);
    let hpa = cluster.hpa.unwrap();
    assert_eq!((hpa.desired_least, hpa.desired_most, hpa.max), (1, 2, 3));
}

#[test]
fn a_threshold_on_scale_ups_is_held_against_the_longest() {
    for (threshold, outcome) in [
        ("scale_up<10s", Judgement::Pass),
        ("scale_up<5s", Judgement::Fail),
    ] {
        let mut on = scaled_up();
        on.run.thresholds(&[threshold]);
        let (verdict, _) = on.judge();
        let check = verdict
            .checks
            .iter()
            .find(|check| check.name == threshold)
            .unwrap();
        assert_eq!(check.outcome, outcome, "{check:?}");
    }
    let mut on = OnCluster::of(2000);
    on.run.thresholds(&["scale_up<10s"]);
    assert_eq!(
        on.judge().0.outcome,
        Judgement::Unknown,
        "nothing scaled: no evidence"
    );
}

/// The only pod is deleted at 3 s; while its replacement comes, the HPA asks for one more.
fn deleted(action: &str) -> OnCluster {
    let mut on = OnCluster::of(12_000);
    on.plan_fault("kill", action);
    on.fault(3 * S, "kill", "pod-0");
    on.goes(3010 * MS, "pod-0", "rs-1", 30, S);
    on.endpoints(3050 * MS, &[]);
    on.comes(3060 * MS, "pod-1", "rs-1");
    on.hpa(6 * S, 150, 2, Some(6 * S));
    on.scale(6010 * MS, "rs-1", "1", 2);
    on.comes(6100 * MS, "pod-2", "rs-1");
    on.endpoints(5200 * MS, &["pod-1"]);
    on.endpoints(8200 * MS, &["pod-1", "pod-2"]);
    on.serves(5300 * MS, "pod-1");
    on
}

#[test]
fn a_pod_of_a_scale_up_is_not_taken_for_the_replacement() {
    let (verdict, cluster) = deleted("delete_pod").judge();
    let why: Vec<&Reason> = cluster.pods.iter().map(|pod| &pod.why).collect();
    assert_eq!(
        why,
        [
            &Reason::AtStart,
            &Reason::Replaces("pod-0".into()),
            &Reason::ScaleUp
        ]
    );
    let [incident] = cluster.incidents.as_slice() else {
        panic!("{:?}", cluster.incidents);
    };
    assert_eq!(incident.replacements.len(), 1);
    assert_eq!(incident.replacements[0].name, "pod-1");
    assert!(!incident.replacements[0].ambiguous);
    assert_eq!((incident.requests_lost, incident.spans_lost), (0, 0));
    assert_eq!(incident.effect.seen, "none_seen");
    let (least, most) = seconds(incident.replaced_seconds);
    assert!(
        least <= 2.06 && (2.0..2.2).contains(&most),
        "{least} {most}"
    );
    let (_, recovered) = seconds(incident.recovery_seconds);
    assert!((2.3..2.31).contains(&recovered), "{recovered}");
    assert_eq!(cluster.scale_ups[0].pods, ["pod-2"]);
    assert_eq!(verdict.outcome, Judgement::Pass, "{:?}", verdict.reasons);
}

#[test]
fn what_a_forced_delete_cost_is_counted() {
    let mut on = deleted("force_delete_pod");
    on.run
        .thresholds(&["error_rate<1%", "coverage>=99%", "recovery<10s"]);
    for seq in 2000..2050 {
        on.run.unanswered(seq, Outcome::Reset, 5 * MS);
    }
    on.run
        .spans
        .retain(|span| !(1950..2050).contains(&span.seq));
    let (verdict, cluster) = on.judge();
    let incident = &cluster.incidents[0];
    assert_eq!(incident.requests_lost, 50);
    assert_eq!(incident.errors["reset"], 50);
    assert_eq!(incident.errors_before, 0);
    assert_eq!(
        incident.spans_lost, 150,
        "50 answered requests of three spans each"
    );
    let first = incident.first_error_seconds.unwrap();
    assert!((3.004..3.006).contains(&first), "{first}");
    assert_eq!(
        (incident.effect.seen.as_str(), incident.effect.bad_seconds),
        ("seen", 1)
    );
    assert_eq!(incident.effect.met_again_seconds, Some(4.0));
    assert_eq!(verdict.outcome, Judgement::Pass, "{:?}", verdict.reasons);
}

#[test]
fn a_fault_that_was_not_done_leaves_the_run_unknown() {
    let mut on = OnCluster::of(2000);
    on.plan_fault("kill", "delete_pod");
    let (verdict, cluster) = on.judge();
    assert_eq!(verdict.outcome, Judgement::Unknown);
    assert!(cluster.incidents.is_empty());
    assert_eq!(cluster.faults[0].at_seconds, None);
}

#[test]
fn a_rollout_is_neither_a_scale_up_nor_an_incident() {
    let mut on = OnCluster::of(9000);
    on.scale(2 * S, "rs-1", "2", 1);
    on.set(2010 * MS, "rs-2", "2", 1);
    on.comes(2100 * MS, "pod-1", "rs-2");
    on.endpoints(4300 * MS, &["pod-0", "pod-1"]);
    on.set(4400 * MS, "rs-1", "1", 0);
    on.goes(4450 * MS, "pod-0", "rs-1", 30, S);
    on.endpoints(4500 * MS, &["pod-1"]);
    let (_, cluster) = on.judge();
    assert_eq!(cluster.pods[1].why, Reason::Rollout);
    assert!(cluster.incidents.is_empty(), "{:?}", cluster.incidents);
    assert!(cluster.scale_ups.is_empty(), "{:?}", cluster.scale_ups);
    assert_eq!(cluster.deployment.unwrap().rollouts, 1);
}

#[test]
fn scaling_down_is_no_incident() {
    let mut on = scaled_up();
    on.hpa(8 * S, 10, 1, Some(8 * S));
    on.scale(8010 * MS, "rs-1", "1", 1);
    on.goes(8050 * MS, "pod-1", "rs-1", 30, S);
    let (_, cluster) = on.judge();
    assert!(cluster.incidents.is_empty(), "{:?}", cluster.incidents);
}

#[test]
fn each_trouble_is_named_as_the_cluster_names_it() {
    let mut on = OnCluster::of(9000);
    on.scale(2 * S, "rs-1", "1", 4);
    let waits = |name: &str, waiting: Option<&str>, pending: Option<&str>| {
        let why = |reason: &str| Why {
            reason: reason.into(),
            message: format!("{reason} it is"),
        };
        Pod {
            phase: "Pending".into(),
            created_unix_ns: unix(2 * S),
            waiting: waiting.map(why),
            pending: pending.map(why),
            ..pod(name, "rs-1")
        }
    };
    on.see(
        2100 * MS,
        Observation::Pod(Box::new(waits("pod-1", None, Some("Unschedulable")))),
    );
    on.see(
        2200 * MS,
        Observation::Pod(Box::new(waits("pod-2", Some("ErrImageNeverPull"), None))),
    );
    on.see(
        2300 * MS,
        Observation::Pod(Box::new(waits("pod-3", Some("CrashLoopBackOff"), None))),
    );
    let started = Pod {
        created_unix_ns: Some(ORIGIN - 100 * S),
        started_unix_ns: unix(4 * S),
        restarts: 1,
        terminated: Some(Terminated {
            reason: "OOMKilled".into(),
            exit_code: 137,
            finished_unix_ns: unix(3 * S),
        }),
        ..pod("pod-0", "rs-1")
    };
    on.see(4200 * MS, Observation::Pod(Box::new(started.clone())));
    let ready = Pod {
        ready: true,
        ready_since_unix_ns: unix(5 * S),
        ..started
    };
    on.see(5200 * MS, Observation::Pod(Box::new(ready)));
    let (verdict, cluster) = on.judge();
    let mut reasons: Vec<&str> = cluster.troubles.iter().map(|t| t.reason.as_str()).collect();
    reasons.sort_unstable();
    assert_eq!(
        reasons,
        [
            "CrashLoopBackOff",
            "ErrImageNeverPull",
            "OOMKilled",
            "Unschedulable"
        ]
    );
    assert!(
        cluster
            .troubles
            .iter()
            .all(|trouble| !trouble.meaning.is_empty())
    );
    let [incident] = cluster.incidents.as_slice() else {
        panic!("{:?}", cluster.incidents);
    };
    assert_eq!(
        (incident.name.as_str(), &incident.action),
        ("OOMKilled", &None)
    );
    assert_eq!(
        incident.replacements[0].name, "pod-0",
        "its container was started again"
    );
    assert!(incident.recovery_seconds.is_some());
    assert!(
        verdict
            .warnings
            .iter()
            .any(|warning| warning.starts_with("OOMKilled, pod-0"))
    );
}

#[test]
fn what_could_not_be_seen_is_told() {
    let mut on = OnCluster::of(5000);
    let state = |error: Option<&str>| {
        Observation::WatchState(WatchState {
            of: Watched::Pods,
            error: error.map(Into::into),
            refused: false,
        })
    };
    on.see(2 * S, state(Some("connection refused")));
    on.see(4 * S, state(None));
    let (verdict, cluster) = on.judge();
    assert_eq!(cluster.gaps.len(), 1);
    assert_eq!(
        (cluster.gaps[0].from_seconds, cluster.gaps[0].to_seconds),
        (2.0, Some(4.0))
    );
    assert!(
        verdict
            .warnings
            .iter()
            .any(|w| w.contains("connection refused")),
        "{:?}",
        verdict.warnings
    );
}

#[test]
fn each_figure_of_the_text_reports_stands_in_the_verdict() {
    let mut on = deleted("force_delete_pod");
    on.see(
        3020 * MS,
        Observation::Event(Event {
            uid: "e1".into(),
            level: "Normal".into(),
            reason: "Killing".into(),
            object_kind: "Pod".into(),
            object: "pod-0".into(),
            message: "Stopping container".into(),
            count: 1,
            ..Event::default()
        }),
    );
    for seq in 2000..2050 {
        on.run.unanswered(seq, Outcome::Reset, 5 * MS);
    }
    let disk = on.run.write();
    disk.judge();
    let json: serde_json::Value = serde_json::from_str(&disk.text("verdict.json")).unwrap();
    let known = numbers_of(&json);
    for name in [
        "hpa_scaling_report.txt",
        "pod_failure_report.txt",
        "success_operations_report.txt",
    ] {
        let text = disk.text(name);
        assert!(text.len() > 1000, "{name}\n{text}");
        let unknown: Vec<String> = numbers_in(&text)
            .filter(|(shown, value)| !known.iter().any(|known| is_shown(*known, shown, *value)))
            .map(|(shown, _)| shown)
            .collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}\n{text}");
    }
}

/// A number of the verdict, or its hundredfold where a share is shown in percent, rounded as it is shown.
fn is_shown(known: f64, shown: &str, value: f64) -> bool {
    let digits = shown.split_once('.').map_or(0, |(_, digits)| digits.len());
    let half = 0.5001 * 10_f64.powi(-i32::try_from(digits).unwrap());
    (known - value).abs() <= half || (known * 100.0 - value).abs() <= half
}

/// Every number, and those within texts.
fn numbers_of(json: &serde_json::Value) -> Vec<f64> {
    match json {
        serde_json::Value::Number(n) => n.as_f64().into_iter().collect(),
        serde_json::Value::String(text) => numbers_in(text).map(|(_, value)| value).collect(),
        serde_json::Value::Array(all) => all.iter().flat_map(numbers_of).collect(),
        serde_json::Value::Object(all) => {
            let keys = all
                .keys()
                .flat_map(|key| numbers_in(key).map(|(_, value)| value));
            keys.chain(all.values().flat_map(numbers_of)).collect()
        }
        _ => Vec::new(),
    }
}

fn numbers_in(text: &str) -> impl Iterator<Item = (String, f64)> + '_ {
    let words = text.split(|c: char| !c.is_ascii_digit() && c != '.');
    words.filter_map(|word| {
        let word = word.trim_matches('.');
        Some((word.to_owned(), word.parse().ok()?))
    })
}
