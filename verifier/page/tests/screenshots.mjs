// A run in, pictures of the page out, into docs/images: each tab in light, some in dark and at a phone, and the report.
// The run is the real verifier's where VERIFIER names its binary, else a made-up document. Usage: node screenshots.mjs [FOLDER]
import { spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { chromium } from '@playwright/test';
import { fixture, serve } from '../dev-server.mjs';
import { frozen } from './frozen.mjs';
import { TABS } from './seen.mjs';

const out = resolve(process.argv[2] ?? fileURLToPath(new URL('../../../docs/images', import.meta.url)));
mkdirSync(out, { recursive: true });
const work = mkdtempSync(join(tmpdir(), 'page-pictures-'));
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', args: process.getuid?.() === 0 ? ['--no-sandbox'] : [] });

/** @param {string} url @param {'light' | 'dark'} colorScheme @param {number} width @param {number} height */
async function opened(url, colorScheme, width, height) {
  const page = await browser.newPage({ viewport: { width, height }, colorScheme, locale: 'en-GB', timezoneId: 'UTC', reducedMotion: 'reduce' });
  await page.goto(url);
  return page;
}

/** The verifier's own page, a run on it, its end awaited. @returns {Promise<{live: string, report: string, close: () => Promise<unknown>}>} */
async function real() {
  const verifier = spawn(resolve(process.env.VERIFIER ?? ''), ['web', '--listen', '127.0.0.1:0'], { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] });
  const live = await new Promise((done, failed) => {
    let text = '';
    const heard = (/** @type {Buffer} */ data) => {
      text += data;
      const url = /http:\/\/127\.0\.0\.1:\d+\S*/.exec(text)?.[0];
      if (url) done(url);
    };
    verifier.stdout.on('data', heard);
    verifier.stderr.on('data', heard);
    verifier.once('exit', () => failed(new Error(`the verifier ended: ${text}`)));
  });
  const page = await opened(live, 'light', 1180, 760);
  await page.getByRole('heading', { name: 'Start new load test' }).waitFor();
  await page.getByLabel('Plan').selectOption('replica-loss');
  await page.screenshot({ path: join(out, 'page-start.png') });
  await page.getByText('More', { exact: true }).click();
  await page.getByLabel('Replicas').fill('3');
  await page.getByLabel('Scale time').fill('0.5');
  await page.getByRole('button', { name: 'Start' }).click();
  await page.getByRole('tab', { name: 'Charts' }).click({ timeout: 30_000 });
  await page.locator('.head .badge.running').waitFor({ timeout: 30_000 });
  // Some of the run, so that there are curves to be seen.
  await page.locator('.mark-fault').first().waitFor({ timeout: 60_000 });
  await page.screenshot({ path: join(out, 'page-live.png') });
  await page.locator('.head .badge').getByText(/PASS|FAIL|UNKNOWN/).waitFor({ timeout: 120_000 });
  await page.close();
  const run = readdirSync(join(work, 'runs'))[0] ?? '';
  const close = () => new Promise((done) => { verifier.once('exit', done); verifier.kill('SIGINT'); });
  return { live, report: pathToFileURL(join(work, 'runs', run, 'report.html')).href, close };
}

/** @returns {Promise<{live: string, report: string, close: () => Promise<unknown>}>} */
async function madeUp() {
  const path = join(work, 'report.html');
  writeFileSync(path, frozen(fixture('pod-loss')));
  const { url, close } = await serve({ page: fixture('pod-loss'), ended: true });
  return { live: url, report: pathToFileURL(path).href, close };
}

const { live, report, close } = process.env.VERIFIER ? await real() : await madeUp();
for (const [scheme, width, height] of /** @type {const} */ ([['light', 1180, 760], ['dark', 1180, 760], ['light', 390, 844]])) {
  const page = await opened(live, scheme, width, height);
  for (const tab of TABS) {
    await page.locator(`#tab-${tab}`).click();
    if (tab === 'traces') await page.locator('#table-traces [data-trace]').first().click();
    await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
    await page.screenshot({ path: join(out, `page-${tab}-${width === 390 ? 'phone' : scheme}.png`) });
  }
  await page.close();
}
for (const scheme of /** @type {const} */ (['light', 'dark'])) {
  const page = await opened(report, scheme, 1180, 1100);
  await page.locator('main section.sheet h2').first().waitFor();
  await page.screenshot({ path: join(out, `report-${scheme}.png`) });
  await page.close();
}
await browser.close();
await close();
console.log(`pictures: ${out}`);
