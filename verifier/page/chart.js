// A chart's columns in, a uPlot in the page out: one time axis for all of them, brushed, zoomed and read together.

import { clock } from './format.js';
import { drawMarkers, drawStages, drawThresholds } from './marks.js';
import { color, onTheme } from './theme.js';
import { thinned } from './thin.js';

/** @typedef {{label: string, color: string, dash?: number[], width?: number, step?: boolean, values: Column,
 *   format: (value: Maybe) => string, right?: boolean, span?: boolean, note?: string}} Curve */
/** @typedef {{id: string, title: string, unit: string, note?: string, xs: number[], curves: Curve[], height?: number,
 *   stages?: StageLine[], named?: boolean, markers?: Marker[], thresholds?: import('./marks.js').Threshold[], end?: number,
 *   group: string, log?: boolean, yLog?: boolean, xFormat: (value: number) => string, whole?: boolean, hidden?: (label: string) => boolean}} Chart */
/** @typedef {{plot: uPlot, chart: Chart, shape: string, brush: {from: number, to: number} | null, hidden: Set<string>}} Drawn */

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
    if (one.chart.group !== group) continue;
    one.brush = null;
    select(one);
    show(one);
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
  one.plot.batch(() => {
    one.plot.setData(data, false);
    one.plot.setScale('x', range ?? whole(one.chart));
  });
  // What is selected by keys stays so over the same seconds, while the axis grows.
  if (one.brush) select(one);
}

/** Draws what is selected by keys, or nothing. @param {Drawn} one */
function select(one) {
  const [from, to] = one.brush ? [one.plot.valToPos(one.brush.from, 'x'), one.plot.valToPos(one.brush.to, 'x')] : [0, 0];
  const height = one.brush ? one.plot.over.clientHeight : 0;
  one.plot.setSelect({ left: Math.min(from, to), width: Math.abs(to - from), top: 0, height }, false);
}

/** What must be built anew when it changes. @param {Chart} chart */
function shapeOf(chart) {
  return JSON.stringify([chart.id, chart.curves.map((curve) => [curve.label, curve.color, curve.dash, curve.right])]);
}

/** On paper: drawn twice as large and shrunk, so that curves are sharp; so wide that an A4 page holds it. */
const PAPER = { scale: 2, width: 664 };
let scale = 1;

/** @param {HTMLElement} el @param {Chart} chart */
function sizeOf(el, chart) {
  const width = scale === 1 ? Math.max(200, Math.floor(el.clientWidth) || 600) : PAPER.width * scale;
  return { width, height: (chart.height ?? 180) * scale };
}

/** @param {Chart} chart @param {() => Chart} current @returns {uPlot.Axis[]} */
function axes(chart, current) {
  const grid = { stroke: () => color('--grid'), width: scale };
  const font = `${11 * scale}px system-ui, "DejaVu Sans", sans-serif`;
  const base = { stroke: () => color('--soft'), font, grid, ticks: { ...grid, size: 4 * scale }, gap: 4 * scale };
  /** @type {uPlot.Axis[]} */
  const all = [
    { ...base, size: 26 * scale, space: (chart.log ? 44 : 64) * scale, values: (_, at) => at.map((v) => (v === null ? '' : current().xFormat(v))),
      ...(chart.log ? {} : { incrs: [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200] }) },
    { ...base, scale: 'y', size: 54 * scale, space: 28 * scale, values: (_, at) => at.map((v) => (v === null ? '' : tick(v))) },
  ];
  if (chart.curves.some((curve) => curve.right)) {
    all.push({ ...base, scale: 'right', side: 1, size: 46 * scale, grid: { show: false }, values: (_, at) => at.map((v) => tick(v)) });
  }
  return all;
}

/** @param {number} value */
function tick(value) {
  const size = Math.abs(value);
  if (size >= 1e6) return `${Number((value / 1e6).toPrecision(3))}M`;
  if (size >= 1e4) return `${Number((value / 1e3).toPrecision(3))}k`;
  return String(Number(value.toPrecision(5)));
}

/** From zero, or from a round figure below the lowest where a chart is of shares near the whole, to a little above the
 * highest, and to a threshold that is not far above. @param {number | null} min @param {number | null} max @param {Chart} chart @returns {[number, number]} */
function yRange(min, max, chart) {
  if (chart.whole) {
    const floor = [99.9, 99, 90, 50].find((level) => (min ?? 0) >= level) ?? 0;
    return [floor, 100 + (100 - floor) * 0.06];
  }
  const lines = (chart.thresholds ?? []).map((line) => line.value).filter((value) => value < 2.5 * (max ?? 0));
  const top = Math.max(max ?? 0, ...lines);
  return [0, top > 0 ? top * 1.08 : 1];
}

