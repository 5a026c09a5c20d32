/** @file A feature map in plain numbers, as the engine hands it out. */

/** One image's activations. What is not positive counts as 0, as behind a ReLU. */
export interface ActivationMap {
  height: number;
  width: number;
  channels: number;
  /** [height, width, channels]. */
  values: Float32Array;
}
