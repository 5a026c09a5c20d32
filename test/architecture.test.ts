/** @file Imports of src go one way, by the table of docs/architecture.md, and never in a circle: those of types too. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('..', import.meta.url));
const src = join(root, 'src');

/** Folders and files of src by layer, lowest last. What is compiled to WebAssembly (assembly/) is no part of it. */
const layers = [
  ...readFileSync(join(root, 'docs/architecture.md'), 'utf8')
    .split('## Layers')[1]
    .split('```mermaid')[0]
    .matchAll(/^\| (?:\w+) \| (`[^|]+) \|/gm),
].map(([, cell]) => [...cell.matchAll(/`([^`]+)`/g)].map(([, name]) => name));

const files = readdirSync(src, { recursive: true, encoding: 'utf8' })
  .map((path) => path.replaceAll('\\', '/'))
  .filter((path) => path.endsWith('.ts') && !path.includes('assembly/'));

/** Files that a file names in `from '...'` or `import('...')`. */
const imports = new Map(
  files.map((file) => {
    const named = readFileSync(join(src, file), 'utf8').matchAll(/(?:from|import)\s*\(?\s*'(\.[^']+)'/g);
    const found = [...named].map(([, path]) => resolve(src, dirname(file), path).replace(/\.js$/, '.ts'));
    return [file, found.filter((path) => existsSync(path)).map((path) => relative(src, path).replaceAll('\\', '/'))];
  }),
);

const layerOf = (file: string) => layers.findIndex((names) => names.includes(file.split('/')[0]));

test('every folder and file of src has one layer', () => {
  expect(layers.flat().toSorted()).toEqual([...new Set(files.map((file) => file.split('/')[0]))].toSorted());
});

test('imports go down the layers', () => {
  const up = [...imports].flatMap(([file, named]) =>
    named.filter((other) => layerOf(other) < layerOf(file)).map((other) => `${file} -> ${other}`),
  );
  expect(imports.size).toBeGreaterThan(200);
  expect(up).toEqual([]);
});

test('the engine imports nothing else of the project', () => {
  const out = [...imports].filter(([file]) => file.startsWith('backend/')).flatMap(([, named]) => named);
  expect(out.length).toBeGreaterThan(50);
  expect(out.filter((file) => !file.startsWith('backend/'))).toEqual([]);
});

test('no file imports itself by way of others', () => {
  const circles: string[] = [];
  const finished = new Set<string>();
  const path: string[] = [];
  const visit = (file: string) => {
    if (finished.has(file)) return;
    const at = path.indexOf(file);
    if (at >= 0) {
      circles.push([...path.slice(at), file].join(' -> '));
      return;
    }
    path.push(file);
    for (const other of imports.get(file) ?? []) visit(other);
    path.pop();
    finished.add(file);
  };
  for (const file of files) visit(file);
  expect(circles).toEqual([]);
});

test('what is exported has a name of its own', () => {
  const places = new Map<string, string[]>();
  for (const file of files) {
    const declared = readFileSync(join(src, file), 'utf8').matchAll(
      /^export (?:declare |abstract |async )*(?:function\*?|class|interface|type|const|enum) (\w+)/gm,
    );
    for (const [, name] of declared) places.set(name, [...(places.get(name) ?? []), file]);
  }
  expect(places.size).toBeGreaterThan(1000);
  // The same of every command and of every trainer.
  for (const shared of ['register', 'changeableOnResume']) places.delete(shared);
  expect([...places].filter(([, where]) => where.length > 1)).toEqual([]);
});
