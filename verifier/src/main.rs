//! `verifier`: parse, dispatch, exit code.

// A macro that prints panics when whoever read is gone.
#![warn(clippy::print_stdout, clippy::print_stderr)]

use anyhow::Context;
use clap::{ArgMatches, CommandFactory, FromArgMatches};
use std::ffi::OsString;
use std::io::{Write, stderr};
use std::path::Path;
use std::process::ExitCode;
use verifier::cli::{
    self, AskedArgs, CheckArgs, Cli, Command, CompareArgs, FolderArgs, JudgeArgs, MergeArgs,
    RunArgs, WatchArgs, WebArgs,
};
use verifier::plan::{BUILTIN, Overrides, Plan, format_duration};
use verifier::record::{self, Asked, Clock, RunFolder};
use verifier::run::terminal::answer;
use verifier::verdict::compare::{Baseline, NOISE, Side, to_html, to_line, to_text};
use verifier::verdict::judge::recorded_part;
use verifier::web::{self, First};
use verifier::{run, verdict};

/// Wrong words on the command line, a folder that can not be used, a port that is taken.
const USAGE: u8 = 2;
/// The run took place, and can not be judged.
const UNKNOWN: u8 = 3;
/// Stopped by somebody; the report is written.
const INTERRUPTED: u8 = 130;

fn main() -> ExitCode {
    if let Some(code) = run::target::embedded::child_main() {
        return code;
    }
    let matches = Cli::command().get_matches();
    let command = Cli::from_arg_matches(&matches).map(|cli| cli.command);
    let typed = matches.subcommand().map(|(_, typed)| typed);
    let result = match command.unwrap_or_else(|error| error.exit()) {
        Command::Run(args) if args.page.web.is_some() => run_on_page(*args, typed),
        Command::Run(args) => run(*args),
        Command::Web(args) => web(args),
        Command::Check(args) => check(args),
        Command::Watch(args) => watch(args),
        Command::Judge(args) => judge(&args),
        Command::Merge(args) => merge(&args),
        Command::Show(args) => show(&args),
        Command::Compare(args) => compare(&args),
        Command::Plan { plan: Some(plan) } => print_plan(&plan),
        Command::Plan { plan: None } => list_plans(),
    };
    result.unwrap_or_else(|error| {
        tell(&format!("verifier: {error:#}"));
        ExitCode::from(USAGE)
    })
}

fn load_plan(name: &str) -> anyhow::Result<Plan> {
    match std::fs::read_to_string(name) {
        Ok(text) => Plan::parse(&text, name),
        Err(_) if !name.contains(['/', '.']) => Plan::named(name),
        Err(error) => anyhow::bail!("cannot read the plan {name}: {error}"),
    }
}

/// The plan that is run.
fn planned(args: &RunArgs) -> anyhow::Result<Plan> {
    let overrides = Overrides {
        connections: args.connections.clone(),
        users: args.users.clone(),
        spawn_rate: args.spawn_rate,
        rate: args.rate.clone(),
        duration: args.duration,
        scale_time: args.scale_time,
        thresholds: args.thresholds.clone(),
        no_faults: args.no_faults,
        http2: args.http2,
        namespace: args.cluster.namespace.clone(),
        seed: args.seed,
    };
    overrides.apply(args.cluster.asked(load_plan(&args.plan)?))
}

fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let plan = planned(&args)?;
    let setup = run::Setup {
        url: args.url,
        replicas: args.replicas,
        traces: args.sources.traces,
        collector: args.sources.collector,
        otlp_grpc: args.sources.otlp_grpc,
        otlp_http: args.sources.otlp_http,
        access: args.cluster.access(),
        export_client_spans: args.export_client_spans,
        asked: args.asked.asked(),
        out: args.out,
        workers: args.workers,
        headless: args.headless,
        panel: !args.headless && !args.json,
        keys: match args.keys_from_stdin {
            true => run::Keys::Program,
            false => run::Keys::None,
        },
        shard: run::ShardSetup {
            shard: args.shard,
            peers: args.shard_peers,
            wait: args.shard_wait,
        },
        trust: run::load::Trust {
            ca_file: args.ca_file,
            insecure: args.insecure,
        },
    };
    if args.dry_run {
        let well = run::try_faults(&plan, &setup)?;
        return Ok(ExitCode::from(if well { 0 } else { USAGE }));
    }
    let baseline = baseline(&args.asked)?;
    let ended = run::run(plan, &setup)?;
    let code = exit(&ended, setup.asked, baseline, args.json)?;
    let recorded = || verdict::read_verdict(&ended.folder).is_ok_and(|v| recorded_part(&v));
    // A shard has done its part when that is recorded: the whole is judged by `verifier merge`.
    Ok(match setup.shard.shard {
        Some(_) if recorded() => ExitCode::SUCCESS,
        _ => code,
    })
}

