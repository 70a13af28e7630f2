//! What a run needs beside its plan, as it was asked for: sources, listeners, the collector's books.

use super::cluster::{self, Cluster};
use super::keys::Keys;
use super::kubernetes::Access;
use super::load;
use super::shard::ShardSetup;
use super::traces::{self, Source, Sources};
use crate::plan::Plan;
use crate::record::{Asked, Observation, Recorder};
use anyhow::{Context, Result, bail, ensure};
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;

/// How a run is set up, beside its plan.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// The target; `None`: the Service of the cluster that is watched, else the iris service is started here.
    pub url: Option<String>,
    /// Replicas to start here.
    pub replicas: u16,
    /// Where traces come from; the first is judged, the others are held against it. Empty: the own receiver.
    pub traces: Vec<Source>,
    /// Where the collector on the way shows its own books; `None`: the usual place with a URL and sources that are read,
    /// if something answers there.
    pub collector: Option<String>,
    /// The way into the cluster, where the plan watches one.
    pub access: Access,
    /// Where OTLP/gRPC is listened for; `None`: the well-known port with a URL, else a free one.
    pub otlp_grpc: Option<SocketAddr>,
    /// Where OTLP/HTTP is listened for.
    pub otlp_http: Option<SocketAddr>,
    /// Where the verifier's own spans are exported to after the load, by OTLP/HTTP.
    pub export_client_spans: Option<String>,
    /// What was asked of the reports.
    pub asked: Asked,
    /// The run folder; `None`: `runs/<plan>-<time>`.
    pub out: Option<PathBuf>,
    /// Load threads; `None`: half of the CPUs.
    pub workers: Option<u16>,
    /// Plain progress lines, even on a terminal.
    pub headless: bool,
    /// The panel, where there is a terminal for it.
    pub panel: bool,
    /// Where the keys come from that change the number of users; from the terminal while there is a panel.
    pub keys: Keys,
    /// Which part of the plan this is, where several verifiers drive it.
    pub shard: ShardSetup,
    /// Whose certificates an `https://` target may show.
    pub trust: load::Trust,
}

impl Setup {
    /// The same, its target named: where none is and a cluster is watched, it is the Service of the plan.
    ///
    /// # Errors
    /// When that can not be found, or not be reached from here.
    pub(super) async fn with_target(&self, plan: &Plan) -> Result<Setup> {
        let mut setup = self.clone();
        if let (None, Some(cluster)) = (&self.url, &plan.cluster) {
            ensure!(
                self.replicas <= 1,
                "--replicas starts the service here, and the plan watches the one in a cluster: leave one of them out"
            );
            setup.url = Some(cluster::service::url(cluster, &self.access).await?);
        }
        Ok(setup)
    }

    /// Watches the plan's cluster, if it has one.
    pub(super) async fn watch_cluster(
        &self,
        plan: &Plan,
        recorder: &Recorder,
    ) -> Result<Option<Cluster>> {
        Ok(match &plan.cluster {
            Some(cluster) => Some(Cluster::start(cluster, &self.access, recorder.clone()).await?),
            None => None,
        })
    }

    pub(super) fn sources(&self) -> Result<Vec<Source>> {
        if self.traces.is_empty() {
            return Ok(vec![Source::Otlp]);
        }
        let of_others = self.traces.iter().find(|source| **source != Source::Otlp);
        if let (None, Some(source)) = (&self.url, of_others) {
            bail!(
                "--traces {} needs --url: the service that is started here exports to the verifier itself",
                source.name()
            );
        }
        Ok(self.traces.clone())
    }

    /// The listeners of the verifier's own receiver, where it is a source: where they were asked for, else on the well-known
    /// ports if the target is somebody else's (it must know where to export to), else on free ones.
    pub(super) fn listeners(
        &self,
        sources: &[Source],
        of_others: bool,
    ) -> Result<Option<(TcpListener, TcpListener)>> {
        if !sources.contains(&Source::Otlp) {
            return Ok(None);
        }
        let port = |known: u16| if of_others { known } else { 0 };
        Ok(Some((
            listen(self.otlp_grpc, "--otlp-grpc", port(4317))?,
            listen(self.otlp_http, "--otlp-http", port(4318))?,
        )))
    }

    pub(super) fn tell_asked(&self, recorder: &Recorder) {
        if self.asked != Asked::default() {
            recorder.observe(Observation::ReportsAsked(self.asked.clone()));
        }
    }

    pub(super) fn watch_collector(&self, sources: &mut Sources, recorder: &Recorder) -> Result<()> {
        match &self.collector {
            Some(url) => sources.watch_collector(url, recorder),
            // Without its books the verdict knows of fewer hops, and says so.
            None if self.traces.iter().any(|source| *source != Source::Otlp) => {
                let _ = sources.watch_collector(traces::COLLECTOR, recorder);
                Ok(())
            }
            None => Ok(()),
        }
    }
}

/// Binds one of the two OTLP listeners: where it was asked for, else at this port of the loopback.
fn listen(asked: Option<SocketAddr>, flag: &str, port: u16) -> Result<TcpListener> {
    let address = asked.unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], port)));
    TcpListener::bind(address).with_context(|| {
        format!("cannot listen for traces on {address}: choose another with {flag}")
    })
}
