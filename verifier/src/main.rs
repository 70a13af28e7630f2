//! `verifier`: parse, dispatch, exit code.

use anyhow::Context;
use clap::Parser;
use std::process::ExitCode;
use verifier::cli::{
    AskedArgs, CheckArgs, Cli, Command, CompareArgs, FolderArgs, JudgeArgs, MergeArgs, RunArgs,
    WatchArgs,
};
use verifier::plan::{BUILTIN, Overrides, Plan, format_duration};
use verifier::record::{self, Asked, RunFolder};
use verifier::verdict::compare::{Baseline, Comparison, NOISE, Side, to_html, to_line, to_text};
use verifier::verdict::judge::recorded_part;
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
    let result = match Cli::parse().command {
        Command::Run(args) => run(*args),
        Command::Check(args) => check(args),
        Command::Watch(args) => watch(args),
        Command::Judge(args) => judge(&args),
        Command::Merge(args) => merge(&args),
        Command::Show(args) => show(&args),
        Command::Compare(args) => compare(&args),
        Command::Plan { plan: Some(plan) } => print_plan(&plan),
        Command::Plan { plan: None } => Ok(list_plans()),
    };
    result.unwrap_or_else(|error| {
        eprintln!("verifier: {error:#}");
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

fn run(args: RunArgs) -> anyhow::Result<ExitCode> {
    let overrides = Overrides {
        connections: args.connections,
        users: args.users,
        spawn_rate: args.spawn_rate,
        rate: args.rate,
        duration: args.duration,
        scale_time: args.scale_time,
        thresholds: args.thresholds,
        no_faults: args.no_faults,
        http2: args.http2,
        namespace: args.cluster.namespace.clone(),
        seed: args.seed,
    };
    let plan = overrides.apply(args.cluster.asked(load_plan(&args.plan)?))?;
    let setup = run::Setup {
        url: args.url,
        replicas: args.replicas,
        traces: args.traces,
        collector: args.collector,
        otlp_grpc: args.otlp_grpc,
        otlp_http: args.otlp_http,
        access: args.cluster.access(),
        export_client_spans: args.export_client_spans,
        asked: args.asked.asked(),
        out: args.out,
        workers: args.workers,
        headless: args.headless,
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

/// Judges what was recorded; what can not be judged is unknown.
fn exit(
    ended: &run::Ended,
    asked: Asked,
    baseline: Option<Baseline>,
    json: bool,
) -> anyhow::Result<ExitCode> {
    let code = report(&ended.folder, asked, baseline, json).unwrap_or_else(|error| {
        eprintln!("verifier: {error:#}");
        ExitCode::from(UNKNOWN)
    });
    Ok(if ended.interrupted {
        ExitCode::from(INTERRUPTED)
    } else {
        code
    })
}

/// The run to be held against, read before any load: what is wrong with it shall not come up when the run is over.
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
    let show = |verdict: &verdict::Verdict, comparison: Option<&Comparison>| {
        print(verdict, json)?;
        match (comparison.map(to_line), json) {
            (Some(line), true) => eprintln!("{line}"),
            (Some(line), false) => println!("{line}"),
            (None, _) => {}
        }
        Ok(())
    };
    let verdict = verdict::judge_and_report(folder, asked, baseline, show)?;
    eprintln!("report: {}", folder.path().join("report.html").display());
    Ok(ExitCode::from(verdict.outcome.exit_code()))
}

/// Joins the shards of a run, and judges the whole.
fn merge(args: &MergeArgs) -> anyhow::Result<ExitCode> {
    let baseline = baseline(&args.asked)?;
    let mut tell = |what: &str| eprintln!("verifier: {what}");
    let folder = record::merge::merge(&args.folders, &args.out, args.wait, &mut tell)?;
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
        traces: args.traces,
        collector: args.collector,
        access: args.cluster.access(),
        otlp_grpc: args.otlp_grpc,
        otlp_http: args.otlp_http,
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
        traces: args.traces,
        collector: args.collector,
        access: args.cluster.access(),
        otlp_grpc: Some(args.otlp_grpc),
        otlp_http: Some(args.otlp_http),
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
    let baseline = baseline(&args.asked)?;
    let folder = match (&args.run, &args.otlp) {
        (Some(run), _) => RunFolder::open(run)?,
        (None, Some(file)) => run::found::read(load_plan(&args.plan)?, file, args.out.as_deref())?,
        (None, None) => anyhow::bail!("name a run folder, or a file with --otlp"),
    };
    report(&folder, args.asked.asked(), baseline, args.json)
}

fn show(args: &FolderArgs) -> anyhow::Result<ExitCode> {
    let verdict = verdict::read_verdict(&RunFolder::open(&args.run)?)?;
    print(&verdict, args.json)?;
    Ok(ExitCode::from(verdict.outcome.exit_code()))
}

fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    let (a, b) = (RunFolder::open(&args.a)?, RunFolder::open(&args.b)?);
    let comparison = verdict::compare::compare(&Side::read(&a)?, &Side::read(&b)?, args.noise);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        print!("{}", to_text(&comparison));
    }
    if let Some(page) = args.page() {
        to_html(&a, &b, &comparison, &page)?;
        eprintln!("report: {}", page.display());
    }
    Ok(ExitCode::from(comparison.outcome.exit_code()))
}

fn print(verdict: &verdict::Verdict, json: bool) -> anyhow::Result<()> {
    if json {
        print!("{}", verdict::to_json(verdict)?);
        eprint!("{}", verdict::to_text(verdict));
    } else {
        print!("{}", verdict::to_text(verdict));
    }
    Ok(())
}

fn print_plan(name: &str) -> anyhow::Result<ExitCode> {
    print!("{}", load_plan(name)?.to_toml()?);
    Ok(ExitCode::SUCCESS)
}

/// Name, length and description of every built-in plan.
fn list_plans() -> ExitCode {
    for (name, _) in BUILTIN {
        // That each parses is tested.
        if let Ok(plan) = Plan::named(name) {
            let length = match &plan.search {
                Some(_) => "search".to_owned(),
                None => format_duration(plan.duration()),
            };
            println!("{name:<14} {length:>8}  {}", plan.description);
        }
    }
    ExitCode::SUCCESS
}
