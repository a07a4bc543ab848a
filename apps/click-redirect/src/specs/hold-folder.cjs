// Takes a folder's lock as the service does, says so, and lives until it is killed.
const { lockFolder } = require('../../dist/spool/lock.js');
lockFolder(process.argv[2]);
process.stdout.write('held\n');
setInterval(() => undefined, 1_000);
