/**
 * Loaded before a script (`node --require`): counts what it does to files below KILL_DIR and ends it by SIGKILL at operation KILL_AT,
 * `before` it, when it has written `half`, or `after` it (KILL_PHASE). A run to the end writes the number of operations to KILL_COUNT.
 */
const fs = require('node:fs');
const { syncBuiltinESMExports } = require('node:module');
const { KILL_DIR: folder, KILL_AT: at, KILL_PHASE: phase, KILL_COUNT: counted } = process.env;
const writeFileSync = fs.writeFileSync;
let count = 0;

function die() {
  process.kill(process.pid, 'SIGKILL');
  for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
}

function bytesOf(content) {
  if (Array.isArray(content)) return Buffer.concat(content.map(bytesOf));
  return typeof content === 'string' ? Buffer.from(content) : Buffer.from(content.buffer, content.byteOffset, content.byteLength);
}

/** The first half of what is written in parts. */
async function* firstHalf(parts) {
  const chunks = [];
  for await (const part of parts) chunks.push(Buffer.from(part));
  const content = Buffer.concat(chunks);
  yield content.subarray(0, content.length >> 1);
}

function wrap(object, name, isInside, append) {
  const original = object[name];
  object[name] = function (...values) {
    if (!isInside(values) || ++count !== Number(at)) return original.apply(this, values);
    if (phase === 'before') die();
    if (phase === 'half' && /^(write|append)File/.test(name)) {
      const given = append === undefined ? values[1] : values[0];
      if (given[Symbol.asyncIterator] !== undefined) return original.call(this, values[0], firstHalf(given)).then(die, die);
      const content = bytesOf(given);
      writeFileSync(append ?? values[0], content.subarray(0, content.length >> 1), { flag: append === undefined ? 'w' : 'a' });
      die();
    }
    const result = original.apply(this, values);
    if (!(result instanceof Promise)) die();
    return result.then(die, die);
  };
}

const named = (values) => values.slice(0, 2).some((value) => typeof value === 'string' && value.startsWith(folder));
for (const name of ['writeFile', 'rename', 'rm', 'mkdir', 'truncate', 'symlink']) wrap(fs.promises, name, named);
for (const name of ['writeFileSync', 'renameSync', 'rmSync', 'mkdirSync', 'rmdirSync']) wrap(fs, name, named);
const { open } = fs.promises;
fs.promises.open = async (path, ...rest) => {
  const handle = await open(path, ...rest);
  for (const name of ['appendFile', 'datasync']) wrap(handle, name, () => named([path]), path);
  return handle;
};
syncBuiltinESMExports();
if (counted !== undefined) process.on('exit', () => writeFileSync(counted, String(count)));
