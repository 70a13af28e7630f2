// A chart in, the figure out: its title, its curves by name, its numbers as a table and as CSV.

import { chartWidget, toggleCurve, zoom, zoomOf } from './chart.js';
import { csv, download } from './download.js';
import { h } from './dom.js';
import { count } from './format.js';
import { redraw } from './store.js';
import { rowsWithin } from './thin.js';

/** Rows of a table of numbers; the CSV has all. */
const MOST_ROWS = 300;
/** Tables of numbers that are open, by chart. @type {Set<string>} */
const open = new Set();
/** Curves that are hidden. @type {Set<string>} */
const hidden = new Set();

/** @param {import('./chart.js').Chart} chart */
export function chartFigure(chart) {
  const id = `chart-${chart.id}`;
  return h('figure', { key: id, class: 'chart', id },
    h('figcaption', null,
      h('h3', { id: `${id}-title` }, chart.title),
      h('span', { class: 'unit' }, chart.unit),
      h('span', { class: 'when', 'data-when': true })),
    chart.note ? h('p', { class: 'note' }, chart.note) : null,
    h('div', {
      class: 'plot', key: 'plot', widget: chartWidget, data: { ...chart, hidden: (/** @type {string} */ label) => hidden.has(`${chart.id}/${label}`) }, tabindex: 0, role: 'group', 'aria-roledescription': 'chart',
      'aria-labelledby': `${id}-title`, 'aria-describedby': 'chart-keys',
    }),
    h('div', { class: 'legend', key: 'legend' }, chart.curves.map((curve, index) => curveButton(chart, curve, index))),
    numbers(chart));
}

/** @param {import('./chart.js').Chart} chart @param {import('./chart.js').Curve} curve @param {number} index */
function curveButton(chart, curve, index) {
  const key = `${chart.id}/${curve.label}`;
  /** @param {Event} event */
  const click = (event) => {
    const plot = /** @type {Element} */ (event.currentTarget).closest('figure')?.querySelector('.plot');
    if (plot && toggleCurve(/** @type {HTMLElement} */ (plot), curve.label)) hidden.delete(key);
    else hidden.add(key);
    redraw();
  };
  return h('button', { key: curve.label, type: 'button', class: 'curve', 'aria-pressed': String(!hidden.has(key)), title: curve.note, on: { click } },
    h('svg', { width: 26, height: 8, 'aria-hidden': 'true', viewBox: '0 0 26 8' },
      h('line', { x1: 0, x2: 26, y1: 4, y2: 4, 'stroke-width': 2.5, 'stroke-dasharray': curve.dash?.join(' '), style: { stroke: `var(${curve.color})` } })),
    h('span', { class: 'curve-name' }, curve.label, curve.right ? ' (right axis)' : ''),
    h('span', { class: 'curve-value', 'data-curve': index }));
}

/** @param {import('./chart.js').Chart} chart */
function numbers(chart) {
  const toggle = (/** @type {Event} */ event) => {
    const details = /** @type {HTMLDetailsElement} */ (event.currentTarget);
    if (details.open === open.has(chart.id)) return;
    if (details.open) open.add(chart.id);
    else open.delete(chart.id);
    redraw();
  };
  return h('div', { class: 'numbers', key: 'numbers' },
    h('details', { open: open.has(chart.id), on: { toggle } }, h('summary', null, 'Numbers'), open.has(chart.id) ? numbersTable(chart) : null),
    h('button', { type: 'button', class: 'quiet', 'aria-label': `CSV of ${chart.title}`, on: { click: () => save(chart) } }, 'CSV'));
}

/** @param {import('./chart.js').Chart} chart */
function numbersTable(chart) {
  const [from, to] = rowsWithin(chart.xs, zoomOf(chart.group));
  const every = Math.ceil((to - from) / MOST_ROWS) || 1;
  const rows = [];
  for (let row = from; row < to; row += every) rows.push(row);
  return [
    every > 1 ? h('p', { class: 'note' }, `Every ${count(every)}th of ${count(to - from)} rows; the CSV has all.`) : null,
    h('div', { class: 'scroll tall', tabindex: 0, role: 'region', 'aria-label': `Numbers of ${chart.title}` },
      h('table', null,
        h('thead', null, h('tr', null, h('th', { scope: 'col', class: 'n' }, chart.log ? 'percentile' : 'time'),
          chart.curves.map((curve) => h('th', { scope: 'col', class: 'n' }, curve.label)))),
        h('tbody', null, rows.map((row) => h('tr', { key: row },
          h('th', { scope: 'row', class: 'n' }, chart.xFormat(chart.xs[row] ?? 0)),
          chart.curves.map((curve) => h('td', { class: 'n' }, curve.format(curve.values[row] ?? null)))))))),
  ];
}

/** @param {import('./chart.js').Chart} chart */
function save(chart) {
  const header = [chart.log ? 'percentile' : 'seconds', ...chart.curves.map((curve) => `${curve.label} [${chart.unit}]`)];
  const rows = chart.xs.map((x, row) => [chart.log ? 1 - 1 / x : x, ...chart.curves.map((curve) => curve.values[row] ?? null)]);
  download(`${chart.id}.csv`, csv(header, rows), 'text/csv');
}

/** Shows everything again, while only a part is shown. @param {string} group */
export function resetZoom(group) {
  const range = zoomOf(group);
  return h('button', { type: 'button', class: 'quiet', disabled: range === null, on: { click: () => zoom(group, null) } }, 'Reset zoom');
}