/** @param {Curve} curve @returns {uPlot.Series} */
function seriesOf(curve) {
  const path = curve.step ? uPlot.paths.stepped?.({ align: 1 }) : undefined;
  return {
    label: curve.label, scale: curve.right ? 'right' : 'y', stroke: () => color(curve.color), width: (curve.width ?? 1.75) * scale,
    ...(curve.dash ? { dash: curve.dash.map((length) => length * scale) } : {}), ...(path ? { paths: path } : {}), spanGaps: curve.span ?? false,
    points: { show: (self, _, first, last) => last - first < 3 && self.data[0].length < 4 },
  };
}

/** @param {HTMLElement} el @param {Chart} chart @param {Set<string>} hidden @returns {Drawn} */
function build(el, chart, hidden) {
  /** @type {Drawn} */
  const one = { plot: /** @type {any} */ (null), chart, shape: shapeOf(chart), brush: null, hidden };
  const current = () => one.chart;
  /** @type {uPlot.Options} */
  const options = {
    ...sizeOf(el, chart), legend: { show: false },
    padding: [14 * scale, (chart.curves.some((curve) => curve.right) ? 0 : chart.log ? 28 : 12) * scale, 0, 0], axes: axes(chart, current),
    scales: {
      x: { time: false, auto: false, distr: chart.log ? 3 : 1 },
      y: chart.yLog ? { distr: 3 } : { range: (_, min, max) => yRange(min, max, one.chart) },
      right: { range: (_, __, max) => [0, Math.max(1, max ?? 0) * 1.08] },
    },
    cursor: {
      y: false, points: { size: 6 }, drag: { x: true, y: false, setScale: false }, bind: { dblclick: () => () => { zoom(one.chart.group, null); return null; } },
      ...(chart.log ? {} : { sync: { key: chart.group, scales: ['x', null], setSeries: false } }),
    },
    series: [{}, ...chart.curves.map(seriesOf)],
    hooks: {
      drawClear: [(plot) => drawStages(plot, one.chart.stages ?? [], one.chart.named ?? false, scale)],
      draw: [(plot) => {
        drawThresholds(plot, one.chart.thresholds ?? [], scale);
        drawMarkers(plot, one.chart.markers ?? [], scale);
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
function onChartKey(el, event) {
  const one = drawn.get(el);
  if (!one || event.ctrlKey || event.metaKey || event.altKey) return;
  const xs = one.plot.data[0];
  const range = zoomOf(one.chart.group) ?? whole(one.chart);
  const last = xs.length - 1;
  const row = one.plot.cursor.idx ?? null;
  const step = Math.max(1, Math.round(xs.length / 60));
  const to = { ArrowLeft: (row ?? last) - step, ArrowRight: (row ?? 0) + step, Home: 0, End: last }[event.key];
  if (to !== undefined && last >= 0) moveTo(one, Math.min(last, Math.max(0, to)), event.shiftKey, row);
  else if (event.key === 'Enter' && one.brush) zoom(one.chart.group, { min: Math.min(one.brush.from, one.brush.to), max: Math.max(one.brush.from, one.brush.to) });
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
  const at = (/** @type {number} */ which) => one.plot.data[0][which] ?? 0;
  const move = /** @type {(to: {left: number, top: number}, fire: boolean, publish: boolean) => void} */ (one.plot.setCursor);
  move({ left: one.plot.valToPos(at(row), 'x'), top: one.plot.over.clientHeight / 2 }, true, true);
  one.brush = brush ? { from: one.brush?.from ?? at(before ?? row), to: at(row) } : null;
  select(one);
}

/** Width follows the page's. */
const sizes = new ResizeObserver((entries) => {
  for (const { target } of entries) fit(/** @type {HTMLElement} */ (target));
});

/** @param {HTMLElement} el */
function fit(el) {
  const one = drawn.get(el);
  if (!one || el.clientWidth === 0 || scale !== 1) return;
  const size = sizeOf(el, one.chart);
  if (size.width !== one.plot.width) one.plot.setSize(size);
}

/** Draws all charts again, in the colours that hold now. */
function recolorCharts() {
  for (const one of drawn.values()) one.plot.redraw(false, true);
}

/** Builds all charts anew, for paper or for the screen. @param {boolean} paper */
export function chartsOnPaper(paper) {
  scale = paper ? PAPER.scale : 1;
  for (const [el, one] of drawn) {
    one.plot.destroy();
    el.style.setProperty('zoom', paper ? String(1 / PAPER.scale) : '');
    drawn.set(el, build(el, one.chart, one.hidden));
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
    const hidden = chart.curves.map((curve) => curve.label).filter((label) => chart.hidden?.(label));
    drawn.set(el, build(el, chart, new Set(hidden)));
    el.onkeydown = (event) => onChartKey(el, event);
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

onTheme(recolorCharts);
