/** @file Commands that replace what they wrote before, killed at every operation on a file: readers see the old, the new, or an error. */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cleanFiles } from '../../src/cleaning/clean-outputs.js';
import { readManifest } from '../../src/data/manifest.js';
import { EmbeddedStore } from '../../src/collection/embedded-store.js';
import { InputError } from '../../src/errors.js';
import { readDescriptorFolder } from '../../src/retrieval/descriptor-folder.js';

const root = resolve(import.meta.dirname, '../..');
let folder: string;
const ids = Array.from({ length: 8 }, (_, i) => `photo-${i}`);

/** What a script of the tests does with `out`, in its old and in its new version. */
const scripts = {
  // The same ids in another order: rows under the ids of the other version have the right form.
  extract: `
    import { extractDescriptors } from '${root}/src/retrieval/extract.ts';
    const [out, version] = process.argv.slice(2);
    const ids = ${JSON.stringify(ids)};
    const items = (version === 'old' ? ids : ids.toReversed()).map((id) => ({ id, path: '/' + id }));
    const describeFiles = async function* (waiting) {
      for (const item of waiting) {
        const angle = ids.indexOf(item.id) + (version === 'old' ? 0 : 0.5);
        yield { item, descriptor: Float32Array.of(Math.cos(angle), Math.sin(angle)) };
      }
    };
    await extractDescriptors({ dimension: 2, describeFiles }, items, { folder: out, settings: { version }, overwrite: true });`,
  split: `
    import { split } from '${root}/src/stages/split.ts';
    import { dirname } from 'node:path';
    const [out, version] = process.argv.slice(2);
    const seed = version === 'old' ? 1 : 2;
    await split({ manifest: dirname(out) + '/manifest.jsonl', val: 0.4, by: 'photo', seed, out, overwrite: true });`,
  clean: `
    import { writeCleaned } from '${root}/src/cleaning/clean-outputs.ts';
    import { withFolderLock } from '${root}/src/data/folder-lock.ts';
    const [out, version] = process.argv.slice(2);
    const records = ${JSON.stringify(ids)}.map((id) => ({ id: version + id, path: out + '/' + id + '.jpg', landmark: 'a' }));
    const decisions = records.map((_, i) => (i % 2 === 0 ? { landmark: 'a' } : { reason: 'unmatched' }));
    const conflicts = [{ a: 0, b: 2, kind: 'overlap', inliers: 20 }];
    const edge = { a: 0, b: 2, inliers: 20, matches: 30, overlay: 0, aToB: [1, 0, 0, 0, 1, 0] };
    const box = [0, 0, 1, 1];
    const cleaned = { records, decisions, conflicts, graph: { edges: [edge] }, keptEdges: [edge], initial: records.map(() => box), boxes: records.map(() => box) };
    await withFolderLock(out, () => writeCleaned(out, out, cleaned, version === 'old' ? 'old report' : undefined));`,
  // The old one has the first photographs alone; the new one has another vector for one of them, one is gone, and there are more.
  collection: `
    import { EmbeddedStore } from '${root}/src/collection/embedded-store.ts';
    import { hasIndex } from '${root}/src/collection/index-folder.ts';
    import { withFolderLock } from '${root}/src/data/folder-lock.ts';
    const [out, version] = process.argv.slice(2);
    const begin = { name: 'c', model: { file: 'model-0.safetensors', sha256: '0', dimension: 2 }, describing: {}, next: 1 };
    const ids = ${JSON.stringify(ids)};
    const chosen = version === 'old' ? ids.slice(0, 3) : ids.slice(1);
    const records = chosen.map((id) => ({ id, path: '/' + id, bytes: 1, modified: 1, sha256: version, columns: {} }));
    const rows = async function* () {
      for (const id of chosen) {
        const angle = ids.indexOf(id) + (version === 'old' ? 0 : 0.5);
        yield { dimension: 2, data: Float32Array.of(Math.cos(angle), Math.sin(angle)) };
      }
    };
    await withFolderLock(out, async () => {
      const store = hasIndex(out) ? await EmbeddedStore.open(out) : EmbeddedStore.begin(out, begin);
      await store.change({ records, rows: rows(), remove: version === 'old' ? [] : [ids[0]] });
    });`,
};
type Name = keyof typeof scripts;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'rmac-kills-'));
  // Answers to every call with nothing.
  writeFileSync(
    join(folder, 'empty.mjs'),
    'export default new Proxy(() => undefined, { get: () => () => undefined });',
  );
  for (const [name, text] of Object.entries(scripts)) {
    await build({
      stdin: { contents: text, resolveDir: root, loader: 'ts' },
      bundle: true,
      platform: 'node',
      format: 'esm',
      outfile: join(folder, `${name}.mjs`),
      // Neither decodes nor computes; what is large takes long to start.
      alias: { '@tensorflow/tfjs-core': join(folder, 'empty.mjs'), sharp: join(folder, 'empty.mjs') },
      external: ['onnxruntime-node'],
      banner: {
        js: `import { createRequire as requireFrom } from 'node:module'; const require = requireFrom('${root}/package.json');`,
      },
      logLevel: 'error',
    });
  }
  const manifest = ids.map((id) => JSON.stringify({ id, path: `${id}.jpg`, landmark: 'a' }));
  writeFileSync(join(folder, 'manifest.jsonl'), `${manifest.join('\n')}\n`);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const out = () => join(folder, 'out');

