/** @file `rmac doctor`: what this machine can compute with, and how fast; with `--kernels`, what the engine computes itself. */
import { type Command, Option } from 'commander';
import { UsageError } from '../errors.js';
import { doctor, type DoctorReport, tryDevice } from '../stages/doctor.js';
import { type KernelReport, listKernels, type NetworkReport } from '../stages/doctor-kernels.js';
import { addCommonOptions, type CommonOptions, printResult, terminalView } from './console.js';

interface DoctorFlags extends CommonOptions {
  kernels?: boolean;
  arch?: string;
  probe?: string;
}

export function register(program: Command): void {
  addCommonOptions(program.command('doctor'))
    .option('--kernels', 'list the kernels of the engine, and what of a training step --device leaves to the CPU')
    .option('--arch <name>', 'with --kernels: the training step of this network only')
    .addOption(new Option('--probe <device>').hideHelp())
    .addHelpText('after', '\nExamples:\n  rmac doctor\n  rmac doctor --kernels --device webgpu')
    .action(run);
}

async function run(flags: DoctorFlags): Promise<void> {
  const { probe: device, threads } = flags;
  if (device !== undefined) {
    process.stdout.write(`${JSON.stringify(await tryDevice({ device, threads }))}\n`);
    return;
  }
  if (flags.kernels === true) {
    const report = await listKernels(flags, { view: terminalView });
    printResult(report, kernelText(report), flags);
    return;
  }
  if (flags.arch !== undefined) throw new UsageError('--arch belongs to --kernels.');
  const report = await doctor(flags);
  printResult(report, doctorText(report), flags);
}

function doctorText({ node, platform, cpu, cores, memoryGB, versions, devices, convolution }: DoctorReport): string {
  return [
    `rmac ${versions.rmac}, Node ${node}, ${platform}`,
    `${cpu}, ${cores} cores, ${memoryGB} GB`,
    `tfjs ${versions.tfjs}, ONNX Runtime ${versions.onnxruntime}, sharp ${versions.sharp}`,
    ...devices.map(({ device, available, detail }) => `${device.padEnd(11)}${available ? 'ok' : 'no'}   ${detail}`),
    `convolution ${convolution.shape}: ${convolution.gflops} GFLOPS on ${convolution.threads} threads`,
  ].join('\n');
}

function kernelText({ device, kernels, trainingStep }: KernelReport): string {
  const forwarded = Object.entries(kernels.forwarded);
  const count = forwarded.reduce((sum, [, names]) => sum + names.length, 0);
  return [
    `computed by the engine: ${kernels.native.length} tfjs kernels`,
    ...wrapped(kernels.native),
    `handed to tfjs's JavaScript backend: ${count}`,
    ...forwarded.flatMap(([reason, names]) => [`  ${reason}:`, ...wrapped(names, '    ')]),
    ...(kernels.missing.length > 0
      ? [`in tfjs's own backends only: ${kernels.missing.length}`, ...wrapped(kernels.missing)]
      : []),
    `training step on ${device} (two images, triplet loss, momentum):`,
    ...trainingStep.map((step) => `  ${`${step.network}, ${step.pooling}`.padEnd(21)} ${placementText(device, step)}`),
  ].join('\n');
}

function placementText(device: string, { operators, nodes, leftToCpu, forwarded }: NetworkReport): string {
  const kinds = new Set(operators.map(({ operator }) => operator)).size;
  const left = leftToCpu.map((entry) => `${entry.nodes} ${entry.operator}`).join(', ');
  const copies = operators
    .filter(({ operator }) => operator.startsWith('Memcpy'))
    .reduce((sum, entry) => sum + entry.nodes, 0);
  return (
    `${nodes.toLocaleString('en')} nodes of ${kinds} operators; ` +
    (left === '' ? `all on ${device}` : `left to the CPU: ${left}; ${copies} copies between`) +
    (forwarded === 0 ? '' : `; ${forwarded} kernels in JavaScript`)
  );
}

/** Names in lines of at most 100 characters. */
function wrapped(names: readonly string[], indent = '  '): string[] {
  const lines: string[] = [];
  for (const name of names) {
    const last = lines.at(-1);
    if (last === undefined || last.length + name.length + 2 > 100) lines.push(indent + name);
    else lines[lines.length - 1] = `${last} ${name}`;
  }
  return lines;
}
