// A page in, what must not happen on it out: messages in the console, requests that leave this machine, faults for those
// who can not see or point.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { expect } from '@playwright/test';

const AXE = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

/** Listens from now on. @param {import('@playwright/test').Page} page @param {RegExp} [allowed] Messages that a test provokes. */
export function watch(page, allowed) {
  /** @type {string[]} */
  const wrong = [];
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type()) && !allowed?.test(message.text())) wrong.push(`${message.type()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => wrong.push(String(error.stack)));
  page.on('request', (request) => {
    const url = new URL(request.url());
    if (['http:', 'https:', 'ws:', 'wss:'].includes(url.protocol) && url.hostname !== '127.0.0.1') wrong.push(`leaves the machine: ${request.url()}`);
  });
  return wrong;
}

/** No serious or critical fault by axe. @param {import('@playwright/test').Page} page @param {string} where */
export async function accessible(page, where) {
  // By evaluation: the page's policy lets no script of others in.
  await page.evaluate(AXE);
  const { violations } = await page.evaluate(() => /** @type {any} */ (globalThis).axe.run(document, { resultTypes: ['violations'] }));
  const serious = violations.filter((/** @type {any} */ one) => ['serious', 'critical'].includes(one.impact))
    .map((/** @type {any} */ one) => `${where}: ${one.id}: ${one.nodes.slice(0, 3).map((/** @type {any} */ node) => `${node.target} ${node.failureSummary}`).join(' | ')}`);
  expect(serious).toEqual([]);
}

/** Nothing is wider than the page. @param {import('@playwright/test').Page} page @param {string} where */
export async function narrow(page, where) {
  const [wide, shown] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
  expect(wide, `${where}: wider than the page`).toBeLessThanOrEqual(shown ?? 0);
}

/** The tabs, in their order. */
export const TABS = ['statistics', 'charts', 'failures', 'traces', 'scaling', 'incidents', 'download', 'verdict'];

/** Figures of an element's descendants that say where they stand in the verdict, each as it stands there.
 * @param {import('@playwright/test').Page} page @returns {Promise<{path: string, value: string, text: string}[]>} */
export function figures(page) {
  return page.$$eval('[data-path]', (all) => all.map((el) => ({
    path: /** @type {HTMLElement} */ (el).dataset.path ?? '', value: /** @type {HTMLElement} */ (el).dataset.value ?? '', text: el.textContent ?? '',
  })));
}

/** What stands at a path of the verdict, as the page writes it. @param {any} verdict @param {string} path */
export function at(verdict, path) {
  const [steps = '', ...names] = path.split('|');
  let value = verdict;
  for (const step of [...steps.split('.'), ...names]) value = value?.[step];
  if (value === null || value === undefined) return 'null';
  return typeof value === 'object' ? JSON.stringify(value) : String(value);
}
