/**
 * @file Kernels that this backend hands to tfjs's JavaScript backend, and why. None of them occurs in a forward or
 * training step of a convolutional network or a transformer.
 */
import * as tf from '@tensorflow/tfjs-core';
import type { OnnxBackend } from '../backend.js';
import { forward } from '../forward.js';
import { backendName } from './kernel.js';

/** Kernels that tfjs's JavaScript backend computes, by the reason. */
export const forwardedKernels: Readonly<Record<string, readonly string[]>> = {
  'complex numbers have no ONNX form': ['Complex', 'Real', 'Imag', 'ComplexAbs', 'FFT', 'IFFT'],
  'strings never enter the graph': ['StaticRegexReplace', 'StringNGrams', 'StringSplit', 'StringToHashBucketFast'],
  'the shape of the result depends on values, or the values are shapes': [
    'BroadcastArgs',
    'NonMaxSuppressionV3',
    'NonMaxSuppressionV5',
    'RaggedGather',
    'RaggedRange',
    'RaggedTensorToTensor',
    'SparseFillEmptyRows',
    'SparseReshape',
    'SparseSegmentMean',
    'SparseSegmentSum',
    'SparseToDense',
    'Unique',
  ],
  'counting, searching and drawing numbers: no ONNX operator': [
    'Bincount',
    'DenseBincount',
    'Multinomial',
    'SearchSorted',
  ],
  'no ONNX operator in opset 17': ['Atan2', 'BitwiseAnd', 'Cumprod', 'MaxPoolWithArgmax'],
  'image augmentation and morphology outside networks': [
    'CropAndResize',
    'Dilation2D',
    'Dilation2DBackpropFilter',
    'Dilation2DBackpropInput',
    'Draw',
    'RotateWithOffset',
    'Transform',
  ],
  'volumes (three spatial axes)': [
    'AvgPool3D',
    'AvgPool3DGrad',
    'Conv3D',
    'Conv3DBackpropFilterV2',
    'Conv3DBackpropInputV2',
    'MaxPool3D',
    'MaxPool3DGrad',
  ],
};

for (const kernelName of Object.values(forwardedKernels).flat()) {
  tf.registerKernel({
    kernelName,
    backendName,
    kernelFunc: ({ inputs, backend, attrs }) => forward(backend as OnnxBackend, kernelName, inputs, attrs ?? {}),
  });
}
