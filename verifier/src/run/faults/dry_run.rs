//! A plan's faults, tried and not done: the API is asked for each with `dryRun=All`, so that roles and budgets hold for
//! it, and what it would hit is printed.

use super::hands::Hands;
use super::lease::Lease;
use super::reach::Reach;
use super::turn::Turn;
use super::{Timed, permissions, timed};
use crate::plan::{Cluster, Plan};
use crate::record::Clock;
use crate::run::kubernetes::Access;
use crate::run::terminal::answer;
use anyhow::Result;
use kube::Client;
use std::collections::BTreeSet;

/// Prints what each fault would hit now; whether every one could be done.
///
/// # Errors
/// When there is no way into the cluster, or a guard forbids all of it.
pub async fn dry_run(plan: &Plan, access: &Access) -> Result<bool> {
    let clock = Clock::start();
    let needs = permissions::needs(&plan.faults);
    let mut well = true;
    let reach = match plan.cluster.as_ref().filter(|_| !needs.is_empty()) {
        None => None,
        Some(names) => {
            let (client, server) = access.client().await?;
            answer(&format!("at {server}, namespace {}:\n", names.namespace))?;
            well &= permitted(&client, names, &needs).await?;
            let reach = Reach::find(client, names).await?;
            well &= free(&reach, clock).await?;
            Some(reach)
        }
    };
    let hands = Hands::new(reach, None, None);
    for timed in timed(plan) {
        well &= one(&hands, &timed, clock).await?;
    }
    if plan.faults.is_empty() {
        answer(&format!("plan {} has no faults\n", plan.name))?;
    } else if plan.seed.is_none() {
        answer("a run picks others, unless both have the same --seed\n")?;
    }
    Ok(well)
}

async fn permitted(client: &Client, names: &Cluster, needs: &[permissions::Need]) -> Result<bool> {
    let missing = permissions::missing(client, &names.namespace, needs).await?;
    let roles: BTreeSet<_> = missing.iter().map(|need| need.role).collect();
    for role in roles {
        let missing = missing.iter().filter(|need| need.role == role);
        let missing: Vec<String> = missing.map(ToString::to_string).collect();
        let role = role.words();
        answer(&format!(
            "  FAILED this account may not {}: bind {role} to it\n",
            missing.join(", ")
        ))?;
    }
    Ok(missing.is_empty())
}

async fn free(reach: &Reach, clock: Clock) -> Result<bool> {
    let free = Lease::free(reach, clock).await;
    if let Err(error) = &free {
        answer(&format!("  FAILED {error:#}\n"))?;
    }
    Ok(free.is_ok())
}

/// Tries one, and prints what came of it.
async fn one(hands: &Hands, timed: &Timed, clock: Clock) -> Result<bool> {
    let fault = &timed.fault;
    answer(&format!(
        "fault {}: {}, {}\n",
        fault.name,
        fault.action.word(),
        timed.moment.words()
    ))?;
    if fault.action.of_processes() {
        answer(&format!(
            "  would hit {} of the replicas that the run starts\n",
            fault.count
        ))?;
        return Ok(true);
    }
    let turn = Turn {
        fault: &fault.name,
        seed: timed.seed,
        dry: true,
        clock,
    };
    let deed = hands.act(fault, &turn).await;
    for hit in &deed.hits {
        let uid = if hit.uid.is_empty() {
            String::new()
        } else {
            format!(" (uid {})", hit.uid)
        };
        answer(&format!("  {}{uid}: {}\n", hit.name, hit.what))?;
    }
    for error in &deed.errors {
        answer(&format!("  FAILED {error}\n"))?;
    }
    Ok(deed.errors.is_empty())
}
