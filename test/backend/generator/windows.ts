/** @file Calls of kernels with windows over an image (convolutions and pools, of any geometry) and of image kernels. */
import { backend_util } from '@tensorflow/tfjs';
import * as fc from 'fast-check';
import { call, type Calls, extent, numbers, numeric, positiveExtent, type TensorType, tensor } from './arbitraries.js';

type Four = [number, number, number, number];
type Pad = 'same' | 'valid' | number | backend_util.ExplicitPadding;

interface Geometry {
  input: Four;
  window: [number, number];
  strides: [number, number];
  dilations: [number, number];
  pad: Pad;
  dimRoundingMode: 'floor' | 'round' | 'ceil' | undefined;
}

const size = fc.integer({ min: 1, max: 7 });
const window = fc.integer({ min: 1, max: 5 });
const border = fc.integer({ min: 0, max: 3 });
const pads: fc.Arbitrary<Pad> = fc.oneof(
  fc.constantFrom<Pad>('same', 'valid'),
  border,
  fc
    .tuple(border, border, border, border)
    .map(([a, b, c, d]): backend_util.ExplicitPadding => [[0, 0], [a, b], [c, d], [0, 0]]), // biome-ignore format: a pair per axis
);
const stride = fc.integer({ min: 1, max: 3 });

const outputOf = ({ input, window: [h, w], strides, dilations, pad, dimRoundingMode }: Geometry) =>
  backend_util.computeConv2DInfo(input, [h, w, input[3], input[3]], strides, dilations, pad, dimRoundingMode).outShape;

/** Geometries with at least one window; not square in any respect. */
const geometries = (dilated: boolean, padding = pads): fc.Arbitrary<Geometry> =>
  fc
    .tuple(
      extent,
      size,
      size,
      positiveExtent,
      fc.tuple(window, window),
      fc.tuple(stride, stride),
      padding,
      fc.boolean(),
    )
    .chain(([n, h, w, c, filter, strides, pad, dilate]) =>
      fc.tuple(stride, stride, fc.constantFrom('floor' as const, 'round' as const, 'ceil' as const)).map(
        ([dy, dx, rounding]): Geometry => ({
          input: [n, h, w, c],
          window: filter,
          strides: dilated && dilate ? [1, 1] : strides,
          dilations: dilated && dilate ? [dy, dx] : [1, 1],
          pad,
          dimRoundingMode: typeof pad === 'string' ? undefined : rounding,
        }),
      ),
    )
    .filter((geometry) => outputOf(geometry).every((n, i) => i === 0 || (Number.isInteger(n) && n > 0)));

const attributesOf = ({ strides, dilations, pad, dimRoundingMode }: Geometry) => ({
  strides,
  dilations,
  pad,
  dimRoundingMode,
  dataFormat: 'NHWC',
});

const small = (shape: readonly number[], values: fc.Arbitrary<number> = numbers.small, dtype: TensorType = 'float32') =>
  tensor(shape, dtype, dtype === 'float32' ? values : numbers.fewIntegers);

interface Convolution {
  geometry: Geometry;
  filter: number[];
  output: number[];
}

const convolutions = (depthwise: boolean, dilated: boolean): fc.Arbitrary<Convolution> =>
  fc.tuple(geometries(dilated), positiveExtent).map(([geometry, o]) => {
    const c = geometry.input[3];
    const channels = depthwise ? c * o : o;
    return {
      geometry,
      filter: [...geometry.window, c, o],
      output: [...outputOf(geometry).slice(0, 3), channels],
    };
  });

/** Of the numbers of a convolution: small, or so large that products overflow. */
const magnitudes = fc.oneof(
  { arbitrary: fc.constant(numbers.small), weight: 6 },
  { arbitrary: fc.constant(fc.constantFrom(0, 0.5, 1, 1e20, 3e38)), weight: 1 },
  { arbitrary: fc.constant(fc.constantFrom(-1e20, -1, 0, 1, 3e38)), weight: 1 },
);

const convolution = (depthwise: boolean): Calls =>
  fc
    .tuple(convolutions(depthwise, true), depthwise ? fc.constant<TensorType>('float32') : numeric, magnitudes)
    .chain(([{ geometry, filter }, dtype, values]) =>
      fc
        .tuple(small(geometry.input, values, dtype), small(filter, values, dtype))
        .map(([x, weights]) => call({ x, filter: weights }, attributesOf(geometry))),
    );

