/** @file What is measured on: the protocol, a benchmark's folder, a manifest or a ground-truth file. */
import { type Command, Option } from 'commander';
import { protocols } from '../retrieval/protocols/truth-source.js';
import { imageRootOption } from './image-root-option.js';

/** Adds `--protocol`, `--data`, `--manifest`, `--groundtruth`, `--image-root` and `--upright`. */
export function addBenchmarkOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--protocol <name>', 'which queries, which positives: those below')
        .choices(protocols)
        .makeOptionMandatory(),
    )
    .option('--data <dir>', "a benchmark's folder: its images and its ground truth")
    .option('--manifest <file>', '.jsonl manifest (labels)')
    .option('--groundtruth <path>', 'JSON file (groundtruth); ground truth of a benchmark that lies apart from --data')
    .option(...imageRootOption)
    .option('--upright <path>', 'Holidays: list of turns, or folder of upright images');
}

/** The protocols in words, for a command's help. */
export const protocolsHelp = `
labels         every image of a manifest is a query; positives are the other images of the landmark; the image itself
               and images of its group under another landmark are junk
groundtruth    a JSON file says
oxford5k       Oxford, Paris: *_query.txt, *_good.txt, *_ok.txt, *_junk.txt; the query stays in the database
paris6k        (Paris without its 20 broken images)
roxford5k      revisited, gnd_roxford5k.pkl or .mat: easy, medium, hard, with mP@1, 5 and 10; map is medium's
rparis6k
holidays       500 queries by their names against the other 1490; holidays-991: against the 991 that are no query
ukbench        N-S score of all 10200 images; ukbench-2550: of the first of each four
Junk neither counts nor takes a rank. Queries without positives are counted and stay out of the means. A query with a
box is cropped and shown at the scale of the whole image.`;
