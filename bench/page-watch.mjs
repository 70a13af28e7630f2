// Keeps a page open until it is told to end, and prints every so many seconds what it sees: bytes of the JavaScript heap after
// a collection, nodes of the document, milliseconds that a round trip to the page's main thread took; and the share of a CPU that
// the process which serves the page, and the browser with this program, have had since the page had been open for a while.
// Usage: page-watch.mjs URL PID A_WHILE EVERY, in seconds
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const { chromium } = createRequire(new URL('../verifier/page/package.json', import.meta.url))('@playwright/test');
const [url, server, aWhile, every] = process.argv.slice(2);

/** Seconds of CPU, and the parent, of each process that there is (proc_pid_stat(5); a tick is 10 ms on Linux). */
const processes = () => new Map(readdirSync('/proc').filter((name) => /^\d+$/.test(name)).flatMap((pid) => {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\) /s, '').split(' ');
    return [[pid, { parent: fields[1], cpu: (Number(fields[11]) + Number(fields[12])) / 100 }]];
  } catch { return []; } // It has ended meanwhile.
}));
/** Those of a process and all below it. */
const tree = (all, root) => [...all.keys()].filter((pid) => {
  for (let up = pid; all.has(up); up = all.get(up).parent) if (up === root) return true;
  return false;
});
const cpu = () => {
  const all = processes();
  const browser = tree(all, String(process.pid)).reduce((sum, pid) => sum + all.get(pid).cpu, 0);
  return { server: all.get(server)?.cpu ?? NaN, browser, at: performance.now() / 1000 };
};
const opened = performance.now();
const browser = await chromium.launch({ executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium' });
const end = async () => { await browser.close(); process.exit(0); };
process.on('SIGTERM', () => void end());
// Its session is one of its own: where the kernel groups by session, a nice value counts within the group alone.
for (const pid of tree(processes(), String(process.pid))) {
  try { writeFileSync(`/proc/${pid}/autogroup`, '19'); } catch { /* No such grouping here, or ended. */ }
}
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
await new Promise((later) => setTimeout(later, Number(aWhile) * 1000 - (performance.now() - opened)));
const began = cpu();
for (;;) {
  await new Promise((later) => setTimeout(later, Number(every) * 1000));
  const asked = performance.now();
  await page.evaluate(() => 1);
  const answer = performance.now() - asked;
  await devtools.send('HeapProfiler.collectGarbage');
  const { metrics } = await devtools.send('Performance.getMetrics');
  const of = (name) => metrics.find((metric) => metric.name === name)?.value ?? NaN;
  const now = cpu();
  const share = (/** @type {'server' | 'browser'} */ whose) => (100 * (now[whose] - began[whose]) / (now.at - began.at)).toFixed(1);
  console.log(
    `heap ${(of('JSHeapUsedSize') / 2 ** 20).toFixed(1)} MiB, ${of('Nodes')} nodes, ${of('JSEventListeners')} listeners, `
    + `answers in ${answer.toFixed(0)} ms, its main thread ${of('TaskDuration').toFixed(1)} s (script ${of('ScriptDuration').toFixed(1)}, layout ${of('LayoutDuration').toFixed(1)}, style ${of('RecalcStyleDuration').toFixed(1)}), ${errors.length} errors; `
    + `of a CPU: server ${share('server')} %, browser ${share('browser')} %`,
  );
}
