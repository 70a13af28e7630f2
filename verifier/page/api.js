// Wishes in, the verifier's answers out; and the stream of documents, taken up again when it is lost.

import { changed, choose, keep, model, parsed, redraw, take } from './store.js';

/** @type {EventSource | null} */
let stream = null;
let again = 0;

/** Opens the stream. EventSource itself comes back after a loss, and says with Last-Event-ID how far it is. */
export function openStream() {
  stream?.close();
  stream = new EventSource('/events');
  stream.addEventListener('open', () => connection('open'));
  stream.addEventListener('page', (event) => {
    connection('open');
    const page = parsed(event.data);
    if (!page) return;
    const series = model.page?.run.id === page.run.id ? model.page.series : null;
    const follows = page.series.from === 0 || (series !== null && page.series.from <= series.at_seconds.length && page.series.step_seconds === series.step_seconds);
    // Rows are missing between: from the beginning, then, with a new stream that names no last event.
    if (!follows) openStream();
    else take(page);
  });
  stream.addEventListener('error', () => {
    connection('lost');
    // Refused, EventSource gives up for good: then it is tried again here.
    if (stream?.readyState === EventSource.CLOSED) {
      clearTimeout(again);
      again = window.setTimeout(openStream, 2000);
    }
  });
}

/** @param {'open' | 'lost'} state */
function connection(state) {
  if (model.connection === state) return;
  model.connection = state;
  changed();
}

/** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
async function ask(path, body) {
  const options = body === undefined ? {} : { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
  const answer = await fetch(path, options).catch(() => null);
  if (!answer) throw new Error('the verifier can not be reached: is it still running?');
  const text = await answer.text();
  const json = text.startsWith('{') || text.startsWith('[') ? JSON.parse(text) : null;
  if (!answer.ok) throw new Error(json?.error ?? (text || `${answer.status} ${answer.statusText}`));
  return json;
}

/** What went wrong is shown, not lost. @param {Promise<unknown>} asked */
function orSay(asked) {
  asked.catch((/** @type {Error} */ error) => choose({ message: error.message }));
}

/** Plans and recorded runs, for the start form. */
export async function loadLists() {
  const [plans, runs] = await Promise.allSettled([ask('/api/plans'), ask('/api/runs')]);
  if (plans.status === 'fulfilled') model.plans = plans.value;
  if (runs.status === 'fulfilled') model.runs = runs.value;
  redraw();
}

/** @param {Record<string, unknown>} wish */
export async function startRun(wish) {
  choose({ starting: true, errors: null });
  try {
    await ask('/api/runs', wish);
    choose({ starting: false, showForm: false, tab: 'statistics' });
  } catch (error) {
    choose({ starting: false, errors: /** @type {Error} */ (error).message });
  }
}

export function stopRun() {
  orSay(ask('/api/stop', {}));
}

/** @param {1 | -1 | 10 | -10} change */
export function changeUsers(change) {
  orSay(ask('/api/users', { change }));
}

/** @param {string} run */
export function showRun(run) {
  orSay(ask('/api/show', { run }).then(() => choose({ showForm: false })));
}

/** Asks for a trace's waterfall, unless it is known or under way. @param {string} traceId */
export async function loadWaterfall(traceId) {
  if (model.frozen || typeof model.waterfalls.get(traceId) === 'object' || model.waterfalls.get(traceId) === '') return;
  keep(traceId, '');
  try {
    keep(traceId, await ask(`/api/traces/${encodeURIComponent(traceId)}`));
  } catch (error) {
    keep(traceId, /** @type {Error} */ (error).message);
  }
  redraw();
}
