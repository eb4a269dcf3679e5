"""Features of any layer of a trained stream, pooled over joints and time as the stream itself pools
them; and the similarity of layers and of streams by linear centred kernel alignment (CKA).

Sources: Kornblith et al., Similarity of Neural Network Representations Revisited, ICML 2019 (linear
CKA); Song et al., Feature Selection via Dependence Maximization, JMLR 2012 (the unbiased estimate
of HSIC that makes the debiased form).
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from torch import Tensor, nn

from semiology.errors import UserError
from semiology.experiments.probe.features import Features, input_features
from semiology.models.networks.masks import masked_mean, strided_mask
from semiology.models.training.clips import ClipSource
from semiology.models.training.dataset import NO_CHANGE, ClipDataset
from semiology.models.training.saved import SavedModel, load_model

Per = Literal["clip", "frame"]


def layer_names(model: SavedModel | nn.Module | str | Path) -> list[str]:
    """Every layer that can be probed, in the network's order: "input", its modules ("blocks.0",
    ...), "features", "logits".

    Of a network over segments the modules cannot be probed: they see a clip's segments, each by
    itself.
    """
    network = model if isinstance(model, nn.Module) else _load(model).network
    if hasattr(network, "over_segments"):
        return ["input", "features", "logits"]
    return ["input", *(name for name, _ in network.named_modules() if name), "features", "logits"]


def usual_layers(network: nn.Module) -> list[str]:
    """The layers when none are named: the input, each block, the features, the logits."""
    modules: Any = getattr(network, "blocks", [])
    blocks = [f"blocks.{number}" for number in range(len(modules))]
    return ["input", *blocks, "features", "logits"]


def layer_features(
    model: SavedModel | str | Path,
    cohort: ClipSource | str | Path,
    store: str | Path | None = None,
    layers: Sequence[str] | None = None,
    per: Per = "clip",
) -> dict[str, Features]:
    """Features of layers of one trained stream for the clips of a cohort.

    "input" is what the stream reads (see `input_features`), "features" the vector before the head,
    "logits" the output of the head, and every other name a module of the network ("blocks.0"). A
    module's output (batch, channel, time, joint) is averaged over joints, and per clip over the
    steps in which anything was seen and over the clip's windows, so that the last block's features
    are "features". Per frame there is a row for each step of each window, NaN where nothing was
    seen.

    Args:
        model: folder of a saved model, or the model.
        cohort: folder of the cohort, or a source that reads it as the model does.
        store: folder that `semiology extract` filled, where the cohort's clips are videos.
        layers: by name; by default the input, each block, the features and the logits.
        per: "clip" or "frame".

    Returns:
        layer -> features, with seen="everybody": nothing here shows that the model had not seen
        them. `run_features` keeps folds apart.

    Raises:
        UserError: no such layer, a layer whose output has no row for each window or (per frame) no
            time.
    """
    saved = _load(model)
    if isinstance(cohort, ClipSource):
        source = cohort
        if source.reading != saved.reading:
            raise UserError(
                f"{source.cohort}: is read in another way than the model reads; give the folder, or"
                " a source with the model's reading"
            )
    else:
        source = ClipSource(str(cohort), saved.reading, None if store is None else str(store))
    wanted = check_layers(saved.network, layers)
    with _recorded(
        saved.network, [layer for layer in wanted if layer not in ("input", "features", "logits")]
    ) as outputs:
        pieces = _run(saved.network, source, wanted, outputs, per)
    made = {layer: Features(layer, table, "everybody") for layer, table in pieces.items()}
    if "input" in wanted:
        reads: Sequence[str] = saved.network.reads  # type: ignore[assignment]
        made["input"] = input_features(
            source, "joints" if "keypoints" in reads else "appearance", per
        )
    return {layer: made[layer] for layer in wanted}


def check_layers(network: nn.Module, layers: Sequence[str] | None) -> list[str]:
    """The named layers, or the usual ones.

    Raises:
        UserError: one that the network does not have.
    """
    known = layer_names(network)
    if unknown := [layer for layer in layers or () if layer not in known]:
        raise UserError(f"no layer {unknown[0]!r}; the layers are {', '.join(known)}")
    return list(dict.fromkeys(layers or usual_layers(network)))


def _load(model: SavedModel | str | Path) -> SavedModel:
    return model if isinstance(model, SavedModel) else load_model(model)


@contextmanager
def _recorded(network: nn.Module, names: list[str]) -> Iterator[dict[str, Tensor]]:
    """Inside, what each named module gave last."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str):
        def hook(_module: nn.Module, _inputs: tuple, output: Tensor) -> None:
            outputs[name] = output

        return hook

    modules = dict(network.named_modules())
    handles = [modules[name].register_forward_hook(keep(name)) for name in names]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _run(
    network: nn.Module, source: ClipSource, layers: list[str], outputs: dict[str, Tensor], per: Per
) -> dict[str, pd.DataFrame]:
    """layer -> table, by running every window of every clip through the network once."""
    dataset = ClipDataset(source, source.clips, NO_CHANGE, rng=None)
    gathered: dict[str, list[np.ndarray]] = {layer: [] for layer in layers if layer != "input"}
    steps_seen: dict[str, list[np.ndarray]] = {layer: [] for layer in gathered}
    stream: Any = network.eval()
    with torch.inference_mode():
        for batch in dataset.loader(64):
            inputs = [batch[name] for name in stream.reads]
            features = stream.forward_features(*inputs)
            found = {**outputs, "features": features, "logits": stream.head(features)}
            mask = inputs[1].amax(dim=2) if inputs[1].ndim == 3 else inputs[1]  # (window, frame)
            joints = len(source.reading.graph.names)
            for layer in gathered:
                if layer not in found:
                    raise UserError(
                        f"layer {layer!r} gives nothing itself; name one of its parts, for example"
                        f" {_part_of(network, layer)}"
                    )
                values = by_step(found[layer], len(mask), joints, layer)
                if values.ndim == 2 and per == "frame":
                    raise UserError(f"layer {layer!r}: has no time any more; ask for it per clip")
                if values.ndim == 3:
                    seen = strided_mask(mask, values.shape[2])
                    steps_seen[layer].append(seen.numpy())
                    values = masked_mean(values, seen) if per == "clip" else values
                gathered[layer].append(values.numpy())
    tables = {}
    for layer, parts in gathered.items():
        joined = np.concatenate(parts)
        if per == "clip":
            tables[layer] = _clip_table(joined, dataset)
        else:
            tables[layer] = _frame_table(joined, np.concatenate(steps_seen[layer]), dataset)
    return tables


