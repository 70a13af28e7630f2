// A chart's columns in, a uPlot in the page out: one time axis for all of them, brushed, zoomed and read together.

import { clock } from './format.js';
import { drawMarkers, drawStages, drawThresholds } from './marks.js';
import { color, onTheme } from './theme.js';
import { thinned } from './thin.js';

/** @typedef {{label: string, color: string, dash?: number[], width?: number, step?: boolean, values: Column,
 *   format: (value: Maybe) => string, right?: boolean, span?: boolean, note?: string}} Curve */
/** @typedef {{id: string, title: string, unit: string, note?: string, xs: number[], curves: Curve[], height?: number,
 *   stages?: StageLine[], named?: boolean, markers?: Marker[], thresholds?: import('./marks.js').Threshold[], end?: number,
 *   group: string, log?: boolean, yLog?: boolean, xFormat: (value: number) => string, top?: number}} Chart */
/** @typedef {{plot: uPlot, chart: Chart, shape: string, anchor: number | null, hidden: Set<string>}} Drawn */

/** @type {Map<HTMLElement, Drawn>} */
const drawn = new Map();
/** Ranges by group of charts; none: everything. @type {Map<string, {min: number, max: number}>} */
const zooms = new Map();
/** @type {((group: string) => void)[]} */
const zoomListeners = [];

/** @param {(group: string) => void} listener */
export function onZoom(listener) {
  zoomListeners.push(listener);
}

/** What a group's charts show. @param {string} group */
export function zoomOf(group) {
  return zooms.get(group) ?? null;
}

/** Shows a range in all charts of a group, or everything. @param {string} group @param {{min: number, max: number} | null} range */
export function zoom(group, range) {
  if (range && range.max > range.min) zooms.set(group, range);
  else zooms.delete(group);
  for (const one of drawn.values()) {
    if (one.chart.group === group) show(one);
  }
  for (const listener of zoomListeners) listener(group);
}

/** Charts that are in the page, for tests of what is left behind. */
export function chartsDrawn() {
  return drawn.size;
}

/** @param {Chart} chart @returns {{min: number, max: number}} */
function whole(chart) {
  const first = chart.xs[0] ?? 0;
  const last = Math.max(chart.xs.at(-1) ?? 1, chart.end ?? 0);
  return { min: first, max: last > first ? last : first + 1 };
}

/** Puts what is known, within the range, into the plot. @param {Drawn} one */
function show(one) {
  const range = zoomOf(one.chart.group);
  const columns = one.chart.curves.map((curve) => curve.values);
  const data = /** @type {uPlot.AlignedData} */ (thinned(one.chart.xs, columns, range));
  one.anchor = null;
  one.plot.batch(() => {
    one.plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    one.plot.setData(data, false);
    one.plot.setScale('x', range ?? whole(one.chart));
  });
}

/** What must be built anew when it changes. @param {Chart} chart */
function shapeOf(chart) {
  return JSON.stringify([chart.id, chart.curves.map((curve) => [curve.label, curve.color, curve.dash, curve.right])]);
}

const FONT = '11px system-ui, "DejaVu Sans", sans-serif';

/** @param {Chart} chart @param {() => Chart} current @returns {uPlot.Axis[]} */
function axes(chart, current) {
  const grid = { stroke: () => color('--grid'), width: 1 };
  const base = { stroke: () => color('--soft'), font: FONT, grid, ticks: { ...grid, size: 4 }, gap: 4 };
  /** @type {uPlot.Axis[]} */
  const all = [
    { ...base, size: 26, space: chart.log ? 44 : 64, values: (_, at) => at.map((v) => (v === null ? '' : current().xFormat(v))),
      ...(chart.log ? {} : { incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200] }) },
    { ...base, scale: 'y', size: 54, space: 28, values: (_, at) => at.map((v) => (v === null ? '' : tick(v))) },
  ];
  if (chart.curves.some((curve) => curve.right)) {
    all.push({ ...base, scale: 'right', side: 1, size: 46, grid: { show: false }, values: (_, at) => at.map((v) => tick(v)) });
  }
  return all;
}

/** @param {number} value */
function tick(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(4)));
}

/** From zero to a little above the highest, and to a threshold that is not far above.
 * @param {number | null} max @param {Chart} chart @returns {[number, number]} */
