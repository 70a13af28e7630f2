//! The process that serves the page: from its begin to Ctrl-C, or to the end of the run that it was started for.

use super::address::{listen, url};
use super::guard::Guard;
use super::plans::Plans;
use super::routes::routes;
use super::server;
use super::site::{Ending, Program, Site};
use super::tail::Tail;
use super::token::Token;
use crate::plan::Plan;
use anyhow::{Context, Result, ensure};
use rustix::process::Signal;
use std::ffi::OsString;
use std::io::{Write, stderr};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::signal::unix::{SignalKind, signal};

/// What the page shows at first.
#[derive(Clone, Debug)]
pub enum First {
    /// The start form.
    Nothing,
    /// A recorded run.
    Show(PathBuf),
    /// A run that is started now: arguments of `verifier run`, and its folder.
    Run(Vec<OsString>, PathBuf),
}

/// How the page is served.
#[derive(Clone, Debug)]
pub struct Setup {
    /// Where.
    pub address: SocketAddr,
    /// The secret of those who come from elsewhere; `None`: none is needed on this machine, and a random one beyond it.
    pub token: Option<String>,
    /// What it shows.
    pub first: First,
    /// Goes on serving when the run that it was started for has ended.
    pub stay: bool,
    /// Flags that runs are given which are started on the page: where the target is, the cluster, the traces.
    pub surroundings: Vec<OsString>,
    /// The target that is among them.
    pub host: Option<String>,
    /// A plan out of a file that can be chosen, too, and what names it on a command line.
    pub plan: Option<(Plan, OsString)>,
}

/// Serves until somebody ends it, and gives the exit code: that of the run that it was started for.
///
/// # Errors
/// When the page can not be served there, or the run not be started.
pub fn serve(setup: Setup) -> Result<u8> {
    let token = match (&setup.token, setup.address.ip().is_loopback()) {
        (Some(text), _) => Some(Token::chosen(text)?),
        (None, true) => None,
        (None, false) => Some(Token::random()?),
    };
    let listener = listen(setup.address)?;
    let address = listener
        .local_addr()
        .context("cannot tell where the page is served")?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        // Runs are started on this thread; whoever only looks makes way for their load.
        .on_thread_start(|| {
            let _ = rustix::process::setpriority_process(None, 10);
        })
        .build()?;
    let url = url(address, token.as_ref().map(Token::text));
    let _ = writeln!(stderr(), "verifier: the page: {url}");
    let code = runtime.block_on(async {
        let program = Program {
            path: std::env::current_exe().context("cannot find this executable's own path")?,
            surroundings: setup.surroundings,
            host: setup.host,
            plans: setup.plan.map_or_else(Plans::default, |(plan, argument)| {
                Plans::with(plan, argument)
            }),
        };
        let site = Site::new(Tail::start()?, program);
        let guard = Guard::new(address, token);
        let begun = matches!(setup.first, First::Run(..));
        let stay = match setup.first {
            First::Nothing => true,
            First::Show(folder) => {
                ensure!(
                    folder.is_dir(),
                    "there is no run folder {}",
                    folder.display()
                );
                site.show(folder).is_ok()
            }
            First::Run(args, folder) => {
                site.start(args, folder)
                    .map_err(|refusal| anyhow::anyhow!(refusal.error))?;
                setup.stay
            }
        };
        let router = routes(Arc::clone(&site), guard);
        let served = tokio::spawn(server::serve(listener, router));
        let code = conduct(&site, begun, stay, &url).await;
        served.abort();
        code
    });
    runtime.shutdown_background();
    code
}

/// Waits. The first Ctrl-C stops a run, the second ends it at once; with no run, it ends the page. `begun`: it was started
/// for a run, whose exit code is its own.
async fn conduct(site: &Site, begun: bool, stay: bool, url: &str) -> Result<u8> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut ends = site.ends();
    let mut code = None;
    let (mut interrupts, mut leaving) = (0, !stay);
    loop {
        let sent = tokio::select! {
            _ = interrupt.recv() => {
                interrupts += 1;
                // Stopped once, it still judges; stopped twice, nobody wants to see more.
                leaving |= interrupts > 1;
                Signal::INT
            }
            // Whoever sends these waits for the end.
            _ = terminate.recv() => { leaving = true; Signal::TERM }
            _ = hang_up.recv() => { leaving = true; Signal::INT }
            changed = ends.changed() => {
                let end = *ends.borrow_and_update();
                let (Ok(()), Some(Ending { code: its, recorded })) = (changed, end) else { continue };
                interrupts = 0;
                let first = begun && code.is_none();
                if begun {
                    code.get_or_insert(its);
                }
                // Where the run that it was for could not even begin, there is nothing to look at.
                if leaving || (first && !recorded) {
                    return Ok(code.unwrap_or(0));
                }
                let _ = writeln!(stderr(), "verifier: the page stays at {url} until Ctrl-C");
                continue;
            }
        };
        if !site.signal(sent) {
            return Ok(code.unwrap_or(0));
        }
    }
}
