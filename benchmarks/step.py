"""A training step and inference of every stream, fp32 and bf16: clips/s, and the share of this
machine's matrix-product peak.

    python benchmarks/step.py [--peer PATH] [--rounds N] [--no_accuracy]
    make bench NAME=step ARGS="--peer PATH"

The AGCN of published size runs beside the original 2s-AGCN (original_agcn.py) with the same weights
on the same tensors, taking turns with it; --peer adds a checkout's own model/agcn.py. Then the AGCN
of configs/utkinect.yaml is trained leave-one-subject-out in fp32 and in bf16, into runs/step/,
which resumes. On a GPU, where there is one, the same table is taken there.
"""

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd
import torch
import torch.nn.functional as F
from original_agcn import OriginalAGCN, checkout, into_ours
from record import TESTDATA, record
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode
from utkinect_cohort import make_cohort

from semiology.cli.experiments import read_protocol
from semiology.data.skeleton import load_skeleton
from semiology.experiments.loso import run_loso
from semiology.models.networks import AGCN, TCN, Segments, StreamShape
from semiology.models.networks.folded_agcn import FoldedAGCN

DATA = TESTDATA / "skeletons" / "utkinect"
RUN = Path("runs/step")
BATCH, TIME, CLASSES = 8, 128, 2
APPEARANCE, SNIPPETS, VECTOR = (
    512,
    16,
    512,
)  # features of a frame; snippets of a recording and the length of their vectors
TRAINING, INFERENCE = 3.0, 4.0  # times as fast as the original in fp32


@dataclass
class Runner:
    """One network in one precision: a call that trains a step, one that scores, and their
    floating-point operations.
    """

    name: str
    precision: str
    train: Callable[[], object]
    infer: Callable[[], object]
    flops: tuple[float, float]

    def figures(
        self, took: tuple[list[float], list[float]], peak: dict[str, float]
    ) -> dict[str, float]:
        figures = {}
        for what, times, flops in zip(("training", "inference"), took, self.flops):
            second = statistics.median(times)
            figures[f"{what}_ms_a_clip"] = second / BATCH * 1000
            figures[f"{what}_clips_a_second"] = BATCH / second
            figures[f"{what}_share_of_peak"] = flops / second / peak[self.precision]
        return figures


def runner(
    name: str,
    precision: str,
    network: nn.Module,
    inputs: tuple[Tensor, ...],
    scoring: nn.Module | None = None,
) -> Runner:
    """`scoring` is what scores in the place of the network itself."""
    device = inputs[0].device
    target = torch.arange(BATCH, device=device) % CLASSES
    optimiser = torch.optim.SGD(network.parameters(), 0.01)

    def mixed(on: bool = precision == "bf16"):
        return torch.autocast(device.type, torch.bfloat16) if on else nullcontext()

    def train() -> None:
        network.train()
        with mixed():
            loss = F.cross_entropy(network(*inputs), target)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()

    def infer() -> None:
        if scoring is not None:
            with torch.inference_mode():
                scoring(*inputs)
        else:
            network.eval()
            with torch.inference_mode(), mixed():
                network(*inputs)

    train(), infer()
    return Runner(name, precision, train, infer, _flops(network, inputs))


