// The page on the real verifier, whose binary VERIFIER names: a run from the form, with a replica killed, to the report.
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect, test } from '@playwright/test';
import { duration, rate } from '../format.js';
import { accessible, at, figures, narrow, TABS, watch } from './seen.mjs';

const VERIFIER = process.env.VERIFIER;
test.skip(!VERIFIER, 'VERIFIER names no binary of the verifier');
test.describe.configure({ mode: 'serial' });
test.setTimeout(240_000);

/** A plan of our own, beside the built-in ones. */
const PLAN = fileURLToPath(new URL('replica-killed.toml', import.meta.url));
/** The folder in which the verifier works. */
let folder = '';

/** A verifier with a page. @param {string[]} args */
async function started(args) {
  const child = spawn(resolve(VERIFIER ?? ''), args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'] });
  running.add(child);
  let printed = '';
  child.stdout.on('data', (data) => (printed += data));
  child.stderr.on('data', (data) => (printed += data));
  const url = () => /http:\/\/127\.0\.0\.1:\d+\S*/.exec(printed)?.[0];
  await expect.poll(url, { timeout: 20_000 }).toBeTruthy();
  return { url: url() ?? '', end: () => end(child) };
}

/** Those that were started. @type {Set<import('node:child_process').ChildProcess>} */
const running = new Set();

/** @param {import('node:child_process').ChildProcess} child */
async function end(child) {
  running.delete(child);
  const ended = new Promise((done) => child.once('exit', done));
  // Twice: the first stops a run, if one goes on.
  child.kill('SIGINT');
  child.kill('SIGINT');
  await ended;
}

// Also where a test has failed.
test.afterEach(async () => {
  for (const child of running) await end(child);
});

test.beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'page-run-'));
});

test.afterAll(() => {
  if (!process.env.KEEP) rmSync(folder, { recursive: true });
});

/** The one run that was made. */
function onlyRun() {
  const [run, ...others] = readdirSync(join(folder, 'runs'));
  if (!run || others.length > 0) throw new Error(`runs: ${[run, ...others]}`);
  return run;
}

/** @param {string} run */
const verdictOf = (run) => JSON.parse(readFileSync(join(folder, 'runs', run, 'verdict.json'), 'utf8').replace(/"seed":\s*(\d+)/, '"seed":"$1"'));

test('a run from the form: numbers move, a replica is killed, a failure is seen and opened; stopped, fetched, reported', async ({ page, browser }) => {
  const wrong = watch(page);
  const verifier = await started(['web', '--listen', '127.0.0.1:0', '--', PLAN]);
  await page.goto(verifier.url);
  await expect(page.getByLabel('Plan').locator('option', { hasText: 'replica-loss' })).toBeAttached();
  await page.getByLabel('Plan').selectOption('replica-killed');
  await page.getByText('More', { exact: true }).click();
  await page.getByLabel('Replicas').fill('2');
  await accessible(page, 'start form');
  await page.getByRole('button', { name: 'Start' }).click();

  const requests = page.locator('.tile', { hasText: 'Requests' }).locator('.figure');
  const number = async () => Number((await requests.innerText()).replace(/\D/g, ''));
  await expect(page.getByRole('tab', { name: 'Statistics' })).toBeVisible({ timeout: 30_000 });
  await expect.poll(number, { timeout: 30_000 }).toBeGreaterThan(0);
  const first = await number();
  await expect.poll(number, { timeout: 10_000 }).toBeGreaterThan(first);
  await page.getByRole('tab', { name: 'Charts' }).click();
  await expect(page.locator('#chart-rate canvas')).toBeVisible();

  await page.getByRole('tab', { name: 'Failures' }).click();
  await expect(page.locator('#table-failures')).toContainText(/connect error|reset/, { timeout: 60_000 });
  await page.locator('#table-failures [data-trace]').first().click();
  await expect(page.getByRole('tab', { name: 'Traces' })).toHaveAttribute('aria-selected', 'true');
  await expect(page.locator('#waterfall .bar-row').first()).toBeVisible();
  await page.locator('#waterfall .bar-row').first().click();
  await expect(page.locator('#waterfall .attributes, #waterfall .step .soft')).toBeVisible();
  await accessible(page, 'waterfall of a run');

  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.locator('.head .badge')).toHaveText(/PASS|FAIL|UNKNOWN/, { timeout: 60_000 });
  const run = onlyRun();
  const verdict = verdictOf(run);

  await page.getByRole('tab', { name: 'Download Data' }).click();
  for (const name of ['locust_stats.csv', 'locust_stats_history.csv', 'locust_failures.csv', 'locust_exceptions.csv']) {
    const download = page.waitForEvent('download');
    await page.locator(`[data-file$="${name}"]`).click();
    const path = await (await download).path();
    expect(readFileSync(path, 'utf8'), name).toBe(readFileSync(join(folder, 'runs', run, 'legacy', name), 'utf8'));
  }

  // The verdict's figures, on the page and in the report, are the verdict's; and so are those of the text.
  for (const tab of TABS) {
    await page.locator(`#tab-${tab}`).click();
    await expect(page.locator(`#panel-${tab}`)).toBeVisible();
    for (const one of await figures(page)) expect(one.value, `${tab} ${one.path}`).toBe(at(verdict, one.path));
    if (tab === 'statistics') await statistics(page, verdict, run);
    await accessible(page, `${tab} of a run`);
  }
  expect(wrong).toEqual([]);
  await page.goto('about:blank');
  await verifier.end();

  const report = await browser.newPage();
  const reported = watch(report);
  await report.goto(pathToFileURL(join(folder, 'runs', run, 'report.html')).href);
  await expect(report.locator('main section.sheet h2').first()).toHaveText('Verdict');
  const all = await figures(report);
  expect(all.length).toBeGreaterThan(100);
  for (const one of all) expect(one.value, one.path).toBe(at(verdict, one.path));
  await statistics(report, verdict, run);
  await accessible(report, 'report.html');
  await report.setViewportSize({ width: 360, height: 740 });
  await narrow(report, 'report.html');
  expect(reported).toEqual([]);
  await report.close();
});

