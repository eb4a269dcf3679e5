"""Every stream over keypoints side by side: parameters, processor time of a training step and of
scoring a clip, beside the AGCN of the same run; and what PoseConv3D would cost.

    make bench NAME=streams ARGS="--rounds N"

Two settings: that of configs/utkinect.yaml (kinect_20 in 3D, 32 frames) and the published widths
(upper_body_11, 128 frames). All streams take turns in every round on one thread, and the
processor's time is counted, so that other work on the machine disturbs little. Scoring is as in
`loso`: an AGCN with its batch norms folded. The floor is what the operations (matrix products,
convolutions) would take at the rate of matrix products measured meanwhile.

PoseConv3D (Duan et al., Revisiting Skeleton-based Action Recognition, CVPR 2022) reads a heatmap of
every joint and frame. It stands here with the sizes of the paper, and not in the package: the
figures say why.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from record import record
from step import product_rate
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from semiology.data.skeleton import load_skeleton
from semiology.models.networks import AGCN, Network, StreamShape
from semiology.models.networks.folded_agcn import FoldedAGCN

SMALL = {"widths": [32, 32, 64], "dropout": 0.2}  # of configs/utkinect.yaml
MS_AAGCN = {"form": "aagcn", "attention": True}
STREAMS: dict[str, dict[str, tuple[str, dict[str, object]]]] = {
    "kinect_20, 32 frames, widths of configs/utkinect.yaml": {
        "AGCN": ("agcn", SMALL),
        "MS-AAGCN": ("agcn", {**SMALL, **MS_AAGCN}),
        "CTR-GCN": ("ctrgcn", SMALL),
        "transformer, width 32": ("transformer", {"width": 32}),
        "GAT, width 64": ("gat", {"width": 64}),
    },
    "upper_body_11, 128 frames, published widths": {
        "AGCN": ("agcn", {}),
        "MS-AAGCN": ("agcn", MS_AAGCN),
        "CTR-GCN": ("ctrgcn", {}),
        "transformer, width 128, 6 blocks": ("transformer", {"width": 128, "blocks": 6}),
        "GAT, width 64": ("gat", {"width": 64}),
    },
}
SIZES = {  # skeleton -> clips a step, frames, classes
    "kinect_20": (16, 32, 10),
    "upper_body_11": (8, 128, 2),
}
SMALL_RATIO, WIDE_RATIO = 1.5, 1.0  # CTR-GCN's training step over the AGCN's, at most [our choice]
SIDE = 56  # px of a heatmap [Duan et al.]


@dataclass
class Timed:
    """One stream: calls that train a step and that score, and what they take."""

    parameters: int
    flops: tuple[float, float]
    clips: int
    calls: tuple[Callable[[], object], Callable[[], object]]
    took: tuple[list[float], list[float]]

    def figures(self, reference: "Timed", rate: float) -> dict[str, float]:
        found: dict[str, float] = {"parameters": self.parameters}
        for number, what in enumerate(("training", "scoring")):
            own, other = self.took[number], reference.took[number]
            a_clip = reference.clips / self.clips
            found[f"{what}_ms_a_clip"] = statistics.median(own) / self.clips * 1000
            found[f"{what}_floor_ms_a_clip"] = self.flops[number] / rate / self.clips * 1000
            found[f"{what}_over_agcn"] = statistics.median(
                one / base * a_clip for one, base in zip(own, other)
            )
        return found


def timed(network: nn.Module, inputs: tuple[Tensor, ...], classes: int) -> Timed:
    clips = len(inputs[0])
    target = torch.arange(clips) % classes
    optimiser = torch.optim.AdamW(network.parameters(), 1e-3)

    def train() -> None:
        network.train()
        optimiser.zero_grad()
        F.cross_entropy(network(*inputs), target).backward()
        optimiser.step()

    train()
    scoring = FoldedAGCN(network) if type(network) is AGCN else network

    def score() -> None:
        network.eval()
        with torch.inference_mode():
            scoring(*inputs)

    parameters = sum(weight.numel() for weight in network.parameters())
    return Timed(parameters, flops(network, inputs), clips, (train, score), ([], []))


def flops(network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[float, float]:
    """Of a training step and of scoring, as torch counts products and convolutions."""
    network.train()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as forward:
        loss = network(*inputs).sum()
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as backward:
        loss.backward()
    network.zero_grad()
    once = forward.get_total_flops()
    return float(once + backward.get_total_flops()), float(once)


class Bottleneck(nn.Module):
    """Of SlowOnly: a convolution over time or of single places, one over the image, one of single
    places, around a residual.
    """

    def __init__(self, channels: int, width: int, frames: int, stride: tuple[int, int, int]):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv3d(channels, width, (frames, 1, 1), padding=(frames // 2, 0, 0), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.Conv3d(width, width, (1, 3, 3), stride, (0, 1, 1), bias=False),
            nn.BatchNorm3d(width),
            nn.ReLU(),
            nn.Conv3d(width, 4 * width, 1, bias=False),
            nn.BatchNorm3d(4 * width),
        )
        self.residual = (
            nn.Identity()
            if channels == 4 * width and stride == (1, 1, 1)
            else nn.Sequential(
                nn.Conv3d(channels, 4 * width, 1, stride, bias=False), nn.BatchNorm3d(4 * width)
            )
        )

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(self.layers(x) + self.residual(x))


def pose_conv3d(joints: int, classes: int) -> nn.Sequential:
    """PoseConv3D on SlowOnly as in the paper: (clip, joint, frame, 56, 56) -> (clip, class)."""
    layers: list[nn.Module] = [
        nn.Conv3d(joints, 32, (1, 7, 7), 1, (0, 3, 3), bias=False),
        nn.BatchNorm3d(32),
        nn.ReLU(),
        nn.MaxPool3d((1, 3, 3), 1, (0, 1, 1)),
    ]
    channels = 32
    for width, count, frames, stride in ((32, 4, 1, 1), (64, 6, 3, 1), (128, 3, 3, 2)):
        for number in range(count):
            first = (stride, 2, 2) if number == 0 else (1, 1, 1)
            layers.append(Bottleneck(channels, width, frames, first))
            channels = 4 * width
    return nn.Sequential(
        *layers, nn.AdaptiveAvgPool3d(1), nn.Flatten(), nn.Linear(channels, classes)
    )


def measure(setting: str, rounds: int) -> tuple[dict[str, dict[str, float]], float]:
    """Figures by stream, and FLOP/s of matrix products."""
    name = setting.partition(",")[0]
    skeleton, (clips, frames, classes) = load_skeleton(name), SIZES[name]
    joints = len(skeleton.names)
    shape = StreamShape(classes, skeleton, 3)
    torch.manual_seed(0)
    inputs = (torch.randn(clips, 3, frames, joints), torch.ones(clips, frames, joints))
    streams = {
        stream: timed(Network(*how)(shape), inputs, classes)
        for stream, how in STREAMS[setting].items()
    }
    heatmaps = (torch.rand(1, joints, frames, SIDE, SIDE),)
    streams["PoseConv3D"] = timed(pose_conv3d(joints, classes), heatmaps, classes)
    rate = 0.0
    for number in range(rounds):
        for stream, one in streams.items():
            if stream == "PoseConv3D" and number:  # seconds a step
                continue
            for call, times in zip(one.calls, one.took):
                if stream != "PoseConv3D":
                    call()  # the caches are its own
                began = time.process_time()
                call()
                times.append(time.process_time() - began)
        rate = max(rate, product_rate(torch.float32, "cpu", repeats=2))
    reference = streams["AGCN"]
    return {stream: one.figures(reference, rate) for stream, one in streams.items()}, rate


def show(setting: str, figures: dict[str, dict[str, float]], rate: float) -> None:
    print(f"\n{setting}; matrix products {rate / 1e9:.0f} GFLOP/s")
    print(f"{'':<34}{'parameters':>12}{'training step':>28}{'scoring':>28}")
    print(f"{'':<46}" + f"{'ms a clip':>11}{'floor':>8}{'x AGCN':>9}" * 2)
    for stream, row in figures.items():
        cells = [
            f"{row[f'{what}_ms_a_clip']:>11.2f}{row[f'{what}_floor_ms_a_clip']:>8.2f}"
            f"{row[f'{what}_over_agcn']:>9.2f}"
            for what in ("training", "scoring")
        ]
        print(f"{stream:<34}{row['parameters']:>12,.0f}" + "".join(cells))


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    found, rates = {}, {}
    for setting in STREAMS:
        found[setting], rates[setting] = measure(setting, rounds)
        show(setting, found[setting], rates[setting])
    small, wide = (figures["CTR-GCN"]["training_over_agcn"] for figures in found.values())
    heavy = [figures["PoseConv3D"]["training_over_agcn"] for figures in found.values()]
    return record(
        "streams",
        {"figures": found, "product_flops": rates, "threads": 1},
        f"a training step of CTR-GCN at most {SMALL_RATIO:g} times the AGCN's at the widths of"
        f" configs/utkinect.yaml, {WIDE_RATIO:g} at the published widths",
        small <= SMALL_RATIO and wide <= WIDE_RATIO,
        headline=f"CTR-GCN {small:.2f} and {wide:.2f} times the AGCN; PoseConv3D {heavy[0]:.0f} and"
        f" {heavy[1]:.0f} times",
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
