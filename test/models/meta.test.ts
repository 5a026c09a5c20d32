import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { defaultMeta } from '../../src/models/architectures.js';
import { encodeMeta, parseMeta } from '../../src/models/meta.js';

test('what is written is read back, and key order does not matter', () => {
  const meta = defaultMeta('rmac-small', { imageSize: 320, provenance: 'seed 1', whitening: { dimension: 64 } });
  expect(parseMeta(encodeMeta(meta), 'f')).toEqual(meta);
  const shuffled = Object.fromEntries(Object.entries(meta).toReversed()) as unknown as typeof meta;
  expect(encodeMeta(shuffled)).toBe(encodeMeta(meta));
});

test('pooling options that are not stated take their defaults', () => {
  const { pooling, ...rest } = defaultMeta('vgg16');
  expect(parseMeta(JSON.stringify({ ...rest, pooling: { kind: 'rmac' } }), 'f').pooling).toEqual(pooling);
});

test('errors name the file and the field', () => {
  const meta = defaultMeta('vgg16');
  const broken = (change: object) => () => parseMeta(JSON.stringify({ ...meta, ...change }), 'm.safetensors');
  expect(() => parseMeta('{', 'm.safetensors')).toThrow('m.safetensors: the model metadata is not JSON.');
  expect(broken({ pooling: { kind: 'max' } })).toThrow(/^m\.safetensors: model metadata: pooling\.kind: /);
  expect(broken({ preprocessing: { ...meta.preprocessing, std: [1, 0, 1] } })).toThrow('preprocessing.std');
  expect(broken({ written: '2026' })).toThrow('written');
  expect(broken({ whitening: { dimension: 0 } })).toThrow('whitening.dimension');
});

test('fuzz: any JSON gives a meta or an InputError', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
      try {
        parseMeta(text, 'f');
        return true;
      } catch (error) {
        return error instanceof InputError;
      }
    }),
  );
});
