// Books that the verdict rests on in, tables out: of the sources of traces, the collector, the services, the shards, the run.

import { h } from './dom.js';
import { count, date, decimal, percent, rate } from './format.js';
import { facts, figureOf, table } from './table.js';
import { placeWords } from './words.js';

/** A column of a count at a place of the verdict. @template R @param {string} name @param {(row: R) => string} path @param {(row: R) => number} value
 * @returns {import('./table.js').TableColumn<R>} */
function counted(name, path, value) {
  return { name, number: true, path, value, show: (row) => count(value(row)) };
}

/** @param {Verdict} verdict */
export function sourcesTable(verdict) {
  if (verdict.sources.length === 0) return null;
  const rows = verdict.sources.map((source, index) => ({ source, at: `sources.${index}` }));
  return h('section', { class: 'part', key: 'sources' }, h('h3', null, 'Sources of traces'), table({
    id: 'sources', label: 'Sources of traces', rows,
    columns: [
      { name: 'Source', show: (row) => row.source.name }, { name: 'Where', wrap: true, show: (row) => row.source.place },
      counted('Due', (row) => `${row.at}.expected`, (row) => row.source.expected), counted('Complete', (row) => `${row.at}.complete`, (row) => row.source.complete),
      counted('Spans', (row) => `${row.at}.receiver.spans`, (row) => row.source.receiver.spans), counted('Spans missing', (row) => `${row.at}.spans_missing`, (row) => row.source.spans_missing),
      counted('Duplicates', (row) => `${row.at}.duplicate`, (row) => row.source.duplicate), counted('Foreign', (row) => `${row.at}.receiver.foreign_spans`, (row) => row.source.receiver.foreign_spans),
      counted('Malformed', (row) => `${row.at}.receiver.malformed_spans`, (row) => row.source.receiver.malformed_spans), counted('Refused', (row) => `${row.at}.receiver.refused_requests`, (row) => row.source.receiver.refused_requests),
      { name: 'Lost where', wrap: true, show: (row) => row.source.losses.places.map((loss) => `${count(loss.spans)} ${placeWords(loss.place)}: ${loss.reason}`).join('; ') || '–' },
    ],
  }));
}

/** @param {Verdict} verdict */
export function collectorBooks(verdict) {
  const { collector } = verdict;
  if (!collector) return null;
  return h('section', { class: 'card', key: 'collector' }, h('h3', null, 'The collector’s books'),
    facts([['Read at', collector.place], ['Restarts', count(collector.restarts)], ['Taken over', count(collector.accepted), figureOf('collector.accepted', collector.accepted)], ['Refused, kept by the sender', count(collector.refused), figureOf('collector.refused', collector.refused)], ['Not taken', count(collector.failed), figureOf('collector.failed', collector.failed)]]),
    table({
      id: 'exporters', label: 'Exporters of the collector', rows: Object.entries(collector.exporters),
      columns: [{ name: 'Exporter', show: ([name]) => name }, { name: 'Sent', number: true, show: ([, books]) => count(books.sent) }, { name: 'Given up', number: true, show: ([, books]) => count(books.send_failed) }, { name: 'Not queued', number: true, show: ([, books]) => count(books.enqueue_failed) }, { name: 'In its queue', number: true, show: ([, books]) => count(books.queue) }],
    }));
}

/** @param {Verdict} verdict */
export function serviceBooks(verdict) {
  if (verdict.services.length === 0) return null;
  const rows = verdict.services.map((books, index) => ({ books, at: `services.${index}` }));
  return h('section', { class: 'part', key: 'services' }, h('h3', null, 'The services’ own span books'), table({
    id: 'services', label: 'Span books of the services', rows,
    columns: [
      { name: 'Process', show: (row) => row.books.source }, counted('Ended in it', (row) => `${row.at}.started`, (row) => row.books.started), counted('Had before', (row) => `${row.at}.recovered`, (row) => row.books.recovered),
      counted('Acknowledged', (row) => `${row.at}.acknowledged`, (row) => row.books.acknowledged), counted('Queued', (row) => `${row.at}.queued`, (row) => row.books.queued),
      { name: 'Lost', number: true, show: (row) => { const all = Object.entries(row.books.lost).filter(([, many]) => many > 0); return all.length === 0 ? '0' : h('span', { class: 'bad' }, all.map(([why, many]) => `${count(many)} ${why}`).join(', ')); } },
      counted('Left on disk', (row) => `${row.at}.left_on_disk`, (row) => row.books.left_on_disk), counted('Requests refused', (row) => `${row.at}.refused_requests`, (row) => row.books.refused_requests),
      { name: 'Last words', show: (row) => (row.books.last ? 'yes' : h('span', { class: 'soft' }, 'no: it ended some time after these')) },
    ],
  }));
}

