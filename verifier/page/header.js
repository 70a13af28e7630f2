// The page's run in, its head out: which run, how far, the figures of now, and what can be done.

import { changeUsers, loadLists, stopRun } from './api.js';
import { h } from './dom.js';
import { clock, count, date, percent, rate, roughly, words } from './format.js';
import { choose, goesOn, model, redraw } from './store.js';
import { isDark, setTheme } from './theme.js';

/** The last value that is known. @param {Column} column */
function latest(column) {
  for (let row = column.length - 1; row >= 0; row -= 1) {
    if (column[row] !== null && column[row] !== undefined) return column[row] ?? null;
  }
  return null;
}

/** @param {RunPage} page */
export function totals(page) {
  return page.statistics.find((row) => row.stage === '') ?? null;
}

/** @param {string} name @param {import('./dom.js').Child} value @param {import('./dom.js').Child} [more] @param {string} [kind] */
function tile(name, value, more, kind) {
  return h('div', { class: `tile ${kind ?? ''}`, key: name }, h('dt', null, name), h('dd', null, h('span', { class: 'figure' }, value), more ? h('span', { class: 'more' }, more) : null));
}

/** @param {RunPage} page */
function tiles(page) {
  const sum = totals(page);
  const { traces_due: due, traces_complete: complete, users, requested } = page.series;
  const live = page.run.state === 'running';
  const [traces, whole] = [latest(due), latest(complete)];
  const failures = sum && sum.requests > 0 ? sum.failures / sum.requests : null;
  const closed = latest(users);
  const open = latest(requested);
  const load = closed === null && open !== null ? tile('Requested', rate(open), ' /s') : tile('Users', live || closed !== null ? count(closed) : '–');
  return h('dl', { class: 'tiles' },
    // Afterwards it is no progress any more: the wait for traces is in it, too.
    page.run.state === 'ended' ? tile('Took', clock(page.run.elapsed_seconds))
      : tile('Elapsed', clock(page.run.elapsed_seconds), page.run.planned_seconds === null ? null : ` of ${clock(page.run.planned_seconds)}`),
    tile('Requests', count(sum?.requests ?? 0)),
    tile('RPS', rate(sum?.requests_per_second)),
    tile('Failures', roughly(failures), sum && sum.failures > 0 ? ` · ${count(sum.failures)}` : null, sum && sum.failures > 0 ? 'bad' : ''),
    load,
    tile('Traces', traces === null || traces === 0 ? '–' : percent((whole ?? 0) / traces), traces === null || traces === 0 ? null : ` of ${count(traces)}`));
}

/** @type {Record<RunState, string>} */
const STATES = { idle: 'ready', starting: 'starting', running: 'running', draining: 'waiting for traces', judging: 'judging', ended: 'ended' };

/** @param {RunPage} page */
export function badge(page) {
  const outcome = page.verdict?.outcome;
  if (outcome) return h('span', { class: `badge ${outcome}` }, outcome.toUpperCase());
  return h('span', { class: `badge state ${page.run.state}` }, STATES[page.run.state] ?? words(page.run.state));
}

/** @param {RunPage} page */
function actions(page) {
  const going = goesOn(page);
  const users = (/** @type {1 | -1 | 10 | -10} */ change, /** @type {string} */ key) =>
    h('button', { type: 'button', title: `${change > 0 ? 'More' : 'Fewer'} users (key ${key})`, 'aria-label': `${change > 0 ? 'Add' : 'Remove'} ${Math.abs(change)} users`, on: { click: () => changeUsers(change) } }, change > 0 ? `+${change}` : `−${-change}`);
  return h('div', { class: 'actions' },
    page.run.users_change ? h('div', { class: 'group', role: 'group', 'aria-label': 'Users', key: 'users' }, users(-10, 'S'), users(-1, 's'), users(1, 'w'), users(10, 'W')) : null,
    going ? h('button', { type: 'button', class: 'stop', key: 'stop', disabled: page.run.state === 'judging', on: { click: stopRun } }, 'Stop')
      : model.frozen ? null
        : h('button', { type: 'button', class: 'primary', key: 'new', on: { click: openForm } }, 'New run'));
}

function openForm() {
  choose({ showForm: true, errors: null });
  void loadLists();
  document.getElementById('plan')?.focus();
}

function themeButton() {
  const dark = isDark();
  const click = () => {
    setTheme(dark ? 'light' : 'dark');
    redraw();
  };
  return h('button', { type: 'button', class: 'quiet theme', key: 'theme', 'aria-label': dark ? 'Light colours' : 'Dark colours', title: dark ? 'Light colours' : 'Dark colours', on: { click } }, dark ? '☀' : '☾');
}

/** What deserves to be read before anything else. @param {RunPage | null} page */
function notices(page) {
  const lost = !model.frozen && model.connection === 'lost';
  const message = model.choices.message;
  return h('div', { class: 'notices', role: 'status' },
    lost ? h('p', { class: 'notice unsure', key: 'lost' }, 'Connection lost, trying again. The figures are those of before.') : null,
    (page?.run.errors ?? []).map((error, index) => h('p', { class: 'notice bad', key: `error${index}` }, error)),
    message ? h('p', { class: 'notice bad', key: 'message' }, message, ' ', h('button', { type: 'button', class: 'quiet', on: { click: () => choose({ message: null }) } }, 'Close')) : null);
}

/** @param {RunPage | null} page */
export function header(page) {
  const run = page && page.run.state !== 'idle' ? page.run : null;
  return h('header', { class: 'head' },
    h('div', { class: 'head-in' },
      h('div', { class: 'line' },
        h('div', { class: 'who' },
          h('h1', null, page && run ? [badge(page), ' ', h('span', { class: 'plan' }, run.plan)] : h('span', { class: 'plan' }, 'verifier')),
          run ? h('p', { class: 'identity' }, [run.id === run.plan ? null : run.id, run.target ?? 'own service', date(run.started_unix_ms)].filter(Boolean).join(' · ')) : null),
        page && run ? actions(page) : null, themeButton()),
      page && run ? tiles(page) : null,
      notices(page)));
}
