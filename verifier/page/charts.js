// The page's series in, the tab Charts out: everything that happened, second by second, on one time axis.

import { timeTick, zoomOf } from './chart.js';
import { h } from './dom.js';
import { chartFigure, resetZoom } from './figure.js';
import { count, date, duration, percent, rate, seconds } from './format.js';
import { markOf } from './marks.js';
import { spectrumFigures } from './spectrum.js';
import { clusterOf } from './store.js';

/** @typedef {keyof Series} SeriesName */
/** @typedef {{xs: number[], columns: Record<string, Column>, baseline: Record<string, Column> | null, end: number, span: boolean}} Filled */

/** What was made of the document before, so that drawing again costs nothing. @type {{page: RunPage | null, filled: Filled | null}} */
const made = { page: null, filled: null };

/** Every row from the first to the last. One that is not there had no answers: nothing was seen in it.
 * @param {RunPage} page @returns {Filled} */
function filled(page) {
  if (made.page === page && made.filled) return made.filled;
  const { series } = page;
  const before = page.baseline?.series ?? null;
  // Rows of different lengths: each curve keeps its own, and is drawn across the others'.
  const span = before !== null && before.step_seconds !== series.step_seconds;
  const xs = span ? [...new Set([...every(series), ...every(before)])].sort((a, b) => a - b) : between([series, before]);
  const rows = new Map(xs.map((at, row) => [at, row]));
  made.filled = {
    xs, span, columns: spread(series, rows), baseline: before && spread(before, rows),
    end: page.run.state === 'running' || page.run.state === 'draining' ? page.run.elapsed_seconds : 0,
  };
  made.page = page;
  return made.filled;
}

/** Moments at equal distances from the first to the last of all. @param {(Series | null)[]} all @returns {number[]} */
function between(all) {
  const firsts = all.flatMap((series) => series?.at_seconds[0] ?? []);
  const lasts = all.flatMap((series) => series?.at_seconds.at(-1) ?? []);
  if (firsts.length === 0) return [];
  const [from, to, step] = [Math.min(...firsts), Math.max(...lasts), all[0]?.step_seconds ?? 1];
  return Array.from({ length: Math.floor((to - from) / step) + 1 }, (_, index) => from + index * step);
}

/** @param {Series} series */
function every(series) {
  return between([series]);
}

/** Counted in a row: drawn per second, and none where there is no row. */
const COUNTED = new Set(['answered', 'failed']);

/** @param {Series} series @param {Map<number, number>} rows @returns {Record<string, Column>} */
function spread(series, rows) {
  /** @type {Record<string, Column>} */
  const out = {};
  const moments = every(series);
  for (const [name, column] of Object.entries(series)) {
    if (!Array.isArray(column) || name === 'at_seconds') continue;
    /** @type {Column} */
    const wide = new Array(rows.size).fill(null);
    const counted = COUNTED.has(name);
    if (counted) for (const at of moments) wide[rows.get(at) ?? 0] = 0;
    series.at_seconds.forEach((at, row) => {
      const to = rows.get(at);
      const value = column[row] ?? null;
      if (to !== undefined) wide[to] = counted && value !== null ? value / series.step_seconds : value;
    });
    out[name] = wide;
  }
  return out;
}

/** @param {Column | undefined} column */
function any(column) {
  return column?.some((value) => value !== null) ?? false;
}

const number = (/** @type {Maybe} */ value) => (value === null ? '–' : rate(value));
const time = (/** @type {Maybe} */ value) => (value === null ? '–' : duration(value));

/** @typedef {[name: string, label: string, color: string, dash?: number[], more?: Partial<import('./chart.js').Curve>]} Wanted */

