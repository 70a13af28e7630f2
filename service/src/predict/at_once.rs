//! One flower whose body is there already: the same spans, counts and answer as on the long way, for
//! bodies that are in order; the others are nobody's business here. Reading and writing are by hand,
//! because they were most of what a prediction costs; what they do not know is left to serde.

use super::{Call, Predictor, api, data_preparation, model_inference};
use crate::model::{Features, Prediction};
use crate::telemetry::{self, Gathered, SpanContext};

/// Ten to the power of its place; exact as `f64`.
const POWERS: [f64; 16] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
];

/// With a longer one an answer could take a thousand bytes, which who frames it does not expect.
const LONGEST_VERSION: usize = 128;

/// A flower that may be asked about.
pub struct Prepared {
    features: Features,
    start_unix_ns: u64,
}

/// Reads a body; `None` leaves no trace of the try.
pub fn prepare(predictor: &Predictor, body: &[u8]) -> Option<Prepared> {
    if body.len() > predictor.limits.body_bytes || predictor.model.version().len() > LONGEST_VERSION
    {
        return None;
    }
    let start_unix_ns = if predictor.recorder.enabled() {
        telemetry::now_unix_ns()
    } else {
        0
    };
    let plain = plain(body).filter(data_preparation::believable);
    let features = plain.or_else(|| data_preparation::features(body))?;
    Some(Prepared {
        features,
        start_unix_ns,
    })
}

/// Predicts, appends the body of the answer, and adds both spans under `server_span` to those that
/// are gathered.
pub fn answer(
    predictor: &'static Predictor,
    server_span: Option<SpanContext>,
    prepared: Prepared,
    gathered: Gathered,
    answer: &mut Vec<u8>,
) -> Gathered {
    let call = Call::at_once(predictor, server_span, gathered);
    // Where one step ends the next begins.
    let prepared_unix_ns = data_preparation::record(
        &call,
        prepared.start_unix_ns,
        Ok(std::slice::from_ref(&prepared.features)),
    );
    let prediction = model_inference::one_since(&call, &prepared.features, prepared_unix_ns);
    write(&prediction, &predictor.known.answer_end, answer);
    call.into_gathered()
}

/// The features in the plainest spelling of a flower: an object of the four names, each once, and
/// of decimal numbers that are exact to compute. `None` says nothing: serde may read it.
fn plain(body: &[u8]) -> Option<Features> {
    const NAMES: [&[u8]; 4] = [
        b"sepal_length\"",
        b"sepal_width\"",
        b"petal_length\"",
        b"petal_width\"",
    ];
    let mut features = [f64::NAN; 4];
    let mut rest = skip(body, b'{')?;
    for place in 0..4 {
        rest = skip(rest, b'"')?;
        // They mostly come in this order.
        let mut names = (0..4).map(|i| (place + i) % 4);
        let name = names.find(|name| rest.starts_with(NAMES[*name]))?;
        rest = skip(&rest[NAMES[name].len()..], b':')?;
        if !features[name].is_nan() {
            return None;
        }
        (features[name], rest) = number(trim(rest))?;
        rest = skip(rest, if place < 3 { b',' } else { b'}' })?;
    }
    trim(rest).is_empty().then_some(features)
}

/// What follows `byte`, white space before it left aside.
fn skip(text: &[u8], byte: u8) -> Option<&[u8]> {
    let (first, rest) = trim(text).split_first()?;
    (*first == byte).then_some(rest)
}

/// Without JSON's white space at the start (RFC 8259, section 2).
fn trim(mut text: &[u8]) -> &[u8] {
    while let [b' ' | b'\n' | b'\r' | b'\t', rest @ ..] = text {
        text = rest;
    }
    text
}

/// A number of at most 15 digits without sign and exponent, and what follows it. Its digits and the
/// power of ten are exact as `f64`, so that their quotient is the nearest to what is written (Clinger,
/// "How to Read Floating Point Numbers Accurately", 1990).
fn number(text: &[u8]) -> Option<(f64, &[u8])> {
    let (mut digits, mut count, mut at) = (0_u64, 0, 0);
    let mut point = None;
    while let Some(byte) = text.get(at) {
        match byte {
            b'0'..=b'9' => {
                digits = digits * 10 + u64::from(byte - b'0');
                count += 1;
                if count > 15 {
                    return None;
                }
            }
            b'.' if point.is_none() && at > 0 => point = Some(at),
            _ => break,
        }
        at += 1;
    }
    let decimals = match point {
        Some(point) => at - point - 1,
        None => 0,
    };
    // JSON knows neither "1." nor "01"; an exponent is serde's.
    let spelled = count > 0 && (point.is_none() || decimals > 0);
    let padded = text[0] == b'0' && text.get(1).is_some_and(u8::is_ascii_digit);
    if !spelled || padded || matches!(text.get(at), Some(b'e' | b'E' | b'.')) {
        return None;
    }
    Some((digits as f64 / POWERS[decimals], &text[at..]))
}

