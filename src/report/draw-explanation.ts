/** @file Why two photographs match, as a picture. */
import type { Box } from '../data/manifest.js';
import type { Explanation } from '../retrieval/localization/explain-pair.js';
import { type DrawnImage, markColour, type Place, sideBySide } from './side-by-side.js';

const boxStyle = 'stroke="#ffffff" stroke-width="4" stroke-dasharray="12 6"';

/** Both photographs side by side as PNG, with the patches of the components and the boxes. */
export async function drawExplanation(
  a: DrawnImage,
  b: DrawnImage,
  { components, boxInA, boxInB }: Pick<Explanation, 'components' | 'boxInA' | 'boxInB'>,
): Promise<Uint8Array> {
  return sideBySide(a, b, (inA, inB) => {
    const frame = (place: Place, { x, y, width, height }: Box, style: string) => {
      const [from, to] = [place(x, y), place(x + width, y + height)];
      return `<rect x="${from.x.toFixed(1)}" y="${from.y.toFixed(1)}" width="${(to.x - from.x).toFixed(1)}" height="${(to.y - from.y).toFixed(1)}" ${style}/>`;
    };
    const boxes = [frame(inA, boxInA, boxStyle), frame(inB, boxInB, boxStyle)];
    const patches = components.flatMap(({ a: boxA, b: boxB }, n) => {
      const colour = markColour(n);
      const patch = (place: Place, box: Box) => {
        const corner = place(box.x, box.y);
        const label = `<text x="${(corner.x + 4).toFixed(1)}" y="${(corner.y + 17).toFixed(1)}" font-family="sans-serif" font-size="16" font-weight="bold" fill="${colour}" stroke="#000" stroke-width="3" paint-order="stroke">${n + 1}</text>`;
        return frame(place, box, `stroke="${colour}" stroke-width="3"`) + label;
      };
      return [patch(inA, boxA), patch(inB, boxB)];
    });
    return [...boxes, ...patches].join('');
  });
}
