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
  /** Files of the inputs that are damaged, and that no command writes. */
  reads: string[];
  /** What it writes, below the inputs' folder: compared after a kill and a second run. */
  writes?: string[];
  /** Arguments of the second run; default the same. */
  again?: string[];
}

const small = ['--set', 'steps=2', '--set', 'imageSize=64', '--set', 'tripletsPerStep=2', '--set', 'poolSize=12'];
const weights = readdirSync(join(repository, 'test/golden/weights')).filter((name) => !name.endsWith('.json'));

export const commands: readonly FaultCommand[] = [
  ...weights.map((name) => ({
    name: `weights inspect ${name}`,
    args: ['weights', 'inspect', `weights/${name}`, '--json'],
    reads: [`weights/${name}`],
  })),
  {
    name: 'weights inspect safetensors',
    args: ['weights', 'inspect', 'model.safetensors', '--json'],
    reads: ['model.safetensors'],
  },
  {
    name: 'data scan',
    args: ['data', 'scan', 'set/images', '--out', 'scanned.jsonl'],
    reads: [],
    writes: ['scanned.jsonl'],
  },
  {
    name: 'data split',
    args: ['data', 'split', 'set/manifest.jsonl', '--val', '0.5', '--by', 'photo', '--out', 'set/split'],
    reads: ['set/manifest.jsonl'],
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
    reads: ['model.safetensors', 'set/manifest.jsonl'],
    writes: ['new'],
    again: [
      'extract',
      '--model',
      'model.safetensors',
      '--images',
      'set/manifest.jsonl',
      '--size',
      '64',
      '--out',
      'new',
      '--overwrite',
    ],
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
      'json',
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
    again: ['train', 'triplet', '--manifest', 'set/manifest.jsonl', '--run', 'fresh', '--resume', ...small],
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
    again: [
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
      '--overwrite',
    ],
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
  cpSync(join(repository, 'recipes/small-triplet.yaml'), join(folder, 'recipe.yaml'));
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
    ['export', 'descriptor-model', '--model', 'model.safetensors', '--sizes', '64x48', '--out', 'exported'],
  ]) {
    const { code, stderr } = await runCommand(args, folder);
    if (code !== 0) throw new Error(`rmac ${args.join(' ')}: exit code ${code}: ${stderr}`);
  }
}
