//! The Deployment's scale: set as `kubectl scale` does it, and left as it was found, or to the HPA that owns it.
//!
//! An HPA on the Deployment owns the scale: it takes back what a fault sets with its next look (15 s), and what it wants
//! by the end of the load is no longer what was found. So the scale is left to it, unless it can not or does not act:
//! 0 replicas switch it off, and beyond its bounds there is no load that it would want them for.

use super::answer::{Refusal, answered};
use super::deed::{Deed, Undo};
use super::reach::Reach;
use super::turn::Turn;
use crate::record::cluster::Hit;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use kube::ResourceExt;
use kube::api::{ListParams, Patch, PatchParams};
use serde_json::json;

/// A Deployment changes often; a change that comes between look and write is looked at again.
const TRIES: usize = 8;

/// An HPA on the Deployment.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Hpa {
    name: String,
    min: i32,
    max: i32,
}

impl Hpa {
    fn words(&self) -> String {
        format!("the HPA {} ({} to {})", self.name, self.min, self.max)
    }
}

/// Sets the replicas.
pub(super) async fn set(reach: &Reach, replicas: i32, turn: &Turn<'_>) -> Deed {
    let asked_ns = turn.now_ns();
    let hpa = match hpa(reach).await {
        Ok(hpa) => hpa,
        Err(refusal) => return Deed::failed(asked_ns, format!("cannot list HPAs: {refusal}")),
    };
    turn.tell(&format!("scaling {} to {replicas} replicas", reach.shown()));
    let asked_ns = turn.now_ns();
    let written = write(reach, turn.dry, |_| Some(replicas)).await;
    let found = match written {
        Ok(found) => found,
        Err(refusal) => return Deed::failed(asked_ns, refusal.to_string()),
    };
    let mut what = format!("replicas {found} -> {replicas}");
    if let Some(hpa) = &hpa {
        what += &format!(", against {}", hpa.words());
    }
    Deed {
        asked_ns,
        hits: vec![hit(reach, what)],
        errors: Vec::new(),
        undo: Some(Undo::Scale {
            found,
            set: replicas,
        }),
    }
}

/// Puts it back. `ours` are the values that faults have set: another is somebody else's.
///
/// # Errors
/// When the API can not be asked; it may be tried again.
pub(super) async fn put_back(
    reach: &Reach,
    found: i32,
    ours: &[i32],
    turn: &Turn<'_>,
) -> Result<Deed, Refusal> {
    let asked_ns = turn.now_ns();
    let hpa = hpa(reach).await?;
    let mut outcome = (found, found);
    let mut left = None;
    write(reach, turn.dry, |current| {
        let decided = decide(current, found, ours, hpa.as_ref());
        outcome = (current, decided.unwrap_or(current));
        left = decided.is_none().then_some(current);
        decided
    })
    .await?;
    let (before, after) = outcome;
    let mut deed = Deed {
        asked_ns,
        ..Deed::default()
    };
    match (left, &hpa) {
        (None, _) => {
            turn.tell(&format!("{} is back at {after} replicas", reach.shown()));
            let what = format!("replicas {before} -> {after}");
            deed.hits.push(hit(reach, what));
        }
        (Some(current), Some(hpa)) => {
            let what = format!("replicas {current}, left to {}", hpa.words());
            deed.hits.push(hit(reach, what));
        }
        (Some(current), None) if current == found => {
            let what = format!("replicas {current}, as they were found");
            deed.hits.push(hit(reach, what));
        }
        (Some(current), None) => deed.errors.push(format!(
            "replicas are {current}, which no fault has set: somebody else has, and so they stay (found at first: {found})"
        )),
    }
    Ok(deed)
}

/// What a person would type.
pub(super) fn by_hand(reach: &Reach, replicas: i32) -> String {
    let names = reach.names();
    format!(
        "kubectl -n {} scale deployment/{} --replicas={replicas}",
        names.namespace, names.deployment
    )
}

