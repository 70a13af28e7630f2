//! One run at a time breaks a Deployment: a Lease (coordination.k8s.io) beside it, taken, renewed, given back.

use super::answer::{Refusal, answered};
use super::reach::Reach;
use crate::record::Clock;
use crate::run::terminal::say;
use anyhow::{Context, Result, anyhow, bail};
use k8s_openapi::api::coordination::v1::{Lease as Object, LeaseSpec};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{MicroTime, ObjectMeta};
use k8s_openapi::jiff::Timestamp;
use kube::Api;
use kube::api::PostParams;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::time::Duration;

/// A holder that has not renewed for so long is gone.
const LASTS: Duration = Duration::from_secs(30);
const RENEWED_EVERY: Duration = Duration::from_secs(8);
/// Somebody else may write in between.
const TRIES: usize = 5;

/// The lease while it is ours.
#[derive(Clone)]
pub(super) struct Lease {
    api: Api<Object>,
    shown: String,
    name: String,
    holder: String,
    clock: Clock,
    lost: Arc<AtomicBool>,
}

impl Lease {
    /// Takes it, if nobody has it or who had it has not renewed it in time.
    ///
    /// # Errors
    /// When somebody has it: who, and until when.
    pub(super) async fn take(reach: &Reach, holder: &str, clock: Clock) -> Result<Lease> {
        let name = format!("verifier-{}", reach.names().deployment);
        let lease = Lease {
            api: reach.api(),
            shown: format!("{}/{name}", reach.names().namespace),
            name,
            holder: holder.to_owned(),
            clock,
            lost: Arc::default(),
        };
        for _ in 0..TRIES {
            match lease.try_to_take().await {
                Ok(None) => return Ok(lease),
                Ok(Some(who)) => bail!(taken(&lease.shown, &who)),
                // Somebody was quicker: look who.
                Err(refusal) if refusal.is(409) => {}
                Err(refusal) => bail!("cannot take the lease {}: {refusal}", lease.shown),
            }
        }
        Err(anyhow!(
            "cannot take the lease {}: others keep writing to it",
            lease.shown
        ))
    }

    /// Holds that nobody else has it.
    ///
    /// # Errors
    /// When somebody does: who, and until when; and when the API does not tell.
    pub(super) async fn free(reach: &Reach, clock: Clock) -> Result<()> {
        let api: Api<Object> = reach.api();
        let name = format!("verifier-{}", reach.names().deployment);
        let shown = format!("{}/{name}", reach.names().namespace);
        let lease = { answered(api.get_opt(&name)).await }
            .with_context(|| format!("cannot read the lease {shown}"))?;
        let holder = lease.and_then(|lease| held(&lease, now(clock)));
        holder.map_or(Ok(()), |who| bail!(taken(&shown, &who)))
    }

    async fn try_to_take(&self) -> Result<Option<String>, Refusal> {
        let params = PostParams::default();
        let Some(mut lease) = answered(self.api.get_opt(&self.name)).await? else {
            let lease = Object {
                metadata: ObjectMeta {
                    name: Some(self.name.clone()),
                    ..ObjectMeta::default()
                },
                spec: Some(self.spec(None)),
            };
            return answered(self.api.create(&params, &lease))
                .await
                .map(|_| None);
        };
        if let Some(who) = held(&lease, now(self.clock)) {
            return Ok(Some(who));
        }
        let before = lease.spec.take().unwrap_or_default();
        if let Some(holder) = before.holder_identity.as_ref().filter(|h| !h.is_empty()) {
            say(&format!(
                "run {holder} had the lease {} and did not give it back: it may have left replicas or nodes as its faults had set them",
                self.shown
            ));
        }
        let transitions = before.lease_transitions.unwrap_or(0) + 1;
        lease.spec = Some(self.spec(Some(transitions)));
        answered(self.api.replace(&self.name, &params, &lease))
            .await
            .map(|_| None)
    }

    fn spec(&self, transitions: Option<i32>) -> LeaseSpec {
        let now = Some(MicroTime(now(self.clock)));
        LeaseSpec {
            holder_identity: Some(self.holder.clone()),
            lease_duration_seconds: i32::try_from(LASTS.as_secs()).ok(),
            acquire_time: now.clone(),
            renew_time: now,
            lease_transitions: transitions,
            ..LeaseSpec::default()
        }
    }