function yRange(max, chart) {
  const lines = (chart.thresholds ?? []).map((line) => line.value).filter((value) => value < 2.5 * (max ?? 0));
  const top = Math.max(max ?? 0, ...lines);
  return [0, chart.top ?? (top > 0 ? top * 1.08 : 1)];
}

/** @param {Curve} curve @returns {uPlot.Series} */
function seriesOf(curve) {
  const path = curve.step ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    label: curve.label, scale: curve.right ? 'right' : 'y', stroke: () => color(curve.color), width: curve.width ?? 1.75,
    ...(curve.dash ? { dash: curve.dash } : {}), ...(path ? { paths: path } : {}), spanGaps: curve.span ?? false,
    points: { show: (self, _, first, last) => last - first < 3 && self.data[0].length < 4 },
  };
}

/** @param {HTMLElement} el @param {Chart} chart @param {Set<string>} hidden @returns {Drawn} */
function build(el, chart, hidden) {
  /** @type {Drawn} */
  const one = { plot: /** @type {any} */ (null), chart, shape: shapeOf(chart), anchor: null, hidden };
  const current = () => one.chart;
  /** @type {uPlot.Options} */
  const options = {
    width: Math.max(200, el.clientWidth || 600), height: chart.height ?? 180, legend: { show: false },
    padding: [14, chart.curves.some((curve) => curve.right) ? 0 : 12, 0, 0], axes: axes(chart, current),
    scales: {
      x: { time: false, auto: false, distr: chart.log ? 3 : 1 },
      y: chart.yLog ? { distr: 3 } : { range: (_, __, max) => yRange(max, one.chart) },
      right: { range: (_, __, max) => [0, Math.max(1, max ?? 0) * 1.08] },
    },
    cursor: {
      y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => { zoom(one.chart.group, null); return null; } },
      ...(chart.log ? {} : { sync: { key: chart.group, scales: ['x', null], setSeries: false } }),
    },
    series: [{}, ...chart.curves.map(seriesOf)],
    hooks: {
      drawClear: [(plot) => drawStages(plot, one.chart.stages ?? [], one.chart.named ?? false)],
      draw: [(plot) => {
        drawThresholds(plot, one.chart.thresholds ?? []);
        drawMarkers(plot, one.chart.markers ?? []);
      }],
      setSelect: [(plot) => brushed(plot, one)],
      setCursor: [(plot) => readOut(el, plot, one)],
    },
  };
  one.plot = new uPlot(options, [[], ...chart.curves.map(() => [])], el);
  chart.curves.forEach((curve, index) => {
    if (hidden.has(curve.label)) one.plot.setSeries(index + 1, { show: false });
  });
  show(one);
  return one;
}

/** @param {uPlot} plot @param {Drawn} one */
function brushed(plot, one) {
  const { left, width } = plot.select;
  if (width < 3) return;
  zoom(one.chart.group, { min: plot.posToVal(left, 'x'), max: plot.posToVal(left + width, 'x') });
}

/** The figures under the cursor, beside the names of the curves. @param {HTMLElement} el @param {uPlot} plot @param {Drawn} one */
function readOut(el, plot, one) {
  const row = plot.cursor.idx ?? null;
  const figure = el.closest('figure');
  const at = row === null ? null : plot.data[0][row] ?? null;
  const when = figure?.querySelector('[data-when]');
  if (when) when.textContent = at === null ? '' : `at ${one.chart.xFormat(at)}`;
  one.chart.curves.forEach((curve, index) => {
    const cell = figure?.querySelector(`[data-curve="${index}"]`);
    if (cell) cell.textContent = row === null ? '' : curve.format(plot.data[index + 1]?.[row] ?? null);
  });
}

/** What is read out to those who do not see the curves. @param {Drawn} one */
function spoken(one) {
  const row = one.plot.cursor.idx ?? null;
  if (row === null) return '';
  const at = one.plot.data[0][row] ?? 0;
  const parts = one.chart.curves.map((curve, index) => `${curve.label} ${curve.format(one.plot.data[index + 1]?.[row] ?? null)}`);
  return `${one.chart.xFormat(at)}: ${parts.join(', ')}`;
}

/** Arrows read, with Shift they brush, Enter zooms, plus and minus zoom, Escape shows everything.
 * @param {HTMLElement} el @param {KeyboardEvent} event */
