/**
 * @file `npm run bench:site [-- recall|site --items N --work DIR]`: the site of a collection of 10,000 photographs, on real ones where they
 * are found (RMAC_SHARED), else on generated ones. Prints JSON lines:
 *   recall   of the ten nearest by exact descriptors, those that the site's bytes find too: small trunk, and DenseNet-121 where its weights are
 *   site     its bytes, by what they are (photographs fewer than the items are repeated, and so said); then in Chromium, the model loaded:
 *            ms from choosing a file until the results stand, for photographs as they are and for one enlarged to 12 megapixels
 * Descriptors, index and site are kept in --work (default: a temporary folder), where a later run finds the first two.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { availableParallelism, loadavg, tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import sharp from 'sharp';
import { chromiumPath } from '../../test/support/chromium.js';
import { offline, staticHost } from '../../test/support/static-host.js';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { evenly } from '../../src/data/evenly.js';
import { listImages } from '../../src/data/image-list.js';
import { sha256OfFile } from '../../src/data/sha256.js';
import { toInt8 } from '../../src/linear/int8-rows.js';
import { type DescriptorSet, readDescriptorFolder } from '../../src/retrieval/descriptor-folder.js';
import { blocksOf, nearestRows } from '../../src/retrieval/nearest-rows.js';
import { packageTrunk } from '../../src/run/run-start.js';
import { exportSite } from '../../src/stages/export-site.js';
import { extract } from '../../src/stages/extract.js';
import { synthesize } from '../../src/stages/synthesize.js';
import { importModel } from '../../src/stages/weights-import.js';
import { median, print, rounded } from './process.js';

/** Of src/service/page/site/int8-rows.js, which is no part of the compiled library. */
interface Int8Rows {
  nearestInt8: (
    rows: { dimension: number; scales: Float32Array; values: Int8Array },
    query: Float32Array,
    count: number,
    allowed: (row: number) => boolean,
  ) => { row: number }[];
}
const bytesScript = new URL('../../src/service/page/site/int8-rows.js', import.meta.url).href;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { items: { type: 'string', default: '10000' }, work: { type: 'string' }, threads: { type: 'string' } },
});
const parts = positionals.length === 0 ? ['recall', 'site'] : positionals;
const items = Number(values.items);
const threads = values.threads === undefined ? undefined : Number(values.threads);
const siteSize = 512;
const temporary = mkdtempSync(join(tmpdir(), 'rmac-bench-site-'));
const work = values.work ?? temporary;
const shared = join(process.env.RMAC_SHARED ?? resolve(import.meta.dirname, '../../../shared'), 'data');

async function photographs(): Promise<{ kind: string; files: string[] }> {
  const sources = ['landmarks', 'places', 'holidays', 'products'].map((name) => join(shared, name));
  if (sources.every((source) => existsSync(source))) {
    const listed = (await Promise.all(sources.map((source) => listImages(source)))).flat();
    return { kind: 'real', files: listed.map(({ path }) => path) };
  }
  const out = join(work, 'generated');
  if (!existsSync(out)) await synthesize({ out, landmarks: 8, photos: 5, noise: 0, size: 512, seed: 1 });
  return { kind: 'generated', files: (await listImages(join(out, 'manifest.jsonl'))).map(({ path }) => path) };
}

/** `files`: of the rows. */
type Described = DescriptorSet & { files: string[] };

async function described(
  name: string,
  model: string,
  files: readonly string[],
  sizing: { size: number; snap?: number },
): Promise<Described> {
  const out = join(work, name);
  const images = join(work, 'photographs.txt');
  if (!existsSync(join(out, 'descriptors.npy'))) {
    writeFileSync(images, files.map((file) => `${resolve(file)}\n`).join(''));
    await extract({ model, images, out, threads, ...sizing });
  }
  const pathOf = new Map((await listImages(images)).map(({ id, path }) => [id, path]));
  const set = await readDescriptorFolder(out);
  return { ...set, files: set.ids.map((id) => pathOf.get(id)!) };
}

/** What of the ten nearest others of a photograph the bytes find; of equally near ones any is right. */
async function recall(name: string, kind: string, set: DescriptorSet): Promise<void> {
  const { nearestInt8 } = (await import(bytesScript)) as Int8Rows;
  const { dimension, data, ids } = set;
  const table = { dimension, ...toInt8(set) };
  const rows = evenly([...ids.keys()], 500);
  const queries = new Float32Array(rows.length * dimension);
  const row = (of: number) => data.subarray(of * dimension, (of + 1) * dimension);
  for (const [q, of] of rows.entries()) queries.set(row(of), q * dimension);
  const count = 10;
  const { similarities } = await nearestRows({ dimension, data: queries }, blocksOf(set), {
    count,
    skip: Int32Array.from(rows),
  });
  let kept = 0;
  for (const [q, of] of rows.entries()) {
    const query = row(of);
    const similarity = (other: number) => row(other).reduce((sum, value, d) => sum + value * query[d], 0);
    const least = similarities[(q + 1) * count - 1] - 1e-6;
    kept += nearestInt8(table, query, count, (other) => other !== of).filter(
      (each) => similarity(each.row) >= least,
    ).length;
  }
  const recallAt10 = rounded(kept / count / rows.length, 4);
  print({ recall: name, photographs: `${ids.length} ${kind}`, dimension, queries: rows.length, recallAt10 });
}

