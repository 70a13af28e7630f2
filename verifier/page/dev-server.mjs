// A fixture in, the live page out: serves the sources as the verifier does, with a run that grows out of the fixture.
// Usage: node dev-server.mjs [FIXTURE] [--port N] [--speed SECONDS_PER_SECOND] [--ended]
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { fileURLToPath } from 'node:url';

const POLICY = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";
/** @type {Record<string, string>} */
const TYPES = { html: 'text/html; charset=utf-8', js: 'text/javascript', css: 'text/css', csv: 'text/csv' };
const PLANS = [
  { name: 'quick', description: 'A minute: light and heavy load on the own service', duration_seconds: 30, stages: [{ name: 'light', kind: 'connections', size: 50, duration_seconds: 15 }, { name: 'heavy', kind: 'connections', size: 150, duration_seconds: 15 }], cluster: false, faults: 0 },
  { name: 'replica-loss', description: 'SIGTERM, SIGSTOP and SIGKILL to one of the replicas', duration_seconds: 90, stages: [{ name: 'steady', kind: 'rate', size: 400, duration_seconds: 15 }, { name: 'killed', kind: 'rate', size: 400, duration_seconds: 20 }], cluster: false, faults: 3 },
];

/** @param {string} name @returns {RunPage} */
export const fixture = (name) => JSON.parse(readFileSync(fileURLToPath(new URL(`fixtures/${name}.json`, import.meta.url)), 'utf8'));

/** The fixture after so many seconds, its series from a row on. @param {RunPage} page @param {number} seconds @param {number} from @returns {RunPage} */
export function after(page, seconds, from) {
  const ended = seconds >= page.run.elapsed_seconds;
  const rows = page.series.at_seconds.filter((at) => at < seconds).length;
  const series = /** @type {any} */ ({ from, step_seconds: page.series.step_seconds });
  for (const [name, column] of Object.entries(page.series)) if (Array.isArray(column)) series[name] = column.slice(from, rows);
  if (ended) return { ...page, series };
  const share = seconds / page.run.elapsed_seconds;
  const stages = page.run.stages.filter((stage) => stage.start_seconds <= seconds)
    .map((stage) => ({ ...stage, end_seconds: (stage.end_seconds ?? 0) <= seconds ? stage.end_seconds : null }));
  const begun = new Set([...stages.map((stage) => stage.name), '']);
  const part = (/** @type {StatisticsRow} */ row) => ({ ...row, requests: Math.round(row.requests * share), failures: Math.round(row.failures * share) });
  return {
    ...page, exact: false, series, verdict: null, spectra: [], waterfalls: [], cluster: page.verdict?.cluster ?? null,
    run: { ...page.run, state: seconds < 1 ? 'starting' : 'running', elapsed_seconds: seconds, stages, users_change: true },
    statistics: page.statistics.filter((row) => begun.has(row.stage)).map(part),
    failures: page.failures.filter((one) => one.first_seconds <= seconds), traces: page.traces.filter((one) => one.at_seconds <= seconds),
    markers: page.markers.filter((one) => one.at_seconds <= seconds), files: page.files.slice(2),
  };
}

