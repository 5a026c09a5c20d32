/** @file The commands that the faults are put to, on inputs that take a second, and how those inputs are made. */
import { cpSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { tgzOf, zipOf } from '../../test/data/archives.js';
import { runCommand } from './outcome.js';

const repository = fileURLToPath(new URL('../..', import.meta.url));

export interface FaultCommand {
  name: string;
  args: string[];
  /** Files of the inputs that are damaged; a folder stands for each file in it. */
  reads: readonly string[];
  /** Its exit code without a fault. Default 0. */
  code?: number;
  /** What it writes, below the inputs' folder: compared after a kill and a second run. */
  writes?: string[];
  /** What of that is how long something took, and another in every run. */
  durations?: RegExp;
  /** What a second run is told beside the same arguments, where the first had written. */
  again?: string[];
}

const small = ['--set', 'steps=2', '--set', 'imageSize=64', '--set', 'tripletsPerStep=2', '--set', 'poolSize=12'];
const photographs = ['set/images/tomb-c/000.jpg', 'set/images/tomb-c/001.jpg'];
/** Pickles that are refused, as they ask for more than tensors. */
const asksForCode = new Set(['calls.pth', 'module.pth']);
const weights = readdirSync(join(repository, 'test/golden/weights')).filter((name) => !name.endsWith('.json'));

export const commands: readonly FaultCommand[] = [
  ...weights.map((name) => ({
    name: `weights inspect ${name}`,
    args: ['weights', 'inspect', `weights/${name}`, '--json'],
    reads: [`weights/${name}`],
    code: asksForCode.has(name) ? 1 : 0,
  })),
  {
    name: 'weights inspect safetensors',
    args: ['weights', 'inspect', 'model.safetensors', '--json'],
    reads: ['model.safetensors'],
  },
  {
    name: 'data scan',
    args: ['data', 'scan', 'set/images', '--out', 'scanned.jsonl'],
    reads: photographs,
    writes: ['scanned.jsonl'],
  },
  {
    name: 'data split',
    args: ['data', 'split', 'set/manifest.jsonl', '--val', '0.5', '--by', 'photo', '--out', 'set/split'],
    reads: ['set/manifest.jsonl'],
    writes: ['set/split'],
    again: ['--overwrite'],
  },
  {
    name: 'data download zip',
    args: ['data', 'download', 'ukbench', '--from', 'archives', '--out', 'ukbench'],
    reads: ['archives/ukbench.zip'],
    writes: ['ukbench'],
  },
  {
    name: 'data download tar',
    args: ['data', 'download', 'oxford5k', '--from', 'archives', '--out', 'oxford5k'],
    reads: ['archives/oxbuild_images-v1.tgz', 'archives/gt_files_170407.tgz'],
    writes: ['oxford5k'],
  },
  {
    name: 'extract',
    args: ['extract', '--model', 'model.safetensors', '--images', 'set/manifest.jsonl', '--size', '64', '--out', 'new'],
    reads: ['model.safetensors', 'set/manifest.jsonl', photographs[0]],
    writes: ['new'],
    again: ['--overwrite'],
  },
  {
    name: 'index build',
    args: [
      'index',
      'build',
      'set/manifest.jsonl',
      '--model',
      'model.safetensors',
      '--size',
      '64',
      '--out',
      'collection',
    ],
    reads: ['model.safetensors', 'set/manifest.jsonl'],
    writes: ['collection'],
  },
  {
    name: 'index add',
    args: ['index', 'add', 'set/images', '--index', 'indexed'],
    reads: ['indexed/collection.json', 'indexed/records-000001.jsonl'],
    writes: ['indexed'],
  },
  {
    name: 'search',
    args: ['search', 'set/images/tomb-b/000.jpg', '--index', 'indexed', '--json'],
    reads: ['indexed/collection.json', 'indexed/records-000001.jsonl', 'indexed/vectors-000001.f16'],
  },
  {
    name: 'evaluate',
    args: [
      'evaluate',
      '--protocol',
      'labels',
      '--manifest',
      'set/manifest.jsonl',
      '--descriptors',
      'descriptors',
      '--json',
    ],
    reads: ['descriptors/descriptors.npy', 'descriptors/ids.txt', 'descriptors/meta.json', 'set/manifest.jsonl'],
  },
  {
    name: 'evaluate --groundtruth',
    args: [
      'evaluate',
      '--protocol',
      'groundtruth',
      '--groundtruth',
      'set/groundtruth.json',
      '--model',
      'model.safetensors',
      '--size',
      '64',
      '--json',
    ],
    reads: ['set/groundtruth.json', 'model.safetensors'],
  },
  {
    name: 'compare',
    args: [
      'compare',
      '--protocol',
      'groundtruth',
      '--groundtruth',
      'set/groundtruth.json',
      '--models',
      'model.safetensors,run/model.safetensors',
      '--size',
      '64',
      '--out',
      'compared',
    ],
    reads: ['set/groundtruth.json', 'model.safetensors', 'run/model.safetensors', photographs[0]],
    writes: ['compared'],
    durations: /"(describe|query)Ms":[\d.e-]+|<td>[\d.]+<\/td><td>[\d.]+<\/td>(?=<td>1024<)/g,
  },
  {
    name: 'clean',
    args: ['clean', '--manifest', 'set/manifest.jsonl', '--out', 'cleaned', '--min-inliers', '8'],
    reads: ['set/manifest.jsonl', ...photographs],
    writes: ['cleaned'],
    again: ['--overwrite'],
  },
  {
    name: 'clean from kept features',
    args: ['clean', '--manifest', 'set/manifest.jsonl', '--out', 'clean', '--min-inliers', '8', '--overwrite'],
    reads: ['set/manifest.jsonl', 'clean/matches.jsonl', 'clean/features'],
    writes: ['clean'],
  },
  {
    name: 'match',
    args: ['match', ...photographs, '--draw', 'matches.png'],
    reads: photographs,
    writes: ['matches.png'],
    again: ['--overwrite'],
  },
  {
    name: 'report',
    args: ['report', 'run', '--out', 'report.html', '--overwrite'],
    reads: ['run/log.jsonl', 'run/config.yaml', 'run/checkpoints/step-000002/state.json'],
    writes: ['report.html'],
  },
  {
    name: 'train triplet',
    args: ['train', 'triplet', '--manifest', 'set/manifest.jsonl', '--run', 'fresh', ...small],
    reads: ['set/manifest.jsonl'],
    writes: ['fresh/model.safetensors'],
    again: ['--resume'],
  },
  {
    name: 'train --resume',
    args: ['train', 'triplet', '--manifest', 'set/manifest.jsonl', '--run', 'run', '--resume', '--set', 'steps=3'],
    reads: ['state.json', 'model.safetensors', 'momentum.safetensors']
      .map((file) => `run/checkpoints/step-000002/${file}`)
      .concat('run/config.yaml', 'run/log.jsonl'),
    writes: ['run/model.safetensors'],
  },
  {
    name: 'train --config',
    args: [
      'train',
      'triplet',
      '--manifest',
      'set/manifest.jsonl',
      '--run',
      'dry',
      '--config',
      './recipe.yaml',
      '--dry-run',
    ],
    reads: ['recipe.yaml'],
  },
  {
    name: 'whiten',
    args: [
      'whiten',
      '--model',
      'model.safetensors',
      '--manifest',
      'set/manifest.jsonl',
      '--size',
      '64',
      '--dimension',
      '4',
      '--out',
      'whitened.safetensors',
    ],
    reads: ['model.safetensors', 'set/manifest.jsonl'],
    writes: ['whitened.safetensors'],
    again: ['--overwrite'],
  },
  {
    name: 'export verify',
    args: ['export', 'verify', '--model', 'model.safetensors', '--out', 'exported'],
    reads: ['exported/descriptor-model.json', 'model.safetensors'],
  },
];

/** Makes the inputs of all commands in `folder`. */
export async function makeInputs(folder: string): Promise<void> {
  mkdirSync(join(folder, 'archives'), { recursive: true });
  cpSync(join(repository, 'test/golden/weights'), join(folder, 'weights'), { recursive: true });
  cpSync(join(repository, 'checkpoints/rmac-small.safetensors'), join(folder, 'model.safetensors'));
  cpSync(join(repository, 'recipes/demo.yaml'), join(folder, 'recipe.yaml'));
  writeFileSync(
    join(folder, 'archives/ukbench.zip'),
    zipOf([{ name: 'full/a.jpg', content: 'a'.repeat(500), deflate: true }]),
  );
  writeFileSync(
    join(folder, 'archives/oxbuild_images-v1.tgz'),
    await tgzOf({ 'a.jpg': 'a'.repeat(500), 'b.jpg': 'b' }),
  );
  writeFileSync(join(folder, 'archives/gt_files_170407.tgz'), await tgzOf({ 'a_1_query.txt': 'oxc1_a 1 2 3 4' }));
  const extract = commands.find(({ name }) => name === 'extract')!;
  const build = commands.find(({ name }) => name === 'index build')!;
  const train = commands.find(({ name }) => name === 'train triplet')!;
  for (const args of [
    ['data', 'synthesize', '--out', 'set', '--landmarks', '3', '--photos', '4', '--noise', '0', '--size', '96'],
    extract.args.map((arg) => (arg === 'new' ? 'descriptors' : arg)),
    build.args.map((arg) => (arg === 'collection' ? 'indexed' : arg)),
    train.args.map((arg) => (arg === 'fresh' ? 'run' : arg)),
    ['clean', '--manifest', 'set/manifest.jsonl', '--out', 'clean', '--min-inliers', '8'],
    ['export', 'descriptor-model', '--model', 'model.safetensors', '--sizes', '64x48', '--out', 'exported'],
  ]) {
    const { code, stderr } = await runCommand(args, folder);
    if (code !== 0) throw new Error(`rmac ${args.join(' ')}: exit code ${code}: ${stderr}`);
  }
}
