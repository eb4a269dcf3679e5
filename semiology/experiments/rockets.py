"""Random convolutions of keypoint series with a ridge classifier: MiniRocket and MultiRocket, as
streams beside the networks. aeon computes the convolutions; the classifier, its probabilities and
what is read of a clip are here.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from sklearn.model_selection import GroupKFold
from torch import Tensor, nn

from semiology.errors import UserError
from semiology.experiments.estimators import INNER, LENGTH, Solved
from semiology.experiments.table.models import ALPHAS, LEAST
from semiology.models.networks.base import StreamShape

SHARES = (0.0, 0.1, 0.3)  # variance of the duration over that of all convolutions [our choice]
SHARPEST = 100.0  # factor of the ridge scores, which are about -1 and 1 [our choice]


class MiniRocket(Solved):
    """Random convolutions of the keypoints and a ridge classifier on what they give: of each
    convolution the share of frames in which it is positive (Dempster et al. 2021, doi
    10.1145/3447548.3467231 [P]; computed by aeon, the extra `rocket`).

    A missing keypoint lies on a straight line between the frames that have it, and is 0 where no
    frame has it. The ridge's penalty, the duration's share, and the temperature that makes
    probabilities of the scores have the least log loss on inner folds of training participants. The
    published classifier has no probabilities: one number leaves its classes as they are, and
    out-of-fold scores keep it from trusting itself too much [our choice].

    Args:
        shape: of the data.
        kernels: random convolutions, rounded down to a multiple of 84.
        length: see Solved; so is `inner`.

    Raises:
        UserError: aeon is not installed; fewer than 84 kernels; as Solved.
    """

    stream, per_kernel = "minirocket", 1
    mean: Tensor
    scale: Tensor

    def __init__(
        self, shape: StreamShape, kernels: int = 10_000, length: int = LENGTH, inner: int = INNER
    ):
        super().__init__(shape, length, inner)
        if kernels < 84:
            raise UserError(f"{self.stream}: kernels: {kernels}; 84 or more")
        self.kernels, self.transform = kernels, self.unfitted(kernels, 0)
        self.features = kernels // 84 * 84 * self.per_kernel + 1  # with the duration
        self.head = nn.Linear(self.features, shape.classes)

    @staticmethod
    def unfitted(kernels: int, seed: int) -> Any:
        """The transformation of aeon."""
        return _aeon("minirocket").MiniRocket(kernels, random_state=seed)

    @property
    def fitted(self) -> dict[str, Any]:
        """What `transform` was fitted to: name -> its arrays."""
        return {"parameters": self.transform.parameters}

    def solve(
        self,
        read: Sequence[Tensor],
        targets: np.ndarray,
        people: np.ndarray,
        weights: np.ndarray,
        seed: int,
    ) -> None:
        """Fit on training clips.

        Args:
            read: tensors of all clips, by the names in `reads`.
            targets: (clip,) classes.
            people: (clip,) participants, by number.
            weights: (clip,) of their errors.
            seed: of the kernels.
        """
        self.transform = self.unfitted(self.kernels, seed)
        self._fit_transform(*read[:2])
        x = self._convolved(*read)
        mean, scale = x.mean(axis=0), x.std(axis=0)
        scale[scale < 1e-6] = 1.0  # a constant feature stays at 0
        x = (x - mean) / scale
        coefficients, at_zero = ridge_classifier(
            x, targets, people, weights, self.classes, self.inner
        )
        fitted = {
            f"{name}_{number}": values
            for name, arrays in self.fitted.items()
            for number, values in enumerate(arrays)
        }
        self.keep(seed, {"mean": mean, "scale": scale} | fitted)
        with torch.no_grad():
            self.head.weight.copy_(torch.from_numpy(coefficients.T))
            self.head.bias.copy_(torch.from_numpy(at_zero))

    def forward_features(self, keypoints: Tensor, mask: Tensor, duration: Tensor) -> Tensor:
        """(clip, feature) standardised convolutions, and the duration, of keypoints (clip, channel,
        time, joint), mask (clip, time, joint) and duration (clip,) in s.
        """
        self.check(keypoints)
        if not self.transform.is_fitted:  # read from disk
            state = dict(self.named_buffers())
            self.transform = self.unfitted(self.kernels, int(self.seed))
            self._fit_transform(keypoints, mask)
            for name, arrays in self.fitted.items():
                kept = [state[f"{name}_{number}"].numpy() for number in range(len(arrays))]
                setattr(self.transform, name, tuple(kept))
        x = self._convolved(keypoints, mask, duration)
        return torch.from_numpy(((x - self.mean.numpy()) / self.scale.numpy()).astype(np.float32))

    def forward(self, keypoints: Tensor, mask: Tensor, duration: Tensor) -> Tensor:
        """(clip, class) logits; see `forward_features`."""
        return self.head(self.forward_features(keypoints, mask, duration))

    def _fit_transform(self, keypoints: Tensor, mask: Tensor) -> None:
        with _process_as_before():
            self.transform.fit(filled(keypoints, mask))

    def _convolved(self, keypoints: Tensor, mask: Tensor, duration: Tensor) -> np.ndarray:
        with _process_as_before():
            own = self.transform.transform(filled(keypoints, mask))
        return np.column_stack([own, duration.numpy()]).astype(float)


class MultiRocket(MiniRocket):
    """As MiniRocket, of the keypoints and of their differences from frame to frame; of each
    convolution four figures: that share, the mean of the positive values, the mean of their places,
    and the longest stretch of them (Tan et al. 2022, doi 10.1007/s10618-022-00844-1 [P]).
    """

    stream, per_kernel = "multirocket", 8

    def __init__(
        self, shape: StreamShape, kernels: int = 6250, length: int = LENGTH, inner: int = INNER
    ):
        super().__init__(shape, kernels, length, inner)

    @staticmethod
    def unfitted(kernels: int, seed: int) -> Any:
        """The transformation of aeon."""
        return _aeon("multirocket").MultiRocket(kernels, random_state=seed)

    @property
    def fitted(self) -> dict[str, Any]:
        """What `transform` was fitted to: name -> its arrays."""
        return {name: getattr(self.transform, name) for name in ("parameter", "parameter1")}


def _aeon(stream: str) -> Any:
    try:
        from aeon.transformations.collection import convolution_based
    except ImportError as error:
        raise UserError(
            f"stream {stream!r}: is computed by aeon, which is not installed; pip install"
            " 'semiology[rocket]'"
        ) from error
    return convolution_based


@contextmanager
def _process_as_before() -> Iterator[None]:
    """What aeon 1.6 changes for the whole process is as it was afterwards: numpy's random numbers,
    which `fit` seeds, and the number of torch's threads, which its compiler sets to all cores.
    """
    state, threads = np.random.get_state(), torch.get_num_threads()
    try:
        yield
    finally:
        np.random.set_state(state)
        torch.set_num_threads(threads)


def filled(keypoints: Tensor, mask: Tensor) -> np.ndarray:
    """(clip, channel x joint, time) series without gaps, of keypoints (clip, channel, time, joint)
    and mask (clip, time, joint).
    """
    values = keypoints.numpy().copy()
    frames = np.arange(values.shape[2])
    there = mask.numpy() > 0
    for clip, joint in np.argwhere(~there.all(axis=1) & there.any(axis=1)):
        known = there[clip, :, joint]
        for channel in values[clip, :, :, joint]:
            channel[:] = np.interp(frames, frames[known], channel[known])
    return values.transpose(0, 1, 3, 2).reshape(len(values), -1, len(frames))


def ridge_classifier(
    x: np.ndarray,
    targets: np.ndarray,
    people: np.ndarray,
    weights: np.ndarray,
    classes: int,
    inner: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Ridge regression of 1 for a class and -1 for the others, its penalty, the share of the last
    feature, and the factor that makes logits of its scores chosen by the log loss of inner folds
    (scikit-learn's GroupKFold).

    Args:
        x: (clip, feature) standardised, far more features than clips; the duration last.
        targets: (clip,) classes.
        people: (clip,) participants; nobody is in training and held-out clips of an inner fold.
        weights: (clip,) of their errors.
        classes: number of them.
        inner: folds, at most as many as participants. Of one participant nothing can be chosen: the
            penalty is then the number of features.

    Returns:
        (feature, class) coefficients and (class,) constants of the logits.
    """
    signs = np.where(targets[:, None] == np.arange(classes), 1.0, -1.0)
    kernel, duration = x[:, :-1] @ x[:, :-1].T, np.outer(x[:, -1], x[:, -1]) * (x.shape[1] - 1)
    everybody, folds = np.arange(len(x)), min(inner, len(set(people)))
    pairs = list(GroupKFold(folds).split(x, groups=people)) if folds > 1 else []
    best = (np.inf, 0.0, float(x.shape[1]), 1.0)
    for share in SHARES if pairs else ():
        scores = np.zeros((len(ALPHAS), *signs.shape))
        for training, held in pairs:
            found = _ridge(kernel + share * duration, signs, weights, training, ALPHAS)
            for number, (dual, constant) in enumerate(found):
                own = (kernel + share * duration)[np.ix_(held, training)]
                scores[number, held] = own @ dual + constant
        for alpha, own in zip(ALPHAS, scores):
            loss, factor = _temperature(own, targets, weights)
            best = min(best, (loss, share, alpha, factor))
    _, share, alpha, factor = best
    dual, constant = _ridge(kernel + share * duration, signs, weights, everybody, (alpha,))[0]
    coefficients = x.T @ dual
    coefficients[-1] *= share * (x.shape[1] - 1)
    return factor * coefficients, factor * constant


