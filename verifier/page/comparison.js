// A comparison in, this run beside its baseline out: each figure with its interval, and what the difference comes to.

import { h } from './dom.js';
import { count, decimal, duration, percent, rate } from './format.js';
import { table } from './table.js';

/** @type {Record<Pair['change'], string>} */
const CHANGES = { regression: 'worse', improvement: 'better', within_noise: 'within noise', not_supported: 'too few samples', missing: 'missing' };
/** @type {Record<Pair['change'], string>} */
const BADGES = { regression: 'fail', improvement: 'pass', within_noise: '', not_supported: '', missing: 'unknown' };
/** @type {Record<Judgement, string>} */
const SUMMARY = { pass: 'No regression', fail: 'Regression', unknown: 'Unknown' };

/** @param {number | null} value @param {Pair['unit']} unit */
function figure(value, unit) {
  if (value === null) return '?';
  return unit === 'milliseconds' ? duration(value) : unit === 'share' ? percent(value) : rate(value);
}

/** @param {Estimate | null} estimate @param {Pair['unit']} unit */
function estimated(estimate, unit) {
  if (!estimate) return 'n/a';
  return [figure(estimate.value, unit), h('span', { class: 'note interval' }, ` ${figure(estimate.low, unit)} … ${figure(estimate.high, unit)}`)];
}

/** @param {Maybe} relative */
function change(relative) {
  return relative === null ? '–' : `${relative > 0 ? '+' : relative < 0 ? '−' : ''}${decimal(Math.abs(relative) * 100, 1)} %`;
}

/** Reasons that are read at once. */
const FIRST_REASONS = 10;

/** @param {string[]} all */
function reasons(all) {
  return h('ul', { class: 'reasons' }, all.map((reason, index) => h('li', { key: index }, reason)));
}

/** @param {RunPage} page */
export function comparisonTab(page) {
  const { comparison } = page;
  if (!comparison) return null;
  return [
    h('section', { class: `card verdict ${comparison.outcome}`, key: 'outcome' },
      h('p', { class: 'verdict-word' }, h('strong', null, SUMMARY[comparison.outcome]), h('span', { class: 'soft' }, `noise up to ${decimal(comparison.noise * 100, 1)} %, intervals of ${decimal(comparison.confidence * 100, 0)} %`)),
      reasons(comparison.reasons.slice(0, FIRST_REASONS)),
      comparison.reasons.length > FIRST_REASONS ? h('details', null, h('summary', null, `${count(comparison.reasons.length - FIRST_REASONS)} more; the tables below hold them all`), reasons(comparison.reasons.slice(FIRST_REASONS))) : null,
      h('dl', { class: 'facts' }, h('div', null, h('dt', null, 'Baseline (A; dashed in the charts)'), h('dd', null, comparison.a)), h('div', null, h('dt', null, 'This run (B)'), h('dd', null, comparison.b)))),
    comparison.stages.map((stage, index) => h('section', { class: 'part', key: `stage${index}` }, h('h3', null, stage.name), table({
      id: `compare-${index}`, label: `Figures of ${stage.name} in both runs`, rows: stage.figures,
      rowProps: (row) => ({ 'data-pair': row.name, 'data-change': row.change }),
      columns: [
        { name: 'Figure', show: (row) => row.name },
        { name: 'A', number: true, figure: 'a', value: (row) => row.a?.value ?? null, show: (row) => estimated(row.a, row.unit) },
        { name: 'B', number: true, figure: 'b', value: (row) => row.b?.value ?? null, show: (row) => estimated(row.b, row.unit) },
        { name: 'Change', number: true, figure: 'relative', value: (row) => row.relative, show: (row) => change(row.relative) },
        { name: '', show: (row) => (BADGES[row.change] ? h('span', { class: `badge small ${BADGES[row.change]}` }, CHANGES[row.change]) : h('span', { class: 'soft' }, CHANGES[row.change])) },
      ],
    }))),
  ];
}
