/** @file Why two photographs match: the patches behind their strongest common components, and where one lies in the other. */
import { decodeImage, type ImageSizing, toTensor } from '../../data/images.js';
import type { Box } from '../../data/manifest.js';
import { uprightSize } from '../../data/upright-size.js';
import { InputError } from '../../errors.js';
import { innerProduct } from '../../linear/rows.js';
import type { DescriptorModel } from '../../models/descriptor.js';
import type { Region } from '../../models/regions.js';
import type { ActivationMap } from './activation-map.js';
import { commonComponents } from './common-components.js';
import { MapDescriber } from './describe-maps.js';
import { integralMap } from './integral-max.js';
import { localize } from './localize.js';
import { localizationQuery } from './rerank.js';

/** A photograph as it was described. */
export interface MappedPhotograph {
  path: string;
  /** Size of the upright photograph, px. */
  width: number;
  height: number;
  map: ActivationMap;
  descriptor: Float32Array;
  /** Height over width of what was described. */
  aspect: number;
  /** A part of the map in px of the upright photograph. */
  boxOf: (region: Region) => Box;
}

/** A channel of the maps that both have, and the patches where it is largest, px of the upright photographs. */
export interface PairComponent {
  channel: number;
  /** Of the cosine of the maxima; over all channels they add up to it. */
  share: number;
  a: Box;
  b: Box;
}

export interface Explanation {
  /** Of the descriptors. */
  similarity: number;
  /** Cosine of the maxima (MAC). */
  macSimilarity: number;
  components: PairComponent[];
  /** Where A lies in B, and the other way round. */
  boxInB: Box;
  scoreInB: number;
  boxInA: Box;
  scoreInA: number;
}

/** Describes a photograph by a model and keeps its map. @throws InputError naming the photograph. */
export async function mapPhotograph(
  path: string,
  model: DescriptorModel,
  sizing: ImageSizing,
): Promise<MappedPhotograph> {
  const image = await decodeImage(path, { sizing });
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

/** Explains the similarity of a and b, or of the part `box` (px of the upright photograph) of a, by `components` channels. */
export function explainPair(
  a: MappedPhotograph,
  b: MappedPhotograph,
  { box, components: count }: { box?: Box | undefined; components: number },
): Explanation {
  const part = box === undefined ? { yMin: 0, xMin: 0, yMax: a.map.height, xMax: a.map.width } : touchedCells(box, a);
  const query = partOf(a.map, part);
  const { similarity: macSimilarity, components } = commonComponents(query, b.map, { count });
  const find = (map: ActivationMap, aspect: number, image: MappedPhotograph) => {
    const { region, score } = localize(integralMap(image.map), localizationQuery(map, { aspect }));
    return { box: image.boxOf(region), score };
  };
  const inB = find(query, box === undefined ? a.aspect : box.height / box.width, b);
  const inA = find(b.map, b.aspect, a);
  return {
    similarity: innerProduct(a.descriptor, b.descriptor),
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

/** Cells of A that the box touches. */
function touchedCells({ x, y, width, height }: Box, a: MappedPhotograph): Region {
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

function rounded(px: number): number {
  return Math.round(px * 10) / 10;
}
