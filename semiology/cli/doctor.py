"""The verb doctor: what is installed, whether it fits together, and what will be used."""

import importlib.util
import os
import platform
from pathlib import Path

from semiology.cli import parser

PACKAGES = (
    "semiology",
    "torch",
    "torchvision",
    "torch-geometric",
    "lightning",
    "jsonargparse",
    "facenet-pytorch",
    "ai-edge-litert",
    "numpy",
    "scipy",
    "scikit-learn",
    "pandas",
    "xarray",
    "h5netcdf",
    "pydantic",
    "av",
    "safetensors",
    "joblib",
)
INSTRUCTION_SETS = {  # as users know them -> torch.cpu.get_capabilities
    **{
        "AVX2": "avx2",
        "AVX-512": "avx512_f",
        "AVX-512 bf16": "avx512_bf16",
        "AMX": "amx_tile",
        "AMX bf16": "amx_bf16",
    },
    **{"NEON": "neon", "Arm bf16": "bf16", "SVE": "sve"},
}


def run_doctor(arguments: list[str]) -> int:
    """Check the installation: packages, pose backends, weights, and the device in use. Each fault
    comes with what to do.
    """
    parser("doctor", run_doctor).parse_args(arguments)
    lines, faults = diagnose()
    print("\n".join(lines))
    print("\n".join(f"fault: {fault}" for fault in faults) or "all well")
    return 1 if faults else 0


def diagnose() -> tuple[list[str], list[str]]:
    """Lines about the installation, and faults with what to do about each (empty where all is
    well).
    """
    from importlib.metadata import PackageNotFoundError, version

    from semiology.weights import known_weights, weights_folder

    lines = [f"Python {platform.python_version()} on {platform.platform()}, {os.cpu_count()} cores"]
    faults = []
    for package in PACKAGES:
        try:
            lines.append(f"  {package:<18}{version(package)}")
        except PackageNotFoundError:
            lines.append(f"  {package:<18}not installed")
            if package != "ai-edge-litert":
                faults.append(
                    f"{package} is not installed: install semiology again in this environment"
                )
    lines += [*_torch(faults), *_backends(faults)]
    lines.append(
        "appearance weights: none shipped; `semiology pretrain expression` trains them, `semiology"
        " extract --face_weights FILE` uses them"
    )
    lines.append(
        "snippet weights: none shipped; `semiology weights get r2plus1d_18` fetches published ones,"
        " `semiology pretrain action` trains them, `semiology extract --snippet_weights FILE` uses"
        " them"
    )
    known, folder = known_weights().values(), weights_folder()
    present = sum((folder / entry.file).is_file() for entry in known)
    lines.append(
        f"published weights: {present} of {len(known)} in {folder}; `semiology weights list` lists"
        " them"
    )
    return lines, faults


def _torch(faults: list[str]) -> list[str]:
    try:
        import torch
        import torchvision

        boxes, scores = (
            torch.tensor([[0.0, 0.0, 2.0, 2.0], [0.0, 0.0, 2.0, 2.0]]),
            torch.tensor([0.5, 0.9]),
        )
        indices = torchvision.ops.nms(boxes, scores, 0.5).tolist()
        if indices != [1]:
            faults.append(
                f"torchvision's nms gave {indices} instead of [1]: install torch and torchvision"
                " again, from the same index"
            )
    except (ImportError, RuntimeError, AttributeError) as error:
        faults.append(
            f"torch and torchvision do not fit together ({str(error).splitlines()[0]}): install"
            " both from the same index"
        )
        return []
    if torch.cuda.is_available():
        memory = torch.cuda.get_device_properties(0).total_memory / 2**30
        device = (
            f"{torch.cuda.get_device_name(0)}, {memory:.0f} GiB (training; BlazePose stays on the"
            " CPU)"
        )
    else:
        device = f"CPU, {torch.get_num_threads()} threads"
    return [
        "torch and torchvision fit: yes",
        f"device: {device}",
        f"processor: {_instruction_sets()}",
    ]


def _instruction_sets() -> str:
    """Vector instructions of the processor, and the newest that torch's own kernels use
    (ATEN_CPU_CAPABILITY can hold torch back).
    """
    import torch

    there = torch.cpu.get_capabilities()
    found = [name for name, flag in INSTRUCTION_SETS.items() if there.get(flag)]
    return (
        f"{platform.machine()}, {', '.join(found) or 'no vector instructions known'}; torch uses"
        f" {torch.backends.cpu.get_cpu_capability()}"
    )


def _backends(faults: list[str]) -> list[str]:
    from semiology.weights import called, verify

    lines, blazepose = [], "pose backend blazepose"
    if importlib.util.find_spec("ai_edge_litert") is None:
        faults.append(
            f"{blazepose}: LiteRT is not installed: pip install 'semiology[blazepose]'; users' own"
            " tracks work without it"
        )
    states = verify()
    wrong = [entry.name for entry in called("blazepose") if states[entry.name] != "ok"]
    if wrong:
        faults.append(
            f"{blazepose}: {', '.join(f'{name} is {states[name]}' for name in wrong)}: `semiology"
            " weights get blazepose`"
        )
    lines.append(f"{blazepose}: {'networks missing' if wrong else 'networks are there'}")
    lines.append(
        "pose backend keypoint-rcnn: needs detectors from `semiology tracking finetune`, or"
        " published COCO weights"
    )
    found = importlib.util.find_spec("facenet_pytorch")
    weights = (
        list((Path(found.origin).parent / "data").glob("?net.pt")) if found and found.origin else []
    )
    if len(weights) != 3:
        faults.append(
            "facenet-pytorch: its MTCNN weights are missing: install facenet-pytorch >=2.5.3,<2.6"
            " again"
        )
    lines.append(
        "face detector MTCNN:"
        f" {'ready, weights are in the package' if len(weights) == 3 else 'weights missing'}"
    )
    return lines
