// Spans of a run in, tables out: how long each kind takes, and whether HTTP outcomes and span statuses agree.

import { h } from './dom.js';
import { count, duration, words } from './format.js';
import { table } from './table.js';
import { traceButton } from './words.js';

/** @param {RunPage} page */
export function spanDurations(page) {
  const rows = (page.verdict?.stages ?? []).flatMap((stage, index) => Object.entries(stage.spans_ms).map(([name, times]) => ({ stage: stage.name, index, name, times })));
  if (rows.length === 0) return null;
  /** @param {keyof SpanDistribution} figure @returns {import('./table.js').TableColumn<typeof rows[0]>} */
  const column = (figure) => ({
    name: figure, number: true, path: (row) => `stages.${row.index}.spans_ms|${row.name}|${figure}`, value: (row) => row.times[figure],
    show: (row) => (figure === 'n' ? count(row.times.n) : duration(row.times[figure])),
  });
  return h('section', { class: 'part', key: 'spans' }, h('h3', null, 'Spans'), table({
    id: 'spans', label: 'Durations of spans', sortable: true, rows, key: (row) => `${row.stage}/${row.name}`,
    columns: [{ name: 'Stage', value: (row) => row.stage, show: (row) => row.stage }, { name: 'Span', value: (row) => row.name, show: (row) => h('code', null, row.name) }, column('n'), column('p50'), column('p90'), column('p99'), column('max')],
  }));
}

const STATUSES = ['no_error', 'error', 'no_root_span'];

/** What belongs together: an answer of success and no error, a failure and an error. @param {string} outcome @param {string} status */
function agrees(outcome, status) {
  // Whoever gave up does not know what the server went on to say.
  if (outcome === 'timeout' || outcome === 'reset') return true;
  if (status === 'no_root_span') return false;
  return (outcome === '5xx') === (status === 'error');
}

/** @param {RunPage} page */
export function errorSpans(page) {
  const stages = page.verdict?.stages ?? [];
  /** @type {Map<string, Map<string, {count: number, example: string | null}>>} */
  const matrix = new Map();
  for (const stage of stages) {
    for (const [outcome, row] of Object.entries(stage.error_spans.matrix)) {
      const cells = matrix.get(outcome) ?? new Map();
      matrix.set(outcome, cells);
      for (const [status, cell] of Object.entries(row)) {
        const before = cells.get(status);
        cells.set(status, { count: (before?.count ?? 0) + cell.count, example: before?.example ?? cell.examples[0] ?? null });
      }
    }
  }
  if (matrix.size === 0) return null;
  const spans = stages.flatMap((stage) => stage.error_spans.spans.map((span) => ({ stage: stage.name, ...span })));
  return h('section', { class: 'part', key: 'errors' }, h('h3', null, 'HTTP outcome and span status'),
    table({
      id: 'matrix', label: 'HTTP outcome and status of the root span', rows: [...matrix.entries()],
      columns: [{ name: 'Outcome', show: ([outcome]) => words(outcome) },
        ...STATUSES.map((status) => /** @type {import('./table.js').TableColumn<[string, Map<string, {count: number, example: string | null}>]>} */ ({
          name: words(status), number: true, figure: `matrix.${status}`, value: ([, cells]) => cells.get(status)?.count ?? 0,
          show: ([outcome, cells]) => {
            const cell = cells.get(status);
            if (!cell || cell.count === 0) return h('span', { class: 'soft' }, '0');
            const odd = !agrees(outcome, status);
            return [h('span', { class: odd ? 'bad' : null }, count(cell.count)), odd && cell.example ? [' ', traceButton(page, cell.example, 'example')] : null];
          },
        }))],
    }),
    spans.length === 0 ? h('p', { class: 'soft' }, 'No span ended with an error.') : table({
      id: 'error-spans', label: 'Spans with an error status', rows: spans,
      columns: [{ name: 'Stage', show: (row) => row.stage }, { name: 'Span', show: (row) => h('code', null, row.name) }, { name: 'Detail', wrap: true, show: (row) => row.detail }, { name: 'Count', number: true, value: (row) => row.count, show: (row) => count(row.count) },
        { name: 'Example', show: (row) => (row.examples[0] ? traceButton(page, row.examples[0], `${row.examples[0].slice(0, 16)}…`) : '–') }],
    }));
}
