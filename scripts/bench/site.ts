/**
 * @file `npm run bench:site [-- recall|site --items N --work DIR]`: the site of a collection of 10,000 photographs, on real ones where they
 * are found (RMAC_SHARED), else on generated ones. Prints JSON lines:
 *   recall   of the ten nearest by exact descriptors, those that bytes and float16 find too: small trunk, and DenseNet-121 where its weights are
 *   site     its bytes, by what they are (photographs fewer than the items are repeated, and so said); then in Chromium, ms from choosing
 *            a file until the results stand and of the steps that the worker tells, and the processor's ms of all processes of the browser: on a page that is
 *            still loading; once that is quiet the first photograph, twelve more, and one enlarged to 12 megapixels; on a host without and with the headers that allow threads
 * Descriptors, index and site are kept in --work (default: a temporary folder), where a later run finds the first two.
 */
import { copyFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join, relative, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import sharp from 'sharp';
import { chromiumPath } from '../../test/support/chromium.js';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { evenly } from '../../src/data/evenly.js';
import { listImages } from '../../src/data/image-list.js';
import { sha256OfFile } from '../../src/data/sha256.js';
import { fromHalf, toHalf } from '../../src/linear/half-float.js';
import { fromInt8, toInt8 } from '../../src/linear/int8-rows.js';
import type { DescriptorRows } from '../../src/linear/rows.js';
import { type DescriptorSet, readDescriptorFolder } from '../../src/retrieval/descriptor-folder.js';
import { roundedRecall } from '../../src/retrieval/rounded-recall.js';
import { packageTrunk } from '../../src/run/run-start.js';
import { exportSite } from '../../src/stages/export-site.js';
import { extract } from '../../src/stages/extract.js';
import { synthesize } from '../../src/stages/synthesize.js';
import { importModel } from '../../src/stages/weights-import.js';
import { print, rounded } from './process.js';
import { timesInBrowser } from './site-in-browser.js';

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

/** What of the ten nearest others of a photograph by float32 is found by bytes, and by float16. */
async function recall(name: string, kind: string, set: DescriptorSet): Promise<void> {
  const { dimension, data, ids } = set;
  const rows = evenly([...ids.keys()], 500);
  const queries = {
    dimension,
    data: Float32Array.from(
      { length: rows.length * dimension },
      (_, i) => data[rows[Math.floor(i / dimension)] * dimension + (i % dimension)],
    ),
  };
  const of = async (copy: DescriptorRows) =>
    rounded(await roundedRecall({ queries, rows, exact: [set], rounded: [copy], total: ids.length }), 4);
  const int8 = await of(fromInt8(toInt8(set)));
  const float16 = await of({ dimension, data: fromHalf(toHalf(data)) });
  print({ recallAt10: name, photographs: `${ids.length} ${kind}`, dimension, queries: rows.length, int8, float16 });
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
  const { bytes, photographs: count, vectors, verified } = await exportSite({ index, out, overwrite: true, threads });
  const { thumbnails, ...rest } = bytes;
  print({
    bytes: `${count} items, ${Math.min(items, set.files.length)} photographs`,
    repeated: items > set.files.length,
    megabytes: Object.fromEntries(Object.entries(rest).map(([name, of]) => [name, megabytes(of)])),
    withoutThumbnails: megabytes(Object.values(rest).reduce((sum, of) => sum + of, 0)),
    thumbnails: megabytes(thumbnails),
    vectors,
    cosineOfModel: rounded(verified.cosine, 6),
  });
  return out;
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
    else await timesInBrowser(site, { files: chosen, big, items });
  }
} finally {
  rmSync(temporary, { recursive: true });
}
