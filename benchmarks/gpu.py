"""A GPU's day, in minutes: steps of the AGCN against the original's, folds trained together,
frames/s of detectors and features, and the paper's Table 1 end to end, on one GPU.

    benchmarks/gpu.sh                    makes its environment where there is none, then runs this
    make bench NAME=gpu                  the same in this environment
    python benchmarks/gpu.py --device cpu --tiny --out FILE.json     tries every step, anywhere

Each step has its own seconds; what it measured is in the JSON (and as a table in the .md beside it,
for docs/speed.md) as soon as it is done, so that a killed run keeps what it has. A step that fails
is noted with its error, and the others go on. All weights are random: times do not depend on them,
but for what a detector finds, and that is told.

Times are medians, after a warm-up, of calls in turns, each until the GPU has ended. "fp32" is full
float32; "tf32" lets products and convolutions round their inputs to tf32; "bf16" is autocast.
"""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
import yaml
from original_agcn import OriginalAGCN, into_ours
from paper_phantom import make_paper_cohort
from record import record
from torch import Tensor, nn

from semiology.data.keypoint_names import COCO_17
from semiology.data.skeleton import load_skeleton
from semiology.files import atomic_path
from semiology.models.features.r2plus1d import R2Plus1D, Shape
from semiology.models.features.vgg import VGG19
from semiology.models.networks import AGCN, StreamShape
from semiology.models.networks.folded_agcn import FoldedAGCN
from semiology.tracking.pose.detectors import Detectors, DetectorSetup
from semiology.tracking.pose.joint_network import JointNetwork
from semiology.tracking.pose.ssd import coco_network

Figures = dict[str, Any]
CONFIG = Path("configs/hou2022.yaml")
OUT = Path("runs/gpu/gpu.json")
MINUTES = 6.5  # of the 8 of gpu.sh, which makes an environment first
SECONDS = {"machine": 10, "agcn": 90, "folds": 60, "detectors": 40, "features": 30}
LAST = 5  # s that are left at the end, for the table
TIME, JOINTS, CHANNELS = 128, 11, 3
FOLDS = 19


@dataclass
class Day:
    """One run: where, how large, until when, and what was found so far."""

    device: torch.device
    tiny: bool
    out: Path
    ends: float  # time.monotonic()
    found: Figures = field(default_factory=dict)

    @property
    def on_gpu(self) -> bool:
        return self.device.type == "cuda"

    def left(self) -> float:
        """Seconds until the end."""
        return self.ends - time.monotonic()

    def keep(self, step: str, figures: Figures) -> None:
        """Write what a step has measured so far, and the table."""
        self.found[step] = figures
        for path, text in (
            (self.out, json.dumps(self.found, indent=1, default=float) + "\n"),
            (self.out.with_suffix(".md"), table(self.found)),
        ):
            with atomic_path(path) as temporary:
                temporary.write_text(text, encoding="utf-8")

    def size(self, full: int, tiny: int) -> int:
        return tiny if self.tiny else full

    def wait(self) -> None:
        if self.on_gpu:
            torch.cuda.synchronize()

    def peak(self) -> float:
        """GiB of the GPU at its fullest since the last call; 0 without one."""
        if not self.on_gpu:
            return 0.0
        peak = torch.cuda.max_memory_allocated() / 2**30
        torch.cuda.reset_peak_memory_stats()
        return peak

    def in_turns(
        self, calls: dict[str, Callable[[], object]], seconds: float, items: int
    ) -> Figures:
        """Call each once a round, until `seconds` are over: name -> median ms of a call, items a
        second, peak memory, rounds; an error for those that fail.
        """
        figures: Figures = {}
        times: dict[str, list[float]] = {}
        memory = {}
        for name, call in calls.items():
            try:
                self.peak()
                for _ in range(self.size(3, 1)):
                    call()
                self.wait()
                memory[name], times[name] = self.peak(), []
            except Exception as error:  # this one alone: others may work on this machine
                figures[name] = {"error": f"{type(error).__name__}: {str(error)[:300]}"}
        until = time.monotonic() + min(seconds, max(self.left() - LAST, 0))
        rounds = 0
        least, most = self.size(3, 1), self.size(200, 1)
        while times and rounds < most and (rounds < least or time.monotonic() < until):
            rounds += 1
            for name in times:
                self.wait()
                began = time.perf_counter()
                calls[name]()
                self.wait()
                times[name].append(time.perf_counter() - began)
        for name, own in times.items():
            median = statistics.median(own)
            figures[name] = {
                "ms": median * 1000,
                "a_second": items / median,
                "peak_gib": memory[name],
                "rounds": rounds,
            }
        return figures


