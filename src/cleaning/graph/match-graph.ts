/**
 * @file The match graph of Gordo et al. 2016, section 4: photographs are nodes, verified pairs are edges weighted by their inliers;
 * edges below a threshold are pruned, and what stays connected shows one thing. Plain numbers.
 */

/** Parts of an edge that the graph itself needs. Nodes are positions in a list of images. */
export interface Edge {
  a: number;
  b: number;
  /** Correspondences that agree with the pair's affine map. */
  inliers: number;
}

/** Edges of at least `minInliers`, order kept. */
export function pruneEdges<E extends Edge>(edges: readonly E[], minInliers: number): E[] {
  return edges.filter(({ inliers }) => inliers >= minInliers);
}

/**
 * Connected components of the nodes 0 to `count` - 1, largest first, isolated nodes included; the nodes of each rise. Equal sizes:
 * the component with more inliers on its edges first, then the one with the lower first node. The order of `edges` does not matter.
 * @throws RangeError for an edge to a node that is not there.
 */
export function connectedComponents(count: number, edges: readonly Edge[]): number[][] {
  const parent = Int32Array.from({ length: count }, (_, node) => node);
  const rootOf = (node: number): number => {
    let root = node;
    while (parent[root] !== root) root = parent[root];
    for (let next = node; next !== root; ) [next, parent[next]] = [parent[next], root];
    return root;
  };
  for (const { a, b } of edges) {
    if (!(a >= 0 && a < count && b >= 0 && b < count)) {
      throw new RangeError(`connectedComponents: edge ${a}-${b} in a graph of ${count} nodes.`);
    }
    const [rootA, rootB] = [rootOf(a), rootOf(b)];
    // The lowest node is the root, so that the result does not depend on the order of the edges.
    parent[Math.max(rootA, rootB)] = Math.min(rootA, rootB);
  }
  const members = new Map<number, number[]>();
  for (let node = 0; node < count; node++) {
    const root = rootOf(node);
    const component = members.get(root);
    if (component === undefined) members.set(root, [node]);
    else component.push(node);
  }
  const weight = new Float64Array(count);
  for (const { a, inliers } of edges) weight[rootOf(a)] += inliers;
  return [...members.values()].sort(
    (x, y) => y.length - x.length || weight[rootOf(y[0])] - weight[rootOf(x[0])] || x[0] - y[0],
  );
}
