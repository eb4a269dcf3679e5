"""Whether every size that a user can ask for trains here: each in a process of its own, beside
double precision.

Sizes of networks (clips, frames, channels, joints, widths, kernels, strides, threads) are drawn at
random, up to `LARGEST`, and run forward and backward. Counted are the processes that die or never
end, and the sizes whose numbers are further from double precision than single precision explains.

What single precision explains has no common scale: behind a batch norm of a channel that hardly
varies, or before a batch norm that takes most of a gradient away, a last digit grows some hundred
times; and a ReLU whose input lies within rounding of zero opens or shuts, and moves the gradient by
a finite step. So it is measured, for each size:

1. Sides. Every ReLU of the double-precision run opens where it opened in single precision. Both
   runs are then the same smooth function. So that a wrong number cannot hide in a wrongly shut
   ReLU, the inputs of the ReLUs are compared, too.
2. Rounding. The unit of a tensor is the largest of three distances: its last digit; what `DRAWS`
   double-precision runs differ by when the result of every operation, forward and backward, is
   rounded to single precision, and batch norms are torch's own in single precision (torch adds up a
   channel value by value, and its rounding moves the whole channel at once); and, for convolutions
   and linear layers, the last digit of the gradient's sum without its signs, because a code that
   adds n terms one after the other may be n / 2 of these off, however small the sum becomes. oneDNN
   has no part in a unit: torch gives it neither double precision nor batch norms that train.

The ReLUs' inputs, the output and each layer's gradient are compared, and a size differs where one
of them is more than `FACTOR` units from double precision. The same is measured with oneDNN off: how
far another single-precision code is. What oneDNN's defect gets wrong is off by 10,000 units and
more.

Beside the networks stands the operation that they go round where channels are few: torch's own
strided convolution of one frame, channels last in memory. It says on which instruction sets and
releases going round is needed. Counted is how many die, not which.

    make bench NAME=safe-shapes ARGS="--isa avx2"     as on a processor with AVX2 and nothing newer
"""

import argparse
import copy
import json
import os
import random
import signal
import subprocess
import sys

import torch
import torch.nn.functional as F
from record import record
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from semiology import load_skeleton
from semiology.models.networks import Network, StreamShape
from semiology.models.networks.agcn import MANY, FrameConv

ISAS = {  # instruction set -> what torch, oneDNN and MKL read when they are loaded
    "default": {},
    "avx2": {
        "ONEDNN_MAX_CPU_ISA": "AVX2",
        "ATEN_CPU_CAPABILITY": "avx2",
        "MKL_ENABLE_INSTRUCTIONS": "AVX2",
    },
}
WORKERS = 2
PATIENCE = 60  # s; who takes longer never ends, and is counted among those that die
SEED = 0
LAST = torch.finfo(torch.float32).eps
DRAWS = 2  # of rounding
FACTOR = 100  # units [our choice, between the largest with oneDNN off and what the defect does]
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
FEW = "convolution of one frame"
MORE = f"convolution of one frame, {MANY} channels or more, two threads"
SIZES = {  # how many are drawn
    "agcn": 80,
    "ctrgcn": 40,
    "transformer": 30,
    "gat": 30,
    "tcn": 30,
    "segments": 40,
    FEW: 50,
    STRIDED: 50,
    MORE: 100,
}
LINEAR = (torch.nn.Linear, torch.nn.Conv1d, torch.nn.Conv2d)
ZERO = torch.tensor(0.0, dtype=torch.float64)
LEAKY = {F.leaky_relu, torch._C._nn.leaky_relu}
RELUS = LEAKY | {F.relu, torch.relu, torch.relu_, torch.Tensor.relu, torch.Tensor.relu_}


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
        for kind, row in kinds.items():
            print(
                f"{isa:<8} {kind:<62} {row['sizes']:>4} sizes, {row['died']} died, {row['differ']}"
                f" differ; largest distance {row['largest']:.3g} units, with oneDNN off"
                f" {row['largest_without_onednn']:.3g}"
            )
    ours = [row for kinds in found.values() for kind, row in kinds.items() if kind != STRIDED]
    sizes, died, differ = (sum(row[name] for row in ours) for name in ("sizes", "died", "differ"))
    largest, without = (
        max(row[name] for row in ours) for name in ("largest", "largest_without_onednn")
    )
    strided = ", ".join(
        f"{isa} {kinds[STRIDED]['died']} died and {kinds[STRIDED]['differ']} differ"
        f" of {kinds[STRIDED]['sizes']}"
        for isa, kinds in found.items()
    )
    return record(
        "safe-shapes",
        found,
        f"no process dies, and nothing is more than {FACTOR} units of rounding from double"
        " precision",
        died == differ == 0,
        headline=f"{sizes} sizes: {died} died, {differ} differ; largest distance {largest:.1f}"
        f" units, with oneDNN off {without:.1f} ({STRIDED}: {strided})",
        seed=SEED,
    )


