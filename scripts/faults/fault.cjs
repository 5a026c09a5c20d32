/**
 * Preload of a command under test (`node --require`): counts the file operations below RMAC_FAULT_ROOT and at the one with
 * number N kills the process or lets the operation fail, by RMAC_FAULT = "count", "kill:N" or an errno "ENOSPC:N". At the
 * end {"operations", "maxRssKb"} goes to RMAC_FAULT_REPORT. Each file that is opened, by whichever thread, is a line of
 * RMAC_FAULT_OPENED.
 */
'use strict';
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const { constants } = require('node:os');
const { isMainThread } = require('node:worker_threads');

const [kind, number] = (process.env.RMAC_FAULT ?? 'count').split(':');
const root = process.env.RMAC_FAULT_ROOT;
const report = process.env.RMAC_FAULT_REPORT;
const { writeFileSync, appendFileSync } = fs;
let operations = 0;

function isBelow(path) {
  return typeof path === 'string' && (path.startsWith(root) || !path.startsWith('/'));
}

/** An error where it is this operation's turn; a kill does not return. */
function turn(name, path) {
  operations++;
  if (/^(open|readFile)/.test(name)) appendFileSync(process.env.RMAC_FAULT_OPENED, `${path}\n`);
  if (kind === 'count' || operations !== Number(number)) return undefined;
  if (kind === 'kill') process.kill(process.pid, 'SIGKILL');
  const error = new Error(`${kind}: injected, ${name} '${path}'`);
  return Object.assign(error, { errno: -constants.errno[kind], code: kind, syscall: name, path });
}

const promised = ['open', 'mkdir', 'rename', 'rm', 'unlink', 'readdir', 'copyFile', 'truncate', 'symlink', 'stat', 'utimes'];
for (const name of [...promised, 'readFile', 'writeFile', 'realpath']) {
  const original = fs.promises[name];
  fs.promises[name] = async (...args) => {
    const error = isBelow(args[0]) ? turn(name, args[0]) : undefined;
    if (error !== undefined) throw error;
    const result = await original(...args);
    if (name === 'open' && isBelow(args[0])) watchHandle(result, args[0]);
    return result;
  };
}

function watchHandle(handle, path) {
  for (const name of ['read', 'write', 'writeFile', 'appendFile', 'datasync', 'sync', 'stat']) {
    const original = handle[name].bind(handle);
    handle[name] = async (...args) => {
      const error = turn(name, path);
      if (error !== undefined) throw error;
      return original(...args);
    };
  }
}

for (const name of ['appendFileSync', 'openSync', 'readFileSync', 'mkdirSync', 'readdirSync', 'statSync']) {
  const original = fs[name];
  fs[name] = (...args) => {
    const error = isBelow(args[0]) && !args[0].includes('node_modules') ? turn(name, args[0]) : undefined;
    if (error !== undefined) throw error;
    return original(...args);
  };
}

// What createReadStream opens with.
const { open } = fs;
fs.open = (path, ...rest) => {
  const error = isBelow(path) ? turn('open', path) : undefined;
  if (error === undefined) return open(path, ...rest);
  process.nextTick(rest.at(-1), error);
};

syncBuiltinESMExports();
process.on('exit', () => {
  if (isMainThread) writeFileSync(report, JSON.stringify({ operations, maxRssKb: process.resourceUsage().maxRSS }));
});
