/** @file A weight file of any kind -> a model's meta and weights: the trunk, and what a retrieval model has behind it. */
import { InputError } from '../../errors.js';
import { transposed } from '../../linear/rows.js';
import { cutTrunk } from '../architecture.js';
import { architectureNamed } from '../architectures.js';
import { projectionBiasName, projectionKernelName } from '../descriptor.js';
import { type ImportedWeights, type ImportOptions, importWeights } from '../import-weights.js';
import { withWhitening } from '../whitening.js';
import { parsing } from './bytes.js';
import { type RetrievalModel, type RetrievalOptions, retrievalModelOf } from './retrieval.js';
import type { WeightFile } from './weight-file.js';

export interface ImportedFile extends ImportedWeights {
  /** The retrieval system that the file comes from, when it is more than a network. */
  system?: RetrievalModel['system'];
  /** The stored whitening that was taken. */
  whiteningName?: string | undefined;
}

/** Converts a weight file. Throws `InputError` that lists what does not fit, or names what our model cannot compute. */
export function importFile(
  file: WeightFile,
  source: string,
  { whitening, pooling, ...options }: ImportOptions & RetrievalOptions,
): ImportedFile {
  const retrieval = parsing(source, 'a retrieval model', () =>
    retrievalModelOf(file, source, { whitening, prefix: options.prefix }),
  );
  if (retrieval === undefined) {
    if (whitening !== undefined && whitening !== 'none') {
      throw new InputError(`${source} is a network without whitening; leave --whitening out.`);
    }
    return importWeights(file.tensors, source, {
      preprocessing: file.preprocessing,
      pooling: pooling ?? {},
      ...options,
    });
  }
  const imported = importWeights(retrieval.trunk, source, {
    preprocessing: retrieval.preprocessing ?? file.preprocessing,
    pooling: { ...retrieval.pooling, ...pooling },
    ...options,
    prefix: '',
  });
  const { channels } = cutTrunk(architectureNamed(options.architecture), options.cut);
  let { meta, weights } = imported;
  let width = channels;
  if (retrieval.projection !== undefined) {
    const { weight, bias } = retrieval.projection;
    const [dimension] = weight.shape;
    expectWidth(source, 'projection', { found: weight.shape[1], expected: width });
    weights.set(projectionKernelName, { shape: [width, dimension], data: transposed(weight.data, width) });
    weights.set(projectionBiasName, bias);
    meta = { ...meta, projection: { dimension } };
    width = dimension;
  }
  if (retrieval.whitening !== undefined) {
    expectWidth(source, 'whitening', { found: retrieval.whitening.mean.length, expected: width });
    ({ meta, weights } = withWhitening(meta, weights, retrieval.whitening));
  }
  for (const [name, { data }] of weights) {
    if (!data.every((value) => Number.isFinite(value)))
      throw new InputError(`${source}: ${name} holds NaN or infinite values.`);
  }
  return { ...imported, meta, weights, system: retrieval.system, whiteningName: retrieval.whiteningName };
}

function expectWidth(source: string, part: string, { found, expected }: { found: number; expected: number }): void {
  if (found === expected) return;
  throw new InputError(`${source}: its ${part} takes ${found} channels, the network cut there gives ${expected}.`);
}

/** [rows, columns] -> [columns, rows]. */
