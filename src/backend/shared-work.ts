/** @file What is computed together: a read computes every live tensor that would otherwise repeat part of the same work. */
import { isConstant, type Op, type Value } from './value.js';

/**
 * `targets`, the live values on the way to them, and the values of `pending` that would repeat part of the way. Values on
 * the way that only an open `tidy` still names, which do not `stay`, are left out: they are about to go, and fetching copies them.
 */
export function withSharedWork(
  targets: readonly Value[],
  pending: ReadonlySet<Value>,
  stays: (value: Value) => boolean,
): Value[] {
  const outputs = new Set(targets);
  const computed = new Set<Op>();
  const include = (roots: Iterable<Value>) => {
    const stack = [...roots];
    for (let value = stack.pop(); value !== undefined; value = stack.pop()) {
      if (value.op === undefined) continue;
      if (stays(value)) outputs.add(value);
      if (computed.has(value.op)) continue;
      computed.add(value.op);
      for (const input of value.op.inputs) if (!isConstant(input)) stack.push(input);
    }
  };
  include(targets);
  for (let grown = true; grown; ) {
    grown = false;
    const shares = new Map<Op, boolean>();
    for (const value of pending) {
      if (outputs.has(value) || (computed.has(value.op as Op) && !stays(value))) continue;
      if (!sharesWork(value, computed, outputs, shares)) continue;
      outputs.add(value);
      include([value]);
      grown = true;
    }
  }
  return [...outputs];
}

/** True if computing `value` later would repeat an op of `computed` whose result is not kept. */
function sharesWork(
  value: Value,
  computed: ReadonlySet<Op>,
  outputs: ReadonlySet<Value>,
  memo: Map<Op, boolean>,
): boolean {
  const stack: { op: Op; next: number }[] = [{ op: value.op as Op, next: 0 }];
  while (stack.length > 0) {
    const top = stack[stack.length - 1];
    if (computed.has(top.op)) {
      for (const { op } of stack) memo.set(op, true);
      return true;
    }
    const input = top.op.inputs[top.next++];
    if (input === undefined) {
      memo.set(top.op, false);
      stack.pop();
      continue;
    }
    if (isConstant(input) || input.op === undefined || outputs.has(input)) continue;
    const shares = memo.get(input.op);
    if (shares === true) {
      for (const { op } of stack) memo.set(op, true);
      return true;
    }
    if (shares === undefined) stack.push({ op: input.op, next: 0 });
  }
  return false;
}
