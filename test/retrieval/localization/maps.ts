/** @file Seeded activation maps for the tests: sparse and heavy-tailed, as behind the last ReLU of a network. */
import * as fc from 'fast-check';
import seedrandom from 'seedrandom';
import type { Region } from '../../../src/models/regions.js';
import type { ActivationMap } from '../../../src/retrieval/localization/activation-map.js';
import { poolRegions } from '../../../src/rpn/pool-regions.js';

export interface RandomMapOptions {
  height: number;
  width: number;
  channels: number;
  seed: string | number;
  /** Share of positive activations. Default 0.3. */
  density?: number;
  /** Mean of a positive activation. Default 20. */
  mean?: number;
}

export function randomMap({
  height,
  width,
  channels,
  seed,
  density = 0.3,
  mean = 20,
}: RandomMapOptions): ActivationMap {
  const random = seedrandom(`map ${seed}`);
  const values = Float32Array.from({ length: height * width * channels }, () =>
    random() < density ? -mean * Math.log(1 - random()) : 0,
  );
  return { height, width, channels, values };
}

/** Maps of 1 to 12 cells a side and 1 to 9 channels, empty to full. */
export const anyMap: fc.Arbitrary<ActivationMap> = fc
  .record({
    height: fc.integer({ min: 1, max: 12 }),
    width: fc.integer({ min: 1, max: 12 }),
    channels: fc.integer({ min: 1, max: 9 }),
    seed: fc.integer(),
    density: fc.constantFrom(0, 0.05, 0.3, 1),
    mean: fc.constantFrom(0.01, 20, 1000),
  })
  .map(randomMap);

/** A map and a box of at least one of its cells. */
export const mapAndRegion: fc.Arbitrary<{ map: ActivationMap; region: Region }> = anyMap.chain((map) =>
  fc.tuple(sides(map.height), sides(map.width)).map(([[yMin, yMax], [xMin, xMax]]) => ({
    map,
    region: { yMin, xMin, yMax, xMax },
  })),
);

function sides(length: number): fc.Arbitrary<[number, number]> {
  return fc
    .tuple(fc.integer({ min: 0, max: length - 1 }), fc.integer({ min: 1, max: length }))
    .map(([start, size]) => [start, Math.min(length, start + size)]);
}

/** Maxima of a box by looking at every cell. */
export function exactMax(map: ActivationMap, region: Region): Float32Array {
  return poolRegions(map.values, map, [region]);
}
