/** @file Where the nodes of a small graph go on paper: springs along edges, repulsion between all (Fruchterman and Reingold 1991). */
import type { Edge } from '../cleaning/graph/match-graph.js';

/** Positions [N, 2] in the unit square. Deterministic; the cost grows with the square of the nodes. */
export function layOutGraph(count: number, edges: readonly Edge[], { rounds = 120 } = {}): Float64Array {
  const positions = new Float64Array(2 * count);
  for (let i = 0; i < count; i++) {
    // A sunflower: no two nodes start at one place, neighbours in the list start apart.
    const radius = 0.5 * Math.sqrt((i + 0.5) / count);
    positions[2 * i] = radius * Math.cos(i * 2.399963);
    positions[2 * i + 1] = radius * Math.sin(i * 2.399963);
  }
  const ideal = 0.9 / Math.sqrt(Math.max(1, count));
  const moves = new Float64Array(2 * count);
  for (let round = 0; round < rounds; round++) {
    moves.fill(0);
    const push = (i: number, j: number, force: (distance: number) => number) => {
      const dx = positions[2 * i] - positions[2 * j];
      const dy = positions[2 * i + 1] - positions[2 * j + 1];
      const distance = Math.max(1e-6, Math.hypot(dx, dy));
      const f = force(distance) / distance;
      moves[2 * i] += dx * f;
      moves[2 * i + 1] += dy * f;
      moves[2 * j] -= dx * f;
      moves[2 * j + 1] -= dy * f;
    };
    for (let i = 0; i < count; i++) {
      for (let j = 0; j < i; j++) push(i, j, (distance) => (ideal * ideal) / distance);
      // a little gravity keeps components on the paper
      moves[2 * i] -= 0.3 * positions[2 * i];
      moves[2 * i + 1] -= 0.3 * positions[2 * i + 1];
    }
    for (const { a, b } of edges) push(a, b, (distance) => (-distance * distance) / ideal);
    const heat = 0.1 * (1 - round / rounds);
    for (let i = 0; i < count; i++) {
      const length = Math.hypot(moves[2 * i], moves[2 * i + 1]);
      const step = length > 0 ? Math.min(heat, length) / length : 0;
      positions[2 * i] += moves[2 * i] * step;
      positions[2 * i + 1] += moves[2 * i + 1] * step;
    }
  }
  return toUnitSquare(positions);
}

function toUnitSquare(positions: Float64Array): Float64Array {
  for (const axis of [0, 1]) {
    let [low, high] = [Infinity, -Infinity];
    for (let i = axis; i < positions.length; i += 2) {
      low = Math.min(low, positions[i]);
      high = Math.max(high, positions[i]);
    }
    for (let i = axis; i < positions.length; i += 2) {
      positions[i] = high > low ? (positions[i] - low) / (high - low) : 0.5;
    }
  }
  return positions;
}
