//! Takes a body that was refused, gives everything that is wrong with it, as Pydantic 2 words it.
//! Only the way of an error comes here, so that it may walk and allocate.

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Deserializer, de};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Value, json};

use super::data_preparation::LARGEST_CM;
use crate::error::{FieldError, Loc};
use crate::model::FEATURE_NAMES;

/// An input is quoted up to this length.
const QUOTED_BYTES: usize = 256;

/// What is wrong with the body of `POST /predict`.
pub(super) fn about_flower(body: &[u8]) -> Vec<FieldError> {
    let here = vec![Loc::Key("body")];
    match whole(body) {
        Ok(flower) => in_flower(flower, &here),
        Err(error) => vec![error],
    }
}

/// What is wrong with the body of `POST /predict/batch`.
pub(super) fn about_batch(body: &[u8], most: usize) -> Vec<FieldError> {
    match whole(body).and_then(instances) {
        Ok((list, instances)) => in_instances(list, &instances, most),
        Err(error) => vec![error],
    }
}

fn in_instances(list: &RawValue, instances: &[&RawValue], most: usize) -> Vec<FieldError> {
    let here = vec![Loc::Key("body"), Loc::Key("instances")];
    let count = instances.len();
    if count == 0 {
        let ctx = json!({"field_type": "List", "min_length": 1, "actual_length": 0});
        let msg = "List should have at least 1 item after validation, not 0";
        return vec![complaint("too_short", here, msg, list, Some(ctx))];
    }
    if count > most {
        let ctx = json!({"field_type": "List", "max_length": most, "actual_length": count});
        let msg = format!("List should have at most {most} items after validation, not {count}");
        return vec![complaint("too_long", here, msg, list, Some(ctx))];
    }
    let each = instances.iter().enumerate();
    each.flat_map(|(i, flower)| in_flower(flower, &extended(&here, Loc::Index(i))))
        .collect()
}

/// The body as one JSON value, whatever it holds.
fn whole(body: &[u8]) -> Result<&RawValue, FieldError> {
    if body.trim_ascii().is_empty() {
        return Err(complaint(
            "missing",
            vec![Loc::Key("body")],
            "Field required",
            &null(),
            None,
        ));
    }
    serde_json::from_slice(body).map_err(|error| malformed(body, &error))
}

fn malformed(body: &[u8], error: &serde_json::Error) -> FieldError {
    let loc = vec![Loc::Key("body"), Loc::Index(offset(body, error))];
    let msg = format!(
        "JSON decode error at line {} column {}",
        error.line(),
        error.column()
    );
    complaint(
        "json_invalid",
        loc,
        msg,
        &object(),
        Some(json!({"error": error.to_string()})),
    )
}

/// The byte at which the parser stopped, from zero.
fn offset(body: &[u8], error: &serde_json::Error) -> usize {
    let lines = body
        .split_inclusive(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1));
    let before: usize = lines.map(<[u8]>::len).sum();
    (before + error.column().saturating_sub(1)).min(body.len())
}

fn instances(batch: &RawValue) -> Result<(&RawValue, Vec<&RawValue>), FieldError> {
    let here = vec![Loc::Key("body"), Loc::Key("instances")];
    let fields = fields(batch, &here[..1])?;
    let mut given = fields.iter().filter(|(key, _)| key == "instances");
    let Some((_, list)) = given.next() else {
        return Err(complaint("missing", here, "Field required", batch, None));
    };
    if given.next().is_some() {
        return Err(complaint(
            "value_error",
            here,
            "Field is given more than once",
            batch,
            None,
        ));
    }
    match serde_json::from_str(list.get()) {
        Ok(instances) => Ok((list, instances)),
        Err(_) => Err(complaint(
            "list_type",
            here,
            "Input should be a valid list",
            list,
            None,
        )),
    }
}

fn in_flower(flower: &RawValue, here: &[Loc]) -> Vec<FieldError> {
    let fields = match fields(flower, here) {
        Ok(fields) => fields,
        Err(error) => return vec![error],
    };
    FEATURE_NAMES
        .iter()
        .filter_map(|name| in_field(flower, &fields, name, extended(here, Loc::Key(name))))
        .collect()
}

fn in_field(
    flower: &RawValue,
    fields: &[(Cow<'_, str>, &RawValue)],
    name: &str,
    loc: Vec<Loc>,
) -> Option<FieldError> {
    let mut given = fields.iter().filter(|(key, _)| key == name);
    let Some((_, value)) = given.next() else {
        return Some(complaint("missing", loc, "Field required", flower, None));
    };
    if given.next().is_some() {
        return Some(complaint(
            "value_error",
            loc,
            "Field is given more than once",
            flower,
            None,
        ));
    }
    let (kind, msg, ctx) = in_measurement(value.get())?;
    Some(complaint(kind, loc, msg, value, ctx))
}

/// Kind, message and limit of what is wrong with one measurement's JSON text.
pub(super) fn in_measurement(text: &str) -> Option<(&'static str, String, Option<Value>)> {
    if !text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return Some((
            "float_type",
            "Input should be a valid number".to_owned(),
            None,
        ));
    }
    let Ok(number) = serde_json::from_str::<f64>(text) else {
        return Some((
            "finite_number",
            "Input should be a finite number".to_owned(),
            None,
        ));
    };
    if number < 0.0 {
        let msg = "Input should be greater than or equal to 0".to_owned();
        return Some(("greater_than_equal", msg, Some(json!({"ge": 0.0}))));
    }
    if number > LARGEST_CM {
        let msg = format!("Input should be less than or equal to {LARGEST_CM}");
        return Some(("less_than_equal", msg, Some(json!({"le": LARGEST_CM}))));
    }
    None
}

/// Keys and values of an object, in order, duplicates kept.
fn fields<'a>(
    value: &'a RawValue,
    here: &[Loc],
) -> Result<Vec<(Cow<'a, str>, &'a RawValue)>, FieldError> {
    serde_json::from_str::<Fields<'_>>(value.get())
        .map(|fields| fields.0)
        .map_err(|_| {
            let msg = "Input should be a valid dictionary or object to extract fields from";
            complaint("model_attributes_type", here.to_vec(), msg, value, None)
        })
}

struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de> Deserialize<'de> for Fields<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> de::Visitor<'de> for Object {
            type Value = Fields<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

fn extended(here: &[Loc], step: Loc) -> Vec<Loc> {
    here.iter().cloned().chain([step]).collect()
}

fn complaint(
    kind: &'static str,
    loc: Vec<Loc>,
    msg: impl Into<String>,
    input: &RawValue,
    ctx: Option<Value>,
) -> FieldError {
    FieldError {
        kind,
        loc,
        msg: msg.into(),
        input: quoted(input),
        ctx,
    }
}

/// The input itself; as text what would make the answer unreadable (1e999 is JSON that few parsers
/// take), and of a long input the start, so that an answer never outgrows what was sent.
fn quoted(input: &RawValue) -> Box<RawValue> {
    let text = input.get();
    let quote = |text: &str| to_raw_value(text).unwrap_or_else(|_| null());
    if text.len() > QUOTED_BYTES {
        let start = &text[..text.floor_char_boundary(QUOTED_BYTES / 2)];
        return quote(&format!("{start}… ({} bytes)", text.len()));
    }
    if serde_json::from_str::<Value>(text).is_err() {
        return quote(text);
    }
    input.to_owned()
}

fn null() -> Box<RawValue> {
    RawValue::NULL.to_owned()
}

fn object() -> Box<RawValue> {
    to_raw_value(&json!({})).unwrap_or_else(|_| null())
}