/** @param {{page: RunPage | null, speed?: number, port?: number, ended?: boolean}} options */
export async function serve(options) {
  let { page } = options;
  const speed = options.speed ?? 10;
  let begun = Date.now();
  let ended = options.ended ?? false;
  /** @type {{body: any, path: string}[]} */
  const posted = [];
  /** @type {Set<{response: import('node:http').ServerResponse, rows: number}>} */
  const readers = new Set();
  /** @type {{id: string | undefined, from: number}[]} */
  const opened = [];

  const now = () => (ended ? Infinity : ((Date.now() - begun) / 1000) * speed);
  const idle = () => /** @type {any} */ ({ schema: 'page/1', run: { id: '', plan: '', target: null, started_unix_ms: 0, state: 'idle', elapsed_seconds: 0, planned_seconds: null, stages: [], users_change: false, host: '', verifier_version: '', errors: [] }, exact: false, statistics: [], series: { from: 0, step_seconds: 1, at_seconds: [] }, failures: [], traces: [], waterfalls: [], spectra: [], markers: [], cluster: null, verdict: null, trace_link: null, files: [], comparison: null, baseline: null, limits: [] });
  /** @param {{response: import('node:http').ServerResponse, rows: number}} reader */
  const send = (reader) => {
    const document = page ? after(page, now(), reader.rows) : idle();
    reader.rows = document.series.from + document.series.at_seconds.length;
    reader.response.write(`id: ${document.run.id}:${reader.rows}\nevent: page\ndata: ${JSON.stringify(document)}\n\n`);
  };
  const timer = setInterval(() => readers.forEach(send), 250);

  /** @param {import('node:http').IncomingMessage} request */
  const body = async (request) => {
    let text = '';
    for await (const chunk of request) text += chunk;
    return text ? JSON.parse(text) : null;
  };
  const server = createServer(async (request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname;
    const answer = (/** @type {number} */ status, /** @type {unknown} */ json) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(json));
    if (request.method === 'POST') posted.push({ path, body: await body(request) });
    if (path === '/events') {
      const last = /** @type {string | undefined} */ (request.headers['last-event-id']);
      const rows = last && page && last.startsWith(`${page.run.id}:`) ? Number(last.split(':').at(-1)) : 0;
      opened.push({ id: last, from: rows });
      response.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
      response.write('retry: 300\n\n');
      const reader = { response, rows };
      readers.add(reader);
      response.on('close', () => readers.delete(reader));
      send(reader);
    } else if (path === '/api/plans') answer(200, PLANS);
    else if (path === '/api/runs' && request.method === 'GET') answer(200, [{ id: 'yesterday', plan: 'quick', started_unix_ms: 1_764_300_000_000, outcome: 'pass' }]);
    else if (path === '/api/runs') {
      const wish = posted.at(-1)?.body;
      if (wish.rate?.some((/** @type {number} */ rate) => rate <= 0)) return answer(400, { error: 'rate 0: a rate is above 0 requests per second' });
      page = fixture('replica-loss');
      begun = Date.now();
      ended = false;
      answer(202, { run: page.run.id });
      for (const reader of readers) reader.rows = 0;
    } else if (path === '/api/stop') {
      ended = true;
      answer(202, {});
    } else if (path.startsWith('/api/traces/')) {
      const found = page?.waterfalls.find((one) => one.trace_id === path.split('/').at(-1));
      return found ? answer(200, found) : answer(404, { error: 'no span of this trace has arrived' });
    } else if (path.startsWith('/api/')) answer(202, {});
    else if (path.startsWith('/files/')) response.writeHead(200, { 'content-type': 'text/csv', 'content-disposition': 'attachment' }).end('a,b\n1,2\n');
    else {
      const name = path === '/' ? 'index.html' : path.slice(1);
      try {
        const text = readFileSync(fileURLToPath(new URL(name, import.meta.url)));
        response.writeHead(200, { 'content-type': TYPES[name.split('.').at(-1) ?? ''] ?? 'text/plain', 'content-security-policy': POLICY }).end(text);
      } catch {
        answer(404, { error: `no ${path}` });
      }
    }
    return undefined;
  });
  await new Promise((done) => server.listen(options.port ?? 0, '127.0.0.1', () => done(undefined)));
  const address = /** @type {import('node:net').AddressInfo} */ (server.address());
  return {
    url: `http://127.0.0.1:${address.port}/`, posted, opened,
    /** Breaks every stream, as a network does. */
    drop: () => readers.forEach((reader) => reader.response.destroy()),
    close: async () => {
      clearInterval(timer);
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const option = (/** @type {string} */ name) => (process.argv.includes(name) ? Number(process.argv[process.argv.indexOf(name) + 1]) : undefined);
  const [speed, port] = [option('--speed'), option('--port')];
  const name = process.argv[2]?.startsWith('--') ? 'pod-loss' : process.argv[2] ?? 'pod-loss';
  const { url } = await serve({ page: fixture(name), ended: process.argv.includes('--ended'), ...(speed ? { speed } : {}), port: port ?? 8090 });
  console.log(url);
}
