//! `verifier`: parse, dispatch, exit code.

use clap::Parser;
use std::process::ExitCode;
use verifier::cli::{Cli, Command, CompareArgs, FolderArgs, RunArgs};
use verifier::plan::{BUILTIN, Overrides, Plan, format_duration};
use verifier::record::RunFolder;
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
        Command::Judge(args) => judge(&args),
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
        seed: args.seed,
    };
    let plan = overrides.apply(load_plan(&args.plan)?)?;
    let setup = run::Setup {
        url: args.url,
        replicas: args.replicas,
        traces: args.traces,
        collector: args.collector,
        otlp_grpc: args.otlp_grpc,
        otlp_http: args.otlp_http,
        out: args.out,
        workers: args.workers,
        headless: args.headless,
        trust: run::load::Trust {
            ca_file: args.ca_file,
            insecure: args.insecure,
        },
    };
    let ended = run::run(plan, &setup)?;
    let code = report(&ended.folder, args.json).unwrap_or_else(|error| {
        eprintln!("verifier: {error:#}");
        ExitCode::from(UNKNOWN)
    });
    Ok(if ended.interrupted {
        ExitCode::from(INTERRUPTED)
    } else {
        code
    })
}

/// Judges the folder, prints the verdict, writes the reports: in this order, so that a full disk
/// still leaves the verdict on the terminal.
fn report(folder: &RunFolder, json: bool) -> anyhow::Result<ExitCode> {
    let judged = verdict::judge_folder(folder)?;
    print(&judged.verdict, json)?;
    verdict::write_reports(folder, &judged)?;
    eprintln!("report: {}", folder.path().join("report.html").display());
    Ok(ExitCode::from(judged.verdict.outcome.exit_code()))
}

fn judge(args: &FolderArgs) -> anyhow::Result<ExitCode> {
    report(&RunFolder::open(&args.run)?, args.json)
}

fn show(args: &FolderArgs) -> anyhow::Result<ExitCode> {
    let verdict = verdict::read_verdict(&RunFolder::open(&args.run)?)?;
    print(&verdict, args.json)?;
    Ok(ExitCode::from(verdict.outcome.exit_code()))
}

fn compare(args: &CompareArgs) -> anyhow::Result<ExitCode> {
    use verdict::compare::{Side, compare, to_text};
    let read = |path| Side::read(&RunFolder::open(path)?);
    let comparison = compare(&read(&args.a)?, &read(&args.b)?, args.noise);
    if args.json {
        println!("{}", serde_json::to_string_pretty(&comparison)?);
    } else {
        print!("{}", to_text(&comparison));
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
