"""A map that does not depend on what the network learned explains nothing: randomised weights must
destroy it.

Source: Adebayo et al., Sanity Checks for Saliency Maps, NeurIPS 2018 (cascading randomisation, rank
correlation). The threshold is ours.

The figure of merit of a map: take away what it names first, and the score must fall faster than if
anything is taken away.

After Petsiuk et al., RISE, BMVC 2018 (deletion); cells are whole pieces of a joint's time, because
single missing frames are filled in tracking and no network meets them. Our choice, as are the
sizes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy.integrate import trapezoid
from scipy.stats import spearmanr
from torch import nn

from semiology.data.skeleton import Skeleton
from semiology.experiments.explain.attribution import ClipInput, Gated, LogOdds
from semiology.models.training.saved import SavedModel

# mean rank correlation with the map of a wholly randomised network, below which the check is passed
# [our choice]
THRESHOLD = 0.5

Maps = Callable[[nn.Module], list[np.ndarray]]  # network -> the maps of some clips


def stages(network: nn.Module) -> list[str]:
    """The network's parts from the output to the input: children in the order of their
    registration, lists of blocks one by one.
    """
    names: list[str] = []
    for name, child in network.named_children():
        names += (
            [f"{name}.{number}" for number in range(len(child))]
            if isinstance(child, nn.ModuleList)
            else [name]
        )
    return names[::-1]


def cascade(saved: SavedModel, fresh: nn.Module) -> list[tuple[str, nn.Module]]:
    """(stage, network) with more and more of the trained weights taken from `fresh`, from the head
    down; the last is `fresh` throughout.

    Running statistics go with their layer. Weights that belong to no part come with the last one.
    """
    trained, other = saved.network.state_dict(), fresh.state_dict()
    taken: set[str] = set()
    networks = []
    names = stages(saved.network)
    for stage in names:
        taken |= (
            {key for key in trained if key.startswith(stage + ".")}
            if stage != names[-1]
            else set(trained)
        )
        network = saved.options(saved.shape)
        network.load_state_dict({key: (other if key in taken else trained)[key] for key in trained})
        networks.append((stage, network.eval()))
    return networks


def rank_correlation(one: Sequence[np.ndarray], other: Sequence[np.ndarray]) -> float:
    """Mean over clips of Spearman's correlation between the absolute values of two maps; 0 where a
    map is constant.
    """
    found = []
    for a, b in zip(one, other):
        a, b = np.abs(a).ravel(), np.abs(b).ravel()
        found.append(0.0 if np.ptp(a) == 0 or np.ptp(b) == 0 else float(spearmanr(a, b).statistic))
    return float(np.mean(found))


@dataclass(frozen=True)
class Randomised:
    """What randomised weights left of some clips' maps, for one trained network.

    Attributes:
        cascade: stage -> rank correlation with the trained network's maps, from the head down.
        whole: the same for each wholly random network.
        maps: (network, clip) their maps.
        clips: how many.
    """

    cascade: dict[str, float]
    whole: list[float]
    maps: list[list[np.ndarray]]
    clips: int


def randomised(
    saved: SavedModel, own: Sequence[np.ndarray], maps: Maps, networks: int = 3
) -> Randomised:
    """Maps of the same clips by networks with random weights: step by step with the first,
    throughout with each.

    Args:
        saved: the trained network.
        own: its maps (time, joint) of some clips.
        maps: gives the maps of the same clips for any network of its shape.
        networks: how many random ones.
    """
    fresh = [fresh_network(saved, seed) for seed in range(networks)]
    found = [maps(network) for network in fresh]
    whole = [rank_correlation(own, other) for other in found]
    *partly, (last, _) = cascade(saved, fresh[0])
    cascaded = {name: rank_correlation(own, maps(network)) for name, network in partly}
    return Randomised({**cascaded, last: whole[0]}, whole, found, len(own))


def fresh_network(saved: SavedModel, seed: int) -> nn.Module:
    """The same network with the weights that training starts from."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return saved.options(saved.shape).eval()


def sanity_check(found: Sequence[Randomised]) -> dict[str, Any]:
    """The verdict over all folds' networks, each weighted by its clips: `correlation` with wholly
    random networks must be low.
    """
    clips = [one.clips for one in found]
    correlation = float(np.average([np.mean(one.whole) for one in found], weights=clips))
    rows = [
        {
            "stage": stage,
            "correlation": round(
                float(np.average([one.cascade[stage] for one in found], weights=clips)), 4
            ),
        }
        for stage in found[0].cascade
    ]
    return {
        "correlation": round(correlation, 4),
        "threshold": THRESHOLD,
        "passed": correlation < THRESHOLD,
        "cascade": rows,
        "networks": len(found[0].whole),
        "clips": sum(clips),
    }


FRACTIONS = np.linspace(0, 1, 11)
PIECES = 16  # of a window in time, as in occlusion
ORDERS = 10  # random ones, whose mean is the comparison


@dataclass(frozen=True)
class Deletion:
    """Probability of the level after each of `FRACTIONS` was taken away: (fraction,) each, mean
    over windows.
    """

    attributed: np.ndarray
    random: np.ndarray

    @property
    def area(self) -> float:
        """Mean of random minus attributed over the fractions, 0 where the map is no better than
        chance.
        """
        return float(trapezoid(self.random - self.attributed, FRACTIONS))


def deletion(
    score: LogOdds,
    clip: ClipInput,
    joints: np.ndarray,
    skeleton: Skeleton,
    kinds: list[str],
    rng: np.random.Generator,
) -> Deletion:
    """Delete cells, joint by piece of time, in order of their attribution (window, time, joint),
    and in random orders.

    Cells in which the joint was never seen are no part of it: there is nothing to take away. What
    is deleted is missing as a lost joint is, see `Gated`.
    """
    attributed, random = [], []
    for keypoints, mask, values in zip(clip.keypoints, clip.mask, joints):
        time = len(mask)
        piece = (np.arange(time) * PIECES) // time
        summed = np.zeros((PIECES, mask.shape[1]))
        np.add.at(summed, piece, values)
        seen = np.zeros(summed.shape, bool)
        np.logical_or.at(seen, piece, mask.numpy() > 0)
        cells = np.argwhere(seen)
        order = np.argsort(-summed[seen], kind="stable")
        orders = [order, *(rng.permutation(len(cells)) for _ in range(ORDERS))]
        gates = np.ones((len(orders), len(FRACTIONS), PIECES, mask.shape[1]), np.float32)
        for number, ranks in enumerate(orders):
            for step, fraction in enumerate(FRACTIONS):
                gone = cells[ranks[: round(fraction * len(cells))]]
                gates[number, step, gone[:, 0], gone[:, 1]] = 0
        with torch.no_grad():
            shown = Gated(score, keypoints, mask, skeleton, kinds)
            found = [shown(torch.from_numpy(gate[:, piece])).sigmoid().numpy() for gate in gates]
        attributed.append(found[0])
        random.append(np.mean(found[1:], axis=0))
    return Deletion(np.mean(attributed, axis=0), np.mean(random, axis=0))
