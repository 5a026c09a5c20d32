/** @file What every format of weights is read into. */
import type { Preprocessing } from '../meta.js';
import type { NamedArray, NamedArrays } from '../safetensors.js';
import type { PickleValue } from './pickle.js';
import type { NumpyArray, TensorReference } from './torch-names.js';

export type WeightFormat = 'safetensors' | 'pytorch' | 'keras-h5' | 'tfjs' | 'caffemodel' | 'matconvnet';

export interface WeightFile {
  format: WeightFormat;
  /** float32, by the names and with the axes that the file has. */
  tensors: NamedArrays;
  /** Stored type of each tensor. */
  dtypes: ReadonlyMap<string, string>;
  metadata: Record<string, string>;
  /** Pixel arithmetic, where the file states it (MatConvNet). */
  preprocessing?: Preprocessing | undefined;
  /** PyTorch: everything else that was saved with the weights, as plain values. */
  checkpoint?: Checkpoint;
}

/** A checkpoint as plain values, with its tensors not yet read. */
export interface Checkpoint {
  root: PickleValue;
  /** A tensor or array as float32. */
  read(value: TensorReference | NumpyArray): NamedArray;
}
