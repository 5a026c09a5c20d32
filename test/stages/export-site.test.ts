import '../support/engine.js';
import { createServer, type Server } from 'node:http';
import { existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { type Browser, chromium, type Page } from 'playwright-core';
import seedrandom from 'seedrandom';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { register } from '../../src/commands/export.js';
import { decodeImage } from '../../src/data/images.js';
import { toInt8 } from '../../src/linear/int8-rows.js';
import { exportSite, type ExportSiteResult } from '../../src/stages/export-site.js';
import { buildIndex } from '../../src/stages/index-update.js';
import { openCollection } from '../../src/stages/search.js';
import { runCommand } from '../commands/run-command.js';
import { makeSmallSet, type SmallSet } from '../commands/small-set.js';
import { chromiumPath } from '../support/chromium.js';

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
interface Int8Rows {
  nearestInt8: (rows: object, query: Float32Array, count: number) => { row: number; similarity: number }[];
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
      'int8-rows.js',
      'items.json',
      'model',
      'ort',
      'page.css',
      'page.js',
    ].concat(['query.js', 'resize.js', 'results.js', 'scales.f32', 'service.js', 'thumbnails', 'vectors.i8']),
  );
  expect(readdirSync(join(out, 'thumbnails'))).toHaveLength(12);
  expect(readdirSync(join(out, 'ort')).filter((name) => !/\.(js|wasm)$/.test(name))).toEqual([]);
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

test('descriptors in bytes find what the exact ones find', async () => {
  const { nearestInt8 } = await script<Int8Rows>('int8-rows.js');
  const dimension = 128;
  const count = 3000;
  const random = seedrandom('rows');
  const centres = Array.from({ length: 100 * dimension }, () => random() - 0.5);
  const data = new Float32Array(count * dimension); // 100 things, 30 photographs of each
  for (const i of data.keys()) data[i] = centres[i % centres.length] + 0.8 * (random() - 0.5);
  for (let row = 0; row < count; row++) {
    const of = data.subarray(row * dimension, (row + 1) * dimension);
    const length = Math.hypot(...of);
    for (const d of of.keys()) of[d] /= length;
  }
  const { scales, values } = toInt8({ data, dimension });
  let kept = 0;
  const queries = 40;
  for (let q = 0; q < queries; q++) {
    const query = data.slice(q * dimension, (q + 1) * dimension).map((value, d) => value + 0.02 * Math.sin(q + d));
    const similarity = (row: number) => query.reduce((sum, value, d) => sum + value * data[row * dimension + d], 0);
    const exact = Array.from({ length: count }, (_, row) => ({ row, similarity: similarity(row) }));
    const best = new Set(
      exact
        .toSorted((a, b) => b.similarity - a.similarity)
        .slice(0, 10)
        .map(({ row }) => row),
    );
    kept += nearestInt8({ dimension, scales, values }, query, 10).filter(({ row }) => best.has(row)).length;
  }
  process.stdout.write(`recall@10 of descriptors in bytes: ${(kept / queries / 10).toFixed(4)}\n`);
  expect(kept / queries / 10).toBeGreaterThanOrEqual(0.98);
});

