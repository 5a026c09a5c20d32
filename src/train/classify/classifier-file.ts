/** @file A trained head as a file: safetensors with the layers, and class names and form as JSON in the metadata. */
import { z } from 'zod';
import { readBytes } from '../../data/model-file.js';
import { InputError } from '../../errors.js';
import { encodeSafetensors, type NamedArrays, parseSafetensors } from '../../models/safetensors.js';
import { firstFew } from '../../retrieval/ground-truth.js';
import type { HeadLayout } from './classifier-head.js';

/** Its name in a run folder and in a checkpoint. */
export const classifierFile = 'classifier.safetensors';

const metadataKey = 'rmac-classifier';

const metaSchema = z.strictObject({
  head: z.enum(['fc', 'pooled']),
  classes: z.array(z.string()).min(2),
  dropout: z.number().min(0).max(0.95),
});

export function encodeClassifier({ kind, classes, dropout }: HeadLayout, weights: NamedArrays): Uint8Array {
  return encodeSafetensors(weights, { [metadataKey]: JSON.stringify({ head: kind, classes, dropout }) });
}

/** Reads a head's weights. Throws `InputError` if it is none, or one of another form or of other classes than `layout`. */
export async function readClassifier(file: string, layout: HeadLayout): Promise<NamedArrays> {
  const { tensors, metadata } = parseSafetensors(await readBytes(file), file);
  const text = metadata[metadataKey];
  if (text === undefined) {
    throw new InputError(`${file} is no classifier; expected a ${classifierFile} that "rmac train classify" wrote.`);
  }
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new InputError(`${file}: the metadata is not JSON.`);
  }
  const parsed = metaSchema.safeParse(value);
  if (!parsed.success) throw new InputError(`${file}: metadata: ${parsed.error.issues[0].message}.`);
  const { head, classes } = parsed.data;
  if (head !== layout.kind) {
    throw new InputError(`${file} has a head of the form ${head}, the run one of the form ${layout.kind}.`);
  }
  const missing = layout.classes.filter((name) => !classes.includes(name));
  const extra = classes.filter((name) => !layout.classes.includes(name));
  if (missing.length > 0 || extra.length > 0) {
    const parts = [
      ...(missing.length > 0 ? [`it lacks ${firstFew(missing)}`] : []),
      ...(extra.length > 0 ? [`it has ${firstFew(extra)}, which the manifest lacks`] : []),
    ];
    throw new InputError(
      `${file} is a classifier of ${classes.length} classes, the manifest has ${layout.classes.length}: ${parts.join('; ')}. Leave --classifier out to start a new head.`,
    );
  }
  if (classes.some((name, i) => name !== layout.classes[i])) {
    throw new InputError(`${file}: its classes are not in alphabetical order; it was changed since it was written.`);
  }
  return tensors;
}