/// What [`api::answer`] has serde write.
fn write(prediction: &Prediction, end: &[u8], answer: &mut Vec<u8>) {
    let [setosa, versicolor, virginica] = prediction.probabilities;
    answer.extend_from_slice(b"{\"prediction\":\"");
    answer.extend_from_slice(prediction.class().as_bytes());
    answer.extend_from_slice(b"\",\"class_id\":");
    answer.push(b'0' + prediction.class_id as u8);
    answer.extend_from_slice(b",\"probabilities\":{\"setosa\":");
    api::put(&setosa, answer);
    answer.extend_from_slice(b",\"versicolor\":");
    api::put(&versicolor, answer);
    answer.extend_from_slice(b",\"virginica\":");
    api::put(&virginica, answer);
    answer.extend_from_slice(end);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::model::Model;
    use crate::telemetry::Recorder;

    fn both(body: &str) -> (Option<Features>, Option<Features>) {
        (
            plain(body.as_bytes()),
            data_preparation::features(body.as_bytes()),
        )
    }

    #[test]
    fn the_plain_spelling_is_read_in_any_order() {
        for body in [
            r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}"#,
            " {\n\t\"petal_width\" : 0.2 , \"petal_length\":1.4,\r\"sepal_width\":3.5,\"sepal_length\":5.1 } ",
        ] {
            assert_eq!(both(body).0, Some([5.1, 3.5, 1.4, 0.2]), "{body}");
            assert_eq!(both(body).0, both(body).1);
        }
    }

    #[test]
    fn what_is_spelled_otherwise_is_left_to_serde() {
        let with = |number: &str| {
            format!(
                r#"{{"sepal_length":{number},"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2}}"#
            )
        };
        for number in [
            "",
            "-1",
            "+1",
            "1.",
            ".5",
            "01",
            "00",
            "1e1",
            "1E1",
            "1.2.3",
            "1..2",
            "NaN",
            "null",
            "\"1\"",
            "1234567890123456",
            "0.1234567890123456",
            "0x1",
            "1_0",
        ] {
            assert_eq!(both(&with(number)).0, None, "{number}");
        }
        for body in [
            "",
            "{",
            "{}",
            "[5.1,3.5,1.4,0.2]",
            r#"{"sepal_length":5.1,"sepal_length":5.1,"petal_length":1.4,"petal_width":0.2}"#,
            r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4}"#,
            r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2,"colour":1}"#,
            r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2} x"#,
            r#"{"sepal_length":5.1,"sepal_width":3.5,"petal_length":1.4,"petal_width":0.2,}"#,
        ] {
            assert_eq!(both(body).0, None, "{body}");
        }
    }

    proptest! {
        #[test]
        fn whoever_reads_it_the_number_is_the_same(
            whole in 0_u32..1000, decimals in "[0-9]{1,12}", order in Just([0, 1, 2, 3]).prop_shuffle()
        ) {
            let names = ["sepal_length", "sepal_width", "petal_length", "petal_width"];
            let fields = order.map(|i| format!("\"{}\": {whole}.{decimals}", names[i])).join(", ");
            let (plain, serde) = both(&format!("{{{fields}}}"));
            prop_assert_eq!(plain, serde);
        }

        #[test]
        fn any_bytes_are_read_as_serde_does_or_not_at_all(body in "[{}\":,.0-9 a-z_]{0,40}") {
            let (plain, serde) = both(&body);
            prop_assert!(plain.is_none() || plain == serde);
        }

        #[test]
        fn whoever_writes_it_the_answer_is_the_same(features in [0.0..1000.0, 0.0..100.0, 0.0..10.0, 0.0..10.0]) {
            let predictor = Predictor::new(Model::built_in().unwrap(), Recorder::disabled(), Default::default());
            let predictor: &'static Predictor = Box::leak(Box::new(predictor));
            let call = Call::at_once(predictor, None, Gathered::default());
            let prediction = predictor.model.predict(&features);
            let mut written = Vec::new();
            write(&prediction, &predictor.known.answer_end, &mut written);
            prop_assert_eq!(written, api::answer_body(&call, &prediction));
        }
    }
}
