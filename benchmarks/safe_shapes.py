"""Whether every size that a user can ask for trains here: each in a process of its own, beside
double precision.

Sizes of networks (clips, frames, channels, joints, widths, kernels, strides, threads) are drawn at
random, up to `LARGEST`, and run forward and backward. A process that dies, or never ends, is
counted, and so is a gradient that differs from double precision by more than rounding explains:
more than `DIFFERS` of its norm, plus `FACTOR` times what the gradient in double precision moves by
when its input is moved by the last digits of single precision.

Beside the networks stands the operation that they go round where channels are few: torch's own
strided convolution of one frame, channels last in memory. It says on which instruction sets and
releases going round is needed. Counted is how many die, not which.

    make bench NAME=safe-shapes ARGS="--isa avx2"     as on a processor with AVX2 and nothing newer
"""

import argparse
import copy
import json
import math
import os
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable

from record import record

ISAS = {  # instruction set -> what torch, oneDNN and MKL read when they are loaded
    "default": {},
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
}
WORKERS = 2
PATIENCE = 120  # s; who takes longer never ends, and is counted among those that die
SEED = 0
DIFFERS, FACTOR = 1e-4, 100  # of the gradient's norm [our choice]
WIDTHS, CLIPS, FRAMES = (
    (1, 2, 3, 4, 5, 8, 12, 16, 32, 64),
    (1, 2, 3, 4, 8, 16),
    (8, 9, 15, 16, 32, 64, 128),
)
LARGEST = (
    2**17
)  # clips x frames x joints x widest [our choice: what two cores try in a part of a second]
SKELETONS = ("left_arm_4", "upper_body_11", "full_body_15", "face_23")
STRIDED = "torch's own strided convolution of one frame"
SIZES = {
    "agcn": 80,
    "gat": 30,
    "tcn": 30,
    "segments": 40,
    "convolution of one frame": 50,
    STRIDED: 50,
}  # how many are drawn


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--isa",
        choices=list(ISAS),
        nargs="+",
        default=list(ISAS),
        help="instruction sets, one after the other",
    )
    parser.add_argument("--worker", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker is not None:
        return work(arguments.worker)
    found = {isa: swept(isa) for isa in arguments.isa}
    for isa, kinds in found.items():
        for kind, counts in kinds.items():
            print(
                f"{isa:<8} {kind:<46} {counts['sizes']:>4} sizes, {counts['died']} died,"
                f" {counts['differ']} differ"
            )
    ours = [counts for kinds in found.values() for kind, counts in kinds.items() if kind != STRIDED]
    sizes, died, differ = (
        sum(counts[name] for counts in ours) for name in ("sizes", "died", "differ")
    )
    strided = ", ".join(
        f"{isa} {kinds[STRIDED]['died']} of {kinds[STRIDED]['sizes']}"
        for isa, kinds in found.items()
    )
    return record(
        "safe-shapes",
        found,
        "no process dies, and no gradient differs from double precision by more than rounding"
        " explains",
        died == differ == 0,
        headline=f"{sizes} sizes: {died} died, {differ} differ ({STRIDED}: died {strided})",
        seed=SEED,
    )


def swept(isa: str) -> dict[str, dict[str, int]]:
    """For each kind of network the number of sizes, and how many of them died or differ."""
    one_thread = {
        "OMP_NUM_THREADS": "1",
        "OMP_WAIT_POLICY": "PASSIVE",
    }  # until a size asks for two: who has started threads cannot be forked
    workers = [
        subprocess.Popen(
            [sys.executable, __file__, "--worker", str(number)],
            env=os.environ | ISAS[isa] | one_thread,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(WORKERS)
    ]
    counts = {kind: Counter(sizes=0, died=0, differ=0) for kind in SIZES}
    for worker in workers:
        for kind, outcome in json.loads(worker.communicate()[0]):
            counts[kind].update({"sizes": 1, outcome: 1} if outcome else {"sizes": 1})
    return {kind: dict(found) for kind, found in counts.items()}


def work(number: int) -> int:
    """Try this worker's share of the sizes and print what became of each: "died", "differ" or
    nothing.
    """
    import torch

    torch.nn.functional.conv2d(torch.ones(1, 1, 1, 1), torch.ones(1, 1, 1, 1))
    rng = random.Random(SEED)
    drawn = [(kind, rng.randrange(2**32)) for kind, count in SIZES.items() for _ in range(count)]
    print(
        json.dumps(
            [
                (kind, tried(lambda k=kind, s=seed: differs(k, s)))
                for kind, seed in drawn[number::WORKERS]
            ]
        )
    )
    return 0


def tried(differs: Callable[[], bool]) -> str | None:
    """The outcome in a forked process; one that never ends is ended."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        signal.alarm(
            PATIENCE
        )  # ends the process, also one that goes round and round in native code
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the C library says of a damaged heap
        os._exit(3 if differs() else 0)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return {0: None, 3: "differ"}.get(status, "died")


def differs(kind: str, seed: int) -> bool:
    """Whether the gradient of a network, or of one layer, with sizes drawn from this seed differs
    from double precision.
    """
    import torch

    rng = random.Random(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(rng.choice((1, 2)))
    network, inputs = drawn_layer(kind, rng) if kind not in NETWORKS else drawn_network(kind, rng)
    exact = copy.deepcopy(network).double()
    found, expected = (
        gradient(network, inputs),
        gradient(exact, [values.double() for values in inputs]),
    )
    moved = [
        gradient(
            exact,
            [
                values.double() * (1 + torch.finfo(torch.float32).eps * torch.randn(values.shape))
                for values in inputs
            ],
        )
        for _ in range(2)
    ]
    rounding = max((other - expected).norm().item() for other in moved)
    difference = (found - expected).norm().item()
    return (
        not math.isfinite(difference)
        or difference > DIFFERS * expected.norm().item() + FACTOR * rounding
    )


def gradient(network, inputs):
    """All weights' gradients in one vector, in double precision, of a sum of the outputs with
    changing weights.
    """
    import torch

    network.zero_grad()
    out = network(*inputs)
    (out * torch.linspace(-1, 2, out.numel(), dtype=out.dtype).view(out.shape)).sum().backward()
    return torch.cat(
        [weight.grad.flatten() for weight in network.parameters() if weight.grad is not None]
    ).double()


def drawn_network(kind: str, rng: random.Random):
    """A network and its input."""
    import torch

    from semiology import load_skeleton
    from semiology.models.networks import Network, StreamShape

    skeleton = load_skeleton(rng.choice(SKELETONS))
    joints = len(skeleton.names)
    stream, options = NETWORKS[kind](rng)
    network = Network(stream, options)(
        StreamShape(2, skeleton, rng.choice((1, 2, 3, 4, 6)), rng.choice(WIDTHS))
    )
    widest = max(max(weight.shape) for weight in network.parameters())
    sizes = [
        (clips, frames)
        for clips in CLIPS[1:]
        for frames in FRAMES
        if clips * frames * joints * widest <= LARGEST
    ]
    clips, frames = rng.choice(sizes)  # two clips or more, for the batch norms
    if kind == "tcn":
        return network, [
            torch.randn(clips, network.project.in_channels, frames),
            torch.ones(clips, frames),
        ]
    shape = (clips, 3) if kind == "segments" else (clips,)
    channels = getattr(network, "encoder", network).channels
    return network, [
        torch.randn(*shape, channels, frames, joints),
        torch.ones(*shape, frames, joints),
    ]


def _agcn(rng: random.Random) -> dict[str, object]:
    widths = [rng.choice(WIDTHS) for _ in range(rng.choice((2, 3)))]
    return {
        "widths": widths,
        "kernel": rng.choice((1, 3, 5, 9)),
        "form": rng.choice(("agcn", "aagcn")),
    }


NETWORKS = {  # kind -> class and options, drawn
    "agcn": lambda rng: ("agcn", _agcn(rng)),
    "gat": lambda rng: (
        "gat",
        {
            "width": 2 * rng.choice(WIDTHS),
            "stride": rng.choice((1, 2, 3)),
            "kernel": rng.choice((1, 3, 5)),
            "dropout": 0.0,
        },
    ),
    "tcn": lambda rng: (
        "tcn",
        {
            "width": rng.choice(WIDTHS),
            "blocks": rng.choice((1, 3)),
            "kernel": rng.choice((1, 3, 5)),
            "dropout": 0.0,
        },
    ),
    "segments": lambda rng: (
        "segments",
        {
            "encoder": {"stream": "agcn", "options": _agcn(rng)},
            "kind": rng.choice(("mean", "lstm", "blstm", "attention")),
            "width": rng.choice(WIDTHS),
        },
    ),
}


def drawn_layer(kind: str, rng: random.Random):
    """A strided convolution of one frame, ours or torch's own, and its input, channels last in
    memory.
    """
    import torch

    from semiology.models.networks.agcn import FrameConv

    few = [width for width in WIDTHS if width < 16]
    channels, width, stride = rng.choice(few), rng.choice(WIDTHS), rng.choice((2, 3))
    values = torch.randn(
        rng.choice(CLIPS), channels, rng.choice(FRAMES[:-1]), rng.choice((1, 4, 11, 15, 23))
    )
    layer = (
        torch.nn.Conv2d(channels, width, 1, (stride, 1))
        if kind == STRIDED
        else FrameConv(channels, width, 1, stride)
    )
    return layer, [values.to(memory_format=torch.channels_last)]


if __name__ == "__main__":
    sys.exit(main())
