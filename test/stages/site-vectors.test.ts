import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import seedrandom from 'seedrandom';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { writeVectors } from '../../src/stages/site-vectors.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-site-vectors-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

const dimension = 64;

/** An index of unit vectors: 100 things, 20 photographs of each, and a part that all have in common. */
async function indexWith(mean: number, count = 2000): Promise<EmbeddedStore> {
  const random = seedrandom('site vectors');
  const centres = Array.from({ length: 100 * dimension }, () => random() - 0.5);
  const data = Float32Array.from({ length: count * dimension }, (_, i) => {
    return mean * Math.sin(i % dimension) + centres[i % centres.length] + 0.8 * (random() - 0.5);
  });
  for (let start = 0; start < data.length; start += dimension) {
    const row = data.subarray(start, start + dimension);
    const length = Math.hypot(...row);
    for (const d of row.keys()) row[d] /= length;
  }
  const model = { file: 'model-0.safetensors', sha256: '0'.repeat(64), dimension };
  const head = { name: 'x', model, describing: {}, next: 1 };
  const index = join(folder, `index-${mean}-${count}`);
  const records = Array.from({ length: count }, (_, i) => {
    return { id: `${i}`, path: `/${i}.png`, bytes: 1, modified: 1, sha256: `${i}`, columns: {} };
  });
  const rows = (async function* () {
    yield { dimension, data };
  })();
  await EmbeddedStore.begin(index, head).change({ records, rows });
  return EmbeddedStore.open(index);
}

test('bytes where photographs are far apart, float16 where all are alike, whatever is asked for', async () => {
  const out = (name: string) => join(folder, name);
  const apart = await indexWith(0);
  const bytes = await writeVectors(apart, out('apart'), 'auto');
  expect(bytes).toEqual({ type: 'int8', int8Recall: expect.toSatisfy((recall) => recall >= 0.98 && recall <= 1) });
  expect(readFileSync(join(out('apart'), 'vectors.i8'))).toHaveLength(2000 * dimension);
  expect(readFileSync(join(out('apart'), 'scales.f32'))).toHaveLength(4 * 2000);
  await apart.close();
  const alike = await indexWith(3);
  const halves = await writeVectors(alike, out('alike'), 'auto');
  process.stdout.write(`recall@10 of bytes: ${bytes.int8Recall} and, with a mean, ${halves.int8Recall}\n`);
  expect(halves).toEqual({ type: 'float16', int8Recall: expect.toSatisfy((recall) => recall > 0.3 && recall < 0.95) });
  expect(readFileSync(join(out('alike'), 'vectors.f16'))).toHaveLength(2 * 2000 * dimension);
  expect(await writeVectors(alike, out('bytes'), 'int8')).toEqual({ ...halves, type: 'int8' });
  await alike.close();
});

test.each([0, 1, 2])('%i photographs', async (count) => {
  const store = await indexWith(0, count);
  expect(await writeVectors(store, folder, 'auto')).toEqual({ type: 'int8', int8Recall: 1 });
  expect(readFileSync(join(folder, 'vectors.i8'))).toHaveLength(count * dimension);
  expect(readdirSync(folder)).toContain('scales.f32');
  await store.close();
});