def by_step(output: Tensor, windows: int, joints: int, layer: str = "") -> Tensor:
    """A module's output as (window, channel, step), or (window, channel) where it has no time;
    joints are averaged.

    Known are (window, channel, step, joint), (window, channel, step), (window, channel), and nodes
    ordered by window, step and joint (window * step * joint, channel), as graph networks of
    torch-geometric give them.

    Raises:
        UserError: an output of another shape.
    """
    if (
        isinstance(output, Tensor)
        and output.ndim == 2
        and len(output) > windows
        and len(output) % (windows * joints) == 0
    ):
        return output.view(windows, -1, joints, output.shape[1]).mean(dim=2).transpose(1, 2)
    if not isinstance(output, Tensor) or not 2 <= output.ndim <= 4 or len(output) != windows:
        shape = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise UserError(
            f"layer {layer!r}: its output {shape} is not (window, channel[, time[, joint]]) for"
            f" {windows} windows; choose another"
        )
    return output.mean(dim=3) if output.ndim == 4 else output


def _part_of(network: nn.Module, layer: str) -> str:
    return next(
        (name for name, _ in network.named_modules() if name.startswith(f"{layer}.")), "features"
    )


def _clip_table(values: np.ndarray, dataset: ClipDataset) -> pd.DataFrame:
    """Values (window, channel), averaged over each clip's windows."""
    owner = np.array([number for number, _ in dataset.items])
    means = np.stack([values[owner == number].mean(axis=0) for number in range(len(dataset.clips))])
    keys = pd.DataFrame(
        [{"clip_id": clip.clip_id, "participant_id": clip.participant_id} for clip in dataset.clips]
    )
    return pd.concat([keys, _columns(means)], axis=1)


def _frame_table(values: np.ndarray, seen: np.ndarray, dataset: ClipDataset) -> pd.DataFrame:
    """Values (window, channel, step) as a row for each step inside its clip; `time` is that of the
    frame on which the step is centred.
    """
    tables, window = [], 0
    for number, (index, share) in enumerate(dataset.items):
        clip, steps = dataset.clips[index], values.shape[2]
        window = window + 1 if number and dataset.items[number - 1][0] == index else 0
        rows = dataset.rows(len(clip.joints), share)
        stride = max(round(len(rows) / steps), 1)
        frames = rows[np.minimum(np.arange(steps) * stride, len(rows) - 1)]
        there = np.where(seen[number][:, None] > 0, values[number].T, np.nan)[frames >= 0]
        keys = {"clip_id": clip.clip_id, "participant_id": clip.participant_id, "window": window}
        times = pd.DataFrame({**keys, "time": frames[frames >= 0] / dataset.reading.rate})
        tables.append(pd.concat([times, _columns(there)], axis=1))
    return pd.concat(tables, ignore_index=True)


def _columns(values: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame(
        values.astype(float), columns=[f"f{number}" for number in range(values.shape[1])]
    )


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
