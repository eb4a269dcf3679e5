"""benchmarks/gpu.sh and gpu.py, which are for a machine with a GPU: every step runs on the
processor with the smallest sizes, so that it runs there at the first try.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPT, WHEELS = ROOT / "benchmarks/gpu.sh", ROOT / "benchmarks/gpu_wheels.txt"


def run(
    *options: str, python: str = sys.executable, **environment: str
) -> subprocess.CompletedProcess:
    return subprocess.run(
        ["bash", str(SCRIPT), *options],
        env={**os.environ, "PYTHON": python, "OMP_NUM_THREADS": "1", **environment},
        capture_output=True,
        text=True,
    )


def test_every_step_is_measured_and_stands_in_the_table(tmp_path):
    out = tmp_path / "gpu.json"
    result = run("--device", "cpu", "--tiny", "--minutes", "60", "--out", str(out))
    assert result.returncode == 0, result.stdout + result.stderr
    found = json.loads(out.read_text())
    assert set(found) == {"machine", "agcn", "folds", "detectors", "features", "compiled", "table1"}
    assert found["machine"]["device"] == "cpu" and found["machine"]["torch"]
    assert found["agcn"]["batch 1, outputs apart"] < 1e-3
    steps = found["agcn"]["batch 1, training step"]
    assert {"original, fp32", "AGCN, bf16"} <= set(steps)
    assert "AGCN compiled, bf16" in found["compiled"]["batch 1, inference"]
    assert {"one by one, tf32", "at once, tf32"} <= set(found["folds"]["demo's widths"])
    assert {"SSD, fp32", "Keypoint R-CNN, bf16"} <= set(found["detectors"]["frames"])
    assert found["table1"]["whole"] and found["table1"]["trained"] == found["table1"]["trainings"]
    table = out.with_suffix(".md").read_text()
    for step, figures in found.items():
        for group, rows in figures.items():
            for name, row in rows.items() if step != "table1" and isinstance(rows, dict) else ():
                assert f"| {step}: {group}, {name} |" in table
                assert "error" in row or row["ms"] > 0
    assert "| table1: 2 of 2 trainings" in table


def test_without_a_gpu_it_says_so_and_without_wheels_too(tmp_path):
    none = run("--out", str(tmp_path / "gpu.json"), CUDA_VISIBLE_DEVICES="")
    assert none.returncode == 2 and "not run: no GPU" in none.stdout
    bare = run(python="false", WHEELS=str(tmp_path / "wheels"))
    assert bare.returncode == 2 and "no folder of wheels" in bare.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_wheels_are_named_with_their_versions():
    lines = [line for line in WHEELS.read_text().splitlines() if not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[0-9][0-9a-z.]*", line) for line in lines)
    assert {"torch", "torchvision", "lightning"} <= {line.split("==")[0] for line in lines}
