/**
 * @file Anchors of a region proposal network (Ren et al. 2015, section 3.1.1): the same boxes around every cell of the map.
 *
 * Landmark boxes are nearly as large as the image, unlike the objects of PASCAL VOC: of anchors of that size hardly one lies
 * inside the image, and by the rule of Faster R-CNN (anchors that cross the border do not train) only the small ones would learn.
 * So they are kept and cut to the image (`clip`): a box that fills the image is then an anchor as it is. `insideImage` is the
 * other rule.
 */
import { type BoxRows, clipRows, type ImageSides } from './box-rows.js';

export interface AnchorOptions {
  /** Side of the square that ratios are rounded on, px. py-faster-rcnn: 16 whatever the stride. */
  base: number;
  /** Anchors have the area of a square of base times scale. */
  scales: readonly number[];
  /** Height / width. */
  ratios: readonly number[];
  /**
   * Anchors are cut to the image, both where they are compared with a box and as what a box is relative to. Deltas of whole anchors
   * that stick out would depend on where the image ends, too.
   */
  clip: boolean;
}

/** Ren et al.: squares of 128, 256 and 512 px, and as large boxes twice as wide and twice as high. */
export const fasterRcnnAnchors: Readonly<AnchorOptions> = {
  base: 16,
  scales: [8, 16, 32],
  ratios: [0.5, 1, 2],
  clip: false,
};

/**
 * Anchors for landmarks in images whose longer side is `imageSize` px: squares of 0.25 to 1 times that side in steps of 1.6,
 * so that a square between two of them overlaps one by 1 / 1.6 at least, and Ren et al.'s ratios. Gordo et al.
 * say "various sizes and aspect ratios" without numbers.
 */
export function landmarkAnchors(imageSize: number, shares: readonly number[] = [0.25, 0.4, 0.63, 1]): AnchorOptions {
  return {
    ...fasterRcnnAnchors,
    clip: true,
    scales: shares.map((share) => (share * imageSize) / fasterRcnnAnchors.base),
  };
}

/** Anchors per cell. */
export function anchorsPerCell({ scales, ratios }: AnchorOptions): number {
  return scales.length * ratios.length;
}

/** [height, width] of each anchor of a cell, px: ratios outer, scales inner, rounded on the base as in py-faster-rcnn. */
export function anchorSizes({ base, scales, ratios }: AnchorOptions): [number, number][] {
  return ratios.flatMap((ratio) => {
    const width = Math.round(Math.sqrt((base * base) / ratio));
    const height = Math.round(width * ratio);
    return scales.map((scale): [number, number] => [height * scale, width * scale]);
  });
}

/**
 * Rows of all anchors of a map, [h * w * A, 4] in the order (row, column, anchor), centred on the middle of each cell of
 * `stride` px. They stick out of the image.
 */
export function anchorGrid(map: ImageSides, stride: number, options: AnchorOptions): Float32Array {
  const sizes = anchorSizes(options);
  const rows = new Float32Array(map.height * map.width * sizes.length * 4);
  let at = 0;
  for (let y = 0; y < map.height; y++) {
    for (let x = 0; x < map.width; x++) {
      const [cy, cx] = [(y + 0.5) * stride, (x + 0.5) * stride];
      for (const [height, width] of sizes) {
        rows[at++] = cy - height / 2;
        rows[at++] = cx - width / 2;
        rows[at++] = cy + height / 2;
        rows[at++] = cx + width / 2;
      }
    }
  }
  return rows;
}

/** The anchors of an image's map: `anchorGrid`, cut to the image where the options say so. */
export function imageAnchors(map: ImageSides, stride: number, options: AnchorOptions, image: ImageSides): Float32Array {
  const rows = anchorGrid(map, stride, options);
  return options.clip ? clipRows(rows, image) : rows;
}

/** 1 for each row that lies inside the image with at most `allowedBorder` px outside. */
export function insideImage(rows: BoxRows, { height, width }: ImageSides, allowedBorder = 0): Uint8Array {
  return Uint8Array.from({ length: rows.length / 4 }, (_, i) =>
    rows[4 * i] >= -allowedBorder &&
    rows[4 * i + 1] >= -allowedBorder &&
    rows[4 * i + 2] <= height + allowedBorder &&
    rows[4 * i + 3] <= width + allowedBorder
      ? 1
      : 0,
  );
}
