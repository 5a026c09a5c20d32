import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { encodeState, parseRunState, type RunState } from '../../src/run/checkpoint.js';
import type { RunRecord } from '../../src/run/run-records.js';
import { type LoopOptions, runLoop, type RunStore } from '../../src/train/loop.js';
import { NotFiniteError } from '../../src/train/not-finite.js';
import { RandomStream } from '../../src/train/random.js';
import type { NextUpdate, Trainer } from '../../src/train/trainer.js';
import { trainingSettings } from '../../src/train/training-config.js';
import { z } from 'zod';
import '../support/engine.js';

const schema = z.strictObject(
  trainingSettings({
    steps: 4,
    learningRate: 0.1,
    learningRateDecay: 'constant',
    decayEvery: 1,
    checkpointEvery: 2,
    validateEvery: 2,
  }),
);
const config = (changes: object = {}) => schema.parse({ weightDecay: 0, ...changes });

/** Pulls one number towards noise around 3. */
function fakeTrainer(start = 0, changes: Partial<Trainer> = {}) {
  const variable = tf.variable(tf.scalar(start));
  const random = new RandomStream(7);
  let updates = 0;
  const trainer: Trainer = {
    criterion: { key: 'nearness', name: 'nearness' },
    variables: new Map([['number', variable]]),
    random,
    unreadable: new Set(),
    model: { meta: {} as never, toArrays: async () => new Map() },
    async gradient(_, sums) {
      const difference = variable.dataSync()[0] - 3 - random.next();
      tf.tidy(() => sums.add({ number: tf.scalar(difference) }));
      updates++;
      return { figures: { loss: difference ** 2 / 2, extra: updates }, ids: ['a'], images: 2 };
    },
    state: () => ({ updates }),
    restore: (state) => void ({ updates } = z.strictObject({ updates: z.number() }).parse(state)),
    ...changes,
  };
  return { trainer, value: () => variable.dataSync()[0] };
}

interface Saved {
  text: string;
  state: RunState;
  momentum: Awaited<ReturnType<Parameters<RunStore['save']>[1]>>;
  value: number;
}

async function run({ trainer, value }: ReturnType<typeof fakeTrainer>, options: Partial<LoopOptions> = {}) {
  const saved: Saved[] = [];
  const best: number[] = [];
  const store: RunStore = {
    save: async (state, momentum) =>
      void saved.push({ text: encodeState(state, {}), state, momentum: await momentum(), value: value() }),
    best: async () => void best.push(value()),
  };
  const log: RunRecord[] = [];
  for await (const record of runLoop(trainer, { config: config(), store, ...options })) log.push(record);
  return { log, saved, best, value: value() };
}

const events = (log: readonly RunRecord[]) => log.map(({ event, step }) => `${event} ${step}`);

