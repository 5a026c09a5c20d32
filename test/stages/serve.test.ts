import '../support/engine.js';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { register } from '../../src/commands/serve.js';
import { InputError, UsageError } from '../../src/errors.js';
import { type SearchReply, searchReply } from '../../src/service/replies.js';
import { buildIndex } from '../../src/stages/index-update.js';
import { serve } from '../../src/stages/serve.js';
import { openCollection } from '../../src/stages/search.js';
import { runCommand } from '../commands/run-command.js';
import { makeSmallSet, type SmallSet } from '../commands/small-set.js';

const cli = fileURLToPath(new URL('../../src/cli.ts', import.meta.url));
let set: SmallSet;
let index: string;
beforeAll(async () => {
  set = await makeSmallSet();
  index = join(set.folder, 'index');
  await buildIndex({ source: set.images, model: set.model, out: index, size: 64 });
});
afterAll(() => rmSync(set.folder, { recursive: true }));

async function search(url: string, file: string): Promise<SearchReply> {
  const body = new FormData();
  body.append('image', new Blob([readFileSync(file)]));
  const response = await fetch(`${url}search`, { method: 'POST', body });
  return searchReply.parse(await response.json());
}

const ranking = ({ objects }: Pick<SearchReply, 'objects'>) =>
  objects.flatMap(({ results }) => results.map(({ id, similarity }) => [id, similarity.toFixed(5)]));

test('answers as the collection does, from a thread, reads it anew when it has changed, and stops', async () => {
  const query = join(set.images, 'rings/1.png');
  const notes: string[] = [];
  const view = { progress: () => ({ update() {}, stop() {} }), note: (line: string) => void notes.push(line) };
  const controller = new AbortController();
  const served = await serve({ index, port: 0, threads: 1 }, { signal: controller.signal, view });
  expect(served).toMatchObject({ photographs: 12, url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+\/$/) });

  const collection = await openCollection(index);
  const { objects } = await collection.search({ image: query });
  const expected = objects.flatMap(({ results }) => results.map(({ item, ...rest }) => ({ ...item, ...rest })));
  collection.dispose();
  expect(ranking(await search(served.url, query))).toEqual(
    ranking({ objects: [{ object: null, results: expected as never }] }),
  );
  const first = expected[0].id;
  const similar = await fetch(`${served.url}similar/${encodeURIComponent(first)}?k=3`);
  expect(ranking((await similar.json()) as SearchReply)).toHaveLength(3);
  expect((await fetch(`${served.url}items/${encodeURIComponent(first)}/thumbnail`)).status).toBe(200);
  const bad = await fetch(`${served.url}search?qe=none`, {
    method: 'POST',
    body: readFileSync(query),
  });
  expect(bad.status).toBe(400);

  copyFileSync(query, join(set.images, 'rings/9.png'));
  await buildIndex({ source: set.images, model: set.model, out: index, size: 64 });
  await expect.poll(() => notes.join('\n'), { timeout: 15_000 }).toContain('read again, 13 photographs.');
  expect(ranking(await search(served.url, query)).map(([id]) => id)).toContain('rings/9');

  controller.abort();
  await served.stopped;
  await expect(fetch(`${served.url}health`)).rejects.toThrow('fetch failed');
});

test('what cannot be served is refused', async () => {
  const missing = join(set.folder, 'none');
  await expect(serve({ index: missing, port: 0 })).rejects.toThrow(InputError);
  await expect(serve({ index, port: 0, token: 'short' })).rejects.toThrow(UsageError);
  await expect(serve({ index, port: 0, device: 'abacus' })).rejects.toThrow(UsageError);
  const served = await serve({ index, port: 0, threads: 1 });
  const port = Number(new URL(served.url).port);
  await expect(serve({ index, port })).rejects.toThrow(`127.0.0.1:${port}: another program listens there`);
  await served.stop();
  await served.stopped;
  const empty = join(set.folder, 'token.txt');
  writeFileSync(empty, '\n');
  await expect(runCommand(register, 'serve', '--index', index, '--token-file', empty)).rejects.toThrow('is empty');
  await expect(runCommand(register, 'serve', '--index', index, '--port', '70000')).rejects.toThrow('0 to 65535');
});

test('rmac serve --json: one line when it answers; %s ends it with 130', async () => {
  const token = 'correct-horse-battery';
  const child = spawn(process.execPath, ['--import', 'tsx', cli, 'serve', '--index', index, '--port', '0', '--json'], {
    env: { ...process.env, RMAC_TOKEN: token },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let errors = '';
  child.stderr.on('data', (chunk) => (errors += String(chunk)));
  const output: string[] = [];
  const lines = createInterface({ input: child.stdout });
  lines.on('line', (line) => output.push(line));
  await once(lines, 'line');
  const { url, photographs } = JSON.parse(output[0]) as { url: string; photographs: number };
  expect(photographs).toBe(13);
  expect((await fetch(`${url}collection`)).status).toBe(401);
  expect((await fetch(`${url}collection`, { headers: { Authorization: `Bearer ${token}` } })).status).toBe(200);
  child.kill('SIGTERM');
  const [code] = (await once(child, 'close')) as [number];
  expect([code, output.length]).toEqual([130, 1]);
  expect(errors.trim().split('\n')).toEqual([
    expect.stringMatching(/^\S+Z \S+ GET \/collection 401 \d+ ms This service asks for its token/),
    expect.stringContaining('Interrupted'),
  ]);
});