/// The replicas to write; `None`: they stay.
fn decide(current: i32, found: i32, ours: &[i32], hpa: Option<&Hpa>) -> Option<i32> {
    let to = match hpa {
        Some(hpa) if current > 0 && current <= hpa.max => return None,
        // Without replicas the HPA was switched off before, too.
        Some(hpa) if found > 0 => found.clamp(hpa.min, hpa.max),
        _ => found,
    };
    (current != to && ours.contains(&current)).then_some(to)
}

/// Reads the scale, asks what to write, and writes it if nothing came between; gives what was read.
async fn write(
    reach: &Reach,
    dry: bool,
    mut decide: impl FnMut(i32) -> Option<i32>,
) -> Result<i32, Refusal> {
    let api = reach.api::<Deployment>();
    let name = &reach.names().deployment;
    let params = PatchParams {
        dry_run: dry,
        ..PatchParams::default()
    };
    let mut tries = 0;
    loop {
        let scale: Scale = answered(api.get_scale(name)).await?;
        let current = scale.spec.as_ref().and_then(|s| s.replicas).unwrap_or(0);
        let Some(replicas) = decide(current) else {
            return Ok(current);
        };
        let version = &scale.metadata.resource_version;
        let change = json!({
            "metadata": { "resourceVersion": version },
            "spec": { "replicas": replicas },
        });
        tries += 1;
        match answered(api.patch_scale(name, &params, &Patch::Merge(&change))).await {
            Err(refusal) if refusal.is(409) && tries < TRIES => {}
            Err(refusal) => return Err(refusal),
            Ok(_) => return Ok(current),
        }
    }
}

/// The HPA whose target is the Deployment.
async fn hpa(reach: &Reach) -> Result<Option<Hpa>, Refusal> {
    let api = reach.api::<HorizontalPodAutoscaler>();
    let all = answered(api.list(&ListParams::default())).await?;
    let hpa = all.items.into_iter().find_map(|hpa| {
        let spec = hpa.spec.as_ref()?;
        let target = &spec.scale_target_ref;
        let ours = target.kind == "Deployment" && target.name == reach.names().deployment;
        ours.then(|| Hpa {
            name: hpa.name_any(),
            min: spec.min_replicas.unwrap_or(1),
            max: spec.max_replicas,
        })
    });
    Ok(hpa)
}

fn hit(reach: &Reach, what: String) -> Hit {
    Hit {
        name: reach.names().deployment.clone(),
        uid: reach.uid.clone(),
        what,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bounds(min: i32, max: i32) -> Hpa {
        Hpa {
            name: "h".into(),
            min,
            max,
        }
    }

    #[test]
    fn without_an_hpa_the_scale_goes_back_unless_somebody_else_has_changed_it() {
        assert_eq!(decide(20, 2, &[20], None), Some(2));
        assert_eq!(decide(2, 2, &[20], None), None);
        assert_eq!(decide(7, 2, &[20], None), None, "somebody else's");
        assert_eq!(decide(20, 2, &[5, 20], None), Some(2));
        assert_eq!(
            decide(5, 2, &[5, 20], None),
            Some(2),
            "one fault after the other"
        );
        assert_eq!(decide(0, 2, &[0], None), Some(2));
    }

    #[test]
    fn an_hpa_owns_the_scale_within_its_bounds() {
        let hpa = bounds(2, 6);
        for current in 1..=6 {
            assert_eq!(
                decide(current, 2, &[1, 5, 6], Some(&hpa)),
                None,
                "{current}"
            );
        }
        assert_eq!(
            decide(20, 3, &[20], Some(&hpa)),
            Some(3),
            "beyond its bounds"
        );
        assert_eq!(decide(0, 3, &[0], Some(&hpa)), Some(3), "0 switches it off");
        assert_eq!(
            decide(20, 9, &[20], Some(&hpa)),
            Some(6),
            "never beyond them"
        );
        assert_eq!(
            decide(20, 0, &[20], Some(&hpa)),
            Some(0),
            "it was switched off"
        );
    }
}
