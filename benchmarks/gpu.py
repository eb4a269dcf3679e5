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
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable
from functools import partial
from pathlib import Path

import torch
import yaml
from gpu_day import LAST, Day, Figures, computing, table
from gpu_training import agcn, compiled, folds, scoring
from paper_phantom import make_paper_cohort
from record import record

from semiology.data.keypoint_names import COCO_17
from semiology.models.features.r2plus1d import R2Plus1D, Shape
from semiology.models.features.vgg import VGG19
from semiology.tracking.pose.detectors import Detectors, DetectorSetup
from semiology.tracking.pose.joint_network import JointNetwork
from semiology.tracking.pose.ssd import coco_network

CONFIG = Path("configs/hou2022.yaml")
OUT = Path("runs/gpu/gpu.json")
MINUTES = 6.5  # of the 8 of gpu.sh, which makes an environment first
SECONDS = {"machine": 8, "agcn": 60, "folds": 50, "detectors": 30, "features": 25, "compiled": 15}


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
    shutil.rmtree(folder / "run", ignore_errors=True)
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
    "compiled": compiled,
    "table1": table1,
}


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
