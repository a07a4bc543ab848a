// When all tests are over, Node now and then waits for ever for a handle that LMDB or a thread left behind in this process: services end by
// `process.exit`, and so does this.
module.exports = { ...require('../../jest.preset.cjs')(__dirname), forceExit: true };
