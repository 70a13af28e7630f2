// Plans in, the form out that starts a run: Locust's fields, and behind "More" what only this verifier has.

import { showRun, startRun } from './api.js';
import { h } from './dom.js';
import { clock, count, date, plural, words } from './format.js';
import { choose, goesOn, model } from './store.js';

/** Name, label, example, what it means. @type {[string, string, string, string][]} */
const FIELDS = [
  ['users', 'Number of users', 'as planned', 'Peak concurrency; several stages: 10, 50, 100'],
  ['spawn_rate', 'Spawn rate', 'as planned', 'Users started per second'],
  ['host', 'Host', 'own service', 'http://host:port; empty: the service is started here'],
  ['run_time', 'Run time', 'as planned', 'Of each stage: 30s, 5m, 1h30m'],
];
/** @type {[string, string, string, string][]} */
const MORE = [
  ['connections', 'Connections', 'as planned', 'Closed loop, as wrk: 50, 150'],
  ['rate', 'Rate', 'as planned', 'Open loop, requests per second: 100, 300'],
  ['replicas', 'Replicas', 'as planned', 'Of the service that is started here'],
  ['scale_time', 'Scale time', '1', 'Every duration of the plan times this: 0.1 is ten times shorter'],
];
const LISTS = new Set(['users', 'connections', 'rate']);
const NUMBERS = new Set(['spawn_rate', 'replicas', 'scale_time']);

/** @param {Record<string, string>} form @param {string} name */
function wished(form, name) {
  const text = (form[name] ?? '').trim();
  if (text === '') return null;
  const figure = (/** @type {string} */ part) => {
    const value = Number(part.trim());
    if (part.trim() === '' || !Number.isFinite(value)) throw new Error(`${words(name)}: "${text}" is no number`);
    return value;
  };
  if (LISTS.has(name)) return text.split(',').map(figure);
  return NUMBERS.has(name) ? figure(text) : text;
}

/** @param {SubmitEvent} event */
function submit(event) {
  event.preventDefault();
  const { form } = model.choices;
  try {
    /** @type {Record<string, unknown>} */
    const wish = { plan: form.plan ?? model.plans[0]?.name };
    for (const [name] of [...FIELDS, ...MORE]) wish[name] = wished(form, name);
    void startRun(wish);
  } catch (error) {
    choose({ errors: /** @type {Error} */ (error).message });
  }
}

/** @param {string} name */
const typed = (name) => (/** @type {Event} */ event) => {
  model.choices.form[name] = /** @type {HTMLInputElement} */ (event.target).value;
};

/** @param {[string, string, string, string]} spec */
function field([name, label, placeholder, hint]) {
  const numeric = NUMBERS.has(name);
  return h('div', { class: 'field', key: name },
    h('label', { for: name }, label),
    h('input', {
      id: name, name, placeholder, autocomplete: 'off', inputmode: numeric ? 'decimal' : null, 'aria-describedby': `${name}-hint`,
      prop: { value: model.choices.form[name] ?? '' }, on: { input: typed(name) },
    }),
    h('p', { class: 'hint', id: `${name}-hint` }, hint));
}

/** @param {PlanLine} plan */
function planned(plan) {
  const facts = [
    plural(plan.stages.length, 'stage'), plan.duration_seconds === null ? null : clock(plan.duration_seconds),
    plan.faults > 0 ? plural(plan.faults, 'fault') : null, plan.cluster ? 'watches a cluster' : null,
  ];
  const stages = plan.stages.slice(0, 6).map((stage) => `${stage.name}: ${count(stage.size)} ${stage.kind === 'rate' ? 'req/s' : stage.kind}`);
  if (plan.stages.length > 6) stages.push('…');
  return h('div', { class: 'planned' }, h('p', null, plan.description), h('p', { class: 'soft' }, facts.filter(Boolean).join(' · ')), h('p', { class: 'soft' }, stages.join(' → ')));
}

function recorded() {
  if (model.runs.length === 0) return null;
  return h('section', { class: 'card', key: 'runs' },
    h('h2', null, 'Recorded runs'),
    h('ul', { class: 'runs' }, model.runs.map((run) => h('li', { key: run.id },
      h('button', { type: 'button', class: 'link', on: { click: () => showRun(run.id) } }, run.id),
      run.outcome ? h('span', { class: `badge small ${run.outcome}` }, run.outcome.toUpperCase()) : null,
      h('span', { class: 'soft' }, `${run.plan} · ${date(run.started_unix_ms)}`)))));
}

/** @param {RunPage | null} page */
export function startForm(page) {
  const { form, errors, starting, more } = model.choices;
  const chosen = form.plan ?? model.plans[0]?.name ?? '';
  const plan = model.plans.find((one) => one.name === chosen);
  const choosePlan = (/** @type {Event} */ event) => choose({ form: { ...form, plan: /** @type {HTMLSelectElement} */ (event.target).value } });
  return h('main', { class: 'start', id: 'main', key: 'start' },
    h('section', { class: 'card', key: 'form' },
      h('h2', null, 'Start new load test'),
      h('form', { class: 'form', 'aria-label': 'Start new load test', on: { submit } },
        h('div', { class: 'field wide', key: 'plan' },
          h('label', { for: 'plan' }, 'Plan'),
          h('select', { id: 'plan', name: 'plan', on: { change: choosePlan } },
            model.plans.map((one) => h('option', { key: one.name, value: one.name, prop: { selected: one.name === chosen } }, one.name))),
          plan ? planned(plan) : h('p', { class: 'soft' }, 'The plans are being read.')),
        FIELDS.map(field),
        h('details', { key: 'more', class: 'wide', open: more || null, on: { toggle: (/** @type {Event} */ event) => { model.choices.more = /** @type {HTMLDetailsElement} */ (event.target).open; } } },
          h('summary', null, 'More'), h('div', { class: 'form' }, MORE.map(field))),
        h('div', { class: 'wide', role: 'alert', key: 'errors' }, errors ? h('p', { class: 'notice bad' }, errors) : null),
        h('div', { class: 'wide bar', key: 'go' },
          h('button', { type: 'submit', class: 'primary', disabled: starting || goesOn(page) || model.plans.length === 0 }, starting ? 'Starting …' : 'Start'),
          page && page.run.state !== 'idle' ? h('button', { type: 'button', class: 'quiet', on: { click: () => choose({ showForm: false }) } }, 'Back to the run') : null))),
    recorded());
}
