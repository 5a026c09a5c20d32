import * as tf from '@tensorflow/tfjs';
import { expect, test } from 'vitest';
import { forwardedKernels } from '../../src/backend/index.js';
import { register } from '../../src/commands/doctor.js';
import { UsageError } from '../../src/errors.js';
import { testDevice } from '../support/device.js';
import { runCommand } from './run-command.js';

const kernels = ['doctor', '--kernels', '--arch', 'rmac-small', '--threads', '1'];

test('doctor --kernels: every kernel of the engine is listed once, and a training step is placed', async () => {
  const { stdout } = await runCommand(register, ...kernels, '--device', testDevice, '--json');
  const report = JSON.parse(stdout) as {
    kernels: { native: string[]; forwarded: Record<string, string[]>; missing: string[] };
    trainingStep: {
      network: string;
      operators: { operator: string; provider: string; nodes: number }[];
      leftToCpu: unknown[];
      forwarded: number;
    }[];
  };
  const { native, forwarded, missing } = report.kernels;
  expect(forwarded).toEqual(forwardedKernels);
  const registered = tf.getKernelsForBackend('onnx').map(({ kernelName }) => kernelName);
  expect([...native, ...Object.values(forwarded).flat()].toSorted()).toEqual(registered.toSorted());
  expect(native).toContain('Conv2DBackpropFilter');
  expect(native).not.toContain('FFT');
  expect(missing.some((name) => registered.includes(name))).toBe(false);
  const [step] = report.trainingStep;
  expect(step).toMatchObject({ network: 'rmac-small', leftToCpu: [], forwarded: 0 });
  expect(step.operators.find(({ operator }) => operator === 'MaxPool')!.nodes).toBeGreaterThan(0);
});

test('doctor --kernels: the same in words', async () => {
  const { stdout } = await runCommand(register, ...kernels, '--device', 'cpu');
  expect(stdout).toMatch(/^computed by the engine: \d+ tfjs kernels\n {2}Abs Acos/);
  expect(stdout).toMatch(/rmac-small, rmac +[\d,]+ nodes of \d+ operators; all on cpu\n$/);
});

test('doctor --kernels: devices and networks that it does not know are wrong usage', async () => {
  await expect(runCommand(register, 'doctor', '--kernels', '--device', 'tensorflow')).rejects.toThrow(UsageError);
  await expect(runCommand(register, 'doctor', '--kernels', '--device', 'tpu')).rejects.toThrow('cpu, webgpu, cuda');
  await expect(runCommand(register, 'doctor', '--kernels', '--arch', 'lenet')).rejects.toThrow('Unknown architecture');
  await expect(runCommand(register, 'doctor', '--arch', 'vgg16')).rejects.toThrow('--kernels');
});
