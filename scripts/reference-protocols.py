"""Writes test/golden/protocols.json: the measures of the benchmarks on random rankings, from their published definitions.

    python3 scripts/reference-protocols.py

Nothing here shares code or formulas with the project: Oxford's AP is the loop over the whole list with recall and
precision before and after each image; the revisited measures take junk out of the list before anything is counted;
scikit-learn gives the average precision of label sets; resamples and sign flips are enumerated, not drawn.
"""
import itertools
import json
import math
import pathlib
import pickle

import numpy as np
import scipy.io
import scipy.stats
import sklearn
from sklearn.metrics import average_precision_score

random = np.random.RandomState(7)


def loop_ap(ranking, positives, junk):
    """Philbin et al.'s program: trapezoids under precision over recall, junk passed over."""
    old_recall, old_precision, ap = 0.0, 1.0, 0.0
    found = seen = 0
    for name in ranking:
        if name in junk:
            continue
        found += name in positives
        seen += 1
        recall, precision = found / len(positives), found / seen
        ap += (recall - old_recall) * (old_precision + precision) / 2
        old_recall, old_precision = recall, precision
    return ap


def oxford_case(size, good, ok, junk, listed):
    names = [f"image_{i:06d}" for i in random.permutation(size)]
    parts = np.split(np.array(names), np.cumsum([good, ok, junk]))
    ranking = [str(n) for n in random.permutation(names)[:listed]]
    positives = set(parts[0]) | set(parts[1])
    return {
        "good": parts[0].tolist(),
        "ok": parts[1].tolist(),
        "junk": parts[2].tolist(),
        "database": sorted(names),
        "ranking": ranking,
        "ap": loop_ap(ranking, positives, set(parts[2])),
    }


def revisited_case(size, queries):
    ranks = np.stack([random.permutation(size) for _ in range(queries)], 1)  # [database, queries]
    gnd = []
    for q in range(queries):
        counts = [0 if random.rand() < 0.2 else random.randint(1, 6) for _ in range(3)]
        parts = np.split(random.permutation(size), np.cumsum(counts))[:3]
        gnd.append({key: part.tolist() for key, part in zip(["easy", "hard", "junk"], parts)})
    settings = {
        "easy": (["easy"], ["junk", "hard"]),
        "medium": (["easy", "hard"], ["junk"]),
        "hard": (["hard"], ["junk", "easy"]),
    }
    results = {}
    for name, (right, neither) in settings.items():
        aps, precisions = [], []
        for q in range(queries):
            positives = {i for key in right for i in gnd[q][key]}
            junk = {i for key in neither for i in gnd[q][key]}
            if not positives:
                aps.append(None)
                continue
            kept = [i for i in ranks[:, q] if i not in junk]
            aps.append(loop_ap(kept, positives, set()))
            hits = np.array([i in positives for i in kept])
            last = np.flatnonzero(hits)[-1] + 1
            precisions.append([hits[: min(last, k)].mean() for k in (1, 5, 10)])
        scored = [ap for ap in aps if ap is not None]
        results[name] = {
            "map": float(np.mean(scored)) if scored else None,
            "aps": aps,
            "mpAt": dict(zip(["1", "5", "10"], np.mean(precisions, 0).tolist())) if scored else None,
        }
    return {"gnd": gnd, "ranks": ranks.tolist(), "settings": results}


