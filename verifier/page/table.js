// Columns and rows in, a table out that scrolls within itself and can be sorted by its headers.

import { h } from './dom.js';
import { choose, model } from './store.js';

/** A column. `value` sorts and is written for tests into `data-value`; `show` is what a person reads.
 * `path` says where the figure stands in the verdict.
 * @template R @typedef {{name: string, title?: string, number?: boolean, value?: (row: R) => string | number | null,
 *   show: (row: R) => import('./dom.js').Child, figure?: string, path?: (row: R) => string, wrap?: boolean}} TableColumn */

/** @template R @typedef {{id: string, label: string, columns: TableColumn<R>[], rows: R[], key?: (row: R, index: number) => string,
 *   rowProps?: (row: R) => import('./dom.js').Props, foot?: R[], sortable?: boolean, empty?: string}} Table */

/** @template R @param {Table<R>} spec */
export function table(spec) {
  const { id, label, columns, rows } = spec;
  if (rows.length === 0 && !spec.foot?.length) return h('p', { class: 'soft' }, spec.empty ?? 'None.');
  const chosen = model.choices.sort[id];
  const by = spec.sortable ? columns.find((column) => column.name === chosen?.by) : undefined;
  const sorted = by?.value ? [...rows].sort((a, b) => order(by.value?.(a), by.value?.(b), chosen?.down ?? false)) : rows;
  /** @param {R} row @param {number} index */
  const line = (row, index) =>
    h('tr', { key: spec.key?.(row, index), ...spec.rowProps?.(row) }, columns.map((column, at) => cell(column, row, at === 0)));
  return h('div', { class: 'scroll', role: 'region', 'aria-label': label, tabindex: 0 },
    h('table', { id: `table-${id}` },
      h('caption', { class: 'unseen' }, label),
      h('thead', null, h('tr', null, columns.map((column) => columnHeader(id, column, spec.sortable ?? false)))),
      h('tbody', null, sorted.map(line)),
      spec.foot?.length ? h('tfoot', null, spec.foot.map(line)) : null));
}

/** @template R @param {TableColumn<R>} column @param {R} row @param {boolean} first */
function cell(column, row, first) {
  const value = column.value?.(row);
  const marked = column.figure !== undefined || column.path !== undefined;
  return h(first ? 'th' : 'td', {
    scope: first ? 'row' : null, class: column.number ? 'n' : column.wrap ? 'wrap' : null, 'data-figure': column.figure,
    'data-path': column.path?.(row), 'data-value': marked ? String(value ?? 'null') : null,
  }, column.show(row));
}

/** @template R @param {string} id @param {TableColumn<R>} column @param {boolean} sortable */
function columnHeader(id, column, sortable) {
  const chosen = model.choices.sort[id];
  const active = chosen?.by === column.name;
  const props = { scope: 'col', class: column.number ? 'n' : null, title: column.title };
  if (!sortable || !column.value) return h('th', props, column.name);
  // The first press shows the greatest figures first, or the words from A on.
  const down = active ? !chosen.down : column.number ?? false;
  return h('th', { ...props, 'aria-sort': active ? (chosen.down ? 'descending' : 'ascending') : null },
    h('button', { class: 'sort', type: 'button', on: { click: () => choose({ sort: { ...model.choices.sort, [id]: { by: column.name, down } } }) } },
      column.name, h('span', { 'aria-hidden': 'true', class: 'arrow' }, active ? (chosen.down ? '▾' : '▴') : '')));
}

/** What is unknown comes last, whichever way. @param {string | number | null | undefined} a @param {string | number | null | undefined} b @param {boolean} down */
function order(a, b, down) {
  const [left, right] = [a ?? null, b ?? null];
  if (left === null || right === null) return left === right ? 0 : left === null ? 1 : -1;
  const rising = typeof left === 'number' && typeof right === 'number' ? left - right : String(left).localeCompare(String(right));
  return down ? -rising : rising;
}

/** Two columns of words: what, and its figure. @param {[string, import('./dom.js').Child, import('./dom.js').Props?][]} pairs */
export function facts(pairs) {
  return h('dl', { class: 'facts' }, pairs.map(([name, value, props]) =>
    h('div', null, h('dt', null, name), h('dd', props ?? null, value))));
}

/** The attributes by which a test finds a figure of the verdict: where it stands there, and its value as it stands there.
 * @param {string} path @param {string | number | boolean | null | undefined} value */
export function figureOf(path, value) {
  return { 'data-path': path, 'data-value': value === null || value === undefined ? 'null' : String(value) };
}
