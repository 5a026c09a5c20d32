import { mkdtempSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { openWeights } from '../../../src/data/open-weights.js';
import { InputError } from '../../../src/errors.js';
import { decodeTfjs, parseTfjsManifest } from '../../../src/models/weights/tfjs.js';
import { fuzz } from './fixtures.js';

const encode = (value: unknown) => Buffer.from(JSON.stringify(value));
const folder = () => mkdtempSync(join(tmpdir(), 'rmac-tfjs-'));

test('a model that TensorFlow.js saved has its weights', async () => {
  await tf.setBackend('cpu');
  const model = tf.sequential({
    layers: [
      tf.layers.conv2d({ name: 'conv1', filters: 4, kernelSize: 3, inputShape: [8, 8, 3] }),
      tf.layers.batchNormalization({ name: 'bn_conv1' }),
    ],
  });
  const at = folder();
  await model.save({
    save: async ({ weightSpecs, weightData, modelTopology }) => {
      const bytes = Buffer.from(weightData as ArrayBuffer);
      writeFileSync(join(at, 'group1-shard1of2.bin'), bytes.subarray(0, 101)); // in the middle of a value
      writeFileSync(join(at, 'group1-shard2of2.bin'), bytes.subarray(101));
      const paths = ['group1-shard1of2.bin', 'group1-shard2of2.bin'];
      writeFileSync(
        join(at, 'model.json'),
        encode({ modelTopology, weightsManifest: [{ paths, weights: weightSpecs }] }),
      );
      return { modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: 'JSON' } };
    },
  });
  const { format, tensors } = await openWeights(join(at, 'model.json'));
  expect(format).toBe('tfjs');
  expect([...tensors.keys()]).toEqual([
    'conv1/kernel',
    'conv1/bias',
    'bn_conv1/gamma',
    'bn_conv1/beta',
    'bn_conv1/moving_mean',
    'bn_conv1/moving_variance',
  ]);
  for (const weight of model.weights) {
    const mine = tensors.get(weight.originalName)!;
    expect(mine.shape).toEqual(weight.shape);
    expect(mine.data).toEqual(weight.read().dataSync());
  }
});

test('quantised weights have the values that TensorFlow.js decodes', () => {
  const weights: tf.io.WeightsManifestEntry[] = [
    { name: 'byte', shape: [4], dtype: 'float32', quantization: { dtype: 'uint8', scale: 0.1, min: -1.5 } },
    { name: 'word', shape: [2], dtype: 'float32', quantization: { dtype: 'uint16', scale: 0.01, min: 0.25 } },
    { name: 'half', shape: [2], dtype: 'float32', quantization: { dtype: 'float16' } },
    { name: 'int', shape: [], dtype: 'int32' },
  ];
  const bytes = Uint8Array.of(0, 1, 128, 255, 1, 2, 255, 255, 0x00, 0x3c, 0x00, 0xc1, 7, 0, 0, 0);
  const mine = decodeTfjs(
    parseTfjsManifest(encode({ weightsManifest: [{ paths: ['a'], weights }] }), 'f'),
    [[bytes]],
    'f',
  );
  const theirs = tf.io.decodeWeights(bytes.slice().buffer, weights);
  for (const [name, { data }] of mine.tensors) expect([...data], name).toEqual([...theirs[name].dataSync()]);
});

const weight = { name: 'a', shape: [2], dtype: 'float32' };

describe('hostile files are refused with one line', () => {
  test.each(['/etc/passwd', '../a', 'a/../../b', 'http://x/a', 'a\\..\\b', '', '.', 'a//b', 'C:/a', 7])(
    'shard %s',
    (path) => {
      const json = encode({ weightsManifest: [{ paths: [path], weights: [weight] }] });
      expect(() => parseTfjsManifest(json, 'm.json')).toThrow(/^m\.json: [^\n]*no file beside it\.$/);
    },
  );

  test('a link out of the folder', async () => {
    const at = folder();
    symlinkSync('/etc/hostname', join(at, 'a'));
    writeFileSync(join(at, 'model.json'), encode({ weightsManifest: [{ paths: ['a'], weights: [weight] }] }));
    await expect(openWeights(join(at, 'model.json'))).rejects.toThrow(/leads out of the folder/);
  });

  test('a shard that is missing', async () => {
    const at = folder();
    writeFileSync(join(at, 'model.json'), encode({ weightsManifest: [{ paths: ['a'], weights: [weight] }] }));
    await expect(openWeights(join(at, 'model.json'))).rejects.toThrow(InputError);
  });

  const broken: [string, object][] = [
    ['negative shape', { ...weight, shape: [-1] }],
    ['a huge shape', { ...weight, shape: [2 ** 40] }],
    ['more values than there are', { ...weight, shape: [2 ** 30] }],
    ['fewer values than there are', { ...weight, shape: [1] }],
    ['unknown type', { ...weight, dtype: 'string' }],
    ['type from the prototype', { ...weight, dtype: 'constructor' }],
    ['quantised without a scale', { ...weight, quantization: { dtype: 'uint8' } }],
  ];
  test.each(broken)('%s', (_, entry) => {
    const json = encode({ weightsManifest: [{ paths: ['a'], weights: [entry] }] });
    expect(() => decodeTfjs(parseTfjsManifest(json, 'm'), [[new Uint8Array(8)]], 'm')).toThrow(InputError);
  });
});

test('fuzz: any damage gives a result or an InputError', () => {
  const json = encode({
    weightsManifest: [
      {
        paths: ['a', 'b'],
        weights: [weight, { ...weight, name: 'b', quantization: { dtype: 'uint8', scale: 1, min: 0 } }],
      },
    ],
  });
  fuzz(json, (bytes) => decodeTfjs(parseTfjsManifest(bytes, 'm'), [[new Uint8Array(6), new Uint8Array(4)]], 'm'));
});