def swept(isa: str) -> dict[str, dict[str, float]]:
    """For each kind the number of sizes, how many of them died or differ, and the largest distance
    of those that lived.
    """
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
    outcomes: dict[str, list[tuple[float, float] | None]] = {kind: [] for kind in SIZES}
    for worker in workers:
        for kind, outcome in json.loads(worker.communicate()[0]):
            outcomes[kind].append(outcome)
    return {kind: counts(found) for kind, found in outcomes.items()}


def counts(outcomes: list[tuple[float, float] | None]) -> dict[str, float]:
    """Of one kind's outcomes."""
    lived = [outcome for outcome in outcomes if outcome is not None]
    return {
        "sizes": len(outcomes),
        "died": len(outcomes) - len(lived),
        "differ": sum(not distance <= FACTOR for distance, _ in lived),
        "largest": max((distance for distance, _ in lived), default=0.0),
        "largest_without_onednn": max((distance for _, distance in lived), default=0.0),
    }


def work(number: int) -> int:
    """Try this worker's share of the sizes and print what became of each."""
    # what torch imports when first used
    measured(torch.nn.Conv2d(1, 1, 1), [torch.ones(1, 1, 1, 1)])
    rng = random.Random(SEED)
    drawn = [(kind, rng.randrange(2**32)) for kind, count in SIZES.items() for _ in range(count)]
    print(json.dumps([(kind, tried(kind, seed)) for kind, seed in drawn[number::WORKERS]]))
    return 0


