// The page on made-up documents: each tab live and frozen, light and dark, wide and narrow, by mouse and by keys, on paper.
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { expect, test } from '@playwright/test';
import { fixture, serve } from '../dev-server.mjs';
import { frozen } from './frozen.mjs';
import { accessible, at, figures, narrow, TABS, watch } from './seen.mjs';

const NAMES = ['pod-loss', 'scale-out', 'replica-loss'];
const folder = mkdtempSync(join(tmpdir(), 'page-'));

/** @param {RunPage} page @param {string} name */
function file(page, name) {
  const path = join(folder, `${name}.html`);
  writeFileSync(path, frozen(page));
  return pathToFileURL(path).href;
}

/** @type {Awaited<ReturnType<typeof serve>>[]} */
const servers = [];
/** @param {Parameters<typeof serve>[0]} options */
async function served(options) {
  const server = await serve(options);
  servers.push(server);
  return server;
}
test.afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

/** A document whose words would be markup, whose figures are unknown, whose names are long. @returns {RunPage} */
function hostile() {
  const page = fixture('pod-loss');
  const evil = '"><img src=x onerror="window.broken=1"><script>window.broken=1</script>{{7*7}} ' + 'w'.repeat(300);
  const spoil = (/** @type {any} */ value) => {
    for (const key of Object.keys(value)) {
      if (typeof value[key] === 'string' && !['schema', 'state', 'outcome', 'trace_id', 'stage', 'why', 'seen', 'place', 'kind', 'level'].includes(key)) value[key] = evil;
      else if (value[key] && typeof value[key] === 'object') spoil(value[key]);
    }
  };
  spoil(page);
  for (const row of page.statistics) Object.assign(row, { latency_ms: { p50: null, p95: null, p99: null, mean: null, min: null, max: null }, average_bytes: null, requests_per_second: null });
  page.trace_link = 'javascript:window.broken=1//{trace_id}';
  return page;
}

for (const name of NAMES) {
  for (const scheme of /** @type {const} */ (['light', 'dark'])) {
    test(`${name}, live and ended, ${scheme}: every tab is there, and for everyone`, async ({ page }) => {
      const wrong = watch(page);
      await page.emulateMedia({ colorScheme: scheme });
      const { url } = await served({ page: fixture(name), ended: true });
      await page.goto(url);
      for (const tab of TABS) {
        await page.getByRole('tab', { name: new RegExp(`^${tab}`, 'i') }).click();
        await expect(page.locator(`#panel-${tab}`)).toBeVisible();
        expect((await page.locator(`#panel-${tab}`).innerText()).length).toBeGreaterThan(20);
        await accessible(page, `${name} ${tab} ${scheme}`);
      }
      expect(wrong).toEqual([]);
    });
  }

  test(`${name}, frozen: all sections, the verdict first, no script of others, no request`, async ({ page }) => {
    const wrong = watch(page);
    const requests = /** @type {string[]} */ ([]);
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(file(fixture(name), name));
    await expect(page.locator('main section.sheet h2')).toHaveText(['Verdict', 'Statistics', 'Charts', 'Failures', 'Traces', 'Scaling', 'Incidents', 'Checks', 'Limits', 'Download Data']);
    await expect(page.locator('.u-wrap canvas')).not.toHaveCount(0);
    for (const scheme of /** @type {const} */ (['light', 'dark'])) {
      await page.emulateMedia({ colorScheme: scheme });
      await accessible(page, `${name} frozen ${scheme}`);
    }
    expect(requests.filter((url) => !url.startsWith('file:') && !url.startsWith('data:'))).toEqual([]);
    expect(wrong).toEqual([]);
  });

  test(`${name}: figures of the verdict stand on the page as they stand in it`, async ({ page }) => {
    const document = fixture(name);
    await page.goto(file(document, name));
    const all = await figures(page);
    expect(all.length).toBeGreaterThan(100);
    for (const one of all) expect(one.value, one.path).toBe(at(document.verdict, one.path));
  });
}

test('at a phone nothing is wider than the page', async ({ page }) => {
  await page.setViewportSize({ width: 360, height: 740 });
  for (const name of NAMES) {
    const { url } = await served({ page: fixture(name), ended: true });
    await page.goto(url);
    for (const tab of TABS) {
      await page.locator(`#tab-${tab}`).click();
      await narrow(page, `${name} ${tab}`);
    }
    await page.goto(file(fixture(name), name));
    await narrow(page, `${name} frozen`);
  }
  const idle = await served({ page: null });
  await page.goto(idle.url);
  await expect(page.getByRole('heading', { name: 'Start new load test' })).toBeVisible();
  await page.getByText('More', { exact: true }).click();
  await narrow(page, 'start form');
  await accessible(page, 'start form');
});

