// The verdict in, the tab Verdict out: what the run comes to and why, each check on its evidence, whose books say so.

import { collectorBooks, runIdentity, saturation, serviceBooks, shardsTable, sourcesTable } from './books.js';
import { h } from './dom.js';
import { checked, count, plural, words } from './format.js';
import { limits } from './limits.js';
import { model } from './store.js';
import { table } from './table.js';
import { linked } from './words.js';

/** @type {Record<Judgement, string>} */
const OUTCOMES = { pass: 'It holds, on evidence.', fail: 'It does not hold, on evidence.', unknown: 'The evidence does not suffice.' };

/** The worst first. @type {Record<Judgement, number>} */
const ORDER = { fail: 0, unknown: 1, pass: 2 };

/** @param {RunPage} page @param {Verdict} verdict */
function outcome(page, verdict) {
  return h('section', { class: `card verdict ${verdict.outcome}`, key: 'outcome', 'data-path': 'outcome', 'data-value': verdict.outcome },
    h('p', { class: 'verdict-word' }, h('strong', null, verdict.outcome.toUpperCase()), h('span', { class: 'soft' }, OUTCOMES[verdict.outcome])),
    h('ul', { class: 'reasons' }, verdict.reasons.map((reason, index) => h('li', { key: index, 'data-path': `reasons.${index}`, 'data-value': reason }, linked(page, reason)))),
    verdict.warnings.length > 0 ? h('div', null, h('h3', null, 'Warnings'),
      h('ul', { class: 'reasons' }, verdict.warnings.map((warning, index) => h('li', { key: index, 'data-path': `warnings.${index}`, 'data-value': warning }, linked(page, warning))))) : null);
}

/** @param {RunPage} page @param {Verdict} verdict @param {boolean} whole With those that hold. */
function checks(page, verdict, whole) {
  const rows = verdict.checks.map((check, index) => ({ check, index })).sort((a, b) => ORDER[a.check.outcome] - ORDER[b.check.outcome] || a.index - b.index);
  const many = (/** @type {Judgement} */ which) => rows.filter((row) => row.check.outcome === which).length;
  const counts = [[many('fail'), 'failed'], [many('unknown'), 'unknown'], [many('pass'), 'hold']].filter(([n]) => n !== 0).map(([n, word]) => `${count(Number(n))} ${word}`);
  const shown = whole ? rows : rows.filter((row) => row.check.outcome !== 'pass');
  return h('section', { class: 'part', key: 'checks' }, h('h3', null, whole ? `Checks: ${counts.join(', ')}` : 'Checks that do not hold'), table({
    id: whole ? 'checks' : 'checks-open', label: whole ? 'Checks' : 'Checks that do not hold', rows: shown, key: (row) => String(row.index), rowProps: (row) => ({ class: row.check.outcome === 'pass' ? null : 'notable' }),
    columns: [
      { name: 'Check', path: (row) => `checks.${row.index}.name`, value: (row) => row.check.name, show: (row) => words(row.check.name) },
      { name: 'Outcome', path: (row) => `checks.${row.index}.outcome`, value: (row) => row.check.outcome, show: (row) => h('span', { class: `badge small ${row.check.outcome}` }, row.check.outcome.toUpperCase()) },
      { name: 'Stage', show: (row) => row.check.stage ?? 'whole\u00a0run' },
      { name: 'Figure', number: true, path: (row) => `checks.${row.index}.value`, value: (row) => row.check.value, show: (row) => checked(row.check) },
      { name: 'Limit', show: (row) => row.check.limit ?? '' },
      { name: 'Evidence', wrap: true, show: (row) => row.check.evidence.map((line, at) => h('p', { key: at }, linked(page, line))) },
    ],
  }));
}

/** @param {RunPage} page */
export function verdictTab(page) {
  const { verdict } = page;
  if (!verdict) {
    const when = page.run.state === 'judging' ? 'It is being formed.' : page.run.state === 'ended' ? 'There is none.' : `It is formed when the run has ended (${plural(page.run.stages.length, 'stage')} began so far).`;
    return h('p', { class: 'card plainly' }, `No verdict yet. ${when}`);
  }
  // A report says first what the run comes to and what does not hold; what holds has a section of its own.
  if (model.sections) {
    const open = verdict.checks.some((check) => check.outcome !== 'pass');
    return [outcome(page, verdict), open ? checks(page, verdict, false) : null, saturation(verdict), runIdentity(page, verdict)];
  }
  return [outcome(page, verdict), saturation(verdict), checks(page, verdict, true), limits(page), ...booksOf(verdict), runIdentity(page, verdict)];
}

/** @param {Verdict} verdict */
function booksOf(verdict) {
  return [sourcesTable(verdict), collectorBooks(verdict), serviceBooks(verdict), shardsTable(verdict)];
}

/** Of a report alone: every check, and the books. @param {RunPage} page */
export function checksSection(page) {
  return page.verdict ? [checks(page, page.verdict, true), ...booksOf(page.verdict)] : null;
}
