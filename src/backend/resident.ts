/**
 * @file Buffers that stay on the device. What several runs have read (weights, and work kept from them) will be read again:
 * the next run uploads it for good, and later ones are given the copy on the device. Only ONNX Runtime's WebGPU provider
 * can be fed so from Node.js.
 */
import { encodeModel } from './model-proto.js';
import { createSession, onDevice, type OrtTensor, type Session, type SessionSettings } from './ort.js';
import type { Memory, Value } from './value.js';

/** By then a weight that `InvariantCache` replaces by its reordered form is no longer read. */
const runsBeforeUpload = 3;

/** The device's copies of long-lived buffers. */
export class ResidentBuffers {
  private readonly copies = new Map<number, OrtTensor>();
  private copier: Session | undefined;
  /** Bytes of the copies. */
  bytes = 0;

  /** @param limitBytes bound on the copies; beyond it buffers travel in every run. */
  constructor(
    private readonly settings: SessionSettings,
    private readonly limitBytes: number,
  ) {}

  /** A known value as an input of a run, on the device if it has proved to live long. */
  feed(leaf: Value): OrtTensor {
    const memory = leaf.memory as Memory;
    if (this.settings.providers[0] !== 'webgpu' || leaf.type !== 'float32' || leaf.size === 0) return leaf.tensor;
    let copy = this.copies.get(memory.id);
    if (copy === undefined) {
      const { byteLength } = memory.data;
      if (memory.runs < runsBeforeUpload || this.bytes + byteLength > this.limitBytes) return leaf.tensor;
      copy = this.upload(leaf.tensor);
      this.copies.set(memory.id, copy);
      this.bytes += byteLength;
    }
    return onDevice(copy, leaf.physical);
  }

  private upload(tensor: OrtTensor): OrtTensor {
    this.copier ??= createSession(identity(), this.settings, { outputsStay: true });
    return this.copier.run({ x: tensor.reshape([tensor.size]) }, ['y']).y;
  }

  /** A buffer is gone: so is its copy. */
  readonly forget = (memory: Memory): void => {
    const copy = this.copies.get(memory.id);
    if (copy === undefined) return;
    this.copies.delete(memory.id);
    this.bytes -= memory.data.byteLength;
    copy.dispose();
  };

  dispose(): void {
    for (const copy of this.copies.values()) copy.dispose();
    this.copies.clear();
    this.bytes = 0;
    this.copier?.dispose();
    this.copier = undefined;
  }
}

/** y = x, a list of any length. */
function identity(): Uint8Array {
  const tensor = (name: string) => ({ name, type: 'float32', dims: ['n'] }) as const;
  return encodeModel({
    nodes: [{ type: 'Identity', inputs: ['x'], outputs: ['y'], attributes: {} }],
    inputs: [tensor('x')],
    outputs: [tensor('y')],
    constants: [],
  });
}
