import { describe, expect, test } from 'vitest';
import { resolveConfig } from '../../src/config.js';
import { classifyConfigSchema } from '../../src/train/classify/classify-config.js';
import { tripletConfigSchema } from '../../src/train/ranking/triplet-config.js';
import { rpnConfigSchema } from '../../src/train/proposals/rpn-config.js';
import { decays } from '../../src/train/schedule.js';

const trainers = { classify: classifyConfigSchema, triplet: tripletConfigSchema, rpn: rpnConfigSchema };

describe.each(Object.entries(trainers))('settings of %s', (_, schema) => {
  test.each(decays)('take adam and the schedule %s', async (learningRateDecay) => {
    const set = ['optimizer=adam', `learningRateDecay=${learningRateDecay}`];
    expect(await resolveConfig(schema, { set })).toMatchObject({ optimizer: 'adam', learningRateDecay });
  });

  test('of a run that began before a key was there are completed by its default', async () => {
    const { optimizer, ...before } = await resolveConfig(schema, {});
    expect(optimizer).toBe('sgd');
    expect(await resolveConfig(schema, { base: before })).toEqual({ ...before, optimizer });
  });
});

test('defaults of the trainers', async () => {
  const shared = async (schema: (typeof trainers)[keyof typeof trainers]) => {
    const { steps, learningRate, learningRateDecay, decayEvery, checkpointEvery, validateEvery, ...rest } =
      await resolveConfig(schema, {});
    expect(rest).toMatchObject({ momentum: 0.9, weightDecay: 5e-5, decayFactor: 0.1, keepCheckpoints: 2, seed: 0 });
    return [steps, learningRate, learningRateDecay, decayEvery, checkpointEvery, validateEvery];
  };
  expect(await shared(classifyConfigSchema)).toEqual([300, 1e-2, 'cosine', 100, 50, 50]);
  expect(await shared(tripletConfigSchema)).toEqual([64, 1e-3, 'constant', 64, 16, 16]);
  expect(await shared(rpnConfigSchema)).toEqual([2000, 1e-3, 'cosine', 1000, 200, 200]);
});
