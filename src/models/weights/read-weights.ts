/** @file Weights of any format, recognised by content: the name of a file says nothing. */
import { InputError } from '../../errors.js';
import { parseSafetensors, parseSafetensorsHeader } from '../safetensors.js';
import { looksLikeCaffe, parseCaffemodel } from './caffemodel.js';
import { hdf5Start } from './hdf5.js';
import { parseKerasH5 } from './keras-h5.js';
import { parseMatconvnet } from './matconvnet.js';
import { isMatlab5 } from './matlab.js';
import { isMatlab73 } from './matlab73.js';
import { isLegacyTorch, parseTorch } from './torch.js';
import type { WeightFile } from './weight-file.js';

/** Reads the bytes of a weight file. `source` names it in errors. Throws `InputError` on anything malformed. */
export function readWeights(bytes: Uint8Array, source: string): WeightFile {
  if (startsWith(bytes, [0x50, 0x4b, 0x03, 0x04]) || isLegacyTorch(bytes)) return parseTorch(bytes, source);
  if (isMatlab5(bytes) || isMatlab73(bytes)) return parseMatconvnet(bytes, source);
  if (hdf5Start(bytes) !== undefined) return parseKerasH5(bytes, source);
  // A header of safetensors is shorter than 2^32 bytes and starts as a JSON object.
  const safetensors = bytes[8] === 0x7b && bytes.subarray(4, 8).every((byte) => byte === 0);
  if (!safetensors && bytes[0] === 0x80 && bytes[1] <= 5) {
    throw new InputError(
      `${source} is a Python pickle, but none that torch.save wrote. Save the state_dict by torch.save.`,
    );
  }
  if (!safetensors && looksLikeCaffe(bytes)) return parseCaffemodel(bytes, source);
  const { tensors, metadata } = parseSafetensors(bytes, source);
  const { entries } = parseSafetensorsHeader(bytes, source);
  const dtypes = new Map(entries.map(({ name, dtype }) => [name, dtype]));
  return { format: 'safetensors', tensors, dtypes, metadata };
}

/** JSON, behind white space or a byte order mark: a model.json of TensorFlow.js, which needs the files beside it. */
export function isJson(bytes: Uint8Array): boolean {
  const first = bytes.subarray(0, 64).find((byte) => ![0x20, 0x09, 0x0a, 0x0d, 0xef, 0xbb, 0xbf].includes(byte));
  return first === 0x7b && !(bytes[8] === 0x7b && bytes.subarray(4, 8).every((byte) => byte === 0));
}

function startsWith(bytes: Uint8Array, prefix: readonly number[]): boolean {
  return prefix.every((byte, i) => bytes[i] === byte);
}