/** @param {Filled} data @param {Wanted[]} wanted @param {(value: Maybe) => string} format */
function curves(data, wanted, format) {
  /** @type {import('./chart.js').Curve[]} */
  const all = [];
  for (const [name, label, color, dash, more] of wanted) {
    const values = data.columns[name] ?? [];
    if (any(values)) all.push({ label, color, values, format, span: data.span, ...(dash ? { dash } : {}), ...more });
    const before = data.baseline?.[name];
    if (before && any(before)) {
      all.push({ label: `${label}, baseline`, color, values: before, format, span: data.span, dash: [2, 4], width: 1.25, ...(more?.step ? { step: true } : {}), ...(more?.right ? { right: true } : {}) });
    }
  }
  return all;
}

/** @param {RunPage} page @param {Filled} data @param {{id: string, title: string, unit: string, note?: string, whole?: boolean, thresholds?: import('./marks.js').Threshold[]}} what
 * @param {import('./chart.js').Curve[]} wanted @param {boolean} [named] */
function timeChart(page, data, what, wanted, named) {
  if (wanted.length === 0) return null;
  return chartFigure({
    ...what, xs: data.xs, curves: wanted, stages: page.run.stages, named: named ?? false, markers: page.markers,
    end: data.end, group: 'time', xFormat: timeTick,
  });
}

/** Levels of the plan's thresholds that a chart can show: each stage's over its own time.
 * @param {RunPage} page @param {RegExp} metric */
