// Incidents in, the tab Incidents out: what ended and when, who came instead, how long that took, and what was lost.

import { h } from './dom.js';
import { count, moment, plural, seconds, words } from './format.js';
import { momentSteps } from './lanes.js';
import { clusterOf } from './store.js';
import { facts, figureOf, table } from './table.js';
import { EFFECTS } from './words.js';

/** @param {Incident} one */
function lost(one) {
  const kinds = Object.entries(one.errors).map(([kind, many]) => `${count(many)} ${words(kind)}`);
  const requests = one.requests_lost === 0 ? 'no request lost' : `${plural(one.requests_lost, 'request')} lost (${kinds.join(', ')})`;
  const before = one.errors_before > 0 ? `, ${count(one.errors_before)} failed in as long a time before it` : '';
  return `${requests}${before}; ${one.spans_lost === 0 ? 'no span lost' : `${plural(one.spans_lost, 'span')} lost`}`;
}

/** @param {number | null} at @returns {Moment | null} */
const exactly = (at) => (at === null ? null : { earliest_seconds: at, latest_seconds: at });

/** From the kill to the recovery, by the cluster's objects and by what was served. @param {Incident} one */
function steps(one) {
  const many = one.victims.length > 1 || one.replacements.length > 1;
  const of = (/** @type {string} */ name) => (many ? ` (${name.split('-').at(-1)})` : '');
  const all = [
    { name: 'asked for, or happened', at: one.at, evidence: null },
    { name: 'first failed request', at: exactly(one.first_error_seconds), evidence: one.first_error_seconds === null ? 'none failed' : null },
    ...one.victims.flatMap((victim) => [
      { name: `last good answer${of(victim.name)}`, at: exactly(victim.last_ok_seconds), evidence: null },
      { name: `out of the endpoints${of(victim.name)}`, at: victim.endpoint_removed, evidence: null },
      { name: `gone${of(victim.name)}`, at: victim.gone, evidence: victim.ended },
    ]),
    ...one.replacements.flatMap((next) => [
      { name: `replacement made${of(next.name)}`, at: next.created, evidence: next.ambiguous ? 'a scale-up came so close that it might as well be its pod' : null },
      { name: `ready${of(next.name)}`, at: next.ready, evidence: null },
      { name: `in the endpoints${of(next.name)}`, at: next.endpoint, evidence: null },
      { name: `first request served${of(next.name)}`, at: next.first_served, evidence: null },
    ]),
  ];
  // What never happened and says nothing is left out.
  const [first, ...rest] = all.filter((step) => step.at || step.evidence);
  rest.sort((a, b) => (a.at?.latest_seconds ?? Infinity) - (b.at?.latest_seconds ?? Infinity));
  return first ? [first, ...rest] : rest;
}

/** @param {Incident} one @param {number} index */
function incident(one, index) {
  const path = `cluster.incidents.${index}`;
  const time = (/** @type {Moment | null} */ at) => (at ? moment(at) : 'cannot tell');
  return h('section', { class: 'card', key: `incident${index}`, 'data-incident': one.name },
    h('h3', null, h('span', { class: 'mark mark-fault', 'aria-hidden': 'true' }, 'F'), ` ${one.name}`, h('span', { class: 'unit' }, ` ${one.action ? words(one.action) : 'not planned'}${one.stage ? ` in stage ${one.stage}` : ''}`)),
    h('p', null, h('strong', { class: one.effect.seen === 'seen' ? 'bad' : null }, EFFECTS[one.effect.seen] ?? words(one.effect.seen)), `: ${one.effect.evidence}; ${lost(one)}.`),
    facts([
      ['At', moment(one.at), figureOf(`${path}.at`, JSON.stringify(one.at))],
      ['Replaced after', time(one.replaced_seconds), figureOf(`${path}.replaced_seconds`, JSON.stringify(one.replaced_seconds))],
      ['Recovered after', time(one.recovery_seconds), figureOf(`${path}.recovery_seconds`, JSON.stringify(one.recovery_seconds))],
      ['Requests lost', count(one.requests_lost), figureOf(`${path}.requests_lost`, one.requests_lost)],
      ['Spans lost', count(one.spans_lost), figureOf(`${path}.spans_lost`, one.spans_lost)],
      ['Seconds in which a threshold did not hold', count(one.effect.bad_seconds), figureOf(`${path}.effect.bad_seconds`, one.effect.bad_seconds)],
      ['Thresholds held again', seconds(one.effect.met_again_seconds)],
      // A replica that the verifier started goes by its process id.
      ['Ended', one.victims.map((victim) => (/^\d+$/.test(victim.name) ? `process ${victim.name}` : victim.name)).join(', ') || '–'],
      ['In their place', one.replacements.map((next) => next.name).join(', ') || '–'],
    ]),
    momentSteps(steps(one), `Steps of ${one.name}`),
    one.notes.length > 0 ? h('ul', { class: 'plain' }, one.notes.map((note) => h('li', { key: note }, note))) : null);
}

/** @param {Cluster} cluster */
function otherFaults(cluster) {
  if (cluster.faults.length === 0) return null;
  return h('section', { class: 'part', key: 'faults' }, h('h3', null, 'Faults that ended no replica, or were not done'), table({
    id: 'faults', label: 'Other faults', rows: cluster.faults,
    columns: [
      { name: 'Fault', show: (row) => row.name }, { name: 'Action', show: (row) => words(row.action) }, { name: 'At', number: true, show: (row) => (row.at_seconds === null ? 'never' : seconds(row.at_seconds)) },
      { name: 'Undone', number: true, show: (row) => seconds(row.undone_seconds) }, { name: 'Hit', wrap: true, show: (row) => row.hit.join(', ') || '–' }, { name: 'Not done', wrap: true, show: (row) => h('span', { class: 'bad' }, row.errors.join('; ')) },
    ],
  }));
}

/** @param {RunPage} page */
export function incidentsTab(page) {
  const cluster = clusterOf(page);
  if (!cluster) return h('p', { class: 'card plainly' }, page.verdict ? 'None: no cluster was watched, the plan breaks nothing, and no replica ended by itself.' : 'None so far; no cluster is watched.');
  const going = page.verdict ? '' : ' so far';
  return [
    cluster.incidents.length === 0 ? h('p', { class: 'card plainly', key: 'none' }, `None${going}: no replica ended unasked.`)
      : h('p', { class: 'soft', key: 'sum' }, `${plural(cluster.incidents.length, 'incident')}${going}; ${count(cluster.operations.incidents_recovered)} recovered from, ${count(cluster.operations.incidents_unfelt)} not felt by users.`),
    cluster.incidents.map(incident), otherFaults(cluster),
  ];
}
