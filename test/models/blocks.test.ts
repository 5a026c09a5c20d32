import { describe, expect, test } from 'vitest';
import { cutTrunk, imageInput, outputSizes } from '../../src/models/architecture.js';
import { architectureNamed, architectures } from '../../src/models/architectures.js';
import { type Block, recomputationBlocks } from '../../src/models/blocks.js';

const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);

function blocksOf(name: string) {
  const { layers } = cutTrunk(architectureNamed(name));
  const sizes = outputSizes({ layers });
  return { layers, sizes, blocks: recomputationBlocks(layers, { sizes }) };
}

/** Stored maps and the outputs of the block in work, at the block where that is most. */
function peakOf(blocks: readonly Block[], sizes: ReadonlyMap<string, number>): number {
  return Math.max(
    ...blocks.map((block, i) => {
      const stored = sum(blocks.slice(0, i + 1).map(({ input }) => sizes.get(input)!));
      return stored + sum(block.layers.map(({ name }) => sizes.get(name)!));
    }),
  );
}

describe('recomputationBlocks', () => {
  test.each([...architectures.keys()])('%s: blocks are all layers in order, joined by one map each', (name) => {
    const { layers, blocks } = blocksOf(name);
    expect(blocks.flatMap((block) => block.layers)).toEqual(layers);
    let last = imageInput;
    for (const { input, layers: own } of blocks) {
      expect(input).toBe(last);
      const readable = new Set([input]);
      for (const layer of own) {
        for (const read of layer.inputs) expect(readable, `${layer.name} reads ${read}`).toContain(read);
        readable.add(layer.name);
      }
      last = own.at(-1)!.name;
    }
  });

  test('a chain of equal layers: about 2 sqrt(n) in place of n (Chen et al., section 3)', () => {
    const layers = Array.from({ length: 100 }, (_, i) => ({
      op: 'norm' as const,
      name: `layer${i}`,
      inputs: [i === 0 ? imageInput : `layer${i - 1}`],
      stage: 'only',
      channels: 1,
      activation: 'relu' as const,
    }));
    const sizes = new Map([imageInput, ...layers.map(({ name }) => name)].map((name) => [name, 1]));
    const blocks = recomputationBlocks(layers, { sizes });
    // Ten blocks of ten layers: at most 10 stored maps and 10 outputs.
    expect(peakOf(blocks, sizes)).toBeLessThanOrEqual(20);
    expect(blocks.length).toBeGreaterThan(5);
  });

  test.each(['resnet50-tv', 'resnet152-tv', 'densenet121', 'mobilenet-v2-tv'])(
    '%s: less than half of what one tape keeps',
    (name) => {
      const { layers, sizes, blocks } = blocksOf(name);
      expect(peakOf(blocks, sizes)).toBeLessThan(0.5 * sum(layers.map((layer) => sizes.get(layer.name)!)));
    },
  );

  test('no layers: no blocks', () => {
    expect(recomputationBlocks([], { sizes: new Map([[imageInput, 3]]) })).toEqual([]);
  });
});
