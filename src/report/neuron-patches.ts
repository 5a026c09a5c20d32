/**
 * @file What excites single neurons of the last convolutional layer before and after training: the image patches with the
 * largest activations, as Fig. 6 of Gordo et al. 2016. Which neurons: those whose largest activations changed the most.
 */
import * as tf from '@tensorflow/tfjs-core';
import sharp from 'sharp';
import { decodeImage, decodeImages, toTensor } from '../data/images.js';
import type { RgbImage } from '../data/rgb-image.js';
import type { ImageRecord } from '../data/manifest.js';
import { InputError } from '../errors.js';
import type { DescriptorModel } from '../models/descriptor.js';
import type { ReportBlock } from './page.js';

/** The largest value of a neuron in an image, and its cell on the map. */
export interface NeuronPeak {
  image: number;
  value: number;
  /** Of the cell's middle, as shares of the image's sides. */
  x: number;
  y: number;
}

export interface NeuronChange {
  neuron: number;
  /** Largest first, one per image. */
  before: NeuronPeak[];
  after: NeuronPeak[];
}

type MapModel = Pick<DescriptorModel, 'featureMap' | 'channels' | 'stride'>;

export interface NeuronOptions {
  /** Longest side of an image, px. */
  imageSize: number;
  /** Neurons, and patches of each. */
  neurons?: number;
  patches?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

/**
 * The `neurons` whose mean of the largest activations changed the most between two models, in relation to the larger one.
 * Unreadable images are passed over. Throws `InputError` when the models have different maps or no image can be read.
 */
export async function changedNeurons(
  { before, after }: { before: MapModel; after: MapModel },
  records: readonly ImageRecord[],
  { imageSize, neurons = 4, patches = 6, signal, onProgress }: NeuronOptions,
): Promise<NeuronChange[]> {
  const { channels, stride } = after;
  if (before.channels !== channels || before.stride !== stride) {
    throw new InputError(
      `The start model has ${before.channels} channels at stride ${before.stride}, the trained one ${channels} at stride ${stride}; ` +
        'name the model that this run started from with --init.',
    );
  }
  const sizing = { longest: imageSize, multipleOf: stride };
  const found = { before: emptyPeaks(channels), after: emptyPeaks(channels) };
  let [done, read] = [0, 0];
  for await (const outcome of decodeImages(records.keys(), (i) => ({ path: records[i].path }), { sizing })) {
    if (signal?.aborted) break;
    if (!('error' in outcome)) {
      read++;
      for (const [name, model] of Object.entries({ before, after }) as ['before' | 'after', MapModel][]) {
        addPeaks(found[name], await peaksOf(model, outcome.image), { image: outcome.item, keep: patches });
      }
    }
    onProgress?.(++done, records.length);
  }
  if (read === 0) throw new InputError('Not one image of the manifest could be read, so no neuron can be shown.');
  const mean = (peaks: NeuronPeak[]) => peaks.reduce((sum, { value }) => sum + value, 0) / Math.max(1, peaks.length);
  return found.after
    .map((peaks, neuron) => {
      const [low, high] = [mean(found.before[neuron]), mean(peaks)].sort((a, b) => a - b);
      return { neuron, before: found.before[neuron], after: peaks, change: high > 0 ? (high - low) / high : 0 };
    })
    .sort((a, b) => b.change - a.change || a.neuron - b.neuron)
    .slice(0, neurons)
    .map(({ neuron, before: start, after: end }) => ({ neuron, before: start, after: end }));
}

/** The same as pictures: a row before and a row after for each neuron. */
export async function neuronBlocks(
  changes: readonly NeuronChange[],
  records: readonly ImageRecord[],
  { imageSize, stride }: { imageSize: number; stride: number },
): Promise<ReportBlock[]> {
  const sizing = { longest: imageSize, multipleOf: stride };
  const row = async (neuron: number, when: string, peaks: readonly NeuronPeak[]) => {
    const results = [];
    for (const peak of peaks) {
      const { id, path } = records[peak.image];
      const image = await patch(await decodeImage(path, { sizing }), peak, 5 * stride);
      results.push({ image, caption: `${peak.value.toPrecision(3)} ${id}`, relation: 'junk' as const });
    }
    return { query: { caption: `neuron ${neuron}, ${when}` }, results };
  };
  const rows = [];
  for (const { neuron, before, after } of changes) {
    rows.push(await row(neuron, 'before training', before), await row(neuron, 'after', after));
  }
  const text =
    `Patches with the largest activation in the last convolutional layer among ${records.length} images, at most one per image. ` +
    'The neurons are those whose largest activations changed the most.';
  return [
    { kind: 'text', text },
    { kind: 'results', rows },
  ];
}

function emptyPeaks(channels: number): NeuronPeak[][] {
  return Array.from({ length: channels }, () => []);
}

/** Of every channel. */
async function peaksOf(model: MapModel, image: RgbImage): Promise<Omit<NeuronPeak, 'image'>[]> {
  const pixels = toTensor(image);
  const map = tf.tidy(() => model.featureMap(pixels));
  const [, height, width, channels] = map.shape;
  const values = await map.data<'float32'>();
  tf.dispose([pixels, map]);
  const largest = new Float32Array(channels).fill(-Infinity);
  const cells = new Int32Array(channels);
  for (let i = 0; i < values.length; i++) {
    const channel = i % channels;
    if (!(values[i] > largest[channel])) continue;
    largest[channel] = values[i];
    cells[channel] = (i - channel) / channels;
  }
  return Array.from(largest, (value, channel) => {
    const cell = cells[channel];
    return { value, x: ((cell % width) + 0.5) / width, y: (Math.floor(cell / width) + 0.5) / height };
  });
}

function addPeaks(
  all: NeuronPeak[][],
  found: readonly Omit<NeuronPeak, 'image'>[],
  { image, keep }: { image: number; keep: number },
): void {
  for (const [channel, peak] of found.entries()) {
    const peaks = all[channel];
    if (peaks.length === keep && !(peak.value > peaks[keep - 1].value)) continue;
    peaks.push({ ...peak, image });
    peaks.sort((a, b) => b.value - a.value || a.image - b.image);
    peaks.splice(keep);
  }
}

/** A square of at most `side` px, and half of the shorter side, around a peak: as a data URI. */
async function patch({ data, width, height }: RgbImage, { x, y }: NeuronPeak, sidePx: number): Promise<string> {
  const side = Math.max(1, Math.min(sidePx, Math.floor(Math.min(width, height) / 2)));
  const start = (middle: number, length: number) =>
    Math.max(0, Math.min(length - side, Math.round(middle * length - side / 2)));
  const jpeg = await sharp(data, { raw: { width, height, channels: 3 } })
    .extract({ left: start(x, width), top: start(y, height), width: side, height: side })
    .jpeg({ quality: 78 })
    .toBuffer();
  return `data:image/jpeg;base64,${jpeg.toString('base64')}`;
}
