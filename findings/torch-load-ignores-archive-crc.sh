#!/usr/bin/env bash
# A flipped bit in stored weights: torch.load reads it, although the file holds a CRC-32 of each
# tensor.
#
# Expected (a guess): torch.save writes a zip archive, whose entries have a CRC-32, so a flipped bit
#   is an error, as it is for numpy's npz, which is a zip archive too. safetensors checks its header
#   only.
# What happens: torch.load gives the tensor with the changed value, without a word, with and without
#   mmap; Python's zipfile finds the entry at once. safetensors has no checksum, so nobody can find
#   it there. numpy refuses its npz.
# Seen: one weight of 4096 is infinite in place of 1; zipfile names the entry.
# Version: torch 2.13.0 (the same with 2.15.0), safetensors 0.8.0, numpy 2.4.6. A CPU build is
#   enough; the default one for Linux is several GB. Date: 2026-11-29.
# Why it matters: weights are copied over networks and USB sticks into hospitals. A bit in an
#   exponent makes NaN or worse: outputs that are slightly off.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check torch==2.13.0 safetensors==0.8.0 \
  numpy==2.4.6
env/bin/python - <<'EOF'
import zipfile

import numpy as np
import safetensors
import torch
from safetensors.numpy import load_file as load_arrays
from safetensors.torch import load_file, save_file

print("torch", torch.__version__, "safetensors", safetensors.__version__, "numpy", np.__version__)
weights = {"w": torch.ones(64, 64)}
torch.save(weights, "w.pt")
save_file(weights, "w.safetensors")
np.savez("w.npz", w=weights["w"].numpy())
for name in ("w.pt", "w.safetensors", "w.npz"):
    with open(name, "rb") as file:
        content = bytearray(file.read())
    at = content.find(np.ones(100, np.float32).tobytes())
    content[at + 4 * 50 + 3] ^= 0x40  # a bit of the exponent of the 51st weight
    with open("flipped-" + name, "wb") as file:
        file.write(content)

found = {
    "torch.load": torch.load("flipped-w.pt", weights_only=True)["w"].numpy(),
    "torch.load, mmap": torch.load("flipped-w.pt", weights_only=True, mmap=True)["w"].numpy(),
    "safetensors.torch": load_file("flipped-w.safetensors")["w"].numpy(),
    "safetensors.numpy": load_arrays("flipped-w.safetensors")["w"],
}
for reader, array in found.items():
    changed = array[array != 1]
    print(f"{reader}: no error; weights that changed: {changed}")
    assert changed.tolist() == [np.inf], "the behaviour has changed"
with zipfile.ZipFile("w.pt") as whole, zipfile.ZipFile("flipped-w.pt") as flipped:
    print("zipfile's test of the archive: whole", whole.testzip(), "| flipped", flipped.testzip())
    assert whole.testzip() is None and flipped.testzip() is not None, "the behaviour has changed"
try:
    np.load("flipped-w.npz")["w"]
    refused = None
except zipfile.BadZipFile as error:
    refused = error
print("numpy.load:", repr(refused))
assert refused, "the behaviour has changed"
EOF
