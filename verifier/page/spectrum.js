// Spectra in, latency over percentiles out: the axis stretches towards 100 %, and each curve ends where its samples do.

import { h } from './dom.js';
import { chartFigure } from './figure.js';
import { count, duration } from './format.js';

const COLORS = ['--series-1', '--series-2', '--series-3', '--series-4', '--series-5', '--series-6'];
/** @type {(number[] | undefined)[]} */
const DASHES = [undefined, [8, 3], [3, 3], [10, 3, 2, 3], [1, 3], [12, 4]];

/** What was made of the document before. @type {{page: RunPage | null, chart: import('./chart.js').Chart | null}} */
const known = { page: null, chart: null };

/** `99.9 %` of 1000. @param {number} times 1 / (1 - percentile) */
function percentile(times) {
  const share = 100 * (1 - 1 / times);
  const digits = Math.max(0, Math.ceil(Math.log10(times) - 2 - 1e-9));
  return `${Number(share.toFixed(digits + (Number.isInteger(Math.round(Math.log10(times) * 1e6) / 1e6) ? 0 : 1)))} %`;
}

/** @param {RunPage} page @returns {import('./chart.js').Chart | null} */
function spectrumChart(page) {
  if (known.page === page) return known.chart;
  const spectra = [...page.spectra.map((one) => ({ ...one, before: false })), ...(page.baseline?.spectra ?? []).map((one) => ({ ...one, before: true }))]
    .filter((one) => one.points.length > 0);
  const place = (/** @type {number} */ share) => 1 / (1 - share);
  const xs = [...new Set(spectra.flatMap((one) => one.points.filter(([share]) => share < 1).map(([share]) => place(share))))].sort((a, b) => a - b);
  const rows = new Map(xs.map((x, row) => [x, row]));
  const names = [...new Set(spectra.map((one) => one.stage))];
  const curves = spectra.map((one) => {
    /** @type {Column} */
    const values = new Array(xs.length).fill(null);
    for (const [share, ms] of one.points) {
      const row = share < 1 ? rows.get(place(share)) : undefined;
      if (row !== undefined) values[row] = ms;
    }
    const index = names.indexOf(one.stage);
    const dash = one.before ? [2, 4] : DASHES[index % DASHES.length];
    return {
      label: `${one.stage}${one.before ? ', baseline' : ''} (n ${count(one.n)})`, color: COLORS[index % COLORS.length] ?? '--series-1',
      values, span: true, format: (/** @type {Maybe} */ value) => (value === null ? '–' : duration(value)), ...(dash ? { dash } : {}), ...(one.before ? { width: 1.25 } : {}),
    };
  });
  known.page = page;
  known.chart = xs.length < 2 ? null : {
    id: 'spectrum', title: 'Response time over percentiles', unit: 'ms', xs, curves, group: 'spectrum', log: true, xFormat: percentile, height: 260,
    note: 'From the intended start, by stage. Each curve ends at the last percentile that its number of samples, n, supports with 99 % confidence.',
  };
  return known.chart;
}

/** @param {RunPage} page */
export function spectrumFigures(page) {
  const chart = spectrumChart(page);
  if (!chart) return null;
  return h('div', { class: 'charts wide', key: 'spectrum' }, chartFigure(chart));
}
