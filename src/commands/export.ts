/** @file `rmac export descriptor-model`, `rmac export verify` and `rmac export site`. */
import { type Command, Option } from 'commander';
import { InputError, UsageError } from '../errors.js';
import { formats, type ImageSize, precisions } from '../export/manifest.js';
import { largestImageSize } from '../models/meta.js';
import { exportModel, type ExportReport, type ExportStageOptions, mostPictures } from '../stages/export.js';
import { exportSite, type ExportSiteOptions, type ExportSiteResult } from '../stages/export-site.js';
import { siteVectors } from '../stages/site-vectors.js';
import { verifyExport, type VerifyStageOptions } from '../stages/verify.js';
import { addCommonOptions, positiveInteger, printResult, say, terminalContext } from './console.js';
import { addRegionsOption } from './regions-option.js';

const imagesHelp = `folder, .jsonl manifest or list: compare on its first ${mostPictures} photographs (default: a picture that is made up)`;

export function register(program: Command): void {
  const group = program.command('export');
  const descriptor = group
    .command('descriptor-model')
    .description(
      'Write the whole descriptor (preprocessing, trunk, pooling, whitening) as ONNX, and check it, or for TensorFlow.js.',
    )
    .requiredOption('--model <file>', 'model weights (.safetensors)')
    .requiredOption('--out <dir>', 'folder for the files and descriptor-model.json')
    .addOption(new Option('--format <name>', 'ONNX, or graph models of TensorFlow.js').choices(formats).default('onnx'))
    .option(
      '--sizes <list>',
      'one file per image size WIDTHxHEIGHT, comma-separated (default: one for any size; with proposals and as tfjs 4:3, 3:4, square)',
      sizesOption,
    )
    .addOption(new Option('--precision <type>', 'how weights are stored').choices(precisions).default('float32'))
    .option('--overwrite', 'replace existing files');
  addRegionsOption(descriptor)
    .option('--images <source>', imagesHelp)
    .option('--manifest <file>', 'manifest with labels: also say mAP by the model and by the file');
  addCommonOptions(descriptor)
    .addHelpText(
      'after',
      `
The file takes [1, H, W, 3] float32 RGB 0-255 of any size (descriptor-model.json says how to resize) and gives a unit vector.
Proposals (--regions rpn:K, or a model that pools them) are found inside the file, by standard operators of ONNX; such
files, those of --sizes, and graph models take one image size each.

Examples:
  rmac export descriptor-model --model runs/a/best.safetensors --precision float16 --out exported/
  rmac export descriptor-model --model runs/a/best.safetensors --sizes 512x384,384x512 --out exported/
  rmac export descriptor-model --model runs/a/best.safetensors --format tfjs --precision float16 --out exported/`,
    )
    .action(async (flags: ExportStageOptions & { json?: boolean }) => {
      report(await exportModel(flags), flags);
    });
  const verify = group
    .command('verify')
    .description('Run exported files in plain ONNX Runtime and compare with the model.')
    .requiredOption('--model <file>', 'the model that was exported')
    .requiredOption('--out <dir>', 'the export folder')
    .option('--images <source>', imagesHelp);
  addCommonOptions(verify)
    .addHelpText('after', '\nExample:\n  rmac export verify --model runs/a/best.safetensors --out exported/')
    .action(async (flags: VerifyStageOptions & { json?: boolean }) => report(await verifyExport(flags), flags));
  const site = group
    .command('site')
    .description('Write a collection as a folder for any static host: its page describes photographs in the browser.')
    .requiredOption('--index <dir>', 'folder of the collection (rmac index build)')
    .requiredOption('--out <dir>', 'folder of the site')
    .addOption(
      new Option('--precision <type>', "how the model's weights are stored")
        .choices(precisions.filter((name) => name !== 'float32'))
        .default('float16'),
    )
    .addOption(
      new Option(
        '--vectors <type>',
        'how descriptors are stored: int8 where that finds 98 % of what the index finds, else float16',
      )
        .choices(siteVectors)
        .default('auto'),
    )
    .option('--thumbnails <px>', 'longest side of the pictures of the collection', positiveInteger, 320)
    .option('--overwrite', 'replace an earlier site');
  addCommonOptions(site)
    .addHelpText('after', '\nExample:\n  rmac export site --index index/ --precision int8 --out site/')
    .action(async (flags: ExportSiteOptions & { json?: boolean }) => {
      reportSite(await exportSite(flags, terminalContext), flags);
    });
}

/** Prints what a site weighs. @throws InputError where its model is not the collection's. */
function reportSite(result: ExportSiteResult, flags: { json?: boolean }): void {
  const { out, photographs, withoutPicture, bytes, vectors, verified } = result;
  const sizes = Object.entries(bytes).map(([name, size]) => `${name} ${(size / 1e6).toFixed(1)} MB`);
  const pictures = withoutPicture === 0 ? '' : `, ${withoutPicture} without a picture`;
  const recall = `int8 finds ${(100 * vectors.int8Recall).toFixed(1)} % of the ten nearest`;
  const line = `${photographs} photographs${pictures}; ${sizes.join(', ')}; descriptors: ${vectors.type} (${recall}); model: cosine ${verified.cosine.toFixed(6)}`;
  printResult(result, line, flags);
  if (!verified.ok) throw new InputError(`${out}: the model of the site differs from that of the index.`);
  say(`${out}: copy it to a host, or try it with any server of files, such as npx http-server ${out}`);
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

/** Prints how the files agree. @throws InputError where some do not. */
function report({ out, manifest, verified, map }: ExportReport, flags: { json?: boolean }): void {
  const { files, output, precision = 'float32' } = manifest;
  const lines = files.map(({ file, bytes }, i) => {
    if (i >= verified.length) return `${file}  ${(bytes / 1e6).toFixed(1)} MB  with its weights`;
    const { ok, maxDifference, cosine, pictures } = verified[i];
    const near = precision === 'float32' ? 'same' : `cosine ${cosine.toFixed(6)}`;
    const difference = `largest difference ${maxDifference.toExponential(1)}${pictures > 1 ? ` on ${pictures} pictures` : ''}`;
    return `${file}  ${(bytes / 1e6).toFixed(1)} MB  ${ok ? near : 'DIFFERENT'} in plain ONNX Runtime (${difference})`;
  });
  if (map !== undefined) lines.push(`mAP ${map.model.toFixed(4)} by the model, ${map.file.toFixed(4)} by the file`);
  printResult({ out, files, verified, map }, lines.join('\n'), flags);
  const failed = verified.filter(({ ok }) => !ok);
  if (failed.length > 0) throw new InputError(`${failed.length} exported files differ from the model.`);
  say(
    `${out}: ${files[0].width === undefined ? 'any size' : `${files.length} sizes`}, descriptor of ${output.dimension} values`,
  );
}