test('10,000 photographs weigh at most 25 MB without their thumbnails', () => {
  const { model, page, index: bytes } = written.bytes;
  const head = read('collection.json').length;
  const each = (bytes - head) / 12 + 512; // those of the set have fewer values
  const total = model + page + head + 10_000 * each;
  process.stdout.write(
    `10,000 photographs: ${(total / 1e6).toFixed(1)} MB (runtime ${(written.bytes.runtime / 1e6).toFixed(1)} MB)\n`,
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
  await expect(exportSite({ index, out: other }, { signal: AbortSignal.abort() })).rejects.toThrow();
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

describe.skipIf(chromiumPath === undefined)('in Chromium', () => {
  let server: Server;
  let browser: Browser;
  let address: string;
  const types: Record<string, string> = {
    '.html': 'text/html',
    '.js': 'text/javascript',
    '.css': 'text/css',
    '.jpg': 'image/jpeg',
    '.wasm': 'application/wasm',
  };
  beforeAll(async () => {
    server = createServer((request, response) => {
      const path = normalize(decodeURIComponent(new URL(request.url ?? '/', 'http://x').pathname));
      const file = join(out, path === '/' ? 'index.html' : path);
      if (!existsSync(file)) return response.writeHead(404).end();
      response.writeHead(200, { 'content-type': types[extname(file)] ?? 'application/octet-stream' });
      return response.end(readFileSync(file));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    address = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
    // No other host can be reached, whatever asks.
    const args = ['--no-sandbox', '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1'];
    browser = await chromium.launch({ executablePath: chromiumPath, args });
  });
  afterAll(async () => {
    await browser.close();
    server.close();
  });

  const status = (page: Page) => page.locator('#status');
  async function open(): Promise<{ page: Page; strayed: string[] }> {
    const page = await browser.newPage();
    const strayed: string[] = [];
    page.setDefaultTimeout(20_000);
    page.on('request', (request) => {
      if (!request.url().startsWith(address) && !/^(blob|data):/.test(request.url())) strayed.push(request.url());
      if (request.method() !== 'GET') strayed.push(`${request.method()} ${request.url()}`);
    });
    page.on('pageerror', (error) => strayed.push(String(error)));
    page.on('console', (message) => message.type() === 'error' && strayed.push(message.text()));
    await page.goto(address);
    return { page, strayed };
  }

  test('a photograph is described in the browser as here, and found, with a like one', async () => {
    const { page, strayed } = await open();
    await page.getByText('12 photographs').waitFor();
    const file = join(set.images, 'checks/2.png');
    await page.setInputFiles('#file', file);
    const heading = page.locator('#list > li').first().getByRole('heading');
    await heading.waitFor();
    expect(await heading.textContent()).toBe('<b>checks "2"</b>');
    expect(await page.locator('#list .rights').first().textContent()).toBe('© someone');
    expect(await page.getByRole('link', { name: 'More about' }).first().getAttribute('href')).toMatch(
      /^https:\/\/example\.org\/\d$/,
    );
    const image = page.locator('#list img').first();
    await expect
      .poll(() => image.evaluate((each) => (each as { naturalWidth?: number }).naturalWidth))
      .toBeGreaterThan(8);

    // Loaded by now. Until the results stand, of another photograph.
    const startedAt = performance.now();
    await page.setInputFiles('#file', join(set.images, 'rings/1.png'));
    await page.getByRole('heading', { name: '<b>rings "1"</b>', exact: true }).first().waitFor();
    await page.locator('#list[aria-busy=false]').waitFor();
    process.stdout.write(`first result after ${(performance.now() - startedAt).toFixed(0)} ms\n`);
    expect(await heading.textContent()).toBe('<b>rings "1"</b>');

    const collection = await openCollection(index);
    try {
      const { objects } = await collection.search({ image: join(set.images, 'rings/1.png') });
      const shown = await page.locator('#list > li .why').allTextContents();
      expect(shown.map((text) => Number(/[\d.]+$/.exec(text)?.[0]))).toHaveLength(objects.length);
      for (const [i, { results }] of objects.entries()) {
        expect(Math.abs(Number(/[\d.]+$/.exec(shown[i])?.[0]) - results[0].similarity)).toBeLessThan(0.02);
      }
    } finally {
      collection.dispose();
    }

    await page.getByRole('button', { name: 'Similar to' }).first().click();
    await expect.poll(() => page.locator('#query-heading').textContent()).toMatch(/^Similar to /);
    await page.locator('#list[aria-busy=false]').waitFor();
    expect(await page.locator('#size').textContent()).toBe('12 photographs');
    expect(strayed).toEqual([]);
    await page.close();
  });

  test('the worker may ask no other host, by the policy of the page', async () => {
    const { page } = await open();
    await page.setInputFiles('#file', join(set.images, 'checks/2.png'));
    await page.locator('#list > li').first().waitFor();
    const refused = await page.workers()[0].evaluate(`new Promise((resolve) => {
      addEventListener('securitypolicyviolation', (event) => resolve(event.effectiveDirective));
      fetch('http://127.0.0.1:9/').catch(() => setTimeout(() => resolve('asked'), 500));
    })`);
    expect(refused).toBe('connect-src');
    await page.close();
  });

  test('descriptors of the browser are those of the index', async () => {
    const { page } = await open();
    await page.setInputFiles('#file', join(set.images, 'checks/2.png'));
    await page.locator('#list > li').first().waitFor();
    const encoded = readFileSync(join(set.images, 'checks/2.png')).toString('base64');
    const actual = await page.workers()[0].evaluate<number[]>(`new Promise((resolve) => {
      self.postMessage = ({ descriptor }) => resolve([...descriptor]);
      const bytes = Uint8Array.from(atob('${encoded}'), (c) => c.charCodeAt(0));
      self.dispatchEvent(new MessageEvent('message', { data: { number: 1, photograph: new Blob([bytes]) } }));
    })`);
    const store = await EmbeddedStore.open(index);
    const { data } = await store.vectors(['checks-2']);
    await store.close();
    const cosine = actual.reduce((sum, value, d) => sum + value * data[d], 0);
    process.stdout.write(`cosine of the browser's descriptor with ours: ${cosine.toFixed(6)}\n`);
    expect(cosine).toBeGreaterThan(0.999);
    await page.close();
  });

  test('what is no picture is said to be none', async () => {
    const { page } = await open();
    await page.setInputFiles('#file', { name: 'x.jpg', mimeType: 'image/jpeg', buffer: Buffer.from('no picture') });
    const reason = page.getByRole('alert').locator('#reason');
    await expect.poll(() => reason.textContent()).toContain('cannot read this file as a picture');
    expect(await status(page).textContent()).toBe('');
    await page.close();
  });
});
