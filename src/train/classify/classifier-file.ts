/**
 * @file A head as a file: safetensors with the layers, and class names and form as JSON in the metadata. One that "rmac weights
 * import" wrote of a published network has fc6 and fc7 alone, and says which network they belong to in place of classes.
 */
import { z } from 'zod';
import { readBytes } from '../../data/model-file.js';
import { InputError } from '../../errors.js';
import { encodeSafetensors, type NamedArrays, parseSafetensors } from '../../models/safetensors.js';
import { firstFew } from '../../retrieval/ground-truth.js';
import { type HeadLayout, headKinds } from './classifier-head.js';

/** Its name in a run folder and in a checkpoint. */
export const classifierFile = 'classifier.safetensors';

const classifierKey = 'rmac-classifier';

const metaSchema = z.strictObject({
  head: z.enum(headKinds),
  classes: z.array(z.string()).min(2).optional(),
  dropout: z.number().min(0).max(0.95).optional(),
  architecture: z.string().optional(),
});

/** fc6 and fc7 of a published network (import-classifier.ts). */
export function encodePublishedClassifier(architecture: string, weights: NamedArrays): Uint8Array {
  return encodeSafetensors(weights, { [classifierKey]: JSON.stringify({ head: 'fc', architecture }) });
}

export function encodeClassifier({ kind, classes, dropout }: HeadLayout, weights: NamedArrays): Uint8Array {
  return encodeSafetensors(weights, { [classifierKey]: JSON.stringify({ head: kind, classes, dropout }) });
}

/**
 * Reads a head's weights: all, or those of fc6 and fc7. Throws `InputError` if it is none, or one of another form, of other
 * classes, or for another network or size of crops than `layout`.
 */
export async function readClassifier(file: string, layout: HeadLayout, architecture: string): Promise<NamedArrays> {
  const { tensors, metadata } = parseSafetensors(await readBytes(file), file);
  const text = metadata[classifierKey];
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
  const { head, classes, architecture: published } = parsed.data;
  if (head !== layout.kind) {
    throw new InputError(`${file} has a head of the form ${head}, the run one of the form ${layout.kind}.`);
  }
  if (classes === undefined) {
    assertPublished(tensors, layout, { file, published, architecture });
    return tensors;
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

function assertPublished(
  tensors: NamedArrays,
  { widths }: HeadLayout,
  { file, published, architecture }: { file: string; published: string | undefined; architecture: string },
): void {
  if (published !== architecture) {
    throw new InputError(`${file} has the fully connected layers of ${published}; the model is ${architecture}.`);
  }
  const inputs = tensors.get('classifier/fc6/kernel')?.shape[0];
  if (inputs !== widths[0]) {
    throw new InputError(
      `${file}: fc6 takes ${inputs} inputs, crops of this cropSize give ${widths[0]}; use the network's own cropSize (VGG: 224, AlexNet: 227, torchvision's: 224).`,
    );
  }
}
