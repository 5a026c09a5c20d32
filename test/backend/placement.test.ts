import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import { afterAll, expect, test, vi } from 'vitest';
import { cpuProvider, operatorPlacement } from '../../src/backend/placement.js';
import { testDevice } from '../support/device.js';

const ours = { cpu: cpuProvider, webgpu: 'WebGpuExecutionProvider', cuda: 'CUDAExecutionProvider', tensorflow: '' };
const options = { device: testDevice, threads: 1 };
// A temporary folder of this file's own, so that no other file's profiles are seen.
const folder = mkdtempSync(join(tmpdir(), 'rmac-placement-'));
vi.stubEnv('TMPDIR', folder);
const profiles = () => readdirSync(folder).filter((name) => name.startsWith('rmac-profile-'));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

test('counts the nodes of every operator once, however often they run', async () => {
  const placed = await operatorPlacement(options, () => {
    const x = tf.randomNormal<tf.Rank.R2>([8, 8], 0, 1, 'float32', 1);
    for (let i = 0; i < 3; i++) tf.tidy(() => tf.exp(tf.exp(tf.matMul(x, x))).dataSync());
  });
  const nodesOf = (name: string) => placed.filter(({ operator }) => operator === name);
  expect(nodesOf('Exp')).toEqual([{ operator: 'Exp', provider: ours[testDevice], nodes: 2 }]);
  expect(placed.every(({ provider }) => provider === ours[testDevice])).toBe(true);
  expect(profiles()).toEqual([]);
});

test('names what the WebGPU device leaves to the CPU, and the copies', async () => {
  const placed = await operatorPlacement(options, () => {
    const x = tf.ones<tf.Rank.R4>([1, 2, 2, 8]);
    tf.tidy(() => tf.exp(tf.localResponseNormalization(tf.exp(x), 2)).dataSync());
  });
  expect(placed.find(({ operator }) => operator === 'LRN')?.provider).toBe(
    testDevice === 'webgpu' ? cpuProvider : ours[testDevice],
  );
  expect(placed.some(({ operator }) => operator === 'MemcpyToHost')).toBe(testDevice === 'webgpu');
});

test('what the work throws arrives, and no profile stays behind', async () => {
  const work = () => {
    throw new Error('broken work');
  };
  await expect(operatorPlacement(options, work)).rejects.toThrow('broken work');
  expect(profiles()).toEqual([]);
});
