import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { InputError } from '../../../src/errors.js';
import type { DescriptorModel } from '../../../src/models/descriptor.js';
import type { RpnMeta } from '../../../src/models/meta.js';
import type { NamedArrays } from '../../../src/models/safetensors.js';
import { imageAnchors, landmarkAnchors } from '../../../src/rpn/anchors.js';
import { decodeBoxes } from '../../../src/rpn/box-coder.js';
import { clipRows } from '../../../src/rpn/box-rows.js';
import { initialRpn, RpnHead } from '../../../src/rpn/head.js';
import type { BoxedRecord } from '../../../src/data/manifest.js';
import { boxedRecords, BoxedImages } from '../../../src/train/proposals/boxed-images.js';
import { type ProposalsOptions, ProposalsTrainer } from '../../../src/train/proposals/proposals-trainer.js';
import { encodeState, parseRunState, type RunState } from '../../../src/run/checkpoint.js';
import type { RunRecord } from '../../../src/run/run-records.js';
import { runLoop } from '../../../src/train/loop.js';
import { measureRpn } from '../../../src/train/proposals/measure-rpn.js';
import { RandomStream } from '../../../src/train/random.js';
import { type RpnConfig, rpnConfigSchema } from '../../../src/train/proposals/rpn-config.js';
import { sampleTargets } from '../../../src/train/proposals/rpn-step.js';
import '../../support/engine.js';
import { expectNoLeak } from '../../support/leak.js';
import { smallModel } from '../../support/small-model.js';
import { stripedPhotographs, temporaryFolder } from '../tiny-run.js';

let records: BoxedRecord[];
let model: DescriptorModel;
const meta: RpnMeta = {
  anchors: { ...landmarkAnchors(48, [0.4, 0.7]), ratios: [0.5, 1] } as RpnMeta['anchors'],
  channels: 8,
};

beforeAll(async () => {
  const all = await stripedPhotographs(await temporaryFolder());
  records = all.map((record, i) => ({ ...record, box: { x: 4 + i, y: 3, width: 26, height: 22 } }));
  model = smallModel();
});

const config = (changes: Partial<RpnConfig> = {}): RpnConfig =>
  rpnConfigSchema.parse({
    steps: 4,
    imageSize: 48,
    channels: 8,
    anchorsPerImage: 16,
    positivesPerImage: 8,
    ...changes,
  });

interface Saved {
  text: string;
  state: RunState;
  momentum: NamedArrays;
  weights: NamedArrays;
}

async function fit(settings: RpnConfig, options: Partial<ProposalsOptions> = {}, from?: Saved) {
  const anchors = { ...meta.anchors, clip: settings.border === 'clip' };
  const weights = from?.weights ?? initialRpn(meta, model.channels, new RandomStream(1));
  const head = new RpnHead({ ...meta, anchors }, model.channels, weights);
  const images = new BoxedImages(model, { imageSize: 48, cacheBytes: settings.cacheMegabytes * 1e6 });
  const saved: Saved[] = [];
  const log: RunRecord[] = [];
  try {
    const trainer = new ProposalsTrainer({ model, head, images, records, config: settings, ...options });
    const resume = from && {
      state: parseRunState(from.text, 'state.json', (own) => trainer.restore(own)),
      momentum: from.momentum,
    };
    const save = async (state: RunState, momentum: () => Promise<NamedArrays>) => {
      const text = encodeState(state, {});
      saved.push({ text, state, momentum: await momentum(), weights: await head.toArrays() });
    };
    for await (const record of runLoop(trainer, { config: settings, resume, store: { save } })) log.push(record);
    const recall = await measureRpn(head, images, options.records ?? records, {
      stride: model.stride,
      proposals: 4,
    }).catch(() => undefined);
    const updates = log.filter((record) => record.event === 'update');
    return { log, updates, saved, weights: await head.toArrays(), recall };
  } finally {
    head.dispose();
  }
}

function differing(a: NamedArrays, b: NamedArrays): string[] {
  return [...a.keys()].filter(
    (name) => !Buffer.from(a.get(name)!.data.buffer).equals(Buffer.from(b.get(name)!.data.buffer)),
  );
}