@contextmanager
def computing(precision: str, device: torch.device) -> Iterator[None]:
    """A context in which layers compute in "fp32", "tf32" or "bf16"."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = precision != "fp32"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before


def machine(day: Day, seconds: float) -> Figures:
    """What this machine is, and how fast its products of large matrices are."""
    figures: Figures = {
        "device": torch.cuda.get_device_name() if day.on_gpu else "cpu",
        "driver": _driver() if day.on_gpu else "",
        "torch": torch.__version__,
        "cuda": torch.version.cuda or "",
        "cudnn": torch.backends.cudnn.version() if day.on_gpu else None,
        "memory_gib": torch.cuda.mem_get_info()[1] / 2**30 if day.on_gpu else 0.0,
        "cores": os.cpu_count(),
        "python": sys.version.split()[0],
    }
    size = day.size(8192, 64)
    for precision in ("fp32", "tf32", "bf16"):
        dtype = torch.bfloat16 if precision == "bf16" else torch.float32
        left, right = (torch.randn(size, size, device=day.device, dtype=dtype) for _ in range(2))
        with computing("tf32" if precision == "tf32" else "fp32", day.device):
            rate = day.in_turns({precision: partial(torch.mm, left, right)}, seconds / 4, 1)
        figures[f"products_{precision}_tflops"] = 2e-12 * size**3 * rate[precision]["a_second"]
    return figures


def _driver() -> str:
    try:
        return subprocess.run(
            ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"],
            capture_output=True,
            text=True,
            check=True,
        ).stdout.split()[0]
    except (OSError, subprocess.CalledProcessError, IndexError):
        return "unknown"


def agcn(day: Day, seconds: float) -> Figures:
    """Training step and inference of the AGCN of published widths and of the original, same
    weights, by precision and batch, in turns; compiled ones last, as compiling takes long.
    """
    shape = StreamShape(2, load_skeleton("upper_body_11"), CHANNELS)
    figures: Figures = {}
    batches = (8, 256) if not day.tiny else (1,)
    for number, batch in enumerate(batches):
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
        share = seconds / len(batches) / 4
        figures[f"batch {batch}, training step"] = day.in_turns(training, share, batch)
        figures[f"batch {batch}, inference"] = day.in_turns(inference, share, batch)
        day.keep("agcn", figures)
        if number and day.left() < 150:  # the first batch's are enough where time is short
            continue
        compiled_training, compiled_inference = {}, {}
        if day.tiny:  # compiling ten blocks takes long
            networks = {"AGCN": (AGCN(shape, widths=(4,)), (inputs, seen))}
        for name, (network, own) in networks.items():
            quick = torch.compile(network, backend="inductor" if day.on_gpu else "eager")
            key = f"{name} compiled, bf16"
            compiled_training[key] = train_step(quick, own, "bf16")
            compiled_inference[key] = scoring(quick, own, "bf16")
        if day.on_gpu:
            compiled_training["AGCN as a CUDA graph, bf16"] = graphed_step(
                AGCN(shape).to(day.device), (inputs, seen), "bf16"
            )
        figures[f"batch {batch}, training step"] |= day.in_turns(compiled_training, share, batch)
        figures[f"batch {batch}, inference"] |= day.in_turns(compiled_inference, share, batch)
        day.keep("agcn", figures)
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


def detectors(day: Day, seconds: float) -> Figures:
    """Frames/s of Keypoint R-CNN's joint network (its crop of the patient, ResNet-50) and of the
    SSD, both as `extract` calls them, images in and positions out; and of the joint network alone.
    """
    batch = day.size(32, 1)
    height, width = (576, 720) if not day.tiny else (96, 120)
    rng = torch.Generator().manual_seed(0)
    images = [
        torch.randint(0, 256, (height, width, 3), generator=rng, dtype=torch.uint8).numpy()
        for _ in range(batch)
    ]
    boxes = [torch.tensor([0.2 * width, 0.1 * height, 0.8 * width, 0.9 * height]).numpy()] * batch
    backbone = "mobilenet_v3_large" if day.tiny else "resnet50"
    setup = DetectorSetup(COCO_17, backbone, day.size(320, 64), regions=["patient"])
    pair = Detectors(setup, JointNetwork(setup.joints, setup.backbone), coco_network())
    pair.to(str(day.device))
    crops = torch.rand(batch, 3, setup.size, setup.size, device=day.device)
    calls: dict[str, Callable[[], object]] = {"SSD, fp32": lambda: pair.find_regions(images)}
    for precision in ("fp32", "bf16"):
        calls[f"Keypoint R-CNN, {precision}"] = lambda precision=precision: pair.find_joints(
            images, boxes, precision
        )
        calls[f"Keypoint R-CNN, network alone, {precision}"] = scoring(
            pair.joints, (crops,), "tf32" if precision == "fp32" else "bf16"
        )
    return {
        "frame": [height, width],
        "batch": batch,
        "note": "random weights: the SSD's boxes are chance, the joint network's work is fixed",
        "frames": day.in_turns(calls, seconds, batch),
    }


def features(day: Day, seconds: float) -> Figures:
    """Frames/s of VGG-19 on faces and bodies and of R(2+1)D-34 on snippets, on tensors that are on
    the device.
    """
    figures: Figures = {}
    width = day.size(8, 1) / 8
    face, body = (
        VGG19(["a", "b"], form=form, size=size, width=width) for form, size in VGGS.items()
    )
    snippets = R2Plus1D(Shape.make(400, depth=day.size(34, 10), width=width))
    frames = day.size(16, 8)
    many, some, few = day.size(512, 2), day.size(128, 1), day.size(32, 1)
    side, large = day.size(112, 32), day.size(224, 32)
    inputs = {
        "VGG-19, faces of 48 px": (face, torch.rand(many, 3, 48, 48), many),
        "VGG-19, bodies of 224 px": (body, torch.rand(some, 3, large, large), some),
        f"R(2+1)D-34, snippets of {frames} frames": (
            snippets,
            torch.rand(few, 3, frames, side, side),
            few * frames,
        ),
    }
    for name, (network, values, items) in inputs.items():
        network, values = network.to(day.device), values.to(day.device)
        calls = {
            precision: scoring(network, (values,), precision)
            for precision in ("fp32", "tf32", "bf16")
        }
        figures[name] = day.in_turns(calls, seconds / len(inputs), items)
        day.keep("features", figures)
    return figures


VGGS = {"fer": 48, "torchvision": 224}  # form -> px


def table1(day: Day, _: float) -> Figures:
    """The paper's Table 1, configs/hou2022.yaml, on a phantom of its size with made features (see
    paper_phantom.py), by `semiology loso` in the time that is left; a slice is multiplied.
    """
    folder = day.out.parent / "table1"
    people, seconds = (19, (30.0, 90.0)) if not day.tiny else (6, (4.0, 5.0))
    make_paper_cohort(folder / "cohort", people, seconds)
    settings = yaml.safe_load(CONFIG.read_text(encoding="utf-8"))
    jobs = 1 if day.tiny else max((os.cpu_count() or 2) - 4, 1)
    settings |= {
        "cohort": str(folder / "cohort"),
        "store": str(folder / "cohort/store"),
        "out": str(folder / "run"),
        "final": False,
        "jobs": jobs,
    }
    if day.tiny:
        settings |= {"seeds": [0], "tasks": dict(list(settings["tasks"].items())[:1]), "repeats": 1}
        settings["split"] = {"by": "grouped", "folds": 2}
        for model in settings["models"].values():
            model["schedule"] = {"epochs": 1, "patience": None, "device": "cpu"}
            model["network"]["options"] = {}
        settings["models"] = {"agcn": settings["models"]["agcn"]}
        settings["models"]["agcn"]["network"]["options"] = {"widths": [4]}
    config = folder / "table1.yaml"
    config.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    groups = people if not day.tiny else 2
    planned = len(settings["tasks"]) * len(settings["seeds"]) * groups * len(settings["models"])
    seconds_left = max(day.left() - LAST, 1)
    began = time.monotonic()
    command = [sys.executable, "-m", "semiology.cli.main", "loso", "--config", str(config)]
    threads = {name: "1" for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    with (folder / "log.txt").open("w") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            start_new_session=True,  # its workers are ended with it
            env={**os.environ, **threads},
        )
        try:
            code = process.wait(seconds_left)
        except subprocess.TimeoutExpired:
            code = None
    took = time.monotonic() - began
    trained = trainings_of(folder / "run", len(settings["models"]))
    if code is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    figures: Figures = {
        "config": str(CONFIG),
        "clips": 2 * people,
        "trainings": planned,
        "trained": trained,
        "jobs": jobs,
        "seconds": took,
        "whole": code == 0,
        "minutes_for_all": took / trained * planned / 60 if trained else None,
    }
    if code == 0:
        metrics = json.loads((folder / "run/metrics.json").read_text(encoding="utf-8"))
        figures["auc"] = {
            f"{task} / {name}": model["metrics"].get("auc", {}).get("value")
            for task, found in metrics["tasks"].items()
            for name, model in found["models"].items()
        }
    elif code is not None or not trained:
        figures["error"] = (folder / "log.txt").read_text(errors="replace")[-500:]
    return figures


def trainings_of(run: Path, models: int) -> int:
    """Trainings that a run has finished: of complete folds, and of those that are not."""
    done = len(list(run.glob("folds/*/*/*.json"))) * models
    return done + len(list(run.glob("work/*/*.safetensors")))


STEPS: dict[str, Callable[[Day, float], Figures]] = {
    "machine": machine,
    "agcn": agcn,
    "folds": folds,
    "detectors": detectors,
    "features": features,
    "table1": table1,
}


def table(found: Figures) -> str:
    """Markdown for docs/speed.md: what was measured, a row each."""
    about = found.get("machine", {})
    lines = [
        f"{about.get('device', '?')}, driver {about.get('driver') or 'none'}, torch"
        f" {about.get('torch', '?')}; medians; products of large matrices:"
        + ",".join(
            f" {precision} {about.get(f'products_{precision}_tflops', 0):.3g} TFLOP/s"
            for precision in ("fp32", "tf32", "bf16")
        ),
        "",
        "| what | ms a call | a second | GiB |",
        "|---|---|---|---|",
    ]
    for step, figures in found.items():
        if step == "machine":
            continue
        if step == "table1":
            lines.append(_table1_row(figures))
            continue
        if "error" in figures:
            lines.append(f"| {step} | failed: {figures['error']} | | |")
            continue
        for group, rows in figures.items():
            for name, row in rows.items() if isinstance(rows, dict) else ():
                what = f"{step}: {group}, {name}"
                lines.append(
                    f"| {what} | not run: {row['error'].splitlines()[0]} | | |"
                    if "error" in row
                    else f"| {what} | {row['ms']:.3g} | {row['a_second']:.0f} |"
                    f" {row['peak_gib']:.2g} |"
                )
    return "\n".join(lines) + "\n"


def _table1_row(figures: Figures) -> str:
    if figures.get("error"):
        return f"| table1: {figures.get('config', '')} | failed, see the JSON | | |"
    whole = figures["minutes_for_all"]
    how = "measured" if figures["whole"] else "ESTIMATE, from the trainings done"
    return (
        f"| table1: {figures['trained']} of {figures['trainings']} trainings in"
        f" {figures['seconds']:.0f} s, {figures['jobs']} at a time | {whole:.1f} min for all"
        f" ({how}) | | |"
    )


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--device", default="cuda", help="cuda, or cpu to try")
    parser.add_argument("--tiny", action="store_true", help="smallest sizes: says nothing")
    parser.add_argument("--out", type=Path, default=OUT, help="JSON; its table lies beside it")
    parser.add_argument("--minutes", type=float, default=MINUTES, help="for all of it")
    parser.add_argument("--steps", nargs="+", choices=STEPS, default=list(STEPS))
    given = parser.parse_args(arguments)
    if given.device == "cuda" and not torch.cuda.is_available():
        print("not run: no GPU that torch can use is here (--device cpu --tiny tries the steps)")
        return 2
    began = time.monotonic()
    day = Day(torch.device(given.device), given.tiny, given.out, began + 60 * given.minutes)
    torch.manual_seed(0)
    for step in given.steps:
        started = time.monotonic()
        try:
            figures = STEPS[step](day, SECONDS.get(step, 0))
        except Exception as error:  # the other steps are worth as much
            traceback.print_exc()
            figures = day.found.get(step, {}) | {"error": f"{type(error).__name__}: {error}"}
        day.keep(step, figures)
        print(f"{step}: {time.monotonic() - started:.0f} s", flush=True)
        if day.on_gpu:
            torch.cuda.empty_cache()
    print(table(day.found))
    failed = [step for step, figures in day.found.items() if "error" in figures]
    took = time.monotonic() - began
    if not day.on_gpu or day.tiny:
        print(f"{given.out}: tried on {day.device}; no result is kept in benchmarks/results")
        return 1 if failed else 0
    return record(
        "gpu",
        day.found | {"seconds": took},
        f"every step measured within {given.minutes:g} minutes",
        not failed and took < 60 * given.minutes,
        headline=(
            f"{len(day.found) - len(failed)} of {len(given.steps)} steps in {took / 60:.1f} min"
            + (f", failed: {', '.join(failed)}" if failed else "")
        ),
        seed=0,
    )


if __name__ == "__main__":
    sys.exit(main())
