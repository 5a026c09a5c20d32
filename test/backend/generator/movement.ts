/** @file Calls of kernels that move elements: shapes, slices, gathering and scattering. */
import * as fc from 'fast-check';
import {
  anyTensor,
  anyType,
  axisOf,
  call,
  type Calls,
  extent,
  numbers,
  numeric,
  positiveExtent,
  shapes,
  sizeOf,
  type Tensor,
  tensor,
} from './arbitraries.js';

const ofAny = (minRank = 0, maxRank = 4) => anyTensor(anyType, minRank, maxRank);
const upTo = (max: number) => fc.integer({ min: 0, max: Math.max(0, max) });
const each = <T>(shape: readonly number[], f: (n: number) => fc.Arbitrary<T>) => fc.tuple(...shape.map(f));
/** Indices from one below to one beyond `extents`, most of them inside. */
const index = (n: number) =>
  fc.oneof({ arbitrary: upTo(n - 1), weight: 20 }, { arbitrary: fc.constantFrom(-1, n), weight: 1 });
const tuples = (count: number, extents: readonly number[]): fc.Arbitrary<Tensor> =>
  fc
    .tuple(fc.array(each(extents, index), { minLength: count, maxLength: count }), fc.constantFrom('known', 'computed'))
    .map(([rows, form]) => ({
      values: rows.flat(),
      shape: [count, extents.length],
      dtype: 'int32',
      form: form as Tensor['form'],
    }));
const pads = (shape: readonly number[], most: (n: number) => number) =>
  each(shape, (n) => fc.tuple(upTo(most(n)), upTo(most(n))));

/** Tensors of one type that differ along one axis, or not at all. */
const joined = (same: boolean): fc.Arbitrary<{ list: Tensor[]; axis: number }> =>
  fc
    .tuple(anyType, shapes(same ? 0 : 1, 3), fc.array(extent, { minLength: 1, maxLength: 3 }))
    .chain(([dtype, shape, sizes]) =>
      axisOf(shape).chain((axis) =>
        fc
          .tuple(...sizes.map((n) => tensor(same ? shape : shape.map((whole, i) => (i === axis ? n : whole)), dtype)))
          .map((list) => ({ list, axis })),
      ),
    );

/** Shape, how many of its axes indices address, and the index tuples. */
const addressed = shapes(1, 3).chain((shape) =>
  fc.tuple(fc.integer({ min: 1, max: shape.length }), extent).chain(([depth, count]) =>
    tuples(shape.slice(0, depth).includes(0) ? 0 : count, shape.slice(0, depth)).map((indices) => ({
      shape,
      indices,
      rest: [indices.shape[0], ...shape.slice(depth)],
    })),
  ),
);

