#!/usr/bin/env bash
# MediaPipe's networks are zip archives to Python, as its bundles are.
#
# Expected (a guess): a bundle (.task) is a zip archive of networks (.tflite), so zipfile.is_zipfile
#   tells the two apart.
# What happens: most networks end in a zip archive themselves, of label files or of nothing at all,
#   which came with their metadata. is_zipfile looks at the end of a file and is true for both. What
#   tells them apart is TFL3 in bytes 5 to 8.
# Seen: 10 of the wheel's 14 networks are zip archives, 5 of them with nothing in it.
# Version: mediapipe 0.10.21. Date: 2026-11-30.
# Why it matters: a program that decides by is_zipfile takes a network for a bundle and looks for
#   networks in it.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check --no-deps mediapipe==0.10.21
env/bin/python - <<'EOF'
import zipfile
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

print("mediapipe", version("mediapipe"))
package = Path(find_spec("mediapipe").submodule_search_locations[0])
archives, empty = [], []
networks = sorted(package.rglob("*.tflite"))
for network in networks:
    with open(network, "rb") as file:
        assert file.read(8)[4:] == b"TFL3", "the behaviour has changed"
    if not zipfile.is_zipfile(network):
        print(network.name, "is no zip archive")
        continue
    with zipfile.ZipFile(network) as archive:
        print(network.name, "is a zip archive of", archive.namelist())
        archives.append(network)
        if not archive.namelist():
            empty.append(network)
print(len(archives), "of", len(networks), "are,", len(empty), "with nothing in the archive")
assert (len(archives), len(networks), len(empty)) == (10, 14, 5), "the behaviour has changed"
EOF
