/**
 * @file `npm run bench:aml -- --manifest M [--model W|alexnet] [--size PX] [--pairs N]`: localisation against exhaustive search. One JSON line each:
 *
 *   approximation  relative error of integral max-pooling and cosine to the exact maxima by alpha (Tolias et al. 2016, figure 3)
 *   localization   overlap with the exhaustive search's box and share of its boxes visited, by t and s (table 1, left)
 *   time           CPU seconds to re-rank 1000 images, in parts, and bytes per compact map
 *
 * Pairs are photographs of one landmark: the first, or its box in the manifest, is looked for in the second. `alexnet` is the network with
 * random weights, for maps of the paper's size. Times are medians of CPU time: other work on the machine counts little.
 */
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startEngine } from '../../src/backend/index.js';
import { decodeImage, toTensor } from '../../src/data/images.js';
import { groupBy } from '../../src/data/group-by.js';
import { readManifest } from '../../src/data/manifest.js';
import { loadModel } from '../../src/data/model-file.js';
import { defaultMeta, initialWeights } from '../../src/models/architectures.js';
import { DescriptorModel } from '../../src/models/descriptor.js';
import type { Region } from '../../src/models/regions.js';
import type { ActivationMap } from '../../src/retrieval/localization/activation-map.js';
import { compactMap, integralOfLevels, levelMap } from '../../src/retrieval/localization/compact-map.js';
import { MapDescriber } from '../../src/retrieval/localization/describe-maps.js';
import { approximateMax, integralMap } from '../../src/retrieval/localization/integral-max.js';
import { localize, localizeExhaustively } from '../../src/retrieval/localization/localize.js';
import { localizationQuery, rerankShortlist } from '../../src/retrieval/localization/rerank.js';
import { rowOverlap } from '../../src/rpn/box-rows.js';
import { poolRegions } from '../../src/rpn/pool-regions.js';
import { RandomStream } from '../../src/train/random.js';
import { clock, mean, median, print } from './process.js';

const { values: flags } = parseArgs({
  options: {
    manifest: { type: 'string' },
    model: {
      type: 'string',
      default: fileURLToPath(new URL('../../checkpoints/rmac-small.safetensors', import.meta.url)),
    },
    size: { type: 'string', default: '512' },
    pairs: { type: 'string', default: '20' },
  },
});
if (flags.manifest === undefined) {
  process.stderr.write('usage: npm run bench:aml -- --manifest M [--model W|alexnet] [--size PX] [--pairs N]\n');
  process.exit(2);
}
const significant = (value: number) => Number(value.toPrecision(4));

await startEngine({ device: 'cpu', threads: 1 });
const model =
  flags.model === 'alexnet'
    ? DescriptorModel.create(defaultMeta('alexnet'), initialWeights('alexnet', 1))
    : await loadModel(flags.model);
const pairs = await photographed(flags.manifest, Number(flags.pairs));
const maps = pairs.map(({ image }) => image);
const [{ height, width, channels }] = maps;
const positive = mean(
  maps.map(({ values }) => values.reduce((count, x) => count + (x > 0 ? 1 : 0), 0) / values.length),
);
const about = {
  network: model.meta.architecture,
  pairs: pairs.length,
  firstMap: [height, width, channels],
  positive: significant(positive),
};

time();
approximation();
localization();

/** Queries and images as maps; landmarks in turn. */
async function photographed(manifest: string, count: number) {
  const describer = new MapDescriber(model);
  const describe = async (path: string, box?: { x: number; y: number; width: number; height: number }) => {
    const image = await decodeImage(path, {
      crop: box,
      sizing: { longest: Number(flags.size), multipleOf: model.stride },
    });
    const pixels = toTensor(image);
    describer.describe(pixels).dispose();
    pixels.dispose();
    return describer.last!;
  };
  const landmarks = [...groupBy(await readManifest(manifest), ({ landmark }) => landmark).values()];
  const found: { query: ReturnType<typeof localizationQuery>; image: ActivationMap }[] = [];
  for (let i = 0; found.length < count && landmarks.some((records) => records.length > i + 1); i++) {
    for (const records of landmarks) {
      if (found.length === count || records.length <= i + 1) continue;
      const { map, aspect } = await describe(records[i].path, records[i].box);
      found.push({ query: localizationQuery(map, { aspect }), image: (await describe(records[i + 1].path)).map });
    }
  }
  return found;
}