def _flops(network: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[float, float]:
    """Of a training step and of inference: matrix products and convolutions as torch counts them,
    an LSTM's by hand (it does not).
    """
    network.train()
    with FlopCounterMode(display=False) as forward:
        loss = network(*inputs).sum()
    with FlopCounterMode(display=False) as backward:
        loss.backward()
    network.zero_grad()
    recurrent = 0.0
    for layer in network.modules():
        if isinstance(layer, nn.LSTM):
            recurrent += (
                2
                * BATCH
                * SNIPPETS
                * sum(
                    p.numel() for name, p in layer.named_parameters() if name.startswith("weight")
                )
            )
    once = forward.get_total_flops() + recurrent
    return once + backward.get_total_flops() + 2 * recurrent, once


def make_runners(device: torch.device, peer: Path | None) -> tuple[list[Runner], dict[str, float]]:
    """Every network in both precisions, and how far apart the AGCNs' outputs are, relative to the
    spread of the original's.
    """
    torch.manual_seed(0)
    skeleton = load_skeleton("upper_body_11")
    shape = StreamShape(CLASSES, skeleton, 3, APPEARANCE)
    graph = torch.from_numpy(skeleton.partitions())
    keypoints, seen = (
        torch.randn(BATCH, 3, TIME, 11, device=device),
        torch.ones(BATCH, TIME, 11, device=device),
    )
    both, own = (keypoints[..., None],), (keypoints, seen)
    original = OriginalAGCN(graph, CLASSES).to(device)
    peers = {} if peer is None else {"checkout": checkout(peer, graph, CLASSES).to(device)}
    with torch.no_grad():
        for layer in (
            original.modules()
        ):  # as after training: the published start makes the graph vanish behind the residual
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.uniform_(0.5, 1.5)
        for _ in range(10):
            original(torch.randn_like(both[0]))
    ours, apart = AGCN(shape).to(device), {}
    into_ours(original, ours)
    for network in peers.values():
        network.load_state_dict(original.state_dict())
    folds = {"fp32": FoldedAGCN(ours), "bf16": FoldedAGCN(ours, torch.bfloat16)}
    with torch.no_grad():
        reference = original.eval()(*both)
        for name, network in {
            **peers,
            "AGCN": ours,
            "AGCN folded, fp32": folds["fp32"],
            "AGCN folded, bf16": folds["bf16"],
        }.items():
            values = network.eval()(*(both if network in peers.values() else own))
            apart[name] = float((values - reference).abs().max() / reference.std())
    made = [runner("original 2s-AGCN", precision, original, both) for precision in ("fp32", "bf16")]
    made += [runner(name, "fp32", network, both) for name, network in peers.items()]
    made += [
        runner("AGCN", precision, ours, own, folds[precision]) for precision in ("fp32", "bf16")
    ]
    appearance = (
        torch.randn(BATCH, APPEARANCE, TIME, device=device),
        torch.ones(BATCH, TIME, device=device),
    )
    snippets = (
        torch.randn(BATCH, SNIPPETS, VECTOR, 1, device=device),
        torch.ones(BATCH, SNIPPETS, 1, device=device),
    )
    for precision in ("fp32", "bf16"):
        made.append(runner("TCN", precision, TCN(shape, width=64, blocks=6).to(device), appearance))
        made.append(
            runner(
                "snippet BLSTM",
                precision,
                Segments(replace(shape, appearance_channels=VECTOR)).to(device),
                snippets,
            )
        )
    return made, apart


def measure(
    device: torch.device, rounds: int, peer: Path | None
) -> tuple[dict[str, dict[str, float]], dict[str, float], dict[str, float]]:
    """Figures by network and precision, peaks in FLOP/s, differences of outputs. Every network is
    called once a round.
    """
    runners, apart = make_runners(device, peer)
    kinds = {"fp32": torch.float32, "bf16": torch.bfloat16}
    peak = {name: product_rate(kind, device.type, 2048) for name, kind in kinds.items()}
    took: list[tuple[list[float], list[float]]] = [([], []) for _ in runners]
    for number in range(rounds + 2):
        for one, (training, inference) in zip(runners, took):
            for call, times in ((one.train, training), (one.infer, inference)):
                call()  # the caches are its own
                times.append(seconds(call, device.type))
        if number < 2:
            took = [([], []) for _ in runners]
        for name, kind in kinds.items():  # what the machine gives at its best while this runs
            peak[name] = max(peak[name], product_rate(kind, device.type, 2048, repeats=1))
    return (
        {
            f"{one.name}, {one.precision}": one.figures(times, peak)
            for one, times in zip(runners, took)
        },
        peak,
        apart,
    )


def show(
    device: torch.device,
    figures: dict[str, dict[str, float]],
    peak: dict[str, float],
    apart: dict[str, float],
) -> None:
    print(
        f"\n{device}: matrix products"
        f" {', '.join(f'{name} {rate / 1e9:.0f} GFLOP/s' for name, rate in peak.items())}"
    )
    shape = f"({BATCH}, 3, {TIME}, 11)"
    print(f"{shape:<28}{'training step':>34}{'inference':>34}")
    print(f"{'':<28}" + f"{'ms/clip':>10}{'clips/s':>12}{'of peak':>12}" * 2)
    for name, row in figures.items():
        cells = [
            f"{row[f'{what}_ms_a_clip']:>10.2f}{row[f'{what}_clips_a_second']:>12.1f}"
            f"{row[f'{what}_share_of_peak']:>12.2f}"
            for what in ("training", "inference")
        ]
        print(f"{name:<28}" + "".join(cells))
    print(
        "outputs against the original's, largest difference over their spread: "
        + ", ".join(f"{n} {d:.1e}" for n, d in apart.items())
    )


def right_clips() -> dict[str, tuple[int, int]]:
    """Precision -> clips called right, clips, of UTKinect leave-one-subject-out by the AGCN of
    configs/utkinect.yaml.
    """
    if not (RUN / "cohort" / "clips.tsv").is_file():
        make_cohort(DATA, RUN / "cohort")
    protocol = read_protocol(["--config", "configs/utkinect.yaml"])
    model, right = protocol.models["agcn_joint"], {}
    for precision in ("fp32", "bf16"):
        own = replace(model, schedule=replace(model.schedule, precision=precision))
        out = RUN / precision
        run_loso(
            replace(
                protocol,
                cohort=str(RUN / "cohort"),
                out=str(out),
                models={"agcn_joint": own},
                fusions=[],
                baseline=False,
            )
        )
        table = pd.read_csv(out / "predictions.csv")
        right[precision] = int((table["predicted"] == table["truth"]).sum()), len(table)
    return right


def product_rate(dtype: torch.dtype, device: str, size: int = 1024, repeats: int = 5) -> float:
    """Floating-point operations a second of products of square matrices, the best of some."""
    left, right = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    return 2 * size**3 / min(seconds(lambda: left @ right, device) for _ in range(repeats + 1))


def seconds(call: Callable[[], object], device: str) -> float:
    """Seconds that a call takes, on a GPU until it has ended."""
    began = time.perf_counter()
    call()
    if torch.device(device).type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - began


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--peer", type=Path, help="folder of a checkout of 2s-AGCN, whose model is timed as well"
    )
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument(
        "--no_accuracy",
        action="store_true",
        help="leave the training on UTKinect out; the target is then not met",
    )
    arguments = parser.parse_args()
    found: dict[str, object] = {}
    devices = [torch.device("cpu"), *([torch.device("cuda")] if torch.cuda.is_available() else [])]
    for device in devices:
        figures, peak, apart = measure(device, arguments.rounds, arguments.peer)
        show(device, figures, peak, apart)
        found[device.type] = {"figures": figures, "peak_flops": peak, "outputs_apart": apart}
        if device.type == "cpu":
            before, after = figures["original 2s-AGCN, fp32"], figures["AGCN, bf16"]
            faster = [
                before[f"{what}_ms_a_clip"] / after[f"{what}_ms_a_clip"]
                for what in ("training", "inference")
            ]
            at_peak = [
                times / after[f"{what}_share_of_peak"]
                for what, times in zip(("training", "inference"), faster)
            ]
            same = all(
                difference < 1e-3 for name, difference in apart.items() if "bf16" not in name
            )
    print(
        f"at the peak of bf16 products all operations would be {at_peak[0]:.1f} and"
        f" {at_peak[1]:.1f} times as fast as the original"
    )
    if len(devices) == 1:
        print("no GPU here: not run on one")
    right = right_clips() if DATA.is_dir() and not arguments.no_accuracy else {}
    for precision, (clips, all_clips) in right.items():
        print(f"UTKinect, leave-one-subject-out, {precision}: {clips} of {all_clips} clips right")
    close = len(right) == 2 and abs(right["fp32"][0] - right["bf16"][0]) <= 1
    accuracy = (
        " and ".join(f"{clips}/{all_clips} in {name}" for name, (clips, all_clips) in right.items())
        or "accuracy not measured"
    )
    return record(
        "step",
        {
            **found,
            "faster_than_original": faster,
            "faster_at_peak": at_peak,
            "same_mathematics": same,
            "utkinect_right": right,
            "threads": torch.get_num_threads(),
        },
        f"training {TRAINING:g} times, inference {INFERENCE:g} times as fast as the original in"
        " fp32, clips right within one of fp32's",
        faster[0] >= TRAINING and faster[1] >= INFERENCE and same and close,
        headline=(
            f"training {faster[0]:.2f} times, inference {faster[1]:.2f} times as fast (bf16 against"
            f" the original's fp32); {accuracy}"
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
