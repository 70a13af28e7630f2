// Traces in, the tab Traces out: how many came, where the others were lost, where the time went, single ones to look at.

import { h } from './dom.js';
import { count, duration, percent, seconds, words } from './format.js';
import { choose, model } from './store.js';
import { errorSpans, spanDurations } from './spans.js';
import { table } from './table.js';
import { tails } from './tails.js';
import { chosenWaterfall, waterfallCard } from './waterfall.js';
import { placeWords, traceButton, WHY } from './words.js';

/** @param {VerdictStage[]} stages @param {(stage: VerdictStage) => number} figure */
function sum(stages, figure) {
  return stages.reduce((total, stage) => total + figure(stage), 0);
}

/** The last figure that is known. @param {Column | undefined} column */
function last(column) {
  return column?.findLast((value) => value !== null) ?? null;
}

/** @typedef {{name: string, count: number, figure: string, lost: string}} Hop */

/** From what was planned to what is complete. @param {RunPage} page @returns {Hop[]} */
function hops(page) {
  const stages = page.verdict?.stages;
  if (!stages) {
    const [due, complete] = [last(page.series.traces_due), last(page.series.traces_complete)];
    const all = page.statistics.find((row) => row.stage === '');
    if (due === null) return [];
    return [
      { name: 'ended', count: all?.requests ?? due, figure: 'ended', lost: '' },
      { name: 'answered: a trace is due', count: due, figure: 'expected', lost: 'had no answer' },
      { name: 'trace complete', count: complete ?? 0, figure: 'complete', lost: 'not yet, or lost' },
    ];
  }
  const expected = sum(stages, (stage) => stage.traces.expected);
  return [
    { name: 'planned', count: sum(stages, (stage) => stage.exchanges.planned), figure: 'planned', lost: '' },
    { name: 'sent', count: sum(stages, (stage) => stage.exchanges.sent), figure: 'sent', lost: 'never sent' },
    { name: 'answered: a trace is due', count: expected, figure: 'expected', lost: 'timeout, reset, or of a task without traces' },
    { name: 'trace arrived', count: expected - sum(stages, (stage) => stage.traces.missing), figure: 'arrived', lost: 'without any span' },
    { name: 'trace complete', count: sum(stages, (stage) => stage.traces.complete), figure: 'complete', lost: 'some spans missing' },
  ];
}

/** @param {RunPage} page */
function funnel(page) {
  const all = hops(page);
  const most = all[0]?.count ?? 0;
  if (all.length === 0) return h('p', { class: 'soft' }, 'No trace is due yet.');
  const losses = page.verdict?.losses;
  return h('section', { class: 'card', key: 'funnel' },
    h('h3', null, 'How far the traces came'),
    h('div', { class: 'funnel' }, all.map((hop, index) => {
      const gone = index === 0 ? 0 : (all[index - 1]?.count ?? 0) - hop.count;
      return h('div', { class: 'hop', key: hop.figure },
        h('span', { class: 'hop-name' }, hop.name),
        h('span', { class: 'hop-bar' }, h('span', { class: 'fill', style: { width: `${most === 0 ? 0 : (100 * hop.count) / most}%` } })),
        h('span', { class: 'n', 'data-figure': `funnel.${hop.figure}`, 'data-value': hop.count }, count(hop.count)),
        h('span', { class: gone > 0 ? 'bad' : 'soft' }, index === 0 ? '' : gone > 0 ? `−${count(gone)} ${hop.lost}` : 'none lost'));
    })),
    losses && losses.missing_spans > 0
      ? h('div', { class: 'part' }, h('p', null, h('strong', { 'data-path': 'losses.missing_spans', 'data-value': losses.missing_spans }, count(losses.missing_spans)), ' expected spans are missing:'),
        h('ul', { class: 'plain' }, losses.places.map((loss, index) => h('li', null,
          h('strong', { 'data-path': `losses.places.${index}.spans`, 'data-value': loss.spans }, count(loss.spans)), ` ${placeWords(loss.place)}: ${loss.reason}`))))
      : losses ? h('p', { class: 'soft' }, 'No expected span is missing.') : null);
}

/** @param {RunPage} page */
function byStage(page) {
  const rows = page.verdict?.stages.map((stage, index) => ({ name: stage.name, at: `stages.${index}.traces`, traces: stage.traces })) ?? [];
  if (rows.length === 0) return null;
  /** @param {keyof TracesOfStage} figure @param {string} name @returns {import('./table.js').TableColumn<typeof rows[0]>} */
  const column = (figure, name) => ({
    name, number: true, path: (row) => `${row.at}.${figure}`, value: (row) => /** @type {number} */ (row.traces[figure]), show: (row) => count(/** @type {number} */ (row.traces[figure])),
  });
  return h('section', { class: 'part', key: 'by-stage' }, h('h3', null, 'Traces by stage'), table({
    id: 'traces-by-stage', label: 'Traces by stage', rows, columns: [
      { name: 'Stage', show: (row) => row.name }, column('expected', 'Due'), column('complete', 'Complete'), column('incomplete', 'Incomplete'), column('missing', 'Missing'),
      { name: 'Coverage', number: true, path: (row) => `${row.at}.coverage`, value: (row) => row.traces.coverage, show: (row) => percent(row.traces.coverage) },
      column('spans_missing', 'Spans missing'), column('duplicate', 'Duplicate spans'), column('late', 'Late'), column('orphan', 'Orphans'), column('unanswered_with_trace', 'Unanswered, yet traced'),
    ],
  }));
}