function thresholds(page, metric) {
  /** @type {import('./marks.js').Threshold[]} */
  const all = [];
  const factor = /** @type {Record<string, number>} */ ({ us: 0.001, 'µs': 0.001, ms: 1, s: 1000, m: 60_000, h: 3_600_000, '': 1 });
  for (const check of page.verdict?.checks ?? []) {
    const name = check.name.replace(/^[^:(]*: /, '');
    const limit = /^[<>=]+ ?([\d.]+) ?(us|µs|ms|s|m|h|)$/.exec(check.limit ?? '');
    if (!metric.test(name) || !limit) continue;
    const stage = page.run.stages.find((one) => one.name === check.stage);
    all.push({ value: Number(limit[1]) * (factor[limit[2] ?? ''] ?? 1), label: name, from: stage?.start_seconds ?? null, to: stage?.end_seconds ?? null });
  }
  return all;
}

/** @param {RunPage} page */
function timeCharts(page) {
  const data = filled(page);
  const latency = thresholds(page, /^(latency\.)?(p50|p95|p99|med|median|p\(\d+\))[<>]/);
  const service = thresholds(page, /^service_time\.(p50|p95|p99)[<>]/);
  return [
    timeChart(page, data, { id: 'rate', title: 'Total Requests per Second', unit: 'per second', thresholds: thresholds(page, /^(requests_per_second|rps)[<>]/) },
      curves(data, [['answered', 'RPS', '--series-1'], ['failed', 'Failures/s', '--series-2', [6, 3]], ['requested', 'requested', '--series-6', [2, 3], { step: true, width: 1.5 }]], number), true),
    timeChart(page, data, { id: 'latency', title: 'Response Times from the intended start', unit: 'ms', thresholds: latency, note: `${page.series.step_seconds > 1 ? `Of ${page.series.step_seconds} s each. ` : ''}A moment’s 99th percentile rests on few requests: a picture, no claim.` },
      curves(data, [['p50_ms', 'median', '--series-3'], ['p95_ms', '95th', '--series-1', [8, 3]], ['p99_ms', '99th', '--series-4', [3, 3]]], time)),
    timeChart(page, data, { id: 'service', title: 'Service times from the send', unit: 'ms', thresholds: service, note: 'What Locust and wrk report: a request’s wait for its turn is not in it.' },
      curves(data, [['service_p50_ms', 'median', '--series-3'], ['service_p95_ms', '95th', '--series-1', [8, 3]], ['service_p99_ms', '99th', '--series-4', [3, 3]]], time)),
    timeChart(page, data, { id: 'users', title: 'Number of Users', unit: 'users or connections' },
      curves(data, [['users', 'users', '--series-5', undefined, { step: true }]], number)),
    ...replicaCharts(page, ''),
    coverage(page, data),
  ];
}

/** The cluster's. @param {RunPage} page @param {string} prefix Of the charts' ids, where they are shown twice. */
export function replicaCharts(page, prefix) {
  const data = filled(page);
  const target = clusterOf(page)?.hpa?.target_cpu_percent ?? null;
  const lines = target === null ? [] : [{ value: target, label: `target ${target} %`, from: null, to: null }];
  return [
    timeChart(page, data, { id: `${prefix}replicas`, title: 'Replicas', unit: 'pods' },
      curves(data, [['hpa_desired', 'wanted by the HPA', '--series-4', [3, 3], { step: true }], ['desired', 'asked for', '--series-1', [8, 3], { step: true }], ['ready', 'ready', '--series-3', undefined, { step: true, width: 2.25 }]], number)),
    timeChart(page, data, { id: `${prefix}cpu`, title: 'CPU as the HPA sees it', unit: '% of the requests', thresholds: lines },
      curves(data, [['cpu_percent', 'CPU', '--series-2', undefined, { step: true }]], (value) => (value === null ? '–' : `${count(value)} %`))),
  ];
}

/** @param {RunPage} page @param {Filled} data */
function coverage(page, data) {
  const share = (/** @type {Record<string, Column>} */ columns) => (columns.traces_due ?? []).map((due, row) => {
    const complete = columns.traces_complete?.[row] ?? null;
    return due === null || due === 0 || complete === null ? null : (100 * complete) / due;
  });
  data.columns.coverage ??= share(data.columns);
  if (data.baseline) data.baseline.coverage ??= share(data.baseline);
  const format = (/** @type {Maybe} */ value) => (value === null ? '–' : percent(value / 100));
  return timeChart(page, data, { id: 'coverage', title: 'Traces complete of those due so far', unit: '%', whole: true }, curves(data, [['coverage', 'complete', '--series-3']], format));
}

/** @param {RunPage} page */
function markersTable(page) {
  if (page.markers.length === 0) return null;
  const rows = page.markers.map((marker) => h('tr', null,
    h('td', { class: 'n' }, seconds(marker.at_seconds)),
    h('td', null, h('span', { class: `mark mark-${marker.kind}`, 'aria-hidden': 'true' }, markOf(marker.kind).letter), ` ${markOf(marker.kind).words}`),
    h('td', null, marker.label)));
  const kinds = [...new Set(page.markers.map((marker) => marker.kind))];
  return h('div', { class: 'marks', key: 'marks' },
    h('p', { class: 'mark-keys' }, kinds.map((kind) => h('span', { key: kind }, h('span', { class: `mark mark-${kind}` }, markOf(kind).letter), ` ${markOf(kind).words}`))),
    h('details', { key: 'all' }, h('summary', null, `Markers (${count(page.markers.length)})`),
      h('div', { class: 'scroll tall', tabindex: 0, role: 'region', 'aria-label': 'Markers' },
        h('table', null, h('thead', null, h('tr', null, h('th', { scope: 'col', class: 'n' }, 'at'), h('th', { scope: 'col' }, 'what'), h('th', { scope: 'col' }, 'in words'))), h('tbody', null, rows)))));
}

/** @param {RunPage} page */
export function chartsTab(page) {
  const shown = zoomOf('time');
  const whole = page.series.at_seconds.length === 0;
  return [
    h('div', { class: 'bar', key: 'bar' },
      h('p', { class: 'soft grow', 'aria-live': 'polite' },
        whole ? 'Nothing has been seen yet.'
          : shown ? `Shown: ${timeTick(Math.round(shown.min * 10) / 10)} to ${timeTick(Math.round(shown.max * 10) / 10)}.`
            : `The whole run; 0:00 is ${date(page.run.started_unix_ms)}.`),
      resetZoom('time')),
    h('p', { class: 'note keys', id: 'chart-keys', key: 'keys' },
      'Drag to zoom into all charts, double click to see the whole. By keys, on a chart: arrows read, Shift and arrows select, Enter zooms, + and −, Escape.'),
    markersTable(page),
    h('div', { class: 'charts', key: 'charts' }, timeCharts(page)),
    spectrumFigures(page),
  ];
}
