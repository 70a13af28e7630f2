//! Before a run: is everything there that one needs, and if not, what to do; one line a check.

mod objects;
mod permissions;
mod pods;
mod report;
mod target;
mod traces;

use super::cluster::service;
use super::setup::Setup;
use super::traces::{COLLECTOR, Source, Sources};
use crate::plan::{Cluster, Plan};
use anyhow::Result;
use objects::{Objects, words};
use report::Report;
use tokio::runtime::Runtime;

/// What is checked, beside the setup of a run.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Whose requests, traces, `[cluster]` and faults.
    pub plan: &'a Plan,
    /// Look at a cluster; else the target alone.
    pub cluster: bool,
    /// Requests of each kind whose traces must come.
    pub requests: u64,
}

/// Checks, and prints a line for each; whether nothing has failed.
///
/// # Errors
/// When the checks themselves can not be made.
pub fn check(asked: &Asked<'_>, setup: &Setup) -> Result<bool> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let mut report = Report::default();
    let url = runtime.block_on(async {
        let of_service = match asked.cluster {
            true => cluster(asked, setup, &mut report).await,
            false => {
                let how = "name one with --kubeconfig, --context or --namespace";
                report.not_checked("the cluster", how);
                None
            }
        };
        setup.url.clone().or(of_service)
    });
    collector(asked, setup, &mut report);
    match url {
        Some(url) => the_target(&runtime, &url, asked, setup, &mut report)?,
        None => report.not_checked(
            "the target, and traces",
            "no address is known: name one with --url",
        ),
    }
    report.well()
}

/// Everything that the API server tells; the address of the Service, if it has one that answers.
async fn cluster(asked: &Asked<'_>, setup: &Setup, report: &mut Report) -> Option<String> {
    let names: Cluster = asked.plan.cluster.clone().unwrap_or_default();
    let (client, server) = match setup.access.client().await {
        Ok(way) => way,
        Err(error) => {
            report.failed("API server", &format!("{error:#}"));
            return None;
        }
    };
    match client.apiserver_version().await {
        Ok(version) => report.ok(&format!("API server {server} {}", version.git_version)),
        Err(kube::Error::Api(status)) if status.code != 401 => {
            report.ok(&format!(
                "API server {server} (it does not tell its version)"
            ));
        }
        Err(error) => {
            let what = format!("API server {server}: {}", words(&error));
            report.failed(
                &what,
                "does it run, is the kubeconfig the right one, is its token still good?",
            );
            return None;
        }
    }
    permissions::check(&client, &names.namespace, &asked.plan.faults, report).await;
    let objects = Objects {
        client,
        names: &names,
    };
    objects.check(report).await;
    match service::url(&names, &setup.access).await {
        Ok(url) => {
            report.ok(&format!(
                "Service {} takes connections at {url}",
                names.service
            ));
            Some(url)
        }
        Err(error) if setup.url.is_some() => {
            report.not_checked(
                &format!("Service {}: {error:#}", names.service),
                "--url is used",
            );
            None
        }
        Err(error) => {
            report.failed(&format!("Service {}", names.service), &format!("{error:#}"));
            None
        }
    }
}

/// The collector's own counters, where they were named or usually are.
fn collector(asked: &Asked<'_>, setup: &Setup, report: &mut Report) {
    let url = setup.collector.as_deref().unwrap_or(COLLECTOR);
    let of_others = setup.traces.iter().any(|source| *source != Source::Otlp);
    match Sources::check(&[], Some(url)) {
        Ok(()) => report.ok(&format!("the collector's counters at {url}")),
        Err(error) if setup.collector.is_some() => {
            report.failed(&format!("the collector's counters: {error:#}"), "");
        }
        Err(_) if of_others || asked.cluster => report.not_checked(
            &format!("the collector's counters: nothing at {url}"),
            "name them with --collector URL: without them a loss in the collector is not told from one behind it",
        ),
        Err(_) => {}
    }
}

fn the_target(
    runtime: &Runtime,
    url: &str,
    asked: &Asked<'_>,
    setup: &Setup,
    report: &mut Report,
) -> Result<()> {
    let url = super::target::external::check(url)?;
    let answers = runtime.block_on(target::check(&url, asked.plan, report));
    let iris = asked.plan.request.path == "/predict" && asked.plan.tasks.is_empty();
    if !answers || !iris {
        report.not_checked("traces", "no prediction can be asked for");
        return Ok(());
    }
    // Where traces are looked for depends on whose service it is.
    let setup = Setup {
        url: Some(url.clone()),
        ..setup.clone()
    };
    let traced = traces::check(runtime, &url, (asked.plan, &setup), asked.requests, report);
    if let Err(error) = traced {
        report.failed(&format!("traces: {error:#}"), "");
    }
    Ok(())
}