test('what comes from a target is text: no markup, no script, no link that runs', async ({ page }) => {
  const wrong = watch(page);
  await page.goto(file(hostile(), 'hostile'));
  await expect(page.locator('main section.sheet')).toHaveCount(10);
  expect(await page.evaluate(() => /** @type {any} */ (window).broken)).toBeUndefined();
  await expect(page.locator('img')).toHaveCount(0);
  await expect(page.locator('a[href^="javascript"]')).toHaveCount(0);
  await page.setViewportSize({ width: 360, height: 740 });
  await narrow(page, 'hostile frozen');
  const { url } = await served({ page: hostile(), ended: true });
  await page.goto(url);
  for (const tab of TABS) {
    await page.locator(`#tab-${tab}`).click();
    await narrow(page, `hostile ${tab}`);
  }
  expect(await page.evaluate(() => /** @type {any} */ (window).broken)).toBeUndefined();
  expect(wrong).toEqual([]);
});

test('a run grows, and a stream that breaks is taken up where it was', async ({ page }) => {
  const wrong = watch(page, /ERR_|Failed to load resource/);
  const server = await served({ page: fixture('pod-loss'), speed: 12 });
  await page.goto(server.url);
  const requests = page.locator('.tile', { hasText: 'Requests' }).locator('.figure');
  const number = async () => Number((await requests.innerText()).replace(/\D/g, ''));
  await expect.poll(number).toBeGreaterThan(1000);
  server.drop();
  await expect(page.getByText('Connection lost, trying again')).toBeVisible();
  await expect(page.getByText('Connection lost, trying again')).toBeHidden();
  const then = await number();
  await expect.poll(number).toBeGreaterThan(then);
  expect(server.opened.length).toBe(2);
  expect(server.opened[1]?.id).toMatch(/^pod-loss:\d+$/);
  expect(server.opened[1]?.from).toBeGreaterThan(0);
  // When it has ended, every second is there once.
  await expect(page.locator('.badge').first()).toHaveText('PASS', { timeout: 30_000 });
  await page.locator('#tab-charts').click();
  await page.locator('#chart-rate summary').click();
  const times = await page.locator('#chart-rate tbody th').allInnerTexts();
  expect(new Set(times).size).toBe(times.length);
  const download = page.waitForEvent('download');
  await page.locator('#chart-rate').getByRole('button', { name: /^CSV of/ }).click();
  const path = await (await download).path();
  const rows = readFileSync(path, 'utf8').trim().split('\r\n').slice(1).map((line) => line.split(',').map(Number));
  const series = fixture('pod-loss').series;
  expect(rows.map((row) => row[0])).toEqual(series.at_seconds);
  expect(rows.map((row) => row[1])).toEqual(series.answered);
  expect(wrong).toEqual([]);
});

test('by keys alone: tabs, sorting, a chart zoomed, a waterfall opened', async ({ page }) => {
  const wrong = watch(page);
  const { url } = await served({ page: fixture('pod-loss'), ended: true });
  await page.goto(url);
  await page.locator('#tab-statistics').focus();
  await page.keyboard.press('ArrowLeft');
  await expect(page.locator('#tab-verdict')).toBeFocused();
  await page.keyboard.press('Home');
  await expect(page.locator('#tab-statistics')).toHaveAttribute('aria-selected', 'true');
  await page.getByRole('button', { name: 'Max (ms)' }).focus();
  await page.keyboard.press('Enter');
  await expect(page.locator('#table-statistics th[aria-sort="descending"]')).toHaveText(/Max/);
  const highest = await page.locator('#table-statistics tbody tr').first().locator('[data-figure$=".max"]').getAttribute('data-value');
  expect(Number(highest)).toBe(Math.max(...fixture('pod-loss').statistics.filter((row) => row.stage).map((row) => row.latency_ms.max ?? 0)));
  await page.locator('#tab-statistics').focus();
  await page.keyboard.press('ArrowRight');
  await page.locator('#chart-rate .plot').focus();
  for (const key of ['Home', 'ArrowRight', 'Shift+ArrowRight', 'Shift+ArrowRight', 'Shift+ArrowRight']) await page.keyboard.press(key);
  await expect(page.locator('#said')).toHaveText(/RPS \d/);
  await page.keyboard.press('Enter');
  await expect(page.getByText(/^Shown: 0:02/)).toBeVisible();
  await page.keyboard.press('Escape');
  await expect(page.getByText('The whole run')).toBeVisible();
  await page.locator('#tab-traces').focus();
  await page.keyboard.press('Enter');
  await page.locator('#table-traces [data-trace]').first().focus();
  await page.keyboard.press('Enter');
  const bar = page.locator('#waterfall .bar-row').first();
  await bar.focus();
  await page.keyboard.press('Enter');
  await expect(bar).toHaveAttribute('aria-expanded', 'true');
  await expect(page.locator('#waterfall .attributes')).toBeVisible();
  await accessible(page, 'waterfall');
  expect(wrong).toEqual([]);
});

