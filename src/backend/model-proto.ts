/**
 * @file Encodes a planned graph as an ONNX model (IR 8, opset 17). The field numbers are those of onnx.proto
 * (https://github.com/onnx/onnx/blob/v1.12.0/onnx/onnx.proto), of which this writes what a planned graph has.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import { onnxTypes } from './record.js';
import type { Attribute, Constant, ValueType } from './value.js';

/** What the attribute of a recorded operator may be, and floats. */
type ProtoAttribute = Attribute | { floats: readonly number[] };

export interface ProtoNode {
  type: string;
  /** Operator domain; the standard's own if left out. */
  domain?: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, ProtoAttribute>>;
  /** The graph that a control-flow operator runs (`Scan`): it sees the tensors of the graph around it. */
  body?: ProtoGraph;
}

export interface ProtoTensor {
  name: string;
  type: ValueType;
  /** A name stands for an extent that each run decides. */
  dims: readonly (number | string)[];
}

export interface ProtoInitializer {
  name: string;
  /** float16 and int8 occur in files only. */
  type: ValueType | 'float16' | 'int8';
  dims: readonly number[];
  /** Little-endian. */
  bytes: Uint8Array;
}

export interface ProtoGraph {
  nodes: readonly ProtoNode[];
  inputs: readonly ProtoTensor[];
  outputs: readonly ProtoTensor[];
  constants: readonly { name: string; constant: Constant }[];
  /** Large tensors stored with the model. */
  initializers?: readonly ProtoInitializer[];
  /** metadata_props of the model. */
  metadata?: Readonly<Record<string, string>>;
}

/** What a field holds: an int, a float, text, bytes or a message's bytes, or several of these (unpacked, as proto2 has them). */
type Field = number | bigint | { float: number } | string | Uint8Array | readonly Field[];

/** The bytes of a message, given its fields by number. */
function message(fields: Readonly<Record<number, Field>>): Uint8Array {
  const writer = new BinaryWriter();
  for (const [number, field] of Object.entries(fields)) write(writer, Number(number), field);
  return writer.finish();
}

function write(writer: BinaryWriter, number: number, field: Field): void {
  if (typeof field === 'number' || typeof field === 'bigint') writer.tag(number, WireType.Varint).int64(BigInt(field));
  else if (typeof field === 'string') writer.tag(number, WireType.LengthDelimited).string(field);
  else if (field instanceof Uint8Array) writer.tag(number, WireType.LengthDelimited).bytes(field);
  else if ('float' in field) writer.tag(number, WireType.Bit32).float(field.float);
  else for (const one of field) write(writer, number, one);
}

/** AttributeProto; 20 is its type. */
function attribute(name: string, value: ProtoAttribute): Uint8Array {
  if (typeof value === 'string') return message({ 1: name, 4: value, 20: 3 });
  if (typeof value === 'number') return message({ 1: name, 3: value, 20: 2 });
  if ('float' in value) return message({ 1: name, 2: value, 20: 1 });
  if ('floats' in value) return message({ 1: name, 7: value.floats.map((float) => ({ float })), 20: 6 });
  return message({ 1: name, 8: value, 20: 7 });
}

function constantBytes({ constant, values }: Constant): Uint8Array {
  switch (constant) {
    case 'float32':
      return new Uint8Array(Float32Array.from(values).buffer);
    case 'float64':
      return new Uint8Array(Float64Array.from(values).buffer);
    case 'int32':
      return new Uint8Array(Int32Array.from(values).buffer);
    case 'bool':
      return Uint8Array.from(values);
    case 'int64':
      return new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
  }
}

/** ONNX's number of a type. */
export function typeNumber(type: ProtoInitializer['type']): number {
  return { ...onnxTypes, float16: 10, int8: 3 }[type];
}

/** TensorProto, its values as raw little-endian bytes. */
function tensorProto(
  name: string,
  type: ProtoInitializer['type'],
  dims: readonly number[],
  rawData: Uint8Array,
): Uint8Array {
  return message({ 1: dims, 2: typeNumber(type), 8: name, 9: rawData });
}

/** TensorProto whose values lie outside of the model, in a file of the tensor's name. */
function tensorBeside({ name, type, dims, bytes }: ProtoInitializer): Uint8Array {
  const entries = Object.entries({ location: name, offset: '0', length: String(bytes.length) });
  return message({
    1: dims,
    2: typeNumber(type),
    8: name,
    13: entries.map(([key, value]) => message({ 1: key, 2: value })),
    14: 1,
  });
}

/** ValueInfoProto: a name and a TypeProto of a tensor, its shape's extents a number (1) or a name (2). */
function valueInfo({ name, type, dims }: ProtoTensor): Uint8Array {
  const shape = message({ 1: dims.map((extent) => message({ [typeof extent === 'string' ? 2 : 1]: extent })) });
  return message({ 1: name, 2: message({ 1: message({ 1: typeNumber(type), 2: shape }) }) });
}

/** NodeProto. */
function nodeProto({ type, domain = '', inputs, outputs, attributes, body }: ProtoNode): Uint8Array {
  const attributeProtos = Object.entries(attributes).map(([name, value]) => attribute(name, value));
  if (body !== undefined) attributeProtos.push(message({ 1: 'body', 6: graphProto(body, 'body'), 20: 5 }));
  return message({ 1: inputs, 2: outputs, 4: type, 5: attributeProtos, 7: domain });
}

/** GraphProto; `beside`: without the values of its initializers. */
function graphProto(graph: ProtoGraph, name: string, beside = false): Uint8Array {
  const initializers = [
    ...graph.constants.map(({ name: constantName, constant }) =>
      tensorProto(constantName, constant.constant, constant.dims, constantBytes(constant)),
    ),
    ...(graph.initializers ?? []).map((tensor) =>
      beside ? tensorBeside(tensor) : tensorProto(tensor.name, tensor.type, tensor.dims, tensor.bytes),
    ),
  ];
  const [inputs, outputs] = [graph.inputs.map(valueInfo), graph.outputs.map(valueInfo)];
  return message({ 1: graph.nodes.map(nodeProto), 2: name, 5: initializers, 11: inputs, 12: outputs });
}

/** Operator domains besides the standard's, bodies included. */
function domainsOf({ nodes }: ProtoGraph): string[] {
  return nodes.flatMap(({ domain, body }) => [...(domain ? [domain] : []), ...(body ? domainsOf(body) : [])]);
}

/**
 * The model as bytes. Everything is in one buffer: fine up to about 1.5 GB of initializers; or these lie `beside` it, and are given
 * to the session by their names, which saves the copies.
 */
export function encodeModel(graph: ProtoGraph, { beside = false } = {}): Uint8Array {
  return message({
    1: 8, // ir_version
    2: 'rmac', // producer_name
    7: graphProto(graph, 'graph', beside),
    8: [
      message({ 1: '', 2: 17 }), // opset_import: domain and version
      ...[...new Set(domainsOf(graph))].map((domain) => message({ 1: domain, 2: 1 })),
    ],
    14: Object.entries(graph.metadata ?? {}).map(([key, value]) => message({ 1: key, 2: value })), // metadata_props
  });
}
