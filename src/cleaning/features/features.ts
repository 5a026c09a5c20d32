/** @file What detectors produce and matching consumes: local features of one image. */

/** Local features of one image, strongest first. Positions are pixels of the upright image, (0, 0) the top left pixel's centre. */
export interface Features {
  /** N. */
  count: number;
  /**
   * Local affine frames, [N, 6]: x, y, a11, a12, a21, a22. The frame maps the unit circle of the normalised patch, its
   * gradient orientation along +u, into the image: (x, y) + A (u, v). A similarity for SIFT (|det A| = scale squared), an affinity for Hessian-affine.
   */
  frames: Float32Array;
  /** Strength of the detector's response, [N], descending. */
  responses: Float32Array;
  /** Descriptors, [N, 128]; RootSIFT (Arandjelovic and Zisserman 2012) times 512, rounded, at most 255. */
  descriptors: Uint8Array;
  /** Size of the upright image, px. */
  width: number;
  height: number;
}

export const detectorNames = ['sift', 'hessian-affine'] as const;
export type Detector = (typeof detectorNames)[number];

/** Numbers of a frame. */
export const frameLength = 6;
/** Numbers of a descriptor. */
export const descriptorLength = 128;
