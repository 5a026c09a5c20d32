import { readFileSync } from 'node:fs';
import * as tf from '@tensorflow/tfjs';
import { describe, expect, test } from 'vitest';
import { InputError } from '../../src/errors.js';
import { importClassifier } from '../../src/models/import-classifier.js';
import type { NamedArray, NamedArrays } from '../../src/models/safetensors.js';
import { ClassifierHead, type HeadLayout } from '../../src/train/classify/classifier-head.js';
import { expectClose } from '../support/close.js';
import '../support/engine.js';

interface Golden {
  map: [channels: number, height: number, width: number];
  scores: number[];
}

// Written by scripts/reference-classifier.py.
const golden = JSON.parse(readFileSync(new URL('../golden/classifier.json', import.meta.url), 'utf8')) as Record<
  'vgg16' | 'alexnet-tv',
  Golden
>;

/** The script's sines. */
function wave(shape: number[], scale: number, phase: number): NamedArray {
  const length = shape.reduce((a, b) => a * b);
  return { shape, data: Float32Array.from({ length }, (_, i) => scale * Math.sin(phase + 2.3 * i)) };
}

/** The state of torchvision's `classifier`, by the places of its layers. */
function torchState(places: readonly number[], inputs: number): NamedArrays {
  const shapes = [[8, inputs], [8], [5, 8], [5], [4, 5], [4]];
  const names = places.flatMap((place) => [`classifier.${place}.weight`, `classifier.${place}.bias`]);
  return new Map(names.map((name, i) => [name, wave(shapes[i], 0.1, i)]));
}

/** Rows and columns exchanged. */
function transposed({ shape: [rows, columns], data }: NamedArray): NamedArray {
  return { shape: [columns, rows], data: data.map((_, i) => data[(i % rows) * columns + Math.floor(i / rows)]) };
}

/** [channels, height, width] -> [height, width, channels], flat. */
function channelsLast(data: Float32Array, channels: number): Float32Array {
  const cells = data.length / channels;
  return data.map((_, i) => data[(i % channels) * cells + Math.floor(i / channels)]);
}

describe('importClassifier', () => {
  test.each([
    ['vgg16', [0, 3, 6]],
    ['alexnet-tv', [1, 4, 6]],
  ] as const)("the scores of torchvision's %s are torch's", async (architecture, places) => {
    const { map, scores } = golden[architecture];
    const [channels, height, width] = map;
    const state = torchState(places, channels * height * width);
    const weights = importClassifier(state, 'state', { architecture, layout: 'torchvision' });
    weights.set('classifier/classes/kernel', transposed(state.get(`classifier.${places[2]}.weight`)!));
    weights.set('classifier/classes/bias', state.get(`classifier.${places[2]}.bias`)!);
    const layout: HeadLayout = {
      kind: 'fc',
      classes: ['a', 'b', 'c', 'd'],
      dropout: 0.5,
      widths: [channels * height * width, 8, 5, 4],
    };
    const head = new ClassifierHead(layout, weights);
    const x = tf.tensor4d(channelsLast(wave([...map], 1, 9).data, channels), [1, height, width, channels]);
    const found = head.scores(x);
    expectClose(await found.data(), scores, { absolute: 1e-5 });
    tf.dispose([found, x]);
    head.dispose();
  });

  test('Keras keeps inputs first and maps with channels last, Caffe and MatConvNet are as torch', () => {
    const torch = torchState([0, 3, 6], 512 * 4);
    const expected = importClassifier(torch, 'torch', { architecture: 'vgg16', layout: 'torchvision' });
    const [six, seven] = ['classifier.0.weight', 'classifier.3.weight'].map((name) => torch.get(name)!);
    const [sixBias, sevenBias] = ['classifier.0.bias', 'classifier.3.bias'].map((name) => torch.get(name)!);
    const rows = Array.from({ length: 8 }, (_, o) => channelsLast(six.data.subarray(o * 2048, (o + 1) * 2048), 512));
    const keras: NamedArrays = new Map([
      [
        'fc1/kernel:0',
        { shape: [2048, 8], data: Float32Array.from({ length: 2048 * 8 }, (_, i) => rows[i % 8][i >> 3]) },
      ],
      ['fc1/bias:0', sixBias],
      ['fc2/kernel:0', transposed(seven)],
      ['fc2/bias:0', sevenBias],
    ]);
    expect(importClassifier(keras, 'keras', { architecture: 'vgg16', layout: 'keras' })).toEqual(expected);
    const caffe: NamedArrays = new Map([
      ['fc6.weight', { ...six, shape: [8, 512, 2, 2] }],
      ['fc6.bias', sixBias],
      ['fc7.weight', seven],
      ['fc7.bias', sevenBias],
    ]);
    expect(importClassifier(caffe, 'caffe', { architecture: 'vgg16', layout: 'caffe' })).toEqual(expected);
  });

  test('errors name the network, the layer or the shape', () => {
    const state = torchState([0, 3, 6], 512);
    const run =
      (tensors: NamedArrays, architecture = 'vgg16') =>
      () =>
        importClassifier(tensors, 'file.pth', { architecture, layout: 'torchvision' });
    expect(run(state, 'resnet50-tv')).toThrow(InputError);
    expect(run(state, 'resnet50-tv')).toThrow(/no fully connected layers are known of resnet50-tv.*vgg16/);
    expect(run(new Map([...state].slice(0, 3)))).toThrow(/lacks .*classifier\.3\.bias/);
    expect(run(torchState([0, 3, 6], 500))).toThrow(/classifier\.0\.weight .*\[8, 500\].* do not make/);
    const broken = new Map(state).set('classifier.0.bias', { shape: [8], data: new Float32Array(8).fill(Number.NaN) });
    expect(run(broken)).toThrow(/classifier\.0 holds NaN/);
  });
});
