/** @file `rmac doctor`: what this machine can compute with, and how fast. */
import { spawnSync } from 'node:child_process';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { type Command, Option } from 'commander';
import { messageOf, UsageError } from '../errors.js';
import { addCommonOptions, type CommonOptions, printResult } from './console.js';
import { openEngine } from './open-model.js';

interface DoctorOptions extends CommonOptions {
  kernels?: boolean;
  arch?: string;
  probe?: string;
}

interface DeviceReport {
  device: string;
  available: boolean;
  detail: string;
}

export function register(program: Command): void {
  addCommonOptions(program.command('doctor'))
    .option('--kernels', 'list the kernels of the engine, and what of a training step --device leaves to the CPU')
    .option('--arch <name>', 'with --kernels: the training step of this network only')
    .addOption(new Option('--probe <device>').hideHelp())
    .addHelpText('after', '\nExamples:\n  rmac doctor\n  rmac doctor --kernels --device webgpu')
    .action(run);
}

async function run(options: DoctorOptions): Promise<void> {
  if (options.probe !== undefined) {
    process.stdout.write(`${JSON.stringify(await tryDevice(options.probe, options.threads))}\n`);
    return;
  }
  if (options.kernels === true) {
    const { listKernels } = await import('./doctor-kernels.js');
    await listKernels(options);
    return;
  }
  if (options.arch !== undefined) throw new UsageError('--arch belongs to --kernels.');
  const tf = await import('@tensorflow/tfjs-core');
  const { default: sharp } = await import('sharp');
  const { versions } = await import('../versions.js');
  const { node, ...packages } = versions();
  const devices = [await tryDevice('cpu', options.threads)];
  for (const device of ['webgpu', 'cuda', 'tensorflow']) devices.push(probe(device));
  const gflops = convolutionSpeed(tf);
  const threads = options.threads ?? availableParallelism();
  const report = {
    node,
    platform: `${process.platform}-${process.arch}`,
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGB: Math.round(totalmem() / 1e9),
    versions: { ...packages, sharp: sharp.versions.sharp },
    devices,
    convolution: { shape: '3x3, 512 to 512 channels, 45x34 cells', threads, gflops: Math.round(gflops) },
  };
  const lines = [
    `rmac ${report.versions.rmac}, Node ${report.node}, ${report.platform}`,
    `${report.cpu}, ${report.cores} cores, ${report.memoryGB} GB`,
    `tfjs ${report.versions.tfjs}, ONNX Runtime ${report.versions.onnxruntime}, sharp ${report.versions.sharp}`,
    ...devices.map(({ device, available, detail }) => `${device.padEnd(11)}${available ? 'ok' : 'no'}   ${detail}`),
    `convolution ${report.convolution.shape}: ${report.convolution.gflops} GFLOPS on ${threads} threads`,
  ];
  printResult(report, lines.join('\n'), options);
}

/** Tries a device in a process of its own: a driver that is missing or broken writes to stderr, or takes its host along. */
function probe(device: string): DeviceReport {
  const child = spawnSync(process.execPath, [...process.execArgv, process.argv[1] ?? '', 'doctor', '--probe', device], {
    encoding: 'utf8',
    timeout: 60_000,
  });
  try {
    return JSON.parse(child.stdout) as DeviceReport;
  } catch {
    return { device, available: false, detail: `the driver ended the process (${child.signal ?? child.status})` };
  }
}

/** Makes the device compute a product of ones; it stays selected. */
async function tryDevice(device: string, threads: number | undefined): Promise<DeviceReport> {
  const tf = await import('@tensorflow/tfjs-core');
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
function convolutionSpeed(tf: typeof import('@tensorflow/tfjs-core')): number {
  const x = tf.randomUniform<import('@tensorflow/tfjs-core').Rank.R4>([1, 34, 45, 512], -1, 1, 'float32', 1);
  const filter = tf.randomUniform<import('@tensorflow/tfjs-core').Rank.R4>([3, 3, 512, 512], -1, 1, 'float32', 2);
  let best = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + 2000; performance.now() < end; ) {
    const startedAt = performance.now();
    tf.tidy(() => tf.mean(tf.conv2d(tf.add(x, startedAt), filter, 1, 'same')).dataSync());
    best = Math.min(best, performance.now() - startedAt);
  }
  tf.dispose([x, filter]);
  return (2 * 34 * 45 * 9 * 512 * 512) / best / 1e6;
}
