/** @file Matlab's `.mat`, version 7.3: the same values in HDF5, with axes reversed and cells as references. */
import { latin1, Malformed } from './bytes.js';
import { elementCount } from './elements.js';
import { Hdf5File, type Hdf5Object } from './hdf5.js';
import type { MatlabValue, MatlabVariables } from './matlab.js';
import { smallest } from '../../extremes.js';

const maxDepth = 32;
const maxValues = 1_000_000;

export function isMatlab73(bytes: Uint8Array): boolean {
  return latin1(bytes.subarray(0, 10)) === 'MATLAB 7.3';
}

/** All variables of a version 7.3 file. */
export function readMatlab73(bytes: Uint8Array): MatlabVariables {
  const file = new Hdf5File(bytes);
  const variables: MatlabVariables = new Map();
  const counter = { left: maxValues };
  for (const [name, at] of file.open(file.root).links) {
    if (!name.startsWith('#')) variables.set(name, valueAt(file, at, { counter, depth: 0 }));
  }
  return variables;
}

interface Walk {
  counter: { left: number };
  depth: number;
}

function valueAt(file: Hdf5File, at: number, { counter, depth }: Walk): MatlabValue {
  if (--counter.left < 0 || depth > maxDepth) throw new Malformed('its cells lie in each other without end');
  const object = file.open(at);
  const inner = (target: number) => valueAt(file, target, { counter, depth: depth + 1 });
  if (!object.isDataset) {
    const members = [...object.links].map(([name, target]): [string, MatlabValue] => [name, inner(target)]);
    return { kind: 'struct', elements: elementsOf(file, object, members) };
  }
  if (object.attributes.has('MATLAB_empty')) return { kind: 'cell', items: [] };
  if (object.datatype?.kind === 'reference') return { kind: 'cell', items: file.references(object).map(inner) };
  if (object.datatype?.kind !== 'number') return { kind: 'other' };
  const raw = file.read(object);
  if (file.texts(object.attributes.get('MATLAB_class'))?.[0] === 'char') {
    const count = Math.min(elementCount(raw.shape), 10_000);
    return { kind: 'text', text: new TextDecoder('utf-16le').decode(raw.bytes.subarray(0, 2 * count)) };
  }
  return { kind: 'array', shape: raw.shape.toReversed(), raw };
}

/** One struct; or an array of them, whose members are all lists of references of one length. */
function elementsOf(file: Hdf5File, object: Hdf5Object, members: [string, MatlabValue][]): Map<string, MatlabValue>[] {
  const lists = [...object.links].filter(([, target]) => {
    const member = file.open(target);
    return member.datatype?.kind === 'reference' && !member.attributes.has('MATLAB_class');
  });
  if (members.length === 0 || lists.length < members.length) return [new Map(members)];
  const columns = members.map(([name, value]): [string, MatlabValue[]] => [
    name,
    value.kind === 'cell' ? value.items : [],
  ]);
  const length = smallest(columns.map(([, items]) => items.length));
  return Array.from({ length }, (_, i) => new Map(columns.map(([name, items]) => [name, items[i]])));
}