describe('runLoop', () => {
  test('measures, saves and updates when they are due; the update has its figures and the loop’s', async () => {
    const values = [0.5, 0.4, 0.6];
    const measured: number[] = [];
    const fake = fakeTrainer(0, {
      measure: async () => ({ value: values[measured.push(1) - 1], figures: { second: 9 } }),
    });
    const { log, saved, best } = await run(fake);
    expect(events(log)).toEqual([
      'measure 0',
      'update 1',
      'update 2',
      'measure 2',
      'update 3',
      'update 4',
      'measure 4',
      'stop 4',
    ]);
    expect(saved.map(({ state }) => state.step)).toEqual([0, 2, 4]);
    expect(log[3]).toMatchObject({ nearness: 0.4, second: 9, best: false });
    expect(best).toHaveLength(2);
    expect(saved.at(-1)!.state).toMatchObject({ measuredStep: 4, best: { step: 4, nearness: 0.6 }, updates: 4 });
    expect(log[1]).toMatchObject({ loss: expect.any(Number) as number, extra: 1, learningRate: 0.1, unreadable: 0 });
    expect(log.at(-1)).toMatchObject({ reason: 'finished' });
  });

  test('continued from any state on the way, it ends in the same bits; a finished run does nothing', async () => {
    const whole = await run(fakeTrainer(), { config: config({ checkpointEvery: 1 }) });
    expect(whole.saved).toHaveLength(5);
    for (const from of whole.saved) {
      const fake = fakeTrainer(from.value);
      const state = parseRunState(from.text, 'state.json', (own) => fake.trainer.restore(own));
      const rest = await run(fake, { config: config({ checkpointEvery: 1 }), resume: { ...from, state } });
      expect(rest.value).toBe(whole.value);
      expect(encodeState(rest.saved.at(-1)?.state ?? state, {})).toBe(whole.saved.at(-1)!.text);
    }
  });

  test('averageDecay: measured by and ended with the average of the weights, trained without it', async () => {
    const decay = { averageDecay: 0.5, checkpointEvery: 1, validateEvery: 1 };
    const plain = await run(fakeTrainer(), { config: config({ checkpointEvery: 1 }) });
    const measured: number[] = [];
    const averaging = () => {
      const fake = fakeTrainer();
      fake.trainer.measure = async () => ({ value: measured.push(fake.value()), figures: {} });
      return fake;
    };
    const whole = await run(averaging(), { config: config(decay) });
    expect(whole.saved.map(({ value }) => value)).toEqual(plain.saved.map(({ value }) => value));
    // min(0.5, (1 + t) / (10 + t)) of the average is kept at update t: 2/11, 3/12, 4/13, 5/14
    const averages = [0];
    for (const [i, kept] of [2 / 11, 3 / 12, 4 / 13, 5 / 14].entries()) {
      averages.push(Math.fround(kept * averages[i] + (1 - kept) * plain.saved[i + 1].value));
    }
    expect(measured).toEqual(averages);
    expect(whole.best, 'the best is the average, too').toEqual(averages);
    expect(whole.value).toBe(averages[4]);

    for (const from of whole.saved) {
      const fake = fakeTrainer(from.value);
      const state = parseRunState(from.text, 'state.json', (own) => fake.trainer.restore(own));
      expect((await run(fake, { config: config(decay), resume: { ...from, state } })).value).toBe(whole.value);
    }
  });

  test('an interruption drops the update in hand, a timeout says so, and the state is that of the last whole one', async () => {
    for (const [name, reason] of [
      ['signal', 'interrupted'],
      ['timeout', 'out of time'],
    ] as const) {
      const abort = new AbortController();
      const fake = fakeTrainer();
      const gradient = fake.trainer.gradient.bind(fake.trainer);
      fake.trainer.gradient = async (update: NextUpdate, sums) => {
        if (update.step < 1) return gradient(update, sums);
        fake.trainer.random.next();
        fake.trainer.unreadable.add('b');
        abort.abort();
        return undefined;
      };
      const { log, saved } = await run(fake, { [name]: abort.signal });
      expect(log.at(-1)).toEqual({ event: 'stop', step: 1, reason });
      const random = new RandomStream(7);
      random.next();
      expect(saved.at(-1)!.state).toMatchObject({ step: 1, random: random.state(), unreadable: [] });
    }
  });

  test('what is due before an update is logged; with nothing left to learn it measures, saves and ends', async () => {
    const fake = fakeTrainer(0, {
      async *prepare({ step }) {
        yield { event: 'mine', step: step + 1 } as RunRecord;
        return step < 1 ? 'ready' : 'exhausted';
      },
      measure: async () => ({ value: 1, figures: {} }),
    });
    const { log, saved } = await run(fake);
    expect(events(log)).toEqual(['measure 0', 'mine 1', 'update 1', 'mine 2', 'measure 1', 'stop 1']);
    expect(log.at(-1)).toMatchObject({ reason: 'nothing left to learn' });
    expect(saved.map(({ state }) => state.step)).toEqual([0, 1]);
  });

  test('numbers that are lost name the update and the images', async () => {
    const lost = fakeTrainer(0, {
      gradient: async () => Promise.reject(new NotFiniteError('the loss is NaN', ['x', 'y'])),
    });
    await expect(run(lost)).rejects.toThrow(/^Update 1: the loss is NaN \(images x, y\)\..*--init/);
    const endless = fakeTrainer(0, {
      async gradient(_, sums) {
        tf.tidy(() => sums.add({ number: tf.scalar(Infinity) }));
        return { figures: { loss: 1 }, ids: ['z'], images: 1 };
      },
    });
    await expect(run(endless)).rejects.toThrow(/^Update 1: the gradient is not finite \(images z\)/);
  });
});
