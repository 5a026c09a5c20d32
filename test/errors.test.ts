import { readdirSync } from 'node:fs';
import { expect, test } from 'vitest';
import { printable } from '../src/commands/console.js';
import { systemErrorLine } from '../src/errors.js';

test('what the system refuses is a line with path, reason and way out; other errors are none', () => {
  let thrown: unknown;
  try {
    readdirSync('/no/such/folder');
  } catch (error) {
    thrown = error;
  }
  expect(systemErrorLine(thrown)).toBe('/no/such/folder: no such file or folder (ENOENT at scandir).');
  const full = Object.assign(new Error('EMFILE: x'), { code: 'EMFILE', errno: -24, syscall: 'open', path: 'a' });
  expect(systemErrorLine(full)).toMatch(/^a: too many files are open.*ulimit -n.*\(EMFILE at open\)\.$/);
  const odd = Object.assign(new Error('EODD: it is odd'), {
    code: 'EODD',
    errno: -1,
    syscall: 'rename',
    path: 'a',
    dest: 'b',
  });
  expect(systemErrorLine(odd)).toBe('a -> b: it is odd (EODD at rename).');
  expect(systemErrorLine(new TypeError('x is not a function'))).toBeUndefined();
  expect(systemErrorLine(Object.assign(new Error('x'), { code: 'ERR_INVALID_ARG_TYPE' }))).toBeUndefined();
});

test('what would command a terminal is shown by number; line breaks, tabs and other scripts stay', () => {
  expect(printable('a\u001b[31mb\r\u0007\u009b2J\u202egpj.exe')).toBe(
    'a\\u001b[31mb\\u000d\\u0007\\u009b2J\\u202egpj.exe',
  );
  expect(printable('Nôtre-Dame\t東京\n')).toBe('Nôtre-Dame\t東京\n');
  const json = printable(JSON.stringify({ id: 'a\u009b\u007fb' }));
  expect(JSON.parse(json)).toEqual({ id: 'a\u009b\u007fb' });
});
