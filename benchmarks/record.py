"""What a benchmark leaves behind: benchmarks/results/<name>.json, and its figure and target as the
last line.
"""

import json
import os
import platform
import subprocess
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from semiology.files import atomic_path

RESULTS = Path(__file__).parent / "results"
TESTDATA = Path(  # real public videos and skeletons, which are not part of the project
    os.environ.get("SEMIOLOGY_TESTDATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)
PACKAGES = (
    "semiology",
    "torch",
    "torchvision",
    "lightning",
    "numpy",
    "scipy",
    "scikit-learn",
    "xarray",
    "av",
    "ai-edge-litert",
    "facenet-pytorch",
)


def record(
    name: str,
    figures: Mapping[str, object],
    target: str,
    passed: bool,
    *,
    headline: str,
    seed: int | None = None,
) -> int:
    """Write figures with versions, seed and machine; print `headline` beside the target. Returns
    the exit status: 0 where it is met.

    Args:
        name: of the benchmark, as in `make bench NAME=...`.
        figures: everything measured.
        target: what was to be reached, in words.
        headline: the figure compared with the target, in words.
    """
    result = {
        "name": name,
        "passed": bool(passed),
        "headline": headline,
        "target": target,
        "figures": dict(figures),
        "seed": seed,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "commit": _commit(),
        "machine": {
            "system": platform.platform(),
            "processor": _processor(),
            "cores": os.cpu_count(),
            "gpu": _gpu(),
        },
        "python": platform.python_version(),
        "versions": {package: _version(package) for package in PACKAGES},
    }
    with atomic_path(RESULTS / f"{name}.json") as temporary:
        temporary.write_text(json.dumps(result, indent=1, default=float) + "\n", encoding="utf-8")
    print(f"{name}: {headline}; target: {target}: {'met' if passed else 'NOT met'}")
    return 0 if passed else 1


def _commit() -> str:
    process = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        capture_output=True,
        text=True,
        cwd=Path(__file__).parent,
        check=False,
    )
    return process.stdout.strip()


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")),
        platform.processor(),
    )


def _gpu() -> str:
    import torch

    return torch.cuda.get_device_name() if torch.cuda.is_available() else ""


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return ""
