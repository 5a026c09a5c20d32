import { expect, test } from 'vitest';
import { encodeModel, type ProtoGraph } from '../../src/backend/model-proto.js';

// The same model by protobuf's reflection over onnx.proto of ONNX 1.12 (protoc-gen-es 2.17.0), base64.
const golden = [
  'CAgSBHJtYWM6jgMKqQEKAWEKABIBYiIEQ29udiodCgRwYWRzQABA////////////AUCAgICAgCCgAQcqEAoEbW9kZSIFY3ViaWOgAQMqDwoFYW',
  'xwaGEVzczMPaABASoUCgRheGlzGP///////////wGgAQIqCgoFZW1wdHmgAQcqCwoEemVybxgAoAECKgsKBG5vbmUiAKABAyoMCgJmehUAAAAA',
  'oAEBOg1jb20ubWljcm9zb2Z0CmIKAWISAWMiBFNjYW4qCgoDbnVtGAGgAQIqRgoEYm9keTI7ChAKAXgKAXkSAXoiA0FkZDoAEgRib2R5WhQKAX',
  'gSDwoNCAESCQoCCAIKAxIBbmILCgF6EgYKBAgJEgCgAQU6ABIFZ3JhcGgqGQgCEAdCAWtKEAEAAAAAAAAA/v////////8qCxABQgFzSgQAAAA/',
  'KgkIABAJQgFlSgAqEQgCEAFCAXdKCAcHBwcHBwcHWh0KAWESGAoWCAESEgoCCAEKCBIGaGVpZ2h0CgIIAGIQCgFjEgsKCQgLEgUKAxIBbkIECg',
  'AQEUIRCg1jb20ubWljcm9zb2Z0EAFyBgoBYRIBYnIGCgLDqRIA',
];

test('a model is encoded as protobuf does by the schema: every kind of attribute, a body, unknown extents, empty fields', () => {
  const body: ProtoGraph = {
    nodes: [{ type: 'Add', inputs: ['x', 'y'], outputs: ['z'], attributes: {} }],
    inputs: [{ name: 'x', type: 'float32', dims: [2, 'n'] }],
    outputs: [{ name: 'z', type: 'bool', dims: [] }],
    constants: [],
  };
  const attributes = { pads: [0, -1, 2 ** 40], mode: 'cubic', alpha: { float: 0.1 }, axis: -1, empty: [], zero: 0 };
  const zeros = { none: '', fz: { float: 0 } };
  const graph: ProtoGraph = {
    nodes: [
      {
        type: 'Conv',
        domain: 'com.microsoft',
        inputs: ['a', ''],
        outputs: ['b'],
        attributes: { ...attributes, ...zeros },
      },
      { type: 'Scan', inputs: ['b'], outputs: ['c'], attributes: { num: 1 }, body },
    ],
    inputs: [{ name: 'a', type: 'float32', dims: [1, 'height', 0] }],
    outputs: [{ name: 'c', type: 'float64', dims: ['n'] }],
    constants: [
      { name: 'k', constant: { constant: 'int64', dims: [2], values: [1, -2] } },
      { name: 's', constant: { constant: 'float32', dims: [], values: [0.5] } },
      { name: 'e', constant: { constant: 'bool', dims: [0], values: [] } },
    ],
    initializers: [{ name: 'w', type: 'float32', dims: [2], bytes: new Uint8Array(8).fill(7) }],
    metadata: { a: 'b', é: '' },
  };
  expect(Buffer.from(encodeModel(graph)).toString('base64')).toBe(golden.join(''));
});
