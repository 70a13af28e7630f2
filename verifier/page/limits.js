// The verdict in, what it can not say out: figures that the samples do not support, times when it was blind, how far clocks
// can be off, and whether the load generator itself was well.

import { h } from './dom.js';
import { count, decimal, duration, percent, plural, seconds } from './format.js';
import { clusterOf } from './store.js';
import { table } from './table.js';

const PERCENTILES = /** @type {const} */ ([['p50', 'p50'], ['p90', 'p90'], ['p95', 'p95'], ['p99', 'p99'], ['p999', 'p99.9']]);

/** @param {RunPage} page */
function sentences(page) {
  const { verdict } = page;
  if (!verdict) return [];
  const all = [];
  if (!verdict.run.whole) all.push('The run did not come to its own end.');
  if (verdict.run.interrupted) all.push(`It was stopped by ${verdict.run.interrupted}.`);
  for (const stage of verdict.stages) {
    const missing = PERCENTILES.filter(([name]) => stage.latency_ms[name] === null).map(([, name]) => name);
    if (missing.length > 0) all.push(`${stage.name}: ${plural(stage.latency_ms.n, 'sample')} do not support ${missing.join(', ')} with 99 % confidence.`);
    if (stage.generator.healthy === false) all.push(`${stage.name}: the load generator was not well (below).`);
    if (stage.generator.healthy === null) all.push(`${stage.name}: whether the load generator was well is not known, since the stage did not end.`);
  }
  for (const source of verdict.sources) {
    for (const why of source.receiver.incomplete) all.push(`${source.name} was perhaps not read whole: ${why}`);
    for (const why of source.receiver.lost) all.push(`${source.name} is known to have lost: ${why}`);
    if (source.receiver.failed_reads > 0) all.push(`${source.name}: ${plural(source.receiver.failed_reads, 'read')} failed.`);
  }
  for (const gap of clusterOf(page)?.gaps ?? []) all.push(`${gap.of} could not be seen from ${seconds(gap.from_seconds)} to ${gap.to_seconds === null ? 'the end' : seconds(gap.to_seconds)}: ${gap.error}`);
  return [...all, ...verdict.warnings, ...page.limits];
}

/** @param {Verdict} verdict */
function generators(verdict) {
  const rows = verdict.stages.map((stage, index) => ({ name: stage.name, generator: stage.generator, at: `stages.${index}.generator` }));
  return h('div', { class: 'part' }, h('h4', null, 'Load generator'), table({
    id: 'generators', label: 'The load generator’s own health', rows,
    columns: [
      { name: 'Stage', show: (row) => row.name }, { name: 'Well', show: (row) => (row.generator.healthy === null ? 'cannot tell' : row.generator.healthy ? 'yes' : h('span', { class: 'bad' }, 'no')) },
      { name: 'Lag p99', number: true, path: (row) => `${row.at}.lag_p99_ms`, value: (row) => row.generator.lag_p99_ms, show: (row) => duration(row.generator.lag_p99_ms) },
      { name: 'Lag max', number: true, path: (row) => `${row.at}.lag_max_ms`, value: (row) => row.generator.lag_max_ms, show: (row) => duration(row.generator.lag_max_ms) },
      { name: 'Answers seen late by', number: true, path: (row) => `${row.at}.turn_ms`, value: (row) => row.generator.turn_ms, show: (row) => duration(row.generator.turn_ms) },
      { name: 'Busiest worker’s CPU', number: true, path: (row) => `${row.at}.cpu`, value: (row) => row.generator.cpu, show: (row) => percent(row.generator.cpu) },
      { name: 'Connections', number: true, path: (row) => `${row.at}.opened`, value: (row) => row.generator.opened, show: (row) => count(row.generator.opened) },
      { name: 'Workers', number: true, show: (row) => count(row.generator.workers.length) },
    ],
  }));
}

/** @param {Verdict} verdict */
function clocks(verdict) {
  if (verdict.clocks.length === 0) return null;
  const rows = verdict.clocks.map((bounds, index) => ({ bounds, at: `clocks.${index}` }));
  return h('div', { class: 'part' }, h('h4', null, 'Clocks'), h('p', { class: 'note' }, 'By how much a sender’s clock is ahead of the run’s: a server span must lie inside its exchange.'), table({
    id: 'clocks', label: 'Bounds of clocks', rows,
    columns: [
      { name: 'Sender', show: (row) => row.bounds.source },
      { name: 'At least', number: true, path: (row) => `${row.at}.least_ms`, value: (row) => row.bounds.least_ms, show: (row) => `${decimal(row.bounds.least_ms, 3)} ms` },
      { name: 'At most', number: true, path: (row) => `${row.at}.greatest_ms`, value: (row) => row.bounds.greatest_ms, show: (row) => `${decimal(row.bounds.greatest_ms, 3)} ms` },
      { name: '', show: (row) => (row.bounds.contradictory ? h('span', { class: 'bad' }, 'contradictory: it moved, or its spans are wrong') : '') },
    ],
  }));
}

/** @param {RunPage} page */
export function limits(page) {
  const { verdict } = page;
  if (!verdict) return null;
  const all = sentences(page);
  return h('section', { class: 'card', key: 'limits' }, h('h3', null, 'Limits of this run'),
    all.length === 0 ? h('p', { class: 'soft' }, 'Every figure is supported, and nothing was out of sight.') : h('ul', { class: 'plain' }, all.map((line, index) => h('li', { key: index }, line))),
    generators(verdict), clocks(verdict));
}
