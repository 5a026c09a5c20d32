/** The device `tensorflow` with a module that records what it is asked: the packages themselves cannot be test dependencies. */
import { expect, test } from 'vitest';
import { loadTensorflow, type TensorflowModule } from '../../src/backend/tensorflow.js';
import type { MeasureRecord, StopRecord, UpdateRecord } from '../../src/run/run-records.js';
import { logScalars, tensorflowScalars } from '../../src/run/scalar-log.js';

function fakeModule() {
  const calls: unknown[][] = [];
  const module: TensorflowModule = {
    node: {
      summaryFileWriter(folder) {
        calls.push(['open', folder]);
        return {
          scalar: (...args) => calls.push(['scalar', ...args]),
          flush: () => calls.push(['flush']),
        };
      },
    },
  };
  return { module, calls };
}

const missing = () => Promise.reject(Object.assign(new Error('not there'), { code: 'ERR_MODULE_NOT_FOUND' }));

test('the GPU package comes first, the other takes its place, and none is an error that names both', async () => {
  const { module } = fakeModule();
  const asked: string[] = [];
  const loaded = await loadTensorflow((name) => {
    asked.push(name);
    return name.endsWith('gpu') ? missing() : Promise.resolve(module);
  });
  expect(loaded).toBe(module);
  expect(asked).toEqual(['@tensorflow/tfjs-node-gpu', '@tensorflow/tfjs-node']);
  await expect(loadTensorflow(missing)).rejects.toThrow('@tensorflow/tfjs-node-gpu or @tensorflow/tfjs-node');
});

test('a package that is installed but broken is named with its error', async () => {
  const broken = () => Promise.reject(new Error('libtensorflow.so.2: cannot open'));
  await expect(loadTensorflow(broken)).rejects.toThrow(/tfjs-node-gpu is installed but does not load: libtensorflow/);
});

test('updates and measurements become scalars of the summary writer', () => {
  const { module, calls } = fakeModule();
  const log = tensorflowScalars(module, 'runs/first');
  logScalars(log, { event: 'update', step: 3, loss: 0.5, active: 0.25, gradientNorm: 2 } as object as UpdateRecord);
  logScalars(log, { event: 'measure', step: 3, map: 0.75, best: true } as object as MeasureRecord);
  logScalars(log, { event: 'stop', step: 3, reason: 'finished' } as StopRecord);
  expect(calls).toEqual([
    ['open', 'runs/first'],
    ['scalar', 'train/loss', 0.5, 3],
    ['scalar', 'train/active', 0.25, 3],
    ['scalar', 'train/gradientNorm', 2, 3],
    ['scalar', 'validation/map', 0.75, 3],
    ['flush'],
  ]);
});
