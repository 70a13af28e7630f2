//! Last words: the log of a pod that ends in, its span books, or its last lines, in the journal out.

use super::board::Board;
use super::failure::Failure;
use super::pods::{Ended, Seen};
use crate::record::Observation;
use crate::record::cluster::Watched;
use crate::run::last_words;
use futures_util::{AsyncBufReadExt, StreamExt};
use k8s_openapi::api::core::v1::Pod;
use kube::Api;
use kube::api::LogParams;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{sleep, timeout};

/// Lines that are held in search of the books.
const HELD: usize = 200;
/// Lines that are kept of a log without them.
const KEPT: usize = 20;
/// Bytes of a line that are kept.
const LONGEST_LINE: usize = 2_000;
/// Kubelet may take longer than the grace to tell that a container has ended.
const AFTER_GRACE: Duration = Duration::from_secs(8);
const ANSWER_WITHIN: Duration = Duration::from_secs(10);
const TRIES: u32 = 3;
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// Whose words.
#[derive(Clone, Debug)]
pub(super) struct Of {
    uid: String,
    pod: String,
    container: String,
}

impl Of {
    pub(super) fn pod(uid: &str, seen: &Seen) -> Of {
        Of {
            uid: uid.to_owned(),
            pod: seen.pod.name.clone(),
            container: seen.container.clone(),
        }
    }
}

/// Of a pod that is being deleted: its log is followed until it ends, for as long as its grace.
pub(super) async fn of_ending(board: Arc<Board>, of: Of, grace: Duration) {
    let mut lines = VecDeque::new();
    // Whatever it had said by then counts.
    let _ = timeout(
        grace + AFTER_GRACE,
        read(&board, &of, true, false, &mut lines),
    )
    .await;
    tell(&board, &of, lines, false);
    board.read(&of.uid);
}

/// Of a container that ended while its pod stays.
pub(super) async fn of_ended(board: Arc<Board>, of: Of, ended: Ended) {
    let mut lines = VecDeque::new();
    let log = read(&board, &of, false, ended.previous, &mut lines);
    let _ = timeout(ANSWER_WITHIN, log).await;
    tell(&board, &of, lines, ended.how.exit_code != 0);
}

/// Reads a log to its end; tries again where the API server is away.
async fn read(board: &Board, of: &Of, follow: bool, previous: bool, lines: &mut VecDeque<String>) {
    for _ in 0..TRIES {
        lines.clear();
        match once(board, of, follow, previous, lines).await {
            Ok(()) => return board.sees_again(Watched::PodLogs),
            // The pod is gone: its log with it.
            Err(Failure::Absent(_)) => return,
            Err(Failure::Refused(why)) => return board.refused(Watched::PodLogs, &why),
            Err(_) => sleep(BETWEEN_TRIES).await,
        }
    }
}

async fn once(
    board: &Board,
    of: &Of,
    follow: bool,
    previous: bool,
    lines: &mut VecDeque<String>,
) -> Result<(), Failure> {
    let client = { board.client().await }.map_err(|error| Failure::Broken(error.to_string()))?;
    let api: Api<Pod> = Api::namespaced(client, &board.plan.namespace);
    let params = LogParams {
        container: Some(of.container.clone()),
        follow,
        previous,
        tail_lines: Some(HELD as i64),
        ..LogParams::default()
    };
    let log = timeout(ANSWER_WITHIN, api.log_stream(&of.pod, &params)).await??;
    let mut said = log.lines();
    while let Some(line) = said.next().await {
        let line = line.map_err(|error| Failure::Broken(error.to_string()))?;
        if lines.len() == HELD {
            lines.pop_front();
        }
        lines.push_back(line);
    }
    Ok(())
}

/// Its books, if it had time for them; its last lines where it had not, or where it failed.
fn tell(board: &Board, of: &Of, lines: VecDeque<String>, failed: bool) {
    let lines: Vec<String> = lines.into();
    let books = last_words::books(&lines.join("\n"), &of.pod);
    let silent = books.is_none() || failed;
    if let Some(mut books) = books {
        books.pod.clone_from(&of.pod);
        board.recorder.observe(Observation::ServiceBooks(books));
    }
    if silent && !lines.is_empty() {
        let last = &lines[lines.len().saturating_sub(KEPT)..];
        board.recorder.observe(Observation::PodLog {
            pod: of.pod.clone(),
            lines: last.iter().map(|line| cut(line)).collect(),
        });
    }
}

fn cut(line: &str) -> String {
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line.to_owned(),
    }
}