/** @param {Verdict} verdict */
export function shardsTable(verdict) {
  if (verdict.shards.length === 0) return null;
  const rows = verdict.shards.map((shard, index) => ({ shard, at: `shards.${index}` }));
  return h('section', { class: 'part', key: 'shards' }, h('h3', null, 'Shards'), table({
    id: 'shards', label: 'Shards', rows,
    columns: [
      { name: 'Shard', show: (row) => `${row.shard.index}` }, { name: 'Run', show: (row) => row.shard.run }, { name: 'Host', show: (row) => row.shard.host }, { name: 'Load workers', number: true, show: (row) => count(row.shard.workers) },
      counted('Planned', (row) => `${row.at}.planned`, (row) => row.shard.planned), counted('Spans received', (row) => `${row.at}.spans`, (row) => row.shard.spans),
      { name: 'Clock ahead of the first', number: true, show: (row) => (row.shard.clock_least_ms === null && row.shard.clock_greatest_ms === null ? 'cannot tell' : `${decimal(row.shard.clock_least_ms, 3)} to ${decimal(row.shard.clock_greatest_ms, 3)} ms`) },
    ],
  }));
}

/** What kept a search from going higher. @type {Record<string, string>} */
const LIMITS = { target: 'the target did not meet the thresholds above it', plan: 'the plan goes no higher', unknown: 'cannot tell: above it, the load generator was the limit, or there was too little to judge by', unfinished: 'the search did not come to its end' };

/** @param {Verdict} verdict */
export function saturation(verdict) {
  const found = verdict.saturation;
  if (!found) return null;
  return h('section', { class: 'card', key: 'saturation' }, h('h3', null, 'The highest rate that holds'),
    facts([['Requests per second', rate(found.rate), figureOf('saturation.rate', found.rate)], ['The next higher, which does not', rate(found.upper), figureOf('saturation.upper', found.upper)], ['Apart', `${percent(found.width)}, wanted ${percent(found.precision)}`], ['Confidence', percent(found.confidence)], ['Limit', LIMITS[found.limit] ?? found.limit]]),
    table({
      id: 'probes', label: 'Probes', rows: found.probes,
      columns: [{ name: 'Probe', show: (row) => row.stage }, { name: 'Rate', number: true, value: (row) => row.rate, show: (row) => rate(row.rate) }, { name: 'Meets the thresholds', show: (row) => (row.meets === null ? 'cannot tell' : row.meets ? 'yes' : 'no') }, { name: 'Why not', wrap: true, show: (row) => row.reasons.join('; ') || '–' }],
    }));
}

/** @param {RunPage} page @param {Verdict} verdict */
export function runIdentity(page, verdict) {
  const { run } = verdict;
  return h('section', { class: 'card', key: 'identity' }, h('h3', null, 'The run'), facts([
    ['Run', run.id], ['Plan', run.plan], ['Begun', `${run.started} (here ${date(page.run.started_unix_ms)})`], ['Target', run.target ?? 'the own service'], ['Load from', run.host],
    ['Verifier', run.verifier_version], ['Seed of the trace ids', run.seed === null ? 'none' : h('code', null, String(run.seed)), figureOf('run.seed', run.seed)],
    ['Came to its own end', run.whole ? 'yes' : 'no'], ['Stopped by', run.interrupted ?? 'nothing'],
  ]));
}
