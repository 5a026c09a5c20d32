/** @file Descriptors under the names of a benchmark, whatever folders and extensions their ids had. */
import { InputError } from '../../errors.js';
import type { DescriptorSet } from '../descriptor-folder.js';

/** @throws InputError if two rows get the same name. */
export function renameDescriptors(set: DescriptorSet, idOf: (name: string) => string, source: string): DescriptorSet {
  const ids = set.ids.map(idOf);
  const rowOf = new Map<string, number>();
  ids.forEach((id, row) => {
    const earlier = rowOf.get(id);
    if (earlier !== undefined) {
      throw new InputError(
        `${source}: "${set.ids[earlier]}" and "${set.ids[row]}" are both the image "${id}"; keep one.`,
      );
    }
    rowOf.set(id, row);
  });
  return { ...set, ids, failures: set.failures.map(({ id, error }) => ({ id: idOf(id), error })) };
}
