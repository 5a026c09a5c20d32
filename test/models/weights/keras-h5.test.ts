import { deflateSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import { parseKerasH5 } from '../../../src/models/weights/keras-h5.js';
import { readWeights } from '../../../src/models/weights/read-weights.js';
import { expectedOf, expectEveryTruncationRefused, expectTensors, fixture, fuzz, keras3Values } from './fixtures.js';

test.each(['save_weights.h5', 'model_save.h5', 'chunked.h5', 'half_chunks.h5', 'keras1.h5'])(
  '%s has the values that h5py wrote: both layouts, double, big-endian, half, chunks with gzip, names of Keras 1',
  (name) => {
    const { format, tensors } = readWeights(fixture(name), name);
    expect(format).toBe('keras-h5');
    expectTensors(tensors, expectedOf(name));
  },
);

test('a file without the names that Keras writes is refused', () => {
  const bytes = fixture('save_weights.h5');
  const at = Buffer.from(bytes).indexOf('layer_names');
  bytes[at] = 0x4c;
  expect(() => parseKerasH5(bytes, 'w.h5')).toThrow('w.h5: cannot be read as a Keras HDF5 file: it has no layer_names');
});

test('Keras 3 .weights.h5: every tensor by its layer, of a model in a model too', () => {
  const { format, tensors } = readWeights(fixture('keras3.weights.h5'), 'keras3.weights.h5');
  expect(format).toBe('keras-h5');
  expectTensors(tensors, keras3Values());
});

test('Keras 3 .weights.h5 without names of layers is refused with the way out', () => {
  const bytes = Buffer.from(fixture('keras3.weights.h5'));
  // The name of every attribute "name", which HDF5 ends with a zero.
  for (let at = bytes.indexOf('name\0'); at >= 0; at = bytes.indexOf('name\0', at + 1)) bytes[at] = 0x6d;
  expect(() => parseKerasH5(bytes, 'w.h5')).toThrow(
    /does not name its layers .* save it as model\.save\("model\.h5"\)/,
  );
});

test('chunks that inflate to more than they should are refused before they do', () => {
  const bytes = fixture('half_chunks.h5');
  const bomb = deflateSync(new Uint8Array(2 ** 20));
  const at = bytes.findIndex((byte, i) => byte === 0x78 && bytes[i + 1] === 0x5e);
  bytes.set(bomb.subarray(0, 20), at > 0 ? at : bytes.length - 20);
  expect(() => parseKerasH5(bytes, 'w.h5')).toThrow(InputError);
});

test('kernels of Keras on Theano are refused: they are turned round', () => {
  const bytes = Buffer.from(fixture('save_weights.h5'));
  bytes.write('theano\0\0\0\0', bytes.indexOf('tensorflow'), 'latin1');
  expect(() => parseKerasH5(bytes, 'w.h5')).toThrow(/Theano/);
});

test('every truncation is refused or gives all tensors', () => {
  const good = fixture('save_weights.h5');
  const needed = good.length - 1024; // h5py leaves room at the end
  expectEveryTruncationRefused(good.slice(0, needed), (bytes) => parseKerasH5(bytes, 'f'), 7);
});

test.each(['save_weights.h5', 'half_chunks.h5', 'keras3.weights.h5'])(
  'fuzz: any damage to %s gives a result or an InputError',
  (name) => {
    fuzz(fixture(name), (bytes) => parseKerasH5(bytes, 'f'));
  },
);
