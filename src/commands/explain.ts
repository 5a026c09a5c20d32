/** @file `rmac explain`: why two photographs match: the patches behind their strongest common components, and where one lies in the other. */
import type { Command } from 'commander';
import type { Box, ImageRecord } from '../data/manifest.js';
import type { DrawnImage, Place } from '../report/side-by-side.js';
import { InputError, UsageError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { Region } from '../models/regions.js';
import type { ActivationMap } from '../retrieval/localization/activation-map.js';
import { type ScaleFigures, shareText } from '../retrieval/similarity-scale.js';
import {
  addCommonOptions,
  type CommonOptions,
  interruptSignal,
  positiveInteger,
  printResult,
  say,
  startProgress,
} from './console.js';
import { addModelOptions, type ModelOptions, openEngine, openModel } from './open-model.js';
import { packageTrunk } from '../run/run-start.js';

interface ExplainFlags extends CommonOptions, ModelOptions {
  model?: string;
  box?: Box;
  draw?: string;
  overwrite?: boolean;
  components: number;
  among?: string;
}

/** A photograph as it was described. */
interface Described extends DrawnImage {
  map: ActivationMap;
  descriptor: Float32Array;
  /** Height over width of what was described. */
  aspect: number;
  /** A part of the map in px of the upright photograph. */
  boxOf: (region: Region) => Box;
}

interface Component {
  channel: number;
  share: number;
  a: Box;
  b: Box;
}

interface Explanation {
  similarity: number;
  /** With --among: pairs of different landmarks, and the share of them that are less similar. */
  unrelated?: ScaleFigures & { pairs: number; below: number };
  macSimilarity: number;
  components: Component[];
  /** Where A lies in B, and the other way round. */
  boxInB: Box;
  scoreInB: number;
  boxInA: Box;
  scoreInA: number;
}

export function register(program: Command): void {
  const command = program
    .command('explain')
    .argument('<a>', 'photograph')
    .argument('<b>', 'photograph')
    .option('--model <file>', 'describe them with this model (default: the small trunk of checkpoints/)')
    .option(
      '--box <x,y,w,h>',
      'the part of A to look for, px of the upright photograph (default: all of it)',
      boxOption,
    )
    .option('--components <n>', 'common components to show', positiveInteger, 5)
    .option(
      '--among <manifest>',
      'say where the similarity lies among those of unrelated photographs: pairs of different landmarks of this .jsonl',
    )
    .option('--draw <file.png>', 'draw both photographs side by side with the patches and boxes')
    .option('--overwrite', 'replace an existing drawing');
  addCommonOptions(addModelOptions(command))
    .addHelpText(
      'after',
      `
A component is a channel of the feature map; its patch surrounds the cell where the channel is largest. Shares add up, over all
channels, to the cosine of the maxima (MAC). A in B: the box of B whose maxima are most like those of A (AML).
With --box only that part of A's map counts, except for similarity and B in A.
What a similarity is worth differs from model to model: --among shows it, with up to ${sampled} photographs of the manifest.

Examples:
  rmac explain front.jpg corner.jpg --model model.safetensors --box 120,80,300,400 --draw why.png
  rmac explain front.jpg corner.jpg --model model.safetensors --among val.jsonl
--json: {"similarity", "unrelated" (with --among): {"pairs", "below" (share), "median", "p90", "p99", "max"}, "macSimilarity", "components": [{"channel", "share", "a": box, "b": box}], "boxInB", "scoreInB", "boxInA",
"scoreInA"}, boxes {"x", "y", "width", "height"} in pixels of the upright photographs; similarity is that of the model's descriptors.`,
    )
    .action(explain);
}

/** commander parser: "x,y,width,height" in px. */
export function boxOption(text: string): Box {
  const [x, y, width, height, ...rest] = text
    .split(',')
    .map((part) => (part.trim() === '' ? Number.NaN : Number(part)));
  if (![x, y, width, height].every(Number.isFinite) || rest.length > 0 || !(width > 0 && height > 0)) {
    throw new UsageError(`--box: expected x,y,width,height in px such as 120,80,300,400, got "${text}".`);
  }
  return { x, y, width, height };
}

async function explain(a: string, b: string, flags: ExplainFlags): Promise<void> {
  const { assertWritable, writeFileAtomic } = await import('../data/files.js');
  if (flags.draw !== undefined) {
    if (!/\.png$/i.test(flags.draw))
      throw new UsageError(`--draw: a name that ends in .png expected, got "${flags.draw}".`);
    assertWritable(flags.draw, flags);
  }
  await openEngine(flags);
  const model = await openModel(flags.model ?? packageTrunk, flags);
  try {
    const [first, second] = [await describe(a, model, flags), await describe(b, model, flags)];
    const explanation = await compare(first, second, flags);
    if (flags.among !== undefined) {
      explanation.unrelated = await scaleOf(explanation.similarity, flags.among, model, flags);
    }
    if (flags.draw !== undefined) await writeFileAtomic(flags.draw, await draw(first, second, explanation), flags);
    printResult(explanation, textOf(explanation), flags);
  } finally {
    model.dispose();
  }
}

async function describe(path: string, model: DescriptorModel, flags: ExplainFlags): Promise<Described> {
  const { decodeImage, toTensor } = await import('../data/images.js');
  const { uprightSize } = await import('../data/upright-size.js');
  const { sizingFor } = await import('../retrieval/describe.js');
  const { MapDescriber } = await import('../retrieval/localization/describe-maps.js');
  const image = await decodeImage(path, { sizing: sizingFor(model.meta, flags) });
  const size = await uprightSize(path);
  const describer = new MapDescriber(model);
  const pixels = toTensor(image);
  let descriptor: Float32Array;
  try {
    const rows = describer.describe(pixels);
    descriptor = Float32Array.from(rows.dataSync<'float32'>());
    rows.dispose();
  } catch (error) {
    throw error instanceof InputError ? new InputError(`${path}: ${error.message}`) : error;
  } finally {
    pixels.dispose();
  }
  const { map, aspect } = describer.last!;
  const [sx, sy] = [size.width / image.width, size.height / image.height];
  const toX = (cells: number) => Math.min(size.width, cells * model.stride * sx);
  const toY = (cells: number) => Math.min(size.height, cells * model.stride * sy);
  return {
    path,
    ...size,
    map,
    descriptor,
    aspect,
    boxOf: ({ yMin, xMin, yMax, xMax }) => {
      const [x, y] = [toX(xMin), toY(yMin)];
      // the last cells reach to the edge, whatever the strides leave over
      const right = xMax === map.width ? size.width : toX(xMax);
      const bottom = yMax === map.height ? size.height : toY(yMax);
      return { x: rounded(x), y: rounded(y), width: rounded(right - x), height: rounded(bottom - y) };
    },
  };
}

async function compare(a: Described, b: Described, { box, components: count }: ExplainFlags): Promise<Explanation> {
  const { commonComponents } = await import('../retrieval/localization/common-components.js');
  const { integralMap } = await import('../retrieval/localization/integral-max.js');
  const { localize } = await import('../retrieval/localization/localize.js');
  const { localizationQuery } = await import('../retrieval/localization/rerank.js');
  const part = box === undefined ? { yMin: 0, xMin: 0, yMax: a.map.height, xMax: a.map.width } : cellsOf(box, a);
  const query = partOf(a.map, part);
  const { similarity: macSimilarity, components } = commonComponents(query, b.map, { count });
  const find = (map: ActivationMap, aspect: number, image: Described) => {
    const { region, score } = localize(integralMap(image.map), localizationQuery(map, { aspect }));
    return { box: image.boxOf(region), score };
  };
  const inB = find(query, box === undefined ? a.aspect : box.height / box.width, b);
  const inA = find(b.map, b.aspect, a);
  return {
    similarity: cosine(a.descriptor, b.descriptor),
    macSimilarity,
    components: components.map(({ channel, share, a: peakA, b: peakB }) => ({
      channel,
      share,
      a: a.boxOf(around({ y: peakA.y + part.yMin, x: peakA.x + part.xMin }, a.map)),
      b: b.boxOf(around(peakB, b.map)),
    })),
    boxInB: inB.box,
    scoreInB: inB.score,
    boxInA: inA.box,
    scoreInA: inA.score,
  };
}

/** Photographs of a manifest that show the scale: some 30,000 pairs. */
const sampled = 256;

/** Where a similarity lies among those of photographs of different landmarks (and groups). */
async function scaleOf(similarity: number, manifest: string, model: DescriptorModel, flags: ExplainFlags) {
  const { readManifest } = await import('../data/manifest.js');
  const { describeImages, sizingFor } = await import('../retrieval/describe.js');
  const { sampleOf } = await import('../retrieval/learn-whitening.js');
  const { scaleFigures, shareBelow } = await import('../retrieval/similarity-scale.js');
  const records = sampleOf(await readManifest(manifest), sampled);
  const progress = startProgress('describe', records.length);
  const settings = {
    sizing: sizingFor(model.meta, flags),
    signal: interruptSignal(),
    onProgress: (done: number) => progress.update(done),
  };
  const found: { record: ImageRecord; descriptor: Float32Array }[] = [];
  try {
    for await (const result of describeImages(model, records, (record) => record, settings)) {
      if ('error' in result) say(`skipped ${result.item.id}: ${result.error.message}`);
      else found.push({ record: result.item, descriptor: result.descriptor });
    }
  } finally {
    progress.stop();
  }
  const pairs = found.flatMap(({ record: a, descriptor }, i) =>
    found
      .slice(i + 1)
      .filter(({ record: b }) => a.landmark !== b.landmark && (a.group === undefined || a.group !== b.group))
      .map((other) => cosine(descriptor, other.descriptor)),
  );
  const scale = Float32Array.from(pairs).sort();
  const figures = scaleFigures(scale);
  if (figures === undefined) {
    throw new InputError(
      `--among ${manifest}: no two photographs of different landmarks; name a manifest with several.`,
    );
  }
  return { pairs: scale.length, below: shareBelow(scale, similarity), ...figures };
}

function cosine(a: Float32Array, b: Float32Array): number {
  return a.reduce((sum, value, d) => sum + value * b[d], 0);
}

/** Cells of A that the box touches. */
function cellsOf({ x, y, width, height }: Box, a: Described): Region {
  const { width: cellWidth, height: cellHeight } = a.boxOf({ yMin: 0, xMin: 0, yMax: 1, xMax: 1 });
  const clip = (value: number, most: number) => Math.max(0, Math.min(most, value));
  const region = {
    yMin: clip(Math.floor(y / cellHeight), a.map.height),
    xMin: clip(Math.floor(x / cellWidth), a.map.width),
    yMax: clip(Math.ceil((y + height) / cellHeight), a.map.height),
    xMax: clip(Math.ceil((x + width) / cellWidth), a.map.width),
  };
  if (region.yMin >= region.yMax || region.xMin >= region.xMax) {
    throw new InputError(
      `${a.path}: --box ${x},${y},${width},${height} has no part of the ${a.width}x${a.height} image.`,
    );
  }
  return region;
}

function partOf({ width, channels, values }: ActivationMap, { yMin, xMin, yMax, xMax }: Region): ActivationMap {
  const part = new Float32Array((yMax - yMin) * (xMax - xMin) * channels);
  for (let y = yMin; y < yMax; y++) {
    const row = values.subarray((y * width + xMin) * channels, (y * width + xMax) * channels);
    part.set(row, (y - yMin) * (xMax - xMin) * channels);
  }
  return { height: yMax - yMin, width: xMax - xMin, channels, values: part };
}

/** The cell with its neighbours. */
function around({ y, x }: { y: number; x: number }, { height, width }: ActivationMap): Region {
  return {
    yMin: Math.max(0, y - 1),
    xMin: Math.max(0, x - 1),
    yMax: Math.min(height, y + 2),
    xMax: Math.min(width, x + 2),
  };
}

async function draw(a: Described, b: Described, { components, boxInA, boxInB }: Explanation): Promise<Uint8Array> {
  const { markColour, sideBySide } = await import('../report/side-by-side.js');
  return sideBySide(a, b, (inA, inB) => {
    const frame = (place: Place, { x, y, width, height }: Box, style: string) => {
      const [from, to] = [place(x, y), place(x + width, y + height)];
      return `<rect x="${from.x.toFixed(1)}" y="${from.y.toFixed(1)}" width="${(to.x - from.x).toFixed(1)}" height="${(to.y - from.y).toFixed(1)}" ${style}/>`;
    };
    const boxes = [frame(inA, boxInA, boxStyle), frame(inB, boxInB, boxStyle)];
    const patches = components.flatMap(({ a: boxA, b: boxB }, n) => {
      const colour = markColour(n);
      const patch = (place: Place, box: Box) => {
        const corner = place(box.x, box.y);
        const label = `<text x="${(corner.x + 4).toFixed(1)}" y="${(corner.y + 17).toFixed(1)}" font-family="sans-serif" font-size="16" font-weight="bold" fill="${colour}" stroke="#000" stroke-width="3" paint-order="stroke">${n + 1}</text>`;
        return frame(place, box, `stroke="${colour}" stroke-width="3"`) + label;
      };
      return [patch(inA, boxA), patch(inB, boxB)];
    });
    return [...boxes, ...patches].join('');
  });
}

const boxStyle = 'stroke="#ffffff" stroke-width="4" stroke-dasharray="12 6"';

function textOf(explanation: Explanation): string {
  const { similarity, unrelated, macSimilarity, components, boxInA, boxInB, scoreInA, scoreInB } = explanation;
  const box = ({ x, y, width, height }: Box) => `${x},${y} ${width}x${height}`;
  const lines = [
    `similarity ${similarity.toFixed(4)}, of the maxima ${macSimilarity.toFixed(4)}`,
    unrelated === undefined
      ? 'What that is worth depends on the model: --among MANIFEST shows where it lies among unrelated photographs.'
      : `${shareText(unrelated.below)} of ${unrelated.pairs.toLocaleString('en')} unrelated pairs are less similar ` +
        `(${unrelated.median.toFixed(4)} in the middle, 99 % below ${unrelated.p99.toFixed(4)})`,
    `A in B at ${box(boxInB)} (${scoreInB.toFixed(4)}), B in A at ${box(boxInA)} (${scoreInA.toFixed(4)})`,
    ...components.map(
      ({ channel, share, a, b }, n) =>
        `${n + 1}  channel ${channel}, share ${share.toFixed(4)}: ${box(a)} in A, ${box(b)} in B`,
    ),
  ];
  return lines.join('\n');
}

function rounded(px: number): number {
  return Math.round(px * 10) / 10;
}
