// The sources and a document in, report.html out: joined as verifier/src/verdict/report does it, for tests of the page alone.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('..', import.meta.url);
/** @param {string} name */
export const source = (name) => readFileSync(fileURLToPath(new URL(name, folder)), 'utf8');
export const modules = source('modules.txt').trim().split('\n');

/** One script of all modules: imports and the word `export` taken out. */
export function joined() {
  return modules.map((name) => source(name).replace(/^import .*;$\n/gm, '').replace(/^export /gm, '')).join('\n');
}

/** @param {string} text */
const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** @param {unknown} page */
export function frozen(page) {
  const script = joined();
  const plot = source('vendor/uPlot.iife.min.js');
  const style = source('vendor/uPlot.min.css') + source('page.css');
  const policy = `default-src 'none'; script-src ${hash(plot)} ${hash(script)}; style-src ${hash(style)}; img-src data:; base-uri 'none'; form-action 'none'`;
  const json = JSON.stringify(page).replaceAll('<', '\\u003c');
  return source('index.html')
    .replace('<meta charset="utf-8">', () => `<meta charset="utf-8">\n<meta http-equiv="Content-Security-Policy" content="${policy}">`)
    .replace('<link rel="stylesheet" href="vendor/uPlot.min.css">\n', '')
    .replace('<link rel="stylesheet" href="page.css">', () => `<style>${style}</style>`)
    .replace('id="page">null<', () => `id="page">${json}<`)
    .replace('<script src="vendor/uPlot.iife.min.js"></script>', () => `<script>${plot}</script>`)
    .replace('<script type="module" src="main.js"></script>', () => `<script type="module">${script}</script>`);
}
