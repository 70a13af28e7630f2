// Moments and spans of time in, rows on one axis out; what is known only by two bounds is drawn as wide as they are apart.

import { h } from './dom.js';
import { moment } from './format.js';

/** @typedef {{from: number, to: number}} Axis */
/** @typedef {{from: number, to: number, kind: string, label: string}} Segment */

/** @param {Axis} axis @param {number} from @param {number} to */
export function placed(axis, from, to) {
  const length = axis.to - axis.from || 1;
  const left = Math.min(100, Math.max(0, (100 * (from - axis.from)) / length));
  const right = Math.min(100, Math.max(0, (100 * (to - axis.from)) / length));
  return { left: `${left}%`, width: `${Math.max(0, right - left)}%` };
}

/** Ticks at round figures, at most so many. @param {Axis} axis @param {number} most @returns {number[]} */
export function ticks(axis, most) {
  const rough = (axis.to - axis.from) / most;
  const power = 10 ** Math.floor(Math.log10(rough || 1));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? rough;
  const all = [];
  for (let at = Math.ceil(axis.from / step) * step; at <= axis.to + 1e-9; at += step) all.push(at);
  return all;
}

/** The axis under or above rows. @param {Axis} axis @param {(at: number) => string} words @param {number} [most] */
export function axisRow(axis, words, most = 5) {
  return h('div', { class: 'lane axis', 'aria-hidden': 'true' }, h('span', { class: 'lane-name' }),
    h('div', { class: 'track' }, ticks(axis, most).map((at) => {
      const { left } = placed(axis, at, at);
      return h('span', { class: `tick ${parseFloat(left) > 88 ? 'last' : ''}`, style: { left } }, words(at));
    })), h('span', { class: 'lane-end' }));
}

/** One row. @param {Axis} axis @param {import('./dom.js').Child} name @param {Segment[]} segments @param {import('./dom.js').Child} end
 * @param {{at: number, letter: string}[]} [lines] @param {string} [title] */
export function lane(axis, name, segments, end, lines = [], title = undefined) {
  return h('div', { class: 'lane' }, h('span', { class: 'lane-name', title }, name),
    h('div', { class: 'track' },
      segments.map((segment) => h('span', { class: `segment ${segment.kind}`, title: segment.label, style: placed(axis, segment.from, segment.to) })),
      lines.map((line) => h('span', { class: 'line-at', style: { left: placed(axis, line.at, line.at).left } }))),
    h('span', { class: 'lane-end' }, end));
}

/** Moments one after the other: a tick each, as wide as it is uncertain.
 * @param {{name: string, at: Moment | null | undefined, evidence: import('./dom.js').Child, path?: string}[]} steps @param {string} label */
export function momentSteps(steps, label) {
  const known = steps.flatMap((step) => (step.at ? [step.at] : []));
  if (known.length === 0) return h('p', { class: 'soft' }, 'No moment of it is known.');
  const first = Math.min(...known.map((at) => at.earliest_seconds));
  const last = Math.max(...known.map((at) => at.latest_seconds));
  const margin = Math.max(0.05, (last - first) * 0.04);
  const axis = { from: first - margin, to: last + margin };
  return h('div', { class: 'lanes steps', role: 'group', 'aria-label': label },
    h('div', { class: 'step told' }, axisRow(axis, (at) => `${Number(at.toFixed(2))} s`, 6), h('p', { class: 'evidence' })),
    steps.map((step) => h('div', { class: 'step told', key: step.name },
      lane(axis, step.name, step.at ? [{ from: step.at.earliest_seconds, to: step.at.latest_seconds, kind: 'moment', label: moment(step.at) }] : [],
        h('span', step.path ? { 'data-path': step.path, 'data-value': JSON.stringify(step.at ?? null) } : null, moment(step.at))),
      h('p', { class: 'note evidence' }, step.evidence))));
}