def tried(kind: str, seed: int) -> tuple[float, float] | None:
    """`distances` in a forked process; None if it died. One that never ends is ended."""
    sys.stdout.flush()
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(
            PATIENCE
        )  # ends the process, also one that goes round and round in native code
        os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # what the C library says of a damaged heap
        os.write(writing, json.dumps(distances(kind, seed)).encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as pipe:
        outcome = pipe.read()
    return json.loads(outcome) if os.waitpid(child, 0)[1] == 0 else None


def distances(kind: str, seed: int) -> tuple[float, float]:
    """Of a network, or of one layer, with sizes drawn from this seed: as torch computes it, and
    with oneDNN off.
    """
    rng = random.Random(seed)
    torch.manual_seed(seed)
    torch.set_num_threads(2 if kind == MORE else rng.choice((1, 2)))
    network, inputs = drawn_network(kind, rng) if kind in NETWORKS else drawn_layer(kind, rng)
    return measured(network, inputs)


def measured(network: torch.nn.Module, inputs: list[torch.Tensor]) -> tuple[float, float]:
    """How far single precision is from double precision, in units of rounding: of the tensor that
    is furthest. As torch computes it, and with oneDNN off.
    """
    exact, wide = copy.deepcopy(network).double(), [values.double() for values in inputs]
    found, sides = numbers(network, inputs)
    off = [norms(found, numbers(exact, wide, sides)[0])]
    with torch.backends.mkldnn.flags(enabled=False):
        found, own_sides = numbers(network, inputs)
    off.append(norms(found, numbers(exact, wide, own_sides)[0]))
    unit = units(exact, wide, sides)
    as_computed, without = (
        torch.where(each == 0, 0.0, each / unit).nan_to_num(nan=sys.float_info.max).max().item()
        for each in off
    )
    return as_computed, without


def units(exact, inputs, sides):
    """Of each tensor of `numbers`: the largest of its last digit, its layer's terms without their
    signs, and the draws of rounding.
    """
    terms: dict[torch.nn.Module, torch.Tensor] = {}
    hooks = [
        layer.register_forward_hook(unsigned(terms))
        for layer in exact.modules()
        if isinstance(layer, LINEAR)
    ]
    double, _ = numbers(exact, inputs, sides)
    for hook in hooks:
        hook.remove()
    layers = [layer for layer, _ in with_gradients(exact)]
    first = len(double) - len(layers)  # before the gradients stand the ReLUs' inputs and the output
    found = [torch.stack([values.norm() for values in double]) / 2]
    found.append(torch.stack([ZERO] * first + [terms.get(layer, ZERO) for layer in layers]))
    found = [LAST * each for each in found]
    for layer in exact.modules():
        if isinstance(layer, torch.nn.modules.batchnorm._BatchNorm):
            layer.float()
            layer.register_forward_pre_hook(lambda _, values: values[0].float())
            layer.register_forward_hook(lambda _, __, out: out.double())
    with Rounded():
        moved = [numbers(exact, inputs, sides)[0] for _ in range(DRAWS)]
    return torch.stack([*found, *(norms(each, double) for each in moved)]).amax(dim=0)


def unsigned(terms):
    """A hook that puts the norm of a linear layer's gradient, added up without signs, into `terms`
    when the gradient of the layer's output comes.
    """

    def watch(layer, inputs, out):
        def add(upstream):
            with torch.enable_grad():
                again = layer.forward(inputs[0].detach().abs())
                gradients = torch.autograd.grad(again, list(layer.parameters()), upstream.abs())
            terms[layer] = torch.cat([each.flatten() for each in gradients]).norm()

        out.register_hook(add)

    return watch


def norms(found, expected):
    """Of the differences, tensor by tensor."""
    return torch.stack([(one - other).norm() for one, other in zip(found, expected)])


def with_gradients(network):
    """Each layer that has weights of its own with a gradient, and these gradients in one vector."""
    for layer in network.modules():
        gradients = [
            weight.grad.flatten()
            for weight in layer.parameters(recurse=False)
            if weight.grad is not None
        ]
        if gradients:
            yield layer, torch.cat(gradients)


def numbers(network, inputs, sides=None):
    """What is compared, each in double precision: the inputs of the ReLUs, the output, and each
    layer's gradient of a sum of the outputs with changing weights. And the ReLUs' inputs alone.
    """
    network.zero_grad()
    with Sides(sides) as relus:
        out = network(*inputs)
    weights = torch.linspace(-1, 2, out.numel()).view(out.shape).to(out.dtype)
    (out * weights).sum().backward()
    gradients = [gradient for _, gradient in with_gradients(network)]
    compared = [values.detach().double().clone() for values in (*relus.inputs, out, *gradients)]
    return compared, relus.inputs


class Sides(TorchFunctionMode):
    """Keeps the input of every ReLU. With `sides`, the inputs of another run, each ReLU opens where
    it opened there.
    """

    def __init__(self, sides: list[torch.Tensor] | None = None):
        super().__init__()
        self.sides, self.inputs = sides, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func not in RELUS:
            return func(*args, **kwargs)
        self.inputs.append(args[0].detach().clone())
        if self.sides is None:
            return func(*args, **kwargs)
        slope = kwargs.get("negative_slope", 0.01) if func in LEAKY else 0.0
        opened = self.sides[len(self.inputs) - 1] > 0
        return args[0] * torch.where(opened, 1.0, slope).to(args[0].dtype)


class Rounded(TorchDispatchMode):
    """Every new result of an operation in double precision is rounded to single, at a scale drawn
    anew for each: where the last digit falls is random, and equal values stay equal.
    """

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        results = func(*args, **(kwargs or {}))
        for values, returned in zip(
            results if isinstance(results, tuple | list) else (results,), func._schema.returns
        ):
            if (
                isinstance(values, torch.Tensor)
                and values.dtype == torch.float64
                and returned.alias_info is None  # neither a view nor done in place
            ):
                scale = 1 + torch.rand(()).item()
                values.copy_((values * scale).float()).div_(scale)
        return results


def drawn_network(kind: str, rng: random.Random):
    """A network and its input."""
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
        "attention": rng.choice((False, True)),
    }


NETWORKS = {  # kind -> class and options, drawn
    "agcn": lambda rng: ("agcn", _agcn(rng)),
    "ctrgcn": lambda rng: (
        "ctrgcn",
        {"widths": [4 * rng.choice(WIDTHS[:8]) for _ in range(2)], "kernel": rng.choice((3, 5))},
    ),
    "transformer": lambda rng: (
        "transformer",
        {"width": 4 * rng.choice(WIDTHS[:8]), "stride": rng.choice((1, 2, 3)), "dropout": 0.0},
    ),
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
    channels = rng.choice(
        [width for width in (*WIDTHS, 20, 24, 48, 100, 128) if (width >= MANY) == (kind == MORE)]
    )
    width, stride = rng.choice(WIDTHS), rng.choice((2, 3))
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
