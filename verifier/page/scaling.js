// The cluster in, the tab Scaling out: its scale, its pods, each scale-up step by step, and what the autoscaler says.

import { h } from './dom.js';
import { replicaCharts } from './charts.js';
import { count, moment, seconds, words } from './format.js';
import { momentSteps } from './lanes.js';
import { podLanes, shares } from './pods.js';
import { clusterOf, model } from './store.js';
import { facts, figureOf, table } from './table.js';
import { EFFECTS } from './words.js';

/** @param {Deployment} deployment @param {Hpa | null} hpa */
function scaleFacts(deployment, hpa) {
  /** @type {[string, import('./dom.js').Child, import('./dom.js').Props?][]} */
  const all = [
    ['Deployment', deployment.name], ['Replicas, first and last', `${deployment.replicas_first} → ${deployment.replicas_last}`],
    ['Ready pods under load', `${deployment.ready_least} to ${deployment.ready_most}`], ['CPU request', deployment.cpu_request_milli === null ? 'none' : `${deployment.cpu_request_milli}m`],
    ['CPU limit', deployment.cpu_limit_milli === null ? 'none' : `${deployment.cpu_limit_milli}m`], ['Images', deployment.images.join(', ')], ['Rollouts', count(deployment.rollouts)],
  ];
  if (hpa) {
    all.push(['Autoscaler', hpa.name], ['Bounds', `${hpa.min} to ${hpa.max} replicas`], ['CPU target', hpa.target_cpu_percent === null ? 'none' : `${hpa.target_cpu_percent} %`],
      ['CPU, the most it saw', hpa.cpu_percent_most === null ? 'n/a' : `${hpa.cpu_percent_most} %`, figureOf('cluster.hpa.cpu_percent_most', hpa.cpu_percent_most)],
      ['Replicas wanted', `${hpa.desired_least} to ${hpa.desired_most}`], ['Rescales', count(hpa.rescales), figureOf('cluster.hpa.rescales', hpa.rescales)],
      ['At its maximum for', seconds(hpa.at_maximum_seconds), figureOf('cluster.hpa.at_maximum_seconds', hpa.at_maximum_seconds)]);
  } else all.push(['Autoscaler', 'none']);
  return facts(all);
}

/** @param {ScaleUp} up @param {number} index */
function scaleUp(up, index) {
  return h('section', { class: 'card', key: `up${index}` },
    h('h3', null, `Replicas ${up.from} → ${up.to} by ${up.cause}`, up.stage ? h('span', { class: 'unit' }, ` in stage ${up.stage}`) : null),
    h('p', null, up.seconds ? [h('strong', { 'data-path': `cluster.scale_ups.${index}.seconds`, 'data-value': JSON.stringify(up.seconds) }, moment(up.seconds)), ' from the load’s step to the first request of the last new pod. '] : 'The last of its pods served no request. ',
      `${EFFECTS[up.effect.seen] ?? words(up.effect.seen)}: ${up.effect.evidence}.`),
    momentSteps(up.steps.map((step, at) => ({ name: words(step.name), at: step.at, evidence: step.evidence, path: `cluster.scale_ups.${index}.steps.${at}.at` })), `Steps from ${up.from} to ${up.to} replicas`));
}

/** @param {Cluster} cluster */
function troubles(cluster) {
  if (cluster.troubles.length === 0) return h('p', { class: 'soft' }, 'Nothing was wrong with pods.');
  return table({
    id: 'troubles', label: 'What was wrong with pods', rows: cluster.troubles,
    columns: [
      { name: 'What', show: (row) => row.reason }, { name: 'Meaning', wrap: true, show: (row) => row.meaning }, { name: 'Pods', wrap: true, show: (row) => row.pods.join(', ') || '–' },
      { name: 'First', number: true, show: (row) => seconds(row.first_seconds) }, { name: 'Last', number: true, show: (row) => seconds(row.last_seconds) }, { name: 'In the cluster’s words', wrap: true, show: (row) => row.message },
    ],
  });
}

/** @param {Cluster} cluster */
function events(cluster) {
  const kinds = Object.entries(cluster.events).sort((a, b) => b[1] - a[1]);
  if (kinds.length === 0) return null;
  return h('section', { class: 'card', key: 'events' }, h('h3', null, 'Events'),
    h('ul', { class: 'chips' }, kinds.map(([reason, many]) => h('li', { key: reason }, reason, ' ', h('strong', null, count(many))))),
    h('details', null, h('summary', null, `Events one by one (${count(cluster.event_lines.length)})`),
      h('div', { class: 'tall-in' }, table({
        id: 'events', label: 'Events', rows: cluster.event_lines,
        columns: [
          { name: 'At', number: true, show: (row) => seconds(row.at_seconds) }, { name: 'Level', show: (row) => h('span', { class: row.level === 'Warning' ? 'bad' : null }, row.level) }, { name: 'Reason', show: (row) => row.reason },
          { name: 'Object', show: (row) => row.object }, { name: 'Message', wrap: true, show: (row) => row.message }, { name: 'Count', number: true, show: (row) => count(row.count) },
        ],
      }))));
}

/** @param {Cluster} cluster */
function nodes(cluster) {
  return h('section', { class: 'card', key: 'nodes' }, h('h3', null, 'Cluster'),
    facts([['API server', cluster.server || '–'], ['Version', cluster.version || '–'], ['Namespace', cluster.namespace || '–'], ['Its clock is ahead by at least', seconds(cluster.clock_ahead_seconds)]]),
    cluster.nodes.length === 0 ? null : table({
      id: 'nodes', label: 'Nodes', rows: cluster.nodes,
      columns: [{ name: 'Node', show: (row) => row.name }, { name: 'Ready', show: (row) => (row.ready ? 'yes' : 'no') }, { name: 'Cordoned', show: (row) => (row.unschedulable ? 'yes' : 'no') }, { name: 'CPU for pods', number: true, show: (row) => `${count(row.allocatable_cpu_milli)}m` }, { name: 'Kubelet', show: (row) => row.version }],
    }),
    cluster.logs.map((log) => h('details', { key: log.pod }, h('summary', null, `Last words of ${log.pod}`), h('pre', { class: 'log', tabindex: 0 }, log.lines.join('\n')))));
}

/** @param {RunPage} page */
export function scalingTab(page) {
  const cluster = clusterOf(page);
  const noDeployment = h('p', { class: 'card plainly', key: 'none' }, 'No cluster was watched in this run: nothing is known of pods, an autoscaler or scaling. A plan with [cluster], or --namespace, watches one.');
  if (!cluster || (!cluster.deployment && cluster.pods.length === 0)) return [noDeployment, shares(page)];
  return [
    cluster.deployment ? h('section', { class: 'card', key: 'facts' }, scaleFacts(cluster.deployment, cluster.hpa),
      cluster.hpa && cluster.hpa.conditions.length > 0 ? h('div', null, h('h4', null, 'What the autoscaler says of itself'), h('ul', { class: 'plain' }, cluster.hpa.conditions.map((line) => h('li', { key: line }, line)))) : null) : null,
    model.sections ? null : h('div', { class: 'charts', key: 'charts' }, replicaCharts(page, 'scaling-')),
    podLanes(page, cluster),
    cluster.scale_ups.length === 0 ? h('p', { class: 'card plainly', key: 'no-ups' }, 'No replicas were added in this run.') : cluster.scale_ups.map(scaleUp),
    shares(page),
    h('section', { class: 'card', key: 'troubles' }, h('h3', null, 'Troubles'), troubles(cluster)),
    events(cluster), nodes(cluster),
  ];
}
