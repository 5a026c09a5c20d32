import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { readRunLog } from '../../src/run/run-log.js';

test('records of another shape are damaged lines, other figures pass', async () => {
  const file = join(mkdtempSync(join(tmpdir(), 'rmac-log-')), 'log.jsonl');
  const good = [
    '{"event":"update","step":1,"loss":0.5,"other":{"a":null}}',
    '{"event":"mine","step":1,"hardest":[{"query":"a","positive":"b","negative":"c","loss":1}]}',
  ];
  const odd = [
    'null',
    '3',
    '{"toString":1}',
    '{"event":"update","step":1,"loss":{"toString":1}}',
    '{"event":"mine","step":1,"hardest":[{}]}',
    '{"event":"mine","step":1,"hardest":[null]}',
    '{"event":"start","step":0,"versions":{"a":{"toString":1}}}',
    '{"event":"measure","step":1,"map":"x","best":1}',
    '{"event":"upd',
  ];
  writeFileSync(file, [...good, ...odd].join('\n'));
  expect(await readRunLog(file)).toEqual({
    records: good.map((line) => JSON.parse(line) as unknown),
    torn: odd.length,
  });
});