const activations = fc.constantFrom('linear', 'relu', 'relu6', 'leakyrelu', 'prelu', 'elu', 'sigmoid');
const fusedConvolution = (depthwise: boolean): Calls =>
  fc
    .tuple(convolutions(depthwise, true), activations, fc.boolean())
    .chain(([{ geometry, filter, output }, activation, biased]) =>
      fc
        .tuple(small(geometry.input), small(filter), small(output.slice(3)), small(output.slice(3)))
        .map(([x, weights, bias, slope]) =>
          call(
            {
              x,
              filter: weights,
              ...(biased && { bias }),
              ...(activation === 'prelu' && { preluActivationWeights: slope }),
            },
            { ...attributesOf(geometry), activation, leakyreluAlpha: 0.3 },
          ),
        ),
    );

const filterGradient = (depthwise: boolean): Calls =>
  convolutions(depthwise, false).chain(({ geometry, filter, output }) =>
    fc
      .tuple(small(geometry.input), small(output))
      .map(([x, dy]) => call({ x, dy }, { ...attributesOf(geometry), filterShape: filter })),
  );
const inputGradient = (depthwise: boolean): Calls =>
  convolutions(depthwise, false).chain(({ geometry, filter, output }) =>
    fc
      .tuple(small(output), small(filter))
      .map(([dy, weights]) => call({ dy, filter: weights }, { ...attributesOf(geometry), inputShape: geometry.input })),
  );

const poolAttributes = ({ window: filterSize, strides, pad, dimRoundingMode }: Geometry) => ({
  filterSize,
  strides,
  pad,
  dimRoundingMode,
});
const pool = (types: fc.Arbitrary<TensorType>, values: fc.Arbitrary<number>): Calls =>
  fc
    .tuple(geometries(false), types)
    .chain(([geometry, dtype]) =>
      tensor(geometry.input, dtype, dtype === 'float32' ? values : numbers.integers).map((x) =>
        call({ x }, poolAttributes(geometry)),
      ),
    );
/** Values without ties, so that there is one place of each maximum. */
const distinct = (shape: readonly number[]) =>
  tensor(shape).chain((x) =>
    fc
      .shuffledSubarray(
        x.values.map((_, i) => i / 4),
        { minLength: x.values.length },
      )
      .map((values) => ({ ...x, values })),
  );

const resize = (types: fc.Arbitrary<TensorType>): Calls =>
  fc
    .tuple(types, extent, size, size, positiveExtent, size, size, corners)
    .chain(([dtype, n, h, w, c, toH, toW, given]) =>
      small([n, h, w, c], numbers.small, dtype).map((images) => call({ images }, { ...given, size: [toH, toW] })),
    );
const corners = fc.constantFrom(
  { alignCorners: false, halfPixelCenters: false },
  { alignCorners: true, halfPixelCenters: false },
  { alignCorners: false, halfPixelCenters: true },
);
const resizeGradient: Calls = fc
  .tuple(extent, size, size, positiveExtent, size, size, fc.boolean())
  // The JavaScript backend does not come back from a nearest-neighbour gradient of one line with aligned corners.
  .map(([n, h, w, c, toH, toW, aligned]) => [n, h, w, c, toH, toW, aligned && h > 1 && w > 1] as const)
  .chain(([n, h, w, c, toH, toW, alignCorners]) =>
    fc
      .tuple(small([n, h, w, c]), small([n, toH, toW, c]))
      .map(([images, dy]) => call({ images, dy }, { alignCorners, halfPixelCenters: false })),
  );

const normalization = fc.record({
  depthRadius: fc.integer({ min: 0, max: 4 }),
  bias: fc.constantFrom(1, 2),
  alpha: fc.constantFrom(0.1, 0.5),
  beta: fc.constantFrom(0.5, 0.75, 1),
});
const image = fc.tuple(extent, size, size, positiveExtent);

const cube = fc.integer({ min: 2, max: 4 });
const volumes = fc
  .tuple(positiveExtent, cube, cube, cube, positiveExtent, positiveExtent, fc.constantFrom('same', 'valid'))
  .map(([n, d, h, w, c, o, pad]) => ({ input: [n, d, h, w, c], filter: [2, 1, 2, c, o], o, pad }));