/// The page, and the run as a child process of the one that serves it: what happens to the page does not happen to the run.
fn run_on_page(args: RunArgs, typed: Option<&ArgMatches>) -> anyhow::Result<ExitCode> {
    // What is wrong with it is said before anything is served.
    let plan = planned(&args)?;
    let folder = args.out.clone();
    let folder = folder.unwrap_or_else(|| RunFolder::default_path(&plan.name, Clock::start()));
    let again = typed.map(cli::typed).unwrap_or_default();
    let setup = web::Setup {
        address: args.page.web.unwrap_or_else(web::default_address),
        token: args.page.web_token.clone(),
        first: First::Run(again, folder),
        stay: !args.headless,
        surroundings: typed.map(cli::surroundings).unwrap_or_default(),
        plan: own_plan(&args.plan)?,
        host: args.url,
    };
    Ok(ExitCode::from(web::serve(setup)?))
}

/// A plan out of a file, which can be chosen on the page, too.
fn own_plan(name: &str) -> anyhow::Result<Option<(Plan, OsString)>> {
    let is_file = Path::new(name).is_file();
    let argument = OsString::from(name);
    Ok(is_file
        .then(|| load_plan(name))
        .transpose()?
        .map(|plan| (plan, argument)))
}

fn web(args: WebArgs) -> anyhow::Result<ExitCode> {
    let words = ["verifier", "run"].map(OsString::from).into_iter();
    // A mistake among them is said here, and not when somebody has filled in a form.
    let typed = Cli::command().get_matches_from(words.chain(args.run));
    let given = typed.subcommand().map(|(_, typed)| typed);
    let run = given.map(RunArgs::from_arg_matches).transpose()?;
    let plan = run.as_ref().map_or("", |run| run.plan.as_str());
    let setup = web::Setup {
        address: args.listen,
        token: args.web_token,
        first: First::Nothing,
        stay: true,
        surroundings: given.map(cli::surroundings).unwrap_or_default(),
        plan: own_plan(plan)?,
        host: run.and_then(|run| run.url),
    };
    Ok(ExitCode::from(web::serve(setup)?))
}

/// A recorded run on the page.
fn show_on_page(args: &FolderArgs) -> anyhow::Result<ExitCode> {
    let folder = RunFolder::open(&args.run)?;
    let setup = web::Setup {
        address: args.page.web.unwrap_or_else(web::default_address),
        token: args.page.web_token.clone(),
        first: First::Show(folder.path().to_owned()),
        stay: true,
        surroundings: Vec::new(),
        plan: None,
        host: None,
    };
    Ok(ExitCode::from(web::serve(setup)?))
}

/// Judges what was recorded; what can not be judged is unknown.
fn exit(
    ended: &run::Ended,
    asked: Asked,
    baseline: Option<Baseline>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let code = report(&ended.folder, asked, baseline, json).unwrap_or_else(|error| {
        tell(&format!("verifier: {error:#}"));
        ExitCode::from(UNKNOWN)
    });
    Ok(if ended.interrupted {
        ExitCode::from(INTERRUPTED)
    } else {
        code
    })
}

/// The run to hold this one against, read and judged; that it can not be is said before any load.
fn baseline(asked: &AskedArgs) -> anyhow::Result<Option<Baseline>> {
    let Some(path) = &asked.baseline else {
        return Ok(None);
    };
    let read = RunFolder::open(path).and_then(|folder| Baseline::read(&folder, NOISE));
    read.map(Some).context("--baseline")
}

/// Judges the folder, prints the verdict, writes the reports.
fn report(
    folder: &RunFolder,
    asked: Asked,
    baseline: Option<Baseline>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let mut printed = Ok(());
    let verdict = verdict::judge_and_report(folder, asked, baseline, |verdict, comparison| {
        let beside = comparison.map(to_line);
        printed = print(verdict, beside.as_deref(), json);
        Ok(())
    })?;
    let file = folder.path().join("report.html");
    tell(&format!("report: {}", file.display()));
    printed?;
    Ok(ExitCode::from(verdict.outcome.exit_code()))
}

