import '../support/engine.js';
import { readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { register } from '../../src/commands/export.js';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { decodeImage } from '../../src/data/images.js';
import { fromHalf, toHalf } from '../../src/linear/half-float.js';
import { toInt8 } from '../../src/linear/int8-rows.js';
import { exportSite, type ExportSiteResult } from '../../src/stages/export-site.js';
import { buildIndex } from '../../src/stages/index-update.js';
import { runCommand } from '../commands/run-command.js';
import { makeSmallSet, type SmallSet } from '../commands/small-set.js';

interface Part {
  left: number;
  top: number;
  width: number;
  height: number;
}
interface Sides {
  width: number;
  height: number;
}
interface Resize {
  shownSides: (whole: Sides, part: Sides, sizing: object) => Sides;
  resized: (read: (part: Part) => Uint8Array, part: Part, target: Sides, kernel?: string) => Float32Array;
}
interface Rows {
  nearest: (rows: object, query: Float32Array, count: number) => { row: number; similarity: number }[];
}
/** A script of the page, which is no part of the compiled library. */
const script = async <T>(name: string) =>
  (await import(new URL(`../../src/service/page/site/${name}`, import.meta.url).href)) as T;

let set: SmallSet;
let index: string;
let out: string;
let written: ExportSiteResult;
beforeAll(async () => {
  set = await makeSmallSet();
  index = join(set.folder, 'index');
  out = join(set.folder, 'site');
  const table = join(set.images, 'table.csv');
  const ids = ['stripes', 'checks', 'rings'].flatMap((kind) => [0, 1, 2, 3].map((i) => [kind, i] as const));
  const lines = ids.map(
    ([kind, i]) => `${kind}/${i}.png,${kind}-${i},${kind},"<b>${kind} ""${i}""</b>",© someone,https://example.org/${i}`,
  );
  writeFileSync(table, `path,id,object,title,rights,link\n${lines.join('\n')}\n`);
  await buildIndex({ source: table, model: set.model, out: index, size: 96 });
  written = await exportSite({ index, out });
});
afterAll(() => rmSync(set.folder, { recursive: true }));

const read = (name: string) => readFileSync(join(out, name));

test('the folder: all that the page asks for, nothing else, nothing beside it', () => {
  expect(readdirSync(out).toSorted()).toEqual(
    [
      'collection.json',
      'describe-worker.js',
      'index.html',
      'items.json',
      'library.js',
      'model',
      'ort',
      'page.css',
    ].concat(['page.js', 'query.js', 'resize.js', 'results.js', 'rows.js', 'service.js', 'thumbnails', 'vectors.f16']),
  );
  expect(readdirSync(join(out, 'thumbnails'))).toHaveLength(12);
  const withoutGpu = ['ort-wasm-simd-threaded.bin', 'ort-wasm-simd-threaded.js', 'ort.wasm.min.js'];
  expect(readdirSync(join(out, 'ort')).toSorted()).toEqual(withoutGpu); // which R-MAC's grid does not run on
  expect(readdirSync(set.folder).toSorted()).toEqual(['images', 'index', 'model.safetensors', 'site']);
  expect(written).toMatchObject({ photographs: 12, withoutPicture: 0, verified: { ok: true, pictures: 5 } });
  expect(written.bytes.model).toBe(
    ['descriptor.onnx', 'descriptor-model.json'].reduce(
      (sum, name) => sum + statSync(join(out, 'model', name)).size,
      0,
    ),
  );
  const all = readFileSync(join(out, 'items.json'), 'utf8') + readFileSync(join(out, 'collection.json'), 'utf8');
  expect(all).not.toContain(set.folder); // where photographs lie here is nobody's business
  expect(all).not.toContain('.png');
  const page = read('index.html').toString();
  expect(page).toContain("connect-src 'self'");
  expect(page).toContain('<label hidden>Look closer');
});

test('the page finds the nearest rows by float16 and by bytes', async () => {
  const { nearest } = await script<Rows>('rows.js');
  const dimension = 4;
  const data = Float32Array.of(1, 0, 0, 0, 0.5, -0.5, 0.5, 0.5, 0.5, -0.5, 0.5, 0.5, 0, 1, 0, 0);
  const query = Float32Array.of(0.6, -0.8, 0, 0);
  const expected = [
    [1, 0.7],
    [2, 0.7],
    [0, 0.6],
  ].map(([row, similarity]) => ({ row, similarity: expect.closeTo(similarity, 2) as number }));
  expect(nearest({ dimension, values: fromHalf(toHalf(data)) }, query, 3)).toEqual(expected);
  expect(nearest({ dimension, ...toInt8({ dimension, data }) }, query, 3)).toEqual(expected);
});

test('descriptors as asked, else as they find what the index finds; collection.json and the page agree on the form', async () => {
  const head = () => JSON.parse(read('collection.json').toString());
  expect(read('service.js').toString()).toContain(`'${head().format}'`);
  expect(head().vectors).toEqual(written.vectors);
  const { type, int8Recall } = written.vectors;
  expect(type).toBe(int8Recall < 0.98 ? 'float16' : 'int8');
  const store = await EmbeddedStore.open(index);
  const { data } = await store.vectors(store.ids());
  await store.close();
  expect(fromHalf(new Uint16Array(new Uint8Array(read('vectors.f16')).buffer))).toEqual(data); // what the index has
  const { vectors } = await exportSite({ index, out, vectors: 'int8', overwrite: true });
  expect(vectors).toEqual({ type: 'int8', int8Recall });
  expect(head().vectors).toEqual(vectors);
  expect(readdirSync(out).filter((name) => /\.(i8|f16|f32)$/.test(name))).toEqual(['scales.f32', 'vectors.i8']);
});

test('10,000 photographs weigh at most 25 MB without their thumbnails', () => {
  const { model, page, runtime, index: bytes } = written.bytes;
  const head = read('collection.json').length;
  const each = (bytes - head) / 12 + 512; // those of the set have fewer values
  const total = model + page + runtime + head + 10_000 * each;
  process.stdout.write(
    `10,000 photographs: ${(total / 1e6).toFixed(1)} MB (runtime ${(runtime / 1e6).toFixed(1)} MB)\n`,
  );
  expect(total).toBeLessThan(25e6);
});

test.each([
  ['shrunk by blocks and Lanczos', 1000, 700, 96, 4],
  ['shrunk by blocks and bicubic', 1000, 700, 96, 4, 'cubic' as const],
  ['shrunk by Lanczos', 150, 201, 96, 4],
  ['enlarged', 60, 41, 96, 16], // libvips rounds where it takes a pixel from
])(
  'pixels are brought to size as the collection’s were: %s',
  async (_, width, height, longest, allowed, kernel = undefined) => {
    const { shownSides, resized } = await script<Resize>('resize.js');
    const { data, file } = await wavy(width, height);
    const expected = await decodeImage(file, { sizing: { longest, ...(kernel && { kernel }) } });
    const target = shownSides({ width, height }, { width, height }, { longest });
    expect(target).toEqual({ width: expected.width, height: expected.height });
    const rows = (part: Part) => data.subarray(4 * part.top * width, 4 * (part.top + part.height) * width);
    const actual = resized(rows, { left: 0, top: 0, width, height }, target, kernel);
    let sum = 0;
    let most = 0;
    for (const [i, value] of expected.data.entries()) {
      sum += Math.abs(value - actual[i]);
      most = Math.max(most, Math.abs(value - actual[i]));
    }
    expect(sum / actual.length).toBeLessThan(0.5);
    expect(most).toBeLessThanOrEqual(allowed);
  },
);

test('a model that pools no regions has the runtime with the GPU too', async () => {
  const gem = { index: join(set.folder, 'gem'), out: join(set.folder, 'gem-site') };
  await buildIndex({ source: join(set.images, 'rings'), model: set.model, out: gem.index, size: 64, pooling: 'gem' });
  const { bytes } = await exportSite(gem);
  expect(readdirSync(join(gem.out, 'ort'))).toHaveLength(6);
  expect(JSON.parse(readFileSync(join(gem.out, 'collection.json'), 'utf8')).gpu).toBe(true);
  process.stdout.write(
    `runtime: ${(written.bytes.runtime / 1e6).toFixed(1)} MB, with the GPU ${(bytes.runtime / 1e6).toFixed(1)} MB\n`,
  );
  for (const folder of Object.values(gem)) rmSync(folder, { recursive: true });
});

test('refused, and nothing is changed or left', async () => {
  const other = join(set.folder, 'other');
  const before = readdirSync(set.folder);
  await expect(exportSite({ index, out })).rejects.toThrow(/exists; pass --overwrite/);
  await expect(exportSite({ index, out: set.images, overwrite: true })).rejects.toThrow(
    /something else than an exported site/,
  );
  await expect(exportSite({ index: set.images, out: other })).rejects.toThrow(/holds no index/);
  await expect(exportSite({ index, out: other, thumbnails: 5 })).rejects.toThrow(/expected 32 to 1600 px/);
  await expect(
    runCommand(register, 'export', 'site', '--index', index, '--out', other, '--precision', 'float32'),
  ).rejects.toThrow();
  const native = join(set.folder, 'native');
  await buildIndex({ source: join(set.images, 'rings'), model: set.model, out: native, size: 'none' });
  await expect(exportSite({ index: native, out: other })).rejects.toThrow(/at their own size/);
  rmSync(native, { recursive: true });
  await expect(exportSite({ index, out: other }, { signal: AbortSignal.abort() })).rejects.toThrow(/aborted$/);
  expect(readdirSync(set.folder)).toEqual(before);
});

/** A picture with much detail: its RGBA, and its file. */
async function wavy(width: number, height: number) {
  const data = new Uint8Array(4 * width * height);
  for (let i = 0; i < width * height; i++) {
    const [x, y] = [i % width, Math.floor(i / width)];
    data.set([128 + 90 * Math.sin(x / 3 + y / 11), 128 + 90 * Math.sin(y / 5), (x * y) % 256, 255], 4 * i);
  }
  const file = join(set.folder, 'images', `wavy-${width}.png`);
  await sharp(data, { raw: { width, height, channels: 4 } })
    .removeAlpha()
    .png()
    .toFile(file);
  return { data, file };
}
