/** @file What this machine can compute with, and how fast. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { fileURLToPath } from 'node:url';
import * as tf from '@tensorflow/tfjs-core';
import { devices } from '../backend/index.js';
import { sharp } from '../data/raster-loaders.js';
import { messageOf } from '../errors.js';
import { type Versions, versions } from '../versions.js';
import { type EngineChoice, openEngine } from './open-model.js';

/** Whether a device computes on this machine. */
export interface DeviceReport {
  device: string;
  available: boolean;
  /** `computes`, or what keeps it from that. */
  detail: string;
}

/** What this machine has. */
export interface DoctorReport {
  /** Version of Node. */
  node: string;
  platform: string;
  cpu: string;
  cores: number;
  memoryGB: number;
  versions: Omit<Versions, 'node'> & { sharp: string };
  devices: DeviceReport[];
  convolution: { shape: string; threads: number; gflops: number };
}

/** Tries every device, and times one convolution for two seconds on the CPU, where the engine is left. */
export async function doctor({ threads }: Pick<EngineChoice, 'threads'> = {}): Promise<DoctorReport> {
  const { node, ...packages } = versions();
  const found = [await tryDevice({ device: 'cpu', threads })];
  for (const device of devices) if (device !== 'cpu') found.push(probe(device));
  const gflops = Math.round(convolutionSpeed());
  return {
    node,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    versions: { ...packages, sharp: sharp.versions.sharp },
    devices: found,
    convolution: {
      shape: '3x3, 512 to 512 channels, 45x34 cells',
      threads: threads ?? availableParallelism(),
      gflops,
    },
  };
}

/** Tries a device in a process of its own: a driver that is missing or broken writes to stderr, or takes its host along. */
function probe(device: string): DeviceReport {
  // Tests run the source by what this process was started with.
  const source = import.meta.url.endsWith('.ts');
  const cli = fileURLToPath(new URL(source ? '../cli.ts' : '../cli.js', import.meta.url));
  const argv = [...(source ? process.execArgv : []), cli, 'doctor', '--probe', device];
  const child = spawnSync(process.execPath, argv, { encoding: 'utf8', timeout: 60_000 });
  try {
    return JSON.parse(child.stdout) as DeviceReport;
  } catch {
    return { device, available: false, detail: `the driver ended the process (${child.signal ?? child.status})` };
  }
}

/** Makes the device compute a product of ones; it stays selected. */
export async function tryDevice({ device = 'cpu', threads }: EngineChoice): Promise<DeviceReport> {
  try {
    await openEngine({ device, threads });
    const sum = tf.tidy(() => tf.sum(tf.matMul(tf.ones([4, 4]), tf.ones([4, 4]))).dataSync()[0]);
    return {
      device,
      available: sum === 64,
      detail: sum === 64 ? 'computes' : `computes wrongly: ${sum} instead of 64`,
    };
  } catch (error) {
    return { device, available: false, detail: (messageOf(error).split('\n')[0] ?? '').slice(0, 160) };
  }
}

/** Repeats one convolution for two seconds; the best run in GFLOPS. */
function convolutionSpeed(): number {
  const x = tf.randomUniform<tf.Rank.R4>([1, 34, 45, 512], -1, 1, 'float32', 1);
  const filter = tf.randomUniform<tf.Rank.R4>([3, 3, 512, 512], -1, 1, 'float32', 2);
  let best = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 2000; performance.now() < end; ) {
    const startedAt = performance.now();
    tf.tidy(() => tf.mean(tf.conv2d(tf.add(x, startedAt), filter, 1, 'same')).dataSync());
    best = Math.min(best, performance.now() - startedAt);
  }
  tf.dispose([x, filter]);
  return (2 * 34 * 45 * 9 * 512 * 512) / best / 1e6;
}
