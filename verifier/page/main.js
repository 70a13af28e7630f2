// The page: its document from the file or from the stream, its tabs or its sections, its keys.

import { changeUsers, loadLists, openStream } from './api.js';
import { chartsOnPaper, onZoom } from './chart.js';
import { chartsTab } from './charts.js';
import { comparisonTab } from './comparison.js';
import { h, render } from './dom.js';
import { downloadsTab } from './downloads.js';
import { failuresTab } from './failures.js';
import { header } from './header.js';
import { incidentsTab } from './incidents.js';
import { limits } from './limits.js';
import { scalingTab } from './scaling.js';
import { startForm } from './start.js';
import { statisticsTab } from './statistics.js';
import { changed, choose, drawnBy, model, parsed, redraw } from './store.js';
import { startTheme, theme, setTheme } from './theme.js';
import { tracesTab } from './traces.js';
import { checksSection, verdictTab } from './verdict.js';

/** @typedef {{id: string, title: string, draw: (page: RunPage) => import('./dom.js').Child}} Tab */

/** In the order of the tabs. @type {Tab[]} */
const TABS = [
  { id: 'statistics', title: 'Statistics', draw: statisticsTab },
  { id: 'charts', title: 'Charts', draw: chartsTab },
  { id: 'failures', title: 'Failures', draw: failuresTab },
  { id: 'traces', title: 'Traces', draw: tracesTab },
  { id: 'scaling', title: 'Scaling', draw: scalingTab },
  { id: 'incidents', title: 'Incidents', draw: incidentsTab },
  { id: 'download', title: 'Download Data', draw: downloadsTab },
  { id: 'verdict', title: 'Verdict', draw: verdictTab },
];
/** @type {Tab} */
const COMPARISON = { id: 'comparison', title: 'Comparison', draw: comparisonTab };
/** Of a report alone: as tabs, they are part of the verdict. @type {Tab[]} */
const REPORT_ALONE = [{ id: 'checks', title: 'Checks', draw: checksSection }, { id: 'limits', title: 'Limits', draw: limits }];

/** @param {RunPage} page @returns {Tab[]} */
function tabsOf(page) {
  return page.comparison ? [...TABS, COMPARISON] : TABS;
}

/** Verdict and why first, what can be fetched last. @param {RunPage} page @returns {Tab[]} */
function sectionsOf(page) {
  const first = ['verdict', 'comparison'];
  const all = tabsOf(page);
  const rest = all.filter((tab) => !first.includes(tab.id) && tab.id !== 'download');
  return [...first.flatMap((id) => all.filter((tab) => tab.id === id)), ...rest, ...REPORT_ALONE, ...all.filter((tab) => tab.id === 'download')];
}

/** @param {RunPage} page */
function tabs(page) {
  const all = tabsOf(page);
  const current = all.find((tab) => tab.id === model.choices.tab) ?? all[0];
  if (!current) return null;
  return [
    h('div', { class: 'tabs', role: 'tablist', 'aria-label': 'The run', key: 'tabs', on: { keydown: tabKey } },
      all.map((tab) => h('button', {
        key: tab.id, id: `tab-${tab.id}`, type: 'button', role: 'tab', 'aria-selected': String(tab === current), 'aria-controls': `panel-${tab.id}`,
        tabindex: tab === current ? 0 : -1, on: { click: () => openTab(tab.id) },
      }, tab.title, alarm(page, tab.id)))),
    h('main', { class: 'panel', id: 'main', key: 'main' },
      h('div', { key: current.id, id: `panel-${current.id}`, role: 'tabpanel', 'aria-labelledby': `tab-${current.id}`, tabindex: 0 },
        h('h2', { class: 'unseen' }, current.title), current.draw(page))),
  ];
}

/** A count beside a tab's title, where there is something to look at. @param {RunPage} page @param {string} id */
function alarm(page, id) {
  const many = id === 'failures' ? page.failures.length : id === 'incidents' ? (page.verdict?.cluster ?? page.cluster)?.incidents.length ?? 0 : 0;
  return many > 0 ? h('span', { class: 'many' }, many) : null;
}

/** @param {string} id */
function openTab(id) {
  choose({ tab: id });
  document.getElementById(`tab-${id}`)?.scrollIntoView({ block: 'nearest', inline: 'nearest' });
  try {
    history.replaceState(null, '', `#${id}`);
  } catch { /* a file's page may have no history */ }
}

/** @param {KeyboardEvent} event */
function tabKey(event) {
  const all = model.page ? tabsOf(model.page) : TABS;
  const at = all.findIndex((tab) => tab.id === model.choices.tab);
  const to = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  const tab = all[(to + all.length) % all.length];
  if (!tab) return;
  openTab(tab.id);
  document.getElementById(`tab-${tab.id}`)?.focus();
}

/** Everything below one another: a report, or a print. @param {RunPage} page */
function sections(page) {
  const ordered = sectionsOf(page);
  return [
    h('nav', { class: 'tabs', 'aria-label': 'Sections', key: 'nav' }, ordered.map((tab) => h('a', { key: tab.id, href: `#${tab.id}` }, tab.title, alarm(page, tab.id)))),
    h('main', { class: 'panel sections', id: 'main', key: 'main' },
      ordered.map((tab) => h('section', { key: tab.id, id: tab.id, class: 'sheet', 'aria-labelledby': `title-${tab.id}` },
        h('h2', { id: `title-${tab.id}` }, tab.title), tab.draw(page)))),
  ];
}

function draw() {
  const app = document.getElementById('app');
  if (!app) return;
  const { page } = model;
  const idle = !page || page.run.state === 'idle';
  const form = !model.frozen && (model.choices.showForm || (page !== null && idle));
  document.title = page && !idle ? `${page.verdict ? page.verdict.outcome.toUpperCase() : page.run.state} · ${page.run.plan}` : 'verifier';
  render(app, [
    header(page),
    form ? startForm(page)
      : idle ? h('main', { class: 'start', id: 'main', key: 'wait' }, h('p', { class: 'soft' }, 'Connecting …'))
        : model.sections ? sections(page) : tabs(page),
  ]);
}

/** Locust's keys, where no field has the focus. @type {Record<string, 1 | -1 | 10 | -10>} */
const USERS = { w: 1, W: 10, s: -1, S: -10 };

/** @param {KeyboardEvent} event */
function onKey(event) {
  const target = /** @type {HTMLElement} */ (event.target);
  const typing = target.matches('input, select, textarea, [contenteditable]') || event.ctrlKey || event.metaKey || event.altKey;
  const change = USERS[event.key];
  if (!typing && change && model.page?.run.users_change) changeUsers(change);
}

/** On paper: everything, in light colours. */
function printing() {
  let before = theme();
  addEventListener('beforeprint', () => {
    before = theme();
    model.sections = true;
    redraw();
    setTheme('light', false);
    chartsOnPaper(true);
  });
  addEventListener('afterprint', () => {
    model.sections = model.frozen;
    redraw();
    setTheme(before, false);
    chartsOnPaper(false);
  });
}

function begin() {
  drawnBy(draw);
  startTheme();
  onZoom(changed);
  const embedded = parsed(document.getElementById('page')?.textContent ?? 'null');
  model.frozen = model.sections = embedded !== null;
  model.page = embedded;
  const wanted = location.hash.slice(1);
  if ([...TABS, COMPARISON].some((tab) => tab.id === wanted)) model.choices.tab = wanted;
  printing();
  redraw();
  if (embedded) return;
  document.addEventListener('keydown', onKey);
  openStream();
  void loadLists();
}

begin();