const volumeOutput = ({ input: [n, d, h, w], pad }: { input: number[]; pad: string }, channels: number) =>
  pad === 'same' ? [n, d, h, w, channels] : [n, d - 1, h, w - 1, channels];
const pools3d = { filterSize: [2, 1, 2], strides: 1, dataFormat: 'NDHWC' };

export const windows: Record<string, Calls> = {
  Conv2D: convolution(false),
  DepthwiseConv2dNative: convolution(true),
  FusedConv2D: fusedConvolution(false),
  FusedDepthwiseConv2D: fusedConvolution(true),
  Conv2DBackpropFilter: filterGradient(false),
  Conv2DBackpropInput: inputGradient(false),
  DepthwiseConv2dNativeBackpropFilter: filterGradient(true),
  DepthwiseConv2dNativeBackpropInput: inputGradient(true),
  MaxPool: pool(numeric, numbers.any),
  AvgPool: pool(fc.constant('float32'), numbers.broken),
  MaxPoolGrad: geometries(false).chain((geometry) =>
    fc
      .tuple(distinct(geometry.input), small(outputOf(geometry)))
      .map(([input, dy]) => call({ dy, input, output: dy }, poolAttributes(geometry))),
  ),
  AvgPoolGrad: geometries(false, fc.oneof({ arbitrary: fc.constant<Pad>('valid'), weight: 9 }, pads)).chain(
    (geometry) =>
      fc
        .tuple(small(geometry.input), small(outputOf(geometry)))
        .map(([input, dy]) => call({ dy, input }, poolAttributes(geometry))),
  ),
  MaxPoolWithArgmax: geometries(false).chain((geometry) =>
    distinct(geometry.input).map((x) => call({ x }, { ...poolAttributes(geometry), includeBatchInIndex: true })),
  ),
  ResizeBilinear: resize(fc.constant('float32')),
  ResizeNearestNeighbor: resize(numeric),
  ResizeBilinearGrad: resizeGradient,
  ResizeNearestNeighborGrad: resizeGradient,
  FlipLeftRight: image.chain((shape) => tensor(shape).map((x) => call({ image: x }))),
  LRN: fc.tuple(image, normalization).chain(([shape, given]) => small(shape).map((x) => call({ x }, given))),
  LRNGrad: fc
    .tuple(image, normalization)
    .chain(([shape, given]) =>
      fc.tuple(small(shape), small(shape), small(shape)).map(([x, y, dy]) => call({ x, y, dy }, given)),
    ),
  Conv3D: volumes.chain(({ input, filter, pad }) =>
    fc
      .tuple(small(input), small(filter))
      .map(([x, weights]) => call({ x, filter: weights }, { strides: 1, dilations: 1, pad, dataFormat: 'NDHWC' })),
  ),
  Conv3DBackpropFilterV2: volumes.chain((geometry) =>
    fc
      .tuple(small(geometry.input), small(volumeOutput(geometry, geometry.o)))
      .map(([x, dy]) => call({ x, dy }, { strides: 1, pad: geometry.pad, filterShape: geometry.filter })),
  ),
  Conv3DBackpropInputV2: volumes.chain((geometry) =>
    fc
      .tuple(small(volumeOutput(geometry, geometry.o)), small(geometry.filter))
      .map(([dy, filter]) => call({ dy, filter }, { strides: 1, pad: geometry.pad, inputShape: geometry.input })),
  ),
  MaxPool3D: volumes.chain(({ input, pad }) => small(input).map((x) => call({ x }, { ...pools3d, pad }))),
  AvgPool3D: volumes.chain(({ input, pad }) => small(input).map((x) => call({ x }, { ...pools3d, pad }))),
  MaxPool3DGrad: volumes.chain((geometry) =>
    fc
      .tuple(small(geometry.input), small(volumeOutput(geometry, geometry.input[4])))
      .map(([input, dy]) => call({ dy, input, output: dy }, { ...pools3d, pad: geometry.pad })),
  ),
  AvgPool3DGrad: volumes.chain((geometry) =>
    fc
      .tuple(small(geometry.input), small(volumeOutput(geometry, geometry.input[4])))
      .map(([input, dy]) => call({ dy, input }, { ...pools3d, pad: geometry.pad })),
  ),
};
