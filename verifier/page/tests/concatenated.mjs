// Holds the modules to what lets report.html join them into one script: all listed, each before who uses it at once,
// imports on one line and by their own name, no top-level name twice.
import { readdirSync } from 'node:fs';
import { Script } from 'node:vm';
import { fileURLToPath } from 'node:url';
import { joined, modules, source } from './frozen.mjs';

const wrong = [];
const found = readdirSync(fileURLToPath(new URL('..', import.meta.url))).filter((name) => name.endsWith('.js') && name !== 'eslint.config.js');
for (const name of found) if (!modules.includes(name)) wrong.push(`${name} is not in modules.txt`);
for (const name of modules) if (!found.includes(name)) wrong.push(`modules.txt names ${name}, which is not there`);

/** @type {Map<string, string>} */
const names = new Map();
for (const name of modules) {
  const text = source(name);
  for (const line of text.split('\n')) {
    if (/^\s*import\b/.test(line) && !/^import \{ [\w, ]+ \} from '\.\/[\w]+\.js';$/.test(line)) wrong.push(`${name}: ${line}`);
    if (/^import .* as /.test(line)) wrong.push(`${name} renames: ${line}`);
    const declared = /^(?:export )?(?:async )?(?:const|let|function|class) (\w+)/.exec(line)?.[1];
    if (!declared) continue;
    if (names.has(declared)) wrong.push(`${declared} is in ${names.get(declared)} and in ${name}`);
    names.set(declared, name);
  }
}
try {
  new Script(`(async () => {${joined()}\n})`);
} catch (error) {
  wrong.push(String(error));
}
for (const line of wrong) console.error(`modules: ${line}`);
console.log(`modules: ${modules.length} joined, ${names.size} names`);
process.exitCode = wrong.length > 0 ? 1 : 0;
