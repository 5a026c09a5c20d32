/** @file Encodes a planned graph as an ONNX model (IR 8, opset 17: the newest that the vendored schema describes). */
import { create, toBinary } from '@bufbuild/protobuf';
import {
  AttributeProto_AttributeType,
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from './onnx_pb.js';
import { onnxTypes } from './record.js';
import type { Attribute, Constant, ValueType } from './value.js';

export interface ProtoNode {
  type: string;
  /** Operator domain; the standard's own if left out. */
  domain?: string;
  inputs: readonly string[];
  outputs: readonly string[];
  attributes: Readonly<Record<string, Attribute>>;
  /** The graph that a control-flow operator runs (`Scan`): it sees the tensors of the graph around it. */
  body?: ProtoGraph;
}

export interface ProtoTensor {
  name: string;
  type: ValueType;
  /** A name stands for an extent that each run decides. */
  dims: readonly (number | string)[];
}

export interface ProtoGraph {
  nodes: readonly ProtoNode[];
  inputs: readonly ProtoTensor[];
  outputs: readonly ProtoTensor[];
  constants: readonly { name: string; constant: Constant }[];
  /** Large tensors stored in the model (export); raw little-endian bytes. */
  initializers?: readonly { name: string; type: ProtoTensor['type']; dims: readonly number[]; bytes: Uint8Array }[];
  /** metadata_props of the model. */
  metadata?: Readonly<Record<string, string>>;
}

const utf8 = new TextEncoder();

function attribute(name: string, value: Attribute) {
  if (typeof value === 'string') {
    return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.STRING, s: utf8.encode(value) });
  }
  if (typeof value === 'number') {
    return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INT, i: BigInt(value) });
  }
  if ('float' in value) {
    return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.FLOAT, f: value.float });
  }
  return create(AttributeProtoSchema, { name, type: AttributeProto_AttributeType.INTS, ints: value.map(BigInt) });
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
export function typeNumber(type: ProtoTensor['type']): number {
  return onnxTypes[type];
}

function tensorProto(name: string, type: ProtoTensor['type'], dims: readonly number[], rawData: Uint8Array) {
  return create(TensorProtoSchema, { name, dataType: typeNumber(type), dims: dims.map(BigInt), rawData });
}

function valueInfo({ name, type, dims }: ProtoTensor) {
  const dim = dims.map((extent) =>
    create(TensorShapeProto_DimensionSchema, {
      value:
        typeof extent === 'string' ? { case: 'dimParam', value: extent } : { case: 'dimValue', value: BigInt(extent) },
    }),
  );
  const tensorType = create(TypeProto_TensorSchema, {
    elemType: typeNumber(type),
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: 'tensorType', value: tensorType } }),
  });
}

function nodeProto({ type, domain = '', inputs, outputs, attributes, body }: ProtoNode) {
  const attributeProtos = Object.entries(attributes).map(([name, value]) => attribute(name, value));
  if (body !== undefined) {
    const g = graphProto(body, 'body');
    attributeProtos.push(create(AttributeProtoSchema, { name: 'body', type: AttributeProto_AttributeType.GRAPH, g }));
  }
  return create(NodeProtoSchema, {
    opType: type,
    domain,
    input: [...inputs],
    output: [...outputs],
    attribute: attributeProtos,
  });
}

function graphProto(graph: ProtoGraph, name: string) {
  return create(GraphProtoSchema, {
    name,
    node: graph.nodes.map(nodeProto),
    initializer: [
      ...graph.constants.map(({ name: constantName, constant }) =>
        tensorProto(constantName, constant.constant, constant.dims, constantBytes(constant)),
      ),
      ...(graph.initializers ?? []).map((tensor) => tensorProto(tensor.name, tensor.type, tensor.dims, tensor.bytes)),
    ],
    input: graph.inputs.map(valueInfo),
    output: graph.outputs.map(valueInfo),
  });
}

/** Operator domains besides the standard's, bodies included. */
function domainsOf({ nodes }: ProtoGraph): string[] {
  return nodes.flatMap(({ domain, body }) => [...(domain ? [domain] : []), ...(body ? domainsOf(body) : [])]);
}

/** The model as bytes. Everything is in one buffer: fine up to about 1.5 GB of initializers. */
export function encodeModel(graph: ProtoGraph): Uint8Array {
  const model = create(ModelProtoSchema, {
    irVersion: 8n,
    producerName: 'rmac',
    opsetImport: [
      create(OperatorSetIdProtoSchema, { domain: '', version: 17n }),
      ...[...new Set(domainsOf(graph))].map((domain) => create(OperatorSetIdProtoSchema, { domain, version: 1n })),
    ],
    graph: graphProto(graph, 'graph'),
    metadataProps: Object.entries(graph.metadata ?? {}).map(([key, value]) => ({
      $typeName: 'onnx.StringStringEntryProto' as const,
      key,
      value,
    })),
  });
  return toBinary(ModelProtoSchema, model);
}