def _ridge(
    kernel: np.ndarray,
    signs: np.ndarray,
    weights: np.ndarray,
    training: np.ndarray,
    alphas: Sequence[float],
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weighted ridge regression in its dual form, for each penalty: scores of a clip are its kernel
    row (training clip,) times the first (training clip, class), plus the second (class,).

    With centred K = X X' and root weights s, one decomposition s K s = U L U' serves all penalties:
    dual = s U 1 / (L + alpha) U' s (y - mean).
    """
    k, own = kernel[np.ix_(training, training)], weights[training]
    part, root = own / own.sum(), np.sqrt(own)[:, None]
    y, mean = signs[training], part @ signs[training]
    middle = k @ part
    centred = k - middle[:, None] - middle[None, :] + part @ middle
    values, vectors = np.linalg.eigh(root * centred * root.T)
    projected = vectors.T @ (root * (y - mean))
    found = []
    for alpha in alphas:
        dual = root * (vectors @ (projected / (values.clip(min=0) + alpha)[:, None]))
        dual -= np.outer(part, dual.sum(axis=0))  # of features that are not centred
        found.append((dual, mean - middle @ dual))
    return found


def _temperature(
    scores: np.ndarray, targets: np.ndarray, weights: np.ndarray
) -> tuple[float, float]:
    """The least weighted log loss of (clip, class) scores times a factor, and the factor."""

    def loss(logarithm: float) -> float:
        logits = log_softmax(np.exp(logarithm) * scores, axis=1)
        own = logits[np.arange(len(targets)), targets].clip(min=np.log(LEAST))
        return -float(np.average(own, weights=weights))

    limits = (-np.log(SHARPEST), np.log(SHARPEST))
    found = minimize_scalar(loss, bounds=limits, method="bounded")
    return float(found.fun), float(np.exp(found.x))
