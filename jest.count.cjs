// Writes what really ran, so that the last lines of `npm test` can add it up and name what failed.
const { mkdirSync, writeFileSync } = require('node:fs');
const { join, relative } = require('node:path');
const { stripVTControlCharacters } = require('node:util');

const ROOT = __dirname;
/** Enough of a message to tell a timeout from a wrong value; the rest stands where the test ran. */
const REASON_MAX = 300;

module.exports = class CountReporter {
  onRunComplete(_contexts, results) {
    const folder = process.env.BATON_RESULTS;
    if (!folder) return;
    mkdirSync(folder, { recursive: true });
    // A suite that could not even be loaded has no tests that failed: it counts as one.
    const broken = results.testResults.filter((suite) => suite.testExecError && suite.numFailingTests === 0).length;
    const count = {
      passed: results.numPassedTests,
      failed: results.numFailedTests + broken,
      skipped: results.numPendingTests + results.numTodoTests,
      failures: results.testResults.flatMap(failuresOf),
    };
    writeFileSync(join(folder, `${process.pid}-${Date.now()}.json`), JSON.stringify(count));
  }
};

function failuresOf(suite) {
  const file = relative(ROOT, suite.testFilePath);
  const failed = suite.testResults
    .filter(({ status }) => status === 'failed')
    .map(({ fullName, failureMessages }) => ({ file, test: fullName, reason: short(failureMessages[0]) }));
  return failed.length === 0 && suite.testExecError
    ? [{ file, test: '(did not load)', reason: short(suite.testExecError.message) }]
    : failed;
}

const short = (message = '') => stripVTControlCharacters(message).replace(/\s+/g, ' ').slice(0, REASON_MAX);
