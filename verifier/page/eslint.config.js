import js from '@eslint/js';
import globals from 'globals';

const own = {
  'eqeqeq': 'error', 'no-var': 'error', 'prefer-const': 'error', 'no-eval': 'error', 'no-implied-eval': 'error',
  'no-new-func': 'error', 'no-shadow': 'error', 'no-console': 'error', 'no-unused-vars': 'error',
  // What is shown comes from targets and collectors: it is text, never markup, and the page's policy allows no inline style.
  'no-restricted-properties': ['error',
    ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'srcdoc'].map((property) => ({ property, message: 'use render() and text' })),
    { object: 'document', property: 'write', message: 'use render()' }],
  // Modules are joined into one for report.html (modules.txt): no names may be changed at the import.
  'no-restricted-syntax': ['error',
    { selector: 'ExportDefaultDeclaration', message: 'named exports only' },
    { selector: 'ImportNamespaceSpecifier', message: 'import by name' },
    { selector: 'ExportNamedDeclaration[declaration=null]', message: 'export where it is declared' },
    { selector: 'ImportExpression', message: 'static imports only' }],
};

export default [
  { ignores: ['vendor/', 'node_modules/', 'test-results/'] },
  js.configs.recommended,
  { files: ['*.js'], ignores: ['eslint.config.js'], languageOptions: { globals: { ...globals.browser, uPlot: 'readonly' } }, rules: own },
  { files: ['**/*.mjs', 'eslint.config.js'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
];
