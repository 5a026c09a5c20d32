import sharp from 'sharp';
import { expect, test } from 'vitest';
import { heatColour, heatMapPng, heatMapSvg } from '../../src/report/heat-map.js';

test('one pixel per value: brighter where larger, grey where there is none', async () => {
  const png = await heatMapPng({ values: [0, 0.5, 1, Number.NaN], size: 2 });
  const { data, info } = await sharp(png).raw().toBuffer({ resolveWithObject: true });
  expect([info.width, info.height, info.channels]).toEqual([2, 2, 3]);
  expect([...data]).toEqual([68, 1, 84, 33, 145, 140, 253, 231, 37, 128, 128, 128]);
});

test('colours rise in brightness all along the scale, and end at its ends', () => {
  const brightness = Array.from({ length: 101 }, (_, i) => {
    const [r, g, b] = heatColour(i / 100);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  });
  expect(brightness.every((value, i) => i === 0 || value > brightness[i - 1])).toBe(true);
  expect(heatColour(-1)).toEqual(heatColour(0));
  expect(heatColour(2)).toEqual(heatColour(1));
});

test('the drawing holds the picture and its frame', async () => {
  const svg = await heatMapSvg({ values: [1], size: 1, frame: [0.25, 0.3, 0.75, 0.9] });
  expect(svg).toContain('href="data:image/png;base64,');
  expect(svg).toMatch(/<rect x="0.3" y="0.25" width="0.6\d*" height="0.5"/);
});
