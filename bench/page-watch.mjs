// Keeps a page open until it is told to end, and prints every ten seconds what it sees: bytes of the JavaScript heap after
// a collection, nodes of the document, milliseconds that a round trip to the page's main thread took, seconds shown.
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../verifier/page/package.json', import.meta.url))('@playwright/test');
const url = process.argv[2];
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
const end = async () => { await browser.close(); process.exit(0); };
process.on('SIGTERM', () => void end());
const page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
const errors = [];
page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
page.on('pageerror', (error) => errors.push(String(error)));
for (let tries = 0; ; tries += 1) {
  try { await page.goto(url); break; } catch (error) {
    if (tries === 100) throw error;
    await new Promise((later) => setTimeout(later, 50));
  }
}
// Charts are what costs most to show.
await page.getByRole('tab', { name: 'Charts' }).click();
const devtools = await page.context().newCDPSession(page);
await devtools.send('HeapProfiler.enable');
await devtools.send('Performance.enable');
for (;;) {
  await new Promise((later) => setTimeout(later, 10_000));
  const began = performance.now();
  await page.evaluate(() => 1);
  const answer = performance.now() - began;
  await devtools.send('HeapProfiler.collectGarbage');
  const { metrics } = await devtools.send('Performance.getMetrics');
  const of = (name) => metrics.find((metric) => metric.name === name)?.value ?? NaN;
  console.log(
    `heap ${(of('JSHeapUsedSize') / 2 ** 20).toFixed(1)} MiB, ${of('Nodes')} nodes, ${of('JSEventListeners')} listeners, `
    + `answers in ${answer.toFixed(0)} ms, script ${of('ScriptDuration').toFixed(1)} s of ${of('Timestamp').toFixed(0)}, ${errors.length} errors`,
  );
}
