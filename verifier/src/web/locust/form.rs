//! Locust's form (`POST /swarm`): what is asked for, or why that can not be, in Locust's words where it has some.

use crate::plan::parse_duration;
use crate::web::asked::Asked;
use percent_encoding::percent_decode;
use std::time::Duration;

/// Without a run time, Locust runs until it is told to stop.
const UNTIL_STOPPED: &str = "24h";

/// What the form says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Form {
    pub(super) users: u32,
    pub(super) spawn_rate: f64,
    pub(super) host: Option<String>,
    pub(super) run_time: Option<String>,
    pub(super) plan: Option<String>,
}

impl Form {
    /// Reads it. Fields that only Locust's own page sends are of no account.
    pub(super) fn read(body: &[u8]) -> Result<Form, String> {
        let mut form = Form::default();
        let (mut users, mut rate) = (None, None);
        for (name, value) in pairs(body) {
            match name.as_str() {
                "user_count" => {
                    let wrong =
                        |_| format!("Invalid user_count value: '{value}' (must be an integer)");
                    users = Some(value.trim().parse::<i64>().map_err(wrong)?);
                }
                "spawn_rate" => {
                    let wrong =
                        |_| format!("Invalid spawn_rate value: '{value}' (must be a number)");
                    rate = Some(value.trim().parse::<f64>().map_err(wrong)?);
                }
                "host" => form.host = Some(value).filter(|host| !host.is_empty()),
                "run_time" if !value.is_empty() => {
                    parse_duration(&value).map_err(|_| {
                        "Valid run_time formats are : 20, 20s, 3m, 2h, 1h20m, 3h30m10s, etc."
                            .to_owned()
                    })?;
                    form.run_time = Some(value);
                }
                "plan" => form.plan = Some(value).filter(|plan| !plan.is_empty()),
                _ => {}
            }
        }
        let users = users
            .and_then(|users| u32::try_from(users).ok())
            .filter(|users| *users > 0);
        let rate = rate.filter(|rate| *rate > 0.0 && rate.is_finite());
        let (Some(users), Some(rate)) = (users, rate) else {
            return Err(
                "Missing or invalid user_count or spawn_rate from /swarm request".to_owned(),
            );
        };
        (form.users, form.spawn_rate) = (users, rate);
        Ok(form)
    }

    /// As the start form would ask for it.
    pub(super) fn asked(&self) -> Asked {
        Asked {
            plan: self.plan.clone(),
            host: self.host.clone(),
            users: Some(vec![self.users]),
            spawn_rate: Some(self.spawn_rate),
            run_time: Some(
                self.run_time
                    .clone()
                    .unwrap_or_else(|| UNTIL_STOPPED.to_owned()),
            ),
            ..Asked::default()
        }
    }

    /// Whole seconds, if a run time was given.
    pub(super) fn run_seconds(&self) -> Option<u64> {
        let run_time = self.run_time.as_deref()?;
        parse_duration(run_time)
            .ok()
            .as_ref()
            .map(Duration::as_secs)
    }
}

/// `application/x-www-form-urlencoded`.
fn pairs(body: &[u8]) -> impl Iterator<Item = (String, String)> {
    let decoded = |text: &[u8]| {
        let spaces: Vec<u8> = text
            .iter()
            .map(|b| if *b == b'+' { b' ' } else { *b })
            .collect();
        percent_decode(&spaces).decode_utf8_lossy().into_owned()
    };
    body.split(|byte| *byte == b'&').map(move |pair| {
        let at = pair
            .iter()
            .position(|byte| *byte == b'=')
            .unwrap_or(pair.len());
        (
            decoded(&pair[..at]),
            decoded(pair.get(at + 1..).unwrap_or_default()),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_scripts_send() {
        let form = Form::read(b"user_count=10&spawn_rate=2.5&host=http%3A%2F%2Flocalhost%3A80&run_time=1m&shape_class=Default").unwrap();
        let expected = Form {
            users: 10,
            spawn_rate: 2.5,
            host: Some("http://localhost:80".to_owned()),
            run_time: Some("1m".to_owned()),
            plan: None,
        };
        assert_eq!(form, expected);
        assert_eq!(form.run_seconds(), Some(60));
        let plain = Form::read(b"user_count=1&spawn_rate=1&host=&run_time=").unwrap();
        assert_eq!((plain.host.clone(), plain.run_seconds()), (None, None));
        assert_eq!(plain.asked().run_time.as_deref(), Some("24h"));
        for (body, words) in [
            ("", "Missing or invalid user_count"),
            ("user_count=x&spawn_rate=1", "Invalid user_count value: 'x'"),
            (
                "user_count=1&spawn_rate=fast",
                "Invalid spawn_rate value: 'fast'",
            ),
            ("user_count=1&spawn_rate=0", "Missing or invalid"),
            ("user_count=1&spawn_rate=nan", "Missing or invalid"),
            ("user_count=-1&spawn_rate=1", "Missing or invalid"),
            (
                "user_count=1&spawn_rate=1&run_time=soon",
                "Valid run_time formats",
            ),
        ] {
            let error = Form::read(body.as_bytes()).unwrap_err();
            assert!(error.contains(words), "{body}: {error}");
        }
    }
}
