/** @file `rmac weights import|export|average|download|inspect`: published weights -> a model file and back, and a look into any weight file. */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { type PublishedWeights, publishedWeights } from '../data/published-weights.js';
import { largest } from '../extremes.js';
import { poolingKinds } from '../models/meta.js';
import { listed } from '../models/weight-checks.js';
import { averageModels, type WeightsAverageOptions } from '../stages/weights-average.js';
import { downloadWeights, type WeightsDownloadOptions } from '../stages/weights-download.js';
import { exportNetwork, type WeightsExportOptions } from '../stages/weights-export.js';
import { importModel, type WeightsImportOptions } from '../stages/weights-import.js';
import { inspectWeights } from '../stages/weights-inspect.js';
import { positiveInteger, printResult, say, terminalContext } from './console.js';

/** Options of a stage whose `Argument` is given by its place. */
type Flags<Options, Argument extends keyof Options> = Omit<Options, Argument> & { json?: boolean };

export function register(program: Command): void {
  const weights = program.command('weights');

  weights
    .command('import <file>')
    .description('convert published weights (.safetensors, .pth, .h5, model.json, .caffemodel, .mat) to a model file')
    .requiredOption('--arch <name>', 'network, one of those below')
    .option('--cut <layer>', 'layer whose output is the feature map (default: the last one)')
    .option('--pooling <kind>', 'mac | spoc | gem | rmac | cls (default: rmac)', poolingKind)
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

Networks: alexnet | alexnet-tv | convnext-tiny | convnext-small | densenet121 | densenet169 | densenet201 |
  dinov2-s14 | dinov2-b14 | dinov2-s14-reg | dinov2-b14-reg |
  efficientnet-b0-tv | efficientnet-b1-tv | efficientnet-b2-tv | efficientnet-b3-tv | mobilenet | mobilenet-v2-tv | resnet50 |
  resnet50-caffe | resnet101-caffe | resnet152-caffe | resnet50-keras | resnet101-keras | resnet152-keras |
  resnet18-tv | resnet34-tv | resnet50-tv | resnet101-tv | resnet152-tv | vgg16 | vgg19 | vit-s16 | vit-b16 |
  rmac-small
alexnet is Caffe's, mobilenet Keras', resnet50 Keras up to 2.1; -caffe is Caffe, -keras tf.keras, -tv torchvision:
they compute differently.`,
    )
    .action(runImport);

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
    .command('average <models...>')
    .description('the mean of models of one network: a start and what was trained from it, or several seeds')
    .option('--shares <list>', 'parts of the mean, one a model, in proportion (default: equal)', numberList)
    .requiredOption('--out <file>', 'model file to write')
    .option('--overwrite', 'replace an existing file')
    .option('--json', 'print one JSON object on stdout and nothing else')
    .addHelpText(
      'after',
      `
Between a network as it was and after fine-tuning often lies one that is better on what neither was trained on. A
whitening belongs behind it: learn it anew with rmac whiten.

Examples:
  rmac weights average imagenet.safetensors runs/a/model.safetensors --out halfway.safetensors
  rmac weights average a.safetensors b.safetensors --shares 1,3 --out mean.safetensors`,
    )
    .action(averageFiles);

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

async function exportFile(model: string, flags: Flags<WeightsExportOptions, 'model'>): Promise<void> {
  const report = await exportNetwork({ ...flags, model });
  const { file, architecture, cut, naming, tensors, leftOut } = report;
  if (!flags.json && leftOut.length > 0) say(`Left out, no part of a plain network: ${leftOut.join(', ')}.`);
  printResult(report, `${file}: ${architecture} cut at ${cut}, ${tensors} tensors, ${naming} names.`, flags);
}

async function averageFiles(models: string[], flags: Flags<WeightsAverageOptions, 'models'>): Promise<void> {
  const report = await averageModels({ ...flags, models });
  const { model, shares, tensors, leftOut } = report;
  if (!flags.json && leftOut.length > 0) say(`Left out, not in all of them: ${listed(leftOut)}.`);
  const parts = models.map((file, i) => `${shares[i].toFixed(2)} of ${file}`);
  printResult(report, `${model}: ${tensors} tensors, ${parts.join(', ')}.`, flags);
}

async function download(name: string, flags: Flags<WeightsDownloadOptions, 'name'>): Promise<void> {
  if (name === 'list') {
    const known = [...publishedWeights.values()];
    printResult({ weights: known }, weightsTable(known), flags);
    return;
  }
  const report = await downloadWeights({ ...flags, name }, terminalContext);
  const { file, bytes, verified, architecture } = report;
  const checksum = publishedWeights.get(name)?.checksum;
  const check = verified
    ? `${checksum?.algorithm} ${checksum?.digits} verified`
    : 'unverified: no checksum is published';
  printResult(
    report,
    `${file}: ${Math.round(bytes / 1e6)} MB, ${check}. Next: rmac weights import ${file} --arch ${architecture} --out model.safetensors`,
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

async function runImport(file: string, flags: Flags<WeightsImportOptions, 'file'>): Promise<void> {
  const report = await importModel({ ...flags, file });
  const { model, architecture, cut, pooling, layout, prefix, system, whiteningName, tensors, parameters } = report;
  const { head, outside, behindCut } = report.skipped;
  if (!flags.json) {
    const kept = report.classifier === undefined ? '' : ` (fc6 and fc7 are in ${report.classifier})`;
    if (head.length > 0) say(`Left out, the classifier: ${head.join(', ')}${kept}.`);
    if (outside.length > 0) {
      say(`Left out, not behind "${prefix}": ${outside.length} tensors (${listed(outside)}).`);
    }
    if (system !== undefined) say(`A model of ${system}, ${pooling.kind}, whitening: ${whiteningName ?? 'none'}.`);
    if (behindCut.length > 0) say(`Left out, behind the cut: ${behindCut.length} tensors.`);
  }
  printResult(
    report,
    `${model}: ${architecture} cut at ${cut}, ${tensors} tensors, ${(parameters / 1e6).toFixed(2)} M values, ${layout} names.`,
    flags,
  );
}

async function inspectFile(file: string, flags: { json?: boolean }): Promise<void> {
  const report = await inspectWeights(file);
  const { format, tensors, metadata, networks, notFinite: broken } = report;
  const width = Math.max(0, largest(tensors.map(({ name }) => name.length)));
  const lines = tensors.map(({ name, dtype, shape, notFinite }) => {
    const warning = notFinite > 0 ? `  ${notFinite} values are NaN or infinite` : '';
    return `${name.padEnd(width)}  ${dtype}  [${shape.join(', ')}]${warning}`;
  });
  for (const [key, text] of Object.entries(metadata)) lines.push(`${key}: ${text}`);
  lines.push(`${format}: ${tensors.length} tensors, ${broken} with NaN or infinite values`);
  if (networks.length > 0) {
    const behind = networks[0].prefix === '' ? '' : `, behind "${networks[0].prefix}"`;
    lines.push(`names of --arch ${networks.map(({ name }) => name).join(' or ')}${behind}`);
  }
  printResult(report, lines.join('\n'), flags);
}

function numberList(text: string): number[] {
  const numbers = text.split(',').map(Number);
  if (!numbers.every(Number.isFinite)) throw new InvalidArgumentError('numbers expected, separated by commas.');
  return numbers;
}

function poolingKind(text: string): string {
  if (!poolingKinds.some((kind) => kind === text)) {
    throw new InvalidArgumentError('mac, spoc, gem, rmac or cls expected.');
  }
  return text;
}
