//! The plans that the verifier carries, by name.

use super::Plan;

/// Name and TOML text of every built-in plan.
pub const BUILTIN: &[(&str, &str)] = &[
    ("quick", include_str!("../../plans/quick.toml")),
    ("wrk-light", include_str!("../../plans/wrk-light.toml")),
    ("wrk-medium", include_str!("../../plans/wrk-medium.toml")),
    ("wrk-high", include_str!("../../plans/wrk-high.toml")),
    ("wrk-stress", include_str!("../../plans/wrk-stress.toml")),
    ("wrk", include_str!("../../plans/wrk.toml")),
    ("locust-150", include_str!("../../plans/locust-150.toml")),
    ("locust-300", include_str!("../../plans/locust-300.toml")),
    ("locust-500", include_str!("../../plans/locust-500.toml")),
    ("locust", include_str!("../../plans/locust.toml")),
    ("stress-1000", include_str!("../../plans/stress-1000.toml")),
    ("saturate", include_str!("../../plans/saturate.toml")),
    (
        "replica-loss",
        include_str!("../../plans/replica-loss.toml"),
    ),
    ("scale-out", include_str!("../../plans/scale-out.toml")),
    ("pod-loss", include_str!("../../plans/pod-loss.toml")),
    (
        "rolling-update",
        include_str!("../../plans/rolling-update.toml"),
    ),
    (
        "beyond-capacity",
        include_str!("../../plans/beyond-capacity.toml"),
    ),
    ("guide", include_str!("../../plans/guide.toml")),
];

/// The TOML text of the built-in plan of that name.
pub fn builtin(name: &str) -> Option<&'static str> {
    BUILTIN
        .iter()
        .find(|(n, _)| *n == name)
        .map(|(_, text)| *text)
}

impl Plan {
    /// Parses a built-in plan.
    ///
    /// # Errors
    /// When there is none of that name.
    pub fn named(name: &str) -> anyhow::Result<Plan> {
        let text = builtin(name).ok_or_else(|| {
            let names: Vec<_> = BUILTIN.iter().map(|(n, _)| *n).collect();
            anyhow::anyhow!(
                "no plan {name:?}: neither a file nor one of {}",
                names.join(", ")
            )
        })?;
        Plan::parse(text, name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_builtin_plan_parses_and_survives_being_written() {
        for (name, _) in BUILTIN {
            let plan = Plan::named(name).unwrap();
            assert_eq!(plan.name, *name);
            assert!(!plan.thresholds.is_empty());
            assert_eq!(
                Plan::parse(&plan.to_toml().unwrap(), "rewritten").unwrap(),
                plan
            );
        }
    }

    #[test]
    fn a_sum_of_plans_is_its_parts_in_order() {
        for (sum, parts) in [
            (
                "wrk",
                &["wrk-light", "wrk-medium", "wrk-high", "wrk-stress"][..],
            ),
            ("locust", &["locust-150", "locust-300", "locust-500"]),
        ] {
            let stages = |name: &&str| Plan::named(name).unwrap().stages;
            let parts: Vec<_> = parts.iter().flat_map(stages).collect();
            assert_eq!(Plan::named(sum).unwrap().stages, parts);
        }
    }

    #[test]
    fn the_sizes_that_the_old_workflow_had() {
        for (name, size, seconds) in [
            ("wrk-light", 50.0, 30),
            ("wrk-medium", 150.0, 60),
            ("wrk-high", 300.0, 90),
            ("wrk-stress", 500.0, 120),
            ("locust-150", 150.0, 120),
            ("locust-300", 300.0, 120),
            ("locust-500", 500.0, 120),
            ("stress-1000", 1000.0, 300),
        ] {
            let plan = Plan::named(name).unwrap();
            assert_eq!(plan.stages.len(), 1);
            assert_eq!(plan.stages[0].load.size(), size, "{name}");
            assert_eq!(plan.duration().as_secs(), seconds, "{name}");
        }
    }

    #[test]
    fn complaints_name_their_line() {
        for (broken, line, why) in [
            (
                "[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 0\nduration = '1s'",
                "line 2",
                "between 1 and",
            ),
            (
                "[[stage]]\nname = 'a'\nkind = 'wave'\nduration = '1s'",
                "line 2",
                "none of connections, users, rate",
            ),
            (
                "[[stage]]\nname = 'a'\nkind = 'rate'\nrate = 10\nrate_to = 0\nduration = '1s'",
                "line 2",
                "rate_to = 0 is not above 0",
            ),
            (
                "[[stage]]\nname = 'a'\nkind = 'rate'\nrate = 10\narrivals = 'bursts'\nduration = '1s'",
                "line 6",
                "expected `constant` or `poisson`",
            ),
            (
                "[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\narrivals = 'poisson'\nduration = '1s'",
                "line 2",
                "arrivals has no meaning",
            ),
            (
                "[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nreuse = 'rotate'\nduration = '1s'",
                "line 2",
                "needs a connection_lifetime",
            ),
            (
                "[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nconnection_lifetime = '1s'\nduration = '1s'",
                "line 2",
                "without reuse",
            ),
            (
                "[[stage]]\nname = 'a'\nkind = 'users'\nusers = 0\nduration = '1s'",
                "line 2",
                "users = 0 is not between 1 and",
            ),
            ("[search]\nprecision = 5", "line 2", "0.05 is 5 %"),
            (
                "[search]\n[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nduration = '1s'",
                "",
                "makes its stages itself",
            ),
            ("seed = 1", "", "at least one [[stage]], or a [search]"),
            (
                "[traces]\nspans = [{ name = 'a', parent = 'b' }]",
                "line 3",
                "is not expected itself",
            ),
            ("thresholds = ['p99<250']", "line 2", "needs a unit"),
            ("surprise = 1", "line 2", "unknown field"),
            (
                "thresholds = ['span(nobody).p99<1s']\n[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nduration = '1s'",
                "",
                "not among traces.spans",
            ),
            (
                "thresholds = ['span(model_inference).mean<1s']\n[[stage]]\nname = 'a'\nkind = 'connections'\nconnections = 1\nduration = '1s'",
                "",
                "p50, p90, p99 and max",
            ),
            ("[request]\ntimeout = 'soon'", "line 3", "is not a duration"),
        ] {
            let error = Plan::parse(&format!("name = 'x'\n{broken}\n"), "x.toml")
                .unwrap_err()
                .to_string();
            assert!(
                error.contains(line) && error.contains(why) && error.contains("x.toml"),
                "{broken}\n{error}"
            );
        }
    }
}
