// One exchange and its spans in, bars on one axis out: reached by keys, each with its attributes.

import { loadWaterfall } from './api.js';
import { h } from './dom.js';
import { duration } from './format.js';
import { axisRow, placed } from './lanes.js';
import { choose, model } from './store.js';
import { outside } from './words.js';

/** @param {WaterfallBar} bar */
function kindOf(bar) {
  return `${bar.client ? 'client' : 'span'}${bar.error ? ' error' : ''}`;
}

/** @param {Record<string, string>} attributes */
function attributesPanel(attributes) {
  const all = Object.entries(attributes);
  if (all.length === 0) return h('p', { class: 'soft' }, 'Nothing more is known of it.');
  return h('dl', { class: 'attributes' }, all.map(([name, value]) => h('div', { key: name }, h('dt', null, name), h('dd', null, value))));
}

/** How many of the bars are above each, as parents of parents. @param {WaterfallBar[]} all */
function depths(all) {
  /** @type {Map<string | undefined, string | undefined>} */
  const parents = new Map(all.map((bar) => [bar.attributes.span_id, bar.attributes.parent_span_id]));
  return all.map((bar) => {
    let depth = 0;
    // As many steps as there are bars: senders may say that spans are each other's parents.
    /** @type {string | undefined} */
    let id = bar.attributes.parent_span_id;
    for (; id !== undefined && parents.has(id) && depth < all.length; id = parents.get(id)) depth += 1;
    return bar.client ? (bar === all[0] ? 0 : 1) : depth;
  });
}

/** @param {Waterfall} waterfall */
function bars(waterfall) {
  const depth = depths(waterfall.bars);
  const begins = waterfall.bars.map((bar) => bar.start_ns / 1e6);
  const ends = waterfall.bars.map((bar) => (bar.start_ns + bar.duration_ns) / 1e6);
  const axis = { from: Math.min(0, ...begins), to: Math.max(waterfall.length_ns / 1e6, ...ends) };
  return h('div', { class: 'lanes waterfall' },
    axisRow(axis, duration, 3),
    waterfall.bars.map((bar, index) => {
      const id = `${waterfall.trace_id}/${index}`;
      const open = model.choices.bar === id;
      const start = bar.start_ns / 1e6;
      const length = bar.duration_ns / 1e6;
      return h('div', { class: 'step', key: id },
        h('button', {
          type: 'button', class: 'lane bar-row', 'aria-expanded': String(open),
          on: { click: () => choose({ bar: open ? null : id }) },
        },
        h('span', { class: 'lane-name', title: bar.name, style: { 'padding-left': `${Math.min(6, depth[index] ?? 0) * 0.8}rem` } }, bar.error ? h('span', { 'aria-hidden': 'true' }, '✕ ') : null, bar.name),
        h('span', { class: 'unseen' }, `${bar.client ? ', seen by the client' : ''}${bar.error ? ', error' : ''}, begins at ${duration(start)}, lasts `),
        h('span', { class: 'track' }, h('span', { class: `segment ${kindOf(bar)}`, style: placed(axis, start, start + length) })),
        h('span', { class: 'lane-end' }, duration(length))),
        open ? attributesPanel(bar.attributes) : null);
    }));
}

/** @param {RunPage} page @param {Waterfall} waterfall */
export function waterfallCard(page, waterfall) {
  return h('section', { class: 'card waterfall-card', key: waterfall.trace_id, id: `trace-${waterfall.trace_id}`, tabindex: -1, 'aria-label': `Waterfall of trace ${waterfall.trace_id}` },
    h('div', null, h('h4', null, waterfall.title),
      h('p', { class: 'note' }, h('code', null, waterfall.trace_id), ' ', outside(page, waterfall.trace_id),
        waterfall.bars.some((bar) => bar.client) ? ' · hatched: the client’s own view' : '')),
    bars(waterfall));
}

/** The chosen trace: what is known of it, or why there is nothing to draw. @param {RunPage} page @param {string} traceId */
export function chosenWaterfall(page, traceId) {
  const known = page.waterfalls.find((one) => one.trace_id === traceId) ?? model.waterfalls.get(traceId);
  if (known === undefined && !model.frozen) void loadWaterfall(traceId);
  const close = h('button', { type: 'button', class: 'quiet', on: { click: () => choose({ trace: null, bar: null }) } }, 'Close');
  return h('div', { id: 'waterfall', tabindex: -1, class: 'part', key: 'waterfall' },
    h('div', { class: 'bar' }, h('h3', { class: 'grow' }, 'Waterfall'), close),
    known === undefined || known === '' ? h('p', { class: 'soft', role: 'status' }, model.frozen ? 'This trace is not drawn in this file.' : 'The trace is being read …')
      : typeof known === 'string' ? h('p', { class: 'notice unsure' }, `${traceId}: ${known}`)
        : waterfallCard(page, known));
}
