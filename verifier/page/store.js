// Documents in, as they come; the one state that everything on the page is drawn from.

/** What the reader has chosen. */
/** @typedef {{tab: string, times: 'latency_ms' | 'service_time_ms', sort: Record<string, {by: string, down: boolean}>,
 *   trace: string | null, failedOnly: boolean, atLeastMs: number, why: string, more: boolean, message: string | null,
 *   errors: string | null, form: Record<string, string>, starting: boolean, showForm: boolean, bar: string | null, allTraces: boolean}} Choices */
/** @typedef {{page: RunPage | null, frozen: boolean, sections: boolean, connection: 'opening' | 'open' | 'lost',
 *   plans: PlanLine[], runs: RecordedRun[], waterfalls: Map<string, Waterfall | string>, choices: Choices}} Model */

/** @type {Model} */
export const model = {
  page: null, frozen: false, sections: false, connection: 'opening', plans: [], runs: [], waterfalls: new Map(),
  choices: {
    tab: 'statistics', times: 'latency_ms', sort: {}, trace: null, failedOnly: false, atLeastMs: 0, why: '', more: false,
    message: null, errors: null, form: {}, starting: false, showForm: false, bar: null, allTraces: false,
  },
};

/** Milliseconds between two drawings of what comes by itself. */
const PACE_MS = 250;
/** Waterfalls that were asked for and are kept. */
const KEPT = 50;

/** @type {() => void} */
let drawAll = () => {};
let due = 0;
let drawnAt = 0;

/** @param {() => void} how Draws everything. */
export function drawnBy(how) {
  drawAll = how;
}

function now() {
  clearTimeout(due);
  due = 0;
  drawnAt = performance.now();
  drawAll();
}

/** Something came: drawn soon, and not more often than four times a second. */
export function changed() {
  if (due === 0) due = window.setTimeout(now, Math.max(0, drawnAt + PACE_MS - performance.now()));
}

/** The reader chose something: drawn at once. @param {Partial<Choices>} choices */
export function choose(choices) {
  Object.assign(model.choices, choices);
  now();
}

/** Draws at once. */
export function redraw() {
  now();
}

/** A document in JSON. The seed is a number that JavaScript can not hold: it stays text. @param {string} json @returns {RunPage | null} */
export function parsed(json) {
  return JSON.parse(json.replace(/"seed":\s*(\d{16,})/g, '"seed":"$1"'));
}

/** Takes a live document: its series continues the one before, from the row that it names. @param {RunPage} page */
export function take(page) {
  const before = model.page;
  if (before && before.run.id === page.run.id && page.series.from > 0) {
    page.series = continued(before.series, page.series);
  } else if (!before || before.run.id !== page.run.id) {
    model.waterfalls.clear();
    model.choices.trace = null;
  }
  model.page = page;
  changed();
}

/** @param {Series} before @param {Series} after @returns {Series} */
function continued(before, after) {
  const whole = /** @type {Record<string, any>} */ (before);
  for (const [name, column] of Object.entries(after)) {
    if (!Array.isArray(column)) continue;
    const kept = /** @type {any[]} */ (whole[name] ??= []);
    kept.length = Math.min(kept.length, after.from);
    for (const value of column) kept.push(value);
  }
  return { ...before, from: 0, step_seconds: after.step_seconds };
}

/** Keeps a waterfall, or the words why there is none. @param {string} traceId @param {Waterfall | string} found */
export function keep(traceId, found) {
  model.waterfalls.delete(traceId);
  model.waterfalls.set(traceId, found);
  for (const old of model.waterfalls.keys()) {
    if (model.waterfalls.size <= KEPT) break;
    model.waterfalls.delete(old);
  }
}

/** The cluster: the verdict's, else as far as it is known. @param {RunPage} page */
export function clusterOf(page) {
  return page.verdict?.cluster ?? page.cluster;
}

/** A run goes on. @param {RunPage | null} page */
export function goesOn(page) {
  return page !== null && ['starting', 'running', 'draining', 'judging'].includes(page.run.state);
}
