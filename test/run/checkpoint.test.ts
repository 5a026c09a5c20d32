import { existsSync } from 'node:fs';
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { temporaryBeside } from '../../src/data/files.js';
import { withFolderLock } from '../../src/data/folder-lock.js';
import { InputError } from '../../src/errors.js';
import {
  encodeState,
  latestCheckpoint,
  parseRunState,
  readCheckpoint as readRunCheckpoint,
  writeCheckpoint,
} from '../../src/run/checkpoint.js';
import { rankingStateSchema } from '../../src/train/ranking/mining-state.js';
import { RandomStream } from '../../src/train/random.js';
import { smallModelParts } from '../support/small-model.js';
import { temporaryFolder } from '../train/tiny-run.js';

const state = {
  step: 12,
  random: new RandomStream(1).state(),
  mining: {
    pool: ['a/0', 'a/1', 'b/0'],
    triplets: {
      triplets: Int32Array.of(0, 1, 2, 1, 0, 2),
      losses: Float64Array.of(0.1 + 0.2, 1 / 3),
      offsets: Int32Array.of(0, 1, 2),
      withLoss: 2,
      possible: 2,
      single: 1,
      hardestSimilarity: 0.25,
    },
    drawn: 16,
  },
  unreadable: ['c/0'],
  measuredStep: 8,
  best: { step: 8, map: 0.5 },
};

const contents = {
  ...smallModelParts(),
  momentum: new Map([['stem/kernel', { shape: [2], data: Float32Array.of(0.1, -0.2) }]]),
  state,
  config: { steps: 64 },
};

/** The state of a ranking, with its own part parsed as its trainer does. */
function parseState(text: string, source: string) {
  let own = {};
  const whole = parseRunState(text, source, (given) => (own = rankingStateSchema.parse(given)));
  return { ...whole, ...own };
}

async function readCheckpoint(checkpoint: string) {
  let own = {};
  const { state: whole, momentum } = await readRunCheckpoint(
    checkpoint,
    (given) => (own = rankingStateSchema.parse(given)),
  );
  return { state: { ...whole, ...own }, momentum };
}

describe('checkpoints', () => {
  test('what was written is read back exactly', async () => {
    const folder = await temporaryFolder();
    await writeCheckpoint(folder, contents, { keep: 2 });
    const newest = (await latestCheckpoint(folder)) as string;
    expect(newest).toBe(join(folder, 'step-000012'));
    const read = await readCheckpoint(newest);
    expect(read.state).toEqual(state);
    expect(read.momentum).toEqual(contents.momentum);
  });

  test('only the newest are kept, and the newest is found by number', async () => {
    const folder = await temporaryFolder();
    for (const step of [8, 9, 10, 1_000_000]) {
      await writeCheckpoint(folder, { ...contents, state: { ...state, step } }, { keep: 2 });
    }
    expect((await readdir(folder)).sort()).toEqual(['step-000010', 'step-1000000']);
    expect(await latestCheckpoint(folder)).toBe(join(folder, 'step-1000000'));
  });

  test('a half-written folder is no checkpoint, and the next writer of the folder removes it', async () => {
    const folder = await temporaryFolder();
    const half = temporaryBeside(join(folder, 'step-000012'));
    await mkdir(half);
    await writeFile(join(half, 'model.safetensors'), 'half');
    expect(await latestCheckpoint(folder)).toBeUndefined();
    await new Promise((done) => setTimeout(done, 20));
    await withFolderLock(folder, async () => void (await writeCheckpoint(folder, contents, { keep: 1 })));
    expect(await readdir(folder)).toEqual(['step-000012']);
    expect(existsSync(join(folder, 'step-000012', 'state.json'))).toBe(true);
  });

  test('a state that was read back is written as the same bytes', () => {
    const text = encodeState(state, { margin: 0.1, freeze: 'none' });
    const again = parseState(text, 'state.json');
    const reversed = Object.fromEntries(Object.entries(again).toReversed());
    expect(encodeState(reversed, { freeze: 'none', margin: 0.1 })).toBe(text);
  });

  test('the same step again takes over what a measurement found', async () => {
    const folder = await temporaryFolder();
    await writeCheckpoint(folder, contents, { keep: 1 });
    const measured = { ...state, measuredStep: 12, best: { step: 12, map: 0.75 } };
    await writeCheckpoint(folder, { ...contents, state: measured }, { keep: 1 });
    expect((await readCheckpoint(join(folder, 'step-000012'))).state).toEqual(measured);
  });
});

describe('parseState', () => {
  test('numbers that do not fit together are refused with the file’s name', () => {
    type Stored = {
      state: Omit<typeof state, 'mining'> & { mining: { triplets: { triplets: number[]; losses: number[] } } };
    };
    const broken = (change: (value: Stored) => void) => {
      const value = JSON.parse(encodeState(state, {})) as Stored;
      change(value);
      return () => parseState(JSON.stringify(value), 's.json');
    };
    expect(broken((v) => (v.state.mining.triplets.triplets[2] = 3))).toThrow(/s\.json.*mining/);
    expect(broken((v) => v.state.mining.triplets.losses.pop())).toThrow(InputError);
    expect(broken((v) => (v.state.random.S[0] = 256))).toThrow(/random/);
    expect(broken((v) => Reflect.deleteProperty(v.state, 'step'))).toThrow(/step/);
    expect(() => parseState('{"half":', 's.json')).toThrow(/not JSON/);
  });

  test('any text gives a state or our error', () => {
    const text = encodeState(state, {});
    fc.assert(
      fc.property(fc.nat(text.length), fc.nat(20), fc.string(), (at, length, inserted) => {
        try {
          parseState(text.slice(0, at) + inserted + text.slice(at + length), 's.json');
        } catch (error) {
          expect(error).toBeInstanceOf(InputError);
        }
      }),
    );
  });
});

test('a random state that has a number twice, whose draws might never end, is refused', () => {
  const zeros = { ...state, random: { i: 0, j: 0, S: Array.from({ length: 256 }, () => 0) } };
  expect(() => parseState(encodeState(zeros, {}), 'state.json')).toThrow(/each number from 0 to 255 once/);
});
