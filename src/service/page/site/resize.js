/**
 * @file Brings the pixels of a photograph to the model's size as the collection's were (sharp, that is libvips): first the mean of whole
 * blocks until at least a factor of two is left, then Lanczos of three lobes (or bicubic, where the model was trained with that), widened by what is left; enlarging is bicubic. Plain numbers.
 */

/** @typedef {{ left: number, top: number, width: number, height: number }} Part px, whole */
/** @typedef {{ width: number, height: number }} Sides px */
/** @typedef {{ longest: number, upscale?: boolean, multipleOf?: number, kernel?: string }} Sizing as `ImageSizing` of the library */

/** Pixels that are read at once. */
const blockPixels = 1 << 21;

/**
 * The size at which a part of a photograph is shown to the model: at the scale that the whole would have.
 * @param {Sides} whole
 * @param {Sides} part
 * @param {Sizing} sizing
 * @returns {Sides}
 */
export function shownSides(whole, part, { longest, upscale = true, multipleOf = 1 }) {
  const longestPart = Math.max(part.width, part.height);
  const wanted = longest / Math.max(whole.width, whole.height);
  const isWhole = part.width === whole.width && part.height === whole.height;
  const limited = upscale ? wanted : Math.min(1, wanted);
  const scale = isWhole ? limited : Math.max(1, Math.round(limited * longestPart)) / longestPart;
  const snap = (/** @type {number} */ side) => Math.max(1, Math.round((side * scale) / multipleOf)) * multipleOf;
  return { width: snap(part.width), height: snap(part.height) };
}

/**
 * @param {(part: Part) => Uint8ClampedArray | Uint8Array} read gives the RGBA of a part, opaque
 * @param {Part} part
 * @param {Sides} target
 * @param {string} [kernel] to shrink with
 * @returns {Float32Array} RGB 0-255, [height, width, 3]
 */
export function resized(read, part, target, kernel) {
  const blocks = {
    width: Math.max(1, Math.floor(part.width / target.width / 2)),
    height: Math.max(1, Math.floor(part.height / target.height / 2)),
  };
  const shrunk = blockMeans(read, part, blocks);
  const { width, height } = shrunk;
  const rows = resample(shrunk.data, {
    lines: 1,
    length: height,
    stride: 3 * width,
    to: target.height,
    factor: part.height / blocks.height / target.height,
    kernel,
  });
  const columns = resample(rows, {
    lines: target.height,
    length: width,
    stride: 3,
    to: target.width,
    factor: part.width / blocks.width / target.width,
    kernel,
  });
  return Float32Array.from(columns);
}

/**
 * Means of blocks; the last ones are filled up with the last row and column.
 * @param {(part: Part) => Uint8ClampedArray | Uint8Array} read
 * @param {Part} part
 * @param {Sides} block
 */
function blockMeans(read, part, block) {
  const width = Math.ceil(part.width / block.width);
  const height = Math.ceil(part.height / block.height);
  const data = new Uint8ClampedArray(3 * width * height);
  const step = Math.max(1, Math.floor(blockPixels / (part.width * block.height)));
  for (let first = 0; first < height; first += step) {
    const top = first * block.height;
    const rows = Math.min(step * block.height, part.height - top);
    const pixels = read({ left: part.left, top: part.top + top, width: part.width, height: rows });
    for (let y = first; y < Math.min(height, first + step); y++) {
      for (let x = 0; x < width; x++) {
        let r = 0;
        let g = 0;
        let b = 0;
        for (let i = 0; i < block.height; i++) {
          const row = Math.min(rows - 1, (y - first) * block.height + i) * part.width;
          for (let j = 0; j < block.width; j++) {
            const at = 4 * (row + Math.min(part.width - 1, x * block.width + j));
            r += pixels[at];
            g += pixels[at + 1];
            b += pixels[at + 2];
          }
        }
        const to = 3 * (y * width + x);
        const count = block.width * block.height;
        data[to] = r / count;
        data[to + 1] = g / count;
        data[to + 2] = b / count;
      }
    }
  }
  return { data, width, height };
}

/**
 * Resamples one axis: `lines` times `length` places of `stride` values become `to` places.
 * @param {Uint8ClampedArray} data
 * @param {{ lines: number, length: number, stride: number, to: number, factor: number, kernel: string | undefined }} axis factor: places that become one
 */
function resample(data, { lines, length, stride, to, factor, kernel: name }) {
  if (to === length && factor === 1) return data;
  const out = new Uint8ClampedArray(lines * to * stride);
  const sums = new Float32Array(stride);
  const widened = Math.max(1, factor);
  const [kernel, lobes] = factor > 1 && name !== 'cubic' ? [lanczos3, 3] : [bicubic, 2];
  const reach = lobes * widened;
  for (let place = 0; place < to; place++) {
    // Where libvips takes it from: half a place of its own earlier when it enlarges.
    const centre = (factor > 1 ? place + 0.5 : place) * factor - 0.5;
    const first = Math.ceil(centre - reach);
    const weights = [];
    for (let i = first; i <= centre + reach; i++) weights.push(kernel((i - centre) / widened));
    const total = weights.reduce((sum, weight) => sum + weight, 0);
    for (let line = 0; line < lines; line++) {
      sums.fill(0);
      for (let k = 0; k < weights.length; k++) {
        const weight = weights[k];
        const from = (line * length + Math.min(length - 1, Math.max(0, first + k))) * stride;
        for (let c = 0; c < stride; c++) sums[c] += weight * data[from + c];
      }
      const at = (line * to + place) * stride;
      for (let c = 0; c < stride; c++) out[at + c] = sums[c] / total;
    }
  }
  return out;
}

/** @param {number} x */
function lanczos3(x) {
  if (x === 0) return 1;
  if (Math.abs(x) >= 3) return 0;
  const angle = Math.PI * x;
  return (3 * Math.sin(angle) * Math.sin(angle / 3)) / (angle * angle);
}

/** Catmull-Rom. @param {number} x */
function bicubic(x) {
  const t = Math.abs(x);
  if (t >= 2) return 0;
  return t < 1 ? 1 + t * t * (1.5 * t - 2.5) : 2 - t * (4 - t * (2.5 - 0.5 * t));
}
