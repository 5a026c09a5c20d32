/**
 * @file Where the benchmarks lie, by name, as their pages give it. None of the pages gives a checksum of these files: the
 * sha256 of the first download is written down beside the data (`download.json`) and later runs are held to it.
 */
import { UsageError } from '../errors.js';

export interface PublishedFile {
  /** Its name here, in a mirror, and in --from DIR. */
  name: string;
  url: string;
  /** Folder below --out that it is put into, or unpacked into. '' is --out itself. */
  into: string;
  unpack: boolean;
}

export interface PublishedData {
  name: string;
  title: string;
  /** The page that publishes it. */
  page: string;
  licence: string;
  /** About, for the person who waits. */
  size: string;
  files: readonly PublishedFile[];
  /** Why the files cannot be fetched from their addresses here, and how they can. */
  manual?: string;
  /** What is left to do afterwards. */
  next?: string;
}

const vgg = 'https://www.robots.ox.ac.uk/~vgg/data';
const revisitop = 'http://cmp.felk.cvut.cz/revisitop/data/datasets';
const flickrTerms =
  "photographs from Flickr: use must respect Flickr's terms and the terms of access on the page of the Visual Geometry Group, Oxford";

const images = (name: string, url: string): PublishedFile => ({ name, url, into: 'images', unpack: true });
const oxfordImages = images('oxbuild_images-v1.tgz', `${vgg}/oxbuildings/oxbuild_images-v1.tgz`);
const parisImages = ['paris_1-v1.tgz', 'paris_2-v1.tgz'].map((name) => images(name, `${vgg}/parisbuildings/${name}`));
const truth = (name: string, url: string): PublishedFile => ({ name, url, into: 'gt', unpack: true });
const gnd = (name: string): PublishedFile => ({
  name: `gnd_${name}.pkl`,
  url: `${revisitop}/${name}/gnd_${name}.pkl`,
  into: '',
  unpack: false,
});
const evaluateIt = (name: string) => `rmac evaluate --protocol ${name} --data DIR --model model.safetensors`;

export const publishedData: ReadonlyMap<string, PublishedData> = new Map(
  (
    [
      {
        name: 'oxford5k',
        title: 'Oxford Buildings (Philbin et al., CVPR 2007)',
        page: `${vgg}/oxbuildings/`,
        licence: flickrTerms,
        size: '1.9 GB',
        files: [oxfordImages, truth('gt_files_170407.tgz', `${vgg}/oxbuildings/gt_files_170407.tgz`)],
        next: evaluateIt('oxford5k'),
      },
      {
        name: 'paris6k',
        title: 'Paris (Philbin et al., CVPR 2008)',
        page: `${vgg}/parisbuildings/`,
        licence: flickrTerms,
        size: '2.5 GB',
        files: [...parisImages, truth('paris_120310.tgz', `${vgg}/parisbuildings/paris_120310.tgz`)],
        next: evaluateIt('paris6k'),
      },
      {
        name: 'oxford100k',
        title: 'Flickr 100k, distractors for Oxford and Paris (Philbin et al., CVPR 2007)',
        page: `${vgg}/oxbuildings/flickr100k.html`,
        licence: flickrTerms,
        size: '40 parts',
        files: Array.from({ length: 40 }, (_, i) => {
          const name = `oxc1_100k.part${String(i + 1).padStart(2, '0')}.rar`;
          return { name, url: `${vgg}/oxbuildings/ox100k/${name}`, into: '', unpack: false };
        }),
        next: 'unrar x oxc1_100k.part01.rar (RAR cannot be unpacked here), then rmac evaluate ... --distractors DIR/oxc1_100k',
      },
      {
        name: 'roxford5k',
        title: 'Revisited Oxford (Radenović et al., CVPR 2018)',
        page: 'http://cmp.felk.cvut.cz/revisitop/',
        licence: `${flickrTerms}; the ground truth has no licence file, its page asks to cite the paper`,
        size: '1.9 GB',
        files: [oxfordImages, gnd('roxford5k')],
        next: evaluateIt('roxford5k'),
      },
      {
        name: 'rparis6k',
        title: 'Revisited Paris (Radenović et al., CVPR 2018)',
        page: 'http://cmp.felk.cvut.cz/revisitop/',
        licence: `${flickrTerms}; the ground truth has no licence file, its page asks to cite the paper`,
        size: '2.5 GB',
        files: [...parisImages, gnd('rparis6k')],
        next: evaluateIt('rparis6k'),
      },
      {
        name: 'holidays',
        title: 'INRIA Holidays (Jégou, Douze & Schmid, ECCV 2008)',
        page: 'https://lear.inrialpes.fr/people/jegou/data.php.html',
        licence: 'copyright of all images: INRIA; provided as is, without warranty; its page asks to cite the paper',
        size: '2.7 GB',
        files: ['jpg1.tar.gz', 'jpg2.tar.gz'].map((name) =>
          images(name, `ftp://ftp.inrialpes.fr/pub/lear/douze/data/${name}`),
        ),
        manual: 'they lie on an FTP server, which this command does not speak: fetch them with curl -C - -O ADDRESS',
        next: evaluateIt('holidays'),
      },
      {
        name: 'ukbench',
        title: 'UKBench (Nistér & Stewénius, CVPR 2006)',
        page: 'https://archive.org/details/ukbench',
        licence: 'no licence is published with the copy at archive.org; its authors ask to cite the paper',
        size: '2 GB',
        files: [
          { name: 'ukbench.zip', url: 'https://archive.org/download/ukbench/ukbench.zip', into: '', unpack: true },
        ],
        next: evaluateIt('ukbench'),
      },
    ] satisfies PublishedData[]
  ).map((data) => [data.name, data]),
);

/** Throws `UsageError` listing the known names. */
export function publishedDataNamed(name: string): PublishedData {
  const data = publishedData.get(name);
  if (data === undefined) {
    throw new UsageError(`Unknown data set "${name}". Known: ${[...publishedData.keys()].join(', ')}, landmarks.`);
  }
  return data;
}
