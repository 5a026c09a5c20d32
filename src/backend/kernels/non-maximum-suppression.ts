/** @file Suppression of overlapping boxes where the number of results is fixed (`nonMaxSuppressionPadded` of tfjs). */
import * as tf from '@tensorflow/tfjs-core';
import type { OnnxBackend } from '../backend.js';
import { forward } from '../forward.js';
import { cast, emit, plain, reshape } from '../record.js';
import { type Constant, int64s, type Value } from '../value.js';
import { backendName } from './kernel.js';

interface Attributes {
  maxOutputSize: number;
  iouThreshold: number;
  scoreThreshold: number;
  padToMaxOutputSize: boolean;
}

const kernelName = 'NonMaxSuppressionV4';

tf.registerKernel({
  kernelName,
  backendName,
  kernelFunc: ({ inputs, backend, attrs }) => {
    const onnx = backend as OnnxBackend;
    const attributes = attrs as unknown as Attributes;
    const { boxes, scores } = inputs as Record<'boxes' | 'scores', tf.TensorInfo>;
    // Without padding the shape of the result depends on values. With a threshold of 0 every box suppresses all others, which
    // ONNX cannot say.
    const padded =
      attributes.iouThreshold > 0 &&
      attributes.padToMaxOutputSize &&
      attributes.maxOutputSize > 0 &&
      scores.shape[0] > 0;
    if (!padded) return forward(onnx, kernelName, inputs, attrs ?? {});
    return suppressed(onnx.recorded(boxes), onnx.recorded(scores), attributes).map((value) => onnx.tensorOf(value));
  },
});

/** boxes [N, 4], scores [N] -> positions [count], 0 behind the last, and how many there are. */
function suppressed(
  boxes: Value,
  scores: Value,
  { maxOutputSize: count, iouThreshold, scoreThreshold }: Attributes,
): Value[] {
  const [n] = scores.shape;
  const limit = (value: number): Constant => ({ constant: 'float32', dims: [1], values: [value] });
  // ONNX drops boxes above the threshold, tfjs those at it as well.
  const inputs = [
    reshape(plain(cast(boxes, 'float32')), [1, n, 4]),
    reshape(plain(cast(scores, 'float32')), [1, 1, n]),
    int64s([count]),
    limit(floatBelow(iouThreshold)),
    limit(Math.max(scoreThreshold, -3.4e38)),
  ];
  // The shapes of what comes before the padding are nominal: there are as many rows as boxes were found.
  const rows = emit('NonMaxSuppression', inputs, { shape: [count, 3], type: 'int64' });
  const found = emit('Gather', [rows, int64s([2], [])], { shape: [count], type: 'int64' }, { axis: 1 });
  const number = emit('Shape', [found], { shape: [1], type: 'int64' });
  const zeros = int64s(new Array<number>(count).fill(0));
  const longer = emit('Concat', [found, zeros], { shape: [2 * count], type: 'int64' }, { axis: 0 });
  const positions = emit('Slice', [longer, int64s([0]), int64s([count])], { shape: [count], type: 'int64' });
  return [cast(positions, 'int32'), reshape(cast(number, 'int32'), [])];
}

/** The largest float32 below a positive number; 0 for 0. */
function floatBelow(value: number): number {
  const float = new Float32Array([value]);
  if (float[0] > 0) new Uint32Array(float.buffer)[0]--;
  return float[0];
}