/** The index of so many items, each of a photograph that is there. */
async function madeIndex({ data, dimension, files }: Described): Promise<string> {
  const folder = join(work, `index-${items}`);
  if (existsSync(join(folder, 'collection.json'))) return folder;
  mkdirSync(folder, { recursive: true });
  const sha256 = await sha256OfFile(packageTrunk);
  const file = `model-${sha256.slice(0, 16)}.safetensors`;
  copyFileSync(packageTrunk, join(folder, file));
  const head = { name: 'bench', model: { file, sha256, dimension }, describing: { size: siteSize }, next: 1 };
  const records = Array.from({ length: items }, (_, i) => {
    const path = resolve(files[i % files.length]);
    const object = basename(dirname(path));
    const title = `${object.replaceAll('_', ' ')}, photograph ${i}`;
    const columns = { source: relative(shared, path).split('/')[0] };
    return {
      id: `photograph-${i}`,
      path,
      bytes: 1,
      modified: 1,
      sha256: `${i}`,
      object,
      title,
      rights: '© its photographer',
      columns,
    };
  });
  const rows = (async function* () {
    for (let i = 0; i < items; i++) {
      const row = i % files.length;
      yield { dimension, data: data.slice(row * dimension, (row + 1) * dimension) };
    }
  })();
  await EmbeddedStore.begin(folder, head).change({ records, rows });
  return folder;
}

const megabytes = (bytes: number) => rounded(bytes / 1e6, 2);

async function madeSite(set: Described): Promise<string> {
  const index = await madeIndex(set);
  const out = join(work, 'site');
  const { bytes, photographs: count, verified } = await exportSite({ index, out, overwrite: true, threads });
  const { thumbnails, ...rest } = bytes;
  print({
    bytes: `${count} items, ${Math.min(items, set.files.length)} photographs`,
    repeated: items > set.files.length,
    megabytes: Object.fromEntries(Object.entries(rest).map(([name, of]) => [name, megabytes(of)])),
    withoutThumbnails: megabytes(Object.values(rest).reduce((sum, of) => sum + of, 0)),
    thumbnails: megabytes(thumbnails),
    cosineOfModel: rounded(verified.cosine, 6),
  });
  return out;
}

/** Chooses each of the files in turn in one page. */
async function inBrowser(site: string, files: readonly string[], big: string): Promise<void> {
  const host = await staticHost(site);
  let browser: Browser | undefined;
  try {
    browser = await chromium.launch({ executablePath: chromiumPath, args: ['--no-sandbox', offline] });
    const page = await browser.newPage();
    page.setDefaultTimeout(120_000);
    const asked: string[] = [];
    page.on('request', (request) => asked.push(basename(request.url())));
    const startedAt = performance.now();
    await page.goto(host.address);
    const answered = async (file: string) => {
      const ms = page.evaluate<number>(`new Promise((resolve) => {
        const list = document.querySelector('#list');
        let chosenAt;
        document.querySelector('#file').addEventListener('change', () => { chosenAt = performance.now(); }, { once: true, capture: true });
        new MutationObserver((_, observer) => {
          if (chosenAt === undefined || list.getAttribute('aria-busy') !== 'false' || list.children.length === 0) return;
          observer.disconnect();
          requestAnimationFrame(() => resolve(performance.now() - chosenAt));
        }).observe(list, { attributes: true });
      })`);
      await page.setInputFiles('#file', file);
      return ms;
    };
    await answered(files[0]);
    const fromNothing = performance.now() - startedAt;
    const times: number[] = [];
    for (const file of files.slice(1)) times.push(await answered(file));
    const bigTimes = [await answered(big), await answered(big), await answered(big)];
    print({
      chromium: browser.version(),
      runtime: asked.filter((name) => name.startsWith('ort.')),
      firstResultOfAFreshPageMs: Math.round(fromNothing),
      photographs: times.length,
      ms: Math.round(median(times)),
      mostMs: Math.round(times.toSorted((a, b) => b - a)[0]),
      twelveMegapixelsMs: Math.round(median(bigTimes)),
      threads: await page.evaluate('crossOriginIsolated ? Math.min(4, navigator.hardwareConcurrency) : 1'),
      cores: availableParallelism(),
      load: rounded(loadavg()[0], 1),
    });
  } finally {
    await browser?.close();
    host.close();
  }
}

try {
  mkdirSync(work, { recursive: true });
  const { kind, files } = await photographs();
  const small = await described('rmac-small', packageTrunk, files, { size: siteSize });
  if (parts.includes('recall')) {
    await recall('rmac-small', kind, small);
    const weights = join(shared, 'weights/densenet121.safetensors');
    if (kind === 'real' && existsSync(weights)) {
      const model = join(work, 'densenet121.safetensors');
      if (!existsSync(model)) await importModel({ file: weights, arch: 'densenet121', out: model });
      await recall('densenet121', kind, await described('densenet121', model, files, { size: 224, snap: 32 }));
    }
  }
  if (parts.includes('site')) {
    const site = await madeSite(small);
    const chosen = evenly(files, 13);
    const big = join(temporary, 'big.jpg');
    await sharp(chosen[0]).resize(4000, 3000, { fit: 'fill' }).jpeg({ quality: 90 }).toFile(big);
    if (chromiumPath === undefined) print({ skipped: 'no Chromium (set RMAC_CHROMIUM)' });
    else await inBrowser(site, chosen, big);
  }
} finally {
  rmSync(temporary, { recursive: true });
}
