const { join } = require('node:path');

const config = require('../../jest.preset.cjs')(__dirname);
// The whole platform, of its own, is there before the first test.
config.projects[1].globalSetup = join(__dirname, 'platform.setup.mjs');
config.projects[1].globalTeardown = join(__dirname, 'platform.teardown.mjs');
module.exports = config;
