/** @file Which photographs a generated collection has, decided before anything is drawn: pure arithmetic. */
import { UsageError } from '../errors.js';
import { Random } from './random.js';
import { planKinds } from './style.js';
import { type WrongKind, wrongKinds } from './wrong-images.js';

export interface SynthesizeOptions {
  /** Landmarks, at least 2. Default 12. */
  landmarks?: number;
  /** Landmarks that share a style and so are easily confused, 1 to 8. Default 3. */
  siblings?: number;
  /** Fraction of the landmarks that is kept for the test, above 0 and below 1; at least one landmark is. Default a third. */
  testShare?: number;
  /** Photographs per landmark, wrong ones included, at least 3. Default 20. */
  photos?: number;
  /** Fraction of wrong images in a landmark's folder, 0 to 0.9. Default 0.15. */
  noise?: number;
  /** How much photographs of one landmark differ in framing, angle, light and what is in the way, 0 to 1. Default 1. */
  variation?: number;
  /** Longest side in px, 64 to 2048. Default 384. */
  size?: number;
  /** Default 1. */
  seed?: number;
}

/** Which list a photograph is on: `train` and `val` are landmarks to train on, `test` ones that training never sees. */
export type SplitName = 'train' | 'val' | 'test';

export interface PlannedPhoto {
  /** `landmark/NNN`. */
  id: string;
  landmark: string;
  index: number;
  split: SplitName;
  /** What is wrong about it; undefined for a photograph of the landmark. */
  wrong?: WrongKind;
}

export interface PlannedLandmark {
  name: string;
  /** Landmarks with the same style number are siblings. */
  style: number;
  plan: (typeof planKinds)[number];
  test: boolean;
  photos: PlannedPhoto[];
}

/** One in `valEvery` correct photographs of a training landmark is held back for validation. */
const valEvery = 4;

/** The options with defaults filled in. @throws UsageError for a value out of range. */
export function checkSynthesizeOptions({
  landmarks = 12,
  siblings = 3,
  testShare = 1 / 3,
  photos = 20,
  noise = 0.15,
  variation = 1,
  size = 384,
  seed = 1,
}: SynthesizeOptions): Required<SynthesizeOptions> {
  const whole = (flag: string, value: number, low: number, high: number) => {
    if (!Number.isInteger(value) || value < low || value > high) {
      throw new UsageError(`${flag}: expected a whole number from ${low} to ${high}, got ${value}.`);
    }
  };
  whole('--landmarks', landmarks, 2, 500);
  whole('--siblings', siblings, 1, 8);
  whole('--photos', photos, 3, 999);
  whole('--size', size, 64, 2048);
  whole('--seed', seed, 0, 2 ** 32 - 1);
  if (!(noise >= 0 && noise <= 0.9)) throw new UsageError(`--noise: expected a number from 0 to 0.9, got ${noise}.`);
  if (!(testShare > 0 && testShare < 1)) {
    throw new UsageError(`--test-share: expected a number above 0 and below 1, got ${testShare}.`);
  }
  if (photos - wrongCount(photos, noise) < 2) {
    throw new UsageError(
      `--noise ${noise} leaves fewer than 2 right photographs of ${photos} per landmark; give more --photos or less --noise.`,
    );
  }
  if (!(variation >= 0 && variation <= 1)) {
    throw new UsageError(`--variation: expected a number from 0 to 1, got ${variation}.`);
  }
  return { landmarks, siblings, testShare, photos, noise, variation, size, seed };
}

function wrongCount(photos: number, noise: number): number {
  return Math.round(photos * noise);
}

/** Plans a collection. The last landmarks are for the test; whole styles go there as far as possible. */
export function planDataset({
  landmarks,
  siblings,
  testShare,
  photos,
  noise,
  seed,
}: Required<SynthesizeOptions>): PlannedLandmark[] {
  const random = new Random(seed).fork('plan');
  const kinds = random.shuffle(planKinds);
  const styles = Math.ceil(landmarks / siblings);
  const testCount = Math.min(landmarks - 1, Math.max(1, Math.round(landmarks * testShare)));
  return Array.from({ length: landmarks }, (_, number) => {
    const style = Math.min(styles - 1, Math.floor(number / siblings));
    const plan = kinds[style % kinds.length];
    const round = Math.floor(style / kinds.length);
    const name = `${plan}${round > 0 ? round + 1 : ''}-${'abcdefgh'[number % siblings]}`;
    const test = number >= landmarks - testCount;
    const order = random.fork(name).shuffle(Array.from({ length: photos }, (_unused, i) => i));
    const wrong = new Set(order.slice(0, wrongCount(photos, noise)));
    const kind = random.fork(`${name} wrong`);
    let right = 0;
    const planned = Array.from({ length: photos }, (_unused, index): PlannedPhoto => {
      const id = `${name}/${String(index).padStart(3, '0')}`;
      if (wrong.has(index))
        return { id, landmark: name, index, split: test ? 'test' : 'train', wrong: kind.pick(wrongKinds) };
      const held = !test && ++right % valEvery === 0;
      return { id, landmark: name, index, split: test ? 'test' : held ? 'val' : 'train' };
    });
    return { name, style, plan, test, photos: planned };
  });
}
