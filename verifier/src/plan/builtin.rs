//! The plans that the verifier carries, by name.

use super::Plan;

/// Name and TOML text of every built-in plan.
pub const BUILTIN: &[(&str, &str)] = &[("quick", include_str!("../../plans/quick.toml"))];

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
