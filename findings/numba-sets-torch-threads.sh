#!/usr/bin/env bash
# A function that numba runs in parallel changes with how many threads torch computes.
#
# Expected (a guess): OMP_NUM_THREADS=1 holds for torch as long as nobody calls set_num_threads;
#   aeon's n_jobs=1 computes on one thread.
# What happens: the first function compiled with parallel=True starts numba's OpenMP layer with
#   as many threads as there are cores (NUMBA_NUM_THREADS), whatever OMP_NUM_THREADS says, also
#   where the caller asked for one. torch shares that OpenMP: from then on it computes with all cores.
# Seen: two cores, OMP_NUM_THREADS=1: torch.get_num_threads() is 1 before and 2 after a
#   numba.set_num_threads(1) function of two lines; the same after aeon's MiniRocket(n_jobs=1) and
#   with the layer "omp" by name. Not with the layer "workqueue", and not where numba's number of
#   threads is 1. With torch.set_num_threads called before, it is changed all the same.
# Version: numba 0.63.1, torch 2.14.1 and 2.15.0, numpy 2.3.5. Date: 2026-11-30.
# Why it matters: two worker processes on two cores, each of which then trains a small network with
#   two threads that wait for each other: 4 s became 237 s; and sums in another order have other
#   last digits, so that a run with such a model beside it is no longer the same to the bit.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.14.1 numba==0.63.1 numpy==2.3.5
cat >run.py <<'EOF'
import numba
import numpy as np
import torch


@numba.njit(parallel=True)
def doubled(values):
    result = np.empty_like(values)
    for place in numba.prange(len(values)):
        result[place] = 2 * values[place]
    return result


before = torch.get_num_threads()
numba.set_num_threads(1)
doubled(np.ones(8))
print(f"layer {numba.threading_layer()}, numba {numba.get_num_threads()} of"
      f" {numba.config.NUMBA_NUM_THREADS}: torch {before} -> {torch.get_num_threads()}")
EOF
export OMP_NUM_THREADS=1
env/bin/python -c 'import numba, torch; print("numba", numba.__version__, "torch", torch.__version__)'
default=$(NUMBA_NUM_THREADS=2 env/bin/python run.py)
workqueue=$(NUMBA_NUM_THREADS=2 NUMBA_THREADING_LAYER=workqueue env/bin/python run.py)
single=$(NUMBA_NUM_THREADS=1 env/bin/python run.py)
printf '%s\n' "$default" "$workqueue" "$single"
[[ $default == *"layer omp, numba 1 of 2: torch 1 -> 2" && $workqueue == *"1 -> 1" && $single == *"1 -> 1" ]] ||
  { echo "the behaviour has changed"; exit 1; }
