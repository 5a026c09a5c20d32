"""Writes test/golden/lw.json: the whitening Lw by numpy, from its definition.

    python3 scripts/reference-lw.py
"""
import json
import pathlib

import numpy as np

rng = np.random.RandomState(11)
rows, channels, kept = 40, 6, 4
things = rng.randn(8, channels)
x = things[np.arange(rows) % 8] + 0.4 * rng.randn(rows, channels) * np.linspace(0.2, 2, channels)
x /= np.linalg.norm(x, axis=1, keepdims=True)
x = x.astype(np.float32).astype(np.float64)
# rows i and i + 8 show the same thing; some rows are the query of several pairs, some of none
queries = np.array([0, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 9])
positives = np.array([8, 16, 9, 18, 11, 20, 29, 14, 15, 24, 17, 33])


def lw(pairs):
    q, p = queries[:pairs], positives[:pairs]
    m = x[q].mean(0)
    df = x[q] - x[p]
    s = df.T @ df / len(q)
    added = 0.0
    while True:
        try:
            inverse = np.linalg.inv(np.linalg.cholesky(s + added * np.eye(channels)))
            break
        except np.linalg.LinAlgError:
            added = 1e-10 if added == 0 else 10 * added
    y = (x - m) @ inverse.T
    values, vectors = np.linalg.eigh(y.T @ y)
    components = vectors[:, ::-1].T[:kept] @ inverse
    whitened = (x - m) @ components.T
    whitened /= np.linalg.norm(whitened, axis=1, keepdims=True)
    # signs of eigenvectors are free; similarities do not depend on them
    return {"pairs": pairs, "mean": m.tolist(), "added": added, "components": components.tolist(), "similarities": (whitened @ whitened.T).ravel().tolist()}


golden = {
    "provenance": f"numpy {np.__version__}, scripts/reference-lw.py",
    "channels": channels,
    "kept": kept,
    "rows": x.ravel().tolist(),
    "queries": queries.tolist(),
    "positives": positives.tolist(),
    "cases": [lw(12), lw(4)],  # four differences span four of six dimensions: the diagonal must be raised
}
path = pathlib.Path(__file__).parent.parent / "test/golden/lw.json"
path.write_text(json.dumps(golden) + "\n")
print([case["added"] for case in golden["cases"]])
