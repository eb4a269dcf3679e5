#!/usr/bin/env bash
# What this project's networks do on a GPU, in 8 minutes on a fresh machine without a network: a JSON and a table for docs/speed.md.
#
#     benchmarks/gpu.sh [options of benchmarks/gpu.py]
#
# What `python3` (or $PYTHON) lacks is installed into $PACKAGES (runs/gpu/packages) from a folder of wheels, $WHEELS (./wheels). Fill that folder
# beforehand, where there is a network, for the other machine's Python:
#
#     python3 -m pip download --only-binary=:all: --python-version 3.12 --implementation cp \
#         $(printf -- '--platform manylinux_2_%s_x86_64 ' $(seq 28 -1 5)) --platform manylinux2014_x86_64 \
#         --no-deps -d wheels -r benchmarks/gpu_wheels.txt
#
# (3 GB; leave torch, torchvision, triton and the nvidia and cuda packages out where the machine has a torch that sees its GPU: it is then used,
# whatever its version.) Results: runs/gpu/gpu.json and gpu.md, as far as they are measured; benchmarks/results/gpu.json at the end, on a GPU.
set -euo pipefail
cd "$(dirname "$0")/.."

MINUTES=8
PYTHON=${PYTHON:-python3}
WHEELS=${WHEELS:-wheels}
PACKAGES=${PACKAGES:-$PWD/runs/gpu/packages}
export PYTHONPATH=$PWD:$PACKAGES${PYTHONPATH:+:$PYTHONPATH} PYTHONUNBUFFERED=1

CAN_RUN="import semiology.cli.main, semiology.experiments.loso, torchvision; from importlib.metadata import version; version('semiology')"

if ! "$PYTHON" -c "$CAN_RUN" 2>/dev/null; then
    if [ ! -d "$WHEELS" ]; then
        echo "$PYTHON cannot import semiology's requirements, and there is no folder of wheels, $WHEELS: see the head of $0" >&2
        exit 2
    fi
    wanted=$(mktemp)
    trap 'rm -f "$wanted"' EXIT
    if "$PYTHON" -c 'import torch, torchvision; assert torch.cuda.is_available()' 2>/dev/null; then
        echo "installing what is needed beside the torch of $PYTHON"
        grep -vE '^((torch|torchvision|triton)==|nvidia-|cuda-)' benchmarks/gpu_wheels.txt >"$wanted"
    else
        echo "installing everything"
        cp benchmarks/gpu_wheels.txt "$wanted"
    fi
    "$PYTHON" -m pip install --quiet --no-index --no-deps --no-compile --target "$PACKAGES" --find-links "$WHEELS" -r "$wanted"
    # name and version, which installing the project itself would write, and which its files hold
    version=$(sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml | head -1)
    mkdir -p "$PACKAGES/semiology-$version.dist-info"
    printf 'Metadata-Version: 2.1\nName: semiology\nVersion: %s\n' "$version" >"$PACKAGES/semiology-$version.dist-info/METADATA"
    "$PYTHON" -c "$CAN_RUN"
    rm "$wanted"  # `exec` below skips the trap
fi

# what is left of the eight minutes, less a quarter of one to end in
left=$("$PYTHON" -c "print(max($MINUTES - $SECONDS / 60 - 0.25, 1))")
echo "the environment is there after $SECONDS s; $left minutes are left"
exec "$PYTHON" benchmarks/gpu.py --minutes "$left" "$@"
