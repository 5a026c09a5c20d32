"""Writes test/golden/pca.json: PCA-whitening of a small matrix by numpy, from the definition.

    python3 scripts/reference-pca.py
"""
import json
import pathlib

import numpy as np

# Unit rows from integers, so that the test rebuilds exactly the same input: x[i, j] = ((7 i + 3 j + i j) mod 11) + 1.
rows, channels, kept = 24, 5, 3
i, j = np.meshgrid(np.arange(rows), np.arange(channels), indexing="ij")
x = ((7 * i + 3 * j + i * j * j) % 11 + 1).astype(np.float64)
x /= np.linalg.norm(x, axis=1, keepdims=True)
x = x.astype(np.float32).astype(np.float64)
mean = x.mean(0)
covariance = (x - mean).T @ (x - mean) / rows
values, vectors = np.linalg.eigh(covariance)
values, vectors = values[::-1], vectors[:, ::-1].T
for v in vectors:
    v *= np.sign(v[np.argmax(np.abs(v))])
components = vectors[:kept] / np.sqrt(values[:kept, None])
golden = {
    "provenance": f"numpy {np.__version__} eigh, scripts/reference-pca.py",
    "rows": rows,
    "channels": channels,
    "mean": mean.tolist(),
    "eigenvalues": values[:kept].tolist(),
    "components": components.tolist(),
    "explainedVariance": values[:kept].sum() / values.sum(),
}
path = pathlib.Path(__file__).parent.parent / "test/golden/pca.json"
path.write_text(json.dumps(golden, indent=1) + "\n")
