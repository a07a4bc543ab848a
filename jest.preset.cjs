// One Jest setup for every package: `unit` beside the code, `integration` (*.integration.spec.ts) on real Kafka, Postgres and Redis.
const { relative } = require('node:path');

const shared = {
  testEnvironment: 'node',
  testEnvironmentOptions: { customExportConditions: ['@baton/source', 'node', 'require', 'default'] },
  transform: {
    '^.+\\.ts$': [
      '@swc/jest',
      {
        jsc: {
          parser: { syntax: 'typescript', decorators: true },
          transform: { legacyDecorator: true, decoratorMetadata: true },
          target: 'es2023',
          keepClassNames: true,
        },
        module: { type: 'commonjs' },
      },
    ],
  },
  setupFiles: ['reflect-metadata'],
  modulePathIgnorePatterns: ['/dist/', '/.baton/'],
};

/** The configuration of the package in `folder`; a package without tests of a kind passes with none. */
module.exports = (folder) => {
  const name = relative(__dirname, folder);
  return {
    rootDir: folder,
    passWithNoTests: true,
    // Real stores on a busy machine: a test that hangs still ends, and a slow one is not a failure.
    testTimeout: 60_000,
    reporters: ['default', require.resolve('./jest.count.cjs')],
    projects: [
      {
        ...shared,
        displayName: 'unit',
        rootDir: folder,
        id: `${name}-unit`,
        testMatch: ['<rootDir>/src/**/*.spec.ts'],
        testPathIgnorePatterns: ['\\.integration\\.spec\\.ts$'],
      },
      {
        ...shared,
        displayName: 'integration',
        rootDir: folder,
        id: `${name}-integration`,
        testMatch: ['<rootDir>/src/**/*.integration.spec.ts'],
        globalSetup: require.resolve('./libs/testing/jest.stores.cjs'),
        globalTeardown: require.resolve('./libs/testing/jest.stores.teardown.cjs'),
      },
    ],
  };
};