function onKey(el, event) {
  const one = drawn.get(el);
  if (!one || event.ctrlKey || event.metaKey || event.altKey) return;
  const xs = one.plot.data[0];
  const range = zoomOf(one.chart.group) ?? whole(one.chart);
  const last = xs.length - 1;
  const row = one.plot.cursor.idx ?? null;
  const step = Math.max(1, Math.round(xs.length / 60));
  const to = { ArrowLeft: (row ?? last) - step, ArrowRight: (row ?? 0) + step, Home: 0, End: last }[event.key];
  if (to !== undefined && last >= 0) moveTo(one, Math.min(last, Math.max(0, to)), event.shiftKey, row);
  else if (event.key === 'Enter') brushed(one.plot, one);
  else if (event.key === '+' || event.key === '-') {
    const middle = row === null ? (range.min + range.max) / 2 : xs[row] ?? range.min;
    const half = ((range.max - range.min) / 2) * (event.key === '+' ? 0.5 : 2);
    const all = whole(one.chart);
    const wider = { min: Math.max(all.min, middle - half), max: Math.min(all.max, middle + half) };
    zoom(one.chart.group, wider.min === all.min && wider.max === all.max ? null : wider);
  } else if (event.key === 'Escape') zoom(one.chart.group, null);
  else return;
  event.preventDefault();
  event.stopPropagation();
  const said = document.getElementById('said');
  if (said) said.textContent = spoken(one);
}

/** @param {Drawn} one @param {number} row @param {boolean} brush @param {number | null} before */
function moveTo(one, row, brush, before) {
  const left = (/** @type {number} */ r) => one.plot.valToPos(one.plot.data[0][r] ?? 0, 'x');
  const move = /** @type {(at: {left: number, top: number}, fire: boolean, publish: boolean) => void} */ (one.plot.setCursor);
  move({ left: left(row), top: one.plot.over.clientHeight / 2 }, true, true);
  if (!brush) {
    one.anchor = null;
    one.plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    return;
  }
  one.anchor ??= before ?? row;
  const [from, to] = [left(one.anchor), left(row)];
  one.plot.setSelect({ left: Math.min(from, to), width: Math.abs(to - from), top: 0, height: one.plot.over.clientHeight }, false);
}

/** Width follows the page's. */
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) fit(/** @type {HTMLElement} */ (target));
});

/** @param {HTMLElement} el */
function fit(el) {
  const one = drawn.get(el);
  const width = Math.floor(el.clientWidth);
  if (one && width > 0 && width !== one.plot.width) one.plot.setSize({ width, height: one.chart.height ?? 180 });
}

/** Draws all charts again, in the width and the colours that hold now. */
export function refitCharts() {
  for (const [el, one] of drawn) {
    fit(el);
    one.plot.redraw(false, true);
  }
}

/** Shows or hides a curve. @param {HTMLElement} el @param {string} label @returns {boolean} It is shown now. */
export function toggleCurve(el, label) {
  const one = drawn.get(el);
  if (!one) return true;
  const shown = one.hidden.has(label);
  if (shown) one.hidden.delete(label);
  else one.hidden.add(label);
  one.plot.setSeries(one.chart.curves.findIndex((curve) => curve.label === label) + 1, { show: shown });
  return shown;
}

/** @type {import('./dom.js').Widget} */
export const chartWidget = {
  mount(el, /** @type {Chart} */ chart) {
    drawn.set(el, build(el, chart, new Set()));
    el.onkeydown = (event) => onKey(el, event);
    sizes.observe(el);
  },
  update(el, /** @type {Chart} */ chart) {
    const one = drawn.get(el);
    if (!one) return;
    const same = one.chart.xs === chart.xs && one.chart.curves.every((curve, index) => curve.values === chart.curves[index]?.values);
    one.chart = chart;
    if (one.shape !== shapeOf(chart)) {
      one.plot.destroy();
      drawn.set(el, build(el, chart, one.hidden));
    } else if (!same) show(one);
  },
  unmount(el) {
    sizes.unobserve(el);
    drawn.get(el)?.plot.destroy();
    drawn.delete(el);
  },
};

/** Seconds of the run as the time axis names them. @param {number} value */
export function timeTick(value) {
  return Number.isInteger(value) ? clock(value) : `${clock(value)}.${Math.floor((value % 1) * 10)}`;
}

onTheme(refitCharts);
