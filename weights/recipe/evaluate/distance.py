"""Distances between two sets of features: Fréchet and kernel distance, precision and recall. No network in here.

Sets of the same sizes compare with one another; a Fréchet distance of few clips is too large by much, which is why
floors of as many clips stand beside every one of them.
"""

from __future__ import annotations

import numpy as np

from .labels import Array

NEAREST = 3  # neighbours that span a manifold (Kynkäänniemi et al. 2019)


def frechet(a: Array, b: Array) -> float:
    """|mean a - mean b|² + tr(A + B - 2 (A B)^½) of the covariances A, B of features [N, F] and [M, F].

    The eigenvalues of A B are those of A^½ B A^½, which is symmetric, so that no root of a general matrix is needed.
    """
    if min(len(a), len(b)) < 2:
        raise ValueError(f"frechet: needs two clips of each kind, got {len(a)} and {len(b)}")
    first, second = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    values, vectors = np.linalg.eigh(np.atleast_2d(first))
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ np.atleast_2d(second) @ root).clip(0)).sum()
    shift = a.mean(0) - b.mean(0)
    return float(max(shift @ shift + np.trace(np.atleast_2d(first)) + np.trace(np.atleast_2d(second)) - 2 * cross, 0))


def pairwise(a: Array, b: Array) -> Array:
    """Euclidean distances [N, M]."""
    squares = (a**2).sum(1)[:, None] + (b**2).sum(1)[None] - 2 * a @ b.T
    result: Array = np.sqrt(squares.clip(0))
    return result


def covered(points: Array, manifold: Array, nearest: int = NEAREST) -> float:
    """Share of points [N, F] that are as near to one of the manifold's [M, F] as its own k-th neighbour is."""
    if len(manifold) <= nearest:
        raise ValueError(f"covered: {nearest} neighbours need more than {nearest} clips, got {len(manifold)}")
    radius = np.sort(pairwise(manifold, manifold), 1)[:, nearest]  # column 0 is the point itself
    return float((pairwise(points, manifold) <= radius).any(1).mean())


def precision_recall(samples: Array, real: Array) -> tuple[float, float]:
    """(share of samples that could be real, share of the real that could be sampled)."""
    return covered(samples, real), covered(real, samples)


def kernel_distance(samples: Array, real: Array) -> float:
    """Unbiased squared MMD with the kernel (x·y / F + 1)³ (Bińkowski et al. 2018), in thousandths, after every feature
    is standardized by the real clips. Its mean does not depend on the number of clips, so that few can be compared; it
    can fall below 0 where nothing tells the sets apart."""
    centre, scale = real.mean(0), real.std(0) + 1e-6
    a, b = (samples - centre) / scale, (real - centre) / scale

    def kernel(x: Array, y: Array) -> Array:
        result: Array = (x @ y.T / x.shape[1] + 1) ** 3
        return result

    def among(x: Array) -> float:
        own = kernel(x, x)
        return float((own.sum() - np.trace(own)) / (len(x) * (len(x) - 1)))

    return 1000 * (among(a) + among(b) - 2 * float(kernel(a, b).mean()))


def compare(samples: Array, real: Array) -> dict[str, float]:
    precision, recall = precision_recall(samples, real)
    return {
        "frechet": frechet(samples, real),
        "kernel": kernel_distance(samples, real),
        "precision": precision,
        "recall": recall,
    }


def between_halves(real: Array, size: int, repeats: int, seed: int = 0) -> dict[str, float]:
    """The floor: disjoint sets of `size` real clips against the rest of them, mean over `repeats` draws; and how much
    the Fréchet distances of the draws scatter (standard deviation), as those of so many samples do."""
    random = np.random.default_rng(seed)
    size = min(size, len(real) // 2)
    rows = []
    for _ in range(repeats):
        order = random.permutation(len(real))
        rows.append(compare(real[order[:size]], real[order[size:]]))
    means = {name: float(np.mean([row[name] for row in rows])) for name in rows[0]}
    scatter = float(np.std([row["frechet"] for row in rows], ddof=1)) if repeats > 1 else 0.0
    return means | {"clips": size, "frechet_scatter": scatter}
