/** @file `rmac weights import|export|download|inspect`: published weights -> a model file and back, and a look into any weight file. */
import { basename } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { listed } from '../models/weight-checks.js';
import { interruptSignal, printResult, positiveInteger, say, startProgress } from './console.js';
import type { StageProgress } from '../stages/context.js';
import { largest } from '../extremes.js';
import type { PublishedWeights } from '../data/published-weights.js';

interface ImportFlags {
  arch: string;
  cut?: string;
  pooling?: 'mac' | 'spoc' | 'gem' | 'rmac';
  levels?: number;
  size?: number;
  prefix?: string;
  provenance?: string;
  whitening?: string;
  withClassifier?: string;
  out: string;
  overwrite?: boolean;
  json?: boolean;
}

export function register(program: Command): void {
  const weights = program.command('weights');

  weights
    .command('import <file>')
    .description('convert published weights (.safetensors, .pth, .h5, model.json, .caffemodel, .mat) to a model file')
    .requiredOption('--arch <name>', 'network, one of those below')
    .option('--cut <layer>', 'layer whose output is the feature map (default: the last one)')
    .option('--pooling <kind>', 'mac | spoc | gem | rmac (default: rmac)', poolingKind)
    .option('--levels <n>', 'levels of the R-MAC grid (default: 3)', positiveInteger)
    .option('--size <px>', 'longest image side the model is made for', positiveInteger)
    .option('--prefix <text>', "what stands before the network's names (default: what most of them stand behind)")
    .option('--provenance <text>', 'where the weights come from, stored in the model (default: what the file says)')
    .option('--whitening <name>', 'of a retrieval model: which stored whitening, or none (default: the first)')
    .option(
      '--with-classifier <file>',
      'write fc6 and fc7 of VGG or AlexNet to this file, for train classify --classifier',
    )
    .requiredOption('--out <file>', 'model file to write')
    .option('--overwrite', 'replace an existing file')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
Examples:
  rmac weights import densenet121.safetensors --arch densenet121 --out model.safetensors
  rmac weights import resnet50-0676ba61.pth --arch resnet50-tv --out model.safetensors
  rmac weights import resnet50.safetensors --arch resnet50 --cut activation_40 --out model.safetensors
  rmac weights import vgg16.h5 --arch vgg16 --out vgg16.safetensors --with-classifier vgg16-fc.safetensors

Networks: alexnet | alexnet-tv | densenet121 | densenet169 | densenet201 | mobilenet | mobilenet-v2-tv | resnet50 |
  resnet50-caffe | resnet101-caffe | resnet152-caffe | resnet50-keras | resnet101-keras | resnet152-keras |
  resnet18-tv | resnet34-tv | resnet50-tv | resnet101-tv | resnet152-tv | vgg16 | vgg19 | rmac-small
alexnet is Caffe's, mobilenet Keras', resnet50 Keras up to 2.1; -caffe is Caffe, -keras tf.keras, -tv torchvision:
they compute differently.`,
    )
    .action(importFile);

  weights
    .command('export <model>')
    .description("write a model's network by the names and axes of another framework")
    .addOption(new Option('--format <name>', 'file format').choices(['safetensors']).default('safetensors'))
    .addOption(
      new Option('--naming <name>', 'whose names and axes')
        .choices(['torchvision', 'keras', 'caffe'])
        .default('torchvision'),
    )
    .requiredOption('--out <file>', 'file to write')
    .option('--overwrite', 'replace an existing file')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      '\nExample:\n  rmac weights export model.safetensors --naming torchvision --out resnet50.safetensors',
    )
    .action(exportFile);

  weights
    .command('download <name>')
    .description('download published weights: resumed when it broke off, checked where a checksum is published')
    .option('--out <file>', 'file to write (default: the name it is published under, here)')
    .option('--from <url>', 'a mirror of the same file')
    .option('--overwrite', 'replace an existing file')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      '\nThe name "list" shows the known ones, with their networks, checksums and licences.\n\nExamples:\n  rmac weights download list\n  rmac weights download resnet50-tv',
    )
    .action(download);

  weights
    .command('inspect <file>')
    .description('tensors, shapes, metadata and values that are not finite')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText('after', '\nExample:\n  rmac weights inspect model.safetensors')
    .action(inspectFile);
}

interface ExportFlags {
  format: 'safetensors';
  naming: 'torchvision' | 'keras' | 'caffe';
  out: string;
  overwrite?: boolean;
  json?: boolean;
}

async function exportFile(model: string, flags: ExportFlags): Promise<void> {
  const { assertWritable, writeFileAtomic } = await import('../data/files.js');
  const { readModelFile } = await import('../data/model-file.js');
  const { exportWeights } = await import('../models/export-weights.js');
  const { encodeSafetensors } = await import('../models/safetensors.js');
  assertWritable(flags.out, flags);
  const { meta, weights } = await readModelFile(model);
  const { tensors, leftOut } = exportWeights(meta, weights, flags.naming);
  const metadata = { format: 'pt', ...(meta.provenance !== undefined && { source: meta.provenance }) };
  await writeFileAtomic(flags.out, encodeSafetensors(tensors, metadata), flags);
  if (!flags.json && leftOut.length > 0) say(`Left out, no part of a plain network: ${leftOut.join(', ')}.`);
  printResult(
    {
      file: flags.out,
      architecture: meta.architecture,
      cut: meta.cut,
      naming: flags.naming,
      tensors: tensors.size,
      leftOut,
    },
    `${flags.out}: ${meta.architecture} cut at ${meta.cut}, ${tensors.size} tensors, ${flags.naming} names.`,
    flags,
  );
}

interface DownloadFlags {
  out?: string;
  from?: string;
  overwrite?: boolean;
  json?: boolean;
}

async function download(name: string, flags: DownloadFlags): Promise<void> {
  const { downloadFile } = await import('../data/download.js');
  const { publishedWeights, publishedWeightsNamed } = await import('../data/published-weights.js');
  if (name === 'list') {
    const known = [...publishedWeights.values()];
    printResult({ weights: known }, weightsTable(known), flags);
    return;
  }
  const { InputError, UsageError } = await import('../errors.js');
  const { architecture, url: published, manual, checksum, licence } = publishedWeightsNamed(name);
  const url = flags.from ?? published;
  if (!URL.canParse(url) || !/^https?:$/.test(new URL(url).protocol))
    throw new UsageError(`--from: an http address expected, got "${url}".`);
  if (manual && flags.from === undefined) {
    throw new InputError(
      `${name} lies where only a browser can fetch it: open ${published}, then rmac weights import FILE --arch ${architecture}.`,
    );
  }
  const file = flags.out ?? basename(new URL(manual ? url : published).pathname);
  say(`Licence: ${licence}.`);
  const megabytes = (bytes: number) => Math.round(bytes / 1e6);
  let progress: StageProgress | undefined;
  const { bytes, verified, sha256 } = await downloadFile(url, file, {
    ...flags,
    checksum,
    hint: flags.from === undefined ? 'A copy at another address is taken with --from URL.' : undefined,
    signal: interruptSignal(),
    onProgress(done, total) {
      progress ??= startProgress('MB', megabytes(total ?? 0));
      progress.update(megabytes(done));
    },
  }).finally(() => progress?.stop());
  const check = verified
    ? `${checksum!.algorithm} ${checksum!.digits} verified`
    : 'unverified: no checksum is published';
  printResult(
    { file, name, url, architecture, bytes, verified, sha256, licence },
    `${file}: ${megabytes(bytes)} MB, ${check}. Next: rmac weights import ${file} --arch ${architecture} --out model.safetensors`,
    flags,
  );
}

function weightsTable(known: readonly PublishedWeights[]): string {
  const rows = known.map(({ name, architecture, checksum, licence }) => [
    name,
    architecture,
    checksum?.algorithm ?? 'none',
    licence,
  ]);
  const table = [['name', '--arch', 'checksum', 'licence'], ...rows];
  const widths = [0, 1, 2].map((column) => largest(table.map((row) => row[column].length)));
  return table
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}

async function importFile(file: string, flags: ImportFlags): Promise<void> {
  const { encodeModel } = await import('../data/model-file.js');
  const { openWeights } = await import('../data/open-weights.js');
  const { importFile: convert } = await import('../models/weights/import-file.js');
  const { assertWritable, writeFileSet } = await import('../data/files.js');
  for (const out of [flags.out, flags.withClassifier]) if (out !== undefined) assertWritable(out, flags);
  const source = await openWeights(file);
  const converted = convert(source, file, {
    architecture: flags.arch,
    cut: flags.cut,
    pooling: {
      ...(flags.pooling !== undefined && { kind: flags.pooling }),
      ...(flags.levels !== undefined && { levels: flags.levels }),
    },
    imageSize: flags.size,
    prefix: flags.prefix,
    provenance: flags.provenance ?? source.metadata.source,
    whitening: flags.whitening,
  });
  const { meta, weights, layout, prefix, head, outside, behindCut, system, whiteningName } = converted;
  const files: [string, Uint8Array][] = [[flags.out, encodeModel(meta, weights)]];
  if (flags.withClassifier !== undefined) {
    const { importClassifier } = await import('../models/import-classifier.js');
    const { encodePublishedClassifier } = await import('../train/classify/classifier-file.js');
    const { architecture } = meta;
    const layers = importClassifier(source.tensors, file, { architecture, layout, prefix });
    files.push([flags.withClassifier, encodePublishedClassifier(architecture, layers)]);
  }
  await writeFileSet(files, flags);
  const parameters = [...weights.values()].reduce((sum, { data }) => sum + data.length, 0);
  if (!flags.json) {
    const kept = flags.withClassifier === undefined ? '' : ` (fc6 and fc7 are in ${flags.withClassifier})`;
    if (head.length > 0) say(`Left out, the classifier: ${head.join(', ')}${kept}.`);
    if (outside.length > 0) {
      say(`Left out, not behind "${prefix}": ${outside.length} tensors (${listed(outside)}).`);
    }
    if (system !== undefined) say(`A model of ${system}, ${meta.pooling.kind}, whitening: ${whiteningName ?? 'none'}.`);
    if (behindCut.length > 0) say(`Left out, behind the cut: ${behindCut.length} tensors.`);
  }
  printResult(
    {
      model: flags.out,
      ...meta,
      format: source.format,
      layout,
      prefix,
      ...(system && { system, whiteningName }),
      tensors: weights.size,
      parameters,
      skipped: { head, outside, behindCut },
      ...(flags.withClassifier !== undefined && { classifier: flags.withClassifier }),
    },
    `${flags.out}: ${meta.architecture} cut at ${meta.cut}, ${weights.size} tensors, ${(parameters / 1e6).toFixed(2)} M values, ${layout} names.`,
    flags,
  );
}

async function inspectFile(file: string, flags: { json?: boolean }): Promise<void> {
  const { openWeights } = await import('../data/open-weights.js');
  const { fittingArchitectures } = await import('../models/import-weights.js');
  const { format, tensors: values, dtypes, metadata } = await openWeights(file);
  const tensors = [...values].map(([name, { shape, data }]) => ({
    name,
    dtype: dtypes.get(name)!,
    shape,
    notFinite: data.reduce((count, v) => (Number.isFinite(v) ? count : count + 1), 0),
  }));
  const width = Math.max(0, largest(tensors.map(({ name }) => name.length)));
  const lines = tensors.map(({ name, dtype, shape, notFinite }) => {
    const warning = notFinite > 0 ? `  ${notFinite} values are NaN or infinite` : '';
    return `${name.padEnd(width)}  ${dtype}  [${shape.join(', ')}]${warning}`;
  });
  for (const [key, text] of Object.entries(metadata)) lines.push(`${key}: ${text}`);
  const broken = tensors.filter(({ notFinite }) => notFinite > 0).length;
  lines.push(`${format}: ${tensors.length} tensors, ${broken} with NaN or infinite values`);
  const networks = fittingArchitectures(values);
  if (networks.length > 0) {
    const behind = networks[0].prefix === '' ? '' : `, behind "${networks[0].prefix}"`;
    lines.push(`names of --arch ${networks.map(({ name }) => name).join(' or ')}${behind}`);
  }
  printResult({ file, format, tensors, metadata, networks, notFinite: broken }, lines.join('\n'), flags);
}

function poolingKind(text: string): string {
  if (!['mac', 'spoc', 'gem', 'rmac'].includes(text)) {
    throw new InvalidArgumentError('mac, spoc, gem or rmac expected.');
  }
  return text;
}
