#!/usr/bin/env bash
# LiteRT computes every output of a network, also those that nobody reads.
#
# Expected (a guess): what only unread outputs need is not run; one asks for outputs by get_tensor.
# What happens: invoke runs the whole graph. Outputs can be left out only by writing the network
#   again without them and the operators that lead to them alone; ai_edge_litert has the schema for
#   that (schema_py_generated). The other outputs are the same.
# Seen: pose_landmark_full without its mask (256 x 256) and its heatmaps (64 x 64 x 39): 253 of 332
#   operators, 0.5 of the time, the other outputs equal to the bit.
# Version: ai-edge-litert 2.3.0, the network of mediapipe 0.10.21. Date: 2026-11-30.
# Why it matters: half of each frame's time goes into masks and maps that nobody asked for.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv env
env/bin/pip install --quiet --disable-pip-version-check ai-edge-litert==2.3.0 \
  flatbuffers==25.12.19 numpy==1.26.4
env/bin/pip install --quiet --disable-pip-version-check --no-deps mediapipe==0.10.21
env/bin/python - 2>log <<'EOF' || { tail log; exit 1; }
import time
from importlib.metadata import version
from importlib.util import find_spec

import flatbuffers
import numpy as np
from ai_edge_litert.interpreter import Interpreter
from ai_edge_litert.schema_py_generated import Model, ModelT

print("ai-edge-litert", version("ai-edge-litert"))
package = find_spec("mediapipe").submodule_search_locations[0]
with open(f"{package}/modules/pose_landmark/pose_landmark_full.tflite", "rb") as file:
    whole = file.read()


def cut(content, names):
    """The network with these outputs and what leads to them alone."""
    model = ModelT.InitFromObj(Model.GetRootAs(content, 0))
    graph = model.subgraphs[0]
    graph.outputs = [n for n in graph.outputs if graph.tensors[n].name.decode() in names]
    needed, operators = set(graph.outputs), []
    for operator in reversed(graph.operators):
        if needed & set(operator.outputs):
            operators.append(operator)
            needed |= set(operator.inputs)
    print(f"{len(operators)} of {len(graph.operators)} operators lead to", names)
    graph.operators, model.signatureDefs = operators[::-1], []
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), b"TFL3")
    return bytes(builder.Output())


WANTED = ["Identity", "Identity_1", "Identity_4"]  # landmarks, presence, landmarks in metres
image = np.random.default_rng(0).random((1, 256, 256, 3), np.float32)
networks = [Interpreter(model_content=content) for content in (whole, cut(whole, WANTED))]
for network in networks:
    network.allocate_tensors()
    network.set_tensor(network.get_input_details()[0]["index"], image)
times = np.zeros((30, 2))
for turn in range(30):  # in turn, so that both meet the same load
    for number, network in enumerate(networks):
        start = time.perf_counter()
        network.invoke()
        times[turn, number] = time.perf_counter() - start
found = [
    {output["name"]: network.get_tensor(output["index"]) for output in network.get_output_details()}
    for network in networks
]
apart = max(abs(found[0][name] - found[1][name]).max() for name in WANTED)
ratio = np.median(times[:, 1]) / np.median(times[:, 0])
print("outputs:", *(f"{name} {array.shape}" for name, array in found[0].items()))
print(f"without the two unwanted: {ratio:.2f} of the time, the others differ by {apart:.1e}")
assert apart < 1e-3, "the behaviour has changed"
assert 0.3 < ratio < 0.9, "the behaviour has changed"
EOF
