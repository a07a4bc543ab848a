import { fileURLToPath } from 'node:url';
import js from '@eslint/js';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

const FILES = ['**/*.ts'];

/** A domain is pure: no framework, no IO, no clock, no randomness, no waiting. */
const PURE = {
  files: ['apps/*/src/domain/**/*.ts', 'src/domain/**/*.ts'],
  ignores: ['**/*.spec.ts'],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: '^(?!\\./|@baton/contracts$|isbot$)',
            message: 'A domain imports ./ and @baton/contracts alone (and isbot, a pattern).',
          },
        ],
      },
    ],
    'no-restricted-globals': [
      'error',
      ...[
        'process',
        'console',
        'setTimeout',
        'setInterval',
        'setImmediate',
        'queueMicrotask',
        'fetch',
        'performance',
        'crypto',
        'Buffer',
        'require',
      ].map((name) => ({ name, message: 'A domain takes what it needs as values; it never fetches.' })),
    ],
    'no-restricted-properties': [
      'error',
      { object: 'Date', property: 'now', message: 'Time comes in as a value.' },
      { object: 'Math', property: 'random', message: 'Randomness comes in as a value.' },
      { object: 'globalThis', property: 'process', message: 'A domain does not know its process.' },
    ],
    'no-restricted-syntax': [
      'error',
      { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: 'Time comes in as a value.' },
      { selector: 'CallExpression[callee.name="Date"]', message: 'Time comes in as a value.' },
      { selector: ':function[async=true]', message: 'A domain does not wait.' },
      { selector: 'AwaitExpression', message: 'A domain does not wait.' },
      { selector: 'ImportExpression', message: 'A domain imports nothing at run time.' },
      { selector: 'NewExpression[callee.name="Promise"]', message: 'A domain does not wait.' },
    ],
  },
};

/** What Node gives to the launcher's plain scripts. */
const SCRIPT_GLOBALS = [
  ...['process', 'console', 'Buffer', 'URL', 'AbortSignal', 'Headers', 'fetch', 'performance', 'WebAssembly'],
  ...['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'setImmediate', 'require', 'module', '__dirname'],
];

export default tseslint.config(
  { ignores: ['**/dist/**', '**/generated/**', '**/.baton/**', '**/.nx/**', '**/node_modules/**'] },
  js.configs.recommended,
  ...tseslint.configs.recommended,
  {
    files: FILES,
    plugins: { '@nx': nx },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allow: [],
          checkDynamicDependenciesExceptions: [],
          depConstraints: [
            { sourceTag: 'type:contracts', onlyDependOnLibsWithTags: ['type:contracts'] },
            { sourceTag: 'type:platform', onlyDependOnLibsWithTags: ['type:contracts', 'type:platform', 'type:testing'] },
            { sourceTag: 'type:testing', onlyDependOnLibsWithTags: ['type:contracts', 'type:testing'] },
            { sourceTag: 'type:app', onlyDependOnLibsWithTags: ['type:contracts', 'type:platform', 'type:testing'] },
          ],
        },
      ],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
      // Naming control characters is how untrusted text is kept free of them.
      'no-control-regex': 'off',
      '@typescript-eslint/no-non-null-assertion': 'off',
      // `import type` of a class that Nest or class-validator reads at run time silently loses its checks.
      '@typescript-eslint/consistent-type-imports': 'off',
    },
  },
  {
    // What tests use stays out of what runs.
    files: ['apps/**/src/**/*.ts', 'libs/platform/src/**/*.ts', 'libs/contracts/src/**/*.ts'],
    ignores: ['**/*.spec.ts', '**/specs/**', '**/testbed.ts', 'apps/e2e/**'],
    rules: {
      'no-restricted-imports': [
        'error',
        {
          paths: [
            { name: '@baton/testing', message: 'libs/testing is for specs alone.' },
            { name: '@baton/platform/testing', message: 'It is for specs alone.' },
          ],
        },
      ],
    },
  },
  {
    files: ['libs/**/src/**/*.ts', 'apps/**/src/**/*.ts'],
    ignores: ['libs/platform/src/kafka/**', '**/*.spec.ts', '**/specs/**', 'apps/e2e/**'],
    rules: {
      '@typescript-eslint/no-restricted-imports': [
        'error',
        { paths: [{ name: 'kafkajs', message: 'kafkajs stays behind libs/platform/src/kafka.' }] },
      ],
    },
  },
  PURE,
  {
    files: ['**/*.mjs', '**/*.cjs'],
    languageOptions: { globals: Object.fromEntries(SCRIPT_GLOBALS.map((name) => [name, 'readonly'])) },
    rules: { '@typescript-eslint/no-require-imports': 'off' },
  },
  { languageOptions: { parserOptions: { tsconfigRootDir: fileURLToPath(new URL('.', import.meta.url)) } } },
);
