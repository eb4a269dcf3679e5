#!/usr/bin/env bash
# What this project's networks do on a GPU, in 8 minutes on a fresh machine without a network: a JSON and a table for docs/speed.md.
#
#     benchmarks/gpu.sh [options of benchmarks/gpu.py]
#
# Where `python3` (or $PYTHON) cannot import what is needed, an environment is made in $VENV (runs/gpu/venv) from a folder of wheels, $WHEELS
# (./wheels). Fill it beforehand, where there is a network, for the other machine's Python:
#
#     python3 -m pip download --only-binary=:all: --python-version 3.12 --implementation cp \
#         $(printf -- '--platform manylinux_2_%s_x86_64 ' 28 27 24 17) --platform manylinux2014_x86_64 \
#         --no-deps -d wheels -r benchmarks/gpu_wheels.txt
#
# (3 GB; leave torch, torchvision, triton and the nvidia and cuda packages out where the machine has a torch that sees its GPU: it is then used,
# whatever its version.) Results: runs/gpu/gpu.json and gpu.md, as far as they are measured; benchmarks/results/gpu.json at the end, on a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

MINUTES=8
PYTHON=${PYTHON:-python3}
WHEELS=${WHEELS:-wheels}
VENV=${VENV:-runs/gpu/venv}
export PYTHONPATH=$PWD${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

can_run() { "$1" -c 'import semiology.cli.main, semiology.experiments.loso, torchvision' 2>/dev/null; }

if ! can_run "$PYTHON"; then
    if [ ! -d "$WHEELS" ]; then
        echo "$PYTHON cannot import semiology's requirements, and there is no folder of wheels, $WHEELS: see the head of $0" >&2
        exit 2
    fi
    wanted=$(mktemp)
    trap 'rm -f "$wanted"' EXIT
    if "$PYTHON" -c 'import torch, torchvision; assert torch.cuda.is_available()' 2>/dev/null; then
        echo "making $VENV around the torch of $PYTHON"
        "$PYTHON" -m venv --system-site-packages "$VENV"
        grep -vE '^(torch|torchvision|triton|nvidia|cuda)[-_=]' benchmarks/gpu_wheels.txt >"$wanted"
    else
        echo "making $VENV"
        "$PYTHON" -m venv "$VENV"
        cp benchmarks/gpu_wheels.txt "$wanted"
    fi
    "$VENV/bin/python" -m pip install --quiet --no-index --no-deps --no-compile --find-links "$WHEELS" -r "$wanted"
    PYTHON=$VENV/bin/python
    "$PYTHON" -c 'import semiology.cli.main, semiology.experiments.loso'
fi

# what is left of the eight minutes, less a quarter of one to end in
left=$("$PYTHON" -c "print(max($MINUTES - $SECONDS / 60 - 0.25, 1))")
echo "the environment took $SECONDS s; $left minutes are left"
exec "$PYTHON" benchmarks/gpu.py --minutes "$left" "$@"
