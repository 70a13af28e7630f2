// Pods in, a lane each out: made, scheduled, started, ready, serving, ending; and which of them served how much.

import { h } from './dom.js';
import { clock, count, decimal, moment, percent, seconds } from './format.js';
import { axisRow, lane } from './lanes.js';
import { table } from './table.js';

/** What a lane's stretches are. @type {[string, string][]} */
const STRETCHES = [['pending', 'made, not started'], ['starting', 'started, not ready'], ['waiting', 'ready, no request yet'], ['serving', 'serves'], ['ending', 'being deleted'], ['unsure', 'between two bounds']];

/** @param {Pod} pod */
export function whyPod(pod) {
  if (typeof pod.why !== 'string') return `replaces ${pod.why.replaces}`;
  return { at_start: 'there at the start', scale_up: 'scaled up', rollout: 'rollout' }[pod.why] ?? 'cannot tell';
}

/** The name without what all pods' names begin with. @param {string} name @param {string} prefix */
function short(name, prefix) {
  return name.length > prefix.length ? `…${name.slice(prefix.length)}` : name;
}

/** @param {string[]} names */
function commonPrefix(names) {
  const first = names[0] ?? '';
  let length = names.length > 1 ? first.length : 0;
  for (const name of names) while (!name.startsWith(first.slice(0, length))) length -= 1;
  return first.slice(0, first.slice(0, length).lastIndexOf('-') + 1);
}

/** @param {Pod} pod @param {number} end @returns {import('./lanes.js').Segment[]} */
function stretches(pod, end) {
  const stop = pod.deletion ?? pod.gone;
  const over = stop?.latest_seconds ?? end;
  const gone = pod.gone?.latest_seconds ?? end;
  const points = /** @type {[string, Moment | null][]} */ ([['pending', pod.created], ['starting', pod.started], ['waiting', pod.ready], ['serving', pod.first_served]]);
  /** @type {import('./lanes.js').Segment[]} */
  const all = [];
  points.forEach(([kind, at], index) => {
    if (!at) return;
    const next = points.slice(index + 1).find(([, later]) => later)?.[1];
    const to = Math.min(next?.latest_seconds ?? over, over);
    if (to > at.latest_seconds) all.push({ from: at.latest_seconds, to, kind, label: `${STRETCHES.find(([name]) => name === kind)?.[1] ?? kind} from ${moment(at)}` });
    if (at.latest_seconds - at.earliest_seconds > 0.2) all.push({ from: at.earliest_seconds, to: at.latest_seconds, kind: 'unsure', label: `not before ${seconds(at.earliest_seconds)}, not after ${seconds(at.latest_seconds)}` });
  });
  if (stop && gone > stop.latest_seconds) all.push({ from: stop.latest_seconds, to: gone, kind: 'ending', label: `deletion asked for at ${moment(stop)}, gone ${moment(pod.gone)}` });
  return all;
}

/** @param {RunPage} page @param {Cluster} cluster */
export function podLanes(page, cluster) {
  if (cluster.pods.length === 0) return null;
  const ends = cluster.pods.flatMap((pod) => [pod.created, pod.ready, pod.first_served, pod.gone].flatMap((at) => (at ? [at.latest_seconds] : [])));
  const axis = { from: 0, to: Math.max(page.run.elapsed_seconds, ...ends) };
  const prefix = commonPrefix(cluster.pods.map((pod) => pod.name));
  const lines = cluster.incidents.map((one) => ({ at: one.at.latest_seconds, letter: 'F' }));
  return h('section', { class: 'card unbroken', key: 'lanes' }, h('h3', null, 'Pods'),
    h('p', { class: 'lane-keys' }, STRETCHES.map(([kind, words]) => h('span', { key: kind }, h('span', { class: `swatch segment ${kind}` }), ` ${words}`)),
      lines.length > 0 ? h('span', { key: 'incident' }, h('span', { class: 'swatch line-swatch' }), ' incident') : null),
    h('div', { class: 'lanes pods' }, axisRow(axis, (at) => clock(at), 6),
      cluster.pods.map((pod) => h('div', { key: pod.uid || pod.name }, lane(axis, short(pod.name, prefix), stretches(pod, axis.to), count(pod.requests), lines, `${pod.name}, ${whyPod(pod)}`)))),
    h('p', { class: 'note' }, prefix ? `Names begin with ${prefix}; at the right: answered requests.` : 'At the right: answered requests.'),
    h('details', null, h('summary', null, 'Moments of each pod'), podTable(cluster)));
}