function approximation() {
  const random = new RandomStream(1);
  const regions = maps.map((map) => Array.from({ length: 40 }, () => randomRegion(map, random)));
  for (const alpha of [1, 2, 3, 5, 8, 10, 12, 15, 20]) {
    const [errors, cosines]: [number[], number[]] = [[], []];
    for (const [i, map] of maps.entries()) {
      const integral = integralMap(map, { alpha });
      for (const region of regions[i]) {
        const exact = poolRegions(map.values, map, [region]);
        const approximate = approximateMax(integral, region);
        cosines.push(cosine(exact, approximate));
        const alive = [...exact.keys()].filter((c) => exact[c] > 0);
        errors.push(mean(alive.map((c) => Math.abs(approximate[c] - exact[c]) / exact[c])));
      }
    }
    print({
      figure: 'approximation',
      ...about,
      alpha,
      relativeError: significant(mean(errors)),
      cosine: significant(mean(cosines)),
    });
  }
}

function localization() {
  const integrals = maps.map((map) => integralOfLevels(compactMap(map), { read: 'centres' }));
  const all = pairs.map(({ query }, i) => localizeExhaustively(integrals[i], query));
  const row = ({ yMin, xMin, yMax, xMax }: Region) => [yMin, xMin, yMax, xMax];
  for (const aspectBound of [1.1, 1.5, 2, Number.POSITIVE_INFINITY]) {
    for (const step of [1, 2, 3, 4, 5]) {
      const found = pairs.map(({ query }, i) => localize(integrals[i], query, { step, aspectBound }));
      print({
        figure: 'localization',
        ...about,
        t: step,
        s: Number.isFinite(aspectBound) ? aspectBound : 'any',
        overlap: significant(mean(found.map(({ region }, i) => rowOverlap(row(region), 0, row(all[i].region), 0)))),
        visitedPercent: significant(mean(found.map(({ visited }, i) => (100 * visited) / all[i].visited))),
        scoreLost: significant(mean(found.map(({ score }, i) => all[i].score - score))),
      });
    }
  }
}

function time() {
  const timed = 60;
  const stored = maps.map((map) => compactMap(map));
  const compact = Array.from({ length: timed }, (_, i) => stored[i % stored.length]);
  const { query } = pairs[0];
  let buffer: Float64Array | undefined;
  const parts: Record<string, () => void> = {
    rerankAml: () => void rerankShortlist(query, compact, { kind: 'aml' }),
    integrals: () => compact.forEach((map) => (buffer = integralOfLevels(map, { buffer }).sums)),
    levels: () => compact.forEach((map) => levelMap(map)),
  };
  const integrals = stored.map((map) => integralOfLevels(map));
  parts.search = () => compact.forEach((_, i) => localize(integrals[i % stored.length], query));
  const seconds = new Map(Object.keys(parts).map((name) => [name, [] as number[]]));
  for (let round = 0; round < 3; round++) {
    for (const [name, work] of Object.entries(parts)) {
      const elapsed = clock();
      work();
      if (round > 0) seconds.get(name)!.push(elapsed().cpuMs / 1000); // the first round warms up
    }
  }
  print({
    figure: 'time',
    ...about,
    cpuSecondsPer1000: Object.fromEntries(
      [...seconds].map(([name, all]) => [name, significant((1000 / timed) * median(all))]),
    ),
    visited: mean(pairs.map((_, i) => localize(integrals[i], query).visited)),
    bytesPerImage: Math.round(mean(stored.map(({ codes }) => codes.length))),
    bytesPerImageAtScale1: Math.round(mean(maps.map((map) => compactMap(map, { scale: 1 }).codes.length))),
    node: process.version,
  });
}

function randomRegion({ height: h, width: w }: ActivationMap, random: RandomStream): Region {
  const side = (length: number) => {
    const size = 2 + Math.floor(random.between(0, length - 1));
    const start = Math.floor(random.between(0, length - size + 1));
    return [start, start + size] as const;
  };
  const [[yMin, yMax], [xMin, xMax]] = [side(h), side(w)];
  return { yMin, xMin, yMax, xMax };
}

function cosine(a: Float32Array, b: Float32Array): number {
  let [dot, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    dot += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return dot / Math.sqrt(aa * bb);
}
