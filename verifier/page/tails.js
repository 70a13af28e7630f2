// Parts of the latency in, stacked bars out: where the time of the slow requests goes, beside the median's.

import { h } from './dom.js';
import { count, difference, duration, words } from './format.js';

/** Cards that are open at once; a search has many stages. */
const FIRST_CARDS = 6;

/** @param {VerdictStage} stage @param {Tail} tail @param {'p50_band_ms' | 'p99_band_ms'} band @param {number} longest @param {string} name */
function stacked(stage, tail, band, longest, name) {
  const said = tail.parts.map((part) => `${words(part.name)} ${duration(part[band])}`).join(', ');
  return h('div', { class: 'stack-row', role: 'img', 'aria-label': `${stage.name}, ${name}: ${duration(tail[band])}; ${said}` },
    h('span', { class: 'stack-name' }, name),
    h('span', { class: 'stack' }, tail.parts.map((part, index) => h('span', {
      key: part.name, class: `piece piece-${index % 7}`, title: `${words(part.name)}: ${duration(part[band])}`, style: { width: `${longest === 0 ? 0 : (100 * Math.max(0, part[band])) / longest}%` },
    }))),
    h('span', { class: 'n' }, duration(tail[band])));
}

/** @param {VerdictStage} stage @param {number} index @param {Tail} tail */
function card(stage, index, tail) {
  const longest = Math.max(tail.p50_band_ms, tail.p99_band_ms);
  const at = `stages.${index}.tail`;
  const figure = (/** @type {string} */ path, /** @type {number} */ value) => h('td', { class: 'n', 'data-path': path, 'data-value': value }, duration(value));
  return h('section', { class: 'card', key: stage.name },
    h('div', null, h('h4', null, stage.name), h('p', { class: 'note' }, `The slowest hundredth (n ${count(tail.p99_band_n)}) takes ${duration(tail.p99_band_ms - tail.p50_band_ms)} more than the median’s band (n ${count(tail.p50_band_n)}).`)),
    stacked(stage, tail, 'p50_band_ms', longest, 'median'), stacked(stage, tail, 'p99_band_ms', longest, 'slowest 1 %'),
    h('div', { class: 'scroll', tabindex: 0, role: 'region', 'aria-label': `Parts of the latency, ${stage.name}` }, h('table', { class: 'tight' },
      h('thead', null, h('tr', null, ['part', 'median', 'slowest 1 %', 'difference'].map((name, column) => h('th', { scope: 'col', class: column > 0 ? 'n' : null }, name)))),
      h('tbody', null, tail.parts.map((part, row) => h('tr', { key: part.name },
        h('th', { scope: 'row' }, h('span', { class: `swatch piece-${row % 7}`, 'aria-hidden': 'true' }), words(part.name)),
        figure(`${at}.parts.${row}.p50_band_ms`, part.p50_band_ms), figure(`${at}.parts.${row}.p99_band_ms`, part.p99_band_ms),
        h('td', { class: 'n' }, difference(part.p99_band_ms - part.p50_band_ms))))),
      h('tfoot', null, h('tr', null, h('th', { scope: 'row' }, 'latency'), figure(`${at}.p50_band_ms`, tail.p50_band_ms), figure(`${at}.p99_band_ms`, tail.p99_band_ms), h('td', { class: 'n' }, difference(tail.p99_band_ms - tail.p50_band_ms)))))));
}

/** @param {RunPage} page */
export function tails(page) {
  const cards = (page.verdict?.stages ?? []).flatMap((stage, index) => (stage.tail ? [card(stage, index, stage.tail)] : []));
  if (cards.length === 0) return null;
  const rest = cards.slice(FIRST_CARDS);
  return h('section', { class: 'part', key: 'tails' }, h('h3', null, 'Where the time goes'),
    h('p', { class: 'note' }, 'Parts in the order in which a request meets them; they add up to its response time from the intended start.'),
    h('div', { class: 'columns' }, cards.slice(0, FIRST_CARDS)),
    rest.length > 0 ? h('details', null, h('summary', null, `${count(rest.length)} more stages`), h('div', { class: 'columns' }, rest)) : null);
}