/** @param {Cluster} cluster */
function podTable(cluster) {
  /** @param {string} name @param {(pod: Pod) => Moment | null} at @returns {import('./table.js').TableColumn<Pod>} */
  const column = (name, at) => ({ name, number: true, show: (pod) => moment(at(pod)) });
  return table({
    id: 'pods', label: 'Moments of each pod', rows: cluster.pods, key: (pod) => pod.uid || pod.name,
    columns: [
      { name: 'Pod', show: (pod) => pod.name }, { name: 'Why', wrap: true, show: whyPod }, { name: 'Node', show: (pod) => pod.node ?? '–' },
      column('Created', (pod) => pod.created), column('Scheduled', (pod) => pod.scheduled), column('Started', (pod) => pod.started), column('Ready', (pod) => pod.ready),
      column('In endpoints', (pod) => pod.endpoint), column('First served', (pod) => pod.first_served), { name: 'Last ok', number: true, show: (pod) => seconds(pod.last_ok_seconds) },
      column('Deletion', (pod) => pod.deletion), column('Out of endpoints', (pod) => pod.endpoint_removed), column('Gone', (pod) => pod.gone),
      { name: 'Requests', number: true, value: (pod) => pod.requests, path: (pod) => `cluster.pods.${cluster.pods.indexOf(pod)}.requests`, show: (pod) => count(pod.requests) },
      { name: 'Restarts', number: true, show: (pod) => count(pod.restarts) }, { name: 'Ended', show: (pod) => pod.ended ?? '–' },
      { name: 'CPU mean, most', number: true, show: (pod) => (pod.usage ? `${decimal(pod.usage.cpu_milli_mean, 0)}m, ${decimal(pod.usage.cpu_milli_most, 0)}m` : '–') },
      { name: 'Memory most', number: true, show: (pod) => (pod.usage ? `${decimal(pod.usage.memory_mib_most, 1)} MiB` : '–') },
    ],
  });
}

/** Ten bars: the share in each tenth of the stage. @param {ReplicaShare} replica @param {string} name */
function tenths(replica, name) {
  const said = replica.share_by_tenth.map((share) => (share === null ? 'none' : `${Math.round(100 * share)}`)).join(', ');
  return h('span', { class: 'tenths', role: 'img', 'aria-label': `${name} by tenths of the stage, percent: ${said}` },
    replica.share_by_tenth.map((share) => h('span', { class: 'tenth' }, h('span', { class: 'fill', style: { height: `${100 * (share ?? 0)}%` } }))));
}

/** @param {RunPage} page */
export function shares(page) {
  const rows = (page.verdict?.stages ?? []).flatMap((stage, index) => stage.replicas.map((replica, at) => ({ stage: stage.name, path: `stages.${index}.replicas.${at}`, replica })));
  if (rows.length === 0) return null;
  return h('section', { class: 'part', key: 'shares' }, h('h3', null, 'Share of the load'), table({
    id: 'shares', label: 'Share of the load per replica', rows, sortable: true, key: (row) => `${row.stage}/${row.replica.source}`,
    columns: [
      { name: 'Stage', value: (row) => row.stage, show: (row) => row.stage }, { name: 'Replica', value: (row) => row.replica.source, show: (row) => row.replica.source },
      { name: 'Requests', number: true, path: (row) => `${row.path}.requests`, value: (row) => row.replica.requests, show: (row) => count(row.replica.requests) },
      { name: 'Share', number: true, path: (row) => `${row.path}.share`, value: (row) => row.replica.share, show: (row) => percent(row.replica.share) },
      { name: 'By tenths of the stage', show: (row) => tenths(row.replica, row.replica.source) },
      { name: 'Second half', number: true, path: (row) => `${row.path}.second_half_share`, value: (row) => row.replica.second_half_share, show: (row) => percent(row.replica.second_half_share) },
      { name: '', show: (row) => (row.replica.starved ? h('span', { class: 'bad' }, 'starved') : row.replica.ready ? '' : h('span', { class: 'soft' }, 'not ready all the second half')) },
    ],
  }));
}
