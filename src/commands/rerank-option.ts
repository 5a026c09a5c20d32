/** @file `--rerank`, `--localization` and `--localized-qe`: a second look at the top of every ranking, in the images' activation maps. */
import type { Command } from 'commander';
import { UsageError } from '../errors.js';
import { type LevelValues, levelValues } from '../retrieval/localization/compact-map.js';
import type { RerankChoice } from '../retrieval/localization/ground-truth-reranker.js';
import { defaultRerankDepth, maximaKinds, rerankKinds } from '../retrieval/localization/rerank.js';
import { positiveInteger } from './console.js';

type Rerank = NonNullable<RerankChoice['rerank']>;
type Localization = NonNullable<RerankChoice['localization']>;

/** Adds `--rerank`, `--localization` and `--localized-qe`. */
export function addRerankOptions(command: Command): Command {
  return command
    .option(
      '--rerank <kind>',
      `re-rank the first images (default: ${defaultRerankDepth}) by what looks like the query in them: aml, aml-rmac or cross-match, with :N for another number, or :N,N,... for mAP against it`,
      rerankOption,
    )
    .option(
      '--localization <settings>',
      'of --rerank: t=3 (cells between boxes), s=1.1 (factor between aspects), alpha=10, read=centres or levels, maxima=integral or exact, with commas',
      localizationOption,
    )
    .option(
      '--localized-qe <k>',
      'rank those images once more by the mean of the query and what was localised in the best k',
      positiveInteger,
    );
}

/** commander parser: "aml", "aml-rmac:200", "aml:50,100,200". */
export function rerankOption(text: string): Rerank {
  const [name, numbers = `${defaultRerankDepth}`, ...rest] = text.split(':');
  const kind = rerankKinds.find((known) => known === name);
  const depths = numbers.split(',').map((number) => (/^\d+$/.test(number) ? Number(number) : 0));
  if (kind === undefined || rest.length > 0 || !depths.every((depth) => depth >= 1 && depth <= 1e6)) {
    throw new UsageError(
      `--rerank: expected ${rerankKinds.join(', ')}, with :N for N images, such as aml:200 or aml:50,100,200, got "${text}".`,
    );
  }
  const ascending = [...new Set(depths)].toSorted((a, b) => a - b);
  return { kind, depth: ascending[ascending.length - 1], ...(ascending.length > 1 && { depths: ascending }) };
}

/** commander parser: "t=2,s=1.5,read=levels". */
export function localizationOption(text: string): Localization {
  const found: Localization = {};
  const wrong = (part: string) =>
    new UsageError(
      `--localization: expected t (whole, from 1), s (from 1), alpha (1 to 100), read (${Object.keys(levelValues).join(' or ')}) or ` +
        `maxima (${maximaKinds.join(' or ')}), such as t=3,s=1.1,alpha=10, got "${part}".`,
    );
  for (const part of text.split(',')) {
    const [key, value = '', ...rest] = part.split('=');
    const number = value.trim() === '' ? Number.NaN : Number(value);
    if (rest.length > 0) throw wrong(part);
    if (key === 't' && Number.isSafeInteger(number) && number >= 1) found.step = number;
    else if (key === 's' && number >= 1) found.aspectBound = number;
    else if (key === 'alpha' && number >= 1 && number <= 100) found.alpha = number;
    else if (key === 'read' && Object.hasOwn(levelValues, value)) found.read = value as LevelValues;
    else if (key === 'maxima' && value === 'integral') found.maxima = value;
    else if (key === 'maxima' && value === 'exact') found.maxima = value;
    else throw wrong(part);
  }
  return found;
}

/** The flags in words. */
export function rerankText({ rerank, localization = {}, localizedQe }: RerankChoice): string {
  const settings = Object.entries(localization).map(([name, value]) => `, ${name} ${value}`);
  const expansion = localizedQe === undefined ? '' : `, expanded by the best ${localizedQe}`;
  return `the first ${rerank!.depth} by ${rerank!.kind}${settings.join('')}${expansion}`;
}

/** "0: 0.8290, 100: 0.8350": length of the shortlist and mAP. */
export function curveText(curve: readonly (readonly [depth: number, map: number])[]): string {
  return curve.map(([depth, map]) => `${depth}: ${map.toFixed(4)}`).join(', ');
}
