/** @file Calls of the kernels that the engine hands to the JavaScript backend: what is compared is the way there and back. */
import * as fc from 'fast-check';
import {
  call,
  type Calls,
  extent,
  given,
  numbers,
  positiveExtent,
  shapes,
  type Tensor,
  tensor,
} from './arbitraries.js';

const complex = shapes(1, 3).chain((shape) =>
  fc
    .tuple(tensor(shape, 'float32', numbers.small), tensor(shape, 'float32', numbers.small))
    .map(([real, imag]): Tensor => ({ ...real, values: [...real.values, ...imag.values], dtype: 'complex64' })),
);
const rows = fc
  .tuple(positiveExtent, positiveExtent)
  .map(([n, length]) => [n, length])
  .chain((shape) =>
    fc
      .tuple(tensor(shape, 'float32', numbers.small), tensor(shape, 'float32', numbers.small))
      .map(([real, imag]): Tensor => ({ ...real, values: [...real.values, ...imag.values], dtype: 'complex64' })),
  );
const strings = fc
  .array(fc.constantFrom('', 'a', 'bb a', 'a,b', 'ünï'), { minLength: 1, maxLength: 4 })
  .map((values): Tensor => given(values, [values.length], 'string'));
const image = fc.tuple(positiveExtent, positiveExtent, positiveExtent, positiveExtent);
const small = (shape: readonly number[]) => tensor(shape, 'float32', numbers.small);

const boxes = fc.integer({ min: 0, max: 6 }).chain((n) =>
  fc.tuple(
    fc.array(fc.array(fc.integer({ min: 0, max: 8 }), { minLength: 4, maxLength: 4 }), { minLength: n, maxLength: n }),
    fc.shuffledSubarray(
      Array.from({ length: n }, (_, i) => (i + 1) / 8),
      { minLength: n },
    ),
  ),
);
const suppression = (more: fc.Arbitrary<object>): Calls =>
  fc
    .tuple(boxes, fc.integer({ min: 0, max: 7 }), fc.constantFrom(0, 0.3, 0.5, 1), fc.constantFrom(-1, 0, 0.3, 2), more)
    .map(([[corners, scores], maxOutputSize, iouThreshold, scoreThreshold, others]) => {
      const ordered = corners.map(([a, b, c, d]) => [Math.min(a, c), Math.min(b, d), Math.max(a, c), Math.max(b, d)]);
      return call(
        {
          boxes: given(ordered.flat(), [ordered.length, 4], 'float32'),
          scores: given(scores, [scores.length], 'float32'),
        },
        { maxOutputSize, iouThreshold, scoreThreshold, ...others },
      );
    });

const segments: Calls = fc.tuple(fc.integer({ min: 2, max: 4 }), positiveExtent).chain(([n, width]) =>
  fc
    .tuple(small([n, width]), fc.array(fc.integer({ min: 0, max: n - 1 }), { minLength: 1, maxLength: 4 }))
    .map(([data, places]) =>
      call({
        data,
        indices: given(places, [places.length]),
        segmentIds: given(
          places.map((_, i) => i >> 1),
          [places.length],
        ),
      }),
    ),
);
const dilation = fc
  .tuple(fc.constantFrom('same', 'valid'), fc.integer({ min: 1, max: 2 }))
  .map(([pad, stride]) => ({ pad, strides: stride, dilations: 1 }));
const dilated = (backprop: boolean): Calls =>
  fc
    .tuple(dilation, fc.integer({ min: 2, max: 5 }), fc.integer({ min: 2, max: 5 }), positiveExtent)
    .chain(([attributes, h, w, c]) => {
      const { pad, strides } = attributes;
      const out = (n: number, k: number) => Math.ceil((pad === 'same' ? n : n - k + 1) / strides);
      return fc
        .tuple(small([1, h, w, c]), small([2, 1, c]), small([1, out(h, 2), out(w, 1), c]))
        .map(([x, filter, dy]) => call({ x, filter, ...(backprop && { dy }) }, attributes));
    });
const counts = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 8 });

