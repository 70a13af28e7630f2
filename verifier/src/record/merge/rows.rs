//! The shards' exchanges and spans, put on one clock and one dictionary, a chunk at a time.

use super::part::Part;
use super::shift_ns;
use crate::record::{Dictionary, Exchange, RunFolder, Shard, Span};
use anyhow::{Context, Result, ensure};

/// Writes every shard's exchanges.
pub(super) fn exchanges(parts: &[Part], origin_unix_ns: u64, to: &RunFolder) -> Result<()> {
    let mut chunks = Vec::new();
    for part in parts {
        let (shard, shift_ns) = (part.shard, shift_ns(part, origin_unix_ns));
        let of_shard = part.folder.exchange_chunks()?;
        chunks.push(of_shard.map(move |chunk| own(chunk?, shard, shift_ns)));
    }
    let key = parts.first().context("there is no shard to join")?.key;
    to.write_exchanges(&|seq| key.trace_id(seq), chunks.into_iter().flatten())
}

/// A shard's own requests have its own numbers, so that no two shards have the same.
fn own(mut chunk: Vec<Exchange>, shard: Shard, shift_ns: u64) -> Result<Vec<Exchange>> {
    for exchange in &mut chunk {
        ensure!(
            shard.holds(exchange.seq),
            "an exchange of shard {shard} has number {}, which is another shard's",
            exchange.seq
        );
        for moment in [
            &mut exchange.intended_ns,
            &mut exchange.sent_ns,
            &mut exchange.connected_ns,
            &mut exchange.first_byte_ns,
            &mut exchange.done_ns,
        ] {
            // 0 says that it did not happen.
            if *moment > 0 {
                *moment += shift_ns;
            }
        }
    }
    Ok(chunk)
}

/// Writes every source's spans; gives how many each shard received in the first.
pub(super) fn spans(
    parts: &[Part],
    origin_unix_ns: u64,
    dictionary: &Dictionary,
    to: &RunFolder,
) -> Result<Vec<u64>> {
    let first = parts.first().context("there is no shard to join")?;
    let key = first.key;
    let mut of_first = vec![0; parts.len()];
    for (number, name) in first.sources() {
        // Every text is known already: the journals tell them all.
        let mut numbers: Vec<Dictionary> = parts.iter().map(|_| dictionary.clone()).collect();
        let mut counts = vec![0; parts.len()];
        let mut chunks = Vec::new();
        for ((part, into), count) in parts.iter().zip(&mut numbers).zip(&mut counts) {
            let shift_ns = shift_ns(part, origin_unix_ns);
            let of_shard = part
                .folder
                .span_chunks(number, &name, &part.dictionary, into)?;
            chunks.push(of_shard.map(move |chunk| {
                let mut chunk = chunk?;
                *count += chunk.len() as u64;
                chunk
                    .iter_mut()
                    .for_each(|span: &mut Span| span.arrived_ns += shift_ns);
                Ok(chunk)
            }));
        }
        let chunks = chunks.into_iter().flatten();
        to.write_spans(
            (number, &name),
            &|seq| key.trace_id(seq),
            dictionary,
            chunks,
        )?;
        if number == 0 {
            of_first = counts;
        }
    }
    Ok(of_first)
}
