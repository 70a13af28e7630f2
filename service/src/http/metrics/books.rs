//! The books of the span pipeline: where every span is, or where it was lost.

use std::fmt;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::{MetricType, gauge::ConstGauge};

use crate::telemetry::{Books, BooksSample};

/// Reads the books on each scrape.
pub(super) struct Exposed<F>(pub(super) F);

impl<F> fmt::Debug for Exposed<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Exposed")
    }
}

impl<F: Fn() -> Books + Send + Sync + 'static> Collector for Exposed<F> {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let samples = (self.0)().samples();
        // Neighbours of one name are one family.
        for family in samples.chunk_by(|one, other| one.name == other.name) {
            let BooksSample { name, help, .. } = family[0];
            let kind = match family[0].counter {
                true => MetricType::Counter,
                false => MetricType::Gauge,
            };
            let mut metric = encoder.encode_descriptor(name, help, None, kind)?;
            if let [BooksSample { label: None, .. }] = family {
                value(&family[0], metric)?;
                continue;
            }
            for sample in family {
                let label = sample
                    .label
                    .iter()
                    .map(|(key, value)| (*key, value.as_str()));
                let labels: Vec<(&str, &str)> = label.collect();
                value(sample, metric.encode_family(&labels)?)?;
            }
        }
        Ok(())
    }
}

fn value(sample: &BooksSample, encoder: MetricEncoder<'_>) -> fmt::Result {
    if sample.counter {
        return ConstCounter::new(sample.value).encode(encoder);
    }
    ConstGauge::new(i64::try_from(sample.value).unwrap_or(i64::MAX)).encode(encoder)
}