/// Joins the shards of a run, and judges the whole.
fn merge(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let mut say = |what: &str| tell(&format!("verifier: {what}"));
    let baseline = baseline(&args.asked)?;
    let folder = record::merge::merge(&args.folders, &args.out, args.wait, &mut say)?;
    report(&folder, args.asked.asked(), baseline, args.json)
}

fn check(args: CheckArgs) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        namespace: args.cluster.namespace.clone(),
        ..Overrides::default()
    };
    let named = load_plan(args.plan.as_deref().unwrap_or("quick"))?;
    let plan = overrides.apply(args.cluster.asked(named))?;
    let setup = run::Setup {
        url: args.url,
        traces: args.sources.traces,
        collector: args.sources.collector,
        access: args.cluster.access(),
        otlp_grpc: args.sources.otlp_grpc,
        otlp_http: args.sources.otlp_http,
        ..run::Setup::default()
    };
    let asked = run::check::Asked {
        plan: &plan,
        cluster: plan.cluster.is_some() || setup.url.is_none(),
        requests: args.requests,
    };
    let well = run::check::check(&asked, &setup)?;
    Ok(ExitCode::from(u8::from(!well)))
}

fn watch(args: WatchArgs) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        thresholds: args.thresholds,
        namespace: args.cluster.namespace.clone(),
        ..Overrides::default()
    };
    let plan = overrides.apply(args.cluster.asked(load_plan(&args.plan)?))?;
    let setup = run::Setup {
        url: args.url,
        traces: args.sources.traces,
        collector: args.sources.collector,
        access: args.cluster.access(),
        otlp_grpc: args.sources.otlp_grpc,
        otlp_http: args.sources.otlp_http,
        out: args.out,
        headless: args.headless,
        asked: args.asked.asked(),
        ..run::Setup::default()
    };
    let baseline = baseline(&args.asked)?;
    let ended = run::found::watch(plan, &setup, args.length)?;
    exit(&ended, setup.asked, baseline, args.json)
}

fn judge(args: &JudgeArgs) -> anyhow::Result<ExitCode> {
    let folder = match (&args.run, &args.otlp) {
        (Some(run), _) => RunFolder::open(run)?,
        (None, Some(file)) => run::found::read(load_plan(&args.plan)?, file, args.out.as_deref())?,
        (None, None) => anyhow::bail!("name a run folder, or a file with --otlp"),
    };
    let baseline = baseline(&args.asked)?;
    report(&folder, args.asked.asked(), baseline, args.json)
}

fn show(args: &FolderArgs) -> anyhow::Result<ExitCode> {
    if args.page.web.is_some() {
        return show_on_page(args);
    }
    let verdict = verdict::read_verdict(&RunFolder::open(&args.run)?)?;
    print(&verdict, None, args.json)?;
    Ok(ExitCode::from(verdict.outcome.exit_code()))
}

fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let (a, b) = (RunFolder::open(&args.a)?, RunFolder::open(&args.b)?);
    let comparison = verdict::compare::compare(&Side::read(&a)?, &Side::read(&b)?, args.noise);
    if let Some(file) = &args.html {
        to_html(&a, &b, &comparison, file)?;
        tell(&format!("page: {}", file.display()));
    }
    let text = match args.json {
        true => serde_json::to_string_pretty(&comparison)? + "\n",
        false => to_text(&comparison),
    };
    answer(&text)?;
    Ok(ExitCode::from(comparison.outcome.exit_code()))
}

/// The verdict, and in a line what it is beside a baseline.
fn print(verdict: &verdict::Verdict, beside: Option<&str>, json: bool) -> anyhow::Result<()> {
    let mut text = verdict::to_text(verdict);
    text.extend(beside.map(|line| format!("{line}\n")));
    if json {
        let _ = write!(stderr(), "{text}");
        text = verdict::to_json(verdict)?;
    }
    answer(&text)
}

/// Says something to a person, if there still is one.
fn tell(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

fn print_plan(name: &str) -> anyhow::Result<ExitCode> {
    answer(&load_plan(name)?.to_toml()?)?;
    Ok(ExitCode::SUCCESS)
}

/// Name, length and description of every built-in plan.
fn list_plans() -> anyhow::Result<ExitCode> {
    let mut list = String::new();
    for (name, _) in BUILTIN {
        // That each parses is tested.
        if let Ok(plan) = Plan::named(name) {
            let length = match &plan.search {
                Some(_) => "search".to_owned(),
                None => format_duration(plan.duration()),
            };
            list += &format!("{name:<15} {length:>7}  {}\n", plan.description);
        }
    }
    answer(&list)?;
    Ok(ExitCode::SUCCESS)
}
