"""Which recordings may be copies of each other, without comparing every two.

Every window of one second is a vector. Random planes through the space of all windows sort them:
windows on the same side of the first planes stand together. A window of a copy and that of its
original have nearly the same direction, so that in some of many orders they are close neighbours.
Clips whose windows are often neighbours, at one shift, are compared as a whole [C: the forests of
locality-sensitive hashing, Bawa, Condie and Ganesan 2005; the numbers are our choice]. The cost
grows with the number of windows, n log n.
"""

from collections.abc import Mapping

import numpy as np

from semiology.evaluation.audit.fingerprint import SHORTEST, Changes

DIRECTIONS = 24  # of most variance among all windows, that are kept
SAMPLE = 4000  # windows, to find them
ORDERS = 16  # random orders of the windows
PLANES = 30  # of each order
NEXT = 6  # windows after each in an order that are compared with it
ALIKE = 0.6  # correlation of two windows that counts
PARTNERS = 6  # clips with which each is compared as a whole


def candidates(steps: Mapping[str, Changes], owners: Mapping[str, str]) -> list[tuple[str, str]]:
    """Pairs of clips of different owners that may show one recording, sorted by name.

    Args:
        steps: clip -> its changes, all of one number of channels.
        owners: clip -> participant.
    """
    names, rng = sorted(steps), np.random.default_rng(0)
    places = [_moving(steps[name]) for name in names]
    clip, start = np.repeat(np.arange(len(names)), list(map(len, places))), np.concatenate(places)
    if len(clip) < 2:
        return []
    some = np.sort(rng.permutation(len(clip))[:SAMPLE])
    directions = _directions(
        np.concatenate(
            [
                _windows(steps[names[number]], start[some[clip[some] == number]])
                for number in np.unique(clip[some])
            ]
        )
    )
    vectors = np.concatenate(
        [_unit(_windows(steps[name], own) @ directions) for name, own in zip(names, places)]
    )
    _, person = np.unique([owners[name] for name in names], return_inverse=True)
    seen: dict[str, list[np.ndarray]] = {"pair": [], "fit": []}
    for _ in range(ORDERS):
        signs = vectors @ rng.normal(size=(vectors.shape[1], PLANES)).astype(np.float32) > 0
        order = np.argsort(signs @ (1 << np.arange(PLANES)), kind="stable")
        for after in range(1, NEXT + 1):
            first, second = order[:-after], order[after:]
            fit = np.einsum("ij,ij->i", vectors[first], vectors[second])
            near = (fit > ALIKE) & (person[clip[first]] != person[clip[second]])
            first, second = first[near], second[near]
            low, high = np.minimum(first, second), np.maximum(first, second)
            seen["pair"].append(low * len(vectors) + high)
            seen["fit"].append(fit[near])
    pairs, place = np.unique(np.concatenate(seen["pair"]), return_index=True)
    first, second = np.divmod(pairs, len(vectors))
    fit = np.concatenate(seen["fit"])[place]
    best = _most_alike(clip[first], clip[second], start[first] - start[second], fit)
    return sorted((names[one], names[other]) for one, other in best)


def _moving(own: Changes) -> np.ndarray:
    """Where windows begin in which something changes; of ten a second, those with more change than
    their neighbours.
    """
    size, apart = int(SHORTEST * own.rate), int(own.rate / 10)
    if len(own) < size:
        return np.empty(0, int)
    energy = own.energy[size:] - own.energy[:-size]
    around = np.lib.stride_tricks.sliding_window_view(np.pad(energy, apart), 2 * apart + 1)
    return np.flatnonzero(
        (energy > 0.25 * own.energy[-1] * size / len(own)) & (energy == around.max(axis=1))
    )


def _windows(own: Changes, starts: np.ndarray) -> np.ndarray:
    """Windows of a clip, (window, time x channel)."""
    size = int(SHORTEST * own.rate)
    if not len(starts):
        return np.empty((0, size * own.steps.shape[1]), np.float32)
    every = np.lib.stride_tricks.sliding_window_view(own.steps, size, axis=0)
    return every[starts].reshape(len(starts), -1)


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


def _directions(windows: np.ndarray) -> np.ndarray:
    """Those of most variance, (time x channel, direction)."""
    windows = _unit(windows)
    _, vectors = np.linalg.eigh(windows.T @ windows)
    return vectors[:, -DIRECTIONS:].astype(np.float32)


def _most_alike(
    first: np.ndarray, second: np.ndarray, shift: np.ndarray, fit: np.ndarray
) -> list[tuple[int, int]]:
    """Of each clip, the PARTNERS with the most neighbouring windows at one shift."""
    if not len(first):
        return []
    count, shift = int(max(first.max(), second.max())) + 1, shift - shift.min()
    span = int(shift.max()) + 1
    found, which = np.unique((first * count + second) * span + shift, return_inverse=True)
    pairs, begin = np.unique(found // span, return_index=True)  # found is in order
    votes = np.tile(np.maximum.reduceat(np.bincount(which, fit), begin), 2)
    clip = np.concatenate([pairs // count, pairs % count])
    order = np.lexsort((-votes, clip))
    rank = np.arange(len(clip)) - np.searchsorted(clip[order], clip[order])
    kept = np.unique(np.tile(pairs, 2)[order][rank < PARTNERS])
    return [(int(pair // count), int(pair % count)) for pair in kept]
