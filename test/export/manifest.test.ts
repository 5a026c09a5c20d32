import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { manifestName, readExportManifest } from '../../src/export/manifest.js';
import { defaultPooling } from '../../src/models/meta.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-export-'));
const good = {
  format: 'onnx',
  input: { name: 'image', layout: '[1, height, width, 3]', type: 'float32', values: 'RGB 0-255' },
  output: { name: 'descriptor', layout: '[1, dimension]', type: 'float32', dimension: 4 },
  files: [{ file: 'descriptor-64x48.onnx', width: 64, height: 48, bytes: 10 }],
  model: {
    architecture: 'rmac-small',
    cut: 'c',
    preprocessing: { channels: 'rgb', scale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
    pooling: defaultPooling,
  },
};
const read = (value: unknown) => {
  writeFileSync(join(folder, manifestName), JSON.stringify(value));
  return readExportManifest(folder);
};

test('what rmac export writes is read', async () => {
  expect(await read(good)).toEqual(good);
});

test.each([
  [{}],
  [null],
  [[]],
  ['x'],
  [{ files: null, model: {} }],
  [{ ...good, files: [] }],
  [{ ...good, files: [{}] }],
  [{ ...good, files: [{ ...good.files[0], file: '../other/x.onnx' }] }],
  [{ ...good, files: [{ ...good.files[0], width: 20_000 }] }],
  [{ ...good, model: { ...good.model, imageSize: 30_000 } }],
])('%j is refused by name', async (value) => {
  await expect(read(value)).rejects.toThrow(InputError);
  await expect(read(value)).rejects.toThrow(/descriptor-model\.json: /);
});
