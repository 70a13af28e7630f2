// Files of the run folder in, the tab Download Data out: Locust's by their usual names first, then the report, then all.

import { h } from './dom.js';
import { bytes, count } from './format.js';
import { goesOn, model } from './store.js';
import { table } from './table.js';

/** What each file is; the first that fits. @type {[RegExp, string][]} */
const FILES_MEAN = [
  [/^report\.html$/, 'this page, frozen into one file'], [/^report\.md$/, 'the verdict as text'], [/^verdict\.json$/, 'the verdict, for programs'],
  [/locust_stats\.csv$/, 'request statistics'], [/locust_stats_history\.csv$/, 'full history, second by second'], [/locust_failures\.csv$/, 'failures'], [/locust_exceptions\.csv$/, 'exceptions'],
  [/^page\.json$/, 'what this page shows'], [/^plan\.toml$/, 'the plan, every default filled in'], [/^journal\.jsonl$/, 'everything that changes slowly'],
  [/^exchanges\./, 'a row for each planned request'], [/^spans\./, 'a row for each span'], [/\.hgrm$/, 'percentiles, HdrHistogram'], [/wrk_/, 'as wrk prints'], [/oha/, 'as oha prints'], [/perf_analyzer/, 'as perf_analyzer writes'],
  [/waterfalls\//, 'a waterfall'], [/^opentelemetry_traces\//, 'traces'], [/target-.*\.log$/, 'what a replica has printed'], [/_report\.txt$/, 'a report as text'],
];

/** @param {string} path */
function meaning(path) {
  return FILES_MEAN.find(([pattern]) => pattern.test(path))?.[1] ?? '';
}

/** Locust's first, then the report, then the rest by name. @param {RunFile} file */
function place(file) {
  const locust = ['locust_stats.csv', 'locust_stats_history.csv', 'locust_failures.csv', 'locust_exceptions.csv'].findIndex((name) => file.path.endsWith(name));
  if (locust >= 0) return locust;
  const named = ['report.html', 'report.md', 'verdict.json'].indexOf(file.path);
  return named >= 0 ? 10 + named : 20;
}

/** Beside the frozen page lies its run folder; a live page asks the verifier. @param {string} path */
function address(path) {
  const encoded = path.split('/').map(encodeURIComponent).join('/');
  return model.frozen ? encoded : `/files/${encoded}`;
}

/** What Locust's own page offers, while the run goes on. */
function locusts() {
  /** @type {[string, string][]} */
  const all = [['/stats/requests/csv', 'Download requests CSV'], ['/stats/failures/csv', 'Download failures CSV'], ['/exceptions/csv', 'Download exceptions CSV'], ['/stats/requests_full_history/csv', 'Download full request statistics history CSV']];
  return h('section', { class: 'card', key: 'locust' }, h('h3', null, 'As of now, in Locust’s form'),
    h('ul', { class: 'plain' }, all.map(([href, name]) => h('li', { key: href }, h('a', { href, download: true }, name)))));
}

/** @param {RunFile[]} rows @param {string} id @param {string} label */
function filesTable(rows, id, label) {
  return table({
    id, label, rows, key: (row) => row.path,
    columns: [
      { name: 'File', show: (row) => h('a', { href: address(row.path), download: model.frozen ? null : row.path.split('/').at(-1), 'data-file': row.path }, row.path) },
      { name: 'What it is', wrap: true, show: (row) => meaning(row.path) }, { name: 'Size', number: true, value: (row) => row.bytes, figure: 'bytes', show: (row) => (row.bytes === null ? '–' : bytes(row.bytes)) },
    ],
  });
}

/** @param {RunPage} page */
export function downloadsTab(page) {
  const all = [...page.files].sort((a, b) => place(a) - place(b) || a.path.localeCompare(b.path));
  // Pictures of single traces are many; whoever wants one finds it behind one line.
  const pictures = all.filter((file) => file.path.includes('/waterfalls/'));
  const rows = all.filter((file) => !pictures.includes(file));
  return [
    goesOn(page) ? locusts() : null,
    all.length === 0 ? h('p', { class: 'card plainly', key: 'none' }, 'The run folder holds no file yet.') : h('div', { key: 'files', class: 'part' },
      model.frozen ? h('p', { class: 'note' }, 'These files lie in the run folder, beside this one; the links lead there.') : null,
      filesTable(rows, 'files', 'Files of the run folder'),
      pictures.length > 0 ? h('details', null, h('summary', null, `Waterfalls as pictures (${count(pictures.length)})`), filesTable(pictures, 'pictures', 'Waterfalls as pictures')) : null),
  ];
}