    /// Somebody else has it now, or it could not be renewed in time: nothing may be touched any more.
    pub(super) fn is_lost(&self) -> bool {
        self.lost.load(SeqCst)
    }

    /// Renews it until it is lost.
    pub(super) async fn keep(self) {
        let mut renewed_ns = self.clock.now_ns();
        let lasts_ns = u64::try_from(LASTS.as_nanos()).unwrap_or(u64::MAX);
        loop {
            tokio::time::sleep(RENEWED_EVERY).await;
            let asked_ns = self.clock.now_ns();
            match self.write(true).await {
                Ok(true) => renewed_ns = asked_ns,
                Ok(false) => break,
                Err(_) if self.clock.now_ns().saturating_sub(renewed_ns) < lasts_ns => {}
                Err(_) => break,
            }
        }
        self.lost.store(true, SeqCst);
        say(&format!(
            "the lease {} is lost: no further fault is done",
            self.shown
        ));
    }

    /// Gives it back. One that can not be given back runs out.
    pub(super) async fn give_back(&self) {
        if !self.is_lost() {
            let _ = self.write(false).await;
        }
    }

    /// Renews it, or gives it back; whether it was still ours.
    async fn write(&self, keep: bool) -> Result<bool, Refusal> {
        let mut tries = 0;
        loop {
            let mut lease = answered(self.api.get(&self.name)).await?;
            let spec = lease.spec.get_or_insert_default();
            if spec.holder_identity.as_deref() != Some(self.holder.as_str()) {
                return Ok(false);
            }
            spec.renew_time = Some(MicroTime(now(self.clock)));
            if !keep {
                spec.holder_identity = None;
            }
            tries += 1;
            let params = PostParams::default();
            match answered(self.api.replace(&self.name, &params, &lease)).await {
                Err(refusal) if refusal.is(409) && tries < TRIES => {}
                Err(refusal) => return Err(refusal),
                Ok(_) => return Ok(true),
            }
        }
    }
}

fn taken(lease: &str, who: &str) -> String {
    format!(
        "another run has the lease {lease}: {who}; two at once would see each other's faults: wait for its end, or run with --no-faults"
    )
}

/// Who holds the lease, and until when; `None` where nobody does any more.
fn held(lease: &Object, now: Timestamp) -> Option<String> {
    let spec = lease.spec.as_ref()?;
    let holder = spec.holder_identity.as_ref().filter(|h| !h.is_empty())?;
    let renewed = spec.renew_time.as_ref()?.0;
    let lasts = Duration::from_secs(u64::try_from(spec.lease_duration_seconds?).ok()?);
    let until = renewed.checked_add(lasts).ok()?;
    (until > now).then(|| format!("run {holder}, until {until:.0} if it does not renew it"))
}

/// Microseconds, as the API keeps them.
fn now(clock: Clock) -> Timestamp {
    let unix_us = (clock.origin_unix_ns() + clock.now_ns()) / 1000;
    Timestamp::from_microsecond(i64::try_from(unix_us).unwrap_or(0)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(holder: Option<&str>, renewed: i64) -> Object {
        Object {
            spec: Some(LeaseSpec {
                holder_identity: holder.map(str::to_owned),
                lease_duration_seconds: Some(30),
                renew_time: Some(MicroTime(Timestamp::from_second(renewed).unwrap())),
                ..LeaseSpec::default()
            }),
            ..Object::default()
        }
    }

    #[test]
    fn a_lease_is_held_until_it_runs_out_or_is_given_back() {
        let now = Timestamp::from_second(1_000_029).unwrap();
        let who = held(&lease(Some("quick-1"), 1_000_000), now).unwrap();
        assert!(
            who.contains("run quick-1, until 1970-01-12T13:47:10Z"),
            "{who}"
        );
        assert_eq!(held(&lease(Some("quick-1"), 999_999), now), None);
        for nobody in [None, Some("")] {
            assert_eq!(held(&lease(nobody, 1_000_000), now), None);
        }
        assert_eq!(held(&Object::default(), now), None);
    }
}