describe('ProposalsTrainer', () => {
  test.each([
    ['one image an update, maps kept', {}],
    ['three images an update, no map kept', { imagesPerStep: 3, cacheMegabytes: 0, flip: false }],
    ['adam, linear schedule', { optimizer: 'adam', learningRateDecay: 'linear' }],
    ['twelve images an update: more than an epoch', { imagesPerStep: 12, weightDecayOn: 'kernels', warmup: 2 }],
  ] satisfies [string, Partial<RpnConfig>][])(
    'resumed from every state on the way, four updates are the same bits (%s)',
    async (_, changes) => {
      const settings = config({ checkpointEvery: 1, ...changes });
      const whole = await fit(settings);
      expect(whole.saved.map(({ state }) => state.step)).toEqual([0, 1, 2, 3, 4]);
      for (const from of whole.saved) {
        const resumed = await fit(settings, {}, from);
        expect(resumed.updates.map(({ step, loss }) => [step, loss])).toEqual(
          whole.updates.slice(from.state.step).map(({ step, loss }) => [step, loss]),
        );
        expect(differing(whole.weights, resumed.weights)).toEqual([]);
      }
      expect(differing(whole.weights, whole.saved[0].weights).length).toBe(6);
    },
  );

  test('learns where the boxes are', async () => {
    const settings = config({ steps: 120, learningRate: 0.01, imagesPerStep: 2, clipGradientNorm: 5 });
    const before = await fit(config({ steps: 1, learningRate: 1e-9 }));
    const after = await fit(settings);
    const mean = (updates: { loss: number }[]) => updates.reduce((sum, { loss }) => sum + loss, 0) / updates.length;
    expect(mean(after.updates.slice(-10))).toBeLessThan(0.5 * mean(after.updates.slice(0, 3)));
    expect(after.recall!.recall).toBeGreaterThan(before.recall!.recall + 0.1);
  });

  test('the batch is the mean over its images', async () => {
    // without momentum, decay and sampling: one update of two images is the mean of an update of each
    const settings = { anchorsPerImage: 4096, positivesPerImage: 4096, flip: false, momentum: 0, weightDecay: 0 };
    const change = async (some: BoxedRecord[]) => {
      const run = await fit(config({ ...settings, steps: 1, imagesPerStep: some.length, learningRate: 1 }), {
        records: some,
      });
      return Array.from(run.weights.get('rpn/objectness/bias')!.data); // they begin at 0
    };
    const [a, b, both] = [await change([records[0]]), await change([records[1]]), await change(records.slice(0, 2))];
    both.forEach((value, i) => expect(Math.abs(value - (a[i] + b[i]) / 2)).toBeLessThan(1e-6));
    expect(Math.max(...both.map(Math.abs))).toBeGreaterThan(1e-3);
  });

  test('a photograph that cannot be used is left out: no image, a box outside of it', async () => {
    const broken = records[1].path.replace('.png', '-broken.png');
    await writeFile(broken, 'no image');
    const some: BoxedRecord[] = [
      records[0],
      { ...records[1], path: broken },
      { ...records[2], box: { x: 400, y: 0, width: 20, height: 20 } },
    ];
    const run = await fit(config({ imagesPerStep: 3 }), { records: some });
    expect(run.saved.at(-1)!.state.unreadable.sort()).toEqual([records[1].id, records[2].id].sort());
    expect(run.updates).toHaveLength(4);
    await expect(fit(config(), { records: [some[2]] })).rejects.toThrow(/its box 400,0,20,20/);
  });

  test('images without a positive teach what is background', async () => {
    // no anchor that lies inside the image touches a box in its corner
    const corner = records.map((record) => ({ ...record, box: { x: 0, y: 0, width: 3, height: 3 } }));
    const { updates } = await fit(config({ border: 'drop' }), { records: corner });
    for (const { loss, boxes, positives } of updates) {
      expect([boxes, positives]).toEqual([0, 0]);
      expect(loss).toBeGreaterThan(0);
    }
  });

  test('another manifest is refused on resuming', async () => {
    const { saved } = await fit(config({ steps: 1 }));
    await expect(fit(config(), { records: records.slice(1) }, saved.at(-1))).rejects.toThrow('not the one');
    const moved = records.map((record) => ({ ...record, box: { ...record.box, x: 1 } }));
    await expect(fit(config(), { records: moved }, saved.at(-1))).rejects.toThrow(InputError);
  });

  test('a loss that is not finite names the update and the image', async () => {
    const settings = config({ learningRate: 1e30, steps: 5 });
    await expect(fit(settings)).rejects.toThrow(/Update \d: .*images? l\d\/p\d/);
  });

  test('nothing leaks', async () => {
    await expectNoLeak(() => fit(config({ steps: 2 })));
  });
});

