/** Preload of a program under test (`node --require`): every file that one of its threads opens goes to RMAC_READS, a line each. */
'use strict';
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');

const log = fs.openSync(process.env.RMAC_READS, 'a');
const write = fs.writeSync;
const tell = (path) => write(log, `${JSON.stringify(String(path))}\n`);

for (const [owner, names] of [
  [fs, ['open', 'openSync', 'readFile', 'readFileSync', 'createReadStream', 'readdir', 'readdirSync', 'opendir']],
  [fs.promises, ['open', 'readFile', 'readdir', 'opendir']],
]) {
  for (const name of names) {
    const original = owner[name];
    owner[name] = function (path, ...rest) {
      tell(path);
      return original.call(this, path, ...rest);
    };
  }
}
syncBuiltinESMExports();
