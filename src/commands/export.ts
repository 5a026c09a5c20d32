/** @file `rmac export descriptor-model` and `rmac export verify`. */
import { join } from 'node:path';
import type { Command } from 'commander';
import { InputError, messageOf, UsageError } from '../errors.js';
import type { ExportManifest, ImageSize } from '../export/manifest.js';
import type { Verification } from '../export/onnx.js';
import { largestImageSize } from '../models/meta.js';
import type { RegionSource } from '../models/region-source.js';
import { addCommonOptions, type CommonOptions, printResult, say } from './console.js';
import { openEngine } from './open-model.js';
import { addRegionsOption } from './regions-option.js';

interface ExportOptions extends CommonOptions {
  model: string;
  format: string;
  out: string;
  sizes?: ImageSize[];
  regions?: RegionSource;
  images?: string;
  overwrite?: boolean;
}

interface VerifyOptions extends CommonOptions {
  model: string;
  out: string;
  images?: string;
}

/** Photographs compared at most. */
const mostPictures = 20;

const imagesHelp = `folder, .jsonl manifest or list: compare on its first ${mostPictures} photographs (default: a picture that is made up)`;

export function register(program: Command): void {
  const group = program.command('export');
  const descriptor = group
    .command('descriptor-model')
    .description('Write the whole descriptor (preprocessing, trunk, pooling, whitening) as ONNX, and check it.')
    .requiredOption('--model <file>', 'model weights (.safetensors)')
    .requiredOption('--out <dir>', 'folder for the ONNX files and descriptor-model.json')
    .option('--format <name>', 'onnx', 'onnx')
    .option('--sizes <list>', 'image sizes WIDTHxHEIGHT, comma-separated (default: 4:3, 3:4 and square)', sizesOption)
    .option('--overwrite', 'replace existing files');
  addRegionsOption(descriptor).option('--images <source>', imagesHelp);
  addCommonOptions(descriptor)
    .addHelpText(
      'after',
      `
Each file takes one image size: resize to it, then feed [1, H, W, 3] float32 RGB 0-255; the output is a unit vector.
Proposals (--regions rpn:K, or a model that pools them) are found inside the file, by standard operators of ONNX.

Example:
  rmac export descriptor-model --model runs/a/best.safetensors --sizes 512x384,384x512 --out exported/`,
    )
    .action(runExport);
  const verify = group
    .command('verify')
    .description('Run exported files in plain ONNX Runtime and compare with the model.')
    .requiredOption('--model <file>', 'the model that was exported')
    .requiredOption('--out <dir>', 'the export folder')
    .option('--images <source>', imagesHelp);
  addCommonOptions(verify)
    .addHelpText('after', '\nExample:\n  rmac export verify --model runs/a/best.safetensors --out exported/')
    .action(runVerify);
}

/** commander parser: "512x384,384x512". */
export function sizesOption(text: string): ImageSize[] {
  return text.split(',').map((part) => {
    const match = /^(\d{1,5})x(\d{1,5})$/.exec(part.trim());
    const [width, height] = [Number(match?.[1]), Number(match?.[2])];
    if (match === null || Math.min(width, height) < 1 || Math.max(width, height) > largestImageSize) {
      throw new UsageError(
        `--sizes: expected WIDTHxHEIGHT,... such as 512x384,384x512, sides of at most ${largestImageSize}, got "${part}".`,
      );
    }
    return { width, height };
  });
}

/** Landscape, portrait and square with the model's longest side. */
function defaultSizes(longest: number): ImageSize[] {
  const short = Math.round((longest * 3) / 4);
  return [
    { width: longest, height: short },
    { width: short, height: longest },
    { width: longest, height: longest },
  ];
}

async function runExport(options: ExportOptions): Promise<void> {
  if (options.format !== 'onnx') throw new UsageError(`Unknown --format "${options.format}". Known: onnx.`);
  const { loadModel } = await import('../data/model-file.js');
  const { exportOnnx, verifyOnnx } = await import('../export/onnx.js');
  await openEngine(options);
  const model = await loadModel(options.model);
  try {
    const sizes = options.sizes ?? defaultSizes(model.meta.imageSize ?? 512);
    const { regions, overwrite } = options;
    const comparing = { regions, images: await photographs(options.images) };
    const manifest = await exportOnnx(model, options.out, sizes, { regions, overwrite });
    const verified: Verification[] = [];
    for (const file of manifest.files) verified.push(await verifyOnnx(model, options.out, file, comparing));
    report(options, manifest, verified);
  } finally {
    model.dispose();
  }
}

async function runVerify(options: VerifyOptions): Promise<void> {
  const { loadModel } = await import('../data/model-file.js');
  const { readExportManifest } = await import('../export/manifest.js');
  const { verifyOnnx } = await import('../export/onnx.js');
  const manifest = await readExportManifest(options.out);
  await openEngine(options);
  const model = await loadModel(options.model);
  try {
    const comparing = {
      regions: manifest.model.regions ?? { grid: true, proposals: 0 },
      images: await photographs(options.images),
    };
    const verified: Verification[] = [];
    for (const file of manifest.files) {
      try {
        verified.push(await verifyOnnx(model, options.out, file, comparing));
      } catch (error) {
        throw new InputError(`${join(options.out, file.file)} does not run in ONNX Runtime: ${messageOf(error)}`);
      }
    }
    report(options, manifest, verified);
  } finally {
    model.dispose();
  }
}

/** Paths of `--images`. */
async function photographs(source: string | undefined): Promise<string[]> {
  if (source === undefined) return [];
  const { listImages } = await import('../data/image-list.js');
  return (await listImages(source)).slice(0, mostPictures).map(({ path }) => path);
}

function report(
  options: CommonOptions & { out: string },
  manifest: ExportManifest,
  verified: readonly Verification[],
): void {
  const lines = manifest.files.map(({ file, bytes }, i) => {
    const { ok, maxDifference, pictures } = verified[i];
    const verdict = `${ok ? 'same' : 'DIFFERENT'} in plain ONNX Runtime (largest difference ${maxDifference.toExponential(1)}${pictures > 1 ? ` on ${pictures} photographs` : ''})`;
    return `${file}  ${(bytes / 1e6).toFixed(1)} MB  ${verdict}`;
  });
  printResult({ out: options.out, files: manifest.files, verified }, lines.join('\n'), options);
  const failed = verified.filter(({ ok }) => !ok);
  if (failed.length > 0) throw new InputError(`${failed.length} exported files differ from the model.`);
  say(`${options.out}: ${manifest.files.length} sizes, descriptor of ${manifest.output.dimension} values`);
}
