/**
 * @file Indices out of range are errors, as in tfjs: of known indices when the operation is recorded, of computed ones when they
 * are read. ONNX counts negative ones from the end; they are sent beyond it, which the runtime refuses.
 */
import { util } from '@tensorflow/tfjs';
import { cast, emit, plain } from '../record.js';
import { type Constant, int64s, type Value } from '../value.js';

/** int32 indices along an axis of `extent`. */
export function checkedIndices(indices: Value, extent: number): Value {
  if (indices.memory === undefined) {
    return refusingNegative(indices, { constant: 'int32', dims: [], values: [extent] });
  }
  for (const index of indices.memory.data) {
    util.assert(index >= 0 && index < extent, () => `GatherV2: the index value ${index} is not in [0, ${extent - 1}]`);
  }
  return indices;
}

/** Index tuples [..., d] into the first d axes of `shape`, as int64. */
export function checkedTuples(indices: Value, shape: readonly number[]): Value {
  const tuples = plain(cast(indices, 'int32'));
  const extents = shape.slice(0, tuples.shape[tuples.shape.length - 1]);
  const places = cast(tuples, 'int64');
  if (tuples.memory === undefined) return refusingNegative(places, int64s(extents));
  const { data } = tuples.memory;
  data.forEach((index, i) => {
    const extent = extents[i % extents.length];
    if (index >= 0 && index < extent) return;
    const start = i - (i % extents.length);
    const tuple = Array.from(data.slice(start, start + extents.length));
    throw new Error(`Invalid indices: ${tuple.join()} does not index into ${shape.join()}`);
  });
  return places;
}

function refusingNegative(indices: Value, beyond: Constant): Value {
  const { shape, type } = indices;
  const least = { constant: type, dims: [], values: [0] } as const;
  const negative = emit('Less', [indices, least], { shape, type: 'bool' });
  return emit('Where', [negative, beyond, indices], { shape, type });
}