export const movement: Record<string, Calls> = {
  Reshape: ofAny().chain((x) =>
    fc
      .constantFrom([sizeOf(x.shape)], [1, sizeOf(x.shape)], x.shape.toReversed())
      .map((shape) => call({ x }, { shape })),
  ),
  ExpandDims: ofAny(0, 3).chain((input) =>
    fc.integer({ min: -input.shape.length - 1, max: input.shape.length }).map((dim) => call({ input }, { dim })),
  ),
  Transpose: ofAny(1, 4).chain((x) =>
    fc
      .shuffledSubarray(
        x.shape.map((_, i) => i),
        { minLength: x.shape.length },
      )
      .map((perm) => call({ x }, { perm })),
  ),
  Slice: ofAny(1, 4).chain((x) =>
    each(x.shape, (n) => upTo(n).chain((begin) => upTo(n - begin).map((size) => [begin, size]))).map((ranges) =>
      call({ x }, { begin: ranges.map(([begin]) => begin), size: ranges.map(([, size]) => size) }),
    ),
  ),
  StridedSlice: ofAny(1, 3).chain((x) =>
    fc
      .record({
        begin: each(x.shape, (n) => fc.integer({ min: -n, max: n })),
        end: each(x.shape, (n) => fc.integer({ min: -n, max: n })),
        strides: each(x.shape, () => fc.constantFrom(1, 2, -1, -2)),
        beginMask: upTo(7),
        endMask: upTo(7),
        shrinkAxisMask: fc.constant(0),
        ellipsisMask: fc.constant(0),
        newAxisMask: fc.constant(0),
      })
      .map((given) => call({ x }, given)),
  ),
  Reverse: ofAny(1, 4).chain((x) => fc.subarray(x.shape.map((_, i) => i)).map((dims) => call({ x }, { dims }))),
  PadV2: ofAny(0, 4).chain((x) =>
    fc
      .tuple(
        pads(x.shape, () => 2),
        x.dtype === 'float32' ? numbers.any : numbers.bits,
      )
      .map(([paddings, constantValue]) => call({ x }, { paddings, constantValue })),
  ),
  MirrorPad: anyTensor(numeric, 1, 3)
    .filter(({ shape }) => !shape.includes(0))
    .chain((x) =>
      fc
        .constantFrom('reflect', 'symmetric')
        .chain((mode) =>
          pads(x.shape, (n) => (mode === 'reflect' ? n - 1 : n)).map((paddings) => call({ x }, { paddings, mode })),
        ),
    ),
  Concat: joined(false).map(({ list, axis }) => call(list, { axis })),
  Pack: joined(true).chain(({ list }) =>
    fc.integer({ min: -1, max: list[0].shape.length }).map((axis) => call(list, { axis })),
  ),
  Unpack: ofAny(1, 3).chain((value) => axisOf(value.shape).map((axis) => call({ value }, { axis }))),
  SplitV: ofAny(1, 3).chain((x) =>
    axisOf(x.shape).chain((axis) =>
      upTo(x.shape[axis]).map((first) => call({ x }, { numOrSizeSplits: [first, x.shape[axis] - first], axis })),
    ),
  ),
  Tile: ofAny(1, 3).chain((x) => each(x.shape, () => upTo(3)).map((reps) => call({ x }, { reps }))),
  GatherV2: fc.tuple(ofAny(1, 3), shapes(0, 2), fc.boolean()).chain(([x, shape, batched]) =>
    axisOf(x.shape).chain((axis) => {
      const batchDims = batched && axis > 0 ? 1 : 0;
      const whole = batchDims === 1 ? [x.shape[0], ...shape] : shape;
      return tensor(whole, 'int32', index(x.shape[axis])).map((indices) => call({ x, indices }, { axis, batchDims }));
    }),
  ),
  GatherNd: addressed.chain(({ shape, indices }) =>
    anyType.chain((dtype) => tensor(shape, dtype).map((params) => call({ params, indices }))),
  ),
  ScatterNd: addressed.chain(({ shape, indices, rest }) =>
    numeric.chain((dtype) =>
      tensor(rest, dtype, dtype === 'float32' ? numbers.broken : numbers.fewIntegers).map((updates) =>
        call({ indices, updates }, { shape }),
      ),
    ),
  ),
  TensorScatterUpdate: addressed.chain(({ shape, indices, rest }) =>
    numeric.chain((dtype) =>
      fc
        .tuple(tensor(shape, dtype), tensor(rest, dtype))
        .map(([updated, updates]) => call({ tensor: updated, indices, updates })),
    ),
  ),
  UnsortedSegmentSum: fc
    .tuple(numeric, shapes(1, 3), positiveExtent)
    .chain(([dtype, shape, numSegments]) =>
      fc
        .tuple(
          tensor(shape, dtype, dtype === 'float32' ? numbers.small : numbers.fewIntegers),
          tensor(shape.slice(0, 1), 'int32', fc.integer({ min: -1, max: numSegments + 1 })),
        )
        .map(([x, segmentIds]) => call({ x, segmentIds }, { numSegments })),
    ),
  OneHot: fc
    .tuple(shapes(0, 3), positiveExtent, anyType)
    .chain(([shape, depth, dtype]) =>
      tensor(shape, 'int32', fc.integer({ min: -2, max: depth + 1 })).map((indices) =>
        call({ indices }, { depth, onValue: dtype === 'bool' ? 1 : 3, offValue: dtype === 'bool' ? 0 : -1, dtype }),
      ),
    ),
  Range: fc
    .record({
      start: fc.integer({ min: -5, max: 5 }),
      stop: fc.integer({ min: -5, max: 5 }),
      step: fc.constantFrom(1, 2, 0.5, -1, -3),
      dtype: fc.constantFrom('float32', 'int32'),
    })
    .filter(({ dtype, step }) => dtype === 'float32' || Number.isInteger(step))
    .map((given) => call({}, given)),
  LinSpace: fc
    .record({ start: numbers.small, stop: numbers.small, num: fc.integer({ min: 1, max: 6 }) })
    .map((given) => call({}, given)),
  Diag: anyTensor(anyType, 1, 2).map((x) => call({ x })),
  SpaceToBatchND: fc
    .tuple(anyType, extent, positiveExtent, positiveExtent, extent, positiveExtent, positiveExtent)
    .chain(([dtype, n, h, w, c, blockY, blockX]) =>
      tensor([n, h * blockY, w * blockX, c], dtype).map(
        (x) =>
        call({ x }, { blockShape: [blockY, blockX], paddings: [[blockY, 0], [0, blockX]] }), // biome-ignore format: a pair per axis
      ),
    ),
  BatchToSpaceND: fc
    .tuple(anyType, extent, positiveExtent, positiveExtent, extent, positiveExtent, positiveExtent)
    .chain(([dtype, n, h, w, c, blockY, blockX]) =>
      tensor([n * blockY * blockX, h, w, c], dtype).map(
        (x) =>
        call({ x }, { blockShape: [blockY, blockX], crops: [[h > 1 ? 1 : 0, 0], [0, blockX - 1]] }), // biome-ignore format: a pair per axis
      ),
    ),
  DepthToSpace: fc
    .tuple(anyType, extent, extent, extent, positiveExtent, fc.integer({ min: 2, max: 3 }))
    .chain(([dtype, n, h, w, c, blockSize]) =>
      tensor([n, h, w, c * blockSize ** 2], dtype).map((x) => call({ x }, { blockSize, dataFormat: 'NHWC' })),
    ),
};