/** Runs a script's version; killed where `kill` says so, else to its end. Returns the operations that it did. */
function run(name: Name, version: 'old' | 'new', kill?: { at: number; phase: string }): number {
  const counted = join(folder, 'count');
  const env = {
    ...process.env,
    KILL_DIR: out(),
    ...(kill === undefined ? { KILL_COUNT: counted } : { KILL_AT: `${kill.at}`, KILL_PHASE: kill.phase }),
  };
  const script = ['--require', join(root, 'test/support/kill-at.cjs'), join(folder, `${name}.mjs`), out(), version];
  const { status, signal, stderr } = spawnSync(process.execPath, script, { env, encoding: 'utf8' });
  if (kill === undefined) expect(status, stderr).toBe(0);
  else expect(signal, stderr).toBe('SIGKILL');
  return kill === undefined ? Number(readFileSync(counted, 'utf8')) : 0;
}

/** What a reader sees of `out`; undefined where it says that it cannot be read. */
const readers: Record<Name, () => Promise<unknown>> = {
  extract: async () => {
    const set = await readDescriptorFolder(out());
    return [set.ids, set.data];
  },
  split: async () => {
    const halves = [await readManifest(join(out(), 'train.jsonl')), await readManifest(join(out(), 'val.jsonl'))];
    return halves.map((records) => records.map(({ id }) => id));
  },
  clean: async () => {
    const files = cleanFiles(out());
    await readManifest(files.clean); // says that the rest is there
    return Object.values(files).map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''));
  },
  collection: async () => {
    const store = await EmbeddedStore.open(out());
    const records = [...store.records()];
    const rows = await store.vectors(store.ids());
    await store.close();
    return [records, Array.from(rows.data)];
  },
};

/** Files of the folder; numbers of generations say how often it was written. */
const filesOf = () =>
  readdirSync(out())
    .map((name) => name.replace(/\d{6}/, 'N'))
    .toSorted();

async function read(name: Name): Promise<unknown> {
  try {
    return await readers[name]();
  } catch (error) {
    expect(error).toBeInstanceOf(InputError);
    return undefined;
  }
}

test.each(Object.keys(scripts) as Name[])(
  '%s',
  async (name) => {
    run(name, 'new');
    const [fresh, files] = [await read(name), filesOf()];
    rmSync(out(), { recursive: true });
    run(name, 'old');
    const old = await read(name);
    expect(old).not.toEqual(fresh);
    cpSync(out(), join(folder, 'before'), { recursive: true, verbatimSymlinks: true });
    const operations = run(name, 'new');
    expect(operations).toBeGreaterThan(8);
    const seen = { old: 0, new: 0, neither: 0 };
    for (let at = 1; at <= operations; at++) {
      for (const phase of ['half', 'after']) {
        rmSync(out(), { recursive: true });
        cpSync(join(folder, 'before'), out(), { recursive: true, verbatimSymlinks: true });
        run(name, 'new', { at, phase });
        const found = await read(name);
        if (found === undefined) seen.neither++;
        else {
          expect([old, fresh]).toContainEqual(found);
          seen[isEqual(found, old) ? 'old' : 'new']++;
        }
      }
      run(name, 'new');
      expect(await read(name)).toEqual(fresh);
      expect(filesOf()).toEqual(files);
    }
    rmSync(join(folder, 'before'), { recursive: true });
    rmSync(out(), { recursive: true });
    expect(Math.min(seen.old, seen.new)).toBeGreaterThan(0);
    expect(seen.neither).toBeLessThan(seen.old + seen.new);
  },
  300_000,
);

function isEqual(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
