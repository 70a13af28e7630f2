// Columns and a range in, columns of few points out: of each bucket the least and the greatest, so that no peak is lost.

/** Points of one curve beyond which it is thinned. */
export const MOST_POINTS = 4000;

/** Rows from and to (exclusive) that a range shows, one beyond each end so that lines reach the edge.
 * @param {number[]} xs @param {{min: number, max: number} | null} range @returns {[number, number]} */
export function rowsWithin(xs, range) {
  if (!range) return [0, xs.length];
  let [low, high] = [0, xs.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (/** @type {number} */ (xs[middle]) < range.min) low = middle + 1;
    else high = middle;
  }
  let end = low;
  while (end < xs.length && /** @type {number} */ (xs[end]) <= range.max) end += 1;
  return [Math.max(0, low - 1), Math.min(xs.length, end + 1)];
}

/** @param {number[]} xs @param {Column[]} columns @param {{min: number, max: number} | null} range
 * @returns {[number[], ...Column[]]} */
export function thinned(xs, columns, range) {
  const [from, to] = rowsWithin(xs, range);
  if (to - from <= MOST_POINTS) {
    const whole = from === 0 && to === xs.length;
    return whole ? [xs, ...columns] : [xs.slice(from, to), ...columns.map((column) => column.slice(from, to))];
  }
  const size = Math.ceil((to - from) / (MOST_POINTS / 2));
  /** @type {number[]} */
  const at = [];
  /** @type {Column[]} */
  const out = columns.map(() => []);
  for (let begin = from; begin < to; begin += size) {
    const end = Math.min(to, begin + size);
    at.push(/** @type {number} */ (xs[begin]));
    if (end - begin > 1) at.push(/** @type {number} */ (xs[end - 1]));
    columns.forEach((column, c) => {
      const [first, second] = extremes(column, begin, end);
      out[c]?.push(first);
      if (end - begin > 1) out[c]?.push(second);
    });
  }
  return [at, ...out];
}

/** The least and the greatest of a bucket, in the order in which they came. @param {Column} column
 * @param {number} begin @param {number} end @returns {[Maybe, Maybe]} */
function extremes(column, begin, end) {
  let [least, greatest] = [-1, -1];
  for (let row = begin; row < end; row += 1) {
    const value = column[row] ?? null;
    if (value === null) continue;
    if (least < 0 || value < /** @type {number} */ (column[least])) least = row;
    if (greatest < 0 || value > /** @type {number} */ (column[greatest])) greatest = row;
  }
  if (least < 0) return [null, null];
  return [column[Math.min(least, greatest)] ?? null, column[Math.max(least, greatest)] ?? null];
}
