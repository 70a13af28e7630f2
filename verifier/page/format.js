// Figures in, words for a person out: rounded as the verifier's text reports round them.

/** What stands where nothing is known. */
export const UNKNOWN = 'n/a';
const THIN = '\u202f';

/** Half to even where the figure lies exactly between, as Rust's `format!` does.
 * @param {number} value @param {number} digits */
export function fixed(value, digits) {
  const text = value.toFixed(digits);
  const exact = value.toFixed(Math.min(100, digits + 60));
  const rest = exact.slice(exact.indexOf('.') + 1 + digits);
  if (!/^50*$/.test(rest)) return text;
  const cut = exact.slice(0, exact.length - rest.length).replace(/\.$/, '');
  return Number(cut.at(-1)) % 2 === 0 ? cut : text;
}

/** @param {string} digits */
function thousands(digits) {
  return digits.replace(/\B(?=(\d{3})+(?!\d))/g, THIN);
}

/** A count. @param {number | null | undefined} value */
export function count(value) {
  return value === null || value === undefined ? UNKNOWN : thousands(String(Math.round(value)));
}

/** A number with so many decimals. @param {number | null | undefined} value @param {number} digits */
export function decimal(value, digits) {
  if (value === null || value === undefined) return UNKNOWN;
  const [whole = '', part] = fixed(value, digits).split('.');
  return thousands(whole) + (part === undefined ? '' : `.${part}`);
}

/** @param {number} value */
function three(value) {
  const size = Math.abs(value);
  return size >= 100 ? 0 : size >= 10 ? 1 : 2;
}

/** Milliseconds: three significant digits, and the unit that suits. @param {number | null | undefined} ms */
export function duration(ms) {
  if (ms === null || ms === undefined) return UNKNOWN;
  const size = Math.abs(ms);
  if (size >= 1000) return `${fixed(ms / 1e3, three(ms / 1e3))} s`;
  if (size >= 1 || size === 0) return `${fixed(ms, three(ms))} ms`;
  return `${fixed(ms * 1e3, three(ms * 1e3))} µs`;
}

/** A share; never rounded up to 100 %. @param {number | null | undefined} share */
export function percent(share) {
  if (share === null || share === undefined) return UNKNOWN;
  if (share === 0) return '0 %';
  return share === 1 ? '100 %' : `${fixed(Math.floor(share * 1e5) / 1e3, 3)} %`;
}

/** A share in few digits: of failures, of the work. @param {number | null | undefined} share */
export function roughly(share) {
  if (share === null || share === undefined) return UNKNOWN;
  const hundred = share * 100;
  if (hundred === 0 || hundred === 100) return `${hundred} %`;
  if (hundred < 0.01) return '< 0.01 %';
  if (hundred > 99.99) return '> 99.99 %';
  return `${fixed(hundred, hundred < 10 || hundred > 99 ? 2 : 1)} %`;
}

/** Requests per second. @param {number | null | undefined} value */
export function rate(value) {
  if (value === null || value === undefined) return UNKNOWN;
  return decimal(value, value >= 1000 || Number.isInteger(value) ? 0 : value >= 100 ? 1 : 2);
}

/** A moment on the run's clock. @param {number | null | undefined} value */
export function seconds(value) {
  return value === null || value === undefined ? '–' : `${decimal(value, 1)} s`;
}

/** A moment known by two bounds: one figure where both round to it. @param {Moment | null | undefined} at */
export function moment(at) {
  if (!at) return '–';
  const [earliest, latest] = [decimal(at.earliest_seconds, 1), decimal(at.latest_seconds, 1)];
  return earliest === latest ? `${latest} s` : `${earliest} to ${latest} s`;
}

/** Minutes and seconds, hours if need be. @param {number | null | undefined} value */
export function clock(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const whole = Math.max(0, Math.floor(value));
  const two = (/** @type {number} */ part) => String(part).padStart(2, '0');
  const minutes = Math.floor(whole / 60) % 60;
  return whole >= 3600 ? `${Math.floor(whole / 3600)}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** Bytes, in units of 1000. @param {number | null | undefined} value */
export function bytes(value) {
  if (value === null || value === undefined) return UNKNOWN;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [size, unit] = [value, 0];
  while (size >= 1000 && unit < units.length - 1) [size, unit] = [size / 1000, unit + 1];
  return `${unit === 0 ? count(size) : fixed(size, three(size))} ${units[unit]}`;
}

/** A date and time, to the second, in the reader's zone. @param {number} unixMs */
export function date(unixMs) {
  return new Date(unixMs).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** `http_error` as words. @param {string} name */
export function words(name) {
  return name.replaceAll('_', ' ');
}

/** @param {number} n @param {string} one @param {string} [many] */
export function plural(n, one, many) {
  return `${count(n)} ${n === 1 ? one : many ?? `${one}s`}`;
}

/** What a check's figure is, by its name without the stage. @type {[RegExp, (value: number) => string][]} */
const CHECKED = [
  [/^(coverage|error_rate)/, percent], [/^(requests_per_second|rps)/, rate],
  [/^(latency\.|service_time\.|span\(|p\d|p\(|med|mean|avg|max|scale_up|recovery|generator_healthy)/, duration],
];

/** A check's figure in the unit of what it checks; else it is a count. @param {Check} check */
export function checked(check) {
  if (check.value === null) return '';
  const name = check.name.replace(/^[^:(]*: /, '');
  return (CHECKED.find(([pattern]) => pattern.test(name))?.[1] ?? count)(check.value);
}

/** A difference, with its sign. @param {number} ms */
export function difference(ms) {
  return `${ms > 0 ? '+' : ms < 0 ? '−' : ''}${duration(Math.abs(ms))}`;
}