/** The tab Statistics against the verdict, the text report and Locust's file. @param {import('@playwright/test').Page} page @param {Verdict} verdict @param {string} run */
async function statistics(page, verdict, run) {
  const figure = async (/** @type {string} */ row, /** @type {string} */ name) => page.locator(`#table-statistics ${row} [data-figure="${name}"]`).getAttribute('data-value');
  const text = readFileSync(join(folder, 'runs', run, 'report.md'), 'utf8').split('\n').map((line) => line.split('|').map((part) => part.trim()));
  for (const times of /** @type {const} */ (['latency_ms', 'service_time_ms'])) {
    await page.locator(`input[name="times"][value="${times}"]`).check();
    for (const stage of verdict.stages) {
      const row = `tbody tr[data-stage="${stage.name}"]${stage.tasks.length > 0 ? '[data-name="Aggregated"]' : ''}`;
      for (const name of /** @type {const} */ (['p50', 'p95', 'p99', 'mean', 'max'])) expect(await figure(row, `${times}.${name}`), `${stage.name} ${times}.${name}`).toBe(String(stage[times][name]));
      expect(await figure(row, 'requests')).toBe(String(stage.exchanges.planned));
      expect(await figure(row, 'failures')).toBe(String(stage.exchanges.planned - stage.exchanges.ok));
      expect(await figure(row, 'requests_per_second')).toBe(String(stage.requests_per_second));
    }
  }
  for (const stage of verdict.stages) {
    const [, , planned, , failed, achieved, p50, , p95, p99, , max] = text.find((line) => line[1] === stage.name && line.length > 10) ?? [];
    expect(planned?.replace(/\D/g, '')).toBe(String(stage.exchanges.planned));
    expect(failed?.replace(/\D/g, '')).toBe(String(stage.exchanges.planned - stage.exchanges.ok));
    expect([p50, p95, p99, max]).toEqual([stage.latency_ms.p50, stage.latency_ms.p95, stage.latency_ms.p99, stage.latency_ms.max].map(duration));
    // The text has whole requests per second.
    expect(Math.abs(Number(achieved?.split(' of ')[0]?.replace(/[^\d.]/g, '')) - (stage.requests_per_second ?? 0))).toBeLessThan(1);
    expect(await page.locator(`#table-asked tr[data-stage="${stage.name}"] [data-figure="requests_per_second"]`).innerText()).toBe(rate(stage.requests_per_second));
  }
  const csv = readFileSync(join(folder, 'runs', run, 'legacy', 'locust_stats.csv'), 'utf8').trim().split('\n').at(-1)?.split(',') ?? [];
  // Locust knows of no request that was never sent.
  const unsent = verdict.stages.reduce((sum, stage) => sum + stage.exchanges.unsent, 0);
  const all = [await figure('tfoot tr', 'requests'), await figure('tfoot tr', 'failures')];
  expect([csv[2], csv[3]], 'Locust’s file').toEqual(all.map((text) => String(Number(text) - unsent)));
}

test('a recorded run, shown again, is the same', async ({ page }) => {
  const wrong = watch(page);
  const run = onlyRun();
  const verdict = verdictOf(run);
  const verifier = await started(['show', '--web=127.0.0.1:0', join('runs', run)]);
  await page.goto(verifier.url);
  await expect(page.locator('.head .badge')).toHaveText(verdict.outcome.toUpperCase());
  for (const tab of TABS) {
    await page.locator(`#tab-${tab}`).click();
    await expect(page.locator(`#panel-${tab}`)).toBeVisible();
    for (const one of await figures(page)) expect(one.value, `${tab} ${one.path}`).toBe(at(verdict, one.path));
  }
  await page.locator('#tab-traces').click();
  await page.locator('#table-traces [data-trace]').first().click();
  await expect(page.locator('#waterfall .bar-row').first()).toBeVisible();
  await page.locator('#tab-incidents').click();
  await expect(page.locator('[data-incident="kill-one"]')).toBeVisible();
  expect(wrong).toEqual([]);
  await verifier.end();
});
