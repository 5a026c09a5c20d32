import { beforeEach, expect, test, vi } from 'vitest';
import { summaryText, TrainReport } from '../../src/commands/train-report.js';

const lines: string[] = [];
beforeEach(() => {
  lines.length = 0;
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => lines.push(String(text)) > 0);
});

const words = { criterion: 'map', name: 'mAP', update: () => '' } as const;

function reported(whitened: number) {
  const report = new TrainReport<'map'>(words, 4, 0, undefined, { mapAsGiven: 0.9142 });
  report.add({ event: 'measure', step: 0, map: whitened, best: true });
  report.add({ event: 'measure', step: 2, map: 0.89, best: true });
  report.add({ event: 'stop', step: 2, reason: 'out of time' });
  return report.summary();
}

test('a whitening that costs mAP is warned of at once and at the end; before training is the model as it was given', () => {
  const summary = reported(0.8657);
  expect(summary).toMatchObject({ first: 0.9142, whitened: 0.8657, last: 0.89 });
  const warning = /The whitening costs mAP on the validation set: 0\.8657, and 0\.9142 without it.*whitenDimension=0/;
  expect(lines.join('')).toMatch(warning);
  const text = summaryText(summary, words, { model: 'm', best: 'b' });
  expect(text).toMatch(warning);
  expect(text).toMatch(/before training 0\.9142, with the whitening 0\.8657/);
});

test('one that does not cost is no warning, and a run that stopped early says so', () => {
  const text = summaryText({ ...reported(0.92), step: 2 }, words, { model: 'm', best: 'b' });
  expect(lines.join('') + text).not.toMatch(/costs/);
  expect(text).toMatch(/^out of time after update 2 of 4/);
});
