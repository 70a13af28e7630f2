//! Requests, rendered once; only the traceparent changes from one to the next.

use super::Target;
use super::arrivals::splitmix;
use crate::plan::{Plan, Reuse, Task};
use crate::record::RunKey;
use std::fmt::Write;

/// Rendered requests of every task of the plan; a copy per worker.
#[derive(Clone, Debug)]
pub(super) struct Requests {
    tasks: Vec<Rendered>,
    /// The same, saying that the connection ends with the answer; empty where no stage wants it.
    last_of_connection: Vec<Rendered>,
    says_last: bool,
    /// Sums of the weights up to and with each task.
    weights: Vec<u64>,
    seed: u64,
}

/// One task's requests, one per body.
#[derive(Clone, Debug)]
struct Rendered {
    bodies: Vec<Vec<u8>>,
    traceparent_at: usize,
    head_only: bool,
}

impl Requests {
    /// The task of request `seq`: at random by weight, from the plan's seed and the number alone.
    pub(super) fn task(&self, seq: u64) -> u8 {
        let [.., total] = self.weights.as_slice() else {
            return 0;
        };
        if self.weights.len() == 1 {
            return 0;
        }
        let at = splitmix(seq ^ self.seed) % total;
        let task = self.weights.iter().position(|up_to| at < *up_to);
        u8::try_from(task.unwrap_or(0)).unwrap_or(0)
    }

    /// The bytes of request `seq`, its traceparent in place.
    pub(super) fn bytes(&mut self, key: RunKey, task: u8, seq: u64) -> &[u8] {
        let task = &mut self.tasks[usize::from(task)];
        let turn = usize::try_from(seq % task.bodies.len() as u64).unwrap_or(0);
        let bytes = &mut task.bodies[turn];
        bytes[task.traceparent_at..task.traceparent_at + 55].copy_from_slice(&key.traceparent(seq));
        bytes
    }

    /// The answer to the task's requests has no body, whatever its head says.
    pub(super) fn head_only(&self, task: u8) -> bool {
        self.tasks[usize::from(task)].head_only
    }

    /// Says from now on what the stage's connections are to do after an exchange.
    pub(super) fn say(&mut self, reuse: Reuse) {
        let last = reuse == Reuse::Fresh;
        if last != self.says_last {
            std::mem::swap(&mut self.tasks, &mut self.last_of_connection);
            self.says_last = last;
        }
    }
}

/// Renders the plan's requests for HTTP/1.1.
pub(super) fn render(plan: &Plan, target: &Target, seed: u64) -> Requests {
    let tasks = plan.all_tasks();
    let fresh = plan.stages.iter().any(|s| s.reuse == Reuse::Fresh);
    let last = tasks.iter().filter(|_| fresh);
    let mut sum = 0;
    let weights = tasks.iter().map(|task| {
        sum += u64::from(task.weight);
        sum
    });
    Requests {
        weights: weights.collect(),
        tasks: tasks.iter().map(|t| render_task(t, target, "")).collect(),
        last_of_connection: last
            .map(|t| render_task(t, target, "connection: close\r\n"))
            .collect(),
        says_last: false,
        seed: splitmix(seed),
    }
}

fn render_task(task: &Task, target: &Target, connection: &str) -> Rendered {
    let mut head = format!("{} {} HTTP/1.1\r\n", task.method, task.path);
    let named = |name: &str| task.headers.keys().any(|n| n.eq_ignore_ascii_case(name));
    if !named("host") {
        // Writing to a String does not fail.
        let _ = write!(head, "host: {}\r\n", target.host);
    }
    head.push_str("traceparent: ");
    let traceparent_at = head.len();
    head.push_str(&"0".repeat(55));
    head.push_str("\r\n");
    head.push_str(connection);
    for (name, value) in &task.headers {
        let _ = write!(head, "{name}: {value}\r\n");
    }
    let bodiless = matches!(
        task.method.as_str(),
        "GET" | "HEAD" | "DELETE" | "OPTIONS" | "TRACE"
    );
    let with_body = |body: &String| {
        let length = if bodiless && body.is_empty() {
            String::new()
        } else {
            format!("content-length: {}\r\n", body.len())
        };
        format!("{head}{length}\r\n{body}").into_bytes()
    };
    Rendered {
        bodies: task.bodies.iter().map(with_body).collect(),
        traceparent_at,
        head_only: task.method == "HEAD",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target() -> Target {
        Target {
            addresses: vec![],
            host: "iris:80".into(),
            tls: None,
        }
    }

    fn plan(more: &str) -> Plan {
        let stage = "[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nduration = '1s'";
        Plan::parse(&format!("name = 'x'\n{stage}\n{more}"), "x").unwrap()
    }

    #[test]
    fn a_request_carries_its_own_trace() {
        let mut plan = plan("reuse = 'fresh'");
        plan.request.bodies = vec!["{}".into(), "[]".into()];
        let key = RunKey::from_seed(7);
        let mut requests = render(&plan, &target(), 1);
        let traceparent = String::from_utf8(key.traceparent(3).to_vec()).unwrap();
        for (reuse, connection) in [
            (Reuse::Keep, ""),
            (Reuse::Fresh, "connection: close\r\n"),
            (Reuse::Keep, ""),
        ] {
            requests.say(reuse);
            let text = String::from_utf8(requests.bytes(key, 0, 3).to_vec()).unwrap();
            assert_eq!(
                text,
                format!(
                    "POST /predict HTTP/1.1\r\nhost: iris:80\r\ntraceparent: {traceparent}\r\n\
                     {connection}content-type: application/json\r\ncontent-length: 2\r\n\r\n[]"
                )
            );
        }
        assert_eq!(requests.task(3), 0);
    }

    #[test]
    fn tasks_are_chosen_by_weight_and_by_seed() {
        let tasks = "[[task]]\nname = 'a'\npath = '/'\n\
             [[task]]\nname = 'b'\npath = '/b'\nmethod = 'HEAD'\nweight = 3\n\
             [[task]]\nname = 'c'\npath = '/c'\nweight = 6\n";
        let chosen = |seed| {
            let requests = render(&plan(tasks), &target(), seed);
            (0..10_000).map(|seq| requests.task(seq)).collect()
        };
        let first: Vec<u8> = chosen(1);
        let count = |task| first.iter().filter(|t| **t == task).count();
        // Five standard deviations of 10 000 draws.
        for (task, expected, within) in [(0, 1000, 150), (1, 3000, 230), (2, 6000, 245)] {
            assert!(count(task).abs_diff(expected) < within, "{}", count(task));
        }
        assert_eq!(first, chosen(1));
        assert_ne!(first, chosen(2));
        assert!(render(&plan(tasks), &target(), 1).head_only(1));
    }
}
