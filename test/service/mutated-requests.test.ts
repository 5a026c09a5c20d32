import { expect, test } from 'vitest';
import { attack } from '../../scripts/faults/attack.js';
import '../support/engine.js';

test('the service survives mutated requests, and opens no other file', async () => {
  const { answers, problems } = await attack(600, 20_000);
  expect(problems).toEqual([]);
  // They are of every kind: answered, refused, and no HTTP at all.
  for (const status of ['200', '400', '404', '405', 'closed']) expect(answers[status], status).toBeGreaterThan(10);
});