def holidays_case(groups):
    names = [100000 + 100 * g + i for g in range(groups) for i in range(random.randint(2, 6))]
    results = {"1490": [], "991": []}
    rankings = []
    for query in [n for n in names if n % 100 == 0]:
        ranking = [int(n) for n in random.permutation(names)]
        rankings.append({"query": query, "ranking": ranking})
        positives = {n for n in names if n // 100 == query // 100 and n != query}
        others = [n for n in ranking if n != query]
        results["1490"].append(loop_ap(others, positives, set()))
        results["991"].append(loop_ap([n for n in others if n % 100 != 0], positives, set()))
    return {
        "names": names,
        "rankings": rankings,
        "aps": results,
        "map": {key: float(np.mean(aps)) for key, aps in results.items()},
    }


def ukbench_case(groups):
    size = 4 * groups
    rankings = [[i, *[int(n) for n in random.permutation([j for j in range(size) if j != i])]] for i in range(size)]
    for ranking in rankings[::3]:  # not every system finds the query itself first
        random.shuffle(ranking)
    hits = [sum(n // 4 == q // 4 for n in ranking[:4]) for q, ranking in enumerate(rankings)]
    return {
        "images": size,
        "rankings": rankings,
        "score": float(np.mean(hits)),
        "scoreOfFirsts": float(np.mean(hits[::4])),
    }


def label_case(size, positives):
    relevant = np.zeros(size, int)
    relevant[random.permutation(size)[:positives]] = 1
    scores = random.permutation(size).astype(float)
    order = np.argsort(-scores)
    return {
        "ranks": np.flatnonzero(relevant[order]).tolist(),
        "positives": positives,
        "ap": float(average_precision_score(relevant, scores)),
    }


def resampled(groups):
    """Every equally likely resample of the groups, and the mean over the values in it."""
    means = []
    for chosen in itertools.product(range(len(groups)), repeat=len(groups)):
        values = [v for g in chosen for v in groups[g]]
        means.append(sum(values) / len(values))
    means = np.array(means)
    return {
        "groups": groups,
        "mean": float(np.mean([v for g in groups for v in g])),
        # between these a 2.5 % and a 97.5 % quantile of 100000 draws lie (6 standard errors)
        "low": np.quantile(means, [0.022, 0.028]).tolist(),
        "high": np.quantile(means, [0.972, 0.978]).tolist(),
    }


def sign_flips(groups):
    """Two-sided p of the mean of differences when each group's sign is a coin: all 2^n cases."""
    sums = np.array([sum(g) for g in groups])
    count = sum(len(g) for g in groups)
    observed = abs(sums.sum()) / count
    flips = np.array(list(itertools.product([1, -1], repeat=len(groups))))
    extreme = np.abs(flips @ sums) / count >= observed * (1 - 1e-12)
    return {"groups": groups, "mean": float(sums.sum() / count), "p": float(extreme.mean())}


def scipy_sign_flips(values):
    """The same with one value a group, by scipy."""
    result = scipy.stats.permutation_test(
        (np.array(values),), lambda x, axis: x.mean(axis), permutation_type="samples", n_resamples=math.inf,
        vectorized=True,
    )
    return {"groups": [[v] for v in values], "mean": float(np.mean(values)), "p": float(result.pvalue)}


def some(low, high, sizes):
    return [np.round(random.uniform(low, high, size), 6).tolist() for size in sizes]


golden = {
    "provenance": f"numpy {np.__version__}, scipy {scipy.__version__}, scikit-learn {sklearn.__version__}, "
    "scripts/reference-protocols.py",
    "oxford": [
        oxford_case(60, 3, 4, 5, 60),
        oxford_case(60, 1, 0, 0, 60),
        oxford_case(40, 6, 10, 12, 40),
        oxford_case(80, 5, 5, 3, 25),
        oxford_case(30, 0, 2, 27, 30),
    ],
    "revisited": [revisited_case(40, 12), revisited_case(25, 7)],
    "holidays": holidays_case(9),
    "ukbench": ukbench_case(8),
    "labels": [label_case(50, p) for p in (1, 2, 7, 49)],
    "bootstrap": [resampled(some(0, 1, [5, 5, 5, 5, 5])), resampled(some(0, 1, [1, 2, 7, 3, 4, 2]))],
    "signFlips": [
        sign_flips(some(-0.1, 0.3, [1] * 6)),
        sign_flips(some(-0.2, 0.3, [5, 5, 4, 3, 5, 6, 2, 5, 5, 5, 5])),
        scipy_sign_flips([0.12, -0.03, 0.4, 0.05, 0.21, -0.02, 0.17, 0.09]),
    ],
}
path = pathlib.Path(__file__).parent.parent / "test/golden/protocols.json"
path.write_text(json.dumps(golden, indent=None, separators=(",", ":")) + "\n")

# The first revisited case as the files that such ground truths come in, database and queries by Oxford's names.
folder = path.parent / "gnd"
folder.mkdir(exist_ok=True)
case = golden["revisited"][0]
size, queries = len(case["ranks"]), len(case["gnd"])
imlist = [f"all_souls_{i:06d}" for i in range(size)]
qimlist = [f"keble_{i:06d}" for i in range(queries)]
boxes = [[3.5 + q, 2.0, 60.25, 40.0 + q] for q in range(queries)]
lists = [{**record, "bbx": boxes[q]} for q, record in enumerate(case["gnd"])]
arrays = [{key: np.array(value) for key, value in record.items()} for record in lists]
as_lists = {"gnd": lists, "imlist": imlist, "qimlist": qimlist}
as_arrays = {"gnd": arrays, "imlist": imlist, "qimlist": qimlist}
(folder / "lists.pkl").write_bytes(pickle.dumps(as_lists, protocol=2))
(folder / "arrays.pkl").write_bytes(pickle.dumps(as_arrays, protocol=4))
(folder / "arrays-protocol2.pkl").write_bytes(pickle.dumps(as_arrays, protocol=2))
(folder / "text.pkl").write_bytes(pickle.dumps(as_lists, protocol=0))
(folder / "lists.json").write_text(json.dumps(as_lists))
matlab = np.zeros((1, queries), dtype=[(key, object) for key in ("bbx", "easy", "hard", "junk")])
for q, record in enumerate(arrays):
    for key, value in record.items():
        matlab[0, q][key] = (value if key == "bbx" else value + 1).astype(float).reshape(1, -1)
cells = {name: np.array(names, dtype=object).reshape(1, -1) for name, names in (("imlist", imlist), ("qimlist", qimlist))}
scipy.io.savemat(folder / "plain.mat", {"gnd": matlab, **cells})
scipy.io.savemat(folder / "compressed.mat", {"gnd": matlab, **cells}, do_compression=True)
np.save(folder / "ranks.npy", np.array(case["ranks"]))
