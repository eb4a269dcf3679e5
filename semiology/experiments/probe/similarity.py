"""Similarity of layers and of streams: linear centred kernel alignment (CKA) on the same clips.

Sources: Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019 (linear
CKA); Song et al., Feature Selection via Dependence Maximization, JMLR 2012 (the unbiased estimate
of HSIC that makes the debiased form).
"""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from semiology.errors import UserError
from semiology.experiments.probe.features import Features


def cka(x: np.ndarray, y: np.ndarray, debiased: bool = True) -> float:
    """Linear CKA of features x (clip, p) and y (clip, q) of the same clips: 1 where they are the
    same up to rotation and scale.

        CKA = HSIC(K, L) / sqrt(HSIC(K, K) HSIC(L, L)),   K = x x', L = y y'

    Clips are few and features many, and then the plain form (||x'y||^2 of centred features) is near
    1 even for unrelated features. The debiased form takes the unbiased estimate of HSIC instead:
    near 0 for unrelated features, and a little below 0 by chance.

    Args:
        debiased: False gives the plain form.

    Returns:
        NaN where a layer says the same of every clip.

    Raises:
        UserError: not the same clips, fewer than four, or values that are missing.
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    if x.ndim != 2 or y.ndim != 2 or len(x) != len(y):
        raise UserError(
            f"CKA: needs features (clip, feature) of the same clips, got {x.shape} and {y.shape}"
        )
    if len(x) < 4:
        raise UserError(f"CKA: {len(x)} clips; needs four or more")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise UserError("CKA: values are missing; leave those clips or features out")
    # centring changes nothing in the debiased form but its rounding errors, which a common offset
    # would make large
    k, m = (centred @ centred.T for centred in (x - x.mean(0), y - y.mean(0)))
    product = _unbiased_hsic if debiased else _hsic
    norm = product(k, k) * product(m, m)
    return (
        float(product(k, m) / np.sqrt(norm))
        if norm > 1e-24 * np.trace(k) ** 2 * np.trace(m) ** 2
        else float("nan")
    )


def similarity(
    features: Sequence[Features] | Mapping[str, Features], debiased: bool = True
) -> pd.DataFrame:
    """CKA between layers: a matrix as a table, its rows and columns named by layer (or by the names
    that a mapping gives).

    Features must be per clip; the clips that all of them hold are compared. Where models were kept
    for each fold, CKA is taken inside each fold (all of its clips) and averaged over folds.
    Features that are missing in some clip are left out.
    """
    named = (
        dict(features)
        if isinstance(features, Mapping)
        else {layer.layer: layer for layer in features}
    )
    clips = (
        sorted(set.intersection(*(set(layer.table["clip_id"]) for layer in named.values())))
        if named
        else []
    )
    spaces = {
        name: [_complete(values) for values, _ in layer.spaces(clips)]
        for name, layer in named.items()
    }
    folds = [set(layer.table["fold"]) for layer in named.values() if "fold" in layer.table]
    if any(names != folds[0] for names in folds):
        raise UserError(
            "CKA: the layers come from runs with different folds; compare layers of the same folds"
        )
    matrix = pd.DataFrame(np.nan, index=list(named), columns=list(named))
    for a in named:
        for b in named:
            pairs = _pairs(spaces[a], spaces[b])
            matrix.loc[a, b] = np.mean([cka(first, second, debiased) for first, second in pairs])
    return matrix


def _pairs(a: list[np.ndarray], b: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Fold by fold; features without folds (the input) stand beside every fold."""
    count = max(len(a), len(b))
    return list(zip(a * count if len(a) == 1 else a, b * count if len(b) == 1 else b))


def _complete(values: np.ndarray) -> np.ndarray:
    return values[:, np.isfinite(values).all(axis=0)]


def _hsic(k: np.ndarray, m: np.ndarray) -> float:
    return float((k * m).sum())


def _unbiased_hsic(k: np.ndarray, m: np.ndarray) -> float:
    """Song et al. 2012, equation 5; the diagonals are left out."""
    n = len(k)
    k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
    total = (
        (k * m).sum()
        + k.sum() * m.sum() / ((n - 1) * (n - 2))
        - 2 / (n - 2) * (k.sum(0) @ m.sum(0))
    )
    return float(total / (n * (n - 3)))
