import { beforeEach, expect, test } from 'vitest';
import { resultText } from '../../src/commands/train-options.js';
import { silentView } from '../../src/stages/context.js';
import { TrainReport } from '../../src/stages/train-report.js';

const lines: string[] = [];
beforeEach(() => {
  lines.length = 0;
});

const criterion = { key: 'map', name: 'mAP' };

function reported(whitened: number) {
  const options = { criterion, words: { update: () => '' }, steps: 4, startedAt: 0, whitening: { mapAsGiven: 0.9142 } };
  const report = new TrainReport(options, { ...silentView, note: (line) => lines.push(line) });
  report.add({ event: 'measure', step: 0, map: whitened, best: true, ms: 1 });
  report.add({ event: 'measure', step: 2, map: 0.89, best: true, ms: 1 });
  report.add({ event: 'stop', step: 2, reason: 'out of time' });
  const summary = report.summary();
  const { first: firstMap, whitened: whitenedMap, last: map } = summary;
  return { summary, text: resultText({ run: 'b', model: 'm', ...summary, step: 2, firstMap, whitenedMap, map }) };
}

test('a whitening that costs mAP is warned of at once and at the end; before training is the model as it was given', () => {
  const { summary, text } = reported(0.8657);
  expect(summary).toMatchObject({ first: 0.9142, whitened: 0.8657, last: 0.89 });
  const warning = /The whitening costs mAP on the validation set: 0\.8657, and 0\.9142 without it.*whitenDimension=0/;
  expect(lines.join('')).toMatch(warning);
  expect(text).toMatch(warning);
  expect(text).toMatch(/before training 0\.9142, with the whitening 0\.8657/);
});

test('one that does not cost is no warning, and a run that stopped early says so', () => {
  const { text } = reported(0.92);
  expect(lines.join('') + text).not.toMatch(/costs/);
  expect(text).toMatch(/^out of time after update 2 of 4/);
});