export const forwarded: Record<string, Calls> = {
  Complex: shapes(0, 3)
    .chain((shape) => fc.tuple(tensor(shape), tensor(shape)))
    .map(([real, imag]) => call({ real, imag })),
  Real: complex.map((input) => call({ input })),
  Imag: complex.map((input) => call({ input })),
  ComplexAbs: complex.map((x) => call({ x })),
  FFT: rows.map((input) => call({ input })),
  IFFT: rows.map((input) => call({ input })),
  StaticRegexReplace: strings.map((x) => call({ x }, { pattern: 'a', rewrite: 'X', replaceGlobal: true })),
  StringNGrams: strings.map((data) =>
    call(
      { data, dataSplits: given([0, data.shape[0]], [2]) },
      { separator: '|', nGramWidths: [2], leftPad: '<', rightPad: '>', padWidth: -1, preserveShortSequences: true },
    ),
  ),
  StringSplit: fc
    .tuple(strings, fc.boolean())
    .map(([input, skipEmpty]) => call({ input, delimiter: given([','], [], 'string') }, { skipEmpty })),
  StringToHashBucketFast: strings.map((input) => call({ input }, { numBuckets: 10 })),
  BroadcastArgs: fc
    .tuple(positiveExtent, positiveExtent)
    .map(([a, b]) => call({ s0: given([a, 1], [2]), s1: given([1, b], [2]) })),
  NonMaxSuppressionV3: suppression(fc.constant({})),
  NonMaxSuppressionV4: suppression(fc.record({ padToMaxOutputSize: fc.boolean() })),
  NonMaxSuppressionV5: suppression(fc.record({ softNmsSigma: fc.constantFrom(0, 0.5) })),
  RaggedGather: fc.array(fc.integer({ min: 0, max: 1 }), { minLength: 1, maxLength: 3 }).map((list) =>
    call(
      {
        paramsNestedSplits: [given([0, 2, 3], [3])],
        paramsDenseValues: given([1.5, 2, 3], [3], 'float32'),
        indices: given(list, [list.length]),
      },
      { outputRaggedRank: 1 },
    ),
  ),
  RaggedRange: fc
    .tuple(extent, extent)
    .map(([a, b]) => call({ starts: given([0, 1], [2]), limits: given([a, 1 + b], [2]), deltas: given([1, 1], [2]) })),
  RaggedTensorToTensor: positiveExtent.map((width) =>
    call(
      {
        shape: given([2, width], [2]),
        values: given([1, 2, 3], [3], 'float32'),
        defaultValue: given([9], [], 'float32'),
        rowPartitionTensors: [given([0, 2, 3], [3])],
      },
      { rowPartitionTypes: ['ROW_SPLITS'] },
    ),
  ),
  SparseFillEmptyRows: fc.integer({ min: 1, max: 4 }).map((height) =>
    call({
      indices: given([0, 1], [1, 2]),
      values: given([2.5], [1], 'float32'),
      denseShape: given([height, 3], [2]),
      defaultValue: given([-1], [], 'float32'),
    }),
  ),
  SparseReshape: fc.constantFrom([4, 3], [2, -1], [12, 1]).map((shape) =>
    call({
      inputIndices: given([0, 1, 2, 3], [2, 2]),
      inputShape: given([3, 4], [2]),
      newShape: given([...shape], [shape.length]),
    }),
  ),
  SparseSegmentMean: segments,
  SparseSegmentSum: segments,
  SparseToDense: fc
    .array(fc.integer({ min: 0, max: 4 }), { minLength: 1, maxLength: 4 })
    .chain((places) =>
      small([places.length]).map((sparseValues) =>
        call(
          { sparseIndices: given(places, [places.length, 1]), sparseValues, defaultValue: given([7], [], 'float32') },
          { outputShape: [5] },
        ),
      ),
    ),
  Unique: fc
    .array(fc.integer({ min: 0, max: 3 }), { minLength: 1, maxLength: 6 })
    .map((list) => call({ x: given(list, [list.length]) }, { axis: 0 })),
  Bincount: counts.map((list) =>
    call({ x: given(list, [list.length]), weights: given([], [0], 'float32') }, { size: 5 }),
  ),
  DenseBincount: fc
    .tuple(counts, fc.boolean())
    .map(([list, binaryOutput]) =>
      call({ x: given(list, [list.length]), weights: given([], [0], 'float32') }, { size: 5, binaryOutput }),
    ),
  Multinomial: fc
    .tuple(positiveExtent, fc.integer({ min: 1, max: 99 }))
    .chain(([n, seed]) => small([n, 3]).map((logits) => call({ logits }, { numSamples: 4, seed, normalized: false }))),
  SearchSorted: fc
    .tuple(small([2, 3]), fc.constantFrom('left', 'right'))
    .map(([values, side]) =>
      call({ sortedSequence: given([-2, 0, 0, 1, 1, 2, 3, 4], [2, 4], 'float32'), values }, { side }),
    ),
  CropAndResize: image.chain((shape) =>
    small(shape).map((x) =>
      call(
        {
          image: x,
          boxes: given([0, 0, 1, 0.5, 0.2, 0.1, 0.9, 1.4], [2, 4], 'float32'),
          boxInd: given([0, shape[0] - 1], [2]),
        },
        { cropSize: [2, 3], method: 'bilinear', extrapolationValue: 0.5 },
      ),
    ),
  ),
  Dilation2D: dilated(false),
  Dilation2DBackpropFilter: dilated(true),
  Dilation2DBackpropInput: dilated(true),
  // It draws on a canvas, which Node.js does not have: the error of both.
  Draw: tensor([2, 2, 3]).map((x) => call({ image: x }, { options: {} })),
  RotateWithOffset: image.chain((shape) =>
    fc
      .tuple(small(shape), numbers.small)
      .map(([x, radians]) => call({ image: x }, { radians, fillValue: 0.25, center: 0.5 })),
  ),
  Transform: image.chain((shape) =>
    fc
      .tuple(small(shape), fc.constantFrom('constant', 'reflect', 'wrap', 'nearest'))
      .map(([x, fillMode]) =>
        call(
          { image: x, transforms: given([1, 0.5, 0, 0, 1, -1, 0, 0], [1, 8], 'float32') },
          { interpolation: 'bilinear', fillMode, fillValue: 0, outputShape: [3, 2] },
        ),
      ),
  ),
};
