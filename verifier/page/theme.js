// Light or dark, as the reader or the system wants; colours of the style sheet for what is drawn by hand.

/** @type {Map<string, string>} */
const colors = new Map();
/** @type {(() => void)[]} */
const listeners = [];

/** A colour of page.css by its custom property, as it is now. @param {string} name */
export function color(name) {
  let known = colors.get(name);
  if (known === undefined) {
    const probe = document.createElement('span');
    probe.style.color = `var(${name})`;
    document.body.append(probe);
    known = getComputedStyle(probe).color;
    probe.remove();
    colors.set(name, known);
  }
  return known;
}

/** @param {() => void} listener */
export function onTheme(listener) {
  listeners.push(listener);
}

function recolor() {
  colors.clear();
  for (const listener of listeners) listener();
}

const KEY = 'verifier-theme';

/** The system's, until the reader has chosen; a file's page may have no storage. @returns {string} */
export function theme() {
  return document.documentElement.dataset.theme ?? 'auto';
}

/** It is dark now. */
export function isDark() {
  return theme() === 'dark' || (theme() === 'auto' && matchMedia('(prefers-color-scheme: dark)').matches);
}

/** @param {string} wanted `light`, `dark`, `auto`. @param {boolean} [keepIt] */
export function setTheme(wanted, keepIt = true) {
  if (wanted === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = wanted;
  if (keepIt) {
    try {
      localStorage.setItem(KEY, wanted);
    } catch { /* no storage: chosen for this visit */ }
  }
  recolor();
}

/** Takes up what was chosen before, and follows the system. */
export function startTheme() {
  try {
    setTheme(localStorage.getItem(KEY) ?? 'auto', false);
  } catch { /* no storage: the system's */ }
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', recolor);
}