describe('sampleTargets', () => {
  const image = { height: 48, width: 64 };
  const box = Float32Array.of(6, 10, 40, 50);
  const shape: [number, number, number, number] = [1, 3, 4, 256];
  const settings = config({ anchorsPerImage: 64, positivesPerImage: 32 });
  const head = { anchors: meta.anchors, stride: 16 };

  test('the deltas of positives lead from the anchor, cut to the image, to the box; others are 0; padding weighs nothing', () => {
    const targets = sampleTargets({ shape, image, box }, head, settings, new RandomStream(1));
    const drawn = targets.weights.filter((weight) => weight === 1).length;
    expect(targets.positions).toHaveLength(64);
    expect(drawn).toBeLessThan(64); // of 48 anchors
    expect(targets.positives).toBeGreaterThan(0);
    const anchors = imageAnchors({ height: 3, width: 4 }, 16, meta.anchors, image);
    const rows = Array.from(targets.positions).flatMap((at) => [...anchors.subarray(4 * at, 4 * at + 4)]);
    decodeBoxes(rows, targets.deltas).forEach((value, i) => {
      const positive = targets.labels[i >> 2] === 1;
      expect(value).toBeCloseTo(positive ? box[i % 4] : rows[i], 3);
    });
    targets.labels.subarray(drawn).forEach((label) => expect(label).toBe(0));
  });

  test('an anchor that is cut down to nothing is a negative with finite deltas', () => {
    // a map with a row of cells behind the image, as padding can leave it
    const tiny = { anchors: { base: 16, scales: [0.5], ratios: [1], clip: true }, stride: 16 };
    const { deltas, labels } = sampleTargets(
      { shape: [1, 4, 4, 256], image, box },
      tiny,
      settings,
      new RandomStream(1),
    );
    expect(labels.some((label) => label === 0)).toBe(true);
    expect(deltas.every(Number.isFinite)).toBe(true);
  });

  test('anchors larger than the image: clipped ones can be positives, dropped ones are not drawn at all', () => {
    const large = { anchors: { ...meta.anchors, scales: [20] }, stride: 16 };
    const whole = { shape, image, box: clipRows([0, 0, 48, 64], image) };
    const clipped = sampleTargets(whole, large, settings, new RandomStream(1));
    expect(clipped.positives).toBe(24); // all of them are the whole image
    expect([...clipped.deltas].slice(0, 4 * 24).every((delta) => delta === 0)).toBe(true); // and the box itself
    const kept = { ...large, anchors: { ...large.anchors, clip: false } };
    const dropped = sampleTargets(whole, kept, settings, new RandomStream(1));
    expect([...dropped.weights].every((weight) => weight === 0)).toBe(true);
    expect([...dropped.deltas].every(Number.isFinite)).toBe(true);
  });
});

test('boxedRecords: those with a box, and an error where there is none', () => {
  const { box: _, ...bare } = records[0];
  expect(boxedRecords([bare, records[1]], 'm.jsonl')).toEqual([records[1]]);
  expect(() => boxedRecords([bare], 'm.jsonl')).toThrow('m.jsonl: none of the 1 records has a "box"');
});

test('measureRpn is interrupted between photographs', async () => {
  const head = new RpnHead(meta, model.channels, initialRpn(meta, model.channels, new RandomStream(1)));
  const images = new BoxedImages(model, { imageSize: 48, cacheBytes: 1e8 });
  const options = { stride: model.stride, proposals: 4, signal: AbortSignal.abort() };
  expect(await measureRpn(head, images, records, options)).toBeUndefined();
  head.dispose();
});