test('all charts show what one of them is zoomed to by the mouse, and let it go', async ({ page }) => {
  const { url } = await served({ page: fixture('scale-out'), ended: true });
  await page.goto(url);
  await page.locator('#tab-charts').click();
  const over = page.locator('#chart-latency .u-over');
  const box = await over.boundingBox();
  if (!box) throw new Error('the chart is not drawn');
  await page.mouse.move(box.x + box.width * 0.2, box.y + 40);
  await page.mouse.down();
  await page.mouse.move(box.x + box.width * 0.5, box.y + 40, { steps: 5 });
  await page.mouse.up();
  const shown = page.getByText(/^Shown: /);
  await expect(shown).toBeVisible();
  await page.locator('#chart-rate summary').click();
  const rows = await page.locator('#chart-rate tbody tr').count();
  expect(rows).toBeLessThan(fixture('scale-out').series.at_seconds.length * 0.5);
  await page.getByRole('button', { name: 'Reset zoom' }).click();
  await expect(shown).toBeHidden();
  await page.getByRole('button', { name: 'Failures/s', exact: false }).first().click();
  await expect(page.locator('#chart-rate .curve[aria-pressed="false"]')).toHaveCount(1);
});

test('a run is started from the form, its faults said beside it; stopped; users changed by keys', async ({ page }) => {
  const wrong = watch(page, /400/);
  const server = await served({ page: null, speed: 20 });
  await page.goto(server.url);
  await page.getByLabel('Plan').selectOption('replica-loss');
  await expect(page.getByText('SIGTERM, SIGSTOP and SIGKILL')).toBeVisible();
  await page.getByText('More', { exact: true }).click();
  await page.getByLabel('Rate', { exact: true }).fill('many');
  await page.getByRole('button', { name: 'Start' }).click();
  await expect(page.getByRole('alert')).toHaveText('rate: "many" is no number');
  await page.getByLabel('Rate', { exact: true }).fill('0');
  await page.getByRole('button', { name: 'Start' }).click();
  await expect(page.getByRole('alert')).toHaveText(/a rate is above 0/);
  await page.getByLabel('Rate', { exact: true }).fill('100, 200');
  await page.getByLabel('Number of users').fill('20');
  await page.getByRole('button', { name: 'Start' }).click();
  await expect(page.getByRole('tab', { name: 'Statistics' })).toBeVisible();
  expect(server.posted.at(-1)?.body).toEqual({ plan: 'replica-loss', users: [20], spawn_rate: null, host: null, run_time: null, connections: null, rate: [100, 200], replicas: null, scale_time: null });
  await expect(page.getByRole('group', { name: 'Users' })).toBeVisible();
  for (const key of ['w', 'W', 's', 'S']) await page.keyboard.press(key);
  await expect.poll(() => server.posted.filter((one) => one.path === '/api/users').map((one) => one.body.change)).toEqual([1, 10, -1, -10]);
  await page.getByRole('button', { name: 'Stop' }).click();
  await expect(page.getByRole('button', { name: 'New run' })).toBeVisible();
  expect(wrong).toEqual([]);
});

test('times from the intended start or from the send', async ({ page }) => {
  const document = fixture('pod-loss');
  const { url } = await served({ page: document, ended: true });
  await page.goto(url);
  const cell = page.locator('tr[data-stage="evicted"]').first();
  await expect(cell.locator('[data-figure="latency_ms.p99"]')).toHaveAttribute('data-value', String(document.statistics.find((row) => row.stage === 'evicted')?.latency_ms.p99));
  await page.getByLabel('from the send').check();
  await expect(cell.locator('[data-figure="service_time_ms.p99"]')).toHaveAttribute('data-value', String(document.statistics.find((row) => row.stage === 'evicted')?.service_time_ms.p99));
});