/** @param {RunPage} page */
function chosenLines(page) {
  const { failedOnly, atLeastMs, why } = model.choices;
  return page.traces.filter((line) => (!failedOnly || line.outcome !== 'ok') && line.latency_ms >= atLeastMs && (why === '' || line.why === why));
}

/** @param {RunPage} page */
function filters(page) {
  const kinds = [...new Set(page.traces.map((line) => line.why))];
  const { atLeastMs, failedOnly, why } = model.choices;
  return h('div', { class: 'bar filters' },
    h('label', null, 'At least ', h('input', { type: 'number', min: 0, step: 'any', class: 'short', prop: { value: atLeastMs === 0 ? '' : String(atLeastMs) }, placeholder: '0', on: { input: (/** @type {Event} */ event) => choose({ atLeastMs: Number(/** @type {HTMLInputElement} */ (event.target).value) || 0 }) } }), ' ms'),
    h('label', null, h('input', { type: 'checkbox', prop: { checked: failedOnly }, on: { change: (/** @type {Event} */ event) => choose({ failedOnly: /** @type {HTMLInputElement} */ (event.target).checked }) } }), ' failed only'),
    h('label', null, 'Kind ', h('select', { on: { change: (/** @type {Event} */ event) => choose({ why: /** @type {HTMLSelectElement} */ (event.target).value }) } },
      h('option', { value: '', prop: { selected: why === '' } }, 'all'), kinds.map((kind) => h('option', { key: kind, value: kind, prop: { selected: why === kind } }, WHY[kind] ?? kind)))));
}

/** Rows of the list until more are asked for; in a report, whose waterfalls follow, fewer. */
const FIRST_ROWS = { tab: 40, report: 15 };

/** @param {RunPage} page */
function list(page) {
  const all = chosenLines(page);
  const rows = model.choices.allTraces ? all : all.slice(0, model.sections ? FIRST_ROWS.report : FIRST_ROWS.tab);
  /** @type {import('./table.js').TableColumn<TraceLine>[]} */
  const columns = [
    { name: 'Trace', show: (row) => traceButton(page, row.trace_id, `${row.trace_id.slice(0, 16)}…`) },
    { name: 'Kind', value: (row) => row.why, show: (row) => WHY[row.why] ?? row.why },
    { name: 'Stage', value: (row) => row.stage, show: (row) => row.stage },
    { name: 'Name', value: (row) => row.name, show: (row) => row.name },
    { name: 'At', number: true, value: (row) => row.at_seconds, show: (row) => seconds(row.at_seconds) },
    { name: 'Response time', number: true, value: (row) => row.latency_ms, show: (row) => duration(row.latency_ms) },
    { name: 'Outcome', value: (row) => row.outcome, show: (row) => h('span', { class: row.outcome === 'ok' ? null : 'bad' }, words(row.outcome)) },
    { name: 'Status', number: true, value: (row) => row.status, show: (row) => row.status ?? '–' },
  ];
  return h('section', { class: 'part', key: 'list' }, h('h3', null, 'Single traces'), filters(page),
    table({ id: 'traces', label: 'Single traces', sortable: true, columns, rows, key: (row) => `${row.trace_id}/${row.why}`, empty: page.traces.length === 0 ? 'No trace has been kept yet.' : 'None of them fits the filter.' }),
    rows.length < all.length ? h('button', { type: 'button', class: 'quiet', on: { click: () => choose({ allTraces: true }) } }, `Show all ${count(all.length)}`) : null);
}

/** Waterfalls that a report holds, one below the other. */
const MOST_DRAWN = 12;

/** @param {RunPage} page */
function drawnWaterfalls(page) {
  const { trace } = model.choices;
  const shown = page.waterfalls.filter((one, index) => index < MOST_DRAWN || one.trace_id === trace);
  if (shown.length === 0) return null;
  return h('section', { class: 'part', key: 'drawn' }, h('h3', null, 'Waterfalls'), h('div', { class: 'columns' }, shown.map((one) => waterfallCard(page, one))));
}

/** @param {RunPage} page */
export function tracesTab(page) {
  const { trace } = model.choices;
  return [
    funnel(page), tails(page),
    trace && !model.sections ? chosenWaterfall(page, trace) : null,
    list(page),
    model.sections ? drawnWaterfalls(page) : null,
    byStage(page), spanDurations(page), errorSpans(page),
  ];
}
