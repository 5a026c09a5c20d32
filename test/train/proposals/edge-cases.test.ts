import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import type { RpnMeta } from '../../../src/models/meta.js';
import { imageAnchors } from '../../../src/rpn/anchors.js';
import { boxInImage, type ImageSides } from '../../../src/rpn/box-rows.js';
import { initialRpn, RpnHead } from '../../../src/rpn/head.js';
import { selectProposals } from '../../../src/rpn/proposals.js';
import { GradientAccumulator } from '../../../src/train/gradients.js';
import { RandomStream } from '../../../src/train/random.js';
import { rpnConfigSchema } from '../../../src/train/proposals/rpn-config.js';
import { noTargets, rpnStep, sampleTargets } from '../../../src/train/proposals/rpn-step.js';
import '../../support/engine.js';

const stride = 16;
const channels = 4;
const rpn = (clip: boolean): RpnMeta => ({
  anchors: { base: 16, scales: [2, 4], ratios: [0.5, 1, 2], clip },
  channels: 3,
});
const config = rpnConfigSchema.parse({ anchorsPerImage: 16, positivesPerImage: 8 });

/** Targets and gradient of one image whose map covers it. */
async function step(image: ImageSides, box: Float32Array | undefined, meta: RpnMeta) {
  const shape: [number, number, number, number] = [
    1,
    Math.ceil(image.height / stride),
    Math.ceil(image.width / stride),
    channels,
  ];
  const values = Float32Array.from({ length: shape[1] * shape[2] * channels }, (_, i) => Math.abs(Math.sin(i + 1)));
  const targets =
    box === undefined
      ? noTargets(16)
      : sampleTargets({ shape, image, box }, { anchors: meta.anchors, stride }, config, new RandomStream(1));
  const head = new RpnHead(meta, channels, initialRpn(meta, channels, new RandomStream(2)));
  const accumulator = new GradientAccumulator();
  const map = { values, shape, image, box: box ?? new Float32Array(4) };
  const loss = await rpnStep(head, map, { id: 'image', targets, images: 1, accumulator, config });
  const largest = (name: string) => tf.tidy(() => accumulator.sums.get(name)!.abs().max().dataSync()[0]);
  const gradients = {
    objectness: largest('rpn/objectness/kernel'),
    deltas: largest('rpn/deltas/kernel'),
    conv: largest('rpn/conv/kernel'),
  };
  accumulator.dispose();
  head.dispose();
  return { targets, loss, gradients, sampled: targets.weights.filter((weight) => weight === 1).length };
}

describe('an image smaller than the smallest anchor', () => {
  const image = { height: 20, width: 14 };
  const whole = Float32Array.of(0, 0, 20, 14);

  test('anchors cut to it are all the image: positives where the box fills it', async () => {
    const { targets, loss, gradients, sampled } = await step(image, whole, rpn(true));
    // the six of the first cell; those of the second, whose centre at 24 lies outside, only reach in
    expect(targets.positives).toBeGreaterThanOrEqual(6);
    expect(sampled).toBeGreaterThanOrEqual(targets.positives);
    expect(targets.deltas.every(Number.isFinite)).toBe(true);
    expect(loss.loss).toBeGreaterThan(0);
    expect(Object.values(gradients).every(Number.isFinite)).toBe(true);
  });

  test('whole anchors all cross its border: none trains, the loss and the gradient are 0', async () => {
    const { targets, loss, gradients, sampled } = await step(image, whole, rpn(false));
    expect([sampled, targets.positives]).toEqual([0, 0]);
    expect(loss).toEqual({ loss: 0, objectness: 0, boxes: 0 });
    expect(gradients).toEqual({ objectness: 0, deltas: 0, conv: 0 });
  });

  test('an anchor of which nothing is in the image is neither a positive nor a proposal', () => {
    const anchors = imageAnchors({ height: 2, width: 1 }, stride, { ...rpn(true).anchors, scales: [0.1] }, image);
    const rows = Array.from({ length: 6 }, (_, i) => [...anchors.subarray(4 * i, 4 * i + 4)]);
    expect(rows.some(([yMin, , yMax]) => yMin === yMax)).toBe(true);
    const targets = sampleTargets(
      { shape: [1, 2, 1, channels], image, box: whole },
      { anchors: { ...rpn(true).anchors, scales: [0.1] }, stride },
      config,
      new RandomStream(1),
    );
    expect(targets.deltas.every(Number.isFinite)).toBe(true);
    const deltas = new Float32Array(24).fill(3);
    const { boxes } = selectProposals({ anchors, scores: [1, 2, 3, 4, 5, 6], deltas }, image, { smallestSide: 1e-3 });
    expect(boxes.every(Number.isFinite)).toBe(true);
  });
});

describe('boxes', () => {
  const image = { height: 64, width: 96 };

  test('one larger than the image is the image', async () => {
    const box = boxInImage({ x: -30, y: -20, width: 500, height: 300 }, image, image)!;
    expect([...box]).toEqual([0, 0, 64, 96]);
    const { targets } = await step(image, box, rpn(true));
    expect(targets.positives).toBeGreaterThan(0);
  });

  test('no positive among the sampled: only what is background is learned', async () => {
    // 1 px, which overlaps every whole anchor inside the image by next to nothing; its best ones are positives by rule
    const tiny = Float32Array.of(0, 0, 1, 1);
    const { targets, loss, gradients, sampled } = await step(image, tiny, rpn(false));
    // whole anchors inside the image do not touch that corner
    expect([targets.positives, loss.boxes]).toEqual([0, 0]);
    expect(sampled).toBe(16);
    expect(loss.objectness).toBeCloseTo(Math.log(2), 1);
    expect(gradients.objectness).toBeGreaterThan(0);
    expect(gradients.deltas).toBe(0);
  });

  test('without a box nothing is learned', async () => {
    const { loss, gradients } = await step(image, undefined, rpn(true));
    expect(loss).toEqual({ loss: 0, objectness: 0, boxes: 0 });
    expect(gradients).toEqual({ objectness: 0, deltas: 0, conv: 0 });
  });
});
