// Kinds of failures in, the tab Failures out: how often, when first and last, and one of them to look at.

import { h } from './dom.js';
import { count, seconds, words } from './format.js';
import { table } from './table.js';
import { traceButton } from './words.js';

/** What each outcome means. @type {Record<string, string>} */
const OUTCOMES_MEAN = {
  http_error: 'answered with 4xx or 5xx', timeout: 'no whole answer in time', connect_error: 'no connection',
  reset: 'the connection broke, or spoke no HTTP', unsent: 'never sent',
};

/** @param {RunPage} page */
export function failuresTab(page) {
  if (page.failures.length === 0) return h('p', { class: 'card plainly' }, page.run.state === 'ended' ? 'No request has failed.' : 'No request has failed so far.');
  /** @type {import('./table.js').TableColumn<FailureLine>[]} */
  const columns = [
    { name: 'Method', value: (row) => row.method, show: (row) => row.method },
    { name: 'Name', value: (row) => row.name, show: (row) => row.name },
    { name: 'Kind', value: (row) => row.outcome, show: (row) => h('span', { class: 'bad' }, words(row.outcome), h('span', { class: 'note' }, ` ${OUTCOMES_MEAN[row.outcome] ?? ''}`)) },
    { name: 'Status', number: true, value: (row) => row.status, show: (row) => row.status ?? '–' },
    { name: '# Failures', number: true, figure: 'count', value: (row) => row.count, show: (row) => count(row.count) },
    { name: 'First seen', number: true, figure: 'first_seconds', value: (row) => row.first_seconds, show: (row) => seconds(row.first_seconds) },
    { name: 'Last seen', number: true, figure: 'last_seconds', value: (row) => row.last_seconds, show: (row) => seconds(row.last_seconds) },
    { name: 'Example trace', show: (row) => (row.example ? traceButton(page, row.example, `${row.example.slice(0, 16)}…`) : 'none: never sent') },
  ];
  return table({
    id: 'failures', label: 'Failures', sortable: true, columns, rows: page.failures, key: (row) => `${row.method}/${row.name}/${row.outcome}/${row.status}`,
    rowProps: (row) => ({ 'data-outcome': row.outcome, 'data-status': row.status, 'data-name': row.name }),
  });
}
