import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { untilFailed } from '../../src/service/until-failed.js';

test('answers and errors pass; a failure ends what waits, and what is asked afterwards', async () => {
  let fail: (error: unknown) => void = () => undefined;
  const failed = new Promise<never>((_, reject) => {
    fail = reject;
  });
  const wait = untilFailed(failed);
  expect(await wait(Promise.resolve(7))).toBe(7);
  await expect(wait(Promise.reject(new Error('no photograph')))).rejects.toThrow('no photograph');
  const waiting = [wait(new Promise(() => undefined)), wait(new Promise(() => undefined))];
  fail(new Error('ended'));
  for (const each of waiting) await expect(each).rejects.toThrow('ended');
  await expect(wait(new Promise(() => undefined))).rejects.toThrow('ended');
});

test('answers are not kept while nothing fails', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const failed = new Promise<never>(() => undefined);
  const wait = untilFailed(failed);
  const answers = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => new WeakRef(await wait(Promise.resolve({ number: i })))),
  );
  await setImmediate();
  collect();
  await setImmediate();
  collect();
  expect(answers.filter((each) => each.deref() !== undefined)).toHaveLength(0);
  expect(failed).toBeInstanceOf(Promise);
  // As a race with it would, before Node.js 26.
  if (Number(process.versions.node.split('.')[0]) >= 26) return;
  const raced = await Promise.all(
    Array.from(
      { length: 50 },
      async (_, i) => new WeakRef(await Promise.race([Promise.resolve({ number: i }), failed])),
    ),
  );
  await setImmediate();
  collect();
  expect(raced.filter((each) => each.deref() !== undefined).length).toBeGreaterThan(40);
  expect(failed).toBeInstanceOf(Promise);
});
