"""Steps of training and scoring for the GPU's benchmark: the AGCN beside the original's, and many
folds as one stacked network.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from gpu_day import Day, Figures, computing
from original_agcn import OriginalAGCN, into_ours
from torch import Tensor, nn

from semiology.data.skeleton import load_skeleton
from semiology.models.networks import AGCN, StreamShape
from semiology.models.networks.folded_agcn import FoldedAGCN

TIME, JOINTS, CHANNELS = 128, 11, 3
FOLDS = 19
RESERVED = 130  # s for what comes after compiling


def agcn(day: Day, seconds: float) -> Figures:
    """Training step and inference of the AGCN of published widths and of the original, same
    weights, by precision and batch, in turns.
    """
    shape = StreamShape(2, load_skeleton("upper_body_11"), CHANNELS)
    figures: Figures = {}
    batches = (8, 256) if not day.tiny else (1,)
    for batch in batches:
        inputs = torch.randn(batch, CHANNELS, day.size(TIME, 4), JOINTS, device=day.device)
        seen = torch.ones(batch, *inputs.shape[2:], device=day.device)
        original = OriginalAGCN(torch.from_numpy(shape.skeleton.partitions()), 2).to(day.device)
        ours = AGCN(shape).to(day.device)
        into_ours(original, ours)
        with torch.no_grad(), computing("fp32", day.device):
            reference = original.eval()(inputs[..., None])
            apart = (ours.eval()(inputs, seen) - reference).abs().max() / reference.std()
        figures[f"batch {batch}, outputs apart"] = float(apart)
        networks = {"original": (original, (inputs[..., None],)), "AGCN": (ours, (inputs, seen))}
        training, inference = {}, {}
        for precision in ("fp32", "tf32", "bf16"):
            for name, (network, own) in networks.items():
                training[f"{name}, {precision}"] = train_step(network, own, precision)
                inference[f"{name}, {precision}"] = scoring(network, own, precision)
            dtype = torch.bfloat16 if precision == "bf16" else torch.float32
            folded = FoldedAGCN(ours.eval(), dtype)
            plain = "tf32" if precision == "tf32" else "fp32"
            inference[f"AGCN folded, {precision}"] = scoring(folded, (inputs, seen), plain)
        share = seconds / len(batches) / 2
        figures[f"batch {batch}, training step"] = day.in_turns(training, share, batch)
        figures[f"batch {batch}, inference"] = day.in_turns(inference, share, batch)
        day.keep("agcn", figures)
    return figures


def compiled(day: Day, seconds: float) -> Figures:
    """The same by torch.compile, and a training step as a CUDA graph, batch of 8, bf16. Compiling
    takes as long as it takes: nothing more is begun once only RESERVED seconds are left.
    """
    shape = StreamShape(2, load_skeleton("upper_body_11"), CHANNELS)
    batch = day.size(8, 1)
    keypoints = torch.randn(batch, CHANNELS, day.size(TIME, 4), JOINTS, device=day.device)
    ours = (keypoints, torch.ones(batch, *keypoints.shape[2:], device=day.device))
    original = OriginalAGCN(torch.from_numpy(shape.skeleton.partitions()), 2).to(day.device)
    options = {"widths": (4,)} if day.tiny else {}
    networks = {
        "AGCN": (AGCN(shape, **options).to(day.device), ours),
        "original": (original, (keypoints[..., None],)),
    }
    if day.tiny:  # its ten blocks take long
        del networks["original"]
    calls: dict[tuple[str, str], Callable[[], object]] = {}
    if day.on_gpu:
        graphed = graphed_step(AGCN(shape).to(day.device), ours, "bf16")
        calls["training step", "AGCN as a CUDA graph, bf16"] = graphed
    for name, (network, inputs) in networks.items():
        quick = torch.compile(network, backend="inductor" if day.on_gpu else "eager")
        calls["training step", f"{name} compiled, bf16"] = train_step(quick, inputs, "bf16")
        calls["inference", f"{name} compiled, bf16"] = scoring(quick, inputs, "bf16")
    figures: Figures = {}
    for (what, name), call in calls.items():
        rows = figures.setdefault(f"batch {batch}, {what}", {})
        if day.left() < RESERVED and not day.tiny:
            rows[name] = {"error": "no time was left to compile it"}
            continue
        rows |= day.in_turns({name: call}, seconds / len(calls), batch)
        day.keep("compiled", figures)
    return figures


def train_step(
    network: nn.Module, inputs: tuple[Tensor, ...], precision: str
) -> Callable[[], object]:
    """A call that trains one step with AdamW, as folds are trained."""
    device = inputs[0].device
    target = torch.arange(len(inputs[0]), device=device) % 2
    optimiser = torch.optim.AdamW(network.parameters(), 1e-4)

    def step() -> None:
        network.train()
        with computing(precision, device):
            loss = F.cross_entropy(network(*inputs), target)
            optimiser.zero_grad()
            loss.backward()
        optimiser.step()

    return step


def graphed_step(
    network: nn.Module, inputs: tuple[Tensor, ...], precision: str
) -> Callable[[], object]:
    """The same step, captured once as a CUDA graph at the first call and replayed."""
    device, graphs = inputs[0].device, []
    target = torch.arange(len(inputs[0]), device=device) % 2
    optimiser = torch.optim.AdamW(network.parameters(), 1e-4, capturable=True)

    def step() -> None:
        # without autocast's cache of casts, which a graph must not keep from an earlier step
        with torch.autocast(
            device.type, torch.bfloat16, enabled=precision == "bf16", cache_enabled=False
        ):
            loss = F.cross_entropy(network(*inputs), target)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()

    def replay() -> None:
        if not graphs:
            network.train()
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(3):
                    step()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                step()
            graphs.append(graph)
        graphs[0].replay()

    return replay


def scoring(network: nn.Module, inputs: tuple[Tensor, ...], precision: str) -> Callable[[], object]:
    """A call that scores a batch."""

    def score() -> None:
        network.eval()
        with torch.inference_mode(), computing(precision, inputs[0].device):
            network(*inputs)

    return score


def folds(day: Day, seconds: float) -> Figures:
    """A training step of each of 19 folds, one after the other and as one stacked network (vmap
    over the weights): ms for all of them.
    """
    shape = StreamShape(2, load_skeleton("upper_body_11"), CHANNELS)
    figures: Figures = {}
    count, batch = day.size(FOLDS, 2), day.size(8, 2)
    inputs = torch.randn(count, batch, CHANNELS, day.size(TIME, 16), JOINTS, device=day.device)
    seen = torch.ones(count, batch, *inputs.shape[3:], device=day.device)
    target = torch.arange(batch, device=day.device) % 2
    sizes = {"demo's widths": {"widths": (16, 32, 32)}, "published widths": {}}
    for name, options in sizes.items():
        if day.tiny and not options:
            continue
        calls: dict[str, Callable[[], object]] = {}
        for precision in (
            "tf32",
            "bf16",
        ):  # autocast does not reach batch norms under vmap on a CPU
            alone = [AGCN(shape, **options).to(day.device) for _ in range(count)]
            steps = [
                train_step(network, (x, mask), precision)
                for network, x, mask in zip(alone, inputs, seen)
            ]
            calls[f"one by one, {precision}"] = lambda steps=steps: [step() for step in steps]
            calls[f"at once, {precision}"] = stacked_step(
                [AGCN(shape, **options).to(day.device) for _ in range(count)],
                (inputs, seen, target.expand(count, batch)),
                precision,
            )
        figures[name] = day.in_turns(calls, seconds / len(sizes), count * batch)
        day.keep("folds", figures)
    return figures


def stacked_step(
    networks: list[AGCN], data: tuple[Tensor, Tensor, Tensor], precision: str
) -> Callable[[], object]:
    """A call that trains a step of several networks as one: weights, running statistics and data
    (fold, ...), each network on its own.
    """
    for network in networks:
        network.train()
    weights, buffers = torch.func.stack_module_state(networks)
    optimiser = torch.optim.AdamW(list(weights.values()), 1e-4)
    pattern = networks[0]

    def loss(weights, buffers, keypoints, mask, target):
        logits = torch.func.functional_call(pattern, (weights, buffers), (keypoints, mask))
        return F.cross_entropy(logits.float(), target)

    gradients = torch.func.vmap(torch.func.grad(loss), randomness="different")

    def step() -> None:
        with computing(precision, data[0].device):
            found = gradients(weights, buffers, *data)
        for name, weight in weights.items():
            weight.grad = found[name]
        optimiser.step()

    return step
