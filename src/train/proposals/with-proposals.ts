/** @file A descriptor model stored with the network of proposals that was trained beside it. */
import type { StorableModel } from '../../data/model-file.js';
import type { RpnHead } from '../../rpn/head.js';

/** The model with the head as it is now in place of the proposals it had. */
export function withProposals(model: StorableModel, head: RpnHead): StorableModel {
  return {
    meta: { ...model.meta, rpn: head.meta },
    // Every head has weights of the same names.
    toArrays: async () => new Map([...(await model.toArrays()), ...(await head.toArrays())]),
  };
}
