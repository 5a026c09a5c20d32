/** @file float16 (IEEE 754 binary16) as bits in a Uint16Array. Node 20 has no Float16Array. */

const word = new Uint32Array(1);
const float = new Float32Array(word.buffer);

/** The nearest float16 of each value, of two equally near ones the even one; beyond 65,504 infinity. */
export function toHalf(values: Float32Array, out = new Uint16Array(values.length)): Uint16Array {
  for (let i = 0; i < values.length; i++) {
    float[0] = values[i];
    const sign = (word[0] >>> 16) & 0x8000;
    const bits = word[0] & 0x7fffffff;
    if (bits >= 0x47800000)
      out[i] = sign | (bits > 0x7f800000 ? 0x7e00 : 0x7c00); // too large, or no number
    else if (bits >= 0x38800000) out[i] = sign | ((bits - 0x38000000 + 0xfff + ((bits >>> 13) & 1)) >>> 13);
    else {
      // Below 2^-14 the steps are 2^-24: adding 1/2 leaves as many of them in the float32's last places, rounded.
      float[0] = Math.abs(values[i]) + 0.5;
      out[i] = sign | (word[0] - 0x3f000000);
    }
  }
  return out;
}

/** The values of float16 bits, exactly. */
export function fromHalf(bits: Uint16Array, out = new Float32Array(bits.length)): Float32Array {
  for (let i = 0; i < bits.length; i++) {
    const exponent = (bits[i] >>> 10) & 31;
    const sign = (bits[i] & 0x8000) << 16;
    word[0] = sign | ((bits[i] & 0x7fff) << 13);
    if (exponent === 31) word[0] |= 0x7f800000;
    else float[0] *= 2 ** 112;
    out[i] = float[0];
  }
  return out;
}
