// Rows of stages and tasks in, the tab Statistics out: Locust's columns, from the intended start or from the send.

import { h } from './dom.js';
import { count, decimal, rate, roughly, words } from './format.js';
import { choose, model } from './store.js';
import { table } from './table.js';

/** Decimals that tell the table's times apart, the same in every row so that they stand under each other.
 * @param {StatisticsRow[]} rows */
function decimals(rows) {
  const medians = rows.map((row) => row[model.choices.times].p50 ?? 0).filter((value) => value > 0);
  const least = Math.min(...medians);
  return least < 1 ? 3 : least < 10 ? 2 : least < 100 ? 1 : 0;
}

/** @param {number} digits @returns {import('./table.js').TableColumn<StatisticsRow>[]} */
function columns(digits) {
  const times = model.choices.times;
  /** @param {keyof Times} name @param {string} label @returns {import('./table.js').TableColumn<StatisticsRow>} */
  const ms = (name, label) => ({
    name: label, number: true, figure: `${times}.${name}`, value: (row) => row[times][name], show: (row) => decimal(row[times][name], digits),
  });
  return [
    { name: 'Stage', value: (row) => row.stage, show: (row) => row.stage || 'Whole run' },
    { name: 'Name', value: (row) => row.name, show: (row) => h('span', { class: 'task' }, row.method ? h('span', { class: 'method' }, row.method) : null, row.name) },
    { name: '# Requests', number: true, figure: 'requests', value: (row) => row.requests, show: (row) => count(row.requests) },
    { name: '# Fails', number: true, figure: 'failures', value: (row) => row.failures, show: (row) => h('span', { class: row.failures > 0 ? 'bad' : null }, count(row.failures)) },
    ms('p50', 'Median (ms)'), ms('p95', '95%ile (ms)'), ms('p99', '99%ile (ms)'), ms('mean', 'Average (ms)'), ms('min', 'Min (ms)'), ms('max', 'Max (ms)'),
    { name: 'Average size (bytes)', number: true, figure: 'average_bytes', value: (row) => row.average_bytes, show: (row) => decimal(row.average_bytes, 1) },
    { name: 'RPS', number: true, figure: 'requests_per_second', value: (row) => row.requests_per_second, show: (row) => rate(row.requests_per_second) },
    { name: 'Failures/s', number: true, figure: 'failures_per_second', value: (row) => row.failures_per_second, show: (row) => rate(row.failures_per_second) },
  ];
}

/** From where times count. */
function timesSwitch() {
  /** @type {['latency_ms' | 'service_time_ms', string, string][]} */
  const ways = [['latency_ms', 'from the intended start', 'A request that waits for its turn is slow, too'], ['service_time_ms', 'from the send', 'What Locust and wrk report']];
  return h('fieldset', { class: 'switch', key: 'times' },
    h('legend', null, 'Times count'),
    ways.map(([value, label, title]) => h('label', { key: value, title },
      h('input', { type: 'radio', name: 'times', value, prop: { checked: model.choices.times === value }, on: { change: () => choose({ times: value }) } }), label)));
}

/** @param {RunPage} page */
export function statisticsTab(page) {
  const sum = page.statistics.filter((row) => row.stage === '');
  const rows = page.statistics.filter((row) => row.stage !== '');
  return [
    h('div', { class: 'bar', key: 'bar' }, timesSwitch(),
      h('p', { class: 'soft grow' }, page.exact ? 'Exact figures, by nearest rank; n/a: the samples do not support it.' : 'Running figures, within 1 %; the verdict’s are exact.')),
    table({
      id: 'statistics', label: 'Statistics', sortable: true, columns: columns(decimals(page.statistics)), rows, foot: sum, empty: 'No request has ended yet.',
      key: (row, index) => `${row.stage}/${row.name}/${row.method}/${index < 0 ? index : ''}`,
      rowProps: (row) => ({ 'data-stage': row.stage, 'data-name': row.name, 'data-method': row.method, class: row.name === 'Aggregated' ? 'sum' : null }),
    }),
    asked(page),
  ];
}

/** Requested against achieved, by stage. @param {RunPage} page */
function asked(page) {
  const stages = page.verdict?.stages;
  const rows = stages
    ? stages.map((stage) => ({ name: stage.name, kind: stage.kind, size: stage.size, requested: stage.requested_per_second, achieved: stage.requests_per_second, seconds: stage.duration_seconds }))
    : page.run.stages.map((stage) => ({
      name: stage.name, kind: stage.kind, size: stage.size, requested: stage.kind === 'rate' ? stage.size : null,
      achieved: page.statistics.filter((row) => row.stage === stage.name).at(-1)?.requests_per_second ?? null,
      seconds: (stage.end_seconds ?? page.run.elapsed_seconds) - stage.start_seconds,
    }));
  if (rows.length === 0) return null;
  /** @type {import('./table.js').TableColumn<typeof rows[0]>[]} */
  const wanted = [
    { name: 'Stage', show: (row) => row.name },
    { name: 'Load', show: (row) => (row.size === 0 ? words(row.kind) : `${rate(row.size)} ${row.kind === 'rate' ? 'requests/s' : words(row.kind)}`) },
    { name: 'Lasted', number: true, figure: 'duration_seconds', value: (row) => row.seconds, show: (row) => `${decimal(row.seconds, 1)} s` },
    { name: 'Requested RPS', number: true, figure: 'requested_per_second', value: (row) => row.requested, show: (row) => (row.requested === null ? '–' : rate(row.requested)) },
    { name: 'Achieved RPS', number: true, figure: 'requests_per_second', value: (row) => row.achieved, show: (row) => rate(row.achieved) },
    { name: 'Achieved', number: true, show: (row) => (row.requested ? roughly(row.achieved === null ? null : row.achieved / row.requested) : '–') },
  ];
  return h('section', { key: 'asked', class: 'part' }, h('h3', null, 'Requested against achieved'),
    table({ id: 'asked', label: 'Requested against achieved', columns: wanted, rows, rowProps: (row) => ({ 'data-stage': row.name }) }),
    rows.every((row) => row.requested === null) ? h('p', { class: 'note' }, 'A closed loop asks for no rate: each user or connection sends when it has its answer.') : null);
}
