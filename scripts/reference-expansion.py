"""Writes test/golden/expansion.json: query expansion and database augmentation by numpy, from the published definitions.

    python3 scripts/reference-expansion.py
"""
import json
import pathlib

import numpy as np

# Unit rows in float64. Signs are mixed, so that some neighbours have negative similarities.
rng = np.random.RandomState(5)
rows, queries, dimension = 9, 4, 6


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


x = unit(rng.randn(rows, dimension)).astype(np.float32).astype(np.float64)
q = unit(rng.randn(queries, dimension)).astype(np.float32).astype(np.float64)


def average(k):
    """Mean of the query and its k nearest rows."""
    order = np.argsort(-(q @ x.T), axis=1, kind="stable")[:, :k]
    return np.stack([np.vstack([q[i : i + 1], x[order[i]]]).mean(0) for i in range(queries)])


def gordo(k):
    """Weighted mean of a row and its k nearest others, weights 1, k/k, (k-1)/k, ... 1/k."""
    sim = x @ x.T
    weights = np.concatenate([[1.0], np.arange(k, 0, -1) / k])
    out = []
    for i in range(rows):
        others = [j for j in np.argsort(-sim[i], kind="stable") if j != i][:k]
        out.append(np.average(x[[i, *others]], axis=0, weights=weights))
    return np.stack(out)


def alpha(a, k, itself):
    """Mean of a row and similarity^a times each of its k nearest, then l2. `itself`: rows among themselves, diagonal 0."""
    left = x if itself else q
    sim = left @ x.T
    if itself:
        np.fill_diagonal(sim, 0)
    out = []
    for i in range(len(left)):
        chosen = np.argpartition(sim[i], -k)[-k:] if k < rows else np.arange(rows)
        s = sim[i][chosen]
        # negative similarities to a fractional power are no number: weight 0 is this project's definition
        weights = s**a if a == int(a) else np.maximum(s, 0) ** a
        mean = (left[i] + weights @ x[chosen]) / (k + 1)
        out.append(mean / np.linalg.norm(mean))
    return np.stack(out)


golden = {
    "provenance": f"numpy {np.__version__}, scripts/reference-expansion.py",
    "dimension": dimension,
    "database": x.ravel().tolist(),
    "queries": q.ravel().tolist(),
    "qe": [
        *({"option": f"aqe:{k}", "rows": average(k).ravel().tolist()} for k in (1, 3, 9)),
        *({"option": f"alpha:{a}:{k}", "rows": alpha(a, k, False).ravel().tolist()} for a, k in ((3, 4), (0, 2), (2, 9), (1, 9), (0.5, 9), (3, 9))),
    ],
    "dba": [
        *({"option": f"gordo:{k}", "rows": gordo(k).ravel().tolist()} for k in (1, 3, 8)),
        *({"option": f"alpha:{a}:{k}", "rows": alpha(a, k, True).ravel().tolist()} for a, k in ((3, 2), (0, 2), (1, 6), (0, 8), (3, 8), (1.5, 8))),
    ],
}
path = pathlib.Path(__file__).parent.parent / "test/golden/expansion.json"
path.write_text(json.dumps(golden, indent=1) + "\n")
# The cases that matter are in: a k-th neighbour of negative similarity, at whole and at fractional powers.
assert (np.sort(q @ x.T, axis=1)[:, 0] < 0).all()
