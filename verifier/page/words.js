// Text that names traces in, the same text out with each trace id a way to its waterfall; words for what Rust names.

import { h } from './dom.js';
import { words } from './format.js';
import { choose, model } from './store.js';

/** Where spans were lost, as the text reports say it. @type {Record<string, string>} */
export const PLACES = {
  service: 'lost in the service', on_the_way: 'lost on the way', collector: 'lost in the collector', backend: 'lost in the backend',
  unread: 'not read (cannot tell)', ended_process: 'lost with a process', never_made: 'never made', unknown: 'lost in an unknown place',
};

/** What users felt. @type {Record<string, string>} */
export const EFFECTS = { none_seen: 'Users saw nothing', seen: 'Users felt it', cannot_tell: 'Cannot tell whether users felt it' };

/** Why a trace is in the list. @type {Record<string, string>} */
export const WHY = { slowest: 'slow', median: 'median', failed: 'failed', incomplete: 'trace incomplete' };

/** @param {string} place */
export function placeWords(place) {
  return PLACES[place] ?? words(place);
}

/** An address of the trace elsewhere, if the link is one that a browser may follow. @param {RunPage} page @param {string} traceId */
function elsewhere(page, traceId) {
  const link = page.trace_link;
  return link && /^https?:\/\//.test(link) ? link.replaceAll('{trace_id}', traceId) : null;
}

/** @param {RunPage} page @param {string} traceId */
export function outside(page, traceId) {
  const href = elsewhere(page, traceId);
  return href ? h('a', { href, target: '_blank', rel: 'noopener noreferrer', 'aria-label': `Trace ${traceId} elsewhere` }, '↗') : null;
}

/** The waterfall can be shown. @param {RunPage} page @param {string} traceId */
function drawable(page, traceId) {
  return !model.frozen || page.waterfalls.some((one) => one.trace_id === traceId);
}

/** Opens a trace's waterfall, on whatever page this is. @param {string} traceId */
export function openTrace(traceId) {
  choose({ tab: 'traces', trace: traceId, bar: null });
  const found = document.getElementById(`trace-${traceId}`) ?? document.getElementById('waterfall');
  found?.scrollIntoView({ block: 'center' });
  found?.focus({ preventScroll: true });
}

/** A trace id to press, and its way elsewhere. @param {RunPage} page @param {string} traceId @param {string} [label] */
export function traceButton(page, traceId, label) {
  const name = h('code', null, label ?? traceId);
  return h('span', { class: 'trace-id' },
    drawable(page, traceId) ? h('button', { type: 'button', class: 'link', 'data-trace': traceId, title: `Waterfall of trace ${traceId}`, on: { click: () => openTrace(traceId) } }, h('span', { class: 'unseen' }, 'Waterfall of trace '), name) : name,
    ' ', outside(page, traceId));
}

/** The text, its trace ids to be pressed. @param {RunPage} page @param {string} text */
export function linked(page, text) {
  return text.split(/\b([0-9a-f]{32})\b/).map((piece, index) => (index % 2 === 1 ? traceButton(page, piece) : piece));
}
