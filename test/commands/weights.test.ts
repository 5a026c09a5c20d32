import { existsSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Command } from 'commander';
import { afterEach, expect, test, vi } from 'vitest';
import { register } from '../../src/commands/weights.js';
import { readModelFile } from '../../src/data/model-file.js';
import { encodeSafetensors, type NamedArrays } from '../../src/models/safetensors.js';

const folder = mkdtempSync(join(tmpdir(), 'rmac-weights-'));

/** Runs a command line; what it wrote to stdout, or throws what it threw. */
async function run(...argv: string[]): Promise<string> {
  const program = new Command().exitOverride().configureOutput({ writeErr: () => undefined });
  register(program);
  let out = '';
  vi.spyOn(process.stdout, 'write').mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, 'write').mockReturnValue(true);
  await program.parseAsync(argv, { from: 'user' });
  return out;
}

afterEach(() => vi.restoreAllMocks());

/** The first convolution of VGG-16 under Keras' names, and a classifier. */
function vggFile(change: (tensors: NamedArrays) => void = () => undefined): string {
  const tensors: NamedArrays = new Map([
    ['block1_conv1/kernel', { shape: [3, 3, 3, 64], data: new Float32Array(1728).fill(0.1) }],
    ['block1_conv1/bias', { shape: [64], data: new Float32Array(64) }],
    ['predictions/bias', { shape: [2], data: new Float32Array(2) }],
  ]);
  change(tensors);
  const file = join(folder, `vgg${Math.random()}.safetensors`);
  writeFileSync(file, encodeSafetensors(tensors, { source: 'a test' }));
  return file;
}

test('import writes a model file and reports it as one JSON object', async () => {
  const out = join(folder, 'model.safetensors');
  const text = await run(
    'weights',
    'import',
    vggFile(),
    '--arch',
    'vgg16',
    '--cut',
    'block1_conv1',
    '--pooling',
    'gem',
    '--out',
    out,
    '--json',
  );
  const report = JSON.parse(text) as Record<string, unknown>;
  expect(report).toMatchObject({
    model: out,
    architecture: 'vgg16',
    cut: 'conv1_1',
    layout: 'keras',
    tensors: 2,
    parameters: 1792,
    skipped: { head: ['predictions/bias'], behindCut: [] },
  });
  const { meta } = await readModelFile(out);
  expect(meta).toMatchObject({
    pooling: { kind: 'gem', levels: 3 },
    provenance: 'a test',
    preprocessing: { channels: 'bgr' },
  });
});

test('import does not overwrite unless asked to', async () => {
  const out = join(folder, 'once.safetensors');
  const args = ['weights', 'import', vggFile(), '--arch', 'vgg16', '--cut', 'conv1_1', '--out', out];
  await run(...args);
  await expect(run(...args)).rejects.toThrow('--overwrite');
  await run(...args, '--overwrite');
});

test('import of weights that do not fit writes nothing', async () => {
  const out = join(folder, 'never.safetensors');
  const file = vggFile((tensors) => tensors.delete('block1_conv1/bias'));
  await expect(run('weights', 'import', file, '--arch', 'vgg16', '--cut', 'conv1_1', '--out', out)).rejects.toThrow(
    'missing: block1_conv1/bias',
  );
  await expect(run('weights', 'import', file, '--arch', 'vgg', '--out', out)).rejects.toThrow(
    'Unknown architecture "vgg". Did you mean vgg16? Known:',
  );
  for (const [given, meant] of [
    ['resnet101', 'resnet101-tv'],
    ['ResNet-50', 'resnet50'],
    ['resnet152keras', 'resnet152-keras'],
  ]) {
    const failed = run('weights', 'import', file, '--arch', given, '--out', out);
    await expect(failed).rejects.toThrow(new RegExp(`Did you mean ${meant}\\? .*-tv is torchvision`));
  }
  await expect(run('weights', 'import', file, '--arch', 'vgg16', '--pooling', 'max', '--out', out)).rejects.toThrow(
    'mac, spoc, gem, rmac or cls',
  );
  expect(existsSync(out)).toBe(false);
});

test('download list is a table of names, networks, checksums and licences', async () => {
  const lines = (await run('weights', 'download', 'list')).trimEnd().split('\n');
  expect(lines[0]).toMatch(/^name +--arch +checksum +licence$/);
  expect(lines.find((line) => line.startsWith('resnet101-tv '))).toMatch(
    /^resnet101-tv +resnet101-tv +sha256 +BSD-3-Clause/,
  );
  expect(lines.length).toBeGreaterThan(20);
});

test('inspect lists tensors, metadata and values that are not finite', async () => {
  const file = vggFile((tensors) => {
    tensors.get('block1_conv1/bias')!.data[3] = NaN;
  });
  const report = JSON.parse(await run('weights', 'inspect', file, '--json')) as {
    tensors: unknown[];
    metadata: object;
    notFinite: number;
  };
  expect(report.tensors).toContainEqual({ name: 'block1_conv1/bias', dtype: 'F32', shape: [64], notFinite: 1 });
  expect(report.metadata).toEqual({ source: 'a test' });
  expect(report.notFinite).toBe(1);
  const text = await run('weights', 'inspect', file);
  expect(text).toContain('block1_conv1/bias    F32  [64]  1 values are NaN or infinite');
  expect(text).toContain('3 tensors, 1 with NaN or infinite values');
});
