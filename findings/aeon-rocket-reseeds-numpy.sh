#!/usr/bin/env bash
# Random convolutions of aeon: fitting them sets numpy's random numbers for the whole process, and
# several threads are an error in a worker of joblib.
#
# Expected (a guess): random_state=0 makes the features repeatable and touches nothing else, as in
#   scikit-learn; random_state=None follows np.random.seed ("use the global random state", the
#   docstring); infinity is refused as NaN is; n_jobs=-1 takes what cores there are.
# What happens: `fit` of MiniRocket and MultiRocket calls np.random.seed: permutations drawn between
#   fits are one and the same. With None two fits after the same np.random.seed differ. Infinity is
#   taken. n_jobs=-1, or any number above 1, in a worker of joblib (which has one numba thread)
#   raises ValueError: the number of threads must be between 1 and 1.
# Seen: three permutations drawn after three different seeds: [0, 5, 2, 1, 3, 4] each time. What
#   holds: features are equal for one seed, whatever the number of threads, the batch and the
#   releases of numpy (1.26.4, 2.3.5); float32 equals float64; unequal lengths, NaN and another
#   length than fitted are refused; a constant channel gives finite numbers.
# Version: aeon 1.6.0, numba 0.63.1, numpy 2.3.5. Date: 2026-11-30. Known: sktime/sktime#2568 and
#   #2662 (the code's origin), aeon-toolkit/aeon#3843 (open).
# Why it matters: a permutation test or a bootstrap with np.random around such a model draws the
#   same labels every time, and its p-value is made of one permutation.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check aeon==1.6.0 numba==0.63.1 numpy==2.3.5
cat >run.py <<'EOF'
import hashlib
import warnings

import aeon
import joblib
import numba
import numpy as np
from aeon.transformations.collection.convolution_based import MiniRocket, MultiRocket

warnings.simplefilter("ignore")
series = np.random.default_rng(0).standard_normal((12, 6, 64)).cumsum(axis=-1)


def threads(count):
    try:
        MiniRocket(84, random_state=0, n_jobs=count).fit_transform(series)
    except ValueError as error:
        return str(error)
    return "no error"


if __name__ == "__main__":
    print("aeon", aeon.__version__, "numba", numba.__version__, "numpy", np.__version__)
    for transform in (MiniRocket, MultiRocket):
        drawn, features = [], []
        for seed in (1, 2, 3):
            np.random.seed(seed)
            transform(n_kernels=84, random_state=0).fit(series)
            drawn.append(np.random.permutation(6).tolist())
        for _ in range(2):
            np.random.seed(5)
            features.append(transform(n_kernels=84).fit(series).transform(series))
        followed = np.array_equal(*features)
        known = transform(n_kernels=840, random_state=0).fit_transform(series)
        digest = hashlib.sha256(known.tobytes()).hexdigest()[:10]
        infinite = transform(n_kernels=84, random_state=0).fit_transform(series / 0.0 + series)
        print(f"{transform.__name__}: permutations after seeds 1, 2, 3: {drawn}")
        print(f"  random_state=None after the same np.random.seed: equal {followed}")
        print(f"  features of random_state=0: SHA-256 {digest}; of infinities: {infinite.shape}")
        assert drawn[0] == drawn[1] == drawn[2] and not followed, "the behaviour has changed"
    for count in (1, 2, -1):
        (found,) = joblib.Parallel(2)([joblib.delayed(threads)(count)] * 1)
        print(f"in a worker of joblib, n_jobs={count}: {found}")
        assert (found == "no error") == (count == 1), "the behaviour has changed"
EOF
env/bin/python run.py