test('a baseline is dashed in the charts, and the comparison is said', async ({ page }) => {
  const document = fixture('pod-loss');
  const wrong = watch(page);
  document.baseline = fixture('pod-loss');
  document.comparison = {
    schema: 'compare/1', outcome: 'fail', reasons: ['steady: p99 latency is 40 % worse'], noise: 0.05, confidence: 0.99, a: 'pod-loss, yesterday: PASS', b: 'pod-loss, today: PASS',
    stages: [{ name: 'steady', figures: [
      { name: 'requests per second', unit: 'per_second', better: 'higher', a: { value: 300, low: 299.5, high: 300.5, n: 4500 }, b: { value: 300, low: 299, high: null, n: 4500 }, relative: 0, change: 'within_noise' },
      { name: 'latency p99', unit: 'milliseconds', better: 'lower', a: { value: 5.2, low: 4.9, high: 5.5, n: 4500 }, b: { value: 7.3, low: 6.8, high: 7.9, n: 4500 }, relative: 0.4038, change: 'regression' },
      { name: 'latency p99.9', unit: 'milliseconds', better: 'lower', a: null, b: null, relative: null, change: 'not_supported' }] }],
  };
  await page.goto(file(document, 'compared'));
  await expect(page.locator('main section.sheet h2').nth(1)).toHaveText('Comparison');
  await expect(page.locator('[data-pair="latency p99"]')).toContainText('+40.4 %');
  await expect(page.locator('[data-pair="latency p99"]')).toContainText('worse');
  await expect(page.locator('#chart-rate .curve', { hasText: 'RPS, baseline' })).toHaveCount(1);
  await accessible(page, 'comparison');
  expect(wrong).toEqual([]);
});

test('on paper: pages of A4, charts within them, in light colours', async ({ page }) => {
  await page.emulateMedia({ colorScheme: 'dark' });
  await page.goto(file(fixture('scale-out'), 'printed'));
  const pdf = await page.pdf({ format: 'A4', preferCSSPageSize: true, printBackground: true });
  const pages = pdf.toString('latin1').match(/\/Type\s*\/Page\b(?!s)/g)?.length ?? 0;
  expect(pages).toBeGreaterThan(3);
  await page.setViewportSize({ width: 703, height: 1000 });
  await page.emulateMedia({ media: 'print' });
  await page.evaluate(() => dispatchEvent(new Event('beforeprint')));
  await narrow(page, 'paper');
  expect(await page.evaluate(() => getComputedStyle(document.body).backgroundColor)).toBe('rgb(255, 255, 255)');
  for (const canvas of await page.locator('canvas').all()) {
    const box = await canvas.boundingBox();
    expect((box?.x ?? 0) + (box?.width ?? 0)).toBeLessThanOrEqual(703);
  }
  await page.emulateMedia({ media: 'screen' });
  await page.evaluate(() => dispatchEvent(new Event('afterprint')));
  await expect(page.locator('#chart-rate canvas')).toBeVisible();
});

test('a page that is left open stays small: long series are thinned, charts of hidden tabs let go', async ({ page }) => {
  const long = fixture('pod-loss');
  const seconds = 30_000;
  for (const [name, column] of Object.entries(long.series)) {
    if (Array.isArray(column)) /** @type {any} */ (long.series)[name] = Array.from({ length: seconds }, (_, i) => (name === 'at_seconds' ? i : column[i % column.length]));
  }
  long.series.p99_ms[20_000] = 987;
  const { url } = await served({ page: long, ended: true });
  await page.goto(url);
  await page.locator('#tab-charts').click();
  await expect(page.locator('#chart-latency canvas')).toBeVisible();
  await page.locator('#chart-latency summary').click();
  expect(await page.locator('#chart-latency tbody tr').count()).toBeLessThanOrEqual(301);
  for (let turn = 0; turn < 5; turn += 1) {
    await page.locator('#tab-scaling').click();
    await page.locator('#tab-charts').click();
  }
  await page.locator('#tab-verdict').click();
  await expect(page.locator('canvas')).toHaveCount(0);
});

test('whoever goes from tab to tab while a run goes on leaves nothing behind', async ({ page }) => {
  const { url } = await served({ page: fixture('pod-loss'), speed: 1 });
  await page.goto(url);
  const devtools = await page.context().newCDPSession(page);
  const around = async (/** @type {number} */ turns) => {
    for (let turn = 0; turn < turns; turn += 1) {
      for (const tab of TABS) await page.locator(`#tab-${tab}`).click();
    }
    await devtools.send('HeapProfiler.collectGarbage');
    return devtools.send('Memory.getDOMCounters');
  };
  const before = await around(2);
  const after = await around(10);
  // Ten times as often as before: what stayed behind each time would show itself many times over.
  expect(after.nodes).toBeLessThan(before.nodes * 1.5);
  expect(after.jsEventListeners).toBeLessThan(before.jsEventListeners * 1.5);
});
