import { expect, test } from 'vitest';
import { fromHalf, toHalf } from '../../src/linear/half-float.js';
import { HalfRows } from '../../src/linear/half-rows.js';

/** Every float16 that is finite and not negative, by the definition: bits -> value. */
const finite = Float32Array.from({ length: 0x7c00 }, (_, bits) => {
  const [exponent, fraction] = [bits >> 10, bits & 1023];
  return exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15);
});

test('float16 bits have the values of the definition, and those values their bits', () => {
  const bits = Uint16Array.from(finite.keys());
  expect(fromHalf(bits)).toEqual(finite);
  expect(toHalf(finite)).toEqual(bits);
  expect(fromHalf(bits.map((each) => each | 0x8000))).toEqual(finite.map((value) => -value));
  expect([...toHalf(Float32Array.of(65520, -1e6, Infinity, NaN))]).toEqual([0x7c00, 0xfc00, 0x7c00, 0x7e00]);
});

test('what lies between two float16 goes to the nearer, and from the middle to the even one', () => {
  for (let bits = 0; bits + 1 < finite.length; bits += 7) {
    const [low, high] = [finite[bits], finite[bits + 1]];
    const middle = (low + high) / 2; // exact in float32
    const even = bits % 2 === 0 ? bits : bits + 1;
    const third = Math.fround(low + (high - low) / 3);
    expect([...toHalf(Float32Array.of(middle, third, -middle))]).toEqual([even, bits, even | 0x8000]);
  }
});

test.each([8, 13, 512])('products with rows of %i values are those of the float16 values', (dimension) => {
  const wave = (n: number) => Math.sin(1 + 12.9898 * n) / Math.sqrt(dimension);
  const rows = new HalfRows(37, dimension);
  const query = Float32Array.from({ length: dimension }, (_, i) => wave(i + 0.5));
  for (let row = 0; row < 37; row++) {
    // the last row is of subnormal values
    const scale = row === 36 ? 2 ** -13 : 1;
    rows.set(row, toHalf(Float32Array.from({ length: dimension }, (_, i) => scale * wave(row * dimension + i))));
  }
  const products = rows.products(query);
  expect(products.length).toBe(37);
  for (const [row, product] of products.entries()) {
    const expected = rows.row(row).reduce((sum, value, i) => sum + value * query[i], 0);
    expect(Math.abs(product - expected)).toBeLessThan(row === 36 ? 1e-10 : 5e-7);
  }
  expect(rows.products(query)[36]).not.toBe(0);
});
